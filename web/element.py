"""The element <voice-order>, with which pages of other origins take orders: one module, and the files that it loads."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from web.endpoint import endpoint
from web.pages import ORDERING_FILES, PAGE_DIR, PAGE_MEDIA_TYPES, WholeFile

ELEMENT_FILES = ("voice_order.js", *ORDERING_FILES)
MODULE = b'import "./voice-order/voice_order.js";\n'
# Browsers load modules, worklets and the style sheet by CORS, which admits the origins of CORS_ORIGINS. Cross-Origin-Resource-Policy is for
# pages that isolate themselves. The content security policy is for whoever opens a file as a document.
ELEMENT_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
}


@endpoint(scope=None, status={200: "The element's module."}, produces="text/javascript")
async def element_module(request: Request) -> Response:  # noqa: ARG001 - an endpoint's signature
    """Return the module that a page names."""
    return Response(MODULE, media_type="text/javascript", headers=ELEMENT_HEADERS)


@endpoint(scope=None, status={200: "A file of the element."}, produces="text/javascript")
async def element_file(request: Request) -> Response:
    """Return a file that the module loads."""
    path = PAGE_DIR / request.url.path.rpartition("/")[2]  # one of the routes
    return WholeFile(path, media_type=PAGE_MEDIA_TYPES[path.suffix], headers=ELEMENT_HEADERS)


element_routes = [  # not in the OpenAPI document: they are no API
    Route("/api/v1/voice-order.js", element_module, methods=["GET"], include_in_schema=False),
    *(Route(f"/api/v1/voice-order/{name}", element_file, methods=["GET"], include_in_schema=False) for name in ELEMENT_FILES),
]
