"""From bytes to an OpenAPI document, or to the reason why they aren't one."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from specsync.openapi.bundle import is_bundle
from specsync.openapi.detect import (
    Format,
    format_of,
    not_openapi,
    refuse_other_languages,
    refuse_what_is_no_text,
)
from specsync.openapi.encoding import to_utf8
from specsync.openapi.errors import DocumentError
from specsync.openapi.json_source import CutOff, check_limits, read_head, read_tree, with_whole_characters
from specsync.openapi.limits import Limits, too_deep, too_large

DEFAULT_LIMITS = Limits()


class Loaded(msgspec.Struct, kw_only=True):
    """A document that is OpenAPI, decoded no further than needed. Exactly one of ``raw`` and ``tree`` is set."""

    format: Format
    """What the document was written in. Swagger 2.0 keeps its name here, though ``tree`` has the 3.0 shape."""

    title: str
    """``info.title``, empty where there is none."""

    version: str
    """``info.version`` as it is written, empty where there is none."""

    raw: bytes | None = None
    """UTF-8 JSON without a byte order mark, where the source was JSON and OpenAPI 3.x: for a typed decoder."""

    tree: dict[str, Any] | None = None
    """The plain tree in OpenAPI 3.x shape otherwise (YAML, or lifted from Swagger 2.0). All keys are strings.
    What a YAML alias stands for may be in it several times as the same object: it isn't to be changed."""

    swagger2: dict[str, Any] | None = None
    """The tree of Swagger 2.0 as it was written, before the lift; parts of it are shared with ``tree``."""

    dangling: dict[str, str] = {}
    """Of a document joined from several files: references to nothing in another one → what is wrong."""

    origins: dict[str, str] = {}
    """Of a document joined from several files: where each part that came from another one was, by JSON pointer."""

    def as_tree(self) -> dict[str, Any]:
        """The plain tree. ``raw`` is decoded at each call. Raises DocumentError(NotParseable)."""
        if self.tree is not None:
            return self.tree
        assert self.raw is not None
        tree: dict[str, Any] = read_tree(self.raw, DEFAULT_LIMITS)
        return tree

    def as_written(self) -> dict[str, Any]:
        """The plain tree of what the author wrote. As ``as_tree`` but for Swagger 2.0."""
        return self.as_tree() if self.swagger2 is None else self.swagger2


def load(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Loaded:
    """Reads a document as fetched: JSON or YAML in UTF-8, -16 or -32; Swagger 2.0, OpenAPI 3.0, 3.1 or 3.2.

    What it is, is told from the bytes alone: servers mislabel documents too often.
    Raises DocumentError with any reason but UnresolvableReference.
    """
    if is_bundle(data):
        return _load_joined(data, limits)
    text = _text_of(data, limits)
    del data
    if _looks_like_json(text):
        return _load_json(text, limits)
    return _from_tree(_read_yaml(text, limits), text, limits)


def read_any(data: bytes, limits: Limits) -> tuple[Any, bytes]:
    """The plain tree of any JSON or YAML, an OpenAPI document or a part of one, and its text in UTF-8.

    Raises DocumentError as ``load``, but for what the tree would have to be.
    """
    text = _text_of(data, limits)
    if _looks_like_json(text):
        try:
            check_limits(text, limits)
            return read_tree(text, limits), text
        except DocumentError as refused:
            if refused.reason != "NotParseable":
                raise
            whole = with_whole_characters(text)
            if whole != text:
                return read_any(whole, limits)
            if isinstance(refused, CutOff):
                raise
    return _read_yaml(text, limits), text


def _text_of(data: bytes, limits: Limits) -> bytes:
    if len(data) > limits.max_bytes:
        raise too_large(len(data), limits)
    refuse_what_is_no_text(data)
    text = to_utf8(data)
    if not text or text.isspace():
        raise DocumentError("EmptyDocument", "The document is empty. Check that the source serves it.")
    refuse_other_languages(text)
    return text


def _looks_like_json(text: bytes) -> bool:
    return re.match(rb"\s*[\[{]", text) is not None


def _load_joined(data: bytes, limits: Limits) -> Loaded:
    from specsync.openapi.bundle import unpack  # noqa: PLC0415 - most documents are one file
    from specsync.openapi.joining import join  # noqa: PLC0415

    bundle = unpack(data)
    size = sum(map(len, bundle.files.values()))
    if size > limits.max_bytes:
        raise too_large(size, limits)
    joined = join(bundle, limits)
    loaded = _from_tree(joined.tree, joined.text, limits)
    loaded.dangling, loaded.origins = joined.dangling, joined.origins
    return loaded


def _load_json(text: bytes, limits: Limits) -> Loaded:
    try:
        head = read_head(text, limits)
    except DocumentError as refused:
        if refused.reason != "NotParseable":
            raise
        whole = with_whole_characters(text)
        if whole != text:
            return _load_json(whole, limits)
        if isinstance(refused, CutOff):
            raise
        # JSON with comments or trailing commas is YAML.
        try:
            tree = _read_yaml(text, limits)
        except DocumentError as also_refused:
            looks_like_json = re.match(rb'\s*[\[{]\s*["\[{}\]]', text)
            raise (refused if looks_like_json else also_refused) from None
        return _from_tree(tree, text, limits)
    format_ = None if head is None else format_of(head.openapi, head.swagger)
    if head is None or format_ is None:
        raise not_openapi(read_tree(text, limits))
    title, version = _title_and_version(head.info)
    if format_ == "swagger-2.0":
        written = read_tree(text, limits)
        tree = _lifted(written, limits)
        return Loaded(format=format_, title=title, version=version, tree=tree, swagger2=written)
    return Loaded(format=format_, title=title, version=version, raw=text)


def _read_yaml(text: bytes, limits: Limits) -> Any:
    from specsync.openapi.yaml_fast import read_fast  # noqa: PLC0415 - most documents are JSON

    tree = read_fast(text, limits)
    if tree is not None:
        return tree
    from specsync.openapi.yaml_events import read_exactly  # noqa: PLC0415 - PyYAML takes 17 ms, and is rarely needed

    return read_exactly(text, limits)


def _from_tree(root: Any, text: bytes, limits: Limits) -> Loaded:
    format_ = format_of(root.get("openapi"), root.get("swagger")) if isinstance(root, dict) else None
    if format_ is None:
        raise not_openapi(root)
    title, version = _title_and_version(root.get("info"), text)
    if format_ == "swagger-2.0":
        return Loaded(format=format_, title=title, version=version, tree=_lifted(root, limits), swagger2=root)
    return Loaded(format=format_, title=title, version=version, tree=root)


def _lifted(swagger2: dict[str, Any], limits: Limits) -> dict[str, Any]:
    from specsync.openapi.lift import lift  # noqa: PLC0415 - rarely needed

    try:
        return lift(swagger2)
    except RecursionError:
        raise too_deep(limits) from None


def _title_and_version(info: object, text: bytes = b"") -> tuple[str, str]:
    if not isinstance(info, dict):
        return "", ""
    version = info.get("version")
    return _word(info.get("title")), _as_written(version, text) if type(version) is float else _word(version)


def _word(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _as_written(version: float, text: bytes) -> str:
    """``version: 1.10`` is a number to YAML, but it isn't the version 1.1."""
    for match in re.finditer(rb"^[ \t]+version[ \t]*:[ \t]+([0-9]+\.[0-9]*)[ \t]*(?:#.*)?\r?$", text, re.MULTILINE):
        if float(match[1]) == version:
            return match[1].decode()
    return str(version)
