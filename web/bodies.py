"""Read request bodies as bytes, JSON or forms, within limits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from errors import BadRequest, PayloadTooLarge, ValidationFailed
from web.body_budget import BodyBudget
from web.context import context_of
from web.fast_path import is_whole_body
from web.http_metrics import HttpMetrics
from web.large_json import PLACEHOLDER, cut_out_audio, decode_json_base64
from web.media_types import expect_json, media_type_of
from web.validation import validate_json

M = TypeVar("M", bound=BaseModel)
# The speech and order forms have fewer fields; the values other than the file are words and numbers.
MAX_FORM_FIELDS, MAX_FIELD_BYTES = 16, 4096
# Of a body on a route without credentials; a refresh token has about 400 bytes.
MAX_OPEN_BODY_BYTES = 8192
# Bytes of each body exempt from the budget: the server buffers them anyway.
UNCOUNTED_BODY_BYTES = 65_536


class BodyReader:
    """Reads the bodies of one application."""

    def __init__(
        self,
        *,
        max_body_bytes: int,
        max_json_bytes: int,
        metrics: HttpMetrics,
        decode_audio: Callable[[memoryview], bytes] = decode_json_base64,
    ) -> None:
        """`max_body_bytes`: of a body with audio. `max_json_bytes`: of the JSON, not counting audio in it."""
        self.max_body_bytes = max_body_bytes
        self.max_json_bytes = max_json_bytes
        self.metrics = metrics
        self.decode_audio = decode_audio
        self.budget = BodyBudget(2 * max_body_bytes, metrics.held_body_bytes)

    def max_bytes_of(self, audio: bool, open_to_all: bool) -> int:  # noqa: FBT001 - called once a request
        """Return the limit of a route; `audio`: the route accepts audio."""
        if open_to_all:
            return MAX_OPEN_BODY_BYTES
        return self.max_body_bytes if audio else self.max_json_bytes

    async def chunks(self, request: Request, first: Message | None = None) -> AsyncIterator[bytes]:
        """Yield the chunks of the body as they arrive; `first`: a message received before.

        Raises:
            PayloadTooLarge: the body exceeds the route's limit; raised as soon as it does.
            Overloaded: the large bodies in progress exceed the budget.
            ClientDisconnect: the caller hung up.

        """
        context = context_of(request.scope)
        client = context.caller.id if context.caller else ""
        n_bytes, held_bytes, more = 0, 0, True
        self.budget.expect(client, max(0, int(context.headers.get(b"content-length", 0)) - UNCOUNTED_BODY_BYTES))
        try:
            while more:
                message, first = first or await request.receive(), None
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk: bytes = message.get("body", b"")
                n_bytes += len(chunk)
                if n_bytes > context.max_body_bytes:
                    raise PayloadTooLarge
                new_bytes = max(0, n_bytes - UNCOUNTED_BODY_BYTES) - held_bytes
                self.budget.hold(client, new_bytes)
                held_bytes += new_bytes
                self.metrics.body_bytes.inc(len(chunk))
                more = message.get("more_body", False)
                yield chunk
        finally:
            self.budget.release(client, held_bytes)

    async def read(self, request: Request) -> bytes:
        """Return the whole body.

        Raises:
            PayloadTooLarge, Overloaded, ClientDisconnect: see `chunks`.

        """
        first = await request.receive()
        if is_whole_body(first):
            body: bytes = first.get("body", b"")
            if len(body) > context_of(request.scope).max_body_bytes:
                raise PayloadTooLarge
            self.metrics.body_bytes.inc(len(body))
            return body
        chunks = [chunk async for chunk in self.chunks(request, first)]
        return await asyncio.to_thread(b"".join, chunks)  # 200 MB take 0.2 s, and joining releases the interpreter

    async def read_json(self, request: Request, model: type[M]) -> M:
        """Read the body as JSON and validate it.

        Raises:
            UnsupportedMediaType, PayloadTooLarge, BadRequest, ValidationFailed: in this order.

        """
        expect_json(request)
        body = await self.read(request)
        if len(body) > 2 * self.max_json_bytes:
            return await self._read_large_json(body, model)
        asked = validate_json(body, model)
        if len(body) > self.max_json_bytes and getattr(asked, "audio", None) is None:
            raise PayloadTooLarge
        return asked

    async def _read_large_json(self, body: bytes, model: type[M]) -> M:
        """Validate JSON that is nearly all audio; the audio is decoded in a thread.

        Raises:
            PayloadTooLarge: the JSON beside the audio is too long. BadRequest, ValidationFailed: as `validate_json`.

        """
        rest, string = cut_out_audio(body, self.max_json_bytes)
        asked = validate_json(rest, model)
        if getattr(asked, "audio", None) != PLACEHOLDER:
            raise PayloadTooLarge
        try:
            audio = await asyncio.to_thread(self.decode_audio, string)
        except ValueError as error:
            raise ValidationFailed(errors=[{"loc": ["audio"], "msg": f"Value error, {error}", "type": "value_error"}]) from None
        return asked.model_copy(update={"audio": audio})

    async def read_form(
        self, request: Request, max_field_bytes: int = MAX_FIELD_BYTES, max_fields: int = MAX_FORM_FIELDS
    ) -> tuple[bytes, list[tuple[str, str]]]:
        """Return the `file` of a form and its other fields, at most `max_fields` of at most `max_field_bytes` each.

        Raises:
            BadRequest: the form is malformed. ValidationFailed: the file is missing. PayloadTooLarge: see `chunks`.

        """
        boundary = media_type_of(request)[1].get("boundary", "")
        # Without the charset parameter: decoding a field as idna takes 15 ms.
        headers = Headers({"content-type": f"multipart/form-data; boundary={boundary}"})
        parser = MultiPartParser(headers, self.chunks(request), max_files=1, max_fields=max_fields, max_part_size=max_field_bytes)  # type: ignore[arg-type]
        parser.spool_max_size = self.max_body_bytes  # in memory: the file system may be read-only
        try:
            form = await parser.parse()
        except (MultiPartException, KeyError, ValueError) as error:
            message = "The body is not a well-formed form."
            raise BadRequest(message) from error
        try:
            file = form.get("file")
            if file is None or isinstance(file, str):
                raise ValidationFailed(errors=[{"loc": ["file"], "msg": "Field required", "type": "missing"}])
            return await file.read(), [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
        finally:
            await form.close()
