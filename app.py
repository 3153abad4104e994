"""The voice API over HTTP: state, endpoints, lifespan and tables. The route tables at the end list the whole service.

A request passes the edge middleware (request id, security headers, CORS, metrics, access log), an `Endpoint` (body limit, credentials,
scope, rate limit), and the function of the endpoint: read, call the domain, reply. Every failure is an ApiError, which `on_error` turns
into the envelope.
"""

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypedDict

import orjson
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from adapters.audiosocket import AudioSocketServer
from adapters.chan_websocket import ChanWebSocketEndpoint
from adapters.conversation_relay import ConversationRelayEndpoint
from adapters.jambonz import JambonzEndpoint
from adapters.mcp_tools import json_rpc_error
from adapters.media_streams import MediaStreamEndpoint
from adapters.openai_audio import create_transcription, create_translation
from adapters.openai_chat import create_chat_completion
from adapters.openai_models import get_model, list_models
from adapters.openai_replies import openai_error
from errors import (
    ApiError,
    AudioInvalid,
    AudioTooLong,
    InvalidCredentials,
    InvalidSecretId,
    InvalidSecretKey,
    ItemNotFound,
    MenuNotFound,
    NotReady,
    Overloaded,
    RateLimited,
    RefreshTokenNotValid,
)
from schemas import (
    Health,
    Order,
    OrderFields,
    OrderRequest,
    Readiness,
    RecommendRequest,
    RefreshRequest,
    SpeechOptions,
    SpeechRequest,
    Suggestions,
    TokenRequest,
    Tokens,
    Transcript,
)
from settings import LOCAL_TOKEN_SECRET, Settings, read_settings
from voice.asr.recogniser import Recogniser
from voice.calls.calls import Calls
from voice.dialog.replay import Replays
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import state_of
from voice.live.sessions import LiveSessions
from voice.menus.served import ServedMenus
from voice.orders import compiled
from voice.orders.confirmation import is_recognition_uncertain
from voice.orders.parser.model import Model
from voice.recommend.sync import Recommenders
from voice.review.recorder import Recorder
from voice.store.store import Store
from voice.tracing import Tracing
from voice.tts.piper import PiperVoices
from voice.tts.speaker import Speaker
from voice.tts.speech_server import SpeechServer
from voice.webhooks.addresses import Networks
from voice.webhooks.deliveries import Deliveries, Receiver
from voice.webhooks.sender import Sender
from web import logs, menus, orders, server, telemetry
from web.access_log import AccessLog
from web.admission import Admission
from web.auth import Clients, TokenMaker
from web.bodies import BodyReader
from web.client_address import ClientAddresses
from web.context import caller_of
from web.cors import Cors
from web.element import element_routes
from web.endpoint import endpoint
from web.fast_path import Application
from web.http_metrics import HttpMetrics
from web.lifecycle import drain_on_sigterm, retry_until_done
from web.live_socket import DEFAULT_LIVE_LIMITS, LiveEndpoint, LiveLimits
from web.middleware import EdgeMiddleware
from web.pages import page_routes
from web.rate_limiter import RateLimiter
from web.recognition import recognise
from web.replies import on_error, reply
from web.utterances import read_order, read_speech

if TYPE_CHECKING:
    from adapters.mcp_endpoint import McpEndpoint

log = logging.getLogger("voice.http")


class State(TypedDict):
    """The resources that the lifespan opens; endpoints read them from `request.scope["state"]`."""

    admission: Admission
    bodies: BodyReader
    metrics: HttpMetrics
    menus: ServedMenus[DialogEngine]
    replays: Replays
    recogniser: Recogniser
    live: LiveSessions
    calls: Calls
    recommenders: Recommenders
    recorder: Recorder
    store: Store
    on_order: Callable[[], None]
    draining: threading.Event
    version: str


# --- Endpoints: speech, turns, suggestions -------------------------------------------------------------------------------------------


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
    state: State = request.scope["state"]
    audio, options = await read_speech(request, state["bodies"])
    engine = state["menus"].get(caller_of(request).id, options.menu) if options.menu is not None else None
    return reply(request, await recognise(request, state["recogniser"], audio, options, engine))


@endpoint(
    scope="order",
    body=OrderRequest,
    audio=OrderFields,
    returns=Order,
    raises=(MenuNotFound, ItemNotFound, AudioInvalid, AudioTooLong, Overloaded),
    status={200: "Understood."},
)
async def take_order(request: Request) -> Response:
    """Take one turn of a conversation.

    The utterance is text, or audio (which needs the scope speech too) in any form that the speech route accepts; in a query or a form,
    a list is a JSON string. The request has the state of the conversation as the last reply had it, the reply the state after the
    utterance and the shop's next sentence; nothing is stored. Prices always come from the menu.
    """
    state: State = request.scope["state"]
    text, audio, options = await read_order(request, state["bodies"], state["admission"])
    engine = state["menus"].get(caller_of(request).id, options.menu)
    conversation = state_of(engine.menu, options, options.at)
    take_turn = partial(engine.take_turn, reply_language=options.reply_language, explain=options.explain)
    if options.offer:
        await state["recommenders"].started()
        recommender = state["recommenders"].get(caller_of(request).id, engine.menu)
        at = options.at or datetime.now(UTC)
        take_turn = partial(take_turn, suggest=partial(recommender.next_item, customer_id=options.customer_id, at=at))
    record = partial(state["recorder"].record, caller_of(request).id)
    if audio is None:
        order = take_turn(text, conversation)
        record(text, conversation, order)
        return reply(request, order)
    transcript = await recognise(request, state["recogniser"], audio, options, engine, conversation)
    is_uncertain = is_recognition_uncertain(transcript["segments"])
    order = take_turn(transcript["text"], conversation, is_spoken=True, is_uncertain=is_uncertain)
    record(transcript["text"], conversation, order)
    return reply(request, order | {"transcript": transcript})


@endpoint(
    scope="recommend",
    body=RecommendRequest,
    returns=Suggestions,
    raises=(MenuNotFound, ItemNotFound),
    status={200: "Suggested."},
)
async def recommend_order(request: Request) -> Response:
    """Suggest the customer's next items; works from the first order on."""
    state: State = request.scope["state"]
    asked = await state["bodies"].read_json(request, RecommendRequest)
    client = caller_of(request).id
    menu = state["menus"].get(client, asked.menu).menu
    await state["recommenders"].started()
    recommender = state["recommenders"].get(client, menu)
    suggestions = recommender.recommend_json(
        [(line.item, line.quantity) for line in asked.items],
        customer_id=asked.customer_id,
        at=asked.at or datetime.now(UTC),
        limit=asked.limit,
        exclude=asked.exclude,
    )
    return reply(request, {"items": orjson.Fragment(suggestions)})


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
    state: State = request.scope["state"]
    admission = state["admission"]
    asked = await state["bodies"].read_json(request, TokenRequest)
    try:
        caller = admission.clients.authenticate(asked.secret_id.encode(), asked.secret_key.encode())
    except ApiError as error:
        await admission.limit_failed_credentials(request, error)
        raise
    await admission.count_token_request(caller.id)
    pair = admission.tokens.begin(caller)
    first = pair.refresh
    revocations = await state["store"].begin_family(caller.id, first.family, first.jti, pair.refresh_expires_at)
    return reply(request, admission.tokens.sign(pair, revocations))


@endpoint(
    scope=None,
    body=RefreshRequest,
    returns=Tokens,
    raises=(RefreshTokenNotValid, RateLimited, Overloaded),
    status={200: "Renewed."},
)
async def refresh_token(request: Request) -> Response:
    """Exchange a refresh token for new tokens.

    A refresh token works once. A second use within five seconds is rejected; a later one is a theft, and revokes the token family.
    """
    state: State = request.scope["state"]
    admission = state["admission"]
    asked = await state["bodies"].read_json(request, RefreshRequest)
    try:
        claims = admission.tokens.read_refresh(asked.refresh_token)
    except ApiError as error:
        await admission.limit_failed_credentials(request, error)
        raise
    await admission.count_token_request(claims.sub)
    pair = admission.tokens.renew(claims)
    await state["store"].rotate(claims.family, claims.jti, pair.refresh.jti, pair.refresh_expires_at)
    return reply(request, admission.tokens.sign(pair, claims.rev))


# --- Endpoints: service -------------------------------------------------------------------------------------------------------------


@endpoint(scope=None, returns=Health, status={200: "Healthy."})
async def healthcheck(request: Request) -> Response:
    """Report that the process answers; checks nothing else."""
    return reply(request, {"status": "ok", "version": request.scope["state"]["version"]})


@endpoint(scope=None, returns=Health, status={200: "Healthy."})
async def probe(request: Request) -> Response:
    """Report that the process answers, at the path that orchestrators and load balancers use."""
    return await healthcheck.function(request)


@endpoint(scope=None, returns=Readiness, raises=(NotReady,), status={200: "Ready."})
async def readiness(request: Request) -> Response:
    """Report whether requests should be sent here; a broken menu file is named, but does not make the service unready."""
    state: State = request.scope["state"]
    checks = {
        "speech": state["recogniser"].ready,
        "store": await is_reachable(state["store"]),
        "serving": not state["draining"].is_set(),
        "client_menus": state["menus"].is_synchronised,
    }
    details = {"checks": checks | {"menus": not state["menus"].problems}, "problems": dict(state["menus"].problems)}
    if not all(checks.values()):
        raise NotReady(details)
    return reply(request, details)


async def is_reachable(store: Store) -> bool:
    """True if the store answers a query."""
    try:
        await store.ping()
    except Overloaded:
        return False
    return True


@endpoint(scope=None, status={200: "Prometheus' text format."}, produces="text/plain")
async def metrics(request: Request) -> Response:
    """Return the metrics of all worker processes."""
    state: State = request.scope["state"]
    return Response(telemetry.exposition(state["metrics"].registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


# --- Lifespan -----------------------------------------------------------------------------------------------------------------------

# Allocations less deallocations until the youngest generation is collected. With Python's default of 700, twenty concurrent requests
# trigger collections that free nothing.
GC_THRESHOLD = 20_000


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[State]:
    """Open the state, and accept connections while the speech models are still being loaded."""
    settings: Settings = app.state.settings
    http_metrics: HttpMetrics = app.state.metrics
    for module in compiled.stale():
        log.warning("voice/orders/%s.py was changed since it was compiled: `make .venv`", module)
    admission = open_admission(settings, http_metrics)
    store = Store(settings.database_url, webhook_clients=settings.order_webhooks)
    compile_menu = partial(DialogEngine, ask_below=settings.ask_below, model=Model.load())
    served_menus = ServedMenus(settings.menu_dir, compile_menu, store, max_client_menus=settings.max_client_menus)
    await asyncio.to_thread(served_menus.refresh)
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
        registry=http_metrics.registry,
    )
    live_limits: LiveLimits = app.state.live_limits
    recorder = Recorder(store, settings.keep_utterances)
    live = LiveSessions(
        recogniser,
        recorder.record,
        max_audio_s=settings.max_audio_seconds,
        registry=http_metrics.registry,
        max_connections=live_limits.max_connections,
        max_client_bytes=live_limits.max_client_bytes,
    )
    recommenders = Recommenders(lambda client, menu_id: served_menus.get(client, menu_id).menu)
    tracing: Tracing = app.state.tracing
    tracing.open()
    deliveries = deliveries_of(settings, http_metrics, tracing)

    def on_order() -> None:
        recommenders.wake()
        deliveries.wake()

    await store.open(migrate=not settings.environment.is_deployed)
    speaker = speaker_of(settings, http_metrics)
    calls = Calls(live, speaker, served_menus, store, on_order, registry=http_metrics.registry, max_calls=settings.max_calls)
    audiosocket = AudioSocketServer(calls, admission, settings.audiosocket_lines)
    if settings.audiosocket_port is not None:
        await audiosocket.open(settings.audiosocket_host, settings.audiosocket_port, is_shared=settings.workers > 1)
    tasks = [
        asyncio.create_task(retry_until_done("menus", served_menus.watch)),
        asyncio.create_task(retry_until_done("clients' menus", served_menus.follow)),
        asyncio.create_task(retry_until_done("revocations", lambda: admission.tokens.follow_revocations(store.revocations))),
        asyncio.create_task(retry_until_done("recommenders", lambda: recommenders.follow(store))),
        asyncio.create_task(retry_until_done("webhooks", lambda: deliveries.follow(store))),
        asyncio.create_task(retry_until_done("utterances", recorder.follow)),
        asyncio.create_task(retry_until_done("models", lambda: load_models(recogniser))),
        *([asyncio.create_task(retry_until_done("voice", speaker.open))] if speaker else ()),
    ]
    gc.freeze()  # these objects live until the process ends; full collections skip them
    gc.set_threshold(GC_THRESHOLD)
    opened = AsyncExitStack()
    if app.state.mcp is not None:
        await opened.enter_async_context(app.state.mcp.run())
    try:
        with drain_on_sigterm(settings.drain_seconds, calls.drain) as draining:
            yield State(
                admission=admission,
                bodies=BodyReader(max_body_bytes=settings.max_body_bytes, max_json_bytes=settings.max_json_bytes, metrics=http_metrics),
                metrics=http_metrics,
                menus=served_menus,
                replays=Replays(),
                recogniser=recogniser,
                live=live,
                calls=calls,
                recommenders=recommenders,
                recorder=recorder,
                store=store,
                on_order=on_order,
                draining=draining,
                version=settings.app_version,
            )
    finally:
        await opened.aclose()
        await audiosocket.close()
        await deliveries.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await recorder.close()
        if speaker:
            await speaker.close()
        recogniser.close()
        admission.limiter.close()
        await store.close()
        await asyncio.to_thread(tracing.close)


def open_admission(settings: Settings, http_metrics: HttpMetrics) -> Admission:
    """Return the clients, the token maker and the rate limits."""
    clients = Clients(settings.credentials, demo=not settings.environment.is_deployed)
    tokens = TokenMaker(
        settings.token_secret.get_secret_value() or LOCAL_TOKEN_SECRET,  # deployed settings reject an empty one
        clients,
        access_s=settings.access_token_seconds,
        refresh_s=settings.refresh_token_seconds,
    )
    limiter = RateLimiter(
        {"requests": settings.rate_limit, "speech": settings.rate_limit_speech, "failed": settings.rate_limit_failed},
        settings.rate_limit_storage_uri,
        http_metrics.registry,
        processes=settings.workers,
    )
    return Admission(clients, tokens, limiter, http_metrics)


def speaker_of(settings: Settings, http_metrics: HttpMetrics) -> Speaker | None:
    """Return the voice of calls; None without one. It is loaded later."""
    if settings.speak_voices is not None:
        return Speaker(PiperVoices(settings.speak_voices), http_metrics.registry)
    if not settings.speak_url:
        return None
    server = SpeechServer(
        settings.speak_url,
        key=settings.speak_key.get_secret_value(),
        model=settings.speak_model,
        voices={"": settings.speak_voice, **settings.speak_voice_by_language},
        sample_rate=settings.speak_sample_rate,
    )
    return Speaker(server, http_metrics.registry)


def deliveries_of(settings: Settings, http_metrics: HttpMetrics, tracing: Tracing) -> Deliveries:
    """Return the deliveries of webhooks; they connect with the first event."""
    receivers = {client: Receiver(webhook.url, webhook.keys) for client, webhook in settings.order_webhooks.items()}
    return Deliveries(receivers, Sender(Networks(settings.webhook_networks)), http_metrics.registry, tracing=tracing)


def mcp_endpoint_of(settings: Settings, http_metrics: HttpMetrics) -> "McpEndpoint | None":
    """Return the endpoint of the tools for language models; None without MCP."""
    if settings.mcp == "off":
        return None
    from adapters.mcp_endpoint import McpEndpoint  # noqa: PLC0415 - requirements-mcp.txt is optional

    return McpEndpoint(settings, http_metrics.registry)


async def load_models(recogniser: Recogniser) -> None:
    """Load the speech models, then exempt them from garbage collection."""
    await asyncio.to_thread(recogniser.load)
    gc.freeze()


# --- The tables ---------------------------------------------------------------------------------------------------------------------

routes = [
    Route("/api/v1/voice/recommend_order", recommend_order, methods=["POST"]),
    Route("/api/v1/voice/order", take_order, methods=["POST"]),
    Route("/api/v1/voice/order/{order_id}", orders.put_order, methods=["PUT"]),
    Route("/api/v1/voice/order/{order_id}", orders.get_order, methods=["GET"]),
    Route("/api/v1/voice/order/{order_id}", orders.cancel_order, methods=["DELETE"]),
    Route("/api/v1/voice/orders", orders.list_orders, methods=["GET"]),
    Route("/api/v1/voice/speech", transcribe, methods=["POST"]),
    Route("/api/v1/voice/menus", menus.list_menus, methods=["GET"]),
    Route("/api/v1/voice/menus/{menu}", menus.get_menu, methods=["GET"]),
    Route("/api/v1/voice/menus/{menu}", menus.put_menu, methods=["PUT"]),
    Route("/api/v1/voice/menus/{menu}", menus.delete_menu, methods=["DELETE"]),
    Route("/api/v1/voice/menus/{menu}/items/{item}", menus.set_item_availability, methods=["PATCH"]),
    Route("/api/v1/voice/menus/{menu}/groups/{group}/choices/{choice}", menus.set_choice_availability, methods=["PATCH"]),
    Route("/api/v1/auth/token", take_token, methods=["POST"]),
    Route("/api/v1/auth/refresh", refresh_token, methods=["POST"]),
    Route("/api/v1/healthcheck", healthcheck, methods=["GET"]),
    Route("/healthcheck", probe, methods=["GET"]),
    Route("/readiness", readiness, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
]
# Routes of other protocols, whose owners describe them; an OpenAPI document of this service would only compete with theirs.
adapter_routes = [
    Route("/v1/audio/transcriptions", create_transcription, methods=["POST"], include_in_schema=False),
    Route("/v1/audio/translations", create_translation, methods=["POST"], include_in_schema=False),
    Route("/v1/chat/completions", create_chat_completion, methods=["POST"], include_in_schema=False),
    # Some platforms append the path to a URL that has it already.
    Route("/v1/chat/completions/chat/completions", create_chat_completion, methods=["POST"], include_in_schema=False),
    Route("/v1/models", list_models, methods=["GET"], include_in_schema=False),
    Route("/v1/models/{model}", get_model, methods=["GET"], include_in_schema=False),
]
error_bodies = {"/v1/": openai_error}  # by the beginning of the path; elsewhere errors are in the envelope
exception_handlers = dict.fromkeys((ApiError, HTTPException), on_error)


def create_app(settings: Settings, live_limits: LiveLimits = DEFAULT_LIVE_LIMITS) -> Starlette:
    """Build the application."""
    http_metrics = HttpMetrics(telemetry.new_registry())
    http_metrics.registry.register(logs.DROPPED_LINES)
    tracing = Tracing(settings.otel_exporter_otlp_endpoint, settings.app_version)
    cors = Cors(settings.cors_origins, settings.cors_origins_regex, settings.cors_headers)
    mcp = mcp_endpoint_of(settings, http_metrics)
    every_route: list[BaseRoute] = [
        *routes,
        *adapter_routes,
        *([Route("/mcp", mcp.endpoint, methods=["POST"], include_in_schema=False)] if mcp else ()),
        *(page_routes if settings.environment.serves_documentation else ()),
        *(element_routes if settings.serves_element else ()),
        WebSocketRoute("/api/v1/voice/live", LiveEndpoint(settings, cors, live_limits)),  # OpenAPI cannot describe it: docs/api.md does
        WebSocketRoute("/api/v1/voice/calls/media", MediaStreamEndpoint(settings)),  # these neither: docs/telephony.md does
        WebSocketRoute("/api/v1/voice/calls/asterisk", ChanWebSocketEndpoint(settings)),
        WebSocketRoute("/api/v1/voice/calls/jambonz", JambonzEndpoint(settings)),
        WebSocketRoute("/api/v1/voice/calls/relay", ConversationRelayEndpoint(settings)),
    ]
    edge = Middleware(
        EdgeMiddleware,
        routes=every_route,
        cors=cors,
        addresses=ClientAddresses(settings.trusted_proxies),
        metrics=http_metrics,
        access_log=AccessLog(http_metrics, enabled=settings.access_log == "on"),
        tracing=tracing,
    )
    app = Application(
        routes=every_route,
        middleware=[edge],  # outermost first
        exception_handlers=exception_handlers,
        lifespan=lifespan,
    )
    app.state.settings, app.state.metrics, app.state.live_limits = settings, http_metrics, live_limits
    app.state.error_bodies = error_bodies | ({"/mcp": json_rpc_error} if mcp else {})
    app.state.tracing, app.state.mcp = tracing, mcp
    app.router.redirect_slashes = False  # a redirect would be outside the envelope, with a Location made of the caller's Host
    return app


settings = read_settings(Settings)
app = create_app(settings)

if __name__ == "__main__":
    server.run("app:app", settings)
