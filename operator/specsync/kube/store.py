"""What the process knows of the cluster: typed objects, kept up to date by watching, newest version wins."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from specsync.resources.meta import Resource

R = TypeVar("R", bound=Resource)
Key = tuple[str, str]  # namespace, name

# How long a deletion is remembered, so that a LIST that began before it doesn't bring the object back.
_TOMBSTONE_SECONDS = 120.0


class Store(Generic[R]):
    """All known objects of one kind. `on_change` hears of each object that came, changed or went."""

    def __init__(self, kind: type[R], owner: Callable[[R], str] | None = None) -> None:
        """`owner` names, within the namespace, what an object belongs to: the index of `owned_by`."""
        self.kind = kind
        self._objects: dict[Key, R] = {}
        self._owner = owner
        self._owned: dict[Key, dict[str, R]] = {}
        self._tombstones: dict[str, float] = {}  # uid → when
        self.on_change: list[Callable[[R], None]] = []

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[R]:
        return iter(list(self._objects.values()))

    def get(self, namespace: str, name: str) -> R | None:
        return self._objects.get((namespace, name))

    def owned_by(self, namespace: str, owner: str) -> list[R]:
        return list(self._owned.get((namespace, owner), {}).values())

    def put(self, obj: R) -> bool:
        """Takes a version of an object, from a watch, a LIST or the answer to an own write; False if it's no news."""
        meta = obj.metadata
        if meta.uid in self._tombstones:
            return False
        key = (meta.namespace, meta.name)
        known = self._objects.get(key)
        if known is not None and known.metadata.uid == meta.uid and not _newer(obj, known):
            return False
        self._objects[key] = obj
        if self._owner is not None:
            self._owned.setdefault((meta.namespace, self._owner(obj)), {})[meta.name] = obj
        self._tell(obj)
        return True

    def remove(self, obj: R) -> None:
        """Forgets an object that was deleted, or that left the selector of the watch."""
        meta = obj.metadata
        known = self._objects.get((meta.namespace, meta.name))
        if known is None or known.metadata.uid != meta.uid:
            return
        del self._objects[(meta.namespace, meta.name)]
        if self._owner is not None:
            owner = (meta.namespace, self._owner(known))
            self._owned[owner].pop(meta.name, None)
            if not self._owned[owner]:
                del self._owned[owner]
        self._tell(obj)

    def bury(self, obj: R) -> None:
        """Forgets an object for good: its uid never comes back."""
        now = time.monotonic()
        self._tombstones = {uid: when for uid, when in self._tombstones.items() if now - when < _TOMBSTONE_SECONDS}
        self._tombstones[obj.metadata.uid] = now
        self.remove(obj)

    def versions(self) -> dict[Key, str]:
        """Key → resourceVersion, to hand to `prune` after a LIST that starts now."""
        return {key: obj.metadata.resource_version for key, obj in self._objects.items()}

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

    def _tell(self, obj: R) -> None:
        for listener in self.on_change:
            listener(obj)


def _newer(obj: Any, known: Any) -> bool:
    # Comparable as numbers: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    return int(obj.metadata.resource_version or 0) > int(known.metadata.resource_version or 0)
