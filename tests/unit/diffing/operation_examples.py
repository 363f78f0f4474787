"""The smallest pairs for the rules that aren't about schemas, by rule id."""

from __future__ import annotations

from typing import Any

from tests.unit.diffing.documents import Tree, document, with_header, with_parameter, with_request, with_response
from tests.unit.diffing.examples import LATER, OBJECT, PAST, SOON, TEXT, dated

OK: Tree = {"responses": {"200": {"description": ""}}}


def _operation(**fields: Any) -> Tree:
    return document({"/pets": {"get": {**OK, **fields}, "put": OK}})


def _gone(**fields: Any) -> tuple[Tree, Tree]:
    """An operation of a path that stays."""
    return _operation(**fields), document({"/pets": {"put": OK}})


def _gone_path(**fields: Any) -> tuple[Tree, Tree]:
    return document({"/pets": {"get": {**OK, **fields}}}), document()


def _parameter(**fields: Any) -> Tree:
    return document({"/pets": {"get": {**OK, "parameters": [{"name": "q", "in": "query", "schema": TEXT, **fields}]}}})


def _path_parameter() -> tuple[Tree, Tree]:
    parameter = {"name": "id", "in": "path", "required": True, "schema": TEXT}
    path = "/pets/{id}"
    return document({path: {"get": OK}}), document({path: {"get": {**OK, "parameters": [parameter]}}})


def _shared_parameter(*, required: bool) -> tuple[Tree, Tree]:
    parameter = {"name": "q", "in": "query", "required": required, "schema": TEXT}
    return document({"/pets": {"get": OK}}), document({"/pets": {"get": OK, "parameters": [parameter]}})


def _body(required: bool | None, *media_types: str) -> Tree:
    if required is None:
        return document({"/pets": {"post": OK}})
    content = {name: {"schema": OBJECT} for name in media_types or ("application/json",)}
    return document({"/pets": {"post": {**OK, "requestBody": {"required": required, "content": content}}}})


def _without_schema(tree: Tree) -> Tree:
    (operation,) = tree["paths"]["/pets"].values()
    holder = operation.get("requestBody") or operation["responses"]["200"]
    return document(
        {
            "/pets": {
                method: {
                    **fields,
                    **(
                        {"requestBody": {**holder, "content": {"application/json": {}}}}
                        if "requestBody" in fields
                        else {"responses": {"200": {**holder, "content": {"application/json": {}}}}}
                    ),
                }
                for method, fields in tree["paths"]["/pets"].items()
            }
        }
    )


def _answers(*names: str) -> Tree:
    content = {name: {"schema": OBJECT} for name in names}
    return document({"/pets": {"get": {"responses": {"200": {"description": "", "content": content}}}}})


def _statuses(*statuses: str) -> Tree:
    return document({"/pets": {"get": {"responses": {status: {"description": ""} for status in statuses}}}})


def _scheme(**fields: Any) -> Tree:
    return document(components={"securitySchemes": {"Auth": fields}} if fields else {"securitySchemes": {}})


def _asked(tree: Tree) -> Tree:
    return {**tree, "security": [{"Auth": []}]}


def _key(location: str, name: str) -> Tree:
    return _scheme(type="apiKey", **{"in": location, "name": name})


def _flow(**fields: Any) -> Tree:
    flow = {"authorizationUrl": "https://a.example/", "tokenUrl": "https://t.example/", "scopes": {"read": "Read"}}
    return _scheme(type="oauth2", flows={"authorizationCode": {**flow, **fields}})


def _breaking(old: str, new: str) -> tuple[Tree, Tree]:
    return document({"/pets": {"get": OK}}, api_version=old), document(api_version=new)


def _sent(**fields: Any) -> Tree:
    """A query parameter that is sent in some way."""
    return document({"/pets": {"get": {**OK, "parameters": [{"name": "q", "in": "query", **fields}]}}})


def _form(**encoding: Any) -> Tree:
    content = {"multipart/form-data": {"schema": OBJECT, "encoding": encoding}}
    return document({"/pets": {"post": {**OK, "requestBody": {"content": content}}}})


def _mixed(**encoding: Any) -> Tree:
    content = {"multipart/mixed": {"schema": OBJECT, "encoding": encoding}}
    return document({"/pets": {"get": {"responses": {"200": {"description": "", "content": content}}}}})


def _linked(**links: Any) -> Tree:
    return document({"/pets": {"get": {"responses": {"200": {"description": "", "links": links}}}}})


_ONE, _TWO = [{"url": "https://one.example/"}], [{"url": "https://one.example/"}, {"url": "https://two.example/"}]
_CHOICE = [{"url": "https://one.example/", "variables": {"port": {"default": "443"}}}]
_CALLBACK = {"sold": {"{$request.body#/url}": {"post": OK}}}


def _called(**post: Any) -> Tree:
    """A webhook, which has the rules of callbacks."""
    return document(webhooks={"sold": {"post": {**OK, **post}}})


def _sends(name: str, *, required: bool = False) -> Tree:
    return _called(parameters=[{"name": name, "in": "header", "required": required, "schema": TEXT}])


def _sends_body(*, required: bool = False) -> Tree:
    return _called(requestBody={"required": required, "content": {"application/json": {"schema": OBJECT}}})


def _answered(name: str = "", *, required: bool = False) -> Tree:
    headers = {name: {"required": required, "schema": TEXT}} if name else {}
    return _called(responses={"200": {"description": "", "headers": headers}})


def _header(**header: Any) -> Tree:
    responses = {"200": {"description": "", "headers": {"X-Rate": header}}}
    return document({"/pets": {"get": {"responses": responses}}})


_TWO_ANSWERS = {"responses": {"204": {"description": ""}, "410": {"description": "unsubscribes"}}}
_ONE_ANSWER = {"responses": {"204": {"description": ""}}}
_TWO_WEBHOOKS = document(webhooks={"sold": {"post": OK, "put": OK}})
_PLAIN = _operation()
_NO_HEADER = document({"/pets": {"get": {"responses": {"200": {"description": ""}}}}})
_READ, _BOTH = [{"Auth": ["read"]}], [{"Auth": ["read", "write"]}]

WHOLE: dict[str, tuple[Tree, Tree]] = {
    "endpoint-added": (document(), _PLAIN),
    "api-removed-without-deprecation": _gone(),
    "api-removed-with-deprecation": _gone(**dated(None)),
    "api-removed-before-sunset": _gone(**dated(LATER)),
    "api-path-removed-without-deprecation": _gone_path(),
    "api-path-removed-with-deprecation": _gone_path(**dated(None)),
    "api-path-removed-before-sunset": _gone_path(**dated(LATER)),
    "api-path-sunset-parse": _gone_path(**dated("soon")),
    "endpoint-deprecated": (_PLAIN, _operation(**dated(None))),
    "endpoint-deprecated-with-sunset": (_PLAIN, _operation(**dated(LATER))),
    "endpoint-reactivated": (_operation(**dated(None)), _PLAIN),
    "api-deprecated-sunset-parse": (_PLAIN, _operation(**dated("soon"))),
    "api-deprecated-sunset-missing": (_PLAIN, _operation(**dated(None))),
    "api-sunset-date-too-small": (_PLAIN, _operation(**dated(SOON))),
    "sunset-deleted": (_operation(**dated(LATER)), _operation(**dated(None))),
    "api-sunset-date-changed-too-small": (_operation(**dated(LATER)), _operation(**dated(PAST))),
    "api-invalid-stability-level": (_PLAIN, _operation(**{"x-stability-level": "ga"})),
    "api-stability-decreased": (_PLAIN, _operation(**{"x-stability-level": "beta"})),
    "api-stability-increased": (_operation(**{"x-stability-level": "beta"}), _PLAIN),
    "api-operation-id-removed": (_operation(operationId="a"), _operation(operationId="b")),
    "api-operation-id-added": (_PLAIN, _operation(operationId="a")),
    "api-tag-removed": (_operation(tags=["a"]), _PLAIN),
    "api-tag-added": (_PLAIN, _operation(tags=["a"])),
    "api-security-added": (_operation(security=_READ), _operation(security=[*_READ, {"Key": []}])),
    "api-security-removed": (_operation(security=_READ), _PLAIN),
    "api-security-scope-added": (_operation(security=[{}, *_READ]), _operation(security=[{}, *_BOTH])),
    "api-security-scope-removed": (_operation(security=_BOTH), _operation(security=_READ)),
    "api-global-security-added": (document(security=_READ), document(security=[*_READ, {"Key": []}])),
    "api-global-security-removed": (document(security=_READ), document()),
    "api-global-security-scope-added": (document(security=[{}, *_READ]), document(security=[{}, *_BOTH])),
    "api-global-security-scope-removed": (document(security=_BOTH), document(security=_READ)),
    "api-security-component-added": (_scheme(), _scheme(type="http", scheme="basic")),
    "api-security-component-removed": (_scheme(type="http", scheme="basic"), _scheme()),
    "api-security-component-type-changed": (
        _scheme(type="http", scheme="basic"),
        _scheme(type="openIdConnect", openIdConnectUrl="https://a.example/"),
    ),
    "api-security-component-scheme-changed": (
        _asked(_scheme(type="http", scheme="basic")),
        _asked(_scheme(type="http", scheme="bearer")),
    ),
    "api-security-component-key-changed": (_asked(_key("header", "X-Key")), _asked(_key("query", "X-Key"))),
    "api-security-component-openid-url-changed": (
        _scheme(type="openIdConnect", openIdConnectUrl="https://a.example/"),
        _scheme(type="openIdConnect", openIdConnectUrl="https://b.example/"),
    ),
    "api-security-component-oauth-flow-added": (_scheme(type="oauth2", flows={}), _flow()),
    "api-security-component-oauth-flow-removed": (_asked(_flow()), _asked(_scheme(type="oauth2", flows={}))),
    "api-security-component-oauth-url-changed": (_flow(), _flow(authorizationUrl="https://b.example/")),
    "api-security-component-oauth-token-url-changed": (_flow(), _flow(tokenUrl="https://b.example/")),
    "api-security-component-oauth-scope-added": (_flow(), _flow(scopes={"read": "Read", "write": "Write"})),
    "api-security-component-oauth-scope-removed": (_flow(scopes={"read": "Read", "write": "Write"}), _flow()),
    "api-security-component-oauth-scope-changed": (_flow(), _flow(scopes={"read": "Read all"})),
    "api-version-not-bumped": _breaking("1.0.0", "1.0.0"),
    "api-version-decreased": _breaking("1.1.0", "1.0.0"),
    "api-major-version-not-bumped": _breaking("1.0.0", "1.1.0"),
    "webhook-added": (document(), document(webhooks={"sold": {"post": OK}})),
    "webhook-removed": (document(webhooks={"sold": {"post": OK}}), document()),
    "api-schema-removed": (document(components={"schemas": {"Pet": OBJECT}}), document()),
    "request-body-added-required": (_body(None), _body(True)),
    "request-body-added-optional": (_body(None), _body(False)),
    "request-body-removed": (_body(True), _body(None)),
    "request-body-became-required": (_body(False), _body(True)),
    "request-body-became-optional": (_body(True), _body(False)),
    "request-body-media-type-added": (_body(True), _body(True, "application/json", "text/csv")),
    "request-body-media-type-removed": (_body(True, "application/json", "text/csv"), _body(True)),
    "request-body-media-type-name-generalized": (_body(True, "text/csv"), _body(True, "text/*")),
    "request-body-media-type-name-specialized": (_body(True), _body(True, "application/a+json")),
    "request-body-media-type-name-changed": (_body(True, "text/csv;header=absent"), _body(True, "text/csv")),
    "request-body-media-type-schema-added": (_without_schema(with_request(OBJECT)), with_request(OBJECT)),
    "request-body-media-type-schema-removed": (with_request(OBJECT), _without_schema(with_request(OBJECT))),
    "response-body-media-type-schema-added": (_without_schema(with_response(OBJECT)), with_response(OBJECT)),
    "response-body-media-type-schema-removed": (with_response(OBJECT), _without_schema(with_response(OBJECT))),
    "response-media-type-added": (_answers("application/json"), _answers("application/json", "text/csv")),
    "response-media-type-removed": (_answers("application/json", "text/csv"), _answers("application/json")),
    "response-media-type-name-changed": (_answers("application/json"), _answers("application/a+json;v=2")),
    "response-media-type-name-generalized": (_answers("application/a+json"), _answers("application/json")),
    "response-media-type-name-specialized": (_answers("application/json"), _answers("application/a+json")),
    "response-success-status-added": (_statuses("200"), _statuses("200", "201")),
    "response-success-status-removed": (_statuses("200", "201"), _statuses("200")),
    "response-non-success-status-added": (_statuses("200"), _statuses("200", "404")),
    "response-non-success-status-removed": (_statuses("200", "404"), _statuses("200")),
    "response-header-added": (_NO_HEADER, with_header(TEXT)),
    "required-response-header-removed": (with_header(TEXT, required=True), _NO_HEADER),
    "optional-response-header-removed": (with_header(TEXT), _NO_HEADER),
    "response-header-became-optional": (with_header(TEXT, required=True), with_header(TEXT)),
    "new-required-request-parameter": (_PLAIN, _parameter(required=True)),
    "new-optional-request-parameter": (_PLAIN, _parameter()),
    "new-request-path-parameter": _path_parameter(),
    "new-required-request-default-parameter-to-existing-path": _shared_parameter(required=True),
    "new-optional-request-default-parameter-to-existing-path": _shared_parameter(required=False),
    "request-parameter-removed": (_parameter(), _PLAIN),
    "request-parameter-removed-with-deprecation": (_parameter(**dated(None)), _PLAIN),
    "request-parameter-removed-before-sunset": (_parameter(**dated(LATER)), _PLAIN),
    "request-parameter-sunset-parse": (_parameter(**dated("soon")), _PLAIN),
    "request-parameter-became-required": (_parameter(), _parameter(required=True)),
    "request-parameter-became-optional": (_parameter(required=True), _parameter()),
    "request-parameter-deprecated": (_parameter(), _parameter(**dated(None))),
    "request-parameter-deprecated-sunset-missing": (_parameter(), _parameter(**dated(None))),
    "request-parameter-sunset-date-too-small": (_parameter(), _parameter(**dated(SOON))),
    "request-parameter-reactivated": (_parameter(**dated(None)), _parameter()),
    "request-parameter-sunset-deleted": (_parameter(**dated(LATER)), _parameter(**dated(None))),
    "request-parameter-sunset-date-changed-too-small": (_parameter(**dated(LATER)), _parameter(**dated(PAST))),
    "request-parameter-style-changed": (_sent(schema={}), _sent(schema={}, style="deepObject", explode=True)),
    "request-parameter-explode-changed": (_sent(schema={}), _sent(schema={}, explode=False)),
    "request-parameter-allow-reserved-unset": (_sent(schema={}, allowReserved=True), _sent(schema={})),
    "request-parameter-allow-empty-value-unset": (_sent(schema={}, allowEmptyValue=True), _sent(schema={})),
    "request-parameter-content-changed": (_sent(schema=TEXT), _sent(content={"application/json": {"schema": TEXT}})),
    "request-parameter-media-type-removed": (_sent(content={"text/csv": {}, "a/b": {}}), _sent(content={"a/b": {}})),
    "request-parameter-media-type-name-specialized": (_sent(content={"*/*": {}}), _sent(content={"a/b": {}})),
    "request-parameter-media-type-added": (_sent(content={"a/b": {}}), _sent(content={"text/csv": {}, "a/b": {}})),
    "response-header-content-changed": (
        _header(schema=TEXT),
        _header(content={"application/json": {"schema": TEXT}}),
    ),
    "request-body-encoding-changed": (_form(), _form(file={"contentType": "image/png"})),
    "response-body-encoding-changed": (_mixed(), _mixed(file={"contentType": "image/png"})),
    "response-success-range-added": (_statuses("404"), _statuses("404", "2XX")),
    "response-success-range-removed": (_statuses("404", "2XX"), _statuses("404")),
    "response-non-success-range-added": (_statuses("200"), _statuses("200", "4XX")),
    "response-non-success-range-removed": (_statuses("200", "4XX"), _statuses("200")),
    "response-default-added": (_statuses("200"), _statuses("200", "default")),
    "response-default-removed": (_statuses("200", "default"), _statuses("200")),
    "response-link-added": (_linked(), _linked(next={"operationId": "a"})),
    "response-link-removed": (_linked(next={"operationId": "a"}), _linked()),
    "response-link-changed": (_linked(next={"operationId": "a"}), _linked(next={"operationId": "b"})),
    "api-server-added": (document(servers=_ONE), document(servers=_TWO)),
    "api-server-removed": (document(servers=_TWO), document(servers=_ONE)),
    "api-server-variables-changed": (document(servers=_ONE), document(servers=_CHOICE)),
    "endpoint-server-added": (_operation(servers=_ONE), _operation(servers=_TWO)),
    "endpoint-server-removed": (_operation(servers=_TWO), _operation(servers=_ONE)),
    "endpoint-server-variables-changed": (_operation(servers=_ONE), _operation(servers=_CHOICE)),
    "callback-operation-added": (
        _operation(callbacks={"sold": {"$url": {"post": OK}}}),
        _operation(callbacks={"sold": {"$url": {"post": OK}, "$other": {"post": OK}}}),
    ),
    "callback-operation-removed": (
        _operation(callbacks={"sold": {"$url": {"post": OK, "put": OK}}}),
        _operation(callbacks={"sold": {"$url": {"post": OK}}}),
    ),
    "webhook-operation-added": (_called(), _TWO_WEBHOOKS),
    "webhook-operation-removed": (_TWO_WEBHOOKS, _called()),
    "callback-parameter-added": (_called(), _sends("X-Signature")),
    "callback-optional-parameter-removed": (_sends("X-Signature"), _called()),
    "callback-required-parameter-removed": (_sends("X-Signature", required=True), _called()),
    "callback-parameter-became-optional": (_sends("X-Signature", required=True), _sends("X-Signature")),
    "callback-parameter-became-required": (_sends("X-Signature"), _sends("x-signature", required=True)),
    "callback-request-body-added": (_called(), _sends_body()),
    "callback-request-body-removed": (_sends_body(), _called()),
    "callback-request-body-became-optional": (_sends_body(required=True), _sends_body()),
    "callback-request-body-became-required": (_sends_body(), _sends_body(required=True)),
    "callback-response-status-added": (_called(**_ONE_ANSWER), _called(**_TWO_ANSWERS)),
    "callback-response-status-removed": (_called(**_TWO_ANSWERS), _called(**_ONE_ANSWER)),
    "api-version-changed": (document(api_version="1.0"), document(api_version="1.1")),
    "callback-response-header-removed": (_answered("X-Seen"), _answered()),
    "callback-optional-response-header-added": (_answered(), _answered("X-Seen")),
    "callback-required-response-header-added": (_answered(), _answered("X-Seen", required=True)),
    "callback-response-header-became-required": (_answered("X-Seen"), _answered("x-seen", required=True)),
    "callback-response-header-became-optional": (_answered("X-Seen", required=True), _answered("X-Seen")),
    "endpoint-callback-added": (_PLAIN, _operation(callbacks=_CALLBACK)),
    "endpoint-callback-removed": (_operation(callbacks=_CALLBACK), _PLAIN),
    "request-parameter-default-value-added": (with_parameter(TEXT), with_parameter({**TEXT, "default": "a"})),
}
