"""Authenticate clients by key or by token; issue and read tokens.

A key is random and made by the server, so one HMAC-SHA-256 is as safe as a slow hash, and hashing is too cheap to be used for overload.
"""

import hashlib
import hmac
import re
import secrets
import time
from asyncio import sleep
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, get_args
from uuid import UUID

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from errors import InvalidCredentials, InvalidSecretId, InvalidSecretKey, InvalidToken, Overloaded, RefreshTokenNotValid
from schemas import Scope, Slug, Tokens
from settings import Client

DEMO_ID, DEMO_KEY = "demo", "demo-secret"
ISSUER: Final = "voice-api"
AUDIENCE: Final = "voice-api"
ALGORITHM = "HS256"
HEADER = {"alg": ALGORITHM, "typ": "JWT"}
# Tolerated difference between the clocks of two replicas.
LEEWAY_S = 5
# Tokens of this service have less than 400 bytes; a longer one is not decoded.
MAX_TOKEN_BYTES = 4096
# Every replica rejects a revoked access token within this time, and a revoked refresh token at once.
REVOCATIONS_POLL_S = 1.0

SECRET_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
SECRET_KEY = re.compile(rb"[\x20-\x7e]{8,256}")
# Compares two digests in a time that does not depend on their content.
CompareDigests = Callable[[Any, Any], bool]


def digest(secret_id: bytes, secret_key: bytes) -> bytes:
    """Return the digest that CREDENTIALS stores for a key: HMAC-SHA-256 of the client's id, keyed with the client's secret."""
    return hmac.digest(secret_key, secret_id, "sha256")


# --- Clients ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated client."""

    id: str
    scopes: frozenset[Scope]
    key_digest: bytes = field(default=b"", repr=False, compare=False)  # of the key used


@dataclass(frozen=True, slots=True)
class _KeyPair:
    """The two keys of a client, as callers; a random key replaces a missing one, so that each comparison takes the same steps."""

    first: Caller
    second: Caller


class Clients:
    """The clients of the CREDENTIALS setting."""

    def __init__(
        self, credentials: Mapping[str, Client], *, demo: bool = False, compare_digests: CompareDigests = hmac.compare_digest
    ) -> None:
        """`demo`: add the client demo / demo-secret with all scopes. `compare_digests`: also compares the keys of tokens."""
        self.compare_digests = compare_digests
        self._clients = {id_.encode(): self._key_pair(id_, client) for id_, client in credentials.items()}
        if demo:
            client = Client(keys=(digest(DEMO_ID.encode(), DEMO_KEY.encode()).hex(),), scopes=frozenset(get_args(Scope)))
            self._clients[DEMO_ID.encode()] = self._key_pair(DEMO_ID, client)
        # Pairs of id and key that were verified, as MACs with a random key of this process. Saves 8 us of a request's 50: in a process that
        # does other work an HMAC by OpenSSL takes four times as long as in a loop.
        self._verified: dict[bytes, Caller] = {}
        self._mac_key = secrets.token_bytes(hashlib.blake2s.MAX_KEY_SIZE)
        self._unknown = self._key_pair("", Client(keys=("0" * 64,), scopes=frozenset({"speech"})), known=False)

    @staticmethod
    def _key_pair(id_: str, client: Client, *, known: bool = True) -> _KeyPair:
        digests = [bytes.fromhex(key) for key in client.keys] if known else []
        digests += [secrets.token_bytes(hashlib.sha256().digest_size) for _ in range(2 - len(digests))]
        first, second = (Caller(id_, client.scopes, key_digest) for key_digest in digests)
        return _KeyPair(first, second)

    def authenticate(self, secret_id: bytes | None, secret_key: bytes | None) -> Caller:
        """Return the client with this id and key; an unknown id and a wrong key take the same steps.

        Raises:
            InvalidSecretId, InvalidSecretKey: the id or the key is missing, empty or malformed.
            InvalidCredentials: no client has this id and key.

        """
        # BLAKE2 with the key as a prefix is as good a MAC as in its keyed mode, in half the time. Source: hashlib's documentation.
        mac = hashlib.blake2s(b"%b%b\0%b" % (self._mac_key, secret_id or b"", secret_key or b"")).digest()
        verified = self._verified.get(mac)
        if verified is not None:
            return verified
        if secret_id is None or SECRET_ID.fullmatch(secret_id) is None:
            raise InvalidSecretId
        if secret_key is None or SECRET_KEY.fullmatch(secret_key) is None:
            raise InvalidSecretKey
        client = self._clients.get(secret_id, self._unknown)
        given = hmac.digest(secret_key, secret_id, "sha256")
        is_first = self.compare_digests(given, client.first.key_digest)
        if is_first | self.compare_digests(given, client.second.key_digest):
            self._verified[mac] = caller = client.first if is_first else client.second
            return caller
        raise InvalidCredentials

    def find(self, id_: str) -> Caller | None:
        """Return the client with this id, for callers that the settings name; None if there is none."""
        client = self._clients.get(id_.encode())
        return client.first if client is not None else None

    def callers(self) -> Iterator[tuple[Caller, Caller]]:
        """Yield both keys of every client."""
        for client in self._clients.values():
            yield client.first, client.second


# --- Tokens -------------------------------------------------------------------------------------------------------------------------

Hex128 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
# Seconds since 1970 up to the year 9999: beyond it `datetime` ends.
EpochSeconds = Annotated[int, Field(ge=0, lt=253_402_300_800)]


class Claims(BaseModel):
    """The claims of a token; a wrong type, an unknown or a missing claim makes it invalid. Source: RFC 7519."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    iss: Literal["voice-api"]
    aud: Literal["voice-api"]
    sub: Slug
    typ: Literal["access", "refresh"]
    iat: EpochSeconds
    nbf: EpochSeconds
    exp: EpochSeconds
    jti: Hex128
    # The key that the token family was issued for, as a digest that only TOKEN_SECRET can compute.
    key: Hex128
    # The token family.
    fam: Hex128
    # The number of earlier revocations of the client's tokens.
    rev: Annotated[int, Field(ge=0)]

    @property
    def family(self) -> UUID:
        """Return the token family as the store's key."""
        return UUID(self.fam)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """The claims of an access and a refresh token that are not signed yet."""

    access: Claims
    refresh: Claims

    @property
    def refresh_expires_at(self) -> datetime:
        """Return when the token family ends if it is not renewed."""
        return datetime.fromtimestamp(self.refresh.exp, UTC)


class TokenMaker:
    """Signs and reads access and refresh tokens."""

    def __init__(
        self,
        secret: str,
        clients: Clients,
        *,
        access_s: int,
        refresh_s: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`access_s`, `refresh_s`: lifetimes in seconds. `clock`: seconds since 1970."""
        self._secret = secret
        self._compare_digests = clients.compare_digests
        self._lifetime_s = {"access": access_s, "refresh": refresh_s}
        self._clock = clock
        # By client: each of its two keys as the `key` claim and the caller.
        self._callers = {
            first.id: ((self._fingerprint(first), first), (self._fingerprint(second), second)) for first, second in clients.callers()
        }
        self._revocations: Mapping[str, int] = {}

    def _fingerprint(self, caller: Caller) -> str:
        """Return the `key` claim. Not the digest itself: a token's holder could test guesses of a weak key."""
        return hmac.digest(self._secret.encode(), b"key\0" + caller.key_digest, "sha256").hex()[:32]

    def begin(self, caller: Caller) -> TokenPair:
        """Return the claims of a new token family, for the key that the caller used."""
        return self._token_pair(caller.id, self._fingerprint(caller), secrets.token_hex(16))

    def renew(self, claims: Claims) -> TokenPair:
        """Return the next claims of the same token family."""
        return self._token_pair(claims.sub, claims.key, claims.fam)

    def _token_pair(self, client_id: str, key: str, family: str) -> TokenPair:
        now = int(self._clock())
        access, refresh = (
            Claims(
                iss=ISSUER,
                aud=AUDIENCE,
                sub=client_id,
                typ=typ,
                iat=now,
                nbf=now,
                exp=now + self._lifetime_s[typ],
                jti=secrets.token_hex(16),
                key=key,
                fam=family,
                rev=0,
            )
            for typ in ("access", "refresh")
        )
        return TokenPair(access, refresh)

    def sign(self, pair: TokenPair, revocations: int) -> Tokens:
        """Sign a pair; `revocations`: the number of revocations of the client's tokens before the family began."""
        access, refresh = (
            jwt.encode(claims.model_dump() | {"rev": revocations}, self._secret, algorithm=ALGORITHM)
            for claims in (pair.access, pair.refresh)
        )
        return {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": self._lifetime_s["access"]}

    async def follow_revocations(self, read: Callable[[], Awaitable[Mapping[str, int]]]) -> None:
        """Poll `read`, the number of revocations by client, and reject tokens issued before the last one; runs until cancelled."""
        while True:
            with suppress(Overloaded):  # the last numbers apply until the store answers again
                self._revocations = await read()
            await sleep(REVOCATIONS_POLL_S)

    def read_access(self, token: bytes) -> Caller:
        """Return the client of an access token; its scopes come from the settings, not from the token.

        Raises:
            InvalidToken: the token is malformed, forged, expired or revoked, or its key was removed.

        """
        claims = self._read(token, "access")
        caller = self._caller_of(claims) if claims else None
        if claims is None or caller is None or claims.rev < self._revocations.get(claims.sub, 0):
            raise InvalidToken
        return caller

    def read_refresh(self, token: str) -> Claims:
        """Return the claims of a refresh token; the store decides whether it was used or revoked before.

        Raises:
            RefreshTokenNotValid: the token is malformed, forged or expired, or its key was removed.

        """
        claims = self._read(token.encode("utf-8", "replace"), "refresh")
        if claims is None or self._caller_of(claims) is None:
            raise RefreshTokenNotValid
        return claims

    def _caller_of(self, claims: Claims) -> Caller | None:
        """Return the client of the settings; None if they lack the client or the token's key."""
        by_key = self._callers.get(claims.sub)
        if by_key is None:
            return None
        (first, by_first), (second, by_second) = by_key
        is_first = self._compare_digests(claims.key, first)
        if is_first | self._compare_digests(claims.key, second):
            return by_first if is_first else by_second
        return None

    def _read(self, token: bytes, typ: str) -> Claims | None:
        """Return the claims of a token; None if it has another type or is not valid now."""
        if len(token) > MAX_TOKEN_BYTES:
            return None
        try:
            # `Claims` checks the claims: the library accepts a missing, a textual and an infinite expiry.
            parts = jwt.decode_complete(token, self._secret, algorithms=[ALGORITHM], options=_SIGNATURE_ONLY)
            claims = Claims.model_validate(parts["payload"])
        except (jwt.InvalidTokenError, ValidationError, ValueError):
            return None
        # Base64 has several spellings of one signature; only the canonical one is valid, so that each changed byte is detected.
        canonical = jwt.utils.base64url_encode(parts["signature"])
        now = self._clock()
        valid = (
            parts["header"] == HEADER
            and token.rsplit(b".", 1)[-1] == canonical
            and claims.typ == typ
            and claims.iat <= now + LEEWAY_S
            and claims.nbf <= now + LEEWAY_S
            and now - LEEWAY_S < claims.exp <= claims.iat + self._lifetime_s[typ]
        )
        return claims if valid else None


_UNCHECKED = ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
_SIGNATURE_ONLY: Any = {"verify_signature": True, **{f"verify_{claim}": False for claim in _UNCHECKED}}
