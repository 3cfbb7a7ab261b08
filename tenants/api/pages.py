"""The document as a reader takes it in: chapters of operations, and a glossary of what they carry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tenants.api.document import REF, Json


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a schema; `link` is the schema it is made of."""

    name: str
    type: str
    link: str
    required: bool
    description: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """One status an operation answers with: a schema, or errors as (code, message)."""

    status: str
    description: str
    link: str
    sample: str
    errors: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    needs_token: bool
    parameters: tuple[Field, ...]
    body: Reply | None
    replies: tuple[Reply, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """The operations of one tag."""

    name: str
    title: str
    entries: tuple[Entry, ...]


def chapters(document: Json) -> list[Chapter]:
    """Return the operations by tag, in the order of the tags."""
    entries = [
        (operation["tags"][0], _entry(path, method, operation))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return [
        Chapter(tag["name"], tag["description"], tuple(e for name, e in entries if name == tag["name"]))
        for tag in document["tags"]
    ]


def glossary(document: Json) -> dict[str, list[Field]]:
    """Return the fields of every schema."""
    return {name: list(_fields(schema)) for name, schema in sorted(document["components"]["schemas"].items())}


def _entry(path: str, method: str, operation: Json) -> Entry:
    return Entry(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation["description"],
        needs_token=bool(operation.get("security")),
        parameters=tuple(
            Field(p["name"], _type(p["schema"]), "", p["required"], p["description"], p["in"])
            for p in operation["parameters"]
        ),
        body=_reply("", operation["requestBody"]) if "requestBody" in operation else None,
        replies=tuple(_reply(status, reply) for status, reply in sorted(operation["responses"].items())),
    )


def _reply(status: str, reply: Json) -> Reply:
    content: Json = reply.get("content", {}).get("application/json", {})
    errors = content.get("examples", {})
    sample = json.dumps(content["example"], indent=2, ensure_ascii=False) if "example" in content else ""
    link = _link(content["schema"]) if content else ""
    texts = tuple((code, shown["summary"]) for code, shown in errors.items())
    return Reply(status, reply.get("description", ""), link, sample, texts)


def _fields(schema: Json) -> Iterator[Field]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        yield Field(name, _type(field), _link(field), name in required, field.get("description", ""))


def _type(schema: Json) -> str:
    if "anyOf" in schema:
        return " | ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "$ref" in schema:
        return str(schema["$ref"].removeprefix(REF))
    if schema.get("type") == "array":
        return f"[{_type(schema['items'])}]"
    return str(schema.get("format") or schema.get("type") or "any")


def _link(schema: Json) -> str:
    """Return the schema that a field is made of, directly, in a list, or as one of its options."""
    found: list[Any] = [schema, schema.get("items", {}), *schema.get("anyOf", [])]
    return next((str(one["$ref"]).removeprefix(REF) for one in found if "$ref" in one), "")
