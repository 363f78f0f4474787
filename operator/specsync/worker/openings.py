"""Which free job a worker takes next: fair among namespaces, and among workers.

Namespaces take turns, and within one the job that has been free longest goes first. Each free job has one of the living
workers that it is meant for, by a hash of both (rendezvous hashing), so that workers neither try for the same jobs nor
take all while another idles. A job that its worker doesn't take at once, as it is busy, may be had by any other.
"""

import random
import zlib
from collections.abc import Callable, Iterable

from specsync.resources import SyncJob

# How long the others leave a free job to the worker that it is meant for; so much more, at random, keeps them apart.
_PATIENCE, _JITTER = 0.3, 0.1  # seconds


class Openings:
    """The free jobs that one worker knows of. Times are of any clock, in seconds."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._mine = _Turns()
        self._others = _Turns()
        self._ripe: dict[str, float] = {}  # uid of a job that is meant for another → from when on it may be had

    def offer(self, job: SyncJob, workers: Iterable[str], at: float) -> None:
        """A job that is free; `workers` are the living ones. Offered again it keeps its place."""
        uid = job.metadata.uid
        if all(self._worker == worker or _weight(worker, uid) < _weight(self._worker, uid) for worker in workers):
            self._others.discard(job)
            self._ripe.pop(uid, None)
            self._mine.add(job)
        elif uid not in self._ripe:
            self._mine.discard(job)
            self._others.add(job)
            self._ripe[uid] = at + _PATIENCE + random.uniform(0, _JITTER)  # noqa: S311

    def withdraw(self, job: SyncJob) -> None:
        """A job that isn't free any more, or is taken."""
        self._mine.discard(job)
        self._others.discard(job)
        self._ripe.pop(job.metadata.uid, None)

    def take(self, at: float) -> SyncJob | None:
        """The next job to try for, which is then no longer among them: its own ones first."""
        job = self._mine.first() or self._others.any(lambda job: self._ripe[job.metadata.uid] <= at)
        if job is not None:
            self.withdraw(job)
        return job

    def next_ripe(self) -> float | None:
        """When `take` has something to give that it hasn't now; None if nothing is foreseen."""
        return min(self._ripe.values(), default=None)


class _Turns:
    """Jobs by namespace; the namespaces take turns."""

    def __init__(self) -> None:
        self._jobs: dict[str, dict[str, SyncJob]] = {}  # namespace → uid → job, in the order in which they came

    def add(self, job: SyncJob) -> None:
        self._jobs.setdefault(job.metadata.namespace, {})[job.metadata.uid] = job

    def discard(self, job: SyncJob) -> None:
        jobs = self._jobs.get(job.metadata.namespace, {})
        if jobs.pop(job.metadata.uid, None) is not None and not jobs:
            del self._jobs[job.metadata.namespace]

    def first(self) -> SyncJob | None:
        """The oldest job of the namespace whose turn it is."""
        for namespace, jobs in self._jobs.items():
            self._jobs[namespace] = self._jobs.pop(namespace)
            return next(iter(jobs.values()))
        return None

    def any(self, wanted: Callable[[SyncJob], bool]) -> SyncJob | None:
        """One of the wanted jobs of the first namespace that has any. At random: two who ask get different ones."""
        for namespace, jobs in self._jobs.items():
            found = [job for job in jobs.values() if wanted(job)]
            if found:
                self._jobs[namespace] = self._jobs.pop(namespace)
                return random.choice(found)  # noqa: S311
        return None


def _weight(worker: str, uid: str) -> int:
    return zlib.crc32(f"{worker}/{uid}".encode())
