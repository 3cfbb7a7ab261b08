from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from openapi_pydantic.v3.v3_1 import OpenAPI
from pydantic import BaseModel, TypeAdapter

from tenants.api.document import TAGS
from tenants.api.operations import OPERATIONS
from tenants.api.schemas import board, common, orders, promoter, session, shop, statements, team, tiers, withdrawals
from tests.api.conftest import Shop

MODELS: dict[str, type[BaseModel]] = {
    name: model
    for module in (board, common, orders, promoter, session, shop, statements, team, tiers, withdrawals)
    for name, model in vars(module).items()
    if isinstance(model, type) and issubclass(model, BaseModel)
}


@pytest.fixture(scope="module")
def document(still_shop: Shop) -> dict[str, Any]:
    """The document as a program gets it."""
    answer = still_shop.client().get("/api/v1/openapi.json", headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert isinstance(answer.json, dict)
    return answer.json


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPI.model_validate(document)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert found
    assert {ref.removeprefix("#/components/schemas/") for ref in found} <= set(document["components"]["schemas"])


def test_every_route_is_described(app: Flask, document: dict[str, Any]) -> None:
    routed = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(rule)), method.lower())
        for rule in app.url_map.iter_rules()
        if str(rule).startswith("/api/v1/") and rule.endpoint.startswith("api.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routed == {(path, method) for path, method, _ in operations(document)}


def test_every_operation_is_complete(document: dict[str, Any]) -> None:
    ids = []
    for path, method, operation in operations(document):
        ids.append(operation["operationId"])
        assert operation["summary"], path
        assert operation["tags"][0] in TAGS
        assert {"503"} <= set(operation["responses"])
        assert set(re.findall(r"{(\w+)}", path)) == {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert ("401" in operation["responses"]) == (bool(operation.get("security")) or path.endswith("/session"))
        for status, response in operation["responses"].items():
            schema = response.get("content", {}).get("application/json", {}).get("schema", {})
            if int(status) >= 400:
                assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}, (path, method, status)
                assert response["content"]["application/json"]["examples"], (path, method, status)
    assert sorted(ids) == sorted(OPERATIONS)


def test_bearer_is_the_one_way_to_prove_oneself(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    secured = {o["operationId"] for _, _, o in operations(document) if o.get("security") == [{"bearer": []}]}
    assert secured == {o["operationId"] for _, _, o in operations(document) if o.get("security")}
    assert "get_promoter" in secured
    assert "log_in" not in secured


def test_every_example_is_what_its_schema_says(document: dict[str, Any]) -> None:
    seen = 0
    for path, _method, operation in operations(document):
        contents = [operation["requestBody"]] if "requestBody" in operation else []
        for part in [*contents, *operation["responses"].values()]:
            content = part.get("content", {}).get("application/json")
            if content is None:
                continue
            model = MODELS[content["schema"]["$ref"].rpartition("/")[2]]
            examples = [content["example"]] if "example" in content else []
            for example in [*examples, *(one["value"] for one in content.get("examples", {}).values())]:
                model.model_validate(example)
                seen += 1
        for parameter in operation["parameters"]:
            if parameter["in"] != "path" and "example" in parameter:
                assert TypeAdapter(str | int).validate_python(parameter["example"]), path
    assert seen > 50


def test_an_error_is_documented_where_it_happens(document: dict[str, Any]) -> None:
    described = document["paths"]["/api/v1/orders"]["post"]["responses"]
    assert set(described["409"]["content"]["application/json"]["examples"]) == {"out_of_stock", "idempotency_mismatch"}
    assert "idempotency_key_missing" in described["422"]["content"]["application/json"]["examples"]
    shown = described["409"]["content"]["application/json"]["examples"]["out_of_stock"]["value"]["error"]
    assert shown["message"] == "“…” is sold out or there is not enough of it left."


def test_the_share_of_a_log_in_is_explained(document: dict[str, Any]) -> None:
    assert "share = unknown" in document["paths"]["/api/v1/session"]["post"]["description"]


def test_a_page_shows_it_to_people(still_shop: Shop) -> None:
    answer = still_shop.client().get("/api/v1/docs?lang=en")
    text = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    for name, operation in OPERATIONS.items():
        assert f'id="{name}"' in text
        assert operation.summary in text
    assert "http://" not in text.replace(f"http://{still_shop.brand.host}:8000", "")
    assert "https://" not in text
    linked = set(re.findall(r'href="#([\w-]+)"', text))
    assert linked <= set(re.findall(r'id="([\w-]+)"', text))


def test_the_language_follows_the_request(still_shop: Shop) -> None:
    client = still_shop.client()
    assert 'lang="en"' in client.get("/api/v1/docs", headers={"Accept-Language": "en-GB"}).get_data(as_text=True)
    assert 'lang="zh-CN"' in client.get("/api/v1/docs", headers={"Accept-Language": "fr"}).get_data(as_text=True)
    assert 'lang="zh-CN"' in client.get("/api/v1/docs").get_data(as_text=True)
