"""The voice API over HTTP. Read from the end: the tables there are the whole service on one screen.

A request passes, in this order: `Edge` (request id, security headers, CORS, metrics, access record, last resort), Starlette's router,
an `Endpoint` (declared length, credentials, scope, rate), and the endpoint's own function: read, call the domain, reply.
A failure anywhere is an ApiError that `on_error` turns into the envelope.
"""

import asyncio
import gc
import importlib.util
import json
import logging
import re
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import cache, partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, TypedDict, TypeVar, cast
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.middleware import Middleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Match, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from errors import (
    ApiError,
    AudioInvalid,
    AudioTooLong,
    AuthorizationFailed,
    AuthRequired,
    BadRequest,
    FieldError,
    InvalidCredentials,
    InvalidSecretId,
    InvalidSecretKey,
    InvalidToken,
    ItemNotFound,
    MenuNotFound,
    MethodNotAllowed,
    NotFound,
    NotReady,
    OrderConflict,
    OrderNotFound,
    Overloaded,
    PayloadTooLarge,
    RateLimited,
    RefreshTokenNotValid,
    TimedOut,
    UnsupportedMediaType,
    ValidationFailed,
    envelope,
)
from schemas import (
    Health,
    LineRequest,
    Links,
    LiveCommand,
    LiveOptions,
    MenuDetail,
    MenuList,
    Order,
    OrderFields,
    OrderOptions,
    OrderRequest,
    Readiness,
    RecommendRequest,
    RefreshRequest,
    SpeechOptions,
    SpeechRequest,
    StoredOrder,
    StoreOrderRequest,
    Suggestions,
    TokenRequest,
    Tokens,
    Transcript,
)
from settings import LOCAL_TOKEN_SECRET, Settings, read_settings
from voice.asr.recogniser import Recogniser
from voice.live.sessions import Event, LiveConnection, LiveSessions, too_much_held
from voice.menus.loading import MenuBook
from voice.orders import compiled
from voice.orders.confirmation import confirmed
from voice.orders.engine import OrderEngine
from voice.recommend.sync import Recommenders
from voice.store.orders import Store, on_the_wire
from web import openapi, server, telemetry
from web.auth import Caller, Clients, TokenMaker
from web.body_budget import BodyBudget
from web.large_json import STAND_IN, decode_string, lift_audio
from web.rate_limiter import RateLimiter

M = TypeVar("M", bound=BaseModel)
S = TypeVar("S", bound=SpeechOptions)
T = TypeVar("T")

settings = read_settings(Settings)
log = logging.getLogger("voice.http")


class State(TypedDict):
    """What the lifespan opens; `request.state` gives it to the endpoints."""

    clients: Clients
    tokens: TokenMaker
    limits: RateLimiter
    menus: MenuBook[OrderEngine]
    recogniser: Recogniser
    live: LiveSessions
    recommenders: Recommenders
    store: Store
    draining: threading.Event


# --- Metrics ------------------------------------------------------------------------------------------------------------------------

registry = telemetry.new_registry()
LATENCY = Histogram(
    "voice_http_request_seconds",
    "Seconds from a request's head to the end of its reply.",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=registry,
)
IN_FLIGHT = Gauge("voice_http_in_flight", "Requests being answered.", registry=registry, multiprocess_mode="livesum")
HELD_BODY_BYTES = Gauge(
    "voice_http_body_held_bytes", "Bytes of large bodies that are being received.", registry=registry, multiprocess_mode="livesum"
)
BODY_BYTES = Counter("voice_http_body_bytes", "Bytes of bodies that were read.", registry=registry)
DISCONNECTED = Counter("voice_http_disconnected", "Callers that hung up before they were answered.", registry=registry)
registry.register(server.DROPPED_LINES)
FAILED_CREDENTIALS = Counter("voice_http_failed_credentials", "Credentials that were refused.", ["error"], registry=registry)


@cache
def latency_of(method: str, route: str, status: int) -> Histogram:
    """Return the histogram of such answers; the library's own search for it takes 1.5 us."""
    return LATENCY.labels(method, route, status)


# --- Reading ------------------------------------------------------------------------------------------------------------------------

# A form has the file and these; more are a mistake or an attack. A field that is not the file is a word or a number.
MAX_FORM_FIELDS, MAX_FIELD_BYTES = 16, 4096
# Of a body that anybody may send, without credentials: a token has some 400 bytes.
MAX_OPEN_BODY_BYTES = 8192
# A media type with a boundary has at most 200.
MAX_MEDIA_TYPE_BYTES = 256
# Source: RFC 9110 sections 5.6.2, 5.6.6 and 8.3.1; an unquoted value may contain commas, as browsers write `codecs=vp8,opus`.
_MEDIA_TYPE = re.compile(r"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?=;|$)")
_PARAMETER = re.compile(r';[ \t]*([^;=" \t]*)(?:=(?:"((?:[^"\\]|\\.)*)"|([^;"]*)))?[ \t]*(?=;|$)')
BODIES = BodyBudget(2 * settings.max_body_bytes, HELD_BODY_BYTES)
# Of each body; as much is received before anybody asks for it.
UNCOUNTED_BODY_BYTES = 65_536


def headers_of(request: HTTPConnection) -> dict[bytes, bytes]:
    """Return the headers by name; of a repeated one the last. Made once a request, by `Edge`."""
    headers: dict[bytes, bytes] = request.scope["voice.headers"]
    return headers


async def chunks_of(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """Read the body piece by piece, counting.

    Raises:
        PayloadTooLarge: as soon as it is longer than `max_bytes`.
        Overloaded: too many bytes of bodies are being held.
        ClientDisconnect: the caller hung up.

    """
    caller: Caller | None = request.scope.get("voice.caller")
    client = caller.id if caller else ""
    n_bytes, held_bytes, more = 0, 0, True
    BODIES.expect(client, max(0, int(headers_of(request).get(b"content-length", 0)) - UNCOUNTED_BODY_BYTES))
    try:
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk: bytes = message.get("body", b"")
            n_bytes += len(chunk)
            if n_bytes > max_bytes:
                raise PayloadTooLarge
            new_bytes = max(0, n_bytes - UNCOUNTED_BODY_BYTES) - held_bytes
            BODIES.hold(client, new_bytes)
            held_bytes += new_bytes
            BODY_BYTES.inc(len(chunk))
            more = message.get("more_body", False)
            yield chunk
    finally:
        BODIES.release(client, held_bytes)


async def read_body(request: Request) -> bytes:
    """Read the body, up to what the route takes."""
    max_bytes: int = request.scope["endpoint"].max_bytes
    message = await request.receive()
    if message["type"] == "http.request" and not message.get("more_body", False):  # nearly always: spares 2 us
        body: bytes = message.get("body", b"")
        if len(body) > max_bytes:
            raise PayloadTooLarge
        BODY_BYTES.inc(len(body))
        return body
    first = message

    async def receive() -> Message:
        nonlocal first
        message, first = first, {}
        return message or await request.receive()

    chunks = [chunk async for chunk in chunks_of(Request(request.scope, receive), max_bytes)]
    return await asyncio.to_thread(b"".join, chunks)  # which lets others run meanwhile: 200 MB take a fifth of a second


def media_type_of(request: Request) -> tuple[str, dict[str, str]]:
    """Return the content type, in lower case, and its parameters, their names in lower case.

    Raises:
        UnsupportedMediaType: there is none, it is malformed or too long, or the body is compressed.

    """
    headers = headers_of(request)
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise UnsupportedMediaType
    given = headers.get(b"content-type", b"").decode("latin-1")
    found = _MEDIA_TYPE.match(given) if len(given) <= MAX_MEDIA_TYPE_BYTES else None
    if found is None:
        raise UnsupportedMediaType
    media_type, parameters = found[1].lower(), dict[str, str]()
    while found.end() < len(given):
        found = _PARAMETER.match(given, found.end())
        if found is None:
            raise UnsupportedMediaType
        name, quoted, plain = found.groups(default="")
        if name:
            parameters[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) or plain.rstrip(" \t")
    return media_type, parameters


def expect_json(request: Request) -> None:
    """Refuse what does not say that it is JSON in UTF-8."""
    headers = headers_of(request)
    if headers.get(b"content-type") == b"application/json" and b"content-encoding" not in headers:
        return
    media_type, parameters = media_type_of(request)
    if media_type != "application/json" or parameters.pop("charset", "utf-8").lower() != "utf-8" or parameters:
        raise UnsupportedMediaType


async def read_json(request: Request, model: type[M]) -> M:
    """Read the body as JSON in the shape of `model`.

    Raises:
        UnsupportedMediaType, PayloadTooLarge, BadRequest, ValidationFailed: in this order.

    """
    expect_json(request)
    body = await read_body(request)
    if len(body) > 2 * settings.max_json_bytes:
        return await read_large_json(body, model)
    try:
        asked: M = model.__pydantic_validator__.validate_json(body)  # a tenth of the reading less than by the class's method
    except ValidationError as error:
        raise refusal(error, model, body) from None  # the error quotes the body, which belongs into no log
    if len(body) > settings.max_json_bytes and getattr(asked, "audio", None) is None:
        raise PayloadTooLarge
    return asked


async def read_large_json(body: bytes, model: type[M]) -> M:
    """Read JSON that is nearly all audio, which is decoded off the event loop.

    Raises:
        PayloadTooLarge: something else than the audio is that large. BadRequest, ValidationFailed: see there.

    """
    rest, string = lift_audio(body, settings.max_json_bytes)
    try:
        asked = model.model_validate_json(rest)
    except ValidationError as error:
        raise refusal(error, model, rest) from None
    if getattr(asked, "audio", None) != STAND_IN:
        raise PayloadTooLarge
    try:
        audio = await asyncio.to_thread(decode_string, string)
    except ValueError as error:
        raise ValidationFailed(errors=[{"loc": ["audio"], "msg": f"Value error, {error}", "type": "value_error"}]) from None
    return asked.model_copy(update={"audio": audio})


# What pydantic calls an unknown field of a dataclass, and of a model: callers are told the same of both.
UNKNOWN_ARGUMENT, UNKNOWN_FIELD = "unexpected_keyword_argument", ("extra_forbidden", "Extra inputs are not permitted")


def refusal(error: ValidationError, model: type[BaseModel], body: bytes = b"") -> ApiError:
    """Say what did not validate, without quoting it."""
    places = error.errors(include_url=False, include_context=False, include_input=False)
    if places[0]["type"] == "json_invalid" and not places[0]["loc"]:  # elsewhere it is a field that holds JSON
        if "number out of range" in places[0]["msg"]:
            return out_of_range(model, body)
        return BadRequest()
    errors: list[FieldError] = []
    for place in places[:100]:
        type_, message = UNKNOWN_FIELD if place["type"] == UNKNOWN_ARGUMENT else (place["type"], place["msg"])
        errors.append({"loc": [step[:100] if isinstance(step, str) else step for step in place["loc"]], "msg": message, "type": type_})
    return ValidationFailed(errors=errors)


def out_of_range(model: type[BaseModel], body: bytes) -> ApiError:
    """Name the field of a number with thousands of digits: pydantic only says that it is not JSON."""
    try:
        model.model_validate_json(json.dumps(json.loads(body, parse_int=bounded)))
    except ValidationError as error:
        return refusal(error, model)
    except (ValueError, RecursionError):
        pass
    return BadRequest()


def bounded(digits: str) -> float:
    """Read an integer; one beyond 64 bits becomes 1e308, which no field takes."""
    return int(digits) if len(digits) < len(str(2**63)) else 1e308


def read_fields(model: type[M], fields: Sequence[tuple[str, str]]) -> M:
    """Read fields of a query or a form, where "16000" and "true" are text.

    Raises:
        ValidationFailed: a field is unknown, malformed, or given twice with different values.

    """
    values: dict[str, str] = {}
    for name, value in fields:
        if values.setdefault(name, value) != value:
            raise ValidationFailed(errors=[{"loc": [name[:100]], "msg": "Given twice", "type": "duplicate"}])
    try:
        return model.model_validate_strings(values)
    except ValidationError as error:
        raise refusal(error, model) from None


class Form(MultiPartParser):
    """A form that is kept in memory: its size is limited, and the file system may be read-only."""

    spool_max_size = settings.max_body_bytes


async def read_form(request: Request, max_field_bytes: int) -> tuple[bytes, list[tuple[str, str]]]:
    """Read a form: its `file`, and its other fields, each of `max_field_bytes` at most.

    Raises:
        BadRequest: it is no form. ValidationFailed: the file is missing. PayloadTooLarge.

    """
    chunks = chunks_of(request, request.scope["endpoint"].max_bytes)
    boundary = media_type_of(request)[1].get("boundary", "")
    # The boundary alone: a charset of the caller's may be one that takes 15 ms for a field (idna).
    headers = Headers({"content-type": f"multipart/form-data; boundary={boundary}"})
    parser = Form(headers, chunks, max_files=1, max_fields=MAX_FORM_FIELDS, max_part_size=max_field_bytes)  # type: ignore[arg-type]
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        message = "The body is not a form that can be read."
        raise BadRequest(message) from error
    try:
        file = form.get("file")
        if file is None or isinstance(file, str):
            raise ValidationFailed(errors=[{"loc": ["file"], "msg": "Field required", "type": "missing"}])
        return await file.read(), [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    finally:
        await form.close()


async def read_speech(request: Request) -> tuple[bytes, SpeechOptions]:
    """Read audio in any of its three forms, and what is said about it."""
    if says_json(request):
        asked = await read_json(request, SpeechRequest)
        return asked.audio, asked
    return await read_audio(request, SpeechOptions, MAX_FIELD_BYTES)


async def read_order(request: Request) -> tuple[str, bytes | None, OrderOptions]:
    """Read an utterance (text, or audio in one of three forms) and its options.

    Raises:
        AuthorizationFailed, RateLimited: it is audio; told before the body is read where the content type says so.

    """
    if says_json(request):
        asked = await read_json(request, OrderRequest)
        if asked.audio is not None:
            await admit_audio(request)
        return asked.text or "", asked.audio, asked
    if media_type_of(request)[0].startswith(("audio/", "video/", "multipart/", "application/octet-stream")):
        await admit_audio(request)
    audio, options = await read_audio(request, OrderFields, settings.max_json_bytes)
    return "", audio, options


def says_json(request: Request) -> bool:
    """Return whether the content type is JSON's."""
    return headers_of(request).get(b"content-type") == b"application/json" or media_type_of(request)[0] == "application/json"


async def read_audio(request: Request, model: type[S], max_field_bytes: int) -> tuple[bytes, S]:
    """Read audio that is a form's `file` or the body itself, and the other fields.

    Raises:
        UnsupportedMediaType: it is neither.

    """
    media_type, parameters = media_type_of(request)
    if media_type == "multipart/form-data":
        audio, fields = await read_form(request, max_field_bytes)
        # `model` is what clients of other services always send; which one is ours to choose.
        return audio, read_fields(model, [field for field in fields if field[0] != "model"])
    if media_type not in openapi.AUDIO_MEDIA_TYPES:
        raise UnsupportedMediaType
    fields = request.query_params.multi_items()
    if media_type == "audio/l16":
        named = {"rate": "sample_rate", "channels": "channels"}
        fields += [("encoding", "pcm_s16le"), *((named[name], value) for name, value in parameters.items() if name in named)]
    options = read_fields(model, fields)
    return await read_body(request), options


_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def order_id_of(request: Request) -> UUID:
    """Read the order's id out of the path; what is no UUID is no order's."""
    given: str = request.path_params["order_id"]
    if _UUID.fullmatch(given) is None:
        raise OrderNotFound
    return UUID(given)


# --- Admission ----------------------------------------------------------------------------------------------------------------------

proxies = [ip_network(proxy) for proxy in settings.trusted_proxies]
_BEARER = b"bearer "
# Proxies in a row; past them the address of the last one counts. An IPv6 address with an IPv4 one and a zone is the longest.
MAX_HOPS, MAX_ADDRESS_CHARACTERS = 16, 64


def address_of(request: HTTPConnection) -> str:
    """Return the caller's address: the peer's, or what trusted proxies say that it is."""
    peer = (request.scope.get("client") or ("unknown", 0))[0].removeprefix("::ffff:")
    if not proxies:
        return peer
    forwarded = headers_of(request).get(b"x-forwarded-for", b"").rsplit(b",", MAX_HOPS)[-MAX_HOPS:]
    address = peer
    for hop in (peer, *(hop.strip().decode("latin-1") for hop in reversed(forwarded))):
        try:
            here = ip_address(hop[:MAX_ADDRESS_CHARACTERS])
            here = getattr(here, "ipv4_mapped", None) or here  # what a dual-stack listener says of an IPv4 peer
        except ValueError:
            break  # whoever wrote that is not to be believed, nor what stands before it
        address = str(here)
        if not any(here in proxy for proxy in proxies):
            break
    return address


def network_of(address: str) -> str:
    """Return what counts as one caller: an IPv6 subscriber has a /64 to draw addresses from."""
    return str(ip_network((address.partition("%")[0], 64), strict=False)) if ":" in address else address


def caller_of(request: HTTPConnection) -> Caller:
    """Tell who calls, by the pair of headers where there is one, else by the token.

    Raises:
        AuthRequired, InvalidSecretId, InvalidSecretKey, InvalidCredentials, InvalidToken: see there.

    """
    state: State = request.scope["state"]
    headers = headers_of(request)
    if len(headers) != len(request.scope["headers"]):
        refuse_repeated(request)
    secret_id, secret_key = headers.get(b"x-secret-id"), headers.get(b"x-secret-key")
    if secret_id is not None or secret_key is not None:
        return state["clients"].authenticate(secret_id, secret_key)
    authorization = headers.get(b"authorization", b"")
    if authorization[: len(_BEARER)].lower() != _BEARER:
        raise AuthRequired
    return state["tokens"].read_access(authorization[len(_BEARER) :].strip())


def refuse_repeated(request: HTTPConnection) -> None:
    """Refuse credentials that stand there twice: nobody could say which of them counts."""
    names = [name for name, _ in request.scope["headers"]]
    for name, error in ((b"x-secret-id", InvalidSecretId), (b"x-secret-key", InvalidSecretKey), (b"authorization", InvalidToken)):
        if names.count(name) > 1:
            raise error


async def count_failure(request: HTTPConnection, error: ApiError) -> None:
    """Count refused credentials; a wrong pair counts against the address it came from, which never refuses a right one.

    A wrong token does not: an expired one must be told so, and a signature cannot be guessed.

    Raises:
        RateLimited: too many wrong pairs came from there.

    """
    if not isinstance(error, AuthRequired):
        FAILED_CREDENTIALS.labels(error.error).inc()
    if isinstance(error, InvalidCredentials):
        await take(request, "failed", network_of(address_of(request)))


def take(request: HTTPConnection, limit: str, key: str) -> Awaitable[None]:
    """Count a request against a limit.

    Raises:
        RateLimited: see there.

    """
    state: State = request.scope["state"]
    return state["limits"].hit(limit, key)


class Endpoint:
    """A plain function with its facts, and the guard that the facts ask for; an ASGI application, as routes like it."""

    def __init__(self, function: Callable[[Request], Awaitable[Response]], facts: openapi.Facts, limit: str) -> None:
        self.function = function
        self.facts = facts
        self.limit = limit
        self.max_bytes = settings.max_body_bytes if facts.audio else settings.max_json_bytes
        if facts.scope is None:
            self.max_bytes = MAX_OPEN_BODY_BYTES
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as a route's application."""
        response = await self.answer(Request(scope, receive))
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """Refuse what may not pass; then answer."""
        scope = request.scope
        length = scope["voice.headers"].get(b"content-length")
        if length is not None and self.facts.body is not None and int(length) > self.max_bytes:  # a number: the server has parsed it
            raise PayloadTooLarge
        if self.facts.scope is not None:
            try:
                caller = scope["voice.caller"] = caller_of(request)
            except ApiError as error:
                await count_failure(request, error)
                raise
            if self.facts.scope not in caller.scopes and self.facts.scope != "any":
                raise AuthorizationFailed
            await take(request, self.limit, caller.id)
        return await self.function(request)


def endpoint(limit: str = "requests", **facts: Any) -> Callable[[Callable[[Request], Awaitable[Response]]], Endpoint]:
    """Record the facts about an endpoint; `limit` is the rate limit that it counts against."""
    return lambda function: Endpoint(function, openapi.Facts(**facts), limit)


# --- Replying -----------------------------------------------------------------------------------------------------------------------


class Reply(Response):
    """JSON, ready to be sent: spares what `Response` works out about headers."""

    def __init__(self, content: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None) -> None:
        self.status_code = status
        self.background = None
        self.body = orjson.dumps(content)
        self.raw_headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self.body))]
        if headers:
            self.raw_headers += [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)  # a refusal of a WebSocket has messages of its own
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


def reply(request: Request, data: object, status: int = 200) -> Reply:
    """Answer with the envelope; its sentence is the one that the endpoint's facts have for the status."""
    return Reply({"code": status, "msg": request.scope["endpoint"].facts.status[status], "data": data}, status)


async def on_error(request: HTTPConnection, error: Exception) -> Response:
    """Turn a failure into its envelope."""
    if isinstance(error, HTTPException):
        known: ApiError = NotFound() if error.status_code == NotFound.status else ApiError()
        if error.status_code == MethodNotAllowed.status:
            known = MethodNotAllowed(", ".join(methods_at(request)))
    else:
        known = error if isinstance(error, ApiError) else ApiError()
    if known.__cause__ is not None:
        log.info("refused", extra={"request_id": request_id_of(request.scope), "error": known.error}, exc_info=known)
    return Reply(envelope(known, request_id_of(request.scope)), known.status, known.headers)


def methods_at(request: HTTPConnection) -> list[str]:
    """Return what the path is served with."""
    found = [route.methods or set() for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted(set().union(*found))


def request_id_of(scope: Scope) -> str:
    """Return the request's id as text."""
    request_id: bytes = scope["voice.request_id"]
    return request_id.decode()


# --- Endpoints: speech, orders, suggestions -----------------------------------------------------------------------------------------


# Loading takes some five seconds.
MODELS_RETRY_S = 5
# A full queue of ten minutes of audio is worked off in a minute; who waited twice as long waits for something that hangs.
SPEECH_DEADLINE_S = 120.0


async def hear(
    request: Request, audio: bytes, options: SpeechOptions, engine: OrderEngine | None, lines: Sequence[LineRequest] = ()
) -> Transcript:
    """Recognise audio, with a bias towards a menu's words where there is one; work stops when the caller hangs up."""
    state: State = request.scope["state"]
    caller: Caller = request.scope["voice.caller"]
    if not state["recogniser"].ready:
        raise Overloaded(MODELS_RETRY_S, "The speech models are still being loaded.")
    work = state["recogniser"].transcribe(
        audio,
        encoding=options.encoding,
        sample_rate=options.sample_rate,
        channels=options.channels,
        language=options.language,
        languages=engine.menu.languages if engine else (),
        phrases=engine.vocabulary if engine else (),
        words=options.words,
        client=caller.id,
        judge=partial(engine.score, lines=lines) if engine else None,
    )
    try:
        async with asyncio.timeout(SPEECH_DEADLINE_S):
            return await while_connected(request, work)
    except TimeoutError as error:
        message = "Recognition takes too long now."
        raise Overloaded(MODELS_RETRY_S, message) from error


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` does, and cancel it when the caller hangs up; the body has been read."""
    doing = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({doing, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientDisconnect
        return await doing
    finally:
        gone.cancel()
        doing.cancel()
        del doing, gone  # a failure's traceback holds this frame: with the task in it, it would hold itself and the audio


@endpoint(
    "speech",
    scope="speech",
    body=SpeechRequest,
    audio=SpeechOptions,
    returns=Transcript,
    raises=(AudioInvalid, AudioTooLong, MenuNotFound, Overloaded),
    status={200: "Recognised."},
)
async def transcribe(request: Request) -> Response:
    """Turn speech into text.

    The audio comes as base64 in JSON, as the body itself (then the other fields are query parameters), or as the `file` of a form.
    Silence and noise give an empty text. `menu` biases recognition towards that menu's words.
    """
    audio, options = await read_speech(request)
    state: State = request.scope["state"]
    engine = state["menus"].get(options.menu) if options.menu is not None else None
    return reply(request, await hear(request, audio, options, engine))


@endpoint(
    scope="order",
    body=OrderRequest,
    audio=OrderFields,
    returns=Order,
    raises=(MenuNotFound, ItemNotFound, AudioInvalid, AudioTooLong, Overloaded),
    status={200: "Understood."},
)
async def take_order(request: Request) -> Response:
    """Turn an utterance into an order.

    The utterance is text, or audio (which takes the scope speech too) in any form that the speech route takes; in a query or a form `lines`
    is a JSON string. The order so far comes in, the order after the utterance goes out; nothing is kept. A line of a reply may be sent back
    as it came; prices always come from the menu.
    """
    text, audio, options = await read_order(request)
    state: State = request.scope["state"]
    engine = state["menus"].get(options.menu)
    if audio is None:
        return reply(request, engine.understand(text, options.lines))
    transcript = await hear(request, audio, options, engine, options.lines)
    order = engine.understand(transcript["text"], options.lines)
    order = confirmed(order, engine.price(options.lines), transcript["segments"], engine.menu.languages)
    return reply(request, order | {"transcript": transcript})


async def admit_audio(request: Request) -> None:
    """Ask of an order that is spoken what the speech route asks."""
    caller: Caller = request.scope["voice.caller"]
    if "speech" not in caller.scopes:
        raise AuthorizationFailed
    await take(request, "speech", caller.id)


@endpoint(
    scope="order",
    body=StoreOrderRequest,
    returns=StoredOrder,
    raises=(MenuNotFound, ItemNotFound, OrderNotFound, OrderConflict, Overloaded),
    status={200: "Stored before.", 201: "Stored."},
)
async def put_order(request: Request) -> Response:
    """Keep an order, under an id that the caller makes.

    The same order again changes nothing; another order under the same id is a conflict. Stored orders teach the suggestions.
    """
    asked = await read_json(request, StoreOrderRequest)
    order_id = order_id_of(request)
    state: State = request.scope["state"]
    caller: Caller = request.scope["voice.caller"]
    try:
        engine = state["menus"].get(asked.menu)
        order = priced(engine, order_id, asked)
    except (MenuNotFound, ValidationFailed) as refused:
        return reply(request, await stored_before(state["store"], caller.id, order_id, asked, refused))
    stored, created = await state["store"].put_order(caller.id, order, placed_at_given=asked.placed_at is not None)
    state["recommenders"].wake()
    return reply(request, stored, 201 if created else 200)


async def stored_before(store: Store, client: str, order_id: UUID, asked: StoreOrderRequest, refused: ApiError) -> StoredOrder:
    """Return an order that came before the menu changed, and can no longer be priced: its caller may not know that it is kept."""
    order: Any = {
        "order_id": str(order_id),
        "menu": asked.menu,
        "lines": [line.model_dump() for line in asked.lines],
        "customer_id": asked.customer_id,
        "placed_at": on_the_wire(asked.placed_at or datetime.now(UTC)),
    }
    try:
        return await store.get_same_order(client, order, placed_at_given=asked.placed_at is not None)
    except OrderNotFound:
        raise refused from None


def priced(engine: OrderEngine, order_id: UUID, asked: StoreOrderRequest) -> StoredOrder:
    """Price an order as of now."""
    lines = engine.price(asked.lines)
    placed_at = asked.placed_at or datetime.now(UTC)
    return {
        "order_id": str(order_id),
        "menu": asked.menu,
        "lines": lines,
        "total": sum(line["total"] for line in lines),
        "currency": engine.menu.currency,
        "customer_id": asked.customer_id,
        "placed_at": on_the_wire(placed_at),
    }


@endpoint(scope="order", returns=StoredOrder, raises=(OrderNotFound, Overloaded), status={200: "Found."})
async def get_order(request: Request) -> Response:
    """Return an order that this client stored."""
    order_id = order_id_of(request)
    state: State = request.scope["state"]
    caller: Caller = request.scope["voice.caller"]
    return reply(request, await state["store"].get_order(caller.id, order_id))


@endpoint(
    scope="recommend",
    body=RecommendRequest,
    returns=Suggestions,
    raises=(MenuNotFound, ItemNotFound),
    status={200: "Suggested."},
)
async def recommend_order(request: Request) -> Response:
    """Say what the customer will want next; works from the first order on."""
    asked = await read_json(request, RecommendRequest)
    state: State = request.scope["state"]
    menu = state["menus"].get(asked.menu).menu
    caller: Caller = request.scope["voice.caller"]
    await state["recommenders"].started()
    suggestions = (
        state["recommenders"]
        .get(caller.id, menu)
        .recommend_json(
            [(line.item, line.quantity) for line in asked.items],
            customer_id=asked.customer_id,
            at=asked.at or datetime.now(UTC),
            limit=asked.limit,
            exclude=asked.exclude,
        )
    )
    return reply(request, {"items": orjson.Fragment(suggestions)})


@endpoint(scope="any", returns=MenuList, status={200: "The menus that are served."})
async def list_menus(request: Request) -> Response:
    """List the menus."""
    state: State = request.scope["state"]
    menus = [
        {"id": menu.id, "name": menu.name, "currency": menu.currency, "languages": menu.languages, "items": len(menu.items)}
        for menu in state["menus"].menus.values()
    ]
    return reply(request, {"menus": menus})


@endpoint(scope="any", returns=MenuDetail, raises=(MenuNotFound,), status={200: "Found."})
async def get_menu(request: Request) -> Response:
    """Return a menu as loaded."""
    state: State = request.scope["state"]
    menu = state["menus"].get(request.path_params["menu"]).menu
    return reply(request, {"menu": menu.model_dump(mode="json")})


# --- Ordering while speaking --------------------------------------------------------------------------------------------------------


# Nothing of these is an HTTP reply's status any more. Source: RFC 6455, section 7.4.1, and its registry at IANA.
CLOSE_CODES = {AudioTooLong: 1009, TimedOut: 1008, RateLimited: 1008, MenuNotFound: 1008, Overloaded: 1013}
SERVICE_RESTARTS, SERVER_FAILED = 1012, 1011
# Somebody who neither speaks nor orders has left.
LIVE_IDLE_S = 30.0
# A caller who does not read what is sent, or an answer that does not come, is let go after this.
LIVE_SEND_S, LIVE_FINISH_S = 10.0, 15.0
# Sound comes in 10 to 100 frames a second. What comes beyond this is a flood, which costs without bringing anything.
LIVE_FREE_FRAMES, LIVE_FRAMES_PER_S = 1000, 500
# A longer command counts as several: a megabyte of JSON takes some 30 ms to validate.
LIVE_FRAME_CHARACTERS = 128 * 1024


class LiveOrders:
    """Takes an order while it is spoken: sound and commands come in, partial and final orders go out. A WebSocket application."""

    scopes = ("speech", "order")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what may not pass, as a reply; then speak."""
        connection = HTTPConnection(scope)
        state: State = scope["state"]
        subprotocol = await self.admit(connection)
        options = read_fields(LiveOptions, connection.query_params.multi_items())
        menu_id = state["menus"].get(options.menu).menu.id  # of the only menu, too: there may be another one later
        current_menu = partial(state["menus"].get, menu_id)
        caller: Caller = scope["voice.caller"]
        with state["live"].talk(current_menu, options, caller.id) as talk:
            await receive()  # the handshake
            await send({"type": "websocket.accept", "subprotocol": subprotocol})
            scope["voice.talk"] = talk
            conversation = Conversation(talk, receive, send, request_id_of(scope))
            scope["voice.buffered"] = conversation.limit_buffered
            await conversation.hold()

    async def admit(self, connection: HTTPConnection) -> str | None:
        """Guard, as `Endpoint` does; return the subprotocol that is spoken.

        A browser sends its token as a subprotocol, because it can set no header. It sends its page's origin as well, and no other origin
        may speak than this service's own and those that CORS allows.
        """
        scope, headers = connection.scope, headers_of(connection)
        origin = headers.get(b"origin")
        if origin is not None and not is_own(origin, headers.get(b"host", b"")) and not (cors is not None and cors.allows(origin)):
            raise BadRequest(NO_BROWSER)
        offered: list[str] = scope.get("subprotocols", [])
        subprotocol = "bearer" if offered and offered[0].lower() == "bearer" else None
        try:
            if subprotocol:
                if len(offered) != 2 or b"authorization" in headers:  # noqa: PLR2004 - the word and the token
                    raise InvalidToken
                headers[b"authorization"] = _BEARER + offered[1].encode()
            caller = scope["voice.caller"] = caller_of(connection)
        except ApiError as error:
            await count_failure(connection, error)
            raise
        if not caller.scopes.issuperset(self.scopes):
            raise AuthorizationFailed
        await take(connection, "requests", caller.id)
        await take(connection, "speech", caller.id)
        return subprotocol


def is_own(origin: bytes, host: bytes) -> bool:
    """Tell whether a page comes from here: by the name that the caller used, or the public one."""
    try:
        place = urlsplit(origin.decode("latin-1")).netloc.lower()
    except ValueError:  # a bracket without its other one
        return False
    return place in (host.decode("latin-1").lower(), settings.public_url.rpartition("://")[2].lower())


class Conversation:
    """One connection: a task reads, one hears, one writes, and none of them can be held up by the caller for ever."""

    def __init__(self, talk: LiveConnection, receive: Receive, send: Send, request_id: str) -> None:
        self.talk = talk
        self.receive, self.send = receive, send
        self.request_id = request_id
        self.n_frames = 0
        self.stopping: asyncio.Task[None] | None = None

    def limit_buffered(self, n_bytes: int) -> bool:
        """Count the bytes of messages that are not consumed; end the connection, and return False, if the client's are too many."""
        self.talk.buffered_bytes = n_bytes
        if not self.talk.is_over_limit():
            return True
        self.talk.buffered_bytes = 0  # the protocol drops them
        self.stopping = asyncio.ensure_future(self.talk.stop(too_much_held()))
        return False

    async def hold(self) -> None:
        """Speak until the caller leaves, or has to."""
        reading, hearing, writing = (asyncio.ensure_future(work) for work in (self.read(), self.talk.run(), self.write()))
        try:
            await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()  # raises where the caller has left
                await asyncio.wait({writing}, timeout=LIVE_FINISH_S)
            for task in (writing, hearing):
                task.result() if task.done() else task.cancel()
            await self.close()
        except (TimeoutError, OSError) as error:  # does not read, or has left
            raise ClientDisconnect from error
        finally:
            for task in (reading, hearing, writing):
                task.cancel()
            await asyncio.gather(reading, hearing, writing, return_exceptions=True)

    async def read(self) -> None:
        """Take what comes, until there is a reason to end.

        Raises:
            ClientDisconnect: the caller has left.

        """
        try:
            while True:
                async with asyncio.timeout(LIVE_IDLE_S):
                    message = await self.receive()
                if message["type"] == "websocket.disconnect":
                    raise ClientDisconnect
                self.n_frames += 1 + len(message.get("text") or "") // LIVE_FRAME_CHARACTERS
                if self.n_frames > LIVE_FREE_FRAMES + LIVE_FRAMES_PER_S * self.talk.received_s:
                    await self.talk.stop(RateLimited(1, "Very many frames came, with very little sound in them."))
                    return
                if message.get("bytes") is not None:
                    await self.talk.take(message["bytes"])
                else:
                    await self.obey(message["text"])
        except TimeoutError:
            await self.talk.stop(TimedOut(f"Nothing came for {LIVE_IDLE_S:g} s."))
        except AudioTooLong as error:
            await self.talk.stop(error)

    async def obey(self, text: str) -> None:
        """Carry out a command; one that cannot be is told, and the conversation goes on."""
        try:
            if len(text) > settings.max_json_bytes:
                raise PayloadTooLarge
            body = text.encode()
            try:
                command = LiveCommand.model_validate_json(body).root
            except ValidationError as error:
                raise refusal(error, LiveCommand, body) from None
            await self.talk.command(command, len(body))
        except ApiError as error:
            await self.talk.refuse(error)

    async def write(self) -> None:
        """Send what there is to tell, until all was said."""
        async for event in self.talk.events():
            async with asyncio.timeout(LIVE_SEND_S):
                await self.send({"type": "websocket.send", "text": self.frame(event).decode()})

    def frame(self, event: Event) -> bytes:
        """Put an event into the envelope."""
        if isinstance(event, ApiError):
            failed = envelope(event, self.request_id)
            failed["data"]["type"] = "error"
            return orjson.dumps(failed)
        return orjson.dumps({"code": 200, "msg": "Heard so far." if event["type"] == "partial" else "Understood.", "data": event})

    async def close(self) -> None:
        """Say why it ends."""
        error = self.talk.ended_by
        code = SERVICE_RESTARTS if error is None else CLOSE_CODES.get(type(error), SERVER_FAILED)
        async with asyncio.timeout(LIVE_SEND_S):
            if error is not None:
                await self.send({"type": "websocket.send", "text": self.frame(error).decode()})
            reason = "The service restarts." if error is None else str(error.error)
            await self.send({"type": "websocket.close", "code": code, "reason": reason})


# --- Endpoints: tokens --------------------------------------------------------------------------------------------------------------


@endpoint(
    scope=None,
    body=TokenRequest,
    returns=Tokens,
    raises=(InvalidSecretId, InvalidSecretKey, InvalidCredentials, RateLimited, Overloaded),
    status={200: "Signed in."},
)
async def take_token(request: Request) -> Response:
    """Exchange a client's id and key for tokens."""
    asked = await read_json(request, TokenRequest)
    state: State = request.scope["state"]
    try:
        caller = state["clients"].authenticate(asked.secret_id.encode(), asked.secret_key.encode())
    except ApiError as error:
        await count_failure(request, error)
        raise
    await take(request, "requests", caller.id)
    generation = state["tokens"].begin(caller)
    first = generation.refresh
    revocations = await state["store"].begin_family(caller.id, first.family, first.jti, generation.refresh_expires_at)
    return reply(request, state["tokens"].sign(generation, revocations))


@endpoint(
    scope=None,
    body=RefreshRequest,
    returns=Tokens,
    raises=(RefreshTokenNotValid, RateLimited, Overloaded),
    status={200: "Renewed."},
)
async def refresh_token(request: Request) -> Response:
    """Exchange a refresh token for new tokens.

    Each refresh token works once. Within five seconds a second use is refused and no more; later it is a theft, and ends the family.
    """
    asked = await read_json(request, RefreshRequest)
    state: State = request.scope["state"]
    try:
        claims = state["tokens"].read_refresh(asked.refresh_token)
    except ApiError as error:
        await count_failure(request, error)
        raise
    await take(request, "requests", claims.sub)
    generation = state["tokens"].renew(claims)
    await state["store"].rotate(claims.family, claims.jti, generation.refresh.jti, generation.refresh_expires_at)
    return reply(request, state["tokens"].sign(generation, claims.rev))


# --- Endpoints: service -------------------------------------------------------------------------------------------------------------


@endpoint(scope=None, returns=Health, status={200: "Healthy."})
async def healthcheck(request: Request) -> Response:
    """Say that the process answers; touches nothing else."""
    return reply(request, {"status": "ok"})


@endpoint(scope=None, returns=Health, status={200: "Healthy."})
async def probe(request: Request) -> Response:
    """Say that the process answers, where orchestrators and load balancers ask."""
    return await healthcheck.function(request)


@endpoint(scope=None, returns=Links, status={200: "The documentation, and a page to try it."})
async def index(request: Request) -> Response:
    """Name the pages for people."""
    return reply(request, {"documentation": "/api/v1/docs", "openapi": "/api/v1/docs/openapi.json", "page": "/api/v1/try"})


@endpoint(scope=None, returns=Readiness, raises=(NotReady,), status={200: "Ready."})
async def readiness(request: Request) -> Response:
    """Say whether requests should be sent here; a broken menu file is named, but the rest goes on being served."""
    state: State = request.scope["state"]
    checks = {
        "speech": state["recogniser"].ready,
        "store": await answers(state["store"]),
        "serving": not state["draining"].is_set(),
    }
    details = {"checks": checks | {"menus": not state["menus"].problems}, "problems": dict(state["menus"].problems)}
    if not all(checks.values()):
        raise NotReady(details)
    return reply(request, details)


async def answers(store: Store) -> bool:
    """Ask the store."""
    try:
        await store.ping()
    except Overloaded:
        return False
    return True


@endpoint(scope=None, status={200: "Prometheus' text format."}, produces="text/plain")
async def metrics(request: Request) -> Response:  # noqa: ARG001 - an endpoint's signature
    """Give the figures of all worker processes."""
    return Response(telemetry.exposition(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


@endpoint(scope=None, status={200: "The OpenAPI document."})
async def openapi_document(request: Request) -> Response:  # noqa: ARG001
    """Give this description."""
    return Reply(described(), 200)


@cache
def described() -> dict[str, Any]:
    """Make the OpenAPI document, once: it takes as long as a hundred requests."""
    return openapi.document(routes, version=settings.app_version, server_url=settings.public_url)


DOCUMENTATION = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Voice API</title>
<style>body { margin: 0 }</style>
<redoc spec-url="/api/v1/docs/openapi.json"></redoc>
<script src="/api/v1/docs/redoc.standalone.js"></script>
</html>
"""
# Everything comes from this host; Redoc styles itself inline and searches in a worker that it makes of a blob.
DOCUMENTATION_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class WholeFile(FileResponse):
    """A file, always all of it: the library answers a malformed Range in plain text. Source: RFC 9110 section 14.2 (may be ignored)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


@endpoint(scope=None, status={200: "A page for people."}, produces="text/html")
async def documentation(request: Request) -> Response:  # noqa: ARG001
    """Show this description as a page."""
    return Response(DOCUMENTATION, media_type="text/html", headers={"Content-Security-Policy": DOCUMENTATION_POLICY})


@endpoint(scope=None, status={200: "The page's script."}, produces="text/javascript")
async def documentation_script(request: Request) -> Response:  # noqa: ARG001
    """Give the page's script, out of the package that carries it."""
    package = importlib.util.find_spec("drf_spectacular_sidecar")  # found, not imported: it would want Django
    if package is None or package.origin is None:
        raise NotFound
    bundle = Path(package.origin).parent / "static/drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js"
    return WholeFile(bundle, media_type="text/javascript")


# The page to try it with, by file; what it says and does is in page/.
TRY_DIR = Path(__file__).parent / "page"
TRY_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
TRY_SCRIPTS = ("page", "state", "words", "calls", "talk", "microphone", "capture", "order", "trouble", "view", "level", "frames")
TRY_FILES = ("page.css", "icon.svg", *(f"{script}.js" for script in TRY_SCRIPTS))
# Everything comes from this host, and nothing runs that is written into the page itself.
TRY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
}


@endpoint(scope=None, status={200: "A page for people, and its parts."}, produces="text/html")
async def try_page(request: Request) -> Response:
    """Show a page to order by voice with."""
    name = request.url.path.rpartition("/")[2]
    path = TRY_DIR / (name if name in TRY_FILES else "index.html")
    return WholeFile(path, media_type=TRY_TYPES[path.suffix], headers=TRY_HEADERS)


# --- Middleware ---------------------------------------------------------------------------------------------------------------------

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


NO_BROWSER = "This origin may not call from a browser."


class Cors:
    """Which browser origins may call, and the headers that say so. Source: Fetch standard, section 3.3."""

    METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
    MAX_AGE_S = 600

    def __init__(self, origins: Sequence[str], origin_regex: str | None, headers: Sequence[str]) -> None:
        """`origins` are compared as they are, `origin_regex` has to match the whole origin."""
        self.origins = {origin.encode() for origin in origins}
        self.regex = re.compile(origin_regex.encode()) if origin_regex else None
        self.preflight = [
            (b"access-control-allow-methods", self.METHODS.encode()),
            (b"access-control-allow-headers", ", ".join(headers).encode()),
            (b"access-control-max-age", b"%d" % self.MAX_AGE_S),
        ]

    def allows(self, origin: bytes | None) -> bool:
        """Tell whether pages of this origin may call."""
        return origin is not None and (origin in self.origins or (self.regex is not None and self.regex.fullmatch(origin) is not None))

    def headers_for(self, origin: bytes | None) -> list[tuple[bytes, bytes]]:
        """Return what a reply to this origin carries: nothing that allows, where it may not call."""
        vary = [(b"vary", b"Origin")]
        if origin is None or not self.allows(origin):
            return vary
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", b"X-Request-ID, Retry-After"),
            *vary,
        ]

    def answer_preflight(self, scope: Scope) -> Response:
        """Tell a browser whether it may ask."""
        if not self.allows(scope["voice.headers"].get(b"origin")):
            raise BadRequest(NO_BROWSER)
        allowed = Reply({"code": 200, "msg": "This origin may call.", "data": {}}, 200)
        allowed.raw_headers += self.preflight
        return allowed


class Edge:
    """Everything that holds for every reply, in one pass: several middlewares would cost more than the work inside.

    A path without parameters is looked up, not searched for: past Starlette's router and exception handling, which cost 8 us of 40.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[Route], cors: Cors | None = None, sockets: Sequence[WebSocketRoute] = ()) -> None:
        """`routes` and `sockets` are the tables'; `cors`: None where no browser of another origin may call."""
        self.app = app
        self.exact: dict[tuple[str, str], tuple[Route, Endpoint]] = {
            (method, route.path): (route, cast("Endpoint", route.endpoint))
            for route in routes
            if not route.param_convertors
            for method in route.methods or ()
        }
        self.sockets = {route.path: route for route in sockets}
        self.by_type: dict[str, ASGIApp] = {"http": self.serve_request, "websocket": self.serve_socket}
        self.cors = cors

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass on by type."""
        serve = self.by_type.get(scope["type"], self.app)
        return serve(scope, receive, send)

    async def serve_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        began_s = time.perf_counter()
        headers = scope["voice.headers"] = dict(scope["headers"])
        request_id = scope["voice.request_id"] = request_id_in(headers)
        added = [(b"x-request-id", request_id), *server.SECURITY_HEADERS]
        if self.cors is not None:
            added += self.cors.headers_for(headers.get(b"origin"))
        status = 0

        def send_with_headers(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *added]
            return send(message)

        IN_FLIGHT.inc()
        try:
            found = self.exact.get((scope["method"], scope["path"]))
            if found is None:
                await self.search(scope, receive, send_with_headers)
            else:
                scope["route"], scope["endpoint"] = found
                response = await found[1].answer(Request(scope, receive))
                await response(scope, receive, send_with_headers)
        except ClientDisconnect:
            DISCONNECTED.inc()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - nothing may pass the envelope
            response = await on_error(Request(scope), as_answered(scope, error))
            if not status:
                await response(scope, receive, send_with_headers)
        finally:
            IN_FLIGHT.dec()
            record(scope, status, time.perf_counter() - began_s)

    async def serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a WebSocket; until it is accepted a refusal is a reply like any other."""
        began_s = time.perf_counter()
        headers = scope["voice.headers"] = dict(scope["headers"])
        request_id = scope["voice.request_id"] = request_id_in(headers)
        scope["method"] = "GET"
        status = code = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status, code
            if message["type"] in ("websocket.accept", "websocket.http.response.start"):
                status = message.get("status", 101)
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id), *server.SECURITY_HEADERS]
            elif message["type"] == "websocket.close":
                code = message["code"]
            await send(message)

        try:
            await self.dispatch_socket(scope, receive, send_with_headers)
        except ClientDisconnect:
            DISCONNECTED.inc()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - nothing may pass the envelope
            response = await on_error(HTTPConnection(scope), as_answered(scope, error))
            if not status:
                await response(scope, receive, send_with_headers)
        finally:
            record_socket(scope, status, code, time.perf_counter() - began_s)

    async def dispatch_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a WebSocket to its application."""
        route = self.sockets.get(scope["path"])
        if route is None:
            raise NotFound
        scope["route"] = route
        await route.app(scope, receive, send)

    async def search(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to Starlette where the path alone says too little."""
        if self.cors is not None and scope["method"] == "OPTIONS" and b"access-control-request-method" in scope["voice.headers"]:
            await self.cors.answer_preflight(scope)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def request_id_in(headers: Mapping[bytes, bytes]) -> bytes:
    """Return the caller's id for the request where it is one, else a new one."""
    given = headers.get(b"x-request-id")
    return given if given is not None and _REQUEST_ID.fullmatch(given) is not None else server.new_request_id()


class Service(Starlette):
    """Starlette without its outermost middleware: `Edge` lets nothing escape that it could answer, and a request need not pass it."""

    def build_middleware_stack(self) -> ASGIApp:
        """Return what a request passes."""
        outermost = super().build_middleware_stack()
        assert isinstance(outermost, ServerErrorMiddleware)  # noqa: S101 - or the library has changed
        return outermost.app


def as_answered(scope: Scope, error: BaseException) -> ApiError:
    """Say as what a failure is answered. A cancellation means that the server closes and can wait no longer."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, asyncio.CancelledError):
        return Overloaded()
    log.error("failed", extra={"request_id": request_id_of(scope)}, exc_info=error)
    return ApiError()


SWITCHED = 101  # to WebSocket


def record(scope: Scope, status: int, duration_s: float) -> None:
    """Count an answered request, and write its access record."""
    method = scope["method"] if scope["method"] in _METHODS else "OTHER"
    route = scope.get("route")
    path = route.path if route is not None else "none"
    latency_of(method, path, status).observe(duration_s)
    if settings.access_log == "on" and log.isEnabledFor(logging.INFO):
        caller: Caller | None = scope.get("voice.caller")
        fields = {
            "request_id": request_id_of(scope),
            "method": method,
            "route": path,
            "status": status,
            "duration_ms": round(1000 * duration_s, 3),
            "client": caller.id if caller else None,
            "address": address_of(Request(scope)),
        }
        log.info("answered" if status else "hung up", extra=fields)


def record_socket(scope: Scope, status: int, code: int, duration_s: float) -> None:
    """Count a connection that is over, and write its access record; what was refused is a request like any other."""
    if status != SWITCHED:
        record(scope, status, duration_s)
        return
    talk: LiveConnection | None = scope.get("voice.talk")
    if talk is None:
        return
    reason = "left" if not code else str(talk.ended_by.error).lower() if talk.ended_by else "drained"
    talk.live.metrics.ended.labels(reason).inc()
    if settings.access_log == "on" and log.isEnabledFor(logging.INFO):
        caller: Caller = scope["voice.caller"]
        fields = {
            "request_id": request_id_of(scope),
            "method": scope["method"],
            "route": scope["route"].path,
            "status": status,
            "duration_ms": round(1000 * duration_s, 3),
            "client": caller.id,
            "address": address_of(HTTPConnection(scope)),
            "audio_s": round(talk.received_s, 2),
            "utterances": talk.session.n_finals,
            "ended": reason,
        }
        log.info("spoke", extra=fields)


# --- Lifespan -----------------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[State]:  # noqa: ARG001 - Starlette passes it
    """Open what requests need; connections are accepted at once, while the speech models are still being loaded."""
    for module in compiled.stale():
        log.warning("voice/%s.py was changed since it was compiled: `make .venv`", module)
    deployed = settings.environment.is_deployed
    clients = Clients(settings.credentials, demo=not deployed)
    tokens = TokenMaker(
        settings.token_secret.get_secret_value() or LOCAL_TOKEN_SECRET,  # the settings refuse an empty one where it matters
        clients,
        access_s=settings.access_token_seconds,
        refresh_s=settings.refresh_token_seconds,
    )
    limits = RateLimiter(
        {"requests": settings.rate_limit, "speech": settings.rate_limit_speech, "failed": settings.rate_limit_failed},
        settings.rate_limit_storage_uri,
        registry,
        processes=settings.workers,
    )
    menus = MenuBook(settings.menu_dir, partial(OrderEngine, ask_below=settings.ask_below))
    await asyncio.to_thread(menus.refresh)
    recogniser = Recogniser(
        model=settings.speech_model,
        model_vi=settings.speech_model_vi,
        model_dir=settings.model_dir,
        default_language=settings.speech_language,
        device=settings.speech_device,
        compute_type=settings.speech_compute_type,
        threads=settings.speech_threads,
        queue_s=settings.speech_queue,
        max_audio_s=settings.max_audio_seconds,
        registry=registry,
    )
    live = LiveSessions(recogniser, max_audio_s=settings.max_audio_seconds, registry=registry)
    recommenders = Recommenders(lambda menu_id: menus.get(menu_id).menu)
    store = Store(settings.database_url)
    await store.open(migrate=not deployed)
    tasks = [
        asyncio.create_task(keep_on("menus", menus.watch)),
        asyncio.create_task(keep_on("revocations", lambda: tokens.follow_revocations(store.revocations))),
        asyncio.create_task(keep_on("recommenders", lambda: recommenders.follow(store))),
        asyncio.create_task(keep_on("models", lambda: load(recogniser))),
    ]
    gc.freeze()  # what was built so far stays; collecting would walk through all of it again and again
    gc.set_threshold(GC_THRESHOLD)
    try:
        with drain_on_sigterm(live.drain) as draining:
            yield State(
                clients=clients,
                tokens=tokens,
                limits=limits,
                menus=menus,
                recogniser=recogniser,
                live=live,
                recommenders=recommenders,
                store=store,
                draining=draining,
            )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        recogniser.close()
        limits.close()
        await store.close()


# Objects made, less those gone, until the youngest are searched for cycles. At Python's 700 a score of requests at once keeps more than
# that alive, and a search finds nothing but what is still at work.
GC_THRESHOLD = 20_000


async def load(recogniser: Recogniser) -> None:
    """Load the speech models, which stay, too."""
    await asyncio.to_thread(recogniser.load)
    gc.freeze()


# What failed in the background is tried again after this.
BACKGROUND_RETRY_S = 5.0


async def keep_on(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do work in the background until it is done; a failure is logged, and not the end."""
    while True:
        try:
            return await work()
        except Exception:
            log.exception("background work failed, trying again", extra={"work": name})
            await asyncio.sleep(BACKGROUND_RETRY_S)


@contextmanager
def drain_on_sigterm(drain_live: Callable[[float], None]) -> Iterator[threading.Event]:
    """On SIGTERM be unready first, go on serving while the orchestrator takes notice, and only then let the server close.

    A quarter of DRAIN_SECONDS is for taking notice; a second signal ends it at once. In the first half of that quarter whoever is speaking
    may end the sentence; `drain_live` is told how long that is.
    """
    draining = threading.Event()
    close = signal.getsignal(signal.SIGTERM)
    if not callable(close) or threading.current_thread() is not threading.main_thread():
        yield draining  # nobody to hand the signal on to
        return
    loop = asyncio.get_running_loop()

    def drain(signum: int, frame: Any) -> None:
        notice_s = 0.0 if draining.is_set() else settings.drain_seconds / 4
        draining.set()
        loop.call_soon_threadsafe(drain_live, notice_s / 2)
        loop.call_soon_threadsafe(loop.call_later, notice_s, close, signum, frame)

    signal.signal(signal.SIGTERM, drain)
    try:
        yield draining
    finally:
        signal.signal(signal.SIGTERM, close)


# --- The tables ---------------------------------------------------------------------------------------------------------------------

routes = [
    Route("/api/v1/voice/recommend_order", recommend_order, methods=["POST"]),
    Route("/api/v1/voice/order", take_order, methods=["POST"]),
    Route("/api/v1/voice/order/{order_id}", put_order, methods=["PUT"]),
    Route("/api/v1/voice/order/{order_id}", get_order, methods=["GET"]),
    Route("/api/v1/voice/speech", transcribe, methods=["POST"]),
    Route("/api/v1/voice/menus", list_menus, methods=["GET"]),
    Route("/api/v1/voice/menus/{menu}", get_menu, methods=["GET"]),
    Route("/api/v1/auth/token", take_token, methods=["POST"]),
    Route("/api/v1/auth/refresh", refresh_token, methods=["POST"]),
    Route("/api/v1/healthcheck", healthcheck, methods=["GET"]),
    Route("/healthcheck", probe, methods=["GET"]),
    Route("/readiness", readiness, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
]
if settings.environment.is_debug:
    routes += [  # pages, their files and the document itself are not in the document
        Route("/", index, methods=["GET"]),
        Route("/api/v1/docs", documentation, methods=["GET"], include_in_schema=False),
        Route("/api/v1/docs/openapi.json", openapi_document, methods=["GET"], include_in_schema=False),
        Route("/api/v1/docs/redoc.standalone.js", documentation_script, methods=["GET"], include_in_schema=False),
        Route("/api/v1/try", try_page, methods=["GET"], include_in_schema=False),
        *(Route(f"/api/v1/try/{name}", try_page, methods=["GET"], include_in_schema=False) for name in TRY_FILES),
    ]

# These speak WebSocket, which OpenAPI cannot describe: the README does.
sockets = [
    WebSocketRoute("/api/v1/voice/live", LiveOrders()),
]

cors = None
if settings.cors_origins or settings.cors_origins_regex:
    cors = Cors(settings.cors_origins, settings.cors_origins_regex, settings.cors_headers)
middleware = [Middleware(Edge, routes=routes, sockets=sockets, cors=cors)]  # outermost first

exception_handlers = dict.fromkeys((ApiError, HTTPException), on_error)

app = Service(routes=[*routes, *sockets], middleware=middleware, exception_handlers=exception_handlers, lifespan=lifespan)
app.router.redirect_slashes = False  # a redirect would be outside the envelope, with a Location made of the caller's Host

if __name__ == "__main__":
    server.run("app:app", settings)
