"""What must hold between the operations of a document and the rest of it, which no schema can say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from specsync.openapi.lift_schemas import resolve
from specsync.openapi.tolerant import escaped
from specsync.openapi.validation.findings import Collector, shown

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_TEMPLATE = re.compile(r"\{([^{}]+)\}")


def check_operations(tree: Any, found: Collector) -> None:
    """operationIds, path parameters, parameters given twice, paths that are the same, unknown security schemes."""
    root = _mapping(tree)
    _check_paths(root, found)
    ids: dict[str, str] = {}
    known = _schemes(root)
    _check_security(root.get("security"), known, "/security", found)
    for path, item, place in _path_items(root):
        shared = _Parameters(root, item.get("parameters"), f"{place}/parameters", found)
        for operation, pointer in _operations(item, place):
            _check_id(operation, pointer, ids, found)
            _check_security(operation.get("security"), known, f"{pointer}/security", found)
            own = _Parameters(root, operation.get("parameters"), f"{pointer}/parameters", found)
            if path is not None:
                _check_template(path, shared, own, pointer, found)
            if "swagger" in root:
                _check_bodies(shared, own, pointer, found)
            if found.full:
                return


class _Parameters:
    """The parameters of one list, with references followed."""

    def __init__(self, root: dict[str, Any], written: Any, pointer: str, found: Collector) -> None:
        self.by_key: dict[tuple[str, str], str] = {}
        """(in, name) → pointer"""
        self.all_known = True
        """False where a reference leads out of the document, or to nothing."""
        for index, each in enumerate(written if isinstance(written, list) else ()):
            place = f"{pointer}/{index}"
            if isinstance(each, dict) and isinstance(each.get("$ref"), str):
                each = resolve(root, each["$ref"])  # noqa: PLW2901
                self.all_known = self.all_known and isinstance(each, dict)
            name, location = (_mapping(each).get(key) for key in ("name", "in"))
            if not isinstance(name, str) or not isinstance(location, str):
                continue
            if (location, name) in self.by_key:
                message = f"{location} parameter {shown(name)} is there twice; leave one out"
                found.error("parameter-duplicate", place, message)
            else:
                self.by_key[location, name] = place

    def of(self, location: str) -> dict[str, str]:
        """name → pointer"""
        return {name: place for (where, name), place in self.by_key.items() if where == location}


def _check_template(path: str, shared: _Parameters, own: _Parameters, pointer: str, found: Collector) -> None:
    declared = {**shared.of("path"), **own.of("path")}
    wanted = _TEMPLATE.findall(path)
    for name in wanted:
        # RFC 6570 operators and 3.2's reserved expansion are left to those who use them.
        if name not in declared and name.strip("+*") not in declared and shared.all_known and own.all_known:
            message = f"{{{shown(name)[1:-1]}}} in the path has no parameter; declare it with in: path"
            found.error("path-parameter-undeclared", pointer, message)
    names = {*wanted, *(name.strip("+*") for name in wanted)}
    for name, place in declared.items():
        if name not in names:
            found.error("path-parameter-unused", place, f"path parameter {shown(name)} isn't in the path")


def _check_bodies(shared: _Parameters, own: _Parameters, pointer: str, found: Collector) -> None:
    bodies, forms = own.of("body") or shared.of("body"), own.of("formData") or shared.of("formData")
    if len(bodies) > 1:
        found.error("parameter-bodies", pointer, "has more than one body parameter")
    elif bodies and forms:
        found.error("parameter-bodies", pointer, "has body and formData parameters, which exclude each other")


def _check_id(operation: dict[str, Any], pointer: str, ids: dict[str, str], found: Collector) -> None:
    name = operation.get("operationId")
    if not isinstance(name, str):
        return
    first = ids.setdefault(name, pointer)
    if first != pointer:
        message = f"{shown(name)} is the operationId of {first} too; each needs its own"
        found.error("operation-id-duplicate", f"{pointer}/operationId", message)


def _check_paths(root: dict[str, Any], found: Collector) -> None:
    seen: dict[str, str] = {}
    for path in _mapping(root.get("paths")):
        if not path.startswith("/"):
            continue
        first = seen.setdefault(_TEMPLATE.sub("{}", path), path)
        if first != path:
            message = f"is the same path as {shown(first)}: they differ in their parameters' names only"
            found.error("path-ambiguous", f"/paths/{escaped(path)}", message)


def _check_security(written: Any, known: set[str], pointer: str, found: Collector) -> None:
    for index, alternative in enumerate(written if isinstance(written, list) else ()):
        for name in _mapping(alternative):
            if name not in known and "/" not in name and ":" not in name:  # 3.2: a name may be a URI
                message = f"{shown(name)} is no security scheme of this document; declare it, or correct the name"
                found.error("security-scheme-undeclared", f"{pointer}/{index}/{escaped(name)}", message)


def _schemes(root: dict[str, Any]) -> set[str]:
    declared = root.get("securityDefinitions") if "swagger" in root else None
    return set(_mapping(declared or _mapping(root.get("components")).get("securitySchemes")))


def _path_items(root: dict[str, Any]) -> Iterator[tuple[str | None, dict[str, Any], str]]:
    """Path (None for a webhook's), path item and pointer, with references to path items followed."""
    for room in ("paths", "webhooks"):
        for name, written in _mapping(root.get(room)).items():
            if name.startswith("x-") or not isinstance(written, dict):
                continue
            item = written
            if isinstance(item.get("$ref"), str):
                item = {**_mapping(resolve(root, item["$ref"])), **written}
            yield (name if room == "paths" else None), item, f"/{room}/{escaped(name)}"


def _operations(item: dict[str, Any], place: str) -> Iterator[tuple[dict[str, Any], str]]:
    for method in _METHODS:
        if isinstance(item.get(method), dict):
            yield item[method], f"{place}/{method}"
    for method, operation in _mapping(item.get("additionalOperations")).items():
        if isinstance(operation, dict):
            yield operation, f"{place}/additionalOperations/{escaped(method)}"


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
