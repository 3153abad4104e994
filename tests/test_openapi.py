import contextlib
import json
import re
from typing import cast

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

import app as voice_app
import errors
import openapi
from schemas import Order, OrderRequest
from tests.conftest import DOCUMENT, KEYS, REPLIES

OPERATIONS = [(path, method, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()]
NAMES = [f"{method} {path}" for path, method, _ in OPERATIONS]


def test_the_document_is_valid():
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_route_is_in_the_document_and_nothing_else():
    routes = {(route.path, method.lower()) for route in voice_app.routes for method in (route.methods or set()) - {"HEAD"}}
    assert routes == {(path, method) for path, method, _ in OPERATIONS}


def test_only_what_speaks_websocket_is_not_in_the_document():
    assert {getattr(route, "path", None) for route in voice_app.app.routes} - {path for path, _, _ in OPERATIONS} == {"/api/v1/voice/live"}
    assert [route.path for route in voice_app.sockets] == ["/api/v1/voice/live"]


@pytest.mark.last
def test_every_error_that_is_an_operations_own_is_reached_by_some_test(request):
    if request.config.invocation_params.args:
        pytest.skip("only the whole suite reaches them all")
    own = {
        (method, route.path, failure.error)
        for route in voice_app.routes
        for method in (route.methods or set()) - {"HEAD"}
        for failure in cast("voice_app.Endpoint", route.endpoint).facts.raises
    }
    assert own - {(method, path, error) for method, path, _, error in REPLIES} == set()


def test_an_undescribed_route_fails():
    async def plain(request: Request) -> Response:  # noqa: ARG001 - an endpoint's signature
        return Response()

    with pytest.raises(TypeError, match="not described"):
        openapi.document([Route("/x", plain)], version="1", site_domain="localhost")


@pytest.mark.parametrize(
    ("domain", "url"),
    [
        ("voice.example", "https://voice.example"),
        ("localhost:8000", "http://localhost:8000"),
        ("127.0.0.1:1", "http://127.0.0.1:1"),
        ("localhost.example", "https://localhost.example"),
        ("http://inside", "http://inside"),
    ],
)
def test_the_server_and_the_version_come_from_the_settings(domain, url):
    document = openapi.document(voice_app.routes, version="7", site_domain=domain)
    assert (document["servers"], document["info"]["version"]) == ([{"url": url}], "7")


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_every_operation_says_what_it_does_and_what_it_may_answer(path, method, operation):
    assert operation["summary"]
    assert {"200"} <= set(operation["responses"]) or "201" in operation["responses"]
    if operation["security"]:
        assert {"400", "401", "429", "500"} <= set(operation["responses"])
    if "requestBody" in operation:
        assert {"400", "413", "415", "422"} <= set(operation["responses"])
        assert "example" in operation["requestBody"]["content"]["application/json"], f"{method} {path}"
    json_replies = [reply["content"].get("application/json") for status, reply in operation["responses"].items() if status < "300"]
    assert all(reply is None or "example" in reply or path.endswith("openapi.json") for reply in json_replies), f"{method} {path}"


@pytest.mark.parametrize(("shape", "example"), openapi.EXAMPLES.items(), ids=openapi.name_of)
def test_every_example_has_the_shape_that_it_is_an_example_of(shape, example):
    TypeAdapter(shape).validate_json(json.dumps(example))


def test_every_failure_is_described_somewhere():
    described = {error for _, _, operation in OPERATIONS for reply in operation["responses"].values() for error in errors_of(reply)}
    # The first is no operation's, the second only told on a WebSocket.
    assert described == {str(code) for code in errors.ErrorCode} - {"METHOD_NOT_ALLOWED", "TIMED_OUT"}


def errors_of(reply):
    parts = reply["content"].get("application/json", {}).get("schema", {}).get("allOf", [])
    return [error for part in parts[1:] for error in part["properties"]["data"]["properties"]["error"]["enum"]]


def test_the_contracts_paths_are_there():
    for path in ("/api/v1/voice/speech", "/api/v1/voice/order", "/api/v1/voice/order/{order_id}", "/api/v1/voice/recommend_order"):
        assert path in DOCUMENT["paths"]


@pytest.mark.anyio
async def test_the_example_of_an_order_is_what_the_service_answers(client):
    response = await client.post("/api/v1/voice/order", json=openapi.EXAMPLES[OrderRequest])
    assert response.json()["data"] == openapi.EXAMPLES[Order]


@pytest.mark.anyio
async def test_the_document_is_served(client):
    response = await client.get("/api/v1/docs/openapi.json")
    assert response.json() == json.loads(json.dumps(DOCUMENT))
    assert not re.search(r"/work|Traceback", response.text)


# --- A machine reads the document and calls what it finds ---------------------------------------------------------------------------

SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


def cases_of(path, method, mode):
    """Draw what the document says may be sent, or with `mode` negative what it says may not."""
    cases = []

    @settings(
        max_examples=6, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(SCHEMA[path][method].as_strategy(generation_mode=mode))
    def collect(case):
        cases.append(case)

    with contextlib.suppress(Unsatisfiable):  # nothing about this operation can be unfit
        collect()
    return cases


@pytest.mark.anyio
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
@pytest.mark.parametrize(("path", "method"), [(path, method) for path, method, _ in OPERATIONS], ids=NAMES)
async def test_no_request_that_the_document_suggests_gets_an_undocumented_reply(path, method, mode, client):
    """`client` holds each reply against what is declared; added here is that none is a server's error."""
    for case in cases_of(path, method, mode):
        request = requests.Request(**case.as_transport_kwargs(base_url="http://voice.test", headers=KEYS)).prepare()
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        response = await client.request(method.upper(), request.url, headers=headers, content=request.body or b"")
        overloaded = response.status_code == 503 and response.json()["data"]["error"] == "OVERLOADED"
        assert response.status_code < 500 or overloaded, (request.url, request.body, response.text)
