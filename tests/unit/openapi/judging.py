"""Documents to judge, in a line or two of YAML."""

from __future__ import annotations

from specsync.openapi.load import load
from specsync.openapi.validation import Finding, Report, judge

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
