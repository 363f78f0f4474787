"""The structural schema of a model: what it holds, and which models are refused."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from specsync.resources import KINDS
from specsync.resources.duration import seconds
from specsync.resources.meta import Definition, FrozenStruct, ObjectMeta, Rule, duration_rule
from specsync.resources.schema import Schema, SchemaError, resource_schema


class Part(FrozenStruct, frozen=True, kw_only=True):
    """One part of it."""

    name: Annotated[str, Meta(min_length=1, max_length=10, description="Its name.")]
    weight: Annotated[int, Meta(ge=0, le=9, description="In grams.")] = 3


class Spec(FrozenStruct, frozen=True, kw_only=True):
    part: Part
    parts: Annotated[list[Part], Meta(max_length=4, description="More of them.")] = []
    names: Annotated[dict[str, int], Meta(max_length=8, description="By name.")] = {}
    colour: Annotated[Literal["red", "blue"], Meta(description="Its colour.")] = "red"
    note: Annotated[str, Meta(max_length=5, description="A note.")] | None = None
    until: Annotated[dt.datetime, Meta(tz=True, description="When it ends.")] | None = None
    seen: Annotated[int, Meta(description="How often.")] | UnsetType = UNSET
    hidden: Annotated[bool, Meta(description="Not shown.")] = False


class Status(FrozenStruct, frozen=True, kw_only=True):
    count: Annotated[int, Meta(description="So many.")] = 0
    state: Annotated[str, Meta(max_length=9, description="How.", extra_json_schema={"default": "new"})] = "new"


def definition(**more: Any) -> Definition:
    return Definition(kind="Thing", plural="things", short_name="th", description="A thing.", columns=[], **more)


class Thing(FrozenStruct, frozen=True, kw_only=True):
    definition: ClassVar[Definition] = definition(rules=[Rule(rule="true", message="never", field_path=".spec")])
    metadata: ObjectMeta
    spec: Annotated[Spec, Meta(description="Wanted.")]
    status: Annotated[Status, Meta(description="Found.", extra_json_schema={"default": {"state": "new"}})] = Status()


PART = {
    "description": "One part of it.",
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"description": "Its name.", "type": "string", "minLength": 1, "maxLength": 10},
        "weight": {
            "description": "In grams.",
            "type": "integer",
            "format": "int32",
            "default": 3,
            "minimum": 0,
            "maximum": 9,
        },
    },
}


def test_a_model_becomes_a_structural_schema() -> None:
    assert resource_schema(Thing) == {
        "description": "A thing.",
        "type": "object",
        "x-kubernetes-validations": [{"rule": "true", "message": "never", "fieldPath": ".spec"}],
        "required": ["spec"],
        "properties": {
            "spec": {
                "description": "Wanted.",
                "type": "object",
                "required": ["part"],
                "properties": {
                    "part": PART,
                    "parts": {"description": "More of them.", "type": "array", "maxItems": 4, "items": PART},
                    "names": {
                        "description": "By name.",
                        "type": "object",
                        "maxProperties": 8,
                        "additionalProperties": {"type": "integer", "format": "int64"},
                    },
                    "colour": {
                        "description": "Its colour.",
                        "type": "string",
                        "enum": ["blue", "red"],
                        "default": "red",
                    },
                    "note": {"description": "A note.", "type": "string", "maxLength": 5},
                    "until": {"description": "When it ends.", "type": "string", "format": "date-time"},
                    "seen": {"description": "How often.", "type": "integer", "format": "int64"},
                    "hidden": {"description": "Not shown.", "type": "boolean", "default": False},
                },
            },
            "status": {
                "description": "Found.",
                "type": "object",
                "default": {"state": "new"},
                "properties": {
                    "count": {"description": "So many.", "type": "integer", "format": "int64"},
                    "state": {"description": "How.", "type": "string", "default": "new", "maxLength": 9},
                },
            },
        },
    }


def kind_with(field: Any) -> Any:
    """A kind whose spec has one field, of this type."""
    spec = type("Spec", (FrozenStruct,), {"__annotations__": {"field": field}}, frozen=True, kw_only=True)
    annotations = {"spec": Annotated[spec, Meta(description="Wanted.")], "definition": ClassVar[Definition]}
    body = {"__annotations__": annotations, "definition": definition()}
    return type("Odd", (FrozenStruct,), body, frozen=True, kw_only=True)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (bool, "spec.field: add a description to its Meta(…)"),
        (Annotated[str, Meta(description="x")], "spec.field: add a max_length to its Meta(…)"),
        (Annotated[list[int], Meta(description="x")], "spec.field: add a max_length to its Meta(…)"),
        (Annotated[dict[str, int], Meta(description="x")], "spec.field: add a max_length to its Meta(…)"),
        (Annotated[list[str], Meta(max_length=3, description="x")], "spec.field[]: add a max_length to its Meta(…)"),
        (Annotated[int | bool, Meta(description="x")], "spec.field: a structural schema knows no unions"),
        (Annotated[Any, Meta(description="x")], "spec.field: AnyType has no counterpart in a structural schema"),
        (
            Annotated[bool, Meta(description="x", extra_json_schema={"x-kubernetes-typo": 1})],
            "schema keys that this generator doesn't know: x-kubernetes-typo",
        ),
    ],
)
def test_a_model_that_says_too_little_is_refused(field: Any, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        resource_schema(kind_with(field))
    assert str(caught.value) == message


def nodes(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for below in ("items", "additionalProperties"):
        if below in schema:
            yield from nodes(schema[below], f"{path}[]")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.definition.kind)
def test_no_object_appears_by_default_but_status(kind: Any) -> None:
    with_default = {path: node for path, node in nodes(resource_schema(kind), "") if "default" in node}
    objects = {path: node["default"] for path, node in with_default.items() if node["type"] == "object"}
    expected = {
        "Dependency": {".status": {"observedGeneration": -1}},
        "AlertChannel": {".status": {"observedGeneration": -1}},
        "SyncJob": {".status": {"phase": "Pending"}},
        "AlertDelivery": {".status": {"phase": "Pending"}},
    }
    assert objects == expected.get(kind.definition.kind, {})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.definition.kind)
def test_columns_and_selectable_fields_lead_somewhere(kind: Any) -> None:
    known = {path for path, _ in nodes(resource_schema(kind), "")}
    for path in [column.json_path for column in kind.definition.columns] + kind.definition.selectable_fields:
        plain = re.sub(r"\[\?.*?\]", "[]", path)
        assert plain in known or plain == ".metadata.creationTimestamp"


PATTERN = re.search(r"matches\('(.*?)'\)", duration_rule("1s", "")["x-kubernetes-validations"][0]["rule"])
assert PATTERN


@given(st.from_regex(PATTERN[1].replace("$", r"\Z"), fullmatch=True).filter(bool))
def test_durations_that_the_rule_lets_in_are_read_whole(text: str) -> None:
    parts = re.findall(r"([0-9.]+)([a-z]+)", text)
    assert "".join(number + unit for number, unit in parts) == text
    assert seconds(text) == pytest.approx(
        sum(float(number) * {"h": 3600, "m": 60, "s": 1, "ms": 0.001}[unit] for number, unit in parts)
    )
