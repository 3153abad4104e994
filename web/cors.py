"""Cross-origin requests of browsers. Source: Fetch standard, section 3.3."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.responses import Response

from errors import BadRequest
from web.replies import JsonResponse

METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
MAX_AGE_S = 600
ORIGIN_REJECTED = "Pages from this origin may not call this service."
Headers = list[tuple[bytes, bytes]]


class Cors:
    """The browser origins that may call."""

    def __init__(self, origins: Sequence[str], origin_regex: str | None, headers: Sequence[str]) -> None:
        """`origins`: compared exactly. `origin_regex`: must match the whole origin. `headers`: the request headers that pages may send."""
        self.origins = {origin.encode() for origin in origins}
        self.regex = re.compile(origin_regex.encode()) if origin_regex else None
        self.enabled = bool(self.origins) or self.regex is not None  # pages of any other origin may call
        self.preflight_headers = {
            "access-control-allow-methods": METHODS,
            "access-control-allow-headers": ", ".join(headers),
            "access-control-max-age": str(MAX_AGE_S),
        }

    def allows(self, origin: bytes | None) -> bool:
        """True if pages of this origin may call."""
        return origin is not None and (origin in self.origins or (self.regex is not None and self.regex.fullmatch(origin) is not None))

    def headers_for(self, origin: bytes | None) -> Headers:
        """Return the headers of a reply; omit the allow headers for other origins."""
        if not self.enabled:
            return []
        vary = [(b"vary", b"Origin")]
        if origin is None or not self.allows(origin):
            return vary
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", b"X-Request-ID, Retry-After, ETag"),
            *vary,
        ]

    def preflight(self, origin: bytes | None) -> Response:
        """Return the reply to a preflight request.

        Raises:
            BadRequest: the origin may not call.

        """
        if not self.allows(origin):
            raise BadRequest(ORIGIN_REJECTED)
        return JsonResponse({"code": 200, "msg": "This origin may call.", "data": {}}, headers=self.preflight_headers)


def is_same_origin(origin: bytes, host: bytes, public_url: str) -> bool:
    """True if the page was served by this service: its host is the request's Host or the public URL's."""
    try:
        place = urlsplit(origin.decode("latin-1")).netloc.lower()
    except ValueError:  # an unmatched bracket
        return False
    return place in (host.decode("latin-1").lower(), public_url.rpartition("://")[2].lower())
