"""The WebSocket of a telephone platform: JSON messages in both directions, admission after the first message, limits."""

import asyncio
import base64
import binascii
import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Receive, Scope, Send

from errors import ApiError, AuthRequired, BadRequest, InvalidCredentials, Overloaded, PayloadTooLarge, RateLimited, TimedOut
from settings import PhoneLine, Settings
from voice.calls.calls import Caller
from web.admission import Admission
from web.context import caller_of, context_of

# Source: RFC 6455, section 7.4.1, and its registry at IANA.
CLOSE_CODES: Final = {PayloadTooLarge: 1009, Overloaded: 1013}
NORMAL, POLICY_VIOLATION, SERVER_FAILED = 1000, 1008, 1011
# Connections of an endpoint that have named no call yet.
MAX_STARTING = 64
SCOPES: Final = frozenset({"speech", "order"})
CREDENTIAL_HEADERS: Final = (b"x-secret-id", b"x-secret-key", b"authorization")


@dataclass(frozen=True, kw_only=True)
class PhoneLimits:
    """Limits of a telephone platform's WebSocket."""

    max_start_s: float = 10.0  # until the message that names the call
    max_idle_s: float = 30.0  # without a message
    max_send_s: float = 5.0  # until the platform reads a message
    max_message_bytes: int = 256 * 1024  # ten seconds of audio
    max_buffered_bytes: int = 1024 * 1024  # of messages that are incomplete or not taken yet
    # Audio comes in 50 messages a second.
    free_messages: int = 1000
    max_messages_per_s: int = 500


DEFAULT_PHONE_LIMITS = PhoneLimits()


class PhoneSocket:
    """An accepted WebSocket, whose messages are JSON objects."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: PhoneLimits) -> None:
        self.limits = limits
        self._scope, self._receive, self._send = scope, receive, send
        self._n_messages, self._opened_at = 0, asyncio.get_running_loop().time()
        self._oversize = asyncio.Event()
        self.is_accepted = False

    async def accept(self, subprotocol: str | None = None) -> None:
        """Complete the handshake."""
        await self._receive()
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol})
        self.is_accepted = True
        self._scope["voice.buffered"] = self._limit_buffered

    def _limit_buffered(self, n_bytes: int) -> bool:
        if n_bytes > self.limits.max_buffered_bytes:
            self._oversize.set()
        return not self._oversize.is_set()

    async def receive(self, within_s: float | None = None) -> bytes | str:
        """Return the next message.

        Raises:
            ClientDisconnect: the platform has closed the connection.
            TimedOut, RateLimited, PayloadTooLarge: it sends nothing, too often, or too much.

        """
        self._n_messages += 1
        elapsed_s = asyncio.get_running_loop().time() - self._opened_at
        if self._n_messages > self.limits.free_messages + self.limits.max_messages_per_s * elapsed_s:
            raise RateLimited(1, "Too many messages were received.")
        receiving = asyncio.ensure_future(self._receive())
        oversize = asyncio.ensure_future(self._oversize.wait())
        try:
            done, _ = await asyncio.wait(
                {receiving, oversize}, timeout=within_s or self.limits.max_idle_s, return_when=asyncio.FIRST_COMPLETED
            )
            if receiving in done:
                message = receiving.result()
            elif oversize in done:
                raise PayloadTooLarge
            else:
                raise TimedOut
        finally:
            receiving.cancel()
            oversize.cancel()
        if message["type"] == "websocket.disconnect":
            raise ClientDisconnect
        content: bytes | str = message["text"] if message.get("text") is not None else message["bytes"]
        if len(content) > self.limits.max_message_bytes:
            raise PayloadTooLarge
        return content

    async def receive_json(self, within_s: float | None = None) -> dict[str, Any]:
        """Return the next message as an object; as `receive`.

        Raises:
            BadRequest: it is none.

        """
        try:
            message = orjson.loads(await self.receive(within_s))
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict):
            text = "The message is not a JSON object."
            raise BadRequest(text)
        return message

    async def send(self, content: Mapping[str, Any] | bytes | str) -> None:
        """Send an object, a text or bytes.

        Raises:
            OSError: the platform does not read, or has gone.

        """
        frame: dict[str, bytes | str] = {"bytes": content} if isinstance(content, bytes) else {"text": _text(content)}
        async with asyncio.timeout(self.limits.max_send_s):
            await self._send({"type": "websocket.send", **frame})

    async def close(self, error: ApiError | None = None) -> None:
        """Close with the code and the reason; then read until the platform closes too, which unread audio would delay.

        Raises:
            ClientDisconnect: the platform does not read.

        """
        code = NORMAL if error is None else CLOSE_CODES.get(type(error), POLICY_VIOLATION if error.status < 500 else SERVER_FAILED)  # noqa: PLR2004
        reason = "" if error is None else str(error.error)
        try:
            async with asyncio.timeout(self.limits.max_send_s):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
                while not self._oversize.is_set() and (await self._receive())["type"] != "websocket.disconnect":
                    pass
        except OSError as unread:
            raise ClientDisconnect from unread


def _text(content: Mapping[str, Any] | str) -> str:
    return content if isinstance(content, str) else orjson.dumps(content).decode()


class PhoneAdmission:
    """Admits the calls of telephone platforms."""

    def __init__(self, settings: Settings) -> None:
        self._token = settings.twilio_auth_token.get_secret_value()
        self._host = settings.public_url.partition("://")[2].rstrip("/")
        self._line = settings.twilio_line
        self._n_starting = 0

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Count a connection until its call is admitted.

        Raises:
            Overloaded: too many connections have named no call yet.

        """
        if self._n_starting >= MAX_STARTING:
            message = "Too many connections have not named their call yet."
            raise Overloaded(1, message)
        self._n_starting += 1
        try:
            yield
        finally:
            self._n_starting -= 1

    async def check_signature(self, connection: HTTPConnection, admission: Admission) -> PhoneLine | None:
        """Check Twilio's signature of the URL; return the line of signed calls, or None where no signature is expected.

        The signature is the HMAC-SHA-1 of the URL as Twilio knows it, with the account's token.

        Raises:
            AuthRequired: the signature is missing. InvalidCredentials: it is wrong.

        """
        if not self._token or any(name in context_of(connection.scope).headers for name in CREDENTIAL_HEADERS):
            return None
        given = context_of(connection.scope).headers.get(b"x-twilio-signature")
        if given is None:
            message = "X-Twilio-Signature is missing."
            raise AuthRequired(message)
        query = connection.scope["query_string"].decode("latin-1")
        path = connection.scope["path"] + (f"?{query}" if query else "")
        urls = [f"wss://{self._host}{path}", f"wss://{self._host}:443{path}", f"wss://{self._host}{path}/"]
        if not any(hmac.compare_digest(given, signature(url, self._token)) for url in urls):
            message = "X-Twilio-Signature is not that of this URL."
            error = InvalidCredentials(message)
            await admission.limit_failed_credentials(connection, error)
            raise error
        return self._line

    @staticmethod
    async def admit(  # noqa: PLR0913, PLR0917 - what a call is known by
        connection: HTTPConnection,
        admission: Admission,
        parameters: Mapping[str, Any],
        line: PhoneLine | None,
        limits: tuple[str, ...],
        protocol: str,
        call_id: str,
    ) -> Caller:
        """Admit a call by credentials, from its headers or its parameters, or else by Twilio's signature; return its caller.

        Raises:
            AuthRequired: there are none. Others: as `Admission.admit`.

        """
        context = context_of(connection.scope)
        given = {name: value for name, value in parameters.items() if isinstance(value, str)}
        if "token" in given:
            context.headers[b"authorization"] = b"Bearer " + given["token"].encode()
        for name in ("secret_id", "secret_key"):
            if name in given:
                context.headers[b"x-" + name.replace("_", "-").encode()] = given[name].encode()
        if line is not None and not any(name in context.headers for name in CREDENTIAL_HEADERS):
            context.caller = await admission.admit_named(line.client, SCOPES, limits)
        else:
            line = None
            await admission.admit(connection, SCOPES, limits)
        return Caller(
            protocol=protocol,
            call_id=call_id,
            client=caller_of(connection).id,
            menu=given.get("menu") or (line.menu if line else None),
            language=given.get("language") or (line.language if line else None),
            greeting=given.get("greeting", "")[:500] or (line.greeting if line else ""),
        )


def accept_basic(connection: HTTPConnection) -> None:
    """Take the user and the password of a platform's configuration as a client's id and key; anything malformed is left to admission."""
    headers = context_of(connection.scope).headers
    scheme, _, encoded = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return
    try:
        secret_id, _, secret_key = base64.b64decode(encoded, validate=True).partition(b":")
    except binascii.Error:
        return
    headers[b"x-secret-id"], headers[b"x-secret-key"] = secret_id, secret_key


def signature(url: str, token: str) -> bytes:
    """Return Twilio's signature of a URL without a form."""
    return base64.b64encode(hmac.digest(token.encode(), url.encode(), "sha1"))
