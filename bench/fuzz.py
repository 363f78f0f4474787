"""Fuzz targets for what reads untrusted bytes: the loader with all behind it, and the guard.

    python -m bench.fuzz [SECONDS] [TARGET ...]      each target for so many seconds, default 60; default: all targets

Inputs are made from random bytes, or by changing those of inputs that got far (no coverage is measured: that takes a
tracer, which makes the loader 40 times slower). Prints how long it ran, how many inputs, how many of them got to the
end (a document that loads, a URL that is read), the slowest one, and each finding with its input. Exit code 1 where
there are any; a finding becomes a test.
"""

from __future__ import annotations

import json
import random
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specsync.diffing import compare
from specsync.fetching.errors import FetchError
from specsync.fetching.guard import Guard
from specsync.openapi.bundle import Bundle, pack
from specsync.openapi.canonical import CanonicalDocument, normalize
from specsync.openapi.errors import DocumentError
from specsync.openapi.limits import Limits
from specsync.openapi.load import load
from specsync.openapi.validation import judge
from tests.unit.fetching.test_guard_properties import (
    URL_PIECES,
    test_a_name_is_as_public_as_the_least_public_of_its_addresses,
    test_a_url_that_is_read_is_read_alike_by_everybody,
)
from tests.unit.openapi.test_load_properties import JSON_VALUES, OPENAPI_YAML, SWAGGER

FUZZ = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
LIMITS = Limits(max_bytes=50_000, max_depth=60, max_nodes=5_000)
LONGEST_INPUT = 8_000  # random bytes that one input is made of
KEPT = 200  # inputs that got far
READ_ALIKE: Any = test_a_url_that_is_read_is_read_alike_by_everybody
LEAST_PUBLIC: Any = test_a_name_is_as_public_as_the_least_public_of_its_addresses

CONTRACT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "security": [{"key": []}],
    "paths": {
        "/a/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": {
                "operationId": "a",
                "tags": ["A"],
                "parameters": [{"$ref": "#/components/parameters/P"}],
                "responses": {
                    "200": {"description": "", "content": {"a/b": {"schema": {"$ref": "#/components/schemas/S"}}}}
                },
                "callbacks": {"c": {"{$request.body#/u}": {"post": {"responses": {"200": {"description": ""}}}}}},
            },
        },
        "/b": {"$ref": "b.yaml#/item"},
    },
    "components": {
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "K"}},
        "parameters": {"P": {"name": "p", "in": "query", "schema": {"type": ["string", "null"], "enum": ["a", None]}}},
        "schemas": {
            "S": {
                "allOf": [{"$ref": "#/components/schemas/T"}, {"properties": {"x": {"$ref": "s.json"}}}],
                "discriminator": {"propertyName": "k", "mapping": {"t": "#/components/schemas/T"}},
            },
            "T": {"type": "object", "required": ["s"], "properties": {"s": {"$ref": "#/components/schemas/S"}}},
        },
    },
}
FILES: dict[str, Any] = {
    "b.yaml": {"item": {"get": {"responses": {"200": {"$ref": "#/answer"}}}}, "answer": {"description": "d"}},
    "s.json": {"oneOf": [{"$ref": "openapi.yaml#/components/schemas/T"}, {"$ref": "b.yaml#/answer"}]},
}
REFERENCES = [
    "#",
    "#/",
    "#/paths/~1b",
    "#/components/schemas/S",
    "b.yaml",
    "b.yaml#/item",
    "s.json#/oneOf/0",
    "../x",
    "//",
    "#a",
]
TEXTS = [
    b"- ",
    b"*a",
    b"&a ",
    b"<<: ",
    b"!x ",
    b"\n",
    b"  ",
    b"{",
    b"[",
    b'"',
    b"\xff",
    b"1_0",
    b"? ",
    b": ",
    b"|\n",
    b"%",
    b"---\n",
    b"...\n",
    b"\x00",
    b"\t",
]


def changed_tree(draw: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with some values, at any depth, replaced, dropped or moved to another place."""
    tree = json.loads(json.dumps(tree))
    for _ in range(draw(st.integers(0, 4))):
        node: Any = tree
        while True:
            keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(node[key], dict | list) and draw(st.integers(0, 4)):
                node = node[key]
                continue
            what = draw(st.integers(0, 4))
            if what == 0:
                del node[key]
            elif what == 1:
                node[key] = {"$ref": draw(st.sampled_from(REFERENCES))}
            elif what == 2 and isinstance(node, dict):
                node[draw(st.sampled_from(["$ref", "x-a", "properties", "items", "allOf", "200", "schema", "/"]))] = (
                    node[key]
                )
            else:
                node[key] = draw(JSON_VALUES)
            break
    return tree


def changed_bytes(draw: Callable[[Any], Any], document: bytes) -> bytes:
    changed = bytearray(document)
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(changed)))
        end = min(len(changed), start + draw(st.integers(0, 12)))
        changed[start:end] = draw(st.binary(max_size=6) | st.sampled_from(TEXTS))
    return bytes(changed)


@st.composite
def documents(draw: Callable[[Any], Any]) -> bytes:
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return changed_bytes(draw, OPENAPI_YAML)
    if kind == 1:
        return changed_bytes(draw, json.dumps(draw(st.sampled_from([CONTRACT, SWAGGER]))).encode())
    if kind == 2:
        root = "https://a.example/v1/openapi.yaml"
        files = {
            f"https://a.example/v1/{name}": json.dumps(changed_tree(draw, file)).encode()
            for name, file in FILES.items()
        }
        return pack(Bundle(root=root, files={root: json.dumps(changed_tree(draw, CONTRACT)).encode(), **files}))
    if kind == 3:
        return bytes(draw(st.binary(max_size=200)))
    return json.dumps(changed_tree(draw, draw(st.sampled_from([CONTRACT, SWAGGER])))).encode()


got_far = False


@FUZZ
@given(documents())
def loader(data: bytes) -> None:
    """Load, judge, normalize, encode, decode, compare with itself: a result or a DocumentError, always the same."""
    global got_far
    try:
        loaded = load(data, limits=LIMITS)
        report = judge(loaded)
        document = normalize(loaded, lenient=True)
    except DocumentError as error:
        assert error.message
        assert "\n" not in error.message
        return
    got_far = True
    assert report.valid == (not report.errors)
    content = document.to_bytes()
    assert normalize(load(data, limits=LIMITS), lenient=True).to_bytes() == content
    with suppress(DocumentError):
        assert normalize(loaded).to_bytes() == content
    again = CanonicalDocument.from_bytes(content)
    assert again.digest == document.digest
    assert not compare(document, again).events


@FUZZ
@given(URL_PIECES | st.text(max_size=60).map("https://".__add__) | st.from_regex(r"https?://[^/]{1,40}(/.{0,20})?"))
def guard(url: str) -> None:
    """A URL that is let through is one that everybody reads alike, and leads to no address that is closed."""
    global got_far
    READ_ALIKE.hypothesis.inner_test(url)
    with suppress(FetchError):
        Guard().read_url(url)
        got_far = True


ADDRESSES = st.ip_addresses(v=4) | st.ip_addresses(v=6)


@FUZZ
@given(st.lists(ADDRESSES, max_size=4))
def names(addresses: list[Any]) -> None:
    """A name is as public as the least public of its addresses."""
    global got_far
    LEAST_PUBLIC.hypothesis.inner_test(addresses)
    got_far = True


TARGETS: dict[str, Any] = {"loader": loader, "guard": guard, "names": names}


def run(name: str, seconds: float) -> int:
    """Findings of one target, printed as they come; at most one of each kind."""
    global got_far
    one = TARGETS[name].hypothesis.fuzz_one_input
    kept: list[bytes] = []
    seen: set[str] = set()
    executions = far = 0
    slowest = 0.0
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        data = mutated(random.choice(kept)) if kept and random.random() < 0.5 else random.randbytes(LONGEST_INPUT)
        got_far = False
        started = time.perf_counter()
        try:
            used = one(data)
        except Exception:
            text = traceback.format_exc()
            kind = "\n".join(text.splitlines()[-6:])
            if kind not in seen:
                seen.add(kind)
                print(f"finding in {name}:\n{text}", flush=True)
            used = None
        slowest = max(slowest, time.perf_counter() - started)
        executions += 1
        if got_far and used:
            far += 1
            kept.append(used)
            if len(kept) > KEPT:
                kept.pop(random.randrange(KEPT))
    ran = time.monotonic() - began
    print(
        f"{name:8} {ran:6.0f} s {executions:9,} inputs {far / max(executions, 1):6.0%} to the end, "
        f"slowest {slowest * 1e3:5.0f} ms, {len(seen)} findings",
        flush=True,
    )
    return len(seen)


def mutated(data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randint(1, 8)):
        place = random.randrange(len(changed))
        match random.randrange(3):
            case 0:
                changed[place] = random.randrange(256)
            case 1:
                del changed[place : place + random.randint(1, 8)]
            case _:
                changed[place:place] = random.randbytes(random.randint(1, 8))
        if not changed:
            return random.randbytes(LONGEST_INPUT)
    return bytes(changed) + random.randbytes(256)


def main() -> None:
    arguments = sys.argv[1:]
    seconds = float(arguments.pop(0)) if arguments and arguments[0].replace(".", "").isdigit() else 60.0
    unknown = set(arguments) - set(TARGETS)
    if unknown:
        sys.exit(f"No such target: {', '.join(sorted(unknown))}. There are: {', '.join(TARGETS)}")
    findings = sum(run(name, seconds) for name in arguments or TARGETS)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
