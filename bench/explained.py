"""Which divergence of docs/divergences.md explains what one tool finds and the other doesn't.

The rows were made by looking at the documents: each names the edits that it is about, by pair, rule and place. What no
row covers is unexplained, and a defect until somebody has looked at it.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, NamedTuple

PAGE = Path(__file__).parent.parent / "docs" / "divergences.md"
Tool = Literal["oasdiff", "specsync", "either"]


class Row(NamedTuple):
    divergence: int
    finder: Tool
    """Who finds it, and the other doesn't; either: each finds it elsewhere."""
    pair: str
    """A pattern for the name of the pair, as for file names."""
    rule: str
    """A pattern for the id."""
    place: str = ""
    """A regular expression that is found in the place: oasdiff's arguments, or specsync's pointer."""


_SMALL = (
    Row(3, "specsync", "*common_request_parameter_max_items*", "request-parameter-max-items-decreased"),
    Row(1, "oasdiff", "*request_property_all_of_removed*", "request-*-all-of-removed"),
    Row(2, "oasdiff", "*request_property_all_of_removed*", "api-schema-removed"),
    Row(8, "oasdiff", "*transition_claims_enum*", "request-property-enum-value-removed"),
    Row(8, "oasdiff", "*transition_claims_enum*", "api-version-not-bumped"),  # for nothing breaks
    Row(11, "either", "*new_endpoints/base_with_path_param*", "endpoint-added"),
    Row(20, "specsync", "*openapi-test1.yaml*openapi-test5*", "request-parameter-type-changed"),
    Row(4, "oasdiff", "*pattern-modified-not-anystring*", "request-property-pattern-changed"),
    Row(5, "specsync", "*request-new-required-prop-base*", "request-property-became-required"),
    Row(5, "specsync", "*write-only-delete-partial*", "*-property-became-required"),
    Row(17, "specsync", "*write-only-delete-partial*", "*-property-type-*"),
)
_BOX = "box-120--box-0"
_GITHUB = "github-19.0.0--github-23.0.2"
_PLAID = "plaid-1--plaid-0"
_PLAID_FAR = "plaid-60--plaid-0"
_REAL = (
    Row(1, "oasdiff", _BOX, "response-property-one-of-added", "Folder--Mini"),
    Row(1, "oasdiff", _BOX, "response-required-property-removed", "^(answer|created_at) "),
    Row(1, "oasdiff", _BOX, "request-property-all-of-added", "^subschema #1 parent "),
    Row(22, "oasdiff", _BOX, "response-property-type-changed", r"allOf\[subschema #2\]/options type object any"),
    Row(22, "oasdiff", _BOX, "request-property-type-changed", "cards/items/ type any object"),
    Row(22, "oasdiff", _BOX, "request-property-all-of-added", "SkillCard items/value"),
    Row(9, "oasdiff", _BOX, "request-property-enum-value-removed", "^(true|false) "),
    Row(1, "specsync", _BOX, "response-property-type-changed", "^/components/schemas/File--Full/allOf/1/"),
    Row(7, "specsync", _BOX, "response-property-one-of-dropped", "LegalHoldPolicyAssignment/"),
    Row(8, "specsync", _BOX, "response-property-became-not-enum", "MetadataError/"),
    Row(1, "oasdiff", _GITHUB, "response-property-type-changed", "^repositories/items/ type object any"),
    Row(1, "oasdiff", _GITHUB, "response-required-property-removed", "^repositories/items/"),
    Row(5, "specsync", _GITHUB, "response-property-became-optional", "/nullable-actions-hosted-runner-pool-image/"),
    Row(7, "specsync", _GITHUB, "request-body-*-of-introduced", "(dependabot|-scanning)~1alerts|campaigns"),
    Row(1, "oasdiff", _PLAID, "response-property-type-changed", "_details/.* type string any"),
    Row(1, "oasdiff", _PLAID, "request-property-all-of-added", "ReasonCode|PdfReportType"),
    Row(1, "oasdiff", _PLAID, "request-property-enum-value-removed", "reason_code|report_requested"),
    Row(1, "oasdiff", _PLAID_FAR, "response-property-type-changed", "accounts/items/ type object any"),
    Row(1, "oasdiff", _PLAID_FAR, "response-property-type-changed", "credit_funds_source type string any"),
    Row(1, "oasdiff", _PLAID_FAR, "response-required-property-removed", "^(accounts/items|item)/"),
    Row(1, "specsync", _PLAID_FAR, "response-property-became-optional", "/Transaction(Base)?/"),
)


def divergence_of(finder: Tool, pair: str, rule: str, place: str) -> int | None:
    """The number of the divergence that explains a finding of one tool; None where nobody has explained it."""
    for row in (*_SMALL, *_REAL):
        if row.finder not in (finder, "either") or not fnmatchcase(pair, row.pair) or not fnmatchcase(rule, row.rule):
            continue
        if re.search(row.place, place):
            return row.divergence
    return None


def titles() -> dict[int, str]:
    """The headings of docs/divergences.md, by number."""
    headings = re.findall(r"^## (\d+)\. (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {int(number): title for number, title in headings}
