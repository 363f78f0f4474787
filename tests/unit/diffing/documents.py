"""Small documents for tests, and what comparing two of them gives."""

from __future__ import annotations

import datetime
import json
from typing import Any

from specsync.diffing import Comparison, Policy, compare
from specsync.openapi.canonical import CanonicalDocument, normalize
from specsync.openapi.load import load

Tree = dict[str, Any]

TODAY = datetime.date(2026, 6, 1)


def document(paths: Tree | None = None, *, version: str = "3.1.0", api_version: str = "1.0", **rest: Any) -> Tree:
    return {"openapi": version, "info": {"title": "Pets", "version": api_version}, "paths": paths or {}, **rest}


def with_request(schema: Any, *, media_type: str = "application/json", **rest: Any) -> Tree:
    """A document whose only operation takes ``schema``."""
    body = {"required": True, "content": {media_type: {"schema": schema}}}
    return document({"/pets": {"post": {"requestBody": body, "responses": {"204": {"description": ""}}}}}, **rest)


def with_response(schema: Any, *, media_type: str = "application/json", **rest: Any) -> Tree:
    """A document whose only operation gives ``schema``."""
    response = {"description": "", "content": {media_type: {"schema": schema}}}
    return document({"/pets": {"get": {"responses": {"200": response}}}}, **rest)


def with_parameter(schema: Any, *, location: str = "query", required: bool = False, **rest: Any) -> Tree:
    """A document whose only operation takes ``schema`` in the parameter ``q``."""
    parameter = {"name": "q", "in": location, "required": required, "schema": schema}
    return document({"/pets": {"get": {"parameters": [parameter], "responses": {}}}}, **rest)


def with_header(schema: Any, *, required: bool = False, **rest: Any) -> Tree:
    """A document whose only operation gives ``schema`` in the header ``X-Rate``."""
    response = {"description": "", "headers": {"X-Rate": {"required": required, "schema": schema}}}
    return document({"/pets": {"get": {"responses": {"200": response}}}}, **rest)


def canonical(tree: Tree) -> CanonicalDocument:
    return normalize(load(json.dumps(tree).encode()))


def compared(old: Tree, new: Tree, policy: Policy | None = None) -> Comparison:
    """Compares two trees; the older one by way of its stored form, as the worker does."""
    stored = CanonicalDocument.from_bytes(canonical(old).to_bytes())
    return compare(stored, canonical(new), policy or Policy(today=TODAY))


def ids(old: Tree, new: Tree, policy: Policy | None = None) -> list[str]:
    """The ids of all events, sorted."""
    return sorted(event.id for event in compared(old, new, policy).events)


def severities(old: Tree, new: Tree) -> dict[str, str]:
    """The severity of each id among the events."""
    return {event.id: event.severity for event in compared(old, new).events}
