"""The canonical form of an OpenAPI document: what two versions of an API are compared by, and nothing else.

It is a list of operations and a table of components, each encoded once, with a digest that covers all that it
refers to. As bytes it is plain JSON with sorted keys, so that it can be stored, addressed by its digest and read by
a person. A form that comes from bytes decodes only the parts that somebody asks for.
"""

from __future__ import annotations

import re
from copy import copy
from typing import Any

import msgspec

from specsync.openapi.digests import merkle_digests, shapes
from specsync.openapi.errors import DocumentError
from specsync.openapi.load import Loaded
from specsync.openapi.model import (
    Callback,
    Components,
    Document,
    Header,
    Link,
    MediaType,
    Operation,
    Parameter,
    PathItem,
    RequestBody,
    Response,
    Schema,
    Security,
    SecurityScheme,
    Server,
)
from specsync.openapi.parts import Key, Operations, encode_parts
from specsync.openapi.references import (
    KINDS,
    Hoister,
    component_name,
    decoded_reference,
    references_written_in,
    resolve_path_item,
    without_names,
)
from specsync.openapi.tolerant import Finding, convert, escaped

FORM = 3
"""Version of the canonical form. A form of another version must be made anew from the document."""

_encoder = msgspec.json.Encoder(order="deterministic")
_OF_ALL_PATHS = re.compile(
    r"api|rest|v?[0-9]+(?:[._-][0-9]+)*(?:[._-]?(?:alpha|beta|rc|preview)[0-9]*)?", re.IGNORECASE
).fullmatch
"""What paths begin with that says nothing of their part of the API: ``api``, ``v1``, ``2.0``, ``2024-01``."""


class OperationSummary(msgspec.Struct, omit_defaults=True, rename="camel", frozen=True, kw_only=True):
    """What there is to know of an operation without decoding it."""

    method: str
    path: str
    operation_id: str | None = None
    domain: str = ""
    """The part of the API that it belongs to: its first tag, else the first segment of its path that is neither a
    parameter nor a version.
    """
    deprecated: bool = False
    digest: str


class OperationPart(OperationSummary, omit_defaults=True, rename="camel", frozen=True, kw_only=True):
    value: msgspec.Raw


class ComponentPart(msgspec.Struct, frozen=True):
    digest: str
    value: msgspec.Raw


class _Form(msgspec.Struct, omit_defaults=True, rename="camel", kw_only=True):
    form: int
    format: str
    title: str
    version: str
    security: Security | None = None
    servers: list[Server] | None = None
    operations: list[OperationPart]
    webhooks: list[OperationPart] = []
    components: dict[str, dict[str, ComponentPart]]
    findings: list[Finding] = []


_form_decoder = msgspec.json.Decoder(_Form)
_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    "schemas": msgspec.json.Decoder(Schema | bool),
    "parameters": msgspec.json.Decoder(Parameter),
    "requestBodies": msgspec.json.Decoder(RequestBody),
    "responses": msgspec.json.Decoder(Response),
    "headers": msgspec.json.Decoder(Header),
    "securitySchemes": msgspec.json.Decoder(SecurityScheme),
    "mediaTypes": msgspec.json.Decoder(MediaType),
    "links": msgspec.json.Decoder(Link),
}
_operation_decoder = msgspec.json.Decoder(Operation)


class CanonicalDocument:
    """One version of an API in canonical form. Immutable; ``normalize`` and ``from_bytes`` make it."""

    def __init__(self, form: _Form, decoded: dict[tuple[str, str], Any], encoded: bytes | None = None) -> None:
        self._form = form
        self._decoded = decoded
        self._encoded = encoded
        self._shapes: dict[str, int] | None = None
        self._references: dict[str, list[str]] | None = None
        self.format = form.format
        self.title = form.title
        self.version = form.version
        self.security = form.security
        self.servers = form.servers
        self.operations: list[OperationSummary] = list(form.operations)
        """Sorted by path, then method."""
        self.webhooks: list[OperationSummary] = list(form.webhooks)
        self.findings = form.findings
        """Defects of the document that were worked around."""

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of ``to_bytes()``: the same on every machine for documents that mean the same."""
        import hashlib  # noqa: PLC0415 — a reader that only compares has no use for OpenSSL

        return "sha256:" + hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def domains(self) -> list[str]:
        return sorted({operation.domain for operation in self._form.operations})

    def to_bytes(self) -> bytes:
        """The form as JSON. ``from_bytes`` reads it; ``compare`` needs nothing else."""
        if self._encoded is None:
            self._encoded = _encoder.encode(self._form)
        return self._encoded

    @classmethod
    def from_bytes(cls, data: bytes) -> CanonicalDocument:
        """Raises ``ValueError`` where ``data`` isn't a canonical form of this version of specsync."""
        try:
            form = _form_decoder.decode(data)
        except msgspec.MsgspecError as error:
            raise ValueError(f"This is not a canonical form: {error}.") from error
        if form.form != FORM:
            raise ValueError(f"This canonical form has version {form.form}; specsync needs version {FORM}.")
        return cls(form, {}, data)

    def operation(self, summary: OperationSummary) -> Operation:
        """The operation itself. ``summary`` is one of this document's ``operations`` or ``webhooks``."""
        key = (f"{summary.method} {summary.path}", summary.digest)
        found: Operation | None = self._decoded.get(key)
        if found is None:
            assert isinstance(summary, OperationPart)
            found = self._decoded[key] = _operation_decoder.decode(summary.value)
        return found

    def component_names(self, kind: str) -> frozenset[str]:
        return frozenset(self._form.components.get(kind, ()))

    def component(self, kind: str, name: str) -> Any:
        """The component of that name, or None. ``kind`` as in a document: ``schemas``, ``requestBodies``, …"""
        key = (kind, name)
        if key in self._decoded:
            return self._decoded[key]
        part = self._form.components.get(kind, {}).get(name)
        if part is None:
            return None
        found = self._decoded[key] = _decoders[kind].decode(part.value)
        return found

    def schema_shapes(self) -> dict[str, int]:
        """A number for each component schema that doesn't depend on the names of components: to be compared with
        those of another document, in the same process.
        """
        if self._shapes is None:
            parts = self._form.components.get("schemas", {})
            contents = {name: without_names(bytes(part.value)) for name, part in parts.items()}
            self._shapes = shapes(contents, self.schema_references())
        return self._shapes

    def schema_references(self) -> dict[str, list[str]]:
        """For each component schema the names of those that it refers to, in the order of their places."""
        if self._references is None:
            names = _Names()
            self._references = {
                name: [names[written] for written in references_written_in(bytes(part.value))]
                for name, part in self._form.components.get("schemas", {}).items()
            }
        return self._references

    def component_digest(self, kind: str, name: str) -> str | None:
        part = self._form.components.get(kind, {}).get(name)
        return None if part is None else part.digest


class _Names(dict[bytes, str]):
    """The name of the component schema that a reference, as it is written, means: worked out once for each."""

    def __missing__(self, written: bytes) -> str:
        name = self[written] = component_name(decoded_reference(written), "schemas")
        return name


def normalize(loaded: Loaded, *, lenient: bool = False) -> CanonicalDocument:
    """The canonical form of a loaded document.

    Raises ``DocumentError`` with the reason ``UnresolvableReference`` where a ``$ref`` points to nothing in the
    document or its files; if ``lenient``, only where that is a path item's: others stay, and stand for the unknown.
    Fields of the wrong type are left out and reported in ``findings``.
    """
    for message in () if lenient else loaded.dangling.values():
        raise DocumentError("UnresolvableReference", message)
    findings: list[Finding] = []
    document = _decode(loaded, findings)
    components = document.components or Components()
    hoister = Hoister(components, loaded.as_tree, findings, lenient=lenient)
    operations = _operations(document.paths or {}, components, hoister, "/paths")
    webhooks = _operations(document.webhooks or {}, components, hoister, "/webhooks")
    contents, references = encode_parts(operations, webhooks, components, hoister)
    digests = merkle_digests(contents, references)
    decoded: dict[tuple[str, str], Any] = {}
    form = _Form(
        form=FORM,
        format=loaded.format,
        title=loaded.title,
        version=loaded.version,
        security=document.security,
        servers=document.servers,
        operations=_parts("operations", operations, contents, digests, decoded),
        webhooks=_parts("webhooks", webhooks, contents, digests, decoded),
        components=_component_parts(components, contents, digests, decoded),
        findings=findings,
    )
    return CanonicalDocument(form, decoded)


def _decode(loaded: Loaded, findings: list[Finding]) -> Document:
    try:
        if loaded.raw is not None:
            return msgspec.json.decode(loaded.raw, type=Document)
        return msgspec.convert(loaded.tree, Document)
    except msgspec.ValidationError:
        return convert(loaded.as_tree(), Document, findings)


def _operations(
    paths: dict[str, PathItem | None], components: Components, hoister: Hoister, pointer: str
) -> Operations:
    """The operations by (path, method), each with its path item's parameters and servers."""
    found: Operations = {}
    for path, written in paths.items():
        if written is None or path.startswith("x-"):
            continue
        item = written
        if item.ref is not None:
            place = f"{pointer}/{escaped(path)}"
            hoister.settle(item, place)
            item = resolve_path_item(item, components, place)
        for method, written_operation in item.operations():
            # What is referred to may be the path item of several paths, each with parameters of its own.
            operation = written_operation if item is written else copy(written_operation)
            if item.parameters:
                operation.shared_parameters = item.parameters
            if item.servers and not operation.servers:
                operation.servers = item.servers
            if operation.callbacks:
                place = f"{pointer}/{escaped(path)}/{method.lower()}"
                operation.callbacks = _followed(operation.callbacks, components, hoister, place)
            found[path, method] = operation
    return found


def _followed(
    callbacks: dict[str, Callback], components: Components, hoister: Hoister, pointer: str
) -> dict[str, Callback]:
    """The callbacks with what they refer to in their place, beside a reference, which tells where that stands."""
    found: dict[str, Callback] = {}
    for name, written in callbacks.items():
        target = hoister.callback(written, f"{pointer}/callbacks/{escaped(name)}")
        callback: Callback = {key: item for key, item in target.items() if not key.startswith("x-")}
        for expression, item in callback.items():
            if isinstance(item, PathItem) and item.ref is not None:
                place = f"{pointer}/callbacks/{escaped(name)}/{escaped(expression)}"
                hoister.settle(item, place)
                callback[expression] = resolve_path_item(item, components, place)
        found[name] = callback
    return found


def _parts(
    room: str,
    operations: Operations,
    contents: dict[Key, bytes],
    digests: dict[Key, str],
    decoded: dict[tuple[str, str], Any],
) -> list[OperationPart]:
    parts = []
    for path, method in sorted(operations):
        operation = operations[path, method]
        key = (room, path, method)
        decoded[f"{method} {path}", digests[key]] = operation
        parts.append(
            OperationPart(
                method=method,
                path=path,
                operation_id=operation.operation_id,
                domain=_domain(path, operation),
                deprecated=operation.deprecated,
                digest=digests[key],
                value=msgspec.Raw(contents[key]),
            )
        )
    return parts


def _domain(path: str, operation: Operation) -> str:
    if operation.tags:
        return operation.tags[0]
    segments = [segment for segment in path.split("/") if segment and not segment.startswith("{")]
    return next((each for each in segments if not _OF_ALL_PATHS(each)), segments[0] if segments else "")


def _component_parts(
    components: Components,
    contents: dict[Key, bytes],
    digests: dict[Key, str],
    decoded: dict[tuple[str, str], Any],
) -> dict[str, dict[str, ComponentPart]]:
    found: dict[str, dict[str, ComponentPart]] = {}
    for kind, attribute in KINDS.values():
        table = getattr(components, attribute) or {}
        if not table or kind == "pathItems":
            continue
        found[kind] = {}
        for name in sorted(table):
            key = (kind, name, "")
            decoded[kind, name] = table[name]
            found[kind][name] = ComponentPart(digests[key], msgspec.Raw(contents[key]))
    return found
