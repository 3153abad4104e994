"""Clients, their keys and their tokens; `python -m auth` makes a client, or ends its tokens.

A key is random and made by the server, so one HMAC-SHA-256 is as good as a slow hash, and cannot be used to keep the service busy.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, get_args
from uuid import UUID

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from errors import InvalidCredentials, InvalidSecretId, InvalidSecretKey, InvalidToken, Overloaded, RefreshTokenNotValid
from schemas import Scope, Slug, Tokens
from settings import Client, DatabaseSettings, read_settings
from voice.commands import CommandParser

DEMO_ID, DEMO_KEY = "demo", "demo-secret"
ISSUER: Final = "voice-api"
AUDIENCE: Final = "voice-api"
ALGORITHM = "HS256"
HEADER = {"alg": ALGORITHM, "typ": "JWT"}
# How far the clocks of two replicas may be apart before a token that one issued is refused by the other.
LEEWAY_S = 5
# Ours are under 400 bytes; whatever is longer is not worth decoding.
MAX_TOKEN_BYTES = 4096
KEY_BYTES = 32
# Within this a revoked access token is refused by every replica; a refresh token at once.
REVOCATIONS_POLL_S = 1.0

_SECRET_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
NAME_RULE = "letters, digits, dot, underscore, hyphen; at most 64"
_SECRET_KEY = re.compile(rb"[\x20-\x7e]{8,256}")


def digest(secret_id: bytes, secret_key: bytes) -> bytes:
    """Return what is kept of a key: HMAC-SHA-256 with the key as its key, over the client's id."""
    return hmac.digest(secret_key, secret_id, "sha256")


# --- Clients ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Caller:
    """A client that has proved who it is."""

    id: str
    scopes: frozenset[Scope]
    key_digest: bytes = field(default=b"", repr=False, compare=False)  # of the key that it used


@dataclass(frozen=True, slots=True)
class _Entry:
    """A client by each of its two keys; where there is one, the second is a random one, so that every comparison takes the same steps."""

    first: Caller
    second: Caller


class Clients:
    """All who may call."""

    def __init__(self, credentials: Mapping[str, Client], *, demo: bool = False) -> None:
        """`demo`: also let demo / demo-secret do everything."""
        self._entries = {id_.encode(): self._entry(id_, client) for id_, client in credentials.items()}
        if demo:
            client = Client(keys=(digest(DEMO_ID.encode(), DEMO_KEY.encode()).hex(),), scopes=frozenset(get_args(Scope)))
            self._entries[DEMO_ID.encode()] = self._entry(DEMO_ID, client)
        self._proven: dict[bytes, Caller] = {}  # pairs that were right, as nobody can know them who has not this process's random key
        self._random = secrets.token_bytes(hashlib.blake2s.MAX_KEY_SIZE)
        self._nobody = self._entry("", Client(keys=("0" * 64,), scopes=frozenset({"speech"})), known=False)

    @staticmethod
    def _entry(id_: str, client: Client, *, known: bool = True) -> _Entry:
        digests = [bytes.fromhex(key) for key in client.keys] if known else []
        digests += [secrets.token_bytes(hashlib.sha256().digest_size) for _ in range(2 - len(digests))]
        first, second = (Caller(id_, client.scopes, key_digest) for key_digest in digests)
        return _Entry(first, second)

    def authenticate(self, secret_id: bytes | None, secret_key: bytes | None) -> Caller:
        """Tell whose pair this is; an unknown id and a wrong key take the same steps.

        Raises:
            InvalidSecretId, InvalidSecretKey: that one is missing, empty or malformed.
            InvalidCredentials: well-formed, but not a client's.

        """
        # With the random key as a prefix BLAKE2 is as good a MAC as in its keyed mode, for half the time. Source: hashlib's documentation.
        pair = hashlib.blake2s(b"%b%b\0%b" % (self._random, secret_id or b"", secret_key or b"")).digest()
        proven = self._proven.get(pair)
        if proven is not None:  # a fifth of the cost of proving it again
            return proven
        if secret_id is None or _SECRET_ID.fullmatch(secret_id) is None:
            raise InvalidSecretId
        if secret_key is None or _SECRET_KEY.fullmatch(secret_key) is None:
            raise InvalidSecretKey
        entry = self._entries.get(secret_id, self._nobody)
        given = hmac.digest(secret_key, secret_id, "sha256")
        is_first = hmac.compare_digest(given, entry.first.key_digest)
        if is_first | hmac.compare_digest(given, entry.second.key_digest):
            self._proven[pair] = caller = entry.first if is_first else entry.second
            return caller
        raise InvalidCredentials

    def callers(self) -> Iterator[tuple[Caller, Caller]]:
        """List every client by each of its two keys."""
        for entry in self._entries.values():
            yield entry.first, entry.second


# --- Tokens -------------------------------------------------------------------------------------------------------------------------

Hex128 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
# Seconds since 1970 up to the year 9999: beyond it `datetime` ends.
EpochSeconds = Annotated[int, Field(ge=0, lt=253_402_300_800)]


class Claims(BaseModel):
    """What a token says; a claim of another type, one too many or one too few makes it invalid. Source: RFC 7519."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    iss: Literal["voice-api"]
    aud: Literal["voice-api"]
    sub: Slug
    typ: Literal["access", "refresh"]
    iat: EpochSeconds
    nbf: EpochSeconds
    exp: EpochSeconds
    jti: Hex128
    # The key that the family of tokens was issued for, by a digest that only TOKEN_SECRET can compute.
    key: Hex128
    # The family.
    fam: Hex128
    # How often the client's tokens had been revoked before.
    rev: Annotated[int, Field(ge=0)]

    @property
    def family(self) -> UUID:
        """Return the family as the store knows it."""
        return UUID(self.fam)


@dataclass(frozen=True, slots=True)
class Generation:
    """The claims of a new pair of tokens, not signed yet."""

    access: Claims
    refresh: Claims

    @property
    def refresh_expires_at(self) -> datetime:
        """Return when the family ends unless it is renewed."""
        return datetime.fromtimestamp(self.refresh.exp, UTC)


class TokenMaker:
    """Signs and reads access and refresh tokens."""

    def __init__(self, secret: str, clients: Clients, *, access_s: int, refresh_s: int, clock: Callable[[], float] = time.time) -> None:
        """`access_s`, `refresh_s`: seconds that a token of that type lives."""
        self._secret = secret
        self._lifetime_s = {"access": access_s, "refresh": refresh_s}
        self._clock = clock
        # By client, and there by the digest of each of its two keys.
        self._callers = {
            first.id: ((self._fingerprint(first), first), (self._fingerprint(second), second)) for first, second in clients.callers()
        }
        self._revocations: Mapping[str, int] = {}

    def _fingerprint(self, caller: Caller) -> str:
        """Return the `key` claim: not the key's digest itself, from which a weak key could be guessed."""
        return hmac.digest(self._secret.encode(), b"key\0" + caller.key_digest, "sha256").hex()[:32]

    def begin(self, caller: Caller) -> Generation:
        """Make the claims of a new family, for the key that the caller used."""
        return self._generation(caller.id, self._fingerprint(caller), secrets.token_hex(16))

    def renew(self, claims: Claims) -> Generation:
        """Make the claims that follow in the same family."""
        return self._generation(claims.sub, claims.key, claims.fam)

    def _generation(self, client_id: str, key: str, family: str) -> Generation:
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
        return Generation(access, refresh)

    def sign(self, generation: Generation, revocations: int) -> Tokens:
        """Sign a pair; `revocations` is how often the client's tokens had been revoked when the family began."""
        access, refresh = (
            jwt.encode(claims.model_dump() | {"rev": revocations}, self._secret, algorithm=ALGORITHM)
            for claims in (generation.access, generation.refresh)
        )
        return {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": self._lifetime_s["access"]}

    async def follow_revocations(self, read: Callable[[], Awaitable[Mapping[str, int]]]) -> None:
        """Poll `read`, the number of revocations by client, and refuse tokens issued before the last one. Run until cancelled."""
        while True:
            with suppress(Overloaded):  # the last known ones hold meanwhile
                self._revocations = await read()
            await asyncio.sleep(REVOCATIONS_POLL_S)

    def read_access(self, token: bytes) -> Caller:
        """Tell whose access token this is; what the client may do comes from the settings, not from the token.

        Raises:
            InvalidToken: for every reason alike.

        """
        claims = self._read(token, "access")
        caller = self._caller_of(claims) if claims else None
        if claims is None or caller is None or claims.rev < self._revocations.get(claims.sub, 0):
            raise InvalidToken
        return caller

    def read_refresh(self, token: str) -> Claims:
        """Read a refresh token; whether it was used or revoked before is the store's to say.

        Raises:
            RefreshTokenNotValid: for every reason alike.

        """
        claims = self._read(token.encode("utf-8", "replace"), "refresh")
        if claims is None or self._caller_of(claims) is None:
            raise RefreshTokenNotValid
        return claims

    def _caller_of(self, claims: Claims) -> Caller | None:
        """Return the client as the settings have it now; None if they no longer have it, or the key that the token was issued for."""
        by_key = self._callers.get(claims.sub)
        if by_key is None:
            return None
        (first, by_first), (second, by_second) = by_key
        is_first = hmac.compare_digest(claims.key, first)
        if is_first | hmac.compare_digest(claims.key, second):
            return by_first if is_first else by_second
        return None

    def _read(self, token: bytes, typ: str) -> Claims | None:
        """Return the claims of a token that is ours, of this type and of this time, else None."""
        if len(token) > MAX_TOKEN_BYTES:
            return None
        try:
            # The claims are ours to check: the library lets a missing, a textual and an infinite expiry pass.
            parts = jwt.decode_complete(token, self._secret, algorithms=[ALGORITHM], options=_SIGNATURE_ONLY)
            claims = Claims.model_validate(parts["payload"])
        except (jwt.InvalidTokenError, ValidationError, ValueError):
            return None
        # Base64 has several spellings of one signature; only ours counts, so that no changed byte goes unseen.
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


# --- The command --------------------------------------------------------------------------------------------------------------------


def new_client(name: str, scopes: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Make a client: its key, to be shown once, and its entry for the CREDENTIALS setting."""
    key = secrets.token_urlsafe(KEY_BYTES)
    return key, {name: {"keys": [digest(name.encode(), key.encode()).hex()], "scopes": list(scopes)}}


def revoke(client: str) -> int:
    """End all token families of a client; return how many there were.

    Raises:
        Overloaded: the database does not answer, or its schema is behind.
        ValueError: DATABASE_URL names no database that keeps tokens.

    """
    from voice.store.store import Store  # noqa: PLC0415 - only this command needs the database

    async def run() -> int:
        store = Store(read_settings(DatabaseSettings).database_url)
        try:
            await store.open(migrate=False)
            return await store.revoke(client)
        finally:
            await store.close()

    return asyncio.run(run())


def _parse(arguments: Sequence[str] | None) -> tuple[CommandParser, argparse.Namespace]:
    parser = CommandParser(prog="python -m auth", description="Make a client, or end its tokens.")
    commands = parser.add_subparsers(required=True, dest="command")
    making = commands.add_parser("new-client", help="make a client: print its key, once, and its entry for CREDENTIALS")
    making.add_argument("name", help=NAME_RULE)
    making.add_argument("--scopes", required=True, nargs="+", metavar="SCOPE", help=f"of {', '.join(get_args(Scope))}")
    revoking = commands.add_parser("revoke", help="end all tokens of a client, in the database at DATABASE_URL")
    revoking.add_argument("name", metavar="client", help=NAME_RULE)
    given = parser.parse_args(arguments)
    return {"new-client": making, "revoke": revoking}[given.command], given


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    command, given = _parse(arguments)
    if _SECRET_ID.fullmatch(given.name.encode("utf-8", "replace")) is None:
        command.error(f"{given.name!r} is no client's name: {NAME_RULE}")
    if given.command == "revoke":
        try:
            n_families = revoke(given.name)
        except ValueError as error:
            command.error(str(error))
        except Overloaded as error:
            command.exit(1, f"{command.prog}: {error}\n")
        print(f"Token families of {given.name} ended: {n_families}. Its access tokens end within {REVOCATIONS_POLL_S:g} s.")  # noqa: T201
        return
    scopes = list(dict.fromkeys(scope for word in given.scopes for scope in word.split(",") if scope))
    if not scopes or not set(scopes) <= set(get_args(Scope)):
        command.error(f"--scopes: of {', '.join(get_args(Scope))}")
    key, entry = new_client(given.name, scopes)
    print(f"The key of {given.name}, shown this once: {key}")  # noqa: T201 - a command prints
    print(f"CREDENTIALS={json.dumps(entry, separators=(',', ':'))}")  # noqa: T201


if __name__ == "__main__":
    main()
