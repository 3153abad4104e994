"""Endpoints: functions with the facts that admission and the OpenAPI document use."""

from collections.abc import Awaitable, Callable
from typing import Any, TypedDict

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from errors import PayloadTooLarge
from web.admission import Admission
from web.bodies import BodyReader
from web.context import context_of
from web.facts import Facts


class EndpointState(TypedDict):
    """The part of the application's state that endpoints need."""

    admission: Admission
    bodies: BodyReader


Function = Callable[[Request], Awaitable[Response]]


class Endpoint:
    """An ASGI application that admits a request as the facts require, then calls the function."""

    def __init__(self, function: Function, facts: Facts, limit: str) -> None:
        """`limit`: the rate limit that requests count against."""
        self.function = function
        self.facts = facts
        self.limits = (limit,)
        self.scopes: frozenset[str] = frozenset() if facts.scope in (None, "any") else frozenset({str(facts.scope)})
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reply to a request.

        Raises:
            PayloadTooLarge: the declared length exceeds the route's limit; raised before the body is read.

        """
        state: EndpointState = scope["state"]
        if self.facts.body is not None:
            context = context_of(scope)
            context.max_body_bytes = state["bodies"].max_bytes_of(self.facts.audio is not None, self.facts.scope is None)
            if int(context.headers.get(b"content-length", 0)) > context.max_body_bytes:  # the server accepts digits only
                raise PayloadTooLarge
        request = Request(scope, receive)
        if self.facts.scope is not None:
            await state["admission"].admit(request, self.scopes, self.limits)
        response = await self.function(request)
        await response(scope, receive, send)


def endpoint(limit: str = "requests", **facts: Any) -> Callable[[Function], Endpoint]:
    """Declare an endpoint: its `Facts`, and the rate limit that its requests count against."""
    return lambda function: Endpoint(function, Facts(**facts), limit)
