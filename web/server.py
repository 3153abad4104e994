"""Process start: listen, and serve with uvicorn in one process or several workers."""

import contextlib
import logging
import socket
import sys
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from settings import USAGE_ERROR_STATUS, Environment, Settings
from web.auth import DEMO_ID, DEMO_KEY
from web.http_protocol import HttpProtocol
from web.logs import log_config
from web.server_limits import DEFAULT_LIMITS, ServerLimits
from web.telemetry import shared_by_workers
from web.websocket_protocol import MAX_MESSAGE_BYTES, PING_S, WebSocketProtocol

log = logging.getLogger("voice.server")

# Reply bytes in the kernel that are not sent yet. By default the kernel buffers up to 4 MB a connection: some 10,000 replies to a
# peer that reads none.
UNSENT_BYTES = 128 * 1024
# A worker answers its supervisor after its imports: a second, far longer on a machine that starts many processes. With uvicorn's 5 s a slow
# worker would be killed and restarted forever.
WORKER_START_S = 60
# The event loop accepts one connection from each listener, then serves all ready connections, then accepts again: with one listener, the
# last of 32 simultaneous callers waited behind a thousand requests.
LISTENERS = 16


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address; on failure exit with one line and status 2."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        sys.stderr.write(f"HOST, PORT: cannot listen on {host}, port {port}: {error.strerror}\n")
        raise SystemExit(USAGE_ERROR_STATUS) from None
    listener.set_inheritable(True)
    log.info("listening", extra={"host": host, "port": listener.getsockname()[1]})
    return listener


def start_message(settings: Settings, port: int) -> str:
    """Return the links for a developer, one a line; "" outside LOCAL, where machines read the output."""
    if settings.environment is not Environment.LOCAL:
        return ""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    lines = (
        f"Page to try it:  {url}/api/v1/try",
        f"Documentation:   {url}/api/v1/docs",
        f"Demo client:     X-Secret-Id: {DEMO_ID}, X-Secret-Key: {DEMO_KEY}",
    )
    return "".join(f"{line}\n" for line in lines)


class LinkingServer(uvicorn.Server):
    """A server that prints links when it is ready to serve."""

    def __init__(self, config: uvicorn.Config, links: str) -> None:
        super().__init__(config)
        self.links = links

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the links."""
        await super().startup(sockets)
        for handler in logging.getLogger().handlers:
            handler.flush()  # the links are the last lines
        sys.stdout.write(self.links)
        sys.stdout.flush()


def run(app: str | ASGIApp, settings: Settings, limits: ServerLimits = DEFAULT_LIMITS) -> None:
    """Serve an application until a signal stops the process; several workers need its name ("module:name")."""
    http: Any = partial(HttpProtocol, limits=limits)
    websocket: Any = partial(WebSocketProtocol, limits=limits)
    config = uvicorn.Config(
        cast("Any", app),
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http=http,
        ws=websocket,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,  # audio hardly shrinks, and a small message could expand to a large one
        lifespan="on",
        timeout_keep_alive=limits.keep_alive_s,
        log_config=log_config(settings.log_level, limits),
        access_log=False,
        server_header=False,
        timeout_worker_healthcheck=WORKER_START_S,
        proxy_headers=False,  # TRUSTED_PROXIES applies in the application
        timeout_graceful_shutdown=max(1, int(0.75 * settings.drain_seconds)),  # a quarter passes before the shutdown
    )
    listener = bind(settings.host, settings.port)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)  # accepted connections inherit it
    links = start_message(settings, listener.getsockname()[1])
    listeners = [listener, *(listener.dup() for _ in range(LISTENERS - 1))]
    with contextlib.suppress(KeyboardInterrupt):
        if settings.workers > 1:
            with shared_by_workers():
                sys.stdout.write(links)
                Multiprocess(config, listeners).run()
        else:
            LinkingServer(config, links).run(listeners)
