"""The bodies, parameters and headers of an operation that two documents have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from specsync.diffing.bodies import is_strong
from specsync.diffing.components import follow
from specsync.diffing.media_types import paired
from specsync.diffing.operations import pairs
from specsync.openapi.canonical import CanonicalDocument, OperationSummary
from specsync.openapi.model import Header, MediaType, Operation, Parameter, Schema
from specsync.openapi.tolerant import escaped

_NAMES = re.compile(r"\{([^{}]*)\}")


class Placed(NamedTuple):
    """A schema and the JSON pointer to it."""

    schema: Schema | bool
    pointer: str


class Root(NamedTuple):
    """One place for values, as both documents have it."""

    words: str
    """For people: ``request body``, ``response 200``, ``query parameter limit``, ``response 200 header X-Rate``."""
    media_type: str
    request: bool
    is_typed: bool
    """The representation tells ``1`` from ``"1"``."""
    old: Placed
    new: Placed


class Places:
    """The places of the operations of two documents, looked up once for each operation."""

    def __init__(self, old: CanonicalDocument, new: CanonicalDocument) -> None:
        self._old = old
        self._new = new
        self._pairs = {
            (after.method, after.path): (before, after) for before, after in pairs(old, new) if before and after
        }
        self._roots: dict[tuple[str, str], list[Root]] = {}

    def of(self, method: str, path: str) -> list[Root]:
        """All places of an operation that is in both documents."""
        key = (method, path)
        found = self._roots.get(key)
        if found is None:
            pair = self._pairs.get(key)
            found = self._roots[key] = [] if pair is None else list(self._find(*pair))
        return found

    def _find(self, before: OperationSummary, after: OperationSummary) -> Iterator[Root]:
        old = _Reader(self._old, before)
        new = _Reader(self._new, after)
        new_parameters = dict(new.parameters())
        for (location, name), left in old.parameters():
            right = new_parameters.get((location, name))
            if right is not None:
                yield Root(f"{location} parameter {left[0]}", "", True, False, left[1], right[1])
        yield from _shared("request body", old.request_content(), new.request_content(), request=True)
        new_responses = dict(new.responses())
        for status, (content, headers) in old.responses():
            if status not in new_responses:
                continue
            new_content, new_headers = new_responses[status]
            yield from _shared(f"response {status}", content, new_content, request=False)
            for key, (_, placed) in headers.items():
                if key in new_headers:
                    name, other = new_headers[key]
                    yield Root(f"response {status} header {name}", "", False, False, placed, other)


def _shared(words: str, old: dict[str, Placed], new: dict[str, Placed], *, request: bool) -> Iterator[Root]:
    for before, after in paired(old, new, request=request).pairs:
        yield Root(words, after, request, is_strong(after), old[before], new[after])


class _Reader:
    """One operation of one document."""

    def __init__(self, document: CanonicalDocument, summary: OperationSummary) -> None:
        self._document = document
        self._operation: Operation = document.operation(summary)
        self._item = f"/paths/{escaped(summary.path)}"
        self._path_names = _NAMES.findall(summary.path)
        self._pointer = f"{self._item}/{summary.method.lower()}"

    def parameters(self) -> Iterator[tuple[tuple[str, str], tuple[str, Placed]]]:
        """By location and name, the position for path parameters: the name as it is written, and the schema."""
        found: dict[tuple[str, str], tuple[str, Placed]] = {}
        for listed, place in (
            (self._operation.shared_parameters, self._item),
            (self._operation.parameters, self._pointer),
        ):
            for index, written in enumerate(listed or ()):
                parameter, pointer = follow(self._document, written, f"{place}/parameters/{index}")
                if parameter is None:
                    continue
                schema = self._schema_of(parameter, pointer)
                name = parameter.name.lower() if parameter.location == "header" else parameter.name
                if parameter.location == "path" and parameter.name in self._path_names:
                    name = str(
                        self._path_names.index(parameter.name)
                    )  # it may be called otherwise in the other document
                if schema is not None:
                    found[parameter.location, name] = (parameter.name, schema)
        yield from found.items()

    def _schema_of(self, holder: Parameter | Header, pointer: str) -> Placed | None:
        if holder.schema is not None:
            return Placed(holder.schema, f"{pointer}/schema")
        return next(iter(self._content(holder.content, pointer).values()), None)

    def _content(self, content: dict[str, MediaType] | None, pointer: str) -> dict[str, Placed]:
        found = {}
        for name, written in (content or {}).items():
            media_type, place = follow(self._document, written, f"{pointer}/content/{escaped(name)}")
            if media_type is not None and media_type.schema is not None:
                found[name] = Placed(media_type.schema, f"{place}/schema")
        return found

    def request_content(self) -> dict[str, Placed]:
        if self._operation.request_body is None:
            return {}
        body, pointer = follow(self._document, self._operation.request_body, f"{self._pointer}/requestBody")
        return self._content(body.content, pointer) if body is not None else {}

    def responses(self) -> Iterator[tuple[str, tuple[dict[str, Placed], dict[str, tuple[str, Placed]]]]]:
        """By status: the content, and the headers by their names in lower case, with the names as they are written."""
        for status, written in (self._operation.responses or {}).items():
            response, pointer = follow(self._document, written, f"{self._pointer}/responses/{escaped(status)}")
            if response is None:
                continue
            headers = {}
            for name, header in (response.headers or {}).items():
                meant, place = follow(self._document, header, f"{pointer}/headers/{escaped(name)}")
                placed = self._schema_of(meant, place) if meant is not None else None
                if placed is not None:
                    headers[name.lower()] = (name, placed)
            yield status, (self._content(response.content, pointer), headers)
