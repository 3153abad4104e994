"""Admit requests and connections: credentials, scopes, rate limits. The one place where they are decided, for HTTP and WebSocket."""

from collections.abc import Awaitable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from errors import (
    ApiError,
    AuthorizationFailed,
    AuthRequired,
    InvalidCredentials,
    InvalidSecretId,
    InvalidSecretKey,
    InvalidToken,
)
from web.auth import Caller, Clients, TokenMaker
from web.client_address import rate_limit_key
from web.context import caller_of, context_of
from web.http_metrics import HttpMetrics
from web.rate_limiter import RateLimiter

BEARER = b"bearer "
_ONCE = ((b"x-secret-id", InvalidSecretId), (b"x-secret-key", InvalidSecretKey), (b"authorization", InvalidToken))


@dataclass(frozen=True)
class Admission:
    """Who may call, and how often."""

    clients: Clients
    tokens: TokenMaker
    limits: RateLimiter
    metrics: HttpMetrics

    async def admit(self, connection: HTTPConnection, scopes: AbstractSet[str], limits: Sequence[str]) -> None:
        """Authenticate the caller, who needs all `scopes`, and count the request against `limits` by name.

        Raises:
            AuthRequired, InvalidSecretId, InvalidSecretKey, InvalidCredentials, InvalidToken, AuthorizationFailed, RateLimited: see there.

        """
        try:
            caller = context_of(connection.scope).caller = self._authenticate(connection)
        except ApiError as error:
            await self.count_failure(connection, error)
            raise
        if not caller.scopes >= scopes:
            raise AuthorizationFailed
        for limit in limits:
            await self.limits.hit(limit, caller.id)

    async def admit_audio(self, connection: HTTPConnection) -> None:
        """Admit audio on the order route as the speech route does; the caller was admitted before.

        Raises:
            AuthorizationFailed, RateLimited: see there.

        """
        caller = caller_of(connection)
        if "speech" not in caller.scopes:
            raise AuthorizationFailed
        await self.limits.hit("speech", caller.id)

    def hit_rate_limit(self, client_id: str) -> Awaitable[None]:
        """Count a request for a token, which has no caller yet.

        Raises:
            RateLimited: see there.

        """
        return self.limits.hit("requests", client_id)

    async def count_failure(self, connection: HTTPConnection, error: ApiError) -> None:
        """Count rejected credentials; a wrong pair counts against its address. That limit never rejects a right pair.

        A wrong token does not count: an expired one needs its own reply, and a signature cannot be guessed.

        Raises:
            RateLimited: too many wrong pairs came from the address.

        """
        if not isinstance(error, AuthRequired):
            self.metrics.failed_credentials.labels(error.error).inc()
        if isinstance(error, InvalidCredentials):
            await self.limits.hit("failed", rate_limit_key(context_of(connection.scope).address))

    def _authenticate(self, connection: HTTPConnection) -> Caller:
        """Return the caller, by the pair of headers if there is one, else by the token."""
        headers = context_of(connection.scope).headers
        if len(headers) < len(connection.scope["headers"]):
            _reject_repeated(connection)
        secret_id, secret_key = headers.get(b"x-secret-id"), headers.get(b"x-secret-key")
        if secret_id is not None or secret_key is not None:
            return self.clients.authenticate(secret_id, secret_key)
        authorization = headers.get(b"authorization", b"")
        if authorization[: len(BEARER)].lower() != BEARER:
            raise AuthRequired
        return self.tokens.read_access(authorization[len(BEARER) :].strip())


def _reject_repeated(connection: HTTPConnection) -> None:
    """Reject repeated credentials: it is undefined which of them counts."""
    names = [name for name, _ in connection.scope["headers"]]
    for name, error in _ONCE:
        if names.count(name) > 1:
            raise error
