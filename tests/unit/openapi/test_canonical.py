"""The canonical form: what is the same in it, what isn't, and what it survives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from specsync.openapi.canonical import CanonicalDocument, normalize
from specsync.openapi.errors import DocumentError
from specsync.openapi.load import load
from specsync.openapi.model import Server

Tree = dict[str, Any]


def canonical(tree: Tree) -> CanonicalDocument:
    return normalize(load(json.dumps(tree).encode()))


def document(**schemas: Any) -> Tree:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pets", "version": "1"},
        "paths": {
            "/pets": {
                "get": {
                    "responses": {
                        "200": {
                            "description": "all pets",
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}},
                        }
                    }
                }
            }
        },
        "components": {"schemas": schemas},
    }


PET: Tree = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}}}


def test_digest_is_the_same_on_every_machine() -> None:
    assert (
        canonical(document(Pet=PET)).digest == "sha256:100df7789439150387464e7b09936f730c7ea5513d4082120ada191dee61b75b"
    ), "the canonical form has changed: raise FORM in canonical.py, for stored forms are no longer comparable"


def test_texts_order_examples_and_extensions_do_not_matter() -> None:
    plain = document(Pet=PET)
    wordy = {
        "paths": plain["paths"],
        "x-owner": "team",
        "components": {
            "schemas": {
                "Pet": {
                    "description": "A pet",
                    "x-internal": True,
                    "properties": {
                        "age": {"minimum": 0, "type": "integer", "example": 3},
                        "name": {"description": "What it is called", "type": "string"},
                    },
                    "type": "object",
                }
            }
        },
        "info": {"version": "1", "title": "Pets", "description": "…"},
        "openapi": "3.1.0",
    }
    assert canonical(wordy).digest == canonical(plain).digest
    assert canonical(wordy).to_bytes() == canonical(plain).to_bytes()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        ({"type": ["string", "null"]}, {"oneOf": [{"type": "null"}, {"type": "string"}]}),
        ({"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": ["string", "null"], "enum": ["a", None]}, {"type": "string", "nullable": True, "enum": ["a"]}),
        ({"type": ["integer", "string"]}, {"type": ["string", "integer"]}),
        ({"type": ["string"]}, {"type": "string"}),
        ({"minimum": 5, "exclusiveMinimum": True}, {"exclusiveMinimum": 5}),
        ({"maximum": 5, "exclusiveMaximum": False}, {"maximum": 5}),
        ({"enum": ["b", "a", "b"]}, {"enum": ["a", "b"]}),
        ({"type": "boolean", "enum": [True, False]}, {"type": "boolean"}),
        ({"required": ["b", "a"]}, {"required": ["a", "b"]}),
        ({"allOf": [{"type": "string"}]}, {"type": "string"}),
        (
            {"allOf": [{"type": "string", "maxLength": 3}], "deprecated": True},
            {"type": "string", "maxLength": 3, "deprecated": True},
        ),
        ({"additionalProperties": True, "minLength": 0, "minItems": 0}, {}),
        ({"oneOf": [False, {"type": "null"}]}, {"type": "null"}),
        ({"allOf": [{"type": "string"}], "minLength": 0, "additionalProperties": True}, {"type": "string"}),
        ({"oneOf": [{"type": "string"}], "allOf": [True]}, {"type": "string"}),
        ({"minimum": 0.0, "maximum": 1e2, "multipleOf": 2.0}, {"minimum": 0, "maximum": 100, "multipleOf": 2}),
        ({"exclusiveMinimum": 5.0}, {"exclusiveMinimum": 5}),
        ({"minimum": 5.0, "exclusiveMinimum": True}, {"exclusiveMinimum": 5}),
        ({"enum": [2.0, 1], "default": 1.0}, {"enum": [1, 2], "default": 1}),
        ({"const": -3.0}, {"const": -3}),
    ],
)
def test_spellings_of_one_thing_are_one(one: Tree, other: Tree) -> None:
    first, second = canonical(document(Pet=one)), canonical(document(Pet=other))
    assert first.digest == second.digest
    read = CanonicalDocument.from_bytes(first.to_bytes())
    assert read.component("schemas", "Pet") == first.component("schemas", "Pet") == second.component("schemas", "Pet")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"enum": [1]}, {"enum": [True]}),
        ({"enum": ["1"]}, {"enum": [1]}),
        ({"default": None}, {}),
        ({"default": 0.0}, {"default": False}),
        ({"maximum": 10.5}, {"maximum": 10}),
        ({"const": None}, {}),
        ({"type": "string"}, {"type": ["string", "null"]}),
        ({"allOf": [{"type": "string"}], "maxLength": 3}, {"type": "string"}),
    ],
)
def test_different_things_are_not_one(one: Tree, other: Tree) -> None:
    assert canonical(document(Pet=one)).digest != canonical(document(Pet=other)).digest


def test_bytes_hold_everything() -> None:
    made = canonical(document(Pet=PET))
    read = CanonicalDocument.from_bytes(made.to_bytes())
    assert (read.format, read.title, read.version, read.digest) == ("openapi-3.1", "Pets", "1", made.digest)
    assert read.operations == made.operations
    assert read.operation(read.operations[0]) == made.operation(made.operations[0])
    assert read.component("schemas", "Pet") == made.component("schemas", "Pet")
    assert read.component("schemas", "Nobody") is None
    assert json.loads(made.to_bytes())["components"]["schemas"]["Pet"]["value"]["type"] == "object"


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'{"form":1}', b'{"form":999,"format":"","title":"","version":"","operations":[],"components":{}}'],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="canonical form"):
        CanonicalDocument.from_bytes(data)


@pytest.mark.parametrize(
    ("path", "domain"),
    [
        ("/v1/orders/{id}", "orders"),
        ("/api/v2.1/{tenant}/Orders", "Orders"),
        ("/rest/api/3/issue", "issue"),
        ("/admin/api/2024-01/orders", "admin"),
        ("/v1beta1/orders", "orders"),
        ("/2fa/codes", "2fa"),
        ("/v1/{id}", "v1"),
        ("/{id}", ""),
        ("/", ""),
        ("/" + "1." * 50_000 + "x!", "1." * 50_000 + "x!"),  # in linear time
    ],
)
def test_domains_without_tags_are_of_the_path(path: str, domain: str) -> None:
    tree = document(Pet=PET)
    tree["paths"] = {path: {"get": {"responses": {}}}}
    assert canonical(tree).domains == [domain]


def test_operations_say_what_they_are() -> None:
    tree = document(Pet=PET)
    tree["paths"]["/{tenant}/shops/{id}"] = {
        "delete": {"operationId": "close", "deprecated": True, "responses": {}},
        "get": {"tags": ["shopping", "other"], "responses": {}},
    }
    form = canonical(tree)
    assert [(op.method, op.path, op.operation_id, op.domain, op.deprecated) for op in form.operations] == [
        ("GET", "/pets", None, "pets", False),
        ("DELETE", "/{tenant}/shops/{id}", "close", "shops", True),
        ("GET", "/{tenant}/shops/{id}", None, "shopping", False),
    ]
    assert form.domains == ["pets", "shopping", "shops"]


def digests(**schemas: Any) -> dict[str, str | None]:
    form = canonical(document(**schemas))
    return {name: form.component_digest("schemas", name) for name in schemas}


def test_digest_of_a_component_covers_what_it_refers_to() -> None:
    home = {"properties": {"pet": {"$ref": "#/components/schemas/Pet"}}}
    before = digests(Pet=PET, Home=home, Food={"type": "string"})
    after = digests(Pet={"type": "string"}, Home=home, Food={"type": "string"})
    assert before["Pet"] != after["Pet"]
    assert before["Home"] != after["Home"]
    assert before["Food"] == after["Food"]


def test_digests_in_a_circle_change_together() -> None:
    def circle(limit: int) -> dict[str, str | None]:
        return digests(
            Pet={"properties": {"child": {"$ref": "#/components/schemas/Child"}}},
            Child={"maxProperties": limit, "properties": {"pet": {"$ref": "#/components/schemas/Pet"}}},
            Own={"items": {"$ref": "#/components/schemas/Own"}},
        )

    one, other = circle(1), circle(2)
    assert one["Pet"] != other["Pet"]
    assert one["Child"] != other["Child"]
    assert one["Own"] == other["Own"]
    assert len(set(one.values())) == 3


def test_path_level_parameters_and_path_references_count_for_the_operation() -> None:
    tree = document(Pet=PET)
    tree["paths"]["/a"] = {
        "parameters": [{"name": "q", "in": "query", "schema": {}}],
        "get": {"responses": {}},
    }
    tree["paths"]["/b"] = {"$ref": "#/paths/~1a"}
    form = canonical(tree)
    found = {op.path: form.operation(op) for op in form.operations}
    assert [parameter.name for parameter in found["/b"].shared_parameters or ()] == ["q"]
    assert found["/a"] == found["/b"]


def test_paths_that_share_a_path_item_keep_their_own_parameters_and_servers() -> None:
    tree = document(Pet=PET)
    tree["components"]["pathItems"] = {"Shared": {"get": {"responses": {}}}}
    for name in ("a", "b"):
        tree["paths"][f"/{name}"] = {
            "$ref": "#/components/pathItems/Shared",
            "parameters": [{"name": name, "in": "query", "schema": {}}],
            "servers": [{"url": f"https://{name}.example"}],
        }
    tree["paths"]["/c"] = {"$ref": "#/components/pathItems/Shared"}
    form = canonical(tree)
    found = {op.path: form.operation(op) for op in form.operations}
    named = {path: [each.name for each in operation.shared_parameters or ()] for path, operation in found.items()}
    assert named == {"/a": ["a"], "/b": ["b"], "/c": [], "/pets": []}
    assert [found[f"/{name}"].servers for name in "abc"] == [
        [Server(url="https://a.example")],
        [Server(url="https://b.example")],
        None,
    ]


CALLS: Tree = {"{$request.body#/url}": {"post": {"responses": {"200": {"description": ""}}}}}


def with_callback(reference: str, **callbacks: Tree) -> Tree:
    tree = document(Pet=PET)
    tree["paths"]["/pets"]["get"]["callbacks"] = {"born": {"$ref": reference}}
    tree["paths"]["/b"] = {"get": {"responses": {}, "callbacks": {"own": CALLS}}}
    tree["components"]["callbacks"] = callbacks
    return tree


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("#/components/callbacks/One", "#/components/callbacks/One"),
        ("#/components/callbacks/Chain", "#/components/callbacks/One"),
        ("#/paths/~1b/get/callbacks/own", "#/paths/~1b/get/callbacks/own"),
    ],
)
def test_references_to_callbacks_are_followed(written: str, found: str) -> None:
    tree = with_callback(written, One=CALLS, Chain={"$ref": "#/components/callbacks/One"})
    form = canonical(tree)
    operation = next(form.operation(each) for each in form.operations if each.path == "/pets")
    callback = (operation.callbacks or {})["born"]
    assert callback.keys() == {*CALLS, "$ref"}
    assert callback["$ref"] == found


@pytest.mark.parametrize("reference", ["#/components/callbacks/Gone", "#/components/callbacks/Circle", "#/info/title"])
def test_references_to_no_callback_are_refused_unless_lenient(reference: str) -> None:
    loaded = load(json.dumps(with_callback(reference, Circle={"$ref": "#/components/callbacks/Circle"})).encode())
    with pytest.raises(DocumentError, match="/paths/~1pets/get/callbacks/born") as error:
        normalize(loaded)
    assert error.value.reason == "UnresolvableReference"
    assert normalize(loaded, lenient=True).operations


@pytest.mark.parametrize("place", ["²", "9" * 5000, "1", "-1", "x"])
def test_places_that_a_list_does_not_have_are_nothing(place: str) -> None:
    tree = {**document(Pet={"$ref": f"#/servers/{place}"}), "servers": [{"url": "/"}]}
    with pytest.raises(DocumentError) as error:
        canonical(tree)
    assert error.value.reason == "UnresolvableReference"


def test_references_to_anything_are_followed() -> None:
    tree = document(Pet={"properties": {"tag": {"type": "string", "maxLength": 9}}})
    tree["paths"]["/tags"] = {
        "get": {
            "responses": {
                "200": {
                    "description": "",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet/properties/tag"}}},
                }
            }
        }
    }
    form = canonical(tree)
    assert form.component("schemas", "#/components/schemas/Pet/properties/tag").max_length == 9


def test_value_that_looks_like_a_reference_hides_none() -> None:
    reference = {"$ref": "#/x-parts/tag"}
    tree = document(Pet={}, A={"enum": [reference]}, B={"properties": {"tag": reference}})
    tree["x-parts"] = {"tag": {"type": "integer"}}
    assert canonical(tree).component("schemas", "#/x-parts/tag").type == "integer"
    with pytest.raises(DocumentError):
        canonical({**tree, "x-parts": {}})


def test_reference_to_nothing_is_refused_with_its_place() -> None:
    tree = document(Pet={"properties": {"a/b": {"$ref": "#/components/schemas/Gone"}}})
    with pytest.raises(DocumentError) as error:
        canonical(tree)
    assert error.value.reason == "UnresolvableReference"
    assert error.value.pointer == "/components/schemas/Pet/properties/a~1b"
    assert "/components/schemas/Pet/properties/a~1b" in error.value.message
    assert "#/components/schemas/Gone" in error.value.message


def test_path_that_refers_to_itself_is_refused() -> None:
    tree = document(Pet=PET)
    tree["paths"]["/loop"] = {"$ref": "#/paths/~1loop"}
    with pytest.raises(DocumentError, match="/paths/~1loop"):
        canonical(tree)


def test_what_looks_like_a_reference_but_is_a_value_stays_one() -> None:
    tree = document(Pet={"enum": [{"$ref": "#/components/schemas/Gone"}], "properties": {"$ref": {"type": "string"}}})
    assert canonical(tree).component("schemas", "Pet").properties["$ref"].type == "string"


def test_references_into_other_documents_are_kept() -> None:
    tree = document(Pet={"properties": {"a": {"$ref": "common.yaml#/Tag"}}})
    assert canonical(tree).component("schemas", "Pet").properties["a"].ref == "common.yaml#/Tag"


def test_fields_of_the_wrong_type_are_reported_and_left_out() -> None:
    tree = document(
        Pet={
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": "ten", "required": True},
                "age": "a number",
                "tag": {"type": "string"},
            },
        }
    )
    tree["paths"]["/pets"]["x-note"] = "not an operation"
    form = canonical(tree)
    pet = form.component("schemas", "Pet")
    assert set(pet.properties) == {"name", "tag"}
    assert pet.properties["name"].max_length is None
    assert [finding.pointer for finding in form.findings] == [
        "/components/schemas/Pet/properties/name/maxLength",
        "/components/schemas/Pet/properties/age",
    ]
    assert CanonicalDocument.from_bytes(form.to_bytes()).findings == form.findings


def test_a_defect_takes_nothing_else_along() -> None:
    schema = {"properties": {"x-flag": True, "x-list": {"type": "array"}}}
    sound = canonical(document(Pet={**schema, "maxLength": 3}))
    defect = canonical(document(Pet={**schema, "maxLength": "three"}))
    assert defect.component("schemas", "Pet").properties == sound.component("schemas", "Pet").properties


@pytest.mark.parametrize("schema", [True, False])
def test_boolean_schemas(schema: bool) -> None:
    form = canonical(document(Pet=schema))
    assert form.component("schemas", "Pet") is schema
    assert CanonicalDocument.from_bytes(form.to_bytes()).component("schemas", "Pet") is schema
