"""Which defects of a document are found by the official schemas, where, and in which words."""

from __future__ import annotations

import pytest

from specsync.openapi.load import load
from specsync.openapi.validation import judge
from tests.unit.openapi.judging import OK, OPENAPI, SWAGGER2, V30, V31, V32, get, judged, single, with_schema

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
