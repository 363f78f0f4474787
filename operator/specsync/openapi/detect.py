"""What a document is: which OpenAPI version, or what else it seems to be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from specsync.openapi.errors import DocumentError

Format = Literal["swagger-2.0", "openapi-3.0", "openapi-3.1", "openapi-3.2"]

_OPENAPI: dict[str, Format] = {"3.0": "openapi-3.0", "3.1": "openapi-3.1", "3.2": "openapi-3.2"}
_SUPPORTED = "specsync reads Swagger 2.0 and OpenAPI 3.0, 3.1 and 3.2."
_NEXT = "Point the source at the API's OpenAPI document."

_BINARY = (  # first bytes → what it is, what to do
    (b"PK\x03\x04", "a zip archive", "Unpack it and serve the OpenAPI document inside."),
    (b"\x1f\x8b", "gzip-compressed", "Serve it with the header Content-Encoding: gzip, or uncompressed."),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed", "Serve it with the header Content-Encoding: zstd, or uncompressed."),
    (b"BZh", "bzip2-compressed", "Serve it uncompressed."),
    (b"\xfd7zXZ\x00", "xz-compressed", "Serve it uncompressed."),
    (b"%PDF-", "a PDF", _NEXT),
    (b"\x89PNG", "an image", _NEXT),
)
_TEXT = (  # at the beginning of the text → what it is
    (re.compile(rb"#%RAML"), "RAML"),
    (re.compile(rb"FORMAT:\s*1A"), "API Blueprint"),
    (re.compile(rb'(?://[^\n]*\n|\s)*+syntax\s*=\s*["\']proto[23]'), "a protobuf definition"),
    (re.compile(rb"version https://git-lfs"), "a Git LFS pointer, not the file that it stands for"),
    (
        re.compile(
            rb'(?>#[^\n]*\n|"""[\s\S]*?"""|\s)*+'
            rb"(?:(?:extend\s+)?(?:type|interface|enum|input|union|scalar)\s+[A-Za-z_]\w*[^:\n{=]*[{=@\n]"
            rb"|(?:extend\s+)?schema\s*(?:@[^{\n]*)?\{|directive\s+@\w|(?:query|mutation|subscription)\b[^:\n]*\{)"
        ),
        "a GraphQL schema",
    ),
)
_KEYS = (  # a key at the root → what it is
    ("asyncapi", "an AsyncAPI document"),
    ("arazzo", "an Arazzo document"),
    ("overlay", "an OpenAPI Overlay"),
    ("openrpc", "an OpenRPC document"),
    ("__schema", "a GraphQL schema"),
    ("postman_collection", "a Postman collection"),
    ("discoveryVersion", "a Google API discovery document"),
)
_JSON_SCHEMA = ("$schema", "$defs", "definitions", "properties")


def refuse_what_is_no_text(data: bytes) -> None:
    """Raises DocumentError for archives, images and the like, by their first bytes."""
    for magic, name, step in _BINARY:
        if data.startswith(magic):
            raise DocumentError("NotOpenAPI", f"The document is {name}, not an OpenAPI document. {step}")


def refuse_other_languages(text: bytes) -> None:
    """Raises DocumentError for HTML, XML and other languages, by the beginning of the UTF-8 ``text``."""
    start = text[:4096].lstrip()
    if start.startswith(b"<"):
        lower = start.lower()
        if re.search(rb"<(?:!doctype\s+html|html|head|body|title|meta|script|div)\b", lower):
            raise DocumentError(
                "HTMLDocument",
                "The source answered with an HTML page instead of an OpenAPI document (a login page?). "
                "Check the URL and its credentials.",
            )
        name = "a WSDL or WADL description" if re.search(rb"\b(?:wsdl|wadl)\b", lower) else "XML"
        raise DocumentError("NotOpenAPI", f"The document is {name}, not an OpenAPI document. {_NEXT}")
    for pattern, name in _TEXT:
        if pattern.match(start):
            raise DocumentError("NotOpenAPI", f"This seems to be {name}, not an OpenAPI document. {_NEXT}")


def format_of(openapi: object, swagger: object) -> Format | None:
    """The format that the values of the root keys ``openapi`` and ``swagger`` name; None where both are None.

    A version that YAML reads as a number (``openapi: 3.1``) counts as its text.
    Raises DocumentError(UnsupportedVersion).
    """
    if openapi is not None:
        match = re.match(r"(\d+\.\d+)(?![\w])", _text(openapi))
        format_ = _OPENAPI.get(match[1]) if match else None
        if format_ is not None:
            return format_
    if swagger is not None and re.fullmatch(r"2(\.0){0,2}", _text(swagger)):
        return "swagger-2.0"
    if openapi is None and swagger is None:
        return None
    key, value = ("openapi", openapi) if openapi is not None else ("swagger", swagger)
    raise DocumentError(
        "UnsupportedVersion",
        f"The document says {key}: {_shown(value)}, a version that isn't supported. {_SUPPORTED}",
        pointer=f"/{key}",
    )


def not_openapi(root: object) -> DocumentError:
    """The refusal of a parsed document that has neither ``openapi`` nor ``swagger`` at its root."""
    if isinstance(root, Mapping):
        if "swaggerVersion" in root:
            return DocumentError(
                "UnsupportedVersion",
                f"The document says swaggerVersion: {_shown(root['swaggerVersion'])}, "
                f"a version that isn't supported. {_SUPPORTED}",
                pointer="/swaggerVersion",
            )
        if "paths" in root:
            return DocumentError(
                "NotOpenAPI",
                'The document has "paths" but its "openapi" line is missing. Say at its root which version it is, '
                "for example openapi: 3.0.3.",
                pointer="",
            )
        name = _seems(root)
        if name is None:
            message = (
                'The document has neither "openapi" nor "swagger" at its root, '
                f"so it isn't an OpenAPI document. {_NEXT}"
            )
        else:
            message = f"This seems to be {name}, not an OpenAPI document. {_NEXT}"
    else:
        message = f"The document is {_kind(root)}, not an OpenAPI document. {_NEXT}"
    return DocumentError("NotOpenAPI", message, pointer="")


def _seems(root: Mapping[str, Any]) -> str | None:
    for key, name in _KEYS:
        if key in root:
            return name
    data, info = root.get("data"), root.get("info")
    if isinstance(data, Mapping) and "__schema" in data:
        return "a GraphQL schema"
    if isinstance(info, Mapping) and ("_postman_id" in info or "getpostman" in str(info.get("schema"))):
        return "a Postman collection"
    if "apiVersion" in root and "kind" in root:
        return "a Kubernetes object"
    if any(key in root for key in _JSON_SCHEMA):
        return "a JSON Schema"
    if len(root) <= 8 and any(str(key).lower() in {"error", "errors", "message", "404", "401", "403"} for key in root):
        return "an error answer of the server"
    return None


def _kind(root: object) -> str:
    if root is None:
        return "empty but for comments or null"
    if isinstance(root, list):
        return "a list"
    if isinstance(root, bool | int | float):
        return "a single value"
    return "plain text"


def _text(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _shown(value: object) -> str:
    text = _text(value)
    return text if re.fullmatch(r"[\w.+-]{1,20}", text) else "something that isn't a version"
