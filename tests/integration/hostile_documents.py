"""Documents that are made to harm who reads them."""

import json
from typing import Any

from tests.integration.crew import contract

MEBIBYTE = 1024 * 1024
DEPTH = 100_000


def alias_bomb() -> bytes:
    """Nine levels of ten aliases each: a billion values in 600 bytes."""
    lines = ["openapi: 3.0.3", "info: {title: t, version: '1'}", "paths: {}", "x-0: &a0 [x]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(lines).encode()


def deep_errors() -> bytes:
    """An error below 90 alternatives inside each other, of which each holds 100 more schemas and all errors below."""
    schema: dict[str, Any] = {"minLength": "x"}
    for _ in range(90):
        schema = {"properties": {"p": schema, **{f"q{number}": {"type": "string"} for number in range(5000)}}}
    document = contract("Deep")
    document["components"] = {"schemas": {"S": schema}}
    return json.dumps(document).encode()


def many_errors() -> bytes:
    document = contract("Many")
    document["components"] = {"schemas": {f"S{number}": {"minLength": -1} for number in range(200_000)}}
    return json.dumps(document).encode()


REFUSED: dict[str, tuple[bytes, str, str]] = {  # body, reason, what the message says
    "alias-bomb": (alias_bomb(), "LimitExceeded", "YAML aliases counted at each use"),
    "deep-json": (b"[" * DEPTH + b"]" * DEPTH, "LimitExceeded", "nests deeper than 200 levels"),
    "deep-yaml": (b"x: " + b"[" * DEPTH + b"]" * DEPTH, "LimitExceeded", "nests deeper than 200 levels"),
    "deep-block-yaml": (b"- " * DEPTH, "LimitExceeded", "nests deeper than 200 levels"),
    "deep-objects": (b'{"a":' * DEPTH + b"1" + b"}" * DEPTH, "LimitExceeded", "nests deeper than 200 levels"),
    "100-MB-of-brackets": (b"[" * (100 * MEBIBYTE), "TooLarge", ""),
    "60-MB-of-brackets": (b"[" * (60 * MEBIBYTE), "LimitExceeded", ""),
    "many-values": (b"[" + b"0," * 3_000_000 + b"0]", "LimitExceeded", "more than 2,000,000 values"),
}

HARD_TO_JUDGE = {"deep-errors": deep_errors(), "many-errors": many_errors()}
"""Documents that can be compared, but whose defects take too much to be told."""
