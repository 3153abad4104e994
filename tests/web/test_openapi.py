import contextlib
import json
import re
from typing import TYPE_CHECKING, cast

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import TypeAdapter
from schemathesis import GenerationMode
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import errors
from schemas import Explanation, Order, OrderRequest
from settings import project_version
from tests.conftest import DOCUMENT, KEYS, ROUTES, SETTINGS, SOCKETS
from web import openapi
from web.media_types import AUDIO_TYPES
from web.openapi_examples import EXAMPLES

if TYPE_CHECKING:
    from web.endpoint import Endpoint

OPERATIONS = [(path, method, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()]
NAMES = [f"{method} {path}" for path, method, _ in OPERATIONS]


def test_the_document_is_valid():
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_document_lists_every_route_except_pages_their_files_and_other_protocols():
    documented = [route for route in ROUTES if route.include_in_schema]
    routes = {(route.path, method.lower()) for route in documented for method in (route.methods or set()) - {"HEAD"}}
    assert routes == {(path, method) for path, method, _ in OPERATIONS}
    left_out = {route.path for route in ROUTES} - {path for path, _, _ in OPERATIONS}
    undocumented = ("/api/v1/docs", "/api/v1/try", "/api/v1/voice-order.js", "/api/v1/voice-order/", "/v1/")
    assert all(path.startswith(undocumented) for path in left_out)
    assert all(route.path.startswith(("/api/v1/voice/live", "/api/v1/voice/calls/")) for route in SOCKETS)


def test_operation_ids_are_the_names_of_the_endpoints():
    names = [cast("Endpoint", route.endpoint).__name__ for route in ROUTES if route.include_in_schema]
    assert sorted(operation["operationId"] for _, _, operation in OPERATIONS) == sorted(set(names))
    assert len(names) == len(set(names))


def test_each_error_has_a_complete_schema():
    assert "allOf" not in json.dumps(DOCUMENT)
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if name.endswith("Failure"):
            class_ = getattr(errors, name.removesuffix("Failure"))
            assert schema["properties"]["code"] == {"type": "integer", "const": class_.status, "description": "The HTTP status."}
            assert schema["properties"]["data"]["properties"]["error"]["const"] == class_.error


@pytest.mark.parametrize("path", ["/api/v1/voice/speech", "/api/v1/voice/order"])
def test_audio_has_three_forms_and_its_media_types_are_listed(path):
    body = DOCUMENT["paths"][path]["post"]["requestBody"]
    assert set(body["content"]) == {"application/json", "multipart/form-data", "application/octet-stream"}
    assert body["content"]["application/octet-stream"]["schema"]["format"] == "binary"
    assert all(media_type in body["description"] for media_type in AUDIO_TYPES)


def test_a_list_of_a_query_or_a_form_is_described_as_a_json_string():
    operation = DOCUMENT["paths"]["/api/v1/voice/order"]["post"]
    (query,) = [parameter["schema"] for parameter in operation["parameters"] if parameter["name"] == "lines"]
    field = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]["lines"]
    assert query == field
    assert (field["type"], field["contentMediaType"]) == ("string", "application/json")
    assert field["contentSchema"]["anyOf"][0]["items"] == {"$ref": "#/components/schemas/LineRequest"}


def test_a_route_without_facts_is_rejected():
    async def plain(request: Request) -> Response:  # noqa: ARG001 - an endpoint's signature
        return Response()

    with pytest.raises(TypeError, match="not described"):
        openapi.document([Route("/x", plain)], version="1", server_url="http://localhost")


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"site_domain": "voice.example"}, "https://voice.example"),
        ({"site_domain": "localhost:8000"}, "http://localhost:8000"),
        ({"site_domain": "127.0.0.1:1"}, "http://127.0.0.1:1"),
        ({"site_domain": "localhost.example", "port": 9}, "https://localhost.example"),
        ({"site_domain": "http://inside"}, "http://inside"),
        ({"port": 9}, "http://127.0.0.1:9"),
        ({"host": "0.0.0.0", "port": 9}, "http://localhost:9"),  # noqa: S104
        ({"host": "::", "port": 9}, "http://localhost:9"),
        ({"host": "fd00::1", "port": 9}, "http://[fd00::1]:9"),
        ({"host": "10.0.0.7", "port": 9}, "http://10.0.0.7:9"),
    ],
)
def test_the_server_url_is_the_site_domain_or_the_listening_address(given, url):
    assert SETTINGS.model_copy(update={"site_domain": "", "host": "127.0.0.1"} | given).public_url == url


def test_the_server_and_the_version_come_from_the_settings():
    document = openapi.document(ROUTES, version="7", server_url="https://voice.example")
    assert (document["servers"], document["info"]["version"]) == ([{"url": "https://voice.example"}], "7")
    assert DOCUMENT["servers"] == [{"url": SETTINGS.public_url}]
    assert DOCUMENT["info"]["version"] == SETTINGS.app_version == project_version()


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_every_operation_has_a_summary_and_its_statuses(path, method, operation):
    assert operation["summary"]
    assert {"200"} <= set(operation["responses"]) or "201" in operation["responses"]
    if operation["security"]:
        assert {"400", "401", "429", "500"} <= set(operation["responses"])
    if "requestBody" in operation:
        assert {"400", "413", "415", "422"} <= set(operation["responses"])
        assert "example" in operation["requestBody"]["content"]["application/json"], f"{method} {path}"
    json_replies = [reply["content"].get("application/json") for status, reply in operation["responses"].items() if status < "300"]
    assert all(reply is None or "example" in reply or path.endswith("openapi.json") for reply in json_replies), f"{method} {path}"


@pytest.mark.parametrize(("shape", "example"), EXAMPLES.items(), ids=openapi.name_of)
def test_every_example_has_its_type(shape, example):
    TypeAdapter(shape).validate_json(json.dumps(example))


def test_every_error_is_documented():
    described = {error for _, _, operation in OPERATIONS for reply in operation["responses"].values() for error in errors_of(reply)}
    # The first belongs to no operation, the second only to a WebSocket.
    assert described == {str(code) for code in errors.ErrorCode} - {"METHOD_NOT_ALLOWED", "TIMED_OUT"}


def errors_of(reply):
    schema = reply["content"].get("application/json", {}).get("schema", {})
    names = [one["$ref"].rpartition("/")[2] for one in schema.get("oneOf", [schema]) if "$ref" in one]
    failures = [DOCUMENT["components"]["schemas"][name] for name in names if name.endswith("Failure")]
    return [failure["properties"]["data"]["properties"]["error"]["const"] for failure in failures]


def test_the_paths_of_the_contract_are_documented():
    for path in ("/api/v1/voice/speech", "/api/v1/voice/order", "/api/v1/voice/order/{order_id}", "/api/v1/voice/recommend_order"):
        assert path in DOCUMENT["paths"]


@pytest.mark.anyio
async def test_the_example_order_is_the_reply_to_the_example_request(client):
    response = await client.post("/api/v1/voice/order", json=EXAMPLES[OrderRequest])
    order = response.json()["data"]
    confidence = order["lines"][0].pop("confidence")  # of the parser's present weights
    expected = {**EXAMPLES[Order], "lines": [{key: value for key, value in EXAMPLES[Order]["lines"][0].items() if key != "confidence"}]}
    assert (order, confidence > 0.5) == (expected, True)


@pytest.mark.anyio
async def test_the_example_explanation_is_of_the_example_request(client):
    response = await client.post("/api/v1/voice/order", json={**EXAMPLES[OrderRequest], "explain": True})
    explained, example = response.json()["data"]["explain"], EXAMPLES[Explanation]
    assert DOCUMENT["components"]["schemas"]["Explanation"]["examples"] == [example]
    for part in ("utterance", "tokens", "asked", "act"):
        assert explained[part] == example[part]
    for part in ("order", "unresolved", "edits", "unread"):  # the others have figures of the present weights
        assert explained["chosen"][part] == example["chosen"][part]
    words = ("span", "text", "role", "value", "fits", "partial")
    assert [[arc[key] for key in words] for arc in explained["chosen"]["arcs"]] == [
        [arc[key] for key in words] for arc in example["chosen"]["arcs"]
    ]


@pytest.mark.anyio
async def test_the_document_is_served(client):
    response = await client.get("/api/v1/docs/openapi.json")
    assert response.json() == json.loads(json.dumps(DOCUMENT))
    assert not re.search(r"/work|Traceback", response.text)


# --- Requests generated from the document ---------------------------------------------------------------------------

SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


def cases_of(path, method, mode):
    """Draw requests that the document allows or, with `mode` negative, forbids."""
    cases = []

    @settings(
        max_examples=6, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(SCHEMA[path][method].as_strategy(generation_mode=mode))
    def collect(case):
        cases.append(case)

    with contextlib.suppress(Unsatisfiable):  # this operation allows every request
        collect()
    return cases


@pytest.mark.anyio
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
@pytest.mark.parametrize(("path", "method"), [(path, method) for path, method, _ in OPERATIONS], ids=NAMES)
async def test_generated_requests_get_documented_replies(path, method, mode, client):
    """`client` validates each reply against the document; here no reply may be a server error."""
    for case in cases_of(path, method, mode):
        request = requests.Request(**case.as_transport_kwargs(base_url="http://voice.test", headers=KEYS)).prepare()
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        response = await client.request(method.upper(), request.url, headers=headers, content=request.body or b"")
        overloaded = response.status_code == 503 and response.json()["data"]["error"] == "OVERLOADED"
        assert response.status_code < 500 or overloaded, (request.url, request.body, response.text)
