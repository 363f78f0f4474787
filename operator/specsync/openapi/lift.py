"""Swagger 2.0 → OpenAPI 3.0, in memory, so that all that follows knows one shape only.

Follows the two specifications (https://spec.openapis.org/oas/v2.0.html, https://spec.openapis.org/oas/v3.0.4.html).
"""

from __future__ import annotations

from typing import Any, Final

from specsync.openapi.lift_parameters import Parameters
from specsync.openapi.lift_schemas import Schemas, extensions, move_reference, resolve

_METHODS: Final = frozenset(("get", "put", "post", "delete", "options", "head", "patch"))
_JSON: Final = "application/json"
_FLOWS: Final = {
    "implicit": "implicit",
    "password": "password",
    "application": "clientCredentials",
    "accessCode": "authorizationCode",
}
_ROOT_AS_IT_IS: Final = ("info", "security", "tags", "externalDocs")
_OPERATION_CHANGED: Final = frozenset(("parameters", "responses", "consumes", "produces", "schemes"))


def lift(swagger2: dict[str, Any]) -> dict[str, Any]:
    """The same API in the shape of OpenAPI 3.0. ``swagger2`` isn't changed; parts that stay the same are shared.

    Never complains: what has the wrong type is passed over or kept as it is. The body parameter's name is lost
    (it is nowhere on the wire), and so is ``tsv``, which counts as ``csv``. Without ``consumes`` and
    ``produces``, application/json is meant; without ``schemes``, https.
    """
    return _Lift(swagger2).document()


class _Lift:
    def __init__(self, swagger2: dict[str, Any]) -> None:
        self._swagger2 = swagger2
        self._consumes = _strings(swagger2.get("consumes"))
        self._produces = _strings(swagger2.get("produces"))
        self._schemas = Schemas(swagger2)
        self._parameters = Parameters(swagger2, self._schemas, self._consumes)

    def document(self) -> dict[str, Any]:
        old = self._swagger2
        lifted: dict[str, Any] = {"openapi": "3.0.4"}
        lifted.update((key, old[key]) for key in _ROOT_AS_IT_IS if key in old)
        servers = self._servers(old.get("schemes"))
        if servers:
            lifted["servers"] = servers
        lifted["paths"] = {
            path: item if str(path).startswith("x-") else self._path_item(item)
            for path, item in _mapping(old.get("paths")).items()
        }
        lifted["components"] = self._components()
        return {**lifted, **extensions(old)}

    def _components(self) -> dict[str, Any]:
        old = self._swagger2
        schemas = {name: self._schemas.schema(each) for name, each in _mapping(old.get("definitions")).items()}
        parameters, bodies = self._parameters.components()
        responses = {
            name: self._response(each, self._produces) for name, each in _mapping(old.get("responses")).items()
        }
        security = {name: _security(each) for name, each in _mapping(old.get("securityDefinitions")).items()}
        schemas.update(self._schemas.hoisted(schemas))
        components = {
            "schemas": schemas,
            "parameters": parameters,
            "requestBodies": bodies,
            "responses": responses,
            "securitySchemes": security,
        }
        return {name: each for name, each in components.items() if each}

    def _servers(self, schemes: Any) -> list[dict[str, Any]]:
        host, base = self._swagger2.get("host"), self._swagger2.get("basePath")
        path = base.rstrip("/") if isinstance(base, str) else ""
        if not isinstance(host, str) or not host:
            return [{"url": path}] if path else []
        return [{"url": f"{scheme}://{host}{path}"} for scheme in _strings(schemes) or ["https"]]

    def _path_item(self, item: Any) -> Any:
        if not isinstance(item, dict):
            return item
        stay, bodies, forms = self._parameters.split(item.get("parameters"))
        lifted: dict[str, Any] = {}
        for key, value in item.items():
            if key in _METHODS and isinstance(value, dict):
                lifted[key] = self._operation(value, bodies, forms)
            elif key != "parameters":
                lifted[key] = value
        if stay:
            lifted["parameters"] = [self._parameters.reference_or_parameter(each) for each in stay]
        return lifted

    def _operation(self, operation: dict[str, Any], path_bodies: list[Any], path_forms: list[Any]) -> dict[str, Any]:
        lifted = {key: value for key, value in operation.items() if key not in _OPERATION_CHANGED}
        # An empty list clears what the root says; a missing or a wrong one doesn't.
        consumes, produces = (
            _strings(operation[key]) if isinstance(operation.get(key), list) else inherited
            for key, inherited in (("consumes", self._consumes), ("produces", self._produces))
        )
        stay, bodies, forms = self._parameters.split(operation.get("parameters"))
        if stay:
            lifted["parameters"] = [self._parameters.reference_or_parameter(each) for each in stay]
        body = self._parameters.request_body(bodies or path_bodies, path_forms + forms, consumes)
        if body is not None:
            lifted["requestBody"] = body
        if isinstance(operation.get("responses"), dict):
            lifted["responses"] = {
                code: each if str(code).startswith("x-") else self._response(each, produces)
                for code, each in operation["responses"].items()
            }
        servers = self._servers(operation["schemes"]) if _strings(operation.get("schemes")) else []
        if servers:
            lifted["servers"] = servers
        return lifted

    def _response(self, response: Any, produces: list[str]) -> Any:
        if not isinstance(response, dict):
            return response
        reference = response.get("$ref")
        if isinstance(reference, str):
            found = resolve(self._swagger2, reference)
            moved = move_reference(reference)
            if not isinstance(found, dict) or (produces == self._produces and moved != reference):
                return {**response, "$ref": moved}
            response = found
        lifted: dict[str, Any] = {}
        if "description" in response:
            lifted["description"] = response["description"]
        headers = {name: self._header(each) for name, each in _mapping(response.get("headers")).items()}
        if headers:
            lifted["headers"] = headers
        content = self._content(response, produces)
        if content:
            lifted["content"] = content
        return {**lifted, **extensions(response)}

    def _content(self, response: dict[str, Any], produces: list[str]) -> dict[str, Any]:
        examples = _mapping(response.get("examples"))
        written = response.get("schema")
        if not isinstance(written, dict):
            # No schema means no content (2.0, Response Object); an example says otherwise.
            return {name: {"example": example} for name, example in examples.items() if "/" in str(name)}
        schema = self._schemas.schema(written)
        default = "application/octet-stream" if written.get("type") == "file" else _JSON
        content: dict[str, Any] = {}
        for name in produces or [default]:
            content[name] = {"schema": schema}
            if name in examples:
                content[name]["example"] = examples[name]
        return content

    def _header(self, header: Any) -> Any:
        if not isinstance(header, dict):
            return header
        lifted: dict[str, Any] = {"description": header["description"]} if "description" in header else {}
        schema = self._schemas.value_schema(header)
        if schema:
            lifted["schema"] = schema
        return {**lifted, **extensions(header)}


def _security(scheme: Any) -> Any:
    if not isinstance(scheme, dict):
        return scheme
    kind = scheme.get("type")
    if kind == "basic":
        return {**scheme, "type": "http", "scheme": "basic"}
    if kind != "oauth2":
        return scheme
    flow = {key: scheme[key] for key in ("authorizationUrl", "tokenUrl") if key in scheme}
    flow["scopes"] = _mapping(scheme.get("scopes"))
    lifted = {key: value for key, value in scheme.items() if key not in ("flow", "scopes", *flow)}
    name = scheme.get("flow")
    lifted["flows"] = {_FLOWS[name]: flow} if isinstance(name, str) and name in _FLOWS else {}
    return lifted


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _strings(value: Any) -> list[str]:
    """The strings of a list, each once, in their order."""
    return list(dict.fromkeys(each for each in value if isinstance(each, str))) if isinstance(value, list) else []
