"""A part of a document: what is in it, and that nothing else leaves a trace."""

from __future__ import annotations

import copy
import json
import lzma
import os
from pathlib import Path
from typing import Any

import pytest

from specsync.openapi.canonical import CanonicalDocument, normalize
from specsync.openapi.load import load
from specsync.openapi.selection import Selection, domain_pattern, endpoint_pattern, select_part

CONFORMANCE = Path(
    os.environ.get("SPECSYNC_CONFORMANCE_DIR") or Path(__file__).parents[3].parent / "shared" / "conformance"
)


def answer(schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"200": {"description": "ok", "content": content}}


def api() -> dict[str, Any]:
    return {
        "openapi": "3.0.3",
        "info": {"title": "Shop", "version": "1"},
        "servers": [{"url": "https://a.example"}],
        "security": [{"key": []}],
        "paths": {
            "/v1/orders": {
                "get": {"tags": ["Orders"], "responses": answer("Order")},
                "post": {"tags": ["Orders", "Writing"], "security": [{"oauth": []}], "responses": answer("Order")},
            },
            "/v1/orders/{id}": {"delete": {"tags": ["Orders"], "responses": answer("Nothing")}},
            "/v1/invoices": {"get": {"tags": ["Billing"], "responses": answer("Invoice")}},
            "/stock/{id}/items": {"get": {"responses": answer("Animal")}},
        },
        "components": {
            "schemas": {
                "Order": {"type": "object", "properties": {"line": {"$ref": "#/components/schemas/Line"}}},
                "Line": {"type": "object", "properties": {"order": {"$ref": "#/components/schemas/Order"}}},
                "Nothing": {"type": "string"},
                "Invoice": {"type": "object", "properties": {"nothing": {"$ref": "#/components/schemas/Nothing"}}},
                "Animal": {
                    "type": "object",
                    "discriminator": {
                        "propertyName": "kind",
                        "mapping": {"cat": "#/components/schemas/Cat", "dog": "Dog"},
                    },
                },
                "Cat": {"type": "object"},
                "Dog": {"type": "object"},
                "Unused": {"type": "object"},
            },
            "securitySchemes": {
                "key": {"type": "apiKey", "name": "k", "in": "header"},
                "oauth": {"type": "http", "scheme": "bearer"},
                "unused": {"type": "http", "scheme": "basic"},
            },
        },
    }


def canonical(document: dict[str, Any]) -> CanonicalDocument:
    return normalize(load(json.dumps(document).encode()))


def selected(document: dict[str, Any], **selection: list[str]) -> CanonicalDocument:
    return select_part(canonical(document), Selection(**selection))[0]


def chosen(**selection: list[str]) -> set[str]:
    return {f"{each.method} {each.path}" for each in selected(api(), **selection).operations}


@pytest.mark.parametrize(
    ("domain", "count"), [("Orders", 3), ("Writing", 1), ("stock", 1), ("v1", 0), ("B*", 1), ("*", 5), ("orders", 0)]
)
def test_domains(domain: str, count: int) -> None:
    assert len(chosen(domains=[domain])) == count


@pytest.mark.parametrize(
    ("endpoint", "found"),
    [
        ("/v1/orders", {"GET /v1/orders", "POST /v1/orders"}),
        ("GET /v1/orders", {"GET /v1/orders"}),
        ("get  /v1/orders", {"GET /v1/orders"}),
        ("* /v1/orders", {"GET /v1/orders", "POST /v1/orders"}),
        ("/v1/*", {"GET /v1/orders", "POST /v1/orders", "GET /v1/invoices"}),
        ("/v1/orders/{orderId}", {"DELETE /v1/orders/{id}"}),
        ("/v1/orders/*", {"DELETE /v1/orders/{id}"}),
        ("DELETE /**", {"DELETE /v1/orders/{id}"}),
        ("/v?/invoices", {"GET /v1/invoices"}),
        ("/stock/**", {"GET /stock/{id}/items"}),
        ("/stock/*", set()),
        ("/v1.orders", set()),
        ("PUT /v1/orders", set()),
    ],
)
def test_endpoints(endpoint: str, found: set[str]) -> None:
    assert chosen(endpoints=[endpoint]) == found


def test_both_add_up_and_what_fits_nothing_is_named() -> None:
    part, unmatched = select_part(
        canonical(api()), Selection(domains=["Billing", "Biling"], endpoints=["/stock/**", "/v1/invoices", "PUT /x"])
    )
    assert [each.path for each in part.operations] == ["/stock/{id}/items", "/v1/invoices"]
    assert unmatched == ["Biling", "PUT /x"]


def test_what_the_part_reaches_is_in_it() -> None:
    part = selected(api(), endpoints=["POST /v1/orders"])
    assert part.component_names("schemas") == {"Order", "Line"}
    assert part.component_names("securitySchemes") == {"oauth"}
    assert part.security is None
    part = selected(api(), domains=["stock"])
    assert part.component_names("schemas") == {"Animal", "Cat", "Dog"}
    assert part.component_names("securitySchemes") == {"key"}
    assert part.security == [{"key": []}]
    assert part.servers is not None


def test_a_property_may_be_called_mapping_and_a_mapping_may_hold_braces() -> None:
    document = api()
    schemas = document["components"]["schemas"]
    schemas["Invoice"]["properties"]["mapping"] = {"type": "string", "pattern": '^[^}"]*$'}
    schemas["Animal"]["discriminator"]["mapping"] = {"{odd}": "Cat", '"}': "#/components/schemas/Dog"}
    part = selected(document, domains=["stock", "Billing"])
    assert part.component_names("schemas") == {"Animal", "Cat", "Dog", "Invoice", "Nothing"}


@pytest.mark.parametrize(
    ("endpoint", "path", "fits"),
    [
        ("/**a*b", "/a/ab", True),
        ("/**a*b", "/ab/a", False),
        ("/***a**?ab*", "/bbaaab{x}", True),
        ("/*a*/b*c", "/xaax/bcc", True),
        ("/a{*}**b", "/a{x}cb", True),
        ("/" + "**a" * 80, "/" + "a" * 2000 + "b", False),
        ("/" + "*a" * 120, "/" + "a" * 2000 + "b", False),
        ("/**" + "*a" * 100, "/" + "a" * 2000 + "b", False),
    ],
)
def test_patterns_of_many_stars_find_what_fits_and_come_to_an_end(endpoint: str, path: str, fits: bool) -> None:
    assert (endpoint_pattern(endpoint)[1].fullmatch(path) is not None) is fits


def test_domain_patterns_of_many_stars_come_to_an_end() -> None:
    assert domain_pattern("*a" * 60).fullmatch("ba" * 60)
    assert not domain_pattern("*a" * 60).fullmatch("a" * 5000 + "b")


def test_a_part_is_a_canonical_form_as_any_other() -> None:
    part = selected(api(), domains=["Orders"])
    again = CanonicalDocument.from_bytes(part.to_bytes())
    assert again.digest == part.digest
    assert select_part(part, Selection(domains=["Orders"]))[0].digest == part.digest
    assert part.domains == ["Orders"]
    assert part.operation(part.operations[0]).tags == ["Orders"]


def test_all_of_a_document_is_all_of_its_operations() -> None:
    whole, part = canonical(api()), selected(api(), endpoints=["/**"])
    assert [each.digest for each in part.operations] == [each.digest for each in whole.operations]


def test_the_digest_changes_with_the_part_only() -> None:
    def digest(document: dict[str, Any]) -> str:
        return selected(document, domains=["Billing"]).digest

    def changed(*path: str, to: Any) -> str:
        document = copy.deepcopy(api())
        place: Any = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to
        return digest(document)

    before = digest(api())
    assert changed("info", "version", to="2") == before
    assert changed("paths", "/new", to={"get": {"responses": answer("Order")}}) == before
    assert changed("components", "schemas", "Order", to={"type": "string"}) == before
    assert changed("components", "securitySchemes", "unused", to={"type": "http", "scheme": "digest"}) == before
    assert changed("components", "schemas", "Line", "required", to=5) == before

    assert changed("components", "schemas", "Nothing", to={"type": "integer"}) != before
    assert changed("components", "securitySchemes", "key", "in", to="query") != before
    assert changed("security", to=[]) != before
    assert changed("servers", to=[{"url": "https://b.example"}]) != before
    assert changed("paths", "/v1/bills", to={"get": {"tags": ["Billing"], "responses": answer("Order")}}) != before


def test_webhooks_are_selected_by_their_tags() -> None:
    document = api()
    document["openapi"] = "3.1.0"
    document["webhooks"] = {
        "paid": {"post": {"tags": ["Billing"], "responses": answer("Line")}},
        "sent": {"post": {"responses": answer("Cat")}},
    }
    part = selected(document, domains=["Billing"])
    assert [each.path for each in part.webhooks] == ["paid"]
    assert part.component_names("schemas") >= {"Invoice", "Line", "Order"}
    assert selected(document, endpoints=["/**"]).webhooks == []


def test_parts_that_are_referred_to_by_their_place() -> None:
    document = api()
    place = "#/paths/~1v1~1invoices/get/responses/200/content/application~1json/schema"
    document["paths"]["/stock/{id}/items"]["get"]["responses"]["200"]["content"]["application/json"]["schema"] = {
        "type": "array",
        "items": {"$ref": place},
    }
    part = selected(document, domains=["stock"])
    assert part.component_names("schemas") == {place, "Invoice", "Nothing"}


@pytest.mark.skipif(not CONFORMANCE.is_dir(), reason="no conformance data: set SPECSYNC_CONFORMANCE_DIR")
def test_no_reference_of_a_real_part_is_left_dangling() -> None:
    whole = normalize(load(lzma.decompress((CONFORMANCE / "real" / "github-23.0.2.json.xz").read_bytes())))
    for domain in whole.domains:
        part, unmatched = select_part(whole, Selection(domains=[domain]))
        assert not unmatched
        again = select_part(part, Selection(endpoints=["/**"]))[0]
        assert again.component_names("schemas") == part.component_names("schemas")
        for kind in ("schemas", "parameters", "responses", "headers"):
            for name in part.component_names(kind):
                assert part.component_digest(kind, name) == whole.component_digest(kind, name)
