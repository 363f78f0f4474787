"""What the process knows of the cluster: typed objects, kept up to date by watching, newest version wins."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from specsync.resources.meta import Resource

R = TypeVar("R", bound=Resource)
Key = tuple[str, str]  # namespace, name

# How long a deletion is remembered, so that a LIST, or a watch's events, from before it don't bring the object back.
_TOMBSTONE_SECONDS = 120.0
_FOREVER = sys.maxsize


class Store(Generic[R]):
    """All known objects of one kind. `on_change` hears of each object that came, changed or went."""

    def __init__(self, kind: type[R], owner: Callable[[R], str] | None = None) -> None:
        """`owner` names, within the namespace, what an object belongs to: the index of `owned_by`."""
        self.kind = kind
        self._objects: dict[Key, R] = {}
        self._owner = owner
        self._owned: dict[Key, dict[str, R]] = {}
        self._tombstones: dict[str, tuple[int, float]] = {}  # uid → (no version up to this one is news, since when)
        self.on_change: list[Callable[[R], None]] = []

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[R]:
        return iter(list(self._objects.values()))

    def get(self, namespace: str, name: str) -> R | None:
        return self._objects.get((namespace, name))

    def owned_by(self, namespace: str, owner: str) -> list[R]:
        return list(self._owned.get((namespace, owner), {}).values())

    def put(self, obj: R, *, tell: bool = True) -> bool:
        """Takes a version of an object, from a watch, a LIST or the answer to an own write; False if it's no news.

        Not to `tell` is for who goes on with what it has written: it needs no reminder.
        """
        meta = obj.metadata
        key = (meta.namespace, meta.name)
        gone, _ = self._tombstones.get(meta.uid, (-1, 0.0))
        known = self._objects.get(key)
        # Versions are comparable between objects too: one that was made anew under the same name is newer.
        if _version(obj) <= gone or (known is not None and _version(obj) <= _version(known)):
            return False
        if known is not None:
            self._drop(known)
        self._objects[key] = obj
        if self._owner is not None:
            self._owned.setdefault((meta.namespace, self._owner(obj)), {})[meta.name] = obj
        if tell:
            self._tell(obj)
        return True

    def remove(self, obj: R) -> None:
        """Forgets an object that left the selector of the watch, as of this version of it; a newer one may come."""
        self._forget(obj, _version(obj))

    def bury(self, obj: R) -> None:
        """Forgets an object that was deleted: its uid never comes back."""
        self._forget(obj, _FOREVER)

    def versions(self, namespace: str | None = None) -> dict[Key, str]:
        """Key → resourceVersion, to hand to `prune` after a LIST (of that namespace) that starts now."""
        return {
            key: obj.metadata.resource_version
            for key, obj in self._objects.items()
            if namespace is None or key[0] == namespace
        }

    def prune(self, listed: Iterable[R], before: dict[Key, str]) -> None:
        """Brings the store in line with a consistent LIST that began when `before` was taken.

        What the list lacks is a ghost, unless it came or changed while the list was read.
        """
        present = set()
        for obj in listed:
            present.add((obj.metadata.namespace, obj.metadata.name))
            self.put(obj)
        for key, version in before.items():
            obj_ = self._objects.get(key)
            if key not in present and obj_ is not None and obj_.metadata.resource_version == version:
                self.remove(obj_)

    def start_over(self, listed: Iterable[R], namespace: str | None = None) -> None:
        """Takes a LIST (of that namespace) of a server that was put back to an earlier state, as from a backup.

        What was known before counts no more, though its versions are higher.
        """
        known = [obj for obj in self if namespace is None or obj.metadata.namespace == namespace]
        self._tombstones.clear()
        for obj in known:
            self._drop(obj)
        for obj in listed:
            self.put(obj)
        for obj in known:
            if self.get(obj.metadata.namespace, obj.metadata.name) is None:
                self._tell(obj)

    def _drop(self, obj: R) -> None:
        meta = obj.metadata
        del self._objects[(meta.namespace, meta.name)]
        if self._owner is not None:
            owner = (meta.namespace, self._owner(obj))
            self._owned[owner].pop(meta.name, None)
            if not self._owned[owner]:
                del self._owned[owner]

    def _forget(self, obj: R, version: int) -> None:
        meta = obj.metadata
        now = time.monotonic()
        earlier, _ = self._tombstones.pop(meta.uid, (-1, 0.0))
        self._tombstones[meta.uid] = (max(earlier, version), now)
        # They stand in the order of their times.
        while (oldest := next(iter(self._tombstones))) and now - self._tombstones[oldest][1] > _TOMBSTONE_SECONDS:
            del self._tombstones[oldest]
        known = self._objects.get((meta.namespace, meta.name))
        if known is not None and known.metadata.uid == meta.uid and _version(known) <= version:
            self._drop(known)
            self._tell(obj)

    def _tell(self, obj: R) -> None:
        for listener in self.on_change:
            listener(obj)


def _version(obj: Any) -> int:
    # Comparable as numbers: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    return int(obj.metadata.resource_version or 0)
