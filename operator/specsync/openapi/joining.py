"""Several files joined into one document: what a ``$ref`` finds in another file becomes a component of the document.

A reference counts from its own file's address on, as bundlers do it (``$id`` and ``$self`` don't change that). What may
not stand among the components (path items, operations, whole maps) is put in the reference's place. Files may refer to
each other, and back to the document, in circles.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from specsync.openapi.bundle import Bundle, is_same_origin, resolve, shown_name
from specsync.openapi.errors import DocumentError
from specsync.openapi.limits import Limits, too_deep, too_many_nodes
from specsync.openapi.load import read_any
from specsync.openapi.pointers import find, tokens_of
from specsync.openapi.structure import SWAGGER2_TABLES, TABLES, field_kind
from specsync.openapi.tolerant import escaped

_EXTENSION = re.compile(r"\.(?:json|ya?ml)$", re.IGNORECASE)
_LIKE_A_FILE = re.compile(r"\.{1,2}/|[^#]*\.(?:json|ya?ml)(?:#|$)", re.IGNORECASE)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_ROOMS = frozenset(("components", "definitions", "$defs", "schemas", *(t.rpartition("/")[2] for t in TABLES.values())))
_LONGEST_NAME = 200


class Wanted(msgspec.Struct, frozen=True):
    """A file that the document refers to and that isn't there yet."""

    uri: str
    place: str
    """Where the first reference to it stands: ``openapi.yaml#/paths/~1pets``."""


class Joined(msgspec.Struct, kw_only=True):
    tree: dict[str, Any]
    text: bytes
    """The document's own file, in UTF-8."""
    missing: list[Wanted]
    """Files of the same origin that aren't in the bundle; references to them are as they were."""
    dangling: dict[str, str]
    """References that lead to nothing in a file that is there, as they are in ``tree`` → what is wrong."""
    origins: dict[str, str]
    """JSON pointers in ``tree`` of what came from other files → where it was: ``schemas/pet.yaml#/Pet``."""


def join(bundle: Bundle, limits: Limits) -> Joined:
    """One tree of all files. Raises DocumentError: for a file that can't be parsed, and UnresolvableReference where
    what would be put in a reference's place isn't in a file that is there.
    """
    try:
        return _Joiner(bundle, limits).join()
    except RecursionError:
        raise too_deep(limits) from None


_Key = tuple[str, str, str]  # URI, pointer, kind


class _Joiner:
    def __init__(self, bundle: Bundle, limits: Limits) -> None:
        self._bundle = bundle
        self._limits = limits
        self._read: dict[str, tuple[Any, bytes]] = {}
        self._tables = TABLES
        self._names: dict[_Key, str] = {}
        self._taken: set[tuple[str, str]] = set()
        self._waiting: list[_Key] = []
        self._inlining: list[_Key] = []
        self._open: set[int] = set()
        self._walked: dict[tuple[int, str, str], Any] = {}
        self._missing: dict[str, Wanted] = {}
        self._broken: dict[_Key, str] = {}
        self._dangling: dict[str, str] = {}
        self._origins: dict[str, str] = {}

    def join(self) -> Joined:
        root = self._bundle.root
        tree, text = self._file(root)
        if not isinstance(tree, dict):
            return Joined(tree={}, text=text, missing=[], dangling={}, origins={})
        if "swagger" in tree:
            self._tables = SWAGGER2_TABLES
        self._name_components(tree)
        joined: dict[str, Any] = dict(self._walk(tree, "document", root, "", ""))
        while self._waiting:
            uri, pointer, kind = key = self._waiting.pop()
            table, name = self._tables[kind], self._names[key]
            out = f"{table}/{escaped(name)}"
            self._origins[out] = self._shown(uri, pointer)
            _table(joined, table)[name] = self._walk(self._target(key), kind, uri, pointer, out)
        if _values(joined, {}) > self._limits.max_nodes:
            raise too_many_nodes(self._limits)
        missing = list(self._missing.values())
        return Joined(tree=joined, text=text, missing=missing, dangling=self._dangling, origins=self._origins)

    def _name_components(self, tree: dict[str, Any]) -> None:
        """What the document's own components are made of, and nothing else, has their names."""
        root = self._bundle.root
        for kind, table in self._tables.items():
            entries = find(tree, table)
            if not isinstance(entries, dict):
                continue
            self._taken.update((kind, name) for name in entries)
            for name, entry in entries.items():
                reference = entry.get("$ref") if isinstance(entry, dict) and len(entry) == 1 else None
                if isinstance(reference, str):
                    uri, pointer = resolve(root, reference)
                    key = (uri, pointer, kind)
                    if uri != root and self._has(key, self._shown(root, f"{table}/{escaped(name)}")):
                        self._name(key, name)

    def _walk(self, node: Any, kind: str, base: str, pointer: str, out: str) -> Any:
        """``node`` with its references changed. It stands at ``pointer`` of the file ``base``, and will at ``out``."""
        if isinstance(node, list):
            if kind[0] != "[" and kind != "schema":  # `items` was a list once
                return node
            below = kind.strip("[]")
            return [
                self._walk(item, below, base, f"{pointer}/{index}", f"{out}/{index}") for index, item in enumerate(node)
            ]
        if not isinstance(node, dict):
            return node
        known = self._walked.get((id(node), kind, base))
        if known is not None:
            if id(known) in self._open:  # a file is a tree: only what stands in a reference's place leads back to it
                raise self._unresolvable(self._shown(base, pointer), self._inlining[-1], "which leads back to itself")
            return known
        if kind == "discriminator":
            return self._discriminator(node, base, pointer)
        changed: dict[str, Any] = {}
        self._walked[id(node), kind, base] = changed
        self._open.add(id(changed))
        for field, value in node.items():
            below_kind = field_kind(kind, field)
            if below_kind is not None and isinstance(value, dict | list):
                token = escaped(str(field))
                changed[field] = self._walk(value, below_kind, base, f"{pointer}/{token}", f"{out}/{token}")
            else:
                changed[field] = value
        reference = node.get("$ref")
        found = changed
        if isinstance(reference, str):
            found = self._follow(reference, changed, kind, base, pointer, out)
        self._open.discard(id(changed))
        return found

    def _follow(self, reference: str, changed: dict[str, Any], kind: str, base: str, pointer: str, out: str) -> Any:
        """``changed`` with its reference as one within the document, or with what it finds in its place."""
        place = self._shown(base, pointer)
        uri, target = resolve(base, reference)
        key = (uri, target, kind)
        if kind in self._tables or uri == self._bundle.root or not self._has(key, place):
            changed["$ref"] = self._moved(reference, kind, base, place)
            return changed
        if key in self._inlining:
            raise self._unresolvable(place, key, "which leads back to itself")
        self._inlining.append(key)
        self._origins[out] = self._shown(uri, target)
        found = self._walk(self._target(key), kind, uri, target, out)
        self._inlining.pop()
        if not isinstance(found, dict):
            return found
        del changed["$ref"]
        for field, value in found.items():
            changed.setdefault(field, value)
        return changed

    def _moved(self, reference: str, kind: str, base: str, place: str) -> str:
        """What a reference of the file ``base`` is in the joined document."""
        root = self._bundle.root
        uri, pointer = resolve(base, reference)
        if uri == root and pointer.startswith("/"):
            return f"#{pointer}"
        key = (uri, pointer, kind)
        if uri == root or not self._has(key, place):
            # Nothing that can be joined: as it was, but for those that only their own file would understand.
            left = reference if base == root or not is_same_origin(uri, root) else self._shown(uri, pointer)
            if key in self._broken:
                self._dangling[left] = self._broken[key]
            return left
        if key not in self._names:
            self._name(key, self._free_name(key))
        return f"#{self._tables[kind]}/{escaped(self._names[key])}"

    def _has(self, key: _Key, place: str) -> bool:
        """Whether what is referred to is to be joined and is here. Notes a file that is missing, or lacks it."""
        uri, pointer, kind = key
        if not is_same_origin(uri, self._bundle.root) or not _is_pointer(pointer):
            return False
        if uri not in self._bundle.files:
            self._missing.setdefault(uri, Wanted(uri, place))
            return False
        why = self._misfit(key)
        if why is None:
            return True
        error = self._unresolvable(place, key, why)
        if kind not in self._tables:  # a path item, say: nobody could tell which operations there are
            raise error
        self._broken.setdefault(key, error.message)
        return False

    def _discriminator(self, node: dict[str, Any], base: str, pointer: str) -> dict[str, Any]:
        mapping = node.get("mapping")
        if not isinstance(mapping, dict):
            return node
        moved = {
            value: self._moved(target, "schema", base, self._shown(base, f"{pointer}/mapping"))
            if isinstance(target, str) and (target.startswith("#/") or _LIKE_A_FILE.match(target))
            else target
            for value, target in mapping.items()
        }
        return {**node, "mapping": moved}

    def _name(self, key: _Key, name: str) -> None:
        if key not in self._names:
            self._names[key] = name
            self._taken.add((key[2], name))
            self._waiting.append(key)

    def _free_name(self, key: _Key) -> str:
        """``schemas.Pet`` for schemas/Pet.yaml, ``common.Pet`` for common.yaml#/components/schemas/Pet."""
        uri, pointer, kind = key
        file = shown_name(uri, self._bundle.root)
        tokens = tokens_of(pointer)
        while len(tokens) > 1 and tokens[0] in _ROOMS:
            tokens.pop(0)
        words = [*(part for part in _EXTENSION.sub("", file).split("/") if part != ".."), *tokens]
        name = _NOT_IN_NAMES.sub("_", ".".join(words)).strip("._") or "file"
        if len(name) > _LONGEST_NAME or (kind, name) in self._taken:
            digest = hashlib.sha256(f"{file}#{pointer}?{uri}".encode()).hexdigest()
            name = f"{name[:_LONGEST_NAME]}-{digest[:8]}"
        return name

    def _target(self, key: _Key) -> Any:
        uri, pointer, _ = key
        tree, _ = self._file(uri)
        return find(tree, pointer)

    def _misfit(self, key: _Key) -> str | None:
        """Why what is referred to can't be what it is to be; None where it can."""
        found, kind = self._target(key), key[2]
        if found is None:
            return "which isn't in that file"
        fits = isinstance(found, dict) or (kind == "schema" and isinstance(found, bool)) or kind[0] == "["
        return None if fits else f"where there is no {kind.strip('{}[]')}"

    def _file(self, uri: str) -> tuple[Any, bytes]:
        if uri not in self._read:
            try:
                self._read[uri] = read_any(self._bundle.files[uri], self._limits)
            except DocumentError as error:
                if uri == self._bundle.root:
                    raise
                name = shown_name(uri, self._bundle.root)
                raise DocumentError(
                    error.reason, f"{name}: {error.message}", line=error.line, column=error.column
                ) from None
        return self._read[uri]

    def _shown(self, uri: str, pointer: str) -> str:
        return f"{shown_name(uri, self._bundle.root)}#{pointer}"

    def _unresolvable(self, place: str, key: _Key, why: str) -> DocumentError:
        return DocumentError(
            "UnresolvableReference",
            f"The $ref at {place} points to {self._shown(key[0], key[1])!r}, {why}; correct the reference, or add what "
            "is missing.",
        )


def _is_pointer(fragment: str) -> bool:
    return not fragment or fragment.startswith("/")


def _values(tree: Any, known: dict[int, int]) -> int:
    """How many values a tree has, with those that stand in several places counted in each."""
    if not isinstance(tree, dict | list):
        return 1
    if id(tree) not in known:
        below = tree.values() if isinstance(tree, dict) else tree
        known[id(tree)] = 1 + sum(_values(each, known) for each in below)
    return known[id(tree)]


def _table(joined: dict[str, Any], pointer: str) -> dict[str, Any]:
    """The map of the joined document at ``pointer``, made where there is none."""
    holder = joined
    for token in pointer[1:].split("/"):
        found = holder.get(token)
        if not isinstance(found, dict):
            found = holder[token] = {}
        holder = found
    return holder
