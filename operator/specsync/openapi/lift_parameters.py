"""Swagger 2.0 → OpenAPI 3.0: parameters, and the request bodies that some of them become."""

from __future__ import annotations

from typing import Any, Final

from specsync.openapi.lift_schemas import (
    VALUE_FIELDS,
    Schemas,
    extensions,
    move_reference,
    resolve,
)

_STYLES: Final = {  # collectionFormat → style, explode, in a query or form; tsv has no counterpart
    "csv": ("form", False),
    "tsv": ("form", False),
    "ssv": ("spaceDelimited", False),
    "pipes": ("pipeDelimited", False),
    "multi": ("form", True),
}
_MULTIPART: Final = "multipart/form-data"
_URLENCODED: Final = "application/x-www-form-urlencoded"
_NO_PARAMETER_FIELD: Final = VALUE_FIELDS | {"schema", "$ref"}


class Parameters:
    """Lifts the parameters of one Swagger 2.0 document; ``consumes`` is that of its root."""

    def __init__(self, swagger2: dict[str, Any], schemas: Schemas, consumes: list[str]) -> None:
        self._swagger2 = swagger2
        self._schemas = schemas
        self._consumes = consumes

    def components(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The global parameters as ``components/parameters`` and ``components/requestBodies``.

        Those of forms are in neither: each operation makes one body out of all of its own.
        """
        parameters: dict[str, Any] = {}
        bodies: dict[str, Any] = {}
        globals_ = self._swagger2.get("parameters")
        for name, written in globals_.items() if isinstance(globals_, dict) else ():
            parameter = self._resolved(written)
            place = parameter.get("in") if parameter is not None else None
            if parameter is None:
                parameters[name] = self.reference_or_parameter(written)
            elif place == "body":
                bodies[name] = self._body(parameter, self._consumes)
            elif place != "formData":
                parameters[name] = self.reference_or_parameter(written)
        return parameters, bodies

    def split(self, written: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """A list of parameters, as written, in three: those that stay parameters, bodies, parts of forms."""
        stay: list[Any] = []
        bodies: list[Any] = []
        forms: list[Any] = []
        for each in written if isinstance(written, list) else ():
            if not isinstance(each, dict):
                continue
            parameter = self._resolved(each)
            place = parameter.get("in") if parameter is not None else None
            (bodies if place == "body" else forms if place == "formData" else stay).append(each)
        return stay, bodies, forms

    def reference_or_parameter(self, written: Any) -> Any:
        """A parameter in path, query or header, or a reference to one."""
        if not isinstance(written, dict):
            return written
        reference = written.get("$ref")
        if isinstance(reference, str):
            moved = move_reference(reference)
            found = self._resolved(written) if moved == reference else None
            # In a list, another place than in its own document: bodies are no parameters any more.
            return {**written, "$ref": moved} if found is None else self.reference_or_parameter(found)
        lifted = {key: value for key, value in written.items() if key not in _NO_PARAMETER_FIELD}
        schema = self._schemas.value_schema(written)
        if schema:
            lifted["schema"] = schema
        if written.get("type") == "array" and written.get("in") == "query":
            lifted["style"], lifted["explode"] = _style(written)
        return lifted

    def request_body(self, bodies: list[Any], forms: list[Any], consumes: list[str]) -> dict[str, Any] | None:
        """What one operation's body and form parameters say together; None where there are none."""
        if bodies and not forms and consumes == self._consumes:
            reference = bodies[0].get("$ref")
            if isinstance(reference, str) and reference.startswith("#/parameters/") and reference.count("/") == 2:
                return {"$ref": "#/components/requestBodies/" + reference.removeprefix("#/parameters/")}
        lifted: dict[str, Any] = {}
        if bodies:
            lifted = self._body(self._resolved(bodies[0]) or {}, consumes)
        if forms:
            form = self._form([self._resolved(each) or {} for each in forms], consumes)
            lifted["content"] = {**form["content"], **lifted.get("content", {})}
            if form.get("required"):
                lifted["required"] = True
        return lifted or None

    def _resolved(self, written: Any) -> dict[str, Any] | None:
        """The parameter itself; None for a reference that leads to none in this document."""
        if not isinstance(written, dict):
            return None
        if "$ref" not in written:
            return written
        found = resolve(self._swagger2, written["$ref"])
        return found if isinstance(found, dict) else None

    def _body(self, parameter: dict[str, Any], consumes: list[str]) -> dict[str, Any]:
        lifted: dict[str, Any] = {key: parameter[key] for key in ("description", "required") if key in parameter}
        media_type = {"schema": self._schemas.schema(parameter["schema"])} if "schema" in parameter else {}
        lifted["content"] = {name: dict(media_type) for name in consumes or ["application/json"]}
        return {**lifted, **extensions(parameter)}

    def _form(self, parameters: list[dict[str, Any]], consumes: list[str]) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        encoding: dict[str, Any] = {}
        required: list[str] = []
        has_file = False
        # The path's come first, and an operation's own override them by name.
        named = {each["name"]: each for each in parameters if isinstance(each.get("name"), str)}
        for name, parameter in named.items():
            schema = {**self._schemas.value_schema(parameter), **extensions(parameter)}
            if "description" in parameter:
                schema["description"] = parameter["description"]
            properties[name] = schema
            has_file = has_file or parameter.get("type") == "file"
            if parameter.get("required") is True:
                required.append(name)
            if parameter.get("type") == "array":
                style, explode = _style(parameter)
                encoding[name] = {"style": style, "explode": explode}
        schema = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        media_type: dict[str, Any] = {"schema": schema}
        if encoding:
            media_type["encoding"] = encoding
        body: dict[str, Any] = {"content": {each: dict(media_type) for each in _form_types(consumes, has_file)}}
        if required:
            body["required"] = True
        return body


def _style(parameter: dict[str, Any]) -> tuple[str, bool]:
    written = parameter.get("collectionFormat")
    return _STYLES.get(written if isinstance(written, str) else "csv", _STYLES["csv"])


def _form_types(consumes: list[str], has_file: bool) -> list[str]:
    if has_file:
        return [_MULTIPART]  # the only one that can carry a file
    named = [each for each in consumes if each.split(";")[0].strip().lower() in (_MULTIPART, _URLENCODED)]
    return named or [_URLENCODED]
