"""Admit HTTP requests and WebSocket connections: check credentials, scopes and rate limits."""

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
# Separates the id and the key in a bearer value, for clients that can send nothing else; neither an id nor a token has it.
KEY_SEPARATOR = b"~"
_ONCE = ((b"x-secret-id", InvalidSecretId), (b"x-secret-key", InvalidSecretKey), (b"authorization", InvalidToken))


@dataclass(frozen=True)
class Admission:
    """The rules of admission: clients, tokens and rate limits."""

    clients: Clients
    tokens: TokenMaker
    limiter: RateLimiter
    metrics: HttpMetrics

    async def admit(self, connection: HTTPConnection, scopes: AbstractSet[str], limits: Sequence[str]) -> None:
        """Authenticate the caller, check that it has all `scopes`, and count the request against `limits` by name.

        Raises:
            AuthRequired, InvalidSecretId, InvalidSecretKey, InvalidCredentials, InvalidToken: the credentials are missing or wrong.
            AuthorizationFailed: the caller lacks a scope.
            RateLimited: a limit is exhausted.

        """
        try:
            caller = context_of(connection.scope).caller = self._authenticate(connection)
        except ApiError as error:
            await self.limit_failed_credentials(connection, error)
            raise
        await self._check(caller, scopes, limits)

    async def admit_named(self, client_id: str, scopes: AbstractSet[str], limits: Sequence[str]) -> Caller:
        """Return the client that the settings name for a caller without credentials, such as a telephone line; admit it as `admit` does.

        Raises:
            AuthorizationFailed: there is no such client, or it lacks a scope.
            RateLimited: a limit is exhausted.

        """
        caller = self.clients.find(client_id)
        if caller is None:
            raise AuthorizationFailed
        await self._check(caller, scopes, limits)
        return caller

    async def _check(self, caller: Caller, scopes: AbstractSet[str], limits: Sequence[str]) -> None:
        if not caller.scopes >= scopes:
            raise AuthorizationFailed
        for limit in limits:
            await self.limiter.hit(limit, caller.id)

    async def admit_audio(self, connection: HTTPConnection) -> None:
        """Check the speech scope and count against the speech limit, for audio sent to the order route by an admitted caller.

        Raises:
            AuthorizationFailed: the caller lacks the scope.
            RateLimited: the limit is exhausted.

        """
        caller = caller_of(connection)
        if "speech" not in caller.scopes:
            raise AuthorizationFailed
        await self.limiter.hit("speech", caller.id)

    def count_token_request(self, client_id: str) -> Awaitable[None]:
        """Count a request for tokens against the client's request limit; the token routes have no admitted caller.

        Raises:
            RateLimited: the limit is exhausted.

        """
        return self.limiter.hit("requests", client_id)

    async def limit_failed_credentials(self, connection: HTTPConnection, error: ApiError) -> None:
        """Count rejected credentials; a wrong id and key count against the caller's address.

        A correct pair is accepted even when this limit is exhausted. A wrong token does not count: an expired one needs its own reply, and
        a signature cannot be guessed.

        Raises:
            RateLimited: too many wrong pairs came from the address.

        """
        if not isinstance(error, AuthRequired):
            self.metrics.failed_credentials.labels(error.error).inc()
        if isinstance(error, InvalidCredentials):
            await self.limiter.hit("failed", rate_limit_key(context_of(connection.scope).address))

    def _authenticate(self, connection: HTTPConnection) -> Caller:
        """Authenticate by the id and key headers if one of them is present, else by the bearer value: `id~key`, or a token."""
        headers = context_of(connection.scope).headers
        if len(headers) < len(connection.scope["headers"]):
            _reject_repeated(connection)
        secret_id, secret_key = headers.get(b"x-secret-id"), headers.get(b"x-secret-key")
        if secret_id is not None or secret_key is not None:
            return self.clients.authenticate(secret_id, secret_key)
        authorization = headers.get(b"authorization", b"")
        if authorization[: len(BEARER)].lower() != BEARER:
            raise AuthRequired
        secret_id, separator, secret_key = (token := authorization[len(BEARER) :].strip()).partition(KEY_SEPARATOR)
        return self.clients.authenticate(secret_id, secret_key) if separator else self.tokens.read_access(token)


def _reject_repeated(connection: HTTPConnection) -> None:
    """Reject repeated credentials: HTTP does not define which of them counts."""
    names = [name for name, _ in connection.scope["headers"]]
    for name, error in _ONCE:
        if names.count(name) > 1:
            raise error
