"""Replies as server-sent events. Source: HTML standard, section 9.2."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from starlette.responses import Response

DONE = b"data: [DONE]\n\n"


def event_reply(events: Iterable[Mapping[str, Any]], *, is_done_told: bool) -> Response:
    """Return a reply with all events. `is_done_told`: the event `[DONE]` is the last.

    The service knows the whole reply when it knows the first word, so all events are sent at once: nothing is held for a slow reader, and
    whatever fails, fails with its status before the first event.
    """
    body = b"".join([b"data: %b\n\n" % orjson.dumps(event) for event in events])
    return Response(body + DONE * is_done_told, media_type="text/event-stream")
