"""Which lines of an ignore file cover which changes."""

from __future__ import annotations

import pytest

from specsync.diffing.comparison import Event, Location, OperationRef
from specsync.diffing.ignores import Ignores

ENUM = Event(
    id="request-property-enum-value-removed",
    kind="enum_changed",
    severity="breaking",
    operation=OperationRef("POST", "/pets/{id}"),
    location=Location("/components/schemas/Pet/properties/kind/enum", "/components/schemas/Pet/properties/kind/enum"),
    summary="request property `pet/kind`: enum value dog removed",
    before="dog",
    cause="00112233445566aa",
    fingerprint="aabbccddeeff0011",
)
STATUS = Event(
    id="response-success-status-removed",
    kind="response_status_changed",
    severity="breaking",
    operation=OperationRef("GET", "/api/{domain}/badges/security-score"),
    location=Location("/paths/~1api~1{domain}~1badges~1security-score/get/responses/200", None),
    summary="success response 200 removed",
    cause="1111111111111111",
    fingerprint="2222222222222222",
)
SCHEMA = Event(
    id="api-schema-removed",
    kind="schema_removed",
    severity="safe",
    location=Location("/components/schemas/rules", None),
    summary="schema rules removed",
    cause="3333333333333333",
    fingerprint="4444444444444444",
)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (ENUM, "POST /pets/{id} request property `pet/kind`: enum value dog removed"),
        (ENUM, "- 2026-01-12 post /PETS/{id} Request property `pet/kind`:  enum value dog removed, agreed with all"),
        (ENUM, "POST /pets/{id} request-property-enum-value-removed"),
        (ENUM, "POST /pets/{id} request-property-enum-value-removed `dog`"),
        (ENUM, "aabbccddeeff0011"),
        (ENUM, "the whole edit: 00112233445566aa, see the minutes"),
        # as oasdiff prints it: in its own words, in its one-line format, and with single quotes as once
        (ENUM, "POST /pets/{id} removed the enum value `dog` of the request property `pet/kind`"),
        (
            ENUM,
            "error at new.yaml, in API POST /pets/{id} removed the enum value `dog` of the request property "
            "`allOf[subschema #1: Base]/pet/kind/` [request-property-enum-value-removed].",
        ),
        (ENUM, "POST /pets/{id} removed the enum value 'dog' of the request property 'pet/kind'"),
        (STATUS, "GET /api/{domain}/badges/security-score removed the success response with the status '200'"),
        (
            STATUS,
            "- 12.01.2023 In GET /api/{domain}/badges/security-score we removed the success response status `200`",
        ),
        (SCHEMA, "components removed the schema 'rules'"),
        (SCHEMA, " - 31.10.2023 Removed the schema `rules` from components"),
        (SCHEMA, "components schema rules removed"),
    ],
)
def test_covered(event: Event, line: str) -> None:
    assert Ignores(["# agreed", "", line]).covers(event)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (ENUM, "request property `pet/kind`: enum value dog removed"),  # nowhere
        (ENUM, "GET /pets/{id} request property `pet/kind`: enum value dog removed"),  # elsewhere
        (ENUM, "POST /pets/{id}/x request property `pet/kind`: enum value dog removed"),
        (ENUM, "POST /pets/{id} removed the enum value `cat` of the request property `pet/kind`"),  # another value
        (ENUM, "POST /pets/{id} removed the enum value `dog` of the request property `kind`"),  # another property
        (ENUM, "POST /pets/{id} added the new enum value `dog` to the request property `pet/kind`"),
        (ENUM, "POST /pets/{id} removed the enum value `dog` of the response property `pet/kind`"),
        (ENUM, "POST /pets/{id} removed the request property `pet/kind`"),
        (ENUM, "POST /pets/{id} request-property-enum-value-removed `cat`"),
        (ENUM, "POST /pets/{id}"),
        (ENUM, "# POST /pets/{id} request property `pet/kind`: enum value dog removed"),
        (ENUM, "aabbccddeeff001"),
        (STATUS, "GET /api/{domain}/badges/security-score removed the success response with the status '201'"),
        (STATUS, "GET /api/{domain}/badges/security-score removed the response property `200`"),
        (SCHEMA, "removed the schema 'rules'"),
        (SCHEMA, "components removed the schema 'network-policies'"),
        (SCHEMA, "components added the schema 'rules'"),
    ],
)
def test_not_covered(event: Event, line: str) -> None:
    assert not Ignores([line]).covers(event)
