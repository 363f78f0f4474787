"""Documents of several files: what they become, and what is said where they don't fit together."""

from __future__ import annotations

from typing import Any

import pytest

from specsync.openapi.bundle import Bundle, is_bundle, pack, unpack
from specsync.openapi.canonical import normalize
from specsync.openapi.errors import DocumentError
from specsync.openapi.joining import Joined, join
from specsync.openapi.limits import Limits
from specsync.openapi.load import load
from specsync.openapi.validation import judge

BASE = "https://api.example.com/v1/"
ROOT = f"{BASE}openapi.yaml"
HEAD = "openapi: 3.0.3\ninfo: {title: Shop, version: '1'}\n"
ANSWER = "responses: {'200': {description: ok, content: {application/json: {schema: {$ref: %s}}}}}"


def bundle(root: str, **files: str) -> Bundle:
    """`__` in a file's name stands for a slash, `_` for a dot."""
    named = {BASE + name.replace("__", "/").replace("_", "."): text.encode() for name, text in files.items()}
    return Bundle(root=ROOT, files={ROOT: root.encode(), **named})


def joined(root: str, **files: str) -> Joined:
    return join(bundle(root, **files), Limits())


def refused(root: str, **files: str) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        normalize(load(pack(bundle(root, **files))))
    return caught.value


def with_schemas(schemas: str) -> str:
    return f"{HEAD}paths: {{}}\ncomponents: {{schemas: {schemas}}}"


def test_what_other_files_hold_becomes_components() -> None:
    root = f"{HEAD}paths: {{/pets: {{get: {{{ANSWER % 'schemas/Pet.yaml'}}}}}}}"
    found = joined(
        root,
        schemas__Pet_yaml="{type: object, properties: {owner: {$ref: '../common.json#/definitions/Owner'}}}",
        common_json='{"definitions": {"Owner": {"type": "string"}, "Unused": {}}}',
    )
    assert found.missing == []
    assert found.tree["components"]["schemas"] == {
        "schemas.Pet": {"type": "object", "properties": {"owner": {"$ref": "#/components/schemas/common.Owner"}}},
        "common.Owner": {"type": "string"},
    }
    schema = found.tree["paths"]["/pets"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/schemas.Pet"}


def test_a_component_that_is_a_file_keeps_its_name() -> None:
    found = joined(
        with_schemas("{Pet: {$ref: schemas/Pet.yaml}, Pets: {type: array, items: {$ref: schemas/Pet.yaml}}}"),
        schemas__Pet_yaml="{type: string}",
    )
    assert found.tree["components"]["schemas"] == {
        "Pet": {"type": "string"},
        "Pets": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}},
    }


def test_files_may_refer_to_each_other_and_back_in_circles() -> None:
    found = joined(
        with_schemas("{Pet: {$ref: Pet.yaml}, Id: {type: string}}"),
        Pet_yaml="properties: {owner: {$ref: Owner.yaml}, id: {$ref: openapi.yaml#/components/schemas/Id}, "
        "me: {$ref: '#'}}",
        Owner_yaml="properties: {pets: {type: array, items: {$ref: Pet.yaml}}, local: {$ref: '#/definitions/L'}}\n"
        "definitions: {L: {type: integer}}",
    )
    schemas = found.tree["components"]["schemas"]
    assert schemas["Pet"]["properties"] == {
        "owner": {"$ref": "#/components/schemas/Owner"},
        "id": {"$ref": "#/components/schemas/Id"},
        "me": {"$ref": "#/components/schemas/Pet"},
    }
    assert schemas["Owner"]["properties"]["local"] == {"$ref": "#/components/schemas/Owner.L"}
    assert schemas["Owner.L"] == {"type": "integer"}


def test_what_is_no_component_stands_in_the_place_of_its_reference() -> None:
    found = joined(
        f"{HEAD}paths: {{/pets: {{$ref: paths.yaml#/pets}}, /more: {{get: {{$ref: get.yaml}}}}}}",
        paths_yaml=f"pets: {{parameters: {{$ref: parameters.yaml}}, get: {{{ANSWER % 'Pet.yaml'}}}}}",
        get_yaml=f"{{{ANSWER % 'Pet.yaml'}}}",
        parameters_yaml="[{name: a, in: query, schema: {$ref: Pet.yaml}}]",
        Pet_yaml="{type: string}",
    )
    paths = found.tree["paths"]
    assert paths["/pets"]["get"] == paths["/more"]["get"]
    assert paths["/pets"]["parameters"][0]["schema"] == {"$ref": "#/components/schemas/Pet"}
    assert found.tree["components"]["schemas"]["Pet"] == {"type": "string"}


def test_whole_maps_may_be_files() -> None:
    found = joined(
        f"{HEAD}paths: {{$ref: paths.yaml}}\ncomponents: {{$ref: components.yaml}}",
        paths_yaml="{/pets: {$ref: pets.yaml}}",
        pets_yaml=f"get: {{{ANSWER % 'openapi.yaml#/components/schemas/Pet'}}}",
        components_yaml="schemas: {Pet: {type: string}}",
    )
    assert found.tree["paths"]["/pets"]["get"]["responses"]
    assert found.tree["components"] == {"schemas": {"Pet": {"type": "string"}}}


def test_swagger_2_keeps_its_own_tables() -> None:
    root = "swagger: '2.0'\ninfo: {title: t, version: '1'}\npaths: {/a: {get: {parameters: [{$ref: p.yaml}], %s}}}"
    answer = "responses: {'200': {description: ok, schema: {$ref: 's.yaml#/definitions/S'}}}"
    data = bundle(root % answer, p_yaml="{name: a, in: query, type: string}", s_yaml="definitions: {S: {type: string}}")
    loaded = load(pack(data))
    assert loaded.as_written()["definitions"] == {"s.S": {"type": "string"}}
    assert loaded.as_written()["parameters"] == {"p": {"name": "a", "in": "query", "type": "string"}}
    assert loaded.as_tree()["components"]["schemas"] == {"s.S": {"type": "string"}}
    assert [each.path for each in normalize(loaded).operations] == ["/a"]


def test_discriminators_follow_their_schemas() -> None:
    mapping = "{dog: Dog.yaml, cat: Cat, fish: 'https://elsewhere.example/Fish.yaml'}"
    found = joined(
        with_schemas(
            f"{{Pet: {{oneOf: [{{$ref: Dog.yaml}}], discriminator: {{propertyName: k, mapping: {mapping}}}}}}}"
        ),
        Dog_yaml="{type: object}",
    )
    assert found.tree["components"]["schemas"]["Pet"]["discriminator"]["mapping"] == {
        "dog": "#/components/schemas/Dog",
        "cat": "Cat",
        "fish": "https://elsewhere.example/Fish.yaml",
    }


def test_names_are_told_apart_and_stay_the_same() -> None:
    root = with_schemas("{a.Pet: {type: integer}, B: {oneOf: [{$ref: a/Pet.yaml}, {$ref: 'a.yaml#/Pet'}]}}")
    files = {"a__Pet_yaml": "{type: string}", "a_yaml": "Pet: {type: boolean}"}
    found = joined(root, **files)
    own, other, by_file, by_pointer = sorted(found.tree["components"]["schemas"])
    assert (own, other) == ("B", "a.Pet")
    assert by_file.startswith("a.Pet-")
    assert by_pointer.startswith("a.Pet-")
    assert joined(root, **files).tree == found.tree


def test_missing_files_are_named_once_with_the_first_place() -> None:
    found = joined(with_schemas("{A: {$ref: a.yaml}, B: {$ref: './a.yaml#/x'}, C: {$ref: /c.json}}"))
    assert [(each.uri, each.place) for each in found.missing] == [
        (f"{BASE}a.yaml", "openapi.yaml#/components/schemas/A"),
        ("https://api.example.com/c.json", "openapi.yaml#/components/schemas/C"),
    ]


@pytest.mark.parametrize(
    "reference",
    [
        "https://elsewhere.example/a.yaml",
        "http://api.example.com/v1/a.yaml",
        "https://api.example.com:8443/a.yaml",
        "//elsewhere.example/a.yaml",
        "file:///etc/passwd",
        "urn:isbn:1",
        "a.yaml#anchor",
        "#anchor",
        "https://[::1/a.yaml",
    ],
)
def test_other_origins_and_anchors_stay_as_they_are(reference: str) -> None:
    found = joined(with_schemas(f"{{A: {{$ref: '{reference}'}}}}"))
    assert found.missing == []
    assert found.tree["components"]["schemas"]["A"] == {"$ref": reference}


def test_examples_and_values_hold_no_references() -> None:
    schema = "{default: {$ref: a.yaml}, example: {$ref: b.yaml}, enum: [{$ref: c.yaml}], x-y: {$ref: d.yaml}}"
    assert joined(with_schemas(f"{{A: {schema}}}")).missing == []
    named = joined(with_schemas("{A: {properties: {$ref: {type: string}, default: {$ref: a.yaml}}}}"))
    assert [each.uri for each in named.missing] == [f"{BASE}a.yaml"]


@pytest.mark.parametrize(
    ("root", "files", "reason", "message"),
    [
        (
            with_schemas("{A: {oneOf: [{$ref: 'a.yaml#/x/y'}]}}"),
            {"a_yaml": "x: {z: {}}"},
            "UnresolvableReference",
            "The $ref at openapi.yaml#/components/schemas/A/oneOf/0 points to 'a.yaml#/x/y', which isn't in that file",
        ),
        (
            with_schemas("{A: {$ref: 'a.yaml#/x'}}"),
            {"a_yaml": "y: {}"},
            "UnresolvableReference",
            "The $ref at openapi.yaml#/components/schemas/A points to 'a.yaml#/x', which isn't in that file",
        ),
        (
            with_schemas("{A: {oneOf: [{$ref: a.yaml}]}}"),
            {"a_yaml": "just text"},
            "UnresolvableReference",
            "points to 'a.yaml#', where there is no schema",
        ),
        (
            with_schemas("{A: {$ref: a.yaml}}"),
            {"a_yaml": "<html></html>"},
            "HTMLDocument",
            "a.yaml: The source answered",
        ),
        (with_schemas("{A: {$ref: a.yaml}}"), {"a_yaml": "a: ["}, "NotParseable", "a.yaml: "),
        (with_schemas("{A: {$ref: a.yaml}}"), {"a_yaml": ""}, "EmptyDocument", "a.yaml: The document is empty"),
        (
            f"{HEAD}paths: {{/a: {{$ref: a.yaml}}}}",
            {"a_yaml": "{$ref: b.yaml}", "b_yaml": "{$ref: a.yaml}"},
            "UnresolvableReference",
            "The $ref at b.yaml# points to 'a.yaml#', which leads back to itself",
        ),
        (  # the same place, spelt in two ways
            f"{HEAD}paths: {{/a: {{$ref: 'a.yaml#/item'}}}}",
            {"a_yaml": "item: {get: {callbacks: {c: {x: {$ref: '#/%69tem'}}}}}"},
            "UnresolvableReference",
            "which leads back to itself",
        ),
        (  # found by bench.fuzz: whole maps
            with_schemas("{A: {oneOf: [{$ref: a.yaml}]}}"),
            {"a_yaml": "oneOf: [{properties: {$ref: '#'}}]"},
            "UnresolvableReference",
            "The $ref at a.yaml#/oneOf/0 points to 'a.yaml#', which leads back to itself",
        ),
    ],
)
def test_what_does_not_fit_together_is_said(root: str, files: dict[str, str], reason: str, message: str) -> None:
    error = refused(root, **files)
    assert error.reason == reason
    assert message in error.message


def test_findings_are_in_the_file_that_they_are_about() -> None:
    loaded = load(
        pack(
            bundle(
                f"{HEAD}paths: {{/pets: {{$ref: pets.yaml}}}}\ncomponents: {{schemas: {{A: {{minLength: x}}}}}}",
                pets_yaml=f"get: {{{ANSWER % 'Pet.yaml#/x'}, oops: 1}}",
                Pet_yaml="x: {type: string, maxLength: y}",
            )
        )
    )
    places = sorted(finding.place for finding in judge(loaded).findings)
    assert places == ["/components/schemas/A/minLength", "Pet.yaml#/x/maxLength", "pets.yaml#/get/oops"]


def test_references_that_lead_out_are_counted() -> None:
    report = judge(load(with_schemas("{A: {$ref: 'https://u:p@e.example/a.yaml?key=s3cret#/x'}}").encode()))
    assert (report.external, report.external_first) == (1, ["https://e.example/a.yaml#/x at /components/schemas/A"])
    assert report.valid


def test_a_bundle_is_the_same_for_the_same_files_and_unpacks_to_them() -> None:
    files = bundle(HEAD, b_yaml="b", a_yaml="a")
    shuffled = Bundle(root=ROOT, files=dict(reversed(files.files.items())))
    assert pack(files) == pack(shuffled)
    assert is_bundle(pack(files))
    assert unpack(pack(files)) == files


@pytest.mark.parametrize("cut", [600, 1500, 2100])
def test_a_damaged_bundle_is_refused(cut: int) -> None:
    with pytest.raises(DocumentError) as caught:
        load(pack(bundle(HEAD, a_yaml="a" * 2000))[:cut])
    assert caught.value.reason == "NotParseable"


def test_all_files_together_are_limited() -> None:
    data = pack(bundle(HEAD + "paths: {}", a_yaml="a" * 600, b_yaml="b" * 600))
    with pytest.raises(DocumentError) as caught:
        load(data, limits=Limits(max_bytes=1000))
    assert caught.value.reason == "LimitExceeded"


def test_what_stands_in_many_places_is_counted_in_each() -> None:
    """Path items are put in the place of their references: forty files of two each would make a tree of 2^40."""
    twice = "get: {callbacks: {c: {x: {$ref: NEXT}, y: {$ref: NEXT}}}}"
    files = {f"f{number}_yaml": twice.replace("NEXT", f"f{number + 1}.yaml") for number in range(40)}
    files["f40_yaml"] = f"get: {{{ANSWER % '{}'}}}".replace("$ref: {}", "type: string")
    error = refused(f"{HEAD}paths: {{/a: {{$ref: f0.yaml}}}}", **files)
    assert (error.reason, "2,000,000 values" in error.message) == ("LimitExceeded", True)


def test_the_same_contract_in_one_file_and_in_several_differs_in_nothing() -> None:
    from specsync.diffing import compare

    several = bundle(
        f"{HEAD}paths: {{/pets: {{$ref: pets.yaml}}}}",
        pets_yaml=f"get: {{{ANSWER % 'Pet.yaml'}}}",
        Pet_yaml="{type: object, required: [id], properties: {id: {type: string}}}",
    )
    one = (
        f"{HEAD}paths: {{/pets: {{get: {{{ANSWER % '#/components/schemas/Pet'}}}}}}}\n"
        "components: {schemas: {Pet: {type: object, required: [id], properties: {id: {type: string}}}}}"
    )
    before: Any = normalize(load(one.replace("#/components/schemas/Pet", "'#/components/schemas/Pet'").encode()))
    assert compare(before, normalize(load(pack(several)))).events == []
