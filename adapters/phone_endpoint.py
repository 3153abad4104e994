"""What the endpoints of telephone platforms have in common: a call admitted at the handshake, and the mark behind its audio."""

import asyncio
import itertools
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Receive, Scope, Send

from adapters.phone_socket import DEFAULT_PHONE_LIMITS, PhoneAdmission, PhoneLimits, PhoneSocket, accept_basic
from errors import ApiError
from settings import Settings
from voice.calls.calls import Caller, Calls
from web.context import RequestContext, context_of

LIMITS: Final = ("requests", "speech")
# After the goodbye the caller may hang up; then the platform goes on with what its document says, which may be a call to a person.
HANG_UP_S: Final = 10.0
MAX_LATE_S: Final = 2.0  # the mark may come this much later than the audio takes


class AudioMark:
    """A mark behind the audio, which the platform sends back once the audio was played or dropped."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.name = ""
        self._returned = asyncio.Event()

    def new(self) -> str:
        """Return the name of the next mark; earlier ones no longer count."""
        self._returned.clear()
        self.name = f"end-{next(self._numbers)}"
        return self.name

    def take(self, name: object) -> None:
        """Take the name of a mark that came back."""
        if name == self.name:
            self._returned.set()

    async def wait(self, audio_s: float) -> None:
        """Wait until the mark is back; not much longer than the audio before it takes."""
        try:
            async with asyncio.timeout(audio_s + MAX_LATE_S):
                await self._returned.wait()
        except TimeoutError:
            return


class BasicAuthEndpoint(ABC):
    """Serves calls whose platform sends user and password, or a client's headers, with the handshake."""

    protocol: ClassVar[str]
    subprotocol: ClassVar[str]

    def __init__(self, settings: Settings, limits: PhoneLimits = DEFAULT_PHONE_LIMITS) -> None:
        self.admission = PhoneAdmission(settings)
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the call before the handshake, or take it."""
        connection, state = HTTPConnection(scope), scope["state"]
        state["calls"].check_admission()
        accept_basic(connection)
        parameters: dict[str, Any] = dict(connection.query_params)
        caller = await self.admission.admit(connection, state["admission"], parameters, None, LIMITS, self.protocol, "")
        socket = PhoneSocket(scope, receive, send, self.limits)
        await socket.accept(self.subprotocol if self.subprotocol in scope.get("subprotocols", ()) else None)
        error: ApiError | None = None
        try:
            error = await self._serve(socket, caller, state["calls"], context_of(scope))
        except ApiError as refused:
            error = refused
        except OSError as gone:
            raise ClientDisconnect from gone
        await socket.close(error)

    @abstractmethod
    async def _serve(self, socket: PhoneSocket, caller: Caller, calls: Calls, context: RequestContext) -> ApiError | None:
        """Hold the call to its end; return why it ended early.

        Raises:
            ApiError: the platform's messages are refused.

        """
