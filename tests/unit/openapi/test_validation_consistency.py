"""What must hold between the parts of a document, which no schema can say."""

from __future__ import annotations

import pytest

from specsync.openapi.bundle import shown_name
from tests.unit.openapi.judging import OK, SWAGGER2, V30, V31, V32, get, judged, single


def test_parameters_declared_for_the_path_and_by_reference_count() -> None:
    body = """
paths:
  /a/{x}/{y}:
    parameters: [{$ref: '#/components/parameters/X'}]
    get:
      parameters: [{name: y, in: path, required: true, schema: {}}]
      responses: {'200': {description: ok}}
    put: {responses: {'200': {description: ok}}}
components:
  parameters:
    X: {name: x, in: path, required: true, schema: {}}
"""
    assert single(V30, body).pointer == "/paths/~1a~1{x}~1{y}/put"


def test_parameters_elsewhere_may_be_any() -> None:
    body = f"paths: {{'/a/{{x}}': {{get: {{parameters: [{{$ref: 'other.yaml#/X'}}], {OK}}}}}}}"
    assert judged(V30, body).findings == []


def test_a_path_parameter_without_a_place_in_the_path() -> None:
    body = get("parameters: [{name: x, in: path, required: true, schema: {}}]")
    found = single(V31, body)
    assert (found.rule, found.pointer) == ("path-parameter-unused", "/paths/~1a/get/parameters/0")


def test_a_parameter_twice_in_one_list_but_not_in_two() -> None:
    twice = "[{name: q, in: query, schema: {}}, {name: q, in: query, schema: {type: string}}]"
    once = "[{name: q, in: query, schema: {}}]"
    found = single(V31, f"paths: {{/a: {{get: {{parameters: {twice}, {OK}}}}}}}")
    assert (found.rule, found.pointer) == ("parameter-duplicate", "/paths/~1a/get/parameters/1")
    assert judged(V31, f"paths: {{/a: {{parameters: {once}, get: {{parameters: {once}, {OK}}}}}}}").valid
    other = "[{name: q, in: query, schema: {}}, {name: q, in: header, schema: {}}]"
    assert judged(V31, f"paths: {{/a: {{get: {{parameters: {other}, {OK}}}}}}}").valid


def test_operation_ids_of_webhooks_and_additional_operations_count() -> None:
    body = f"""
paths: {{/a: {{get: {{operationId: x, {OK}}}, additionalOperations: {{COPY: {{operationId: x, {OK}}}}}}}}}
webhooks: {{w: {{post: {{operationId: x, {OK}}}}}}}
"""
    pointers = {finding.pointer for finding in judged(V32, body).findings}
    assert pointers == {"/paths/~1a/additionalOperations/COPY/operationId", "/webhooks/w/post/operationId"}


@pytest.mark.parametrize("reference", ["$ref: '#tree'", "$ref: '#'", "$dynamicRef: '#tree'"])
def test_references_that_are_not_followed_are_told(reference: str) -> None:
    found = single(V31, f"paths: {{}}\ncomponents: {{schemas: {{S: {{$anchor: tree, items: {{{reference}}}}}}}}}")
    assert (found.rule, found.severity) == ("reference-not-followed", "warning")
    assert found.pointer == f"/components/schemas/S/items/{reference.partition(':')[0]}"
    assert "isn't followed, so no change behind it is seen" in found.message


def test_what_looks_like_a_schema_in_an_example_of_swagger_is_none() -> None:
    example = "{application/json: {$ref: '#/nowhere', type: integer, default: x}}"
    body = f"paths: {{/a: {{get: {{responses: {{'200': {{description: ok, examples: {example}}}}}}}}}}}"
    assert judged(SWAGGER2, body).findings == []


def test_references_to_other_servers_are_told_without_what_may_be_secret() -> None:
    reference = "https://me@corp:pass@word@files.example/a.yaml?token=secret#/A"
    report = judged(V31, f"paths: {{}}\ncomponents: {{schemas: {{S: {{$ref: '{reference}'}}}}}}")
    assert report.external_first == ["https://files.example/a.yaml#/A at /components/schemas/S"]
    assert shown_name(reference.partition("#")[0], "https://api.example/") == "https://files.example/a.yaml"


def test_references_in_examples_and_extensions_are_none() -> None:
    body = """
paths: {}
x-notes: {$ref: '#/nowhere'}
components:
  examples: {E: {value: {$ref: '#/nowhere'}}}
  schemas:
    S:
      example: {$ref: '#/nowhere'}
      default: {$ref: '#/nowhere'}
      properties: {example: {$ref: '#/components/schemas/S'}, $ref: {type: string}}
"""
    assert judged(V30, body).findings == []
    assert judged(V30, body.replace("example: {$ref: '#/components/schemas/S'}", "example: {$ref: '#/no'}")).errors == 1


def test_references_by_other_pointers_and_out_of_the_document_are_fine() -> None:
    body = """
paths: {/a b: {get: {responses: {'200': {description: ok, content: {a/b: {schema: {type: string}}}}}}}}
components:
  schemas:
    A: {$ref: '#/paths/~1a%20b/get/responses/200/content/a~1b/schema'}
    B: {$ref: 'https://a.example/#/x'}
    C: {$ref: other.yaml}
"""
    assert judged(V30, body).findings == []


@pytest.mark.parametrize(
    ("schema", "rule"),
    [
        ("{type: integer, default: x}", "default-type"),
        ("{type: boolean, default: 'false'}", "default-type"),
        ("{type: integer, default: true}", "default-type"),
        ("{type: string, enum: [a, b], default: c}", "default-enum"),
        ("{type: integer, default: 1.0}", None),
        ("{type: number, default: 1}", None),
        ("{type: string, default: null, nullable: true}", None),
        ("{type: array, items: {}, default: []}", None),
        ("{default: anything}", None),
    ],
)
def test_defaults(schema: str, rule: str | None) -> None:
    report = judged(V30, f"paths: {{}}\ncomponents: {{schemas: {{S: {schema}}}}}")
    assert report.valid
    assert [finding.rule for finding in report.findings] == ([rule] if rule else [])
    assert all(finding.severity == "warning" for finding in report.findings)


def test_swagger_pointers_are_those_of_the_document() -> None:
    body = "paths: {/a: {get: {responses: {'200': {description: x, schema: {$ref: '#/definitions/No'}}}}}}"
    assert single(SWAGGER2, body).pointer == "/paths/~1a/get/responses/200/schema/$ref"
