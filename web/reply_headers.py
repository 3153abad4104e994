"""Headers that every reply carries: the security headers and the request id."""

import itertools
import secrets

SECURITY_HEADERS = (
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)

_process = secrets.token_hex(6).encode()
_count = itertools.count(1)


def new_request_id() -> bytes:
    """Return an id that no other request has: a random prefix for the process, then a counter in hexadecimal."""
    return b"%b-%x" % (_process, next(_count))
