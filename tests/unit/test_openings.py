"""Which job a worker takes next: fair among namespaces and among workers, and nothing is left lying."""

from collections import Counter

from specsync.resources import SyncJob
from specsync.resources.meta import ObjectMeta
from specsync.resources.syncjob import SyncJobSpec, Target
from specsync.worker.openings import Openings


def job(number: int, namespace: str = "ns") -> SyncJob:
    name = f"{namespace}-{number}"
    return SyncJob(
        metadata=ObjectMeta(name=name, namespace=namespace, uid=f"uid-{name}", resource_version="1"),
        spec=SyncJobSpec(target=Target(name="shop")),
    )


def taken(openings: Openings, at: float = 0.0) -> list[str]:
    names = []
    while (found := openings.take(at)) is not None:
        names.append(found.metadata.name)
    return names


def test_a_namespace_with_many_jobs_does_not_keep_others_waiting() -> None:
    openings = Openings("me")
    for found in [*(job(number, "many") for number in range(1000)), job(0, "few"), job(1, "few"), job(0, "one")]:
        openings.offer(found, ["me"], 0.0)
    names = taken(openings)
    assert names[:6] == ["many-0", "few-0", "one-0", "many-1", "few-1", "many-2"]
    assert names[6:] == [f"many-{number}" for number in range(3, 1000)], "and within one the oldest goes first"


def test_a_job_that_is_offered_again_keeps_its_place_and_one_that_is_withdrawn_is_gone() -> None:
    openings = Openings("me")
    for number in (0, 1, 2, 0, 0):
        openings.offer(job(number), ["me"], 0.0)
    openings.withdraw(job(1))
    openings.withdraw(job(1))
    assert taken(openings) == ["ns-0", "ns-2"]


def test_workers_share_the_jobs_and_none_is_wanted_by_two_at_once() -> None:
    workers = ["a", "b", "c"]
    everybody = {worker: Openings(worker) for worker in workers}
    jobs = [job(number) for number in range(300)]
    for openings in everybody.values():
        for found in jobs:
            openings.offer(found, workers, 0.0)
    shares = {worker: taken(openings) for worker, openings in everybody.items()}
    assert Counter(name for share in shares.values() for name in share) == Counter(j.metadata.name for j in jobs)
    assert min(map(len, shares.values())) > 50


def test_what_a_busy_worker_leaves_lying_is_taken_by_another() -> None:
    idle = Openings("idle")
    jobs = [job(number) for number in range(40)]
    for found in jobs:
        idle.offer(found, ["idle", "busy"], 100.0)
    own = taken(idle, 100.0)
    assert 0 < len(own) < 40
    ripe = idle.next_ripe()
    assert ripe is not None
    assert 100.0 < ripe < 101.0
    assert len(own) + len(taken(idle, 101.0)) == 40
    assert idle.next_ripe() is None


def test_the_jobs_of_a_worker_that_is_gone_are_everybodys_at_once() -> None:
    openings = Openings("me")
    jobs = [job(number) for number in range(40)]
    for workers in (["me", "other"], ["me"]):
        for found in jobs:
            openings.offer(found, workers, 0.0)
    assert len(taken(openings)) == 40
