"""Twilio's ConversationRelay, and Telnyx's of the same name: the platform recognises and speaks, text goes in and out.

docs/telephony.md has the TwiML. Source: https://www.twilio.com/docs/voice/conversationrelay/websocket-messages
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Receive, Scope, Send

from adapters.phone_socket import DEFAULT_PHONE_LIMITS, PhoneAdmission, PhoneLimits, PhoneSocket
from errors import ApiError, BadRequest
from settings import Settings
from voice.calls.calls import Calls
from voice.calls.outcome import Outcome
from voice.calls.text_call import Reply, TextCall
from voice.tts.pieces import cut
from web.context import caller_of

LIMITS = ("requests",)
# Without a message. The platform sends none while the caller is silent.
IDLE_S = 120.0
# The session ends when the last sentence was heard, which the platform does not report: an estimate, with characters for its delay.
CHARACTERS_PER_S, DELAY_CHARACTERS = 13.0, 20


class ConversationRelayEndpoint:
    """Serves the conversation of a call."""

    def __init__(
        self, settings: Settings, limits: PhoneLimits = DEFAULT_PHONE_LIMITS, *, characters_per_s: float = CHARACTERS_PER_S
    ) -> None:
        """`characters_per_s`: the pace of the platform's voice."""
        self.admission = PhoneAdmission(settings)
        self.limits, self.characters_per_s = limits, characters_per_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the call before the handshake, or hold its conversation."""
        connection, state = HTTPConnection(scope), scope["state"]
        line = await self.admission.check_signature(connection, state["admission"])
        socket = PhoneSocket(scope, receive, send, self.limits)
        error: ApiError | None = None
        try:
            with self.admission.starting():
                await socket.accept()
                setup = await self._setup(socket)
                parameters = setup.get("customParameters") or {}
                call_id = str(setup.get("callSid") or setup.get("callControlId") or setup.get("sessionId") or "")
                caller = await self.admission.admit(connection, state["admission"], parameters, line, LIMITS, "conversation_relay", call_id)
            tags = [tag.strip() for tag in str(parameters.get("languages") or "").split(",") if tag.strip()]
            caller.language = caller.language or (_primary(tags[0]) if len(tags) == 1 else None)
            limiter, client = state["admission"].limiter, caller_of(connection).id
            with state["calls"].open_text(caller) as call:
                conversation = RelayConversation(socket, call, state["calls"], tags, self.characters_per_s)
                caller.outcome = await conversation.run(lambda: limiter.hit("requests", client))
        except ApiError as refused:
            if not socket.is_accepted:
                raise
            error = refused
        await socket.close(error)

    async def _setup(self, socket: PhoneSocket) -> dict[str, Any]:
        """Return the message that names the call.

        Raises:
            BadRequest: another message comes. Others: as `PhoneSocket.receive`.

        """
        setup = await socket.receive_json(self.limits.max_start_s)
        if setup.get("type") != "setup" or not isinstance(setup.get("customParameters") or {}, dict):
            message = "The first message is not the setup of a call."
            raise BadRequest(message)
        return setup


class RelayConversation:
    """The conversation of an admitted call."""

    def __init__(self, socket: PhoneSocket, call: TextCall, calls: Calls, tags: list[str], characters_per_s: float) -> None:
        """`tags`: the languages as the platform names them, such as vi-VN. `characters_per_s`: the pace of its voice."""
        self.socket, self.call, self.calls, self.characters_per_s = socket, call, calls, characters_per_s
        self.tags = {_primary(tag): tag for tag in reversed(tags)}

    async def run(self, count_turn: Callable[[], Awaitable[None]]) -> Outcome:
        """Greet, then reply to each utterance; return how the call ended. `count_turn` is called before each turn.

        Raises:
            ApiError: the platform breaks the protocol or a limit.

        """
        draining = asyncio.ensure_future(self.calls.draining.wait())
        try:
            await self._say(self.call.greet())
            while True:
                receiving = asyncio.ensure_future(self.socket.receive_json(IDLE_S))
                await asyncio.wait({receiving, draining}, return_when=asyncio.FIRST_COMPLETED)
                if not receiving.done():
                    receiving.cancel()
                    reply: Reply | None = self.call.hand_off()
                else:
                    reply = await self._reply(receiving.result(), count_turn)
                if reply is not None:
                    await self._say(reply)
                    if reply.outcome is not None:
                        await self._finish(reply)
                        return reply.outcome
        except (ClientDisconnect, OSError):
            return Outcome.HUNG_UP
        finally:
            draining.cancel()

    async def _reply(self, message: dict[str, Any], count_turn: Callable[[], Awaitable[None]]) -> Reply | None:
        """Return the reply to a message; None if it needs none. Unknown messages are ignored."""
        kind = message.get("type")
        if kind == "prompt" and message.get("last") is not False:
            self._learn(message.get("lang"))
            await count_turn()
            return await self.call.take(str(message.get("voicePrompt") or ""))
        if kind == "dtmf":
            await count_turn()
            return await self.call.press(str(message.get("digit") or "")[:1])
        return None

    def _learn(self, tag: object) -> None:
        """Take the platform's name of a language from an utterance."""
        if isinstance(tag, str) and tag:
            self.tags.setdefault(_primary(tag), tag)

    async def _say(self, reply: Reply) -> None:
        """Send a reply piece by piece, so that the platform may begin with the first."""
        pieces = cut(reply.text) or [""]
        tag = self.tags.get(reply.language)
        for number, piece in enumerate(pieces, 1):
            is_last = number == len(pieces)
            token = {"type": "text", "token": piece if is_last else f"{piece} ", "last": is_last}
            await self.socket.send({**token, "lang": tag} if tag else token)

    async def _finish(self, reply: Reply) -> None:
        """Wait until the last sentence was heard, then end the session with what the caller's application needs."""
        heard_s = (len(reply.text) + DELAY_CHARACTERS) / self.characters_per_s
        waiting = asyncio.ensure_future(self._until_gone())
        await asyncio.wait({waiting}, timeout=heard_s)
        waiting.cancel()
        order, keeper = self.call.order, self.call.keeper
        handoff: dict[str, Any] = {"outcome": reply.outcome, "order_id": str(keeper.order_id) if keeper.is_stored else None}
        if order is not None:
            handoff |= {name: order[name] for name in ("menu", "lines", "notes", "total", "currency")}
        await self.socket.send({"type": "end", "handoffData": orjson.dumps(handoff).decode()})

    async def _until_gone(self) -> None:
        """Read until the platform closes the connection."""
        while True:
            await self.socket.receive(IDLE_S)


def _primary(tag: str) -> str:
    """Return the language of a tag: vi of vi-VN."""
    return tag.partition("-")[0].lower()
