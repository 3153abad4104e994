"""Preconditions of requests that change what others may change. Source: RFC 9110 section 13, RFC 6585 section 3."""

import re

from starlette.requests import Request

from errors import PreconditionFailed, PreconditionRequired
from voice.menus.stored_menus import Precondition
from web.context import context_of

_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e]*)"')


def quoted(etag: str) -> str:
    """Return an ETag as headers have it."""
    return f'"{etag}"'


def precondition_of(request: Request) -> Precondition:
    """Return the check of the request's If-Match and If-None-Match.

    A weak ETag matches, too: a proxy that compresses replies makes the ETags that it passes on weak.
    """
    headers = context_of(request.scope).headers
    if_match, if_none_match = headers.get(b"if-match"), headers.get(b"if-none-match")

    def check(etag: str | None) -> None:
        """Compare the headers with the ETag of what is stored, None if nothing is.

        Raises:
            PreconditionRequired: neither header is there. PreconditionFailed: one does not hold.

        """
        if if_match is None and if_none_match is None:
            raise PreconditionRequired
        if if_match is not None and not _names(if_match, etag):
            raise PreconditionFailed
        if if_none_match is not None and _names(if_none_match, etag):
            raise PreconditionFailed

    return check


def _names(header: bytes, etag: str | None) -> bool:
    """Return whether the value of a header names an ETag; `*` names any that is there."""
    value = header.decode("latin-1").strip()
    return etag is not None and (value == "*" or etag in _TAG.findall(value))
