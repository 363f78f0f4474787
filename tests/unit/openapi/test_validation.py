"""Which defects of a document are found, where, and in which words."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path
from typing import Any

import pytest

from specsync.openapi.load import load
from specsync.openapi.validation import Finding, Report, judge
from specsync.openapi.validation.findings import MOST_COUNTED, MOST_KEPT

CONFORMANCE = Path(
    os.environ.get("SPECSYNC_CONFORMANCE_DIR") or Path(__file__).parents[3].parent / "shared" / "conformance"
)
SWAGGER2, V30, V31, V32 = "swagger: '2.0'", "openapi: 3.0.4", "openapi: 3.1.1", "openapi: 3.2.0"
OPENAPI = (V30, V31, V32)
HEAD = "\ninfo: {title: t, version: '1'}\n"
OK = "responses: {'200': {description: ok}}"


def get(fields: str, path: str = "/a") -> str:
    """A document's paths: one operation with these fields."""
    return f"paths: {{{path}: {{get: {{{fields}, {OK}}}}}}}"


def judged(version: str, body: str) -> Report:
    return judge(load((version + HEAD + body).encode()))


def single(version: str, body: str) -> Finding:
    """The only finding of a document."""
    [finding] = judged(version, body).findings
    return finding


def with_schema(version: str, schema: str) -> Finding:
    body = f"paths: {{}}\ndefinitions: {{S: {schema}}}"
    if version != SWAGGER2:
        body = f"paths: {{}}\ncomponents: {{schemas: {{S: {schema}}}}}"
    return single(version, body)


# versions, what is wrong, rule, pointer, message
DEFECTS: list[tuple[tuple[str, ...], str, str, str, str]] = [
    (
        OPENAPI,
        f"paths: {{/a: {{get: {{{OK}, oprationId: x}}}}}}",
        "schema-unknown-field",
        "/paths/~1a/get/oprationId",
        "isn't a field of this object; correct its name, or begin it with x-",
    ),
    (OPENAPI, "paths: {a: {}}", "schema-unknown-field", "/paths/a", 'is no path: it must begin with "/"'),
    (
        OPENAPI,
        "paths: {/a: {get: {responses: {ok: {description: x}, '200': {description: x}}}}}",
        "schema-unknown-field",
        "/paths/~1a/get/responses/ok",
        "is no status code: it must be three digits, such as 404 or 4XX, or default",
    ),
    (
        (SWAGGER2, V30, V31),
        "paths: {/a: {get: {responses: {'200': {}}}}}",
        "schema-required",
        "/paths/~1a/get/responses/200",
        '"description" is missing',
    ),
    (
        OPENAPI,
        get("parameters: [{name: id, in: path, schema: {}}]", "'/{id}'"),
        "schema-required",
        "/paths/~1{id}/get/parameters/0",
        '"required" is missing',
    ),
    (
        OPENAPI,
        get("parameters: [{name: id, in: query, schema: {}, content: {a/b: {}}}]"),
        "schema-exclusive",
        "/paths/~1a/get/parameters/0",
        'has "schema" and "content", which exclude each other',
    ),
    (
        (V30, V31),
        get("parameters: [{name: id, in: body, schema: {}}]"),
        "schema-enum",
        "/paths/~1a/get/parameters/0/in",
        'is "body"; it must be one of ',
    ),
    (
        OPENAPI,
        "paths: {/a: {get: 5}}",
        "schema-type",
        "/paths/~1a/get",
        "is 5, but must be an object",
    ),
    (OPENAPI, f"paths: {{/a: {{get: {{{OK}, deprecated: yes}}}}}}", "schema-type", "/paths/~1a/get/deprecated", ""),
    (
        (SWAGGER2,),
        "host: https://a.example\npaths: {}",
        "schema-pattern",
        "/host",
        'is "https://a.example", which doesn\'t match ',
    ),
    (
        (SWAGGER2,),
        "paths: {}\nsecurityDefinitions: {k: {type: apiKey, name: x, in: cookie}}",
        "schema-enum",
        "/securityDefinitions/k/in",
        'is "cookie"; it must be one of "header", "query"',
    ),
    (
        (SWAGGER2,),
        get("parameters: [{name: a, in: body, schema: {}}, {name: b, in: body, schema: {}}]"),
        "parameter-bodies",
        "/paths/~1a/get",
        "has more than one body parameter",
    ),
    (
        (SWAGGER2,),
        get("parameters: [{name: a, in: body, schema: {}}, {name: b, in: formData, type: string}]"),
        "parameter-bodies",
        "/paths/~1a/get",
        "has body and formData parameters, which exclude each other",
    ),
    (
        (SWAGGER2, *OPENAPI),
        f"paths: {{/a: {{get: {{operationId: x, {OK}}}}}, /b: {{put: {{operationId: x, {OK}}}}}}}",
        "operation-id-duplicate",
        "/paths/~1b/put/operationId",
        '"x" is the operationId of /paths/~1a/get too; each needs its own',
    ),
    (
        (SWAGGER2, *OPENAPI),
        f"paths: {{'/a/{{id}}': {{get: {{{OK}}}}}}}",
        "path-parameter-undeclared",
        "/paths/~1a~1{id}/get",
        "{id} in the path has no parameter; declare it with in: path",
    ),
    (
        (SWAGGER2, *OPENAPI),
        "paths: {'/a/{x}': {}, '/a/{y}': {}}",
        "path-ambiguous",
        "/paths/~1a~1{y}",
        'is the same path as "/a/{x}": they differ in their parameters\' names only',
    ),
    (
        (SWAGGER2, *OPENAPI),
        "paths: {}\nsecurity: [{key: []}]",
        "security-scheme-undeclared",
        "/security/0/key",
        '"key" is no security scheme of this document; declare it, or correct the name',
    ),
    (
        OPENAPI,
        "paths: {/a: {get: {responses: {'200': {$ref: '#/components/responses/No'}}}}}",
        "reference-unresolvable",
        "/paths/~1a/get/responses/200/$ref",
        '"#/components/responses/No" isn\'t in the document; add what is missing, or correct the reference',
    ),
]


@pytest.mark.parametrize(
    ("version", "defect"),
    [(version, defect) for defect in DEFECTS for version in defect[0]],
    ids=lambda value: value[3].strip("/") if isinstance(value, tuple) else value[-5:],
)
def test_defects(version: str, defect: tuple[tuple[str, ...], str, str, str, str]) -> None:
    _, body, rule, pointer, message = defect
    found = single(version, body)
    assert (found.rule, found.pointer, found.severity) == (rule, pointer, "error")
    assert found.message.startswith(message)


@pytest.mark.parametrize("version", [SWAGGER2, *OPENAPI])
@pytest.mark.parametrize(
    ("schema", "below", "message"),
    [
        ("{type: strin}", "/type", 'is "strin"; it must be one of "array", "boolean", "integer", '),
        ("{minLength: '1'}", "/minLength", 'is "1", but must be an integer'),
        ("{minLength: -1}", "/minLength", "must be at least 0"),
        ("{required: true}", "/required", "is true, but must be a list"),
        ("{properties: {a: {allOf: [{maximum: x}]}}}", "/properties/a/allOf/0/maximum", 'is "x", but must be a number'),
        ("{enum: 5}", "/enum", "is 5, but must be a list"),
        ("[]", "", "is a list, but must be "),
    ],
)
def test_defects_of_schemas(version: str, schema: str, below: str, message: str) -> None:
    found = with_schema(version, schema)
    room = "/definitions" if version == SWAGGER2 else "/components/schemas"
    assert found.pointer == f"{room}/S{below}"
    assert found.message.startswith(message)
    assert found.rule.startswith("schema-")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1.0", "is the number 1.0, but must be a string: write it in quotes"),
        ("yes", None),
        ("true", "is true, but must be a string: write it in quotes"),
        ("", "is null (empty), but must be a string"),
        ("[1]", "is a list, but must be a string"),
    ],
)
def test_values_that_yaml_reads_as_something_else(value: str, message: str | None) -> None:
    report = judge(load(f"openapi: 3.0.4\ninfo: {{title: t, version: {value}}}\npaths: {{}}".encode()))
    assert [finding.message for finding in report.findings] == ([message] if message else [])


def test_every_unknown_field_has_its_own_finding() -> None:
    report = judged(V30, "paths: {}\nextra: 1\nmore: 2")
    assert {finding.pointer for finding in report.findings} == {"/extra", "/more"}


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


def test_schemas_of_another_dialect_are_not_judged() -> None:
    schema = "components: {schemas: {S: {minLength: x}}}"
    assert judged(V31, f"paths: {{}}\n{schema}").errors == 1
    dialect = "jsonSchemaDialect: https://json-schema.org/draft/2019-09/schema"
    assert judged(V31, f"paths: {{}}\n{schema}\n{dialect}").findings == []
    own = "jsonSchemaDialect: https://spec.openapis.org/oas/3.1/dialect/base"
    assert judged(V31, f"paths: {{}}\n{schema}\n{own}").errors == 1


def test_known_fields_do_not_look_unknown_where_something_else_is_wrong() -> None:
    body = get("parameters: [{name: q, in: query, example: 1, examples: {}, schema: {}}]")
    for version in (V31, V32):
        assert [finding.rule for finding in judged(version, body).findings] in (["schema-exclusive"], [])


def test_swagger_pointers_are_those_of_the_document() -> None:
    body = "paths: {/a: {get: {responses: {'200': {description: x, schema: {$ref: '#/definitions/No'}}}}}}"
    assert single(SWAGGER2, body).pointer == "/paths/~1a/get/responses/200/schema/$ref"


def test_findings_are_bounded_and_counted_to_an_end() -> None:
    schemas = {f"S{number}": {"minLength": -1} for number in range(MOST_KEPT + 100)}
    document: dict[str, Any] = {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {}}
    report = judge(load(json.dumps({**document, "components": {"schemas": schemas}}).encode()))
    assert (report.errors, len(report.findings), report.complete) == (MOST_KEPT + 100, MOST_KEPT, True)
    schemas = {f"S{number}": {"minLength": -1} for number in range(MOST_COUNTED + 5)}
    report = judge(load(json.dumps({**document, "components": {"schemas": schemas}}).encode()))
    assert (report.errors, report.complete) == (MOST_COUNTED, False)
    assert report.counted == "more than 10,000 errors"


def test_messages_are_short_whatever_the_document_holds() -> None:
    long = "x" * 100_000
    document = {
        "openapi": "3.0.3",
        "info": {"title": 10**400, "version": {long: long}, long: 1},
        "paths": {"/a": {"get": {"operationId": long, "responses": {long: long}, "parameters": [{"$ref": long}]}}},
        "components": {"schemas": {"S": {"type": long, "enum": long, "oneOf": [{"type": long}, long]}}},
    }
    report = judge(load(json.dumps(document).encode()))
    assert report.errors > 5
    assert max(len(finding.message) for finding in report.findings) < 400


def test_nonsense_in_every_place_is_borne() -> None:
    values: tuple[Any, ...] = (
        None,
        5,
        "x",
        [],
        {},
        [None],
        {"a": None},
        [[]],
        {"/a": [{}]},
        [{"$ref": 5}],
        {"$ref": "#/a/0/b"},
    )
    for value in values:
        for key in ("info", "paths", "components", "security", "servers", "tags", "webhooks", "definitions"):
            for version in ({"swagger": "2.0"}, {"openapi": "3.0.3"}, {"openapi": "3.1.0"}, {"openapi": "3.2.0"}):
                judge(load(json.dumps({**version, key: value}).encode()))
                paths = {"/{a}": {"get": value, "parameters": value, "post": {key: value, "parameters": value}}}
                judge(load(json.dumps({**version, "paths": paths}).encode()))


@pytest.mark.skipif(not CONFORMANCE.is_dir(), reason="no conformance data: set SPECSYNC_CONFORMANCE_DIR")
def test_real_documents() -> None:
    found = {}
    for path in sorted(CONFORMANCE.glob("real/*.xz")):
        report = judge(load(lzma.decompress(path.read_bytes())))
        found[path.name.split(".")[0]] = {(each.rule, each.pointer) for each in report.findings}
    # Two pairs of GitHub's paths differ in the name of a parameter only; all else is as it should be, but for defaults.
    assert {name: {rule for rule, _ in rules} for name, rules in found.items() if rules} == {
        "github-19": {"default-type"},
        "github-23": {"path-ambiguous"},
    }


def test_what_would_cost_too_much_memory_has_one_finding() -> None:
    schema: dict[str, Any] = {"minLength": "x"}
    for _ in range(60):
        schema = {"properties": {"p": schema, **{f"q{number}": {"type": "string"} for number in range(500)}}}
    document = {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {}}
    report = judge(load(json.dumps({**document, "components": {"schemas": {"S": schema, "T": 5}}}).encode()))
    assert {(each.rule, each.pointer) for each in report.findings} == {
        ("schema-unlocated", "/components/schemas/S"),
        ("schema-type", "/components/schemas/T"),
    }
