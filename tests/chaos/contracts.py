"""The contracts that a chaos run watches: each Dependency goes through the versions of its series, one after another.

Pure: the same series and version give the same contract, whoever asks and when.
"""

import base64
import hashlib
from typing import Any

SERIES = 10
"""Contracts of so many different histories; a Dependency's number decides which one it has."""

_LARGE = 150_000  # bytes that don't compress: more than one ConfigMap of a blob


def dependency_name(number: int) -> str:
    return f"api-{number:03d}"


def number_of(name: str) -> int:
    return int(name.removeprefix("api-"))


def is_noisy(number: int) -> bool:
    """Whether its server gives no ETag, and spells the same contract in another way each time."""
    return number % 3 == 0


def is_large(number: int) -> bool:
    """Whether its document has a long text in it, which is no part of the contract."""
    return number % 10 == 5


def contract(number: int, version: int) -> dict[str, Any]:
    """The OpenAPI document of a Dependency's number. Two numbers of one series differ in nothing that counts."""
    series = number % SERIES
    paths = {f"/{noun}": {"get": _listing(noun, series, version)} for noun in _nouns(series, version)}
    return {
        "openapi": "3.0.3",
        "info": {"title": f"Series {series}", "version": str(version), "description": _text(number, version)},
        "paths": paths,
    }


def _nouns(series: int, version: int) -> list[str]:
    """One that stays, and others that come and go: an operation that goes is a breaking change."""
    if series == 9:
        return ["things"]  # of this one every second version differs in its number only
    come_and_go = [f"extra{turn}" for turn in range(3) if (version + series + turn) % 3]
    return ["things", *come_and_go]


def _listing(noun: str, series: int, version: int) -> dict[str, Any]:
    stage = version // 2 if series == 9 else version
    fields = [f"field{number}" for number in range(2 + (series + 2 * stage) % 5)]
    types = ("string", "integer", "boolean")
    properties = {field: {"type": types[(series + index) % 3]} for index, field in enumerate(fields)}
    required = fields[: 1 + stage % len(fields)]
    schema = {"type": "object", "required": required, "properties": properties}
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100 + 50 * (stage % 3)}}
    return {
        "operationId": f"list-{noun}",
        "parameters": [limit],
        "responses": {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}},
    }


def _text(number: int, version: int) -> str:
    if not is_large(number):
        return f"Watched as {dependency_name(number)}"
    seed = f"{number}/{version}".encode()
    blocks = [hashlib.sha256(seed + index.to_bytes(4)).digest() for index in range(_LARGE // 32)]
    return base64.b64encode(b"".join(blocks)).decode()
