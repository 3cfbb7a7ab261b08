"""The published OpenAPI document: what spectree knows of the routes, and what only we know of errors and examples."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from flask_babel import get_locale, gettext

from fanyong.errors import FanyongError
from tenants.api.operations import OPERATIONS, Operation, spec
from tenants.api.schemas.common import EXAMPLE_ID
from tenants.api.texts import mark as _

Json = dict[str, Any]
REF = "#/components/schemas/"
ABOUT = _(
    "The interface of a brand's mini-program; the host decides which brand answers. Amounts are whole fen (*_fen), "
    "rates are hundredths of a percent (*_bp), times are UTC. All errors have one form, and their message follows "
    "Accept-Language (zh, en)."
)
BEARER = _("The token of a log-in (POST /api/v1/session).")
#: In the order in which a mini-program meets them.
TAGS = {
    "session": _("Logging in"),
    "shop": _("Shop and sharing"),
    "orders": _("Orders"),
    "promoter": _("Promoter centre"),
    "withdrawals": _("Withdrawals"),
    "about": _("About this interface"),
}
_documents: dict[str, Json] = {}


def document() -> Json:
    """Return the document in the language of the present request; it is built once a language."""
    language = str(get_locale())
    if language not in _documents:
        _documents[language] = _build()
    return _documents[language]


def example(schema: Json, schemas: Json) -> Any:
    """Return an example of a schema, put together from the examples of its fields."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return example(schemas[schema["$ref"].removeprefix(REF)], schemas)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], schemas)
    match schema.get("type"):
        case "object":
            return {name: example(field, schemas) for name, field in schema.get("properties", {}).items()}
        case "array":
            return [example(schema["items"], schemas)]
        case "boolean":
            return False
    return schema.get("default")


def _build() -> Json:
    built: Json = copy.deepcopy(spec.spec)
    built["info"] |= {"title": "Fanyong API", "description": gettext(ABOUT)}
    built["tags"] = [{"name": name, "description": gettext(text)} for name, text in TAGS.items()]
    built["components"]["securitySchemes"]["bearer"]["description"] = gettext(BEARER)
    schemas = built["components"]["schemas"]
    for schema in schemas.values():
        # What pydantic takes from names and docstrings is for whoever reads the code.
        schema.pop("description", None)
        _polish(schema)
    for entry in _operations(built):
        _describe(entry, OPERATIONS[entry["operationId"]], schemas)
    return built


def _operations(built: Json) -> Iterator[Json]:
    for methods in built["paths"].values():
        yield from methods.values()


def _polish(schema: Json) -> None:
    """Drop the titles made from field names, and translate the descriptions."""
    if isinstance(schema.get("title"), str):
        del schema["title"]
    if isinstance(schema.get("description"), str):
        schema["description"] = gettext(schema["description"])
    nested = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    nested += [schema["items"]] if "items" in schema else []
    for inner in nested:
        _polish(inner)


def _describe(entry: Json, operation: Operation, schemas: Json) -> None:
    entry["summary"] = gettext(operation.summary)
    entry["description"] = gettext(operation.description) if operation.description else ""
    for parameter in entry["parameters"]:
        _describe_parameter(parameter, schemas)
    if "requestBody" in entry:
        _add_example(entry["requestBody"]["content"]["application/json"], schemas)
    by_status: dict[int, list[type[FanyongError]]] = defaultdict(list)
    for error in operation.raises:
        by_status[error.status].append(error)
    for status, response in list(entry["responses"].items()):
        errors = by_status[int(status)]
        if errors:
            response["description"] = ", ".join(error.code for error in errors)
            response["content"]["application/json"]["examples"] = {e.code: _error_example(e) for e in errors}
        elif int(status) >= 400:
            # spectree promises a refusal of bad input also where there is no input.
            del entry["responses"][status]
        elif "content" in response:
            _add_example(response["content"]["application/json"], schemas)


def _describe_parameter(parameter: Json, schemas: Json) -> None:
    _polish(parameter["schema"])
    description = parameter["schema"].pop("description", "")
    parameter["description"] = description
    if parameter["in"] == "path":
        parameter["example"] = {"sku": "TEA-100", "token": "7kQ2mXw9ZbT4cRdA"}.get(parameter["name"], EXAMPLE_ID)
        parameter["schema"] = {"type": "string"}
    elif parameter["schema"].get("examples"):
        parameter["example"] = example(parameter["schema"], schemas)


def _add_example(content: Json, schemas: Json) -> None:
    content["example"] = example(content["schema"], schemas)


def _error_example(error: type[FanyongError]) -> Json:
    message = str(error.message)
    if "%(" in message:
        message %= defaultdict(lambda: "…")
    return {"summary": message, "value": {"error": {"code": error.code, "message": message, "details": None}}}
