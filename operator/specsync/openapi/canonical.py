"""The canonical form of an OpenAPI document: what two versions of an API are compared by, and nothing else.

It is a list of operations and a table of components, each encoded once, with a digest that covers all that it
refers to. As bytes it is plain JSON with sorted keys, so that it can be stored, addressed by its digest and read by
a person. A form that comes from bytes decodes only the parts that somebody asks for.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from specsync.openapi.digests import merkle_digests, shape_digests
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
from specsync.openapi.references import (
    KINDS,
    Hoister,
    component_name,
    is_external,
    references_in,
    resolve_path_item,
    without_names,
)
from specsync.openapi.tolerant import Finding, convert, escaped

FORM = 2
"""Version of the canonical form. A form of another version must be made anew from the document."""

_encoder = msgspec.json.Encoder(order="deterministic")


class OperationSummary(msgspec.Struct, omit_defaults=True, rename="camel", frozen=True, kw_only=True):
    """What there is to know of an operation without decoding it."""

    method: str
    path: str
    operation_id: str | None = None
    domain: str = ""
    """The part of the API that it belongs to: its first tag, else the first segment of its path that isn't a
    parameter.
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
        self._shapes: dict[str, str] | None = None
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

    def schema_shapes(self) -> dict[str, str]:
        """A digest for each component schema that doesn't depend on the names of components."""
        if self._shapes is None:
            parts = self._form.components.get("schemas", {})
            contents = {name: without_names(bytes(part.value)) for name, part in parts.items()}
            self._shapes = shape_digests(contents, self.schema_references())
        return self._shapes

    def schema_references(self) -> dict[str, list[str]]:
        """For each component schema the names of those that it refers to, in the order of their places."""
        return {
            name: [component_name(reference, "schemas") for reference in references_in(bytes(part.value))]
            for name, part in self._form.components.get("schemas", {}).items()
        }

    def component_digest(self, kind: str, name: str) -> str | None:
        part = self._form.components.get(kind, {}).get(name)
        return None if part is None else part.digest


def normalize(loaded: Loaded) -> CanonicalDocument:
    """The canonical form of a loaded document.

    Raises ``DocumentError`` with the reason ``UnresolvableReference`` where an internal ``$ref`` points to nothing.
    Fields of the wrong type are left out and reported in ``findings``.
    """
    findings: list[Finding] = []
    document = _decode(loaded, findings)
    components = document.components or Components()
    hoister = Hoister(components, loaded.as_tree, findings)
    operations = _operations(document.paths or {}, components, hoister, "/paths")
    webhooks = _operations(document.webhooks or {}, components, hoister, "/webhooks")
    contents, references = _encode(operations, webhooks, components, hoister)
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


_Operations = dict[tuple[str, str], Operation]
_Key = tuple[str, str, str]


def _operations(
    paths: dict[str, PathItem | None], components: Components, hoister: Hoister, pointer: str
) -> _Operations:
    """The operations by (path, method), each with its path item's parameters and servers."""
    found: _Operations = {}
    for path, written in paths.items():
        if written is None or path.startswith("x-"):
            continue
        item = written
        if item.ref is not None:
            place = f"{pointer}/{escaped(path)}"
            hoister.settle(item, place)
            item = resolve_path_item(item, components, place)
        for method, operation in item.operations():
            if item.parameters:
                operation.shared_parameters = item.parameters
            if item.servers and not operation.servers:
                operation.servers = item.servers
            if operation.callbacks:
                operation.callbacks = _followed(operation.callbacks, components, hoister, f"{pointer}/{escaped(path)}")
            found[path, method] = operation
    return found


def _followed(
    callbacks: dict[str, Callback], components: Components, hoister: Hoister, pointer: str
) -> dict[str, Callback]:
    """The callbacks with what they refer to in their place, beside the reference, which tells where that stands."""
    found: dict[str, Callback] = {}
    for name, written in callbacks.items():
        callback: Callback = {key: item for key, item in written.items() if not key.startswith("x-")}
        reference = callback.get("$ref")
        if isinstance(reference, str):
            target = (components.callbacks or {}).get(component_name(reference, "callbacks"), {})
            callback = {**{key: item for key, item in target.items() if not key.startswith("x-")}, "$ref": reference}
        for expression, item in callback.items():
            if isinstance(item, PathItem) and item.ref is not None:
                place = f"{pointer}/callbacks/{escaped(name)}/{escaped(expression)}"
                hoister.settle(item, place)
                callback[expression] = resolve_path_item(item, components, place)
        found[name] = callback
    return found


def _encode(
    operations: _Operations, webhooks: _Operations, components: Components, hoister: Hoister
) -> tuple[dict[_Key, bytes], dict[_Key, list[_Key]]]:
    """Each part as bytes, and what it refers to. Hoisting adds components on the way, so those come last."""
    contents: dict[_Key, bytes] = {}
    references: dict[_Key, list[_Key]] = {}
    tables = {kind: (components, attribute) for kind, attribute in KINDS.values() if kind != "pathItems"}

    known: dict[str, _Key] = {}

    def encode(key: _Key, part: Any, pointer: str) -> None:
        content = contents[key] = _encoder.encode(part)
        targets: list[_Key] = []
        settled = False
        for reference in references_in(content):
            target = known.get(reference) or _target(reference, tables)
            if target is None and not is_external(reference) and not settled:
                hoister.settle(part, pointer)
                settled = True
            target = target or _target(reference, tables)
            if target is not None:
                known[reference] = target
                targets.append(target)
        references[key] = targets

    for (path, method), operation in operations.items():
        encode(("operations", path, method), operation, f"/paths/{escaped(path)}/{method.lower()}")
    for (path, method), operation in webhooks.items():
        encode(("webhooks", path, method), operation, f"/webhooks/{escaped(path)}/{method.lower()}")
    while True:
        missing = [
            (kind, name, part)
            for kind, (_, attribute) in tables.items()
            for name, part in (getattr(components, attribute) or {}).items()
            if (kind, name, "") not in contents
        ]
        if not missing:
            return contents, references
        for kind, name, part in missing:
            encode((kind, name, ""), part, f"/components/{kind}/{escaped(name)}")


def _target(reference: str, tables: dict[str, tuple[Components, str]]) -> _Key | None:
    """The component that a reference means: by its kind, or by the reference itself where it was hoisted."""
    parts = reference.split("/")
    kinds = [parts[2]] if len(parts) == 4 and parts[1] == "components" and parts[2] in tables else list(tables)
    for kind in kinds:
        components, attribute = tables[kind]
        table = getattr(components, attribute) or {}
        name = component_name(reference, kind)
        if name in table:
            return kind, name, ""
    return None


def _parts(
    room: str,
    operations: _Operations,
    contents: dict[_Key, bytes],
    digests: dict[_Key, str],
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
    return next((segment for segment in path.split("/") if segment and not segment.startswith("{")), "")


def _component_parts(
    components: Components,
    contents: dict[_Key, bytes],
    digests: dict[_Key, str],
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
