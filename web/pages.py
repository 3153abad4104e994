"""Pages for people, in debug environments: the API documentation, and the page to order with."""

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from errors import NotFound
from schemas import Links
from settings import ROOT
from web import openapi
from web.endpoint import endpoint
from web.menu_check import check_menu
from web.replies import JsonResponse, reply

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
# All resources come from this host; Redoc uses inline styles, and its search worker is a blob.
DOCUMENTATION_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_DIR = ROOT / "page"
PAGE_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
ORDERING_SCRIPTS = (
    "ordering",
    "ordering_markup",
    "controls",
    "session",
    "state",
    "storage",
    "live_session",
    "conversation",
    "conversation_view",
    "speech",
    "barge_in",
    "microphone",
    "audio_worklet",
    "level_meter",
    "order",
    "order_view",
    "service",
    "failures",
    "elements",
    "texts",
)
ORDERING_FILES = ("ordering.css", *(f"{script}.js" for script in ORDERING_SCRIPTS))  # which the element has too
PAGE_FILES = ("page.css", "icon.svg", "page.js", "page_session.js", "frames_view.js", "menu_view.js", *ORDERING_FILES)
# All resources come from this host; inline scripts are not executed.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
}


class WholeFile(FileResponse):
    """A file served without ranges: Starlette rejects a malformed Range in plain text. Source: RFC 9110 section 14.2 (may be ignored)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


@endpoint(scope=None, returns=Links, status={200: "The documentation, and a page to try it."})
async def index(request: Request) -> Response:
    """Name the pages for people."""
    return reply(request, {"documentation": "/api/v1/docs", "openapi": "/api/v1/docs/openapi.json", "page": "/api/v1/try"})


@lru_cache(maxsize=1)
def openapi_document(app: Starlette) -> dict[str, Any]:
    """Return the OpenAPI document of an application, built once."""
    settings = app.state.settings
    routes = [route for route in app.routes if isinstance(route, Route)]  # OpenAPI cannot describe WebSocket
    return openapi.document(routes, version=settings.app_version, server_url=settings.public_url)


@endpoint(scope=None, status={200: "The OpenAPI document."})
async def openapi_json(request: Request) -> Response:
    """Return the OpenAPI document."""
    return JsonResponse(openapi_document(request.app))


@endpoint(scope=None, status={200: "A page for people."}, produces="text/html")
async def documentation(request: Request) -> Response:  # noqa: ARG001 - an endpoint's signature
    """Return the documentation page."""
    return Response(DOCUMENTATION, media_type="text/html", headers={"Content-Security-Policy": DOCUMENTATION_POLICY})


@endpoint(scope=None, status={200: "The page's script."}, produces="text/javascript")
async def documentation_script(request: Request) -> Response:  # noqa: ARG001 - an endpoint's signature
    """Return the documentation page's script from the package that contains it."""
    package = importlib.util.find_spec("drf_spectacular_sidecar")  # not imported: importing it needs Django
    if package is None or package.origin is None:
        raise NotFound
    bundle = Path(package.origin).parent / "static/drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js"
    return WholeFile(bundle, media_type="text/javascript")


@endpoint(scope=None, status={200: "A page for people, and its parts."}, produces="text/html")
async def order_page(request: Request) -> Response:
    """Return a file of the page to order with."""
    name = request.url.path.rpartition("/")[2]
    path = PAGE_DIR / (name if name in PAGE_FILES else "index.html")
    return WholeFile(path, media_type=PAGE_MEDIA_TYPES[path.suffix], headers=PAGE_HEADERS)


page_routes = [  # the pages are not in the OpenAPI document
    Route("/", index, methods=["GET"]),
    Route("/api/v1/docs", documentation, methods=["GET"], include_in_schema=False),
    Route("/api/v1/docs/openapi.json", openapi_json, methods=["GET"], include_in_schema=False),
    Route("/api/v1/docs/redoc.standalone.js", documentation_script, methods=["GET"], include_in_schema=False),
    Route("/api/v1/try", order_page, methods=["GET"], include_in_schema=False),
    Route("/api/v1/try/menu", check_menu, methods=["POST"], include_in_schema=False),
    *(Route(f"/api/v1/try/{name}", order_page, methods=["GET"], include_in_schema=False) for name in PAGE_FILES),
]
