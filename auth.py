"""Clients, their keys and their tokens; `python -m auth new-client NAME --scopes speech,order` makes a client.

A key is random and made by the server, so one HMAC-SHA-256 is as good as a slow hash, and cannot be used to keep the service busy.
"""

import argparse
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NoReturn, get_args

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from errors import InvalidCredentials, InvalidSecretId, InvalidSecretKey, InvalidToken, RefreshTokenNotValid
from schemas import Scope, Slug, Tokens
from settings import Client

DEMO_ID, DEMO_KEY = "demo", "demo-secret"
ISSUER = AUDIENCE = "voice-api"
ALGORITHM = "HS256"
HEADER = {"alg": ALGORITHM, "typ": "JWT"}
# How far the clocks of two replicas may be apart before a token that one issued is refused by the other.
LEEWAY_S = 5
# Ours are under 400 bytes; whatever is longer is not worth decoding.
MAX_TOKEN_BYTES = 4096
KEY_BYTES = 32

_SECRET_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
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


@dataclass(frozen=True, slots=True)
class _Entry:
    """A client's two digests; where there is one key, the second is a random one, so that every comparison takes the same steps."""

    caller: Caller
    first: bytes = field(repr=False)
    second: bytes = field(repr=False)


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
        return _Entry(Caller(id_, client.scopes), digests[0], digests[1])

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
        if hmac.compare_digest(given, entry.first) | hmac.compare_digest(given, entry.second):
            self._proven[pair] = entry.caller
            return entry.caller
        raise InvalidCredentials

    def get(self, client_id: str) -> Caller | None:
        """Return a client as the settings have it now, None when they no longer do."""
        entry = self._entries.get(client_id.encode())
        return entry.caller if entry else None


# --- Tokens -------------------------------------------------------------------------------------------------------------------------

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
    jti: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


@dataclass(frozen=True, slots=True)
class Generation:
    """A new pair of tokens, and what the store has to know of the refresh token."""

    tokens: Tokens = field(repr=False)
    refresh_id: str
    refresh_expires_at: datetime


class TokenMaker:
    """Signs and reads access and refresh tokens."""

    def __init__(self, secret: str, clients: Clients, *, access_s: int, refresh_s: int, clock: Callable[[], float] = time.time) -> None:
        """`access_s`, `refresh_s`: seconds that a token of that type lives."""
        self._secret = secret
        self._clients = clients
        self._lifetime_s = {"access": access_s, "refresh": refresh_s}
        self._clock = clock

    def issue(self, client_id: str) -> Generation:
        """Make a new pair."""
        now = int(self._clock())
        access, refresh = (self._claims(client_id, typ, now) for typ in ("access", "refresh"))
        return Generation(
            tokens={
                "access_token": self._sign(access),
                "refresh_token": self._sign(refresh),
                "token_type": "Bearer",
                "expires_in": self._lifetime_s["access"],
            },
            refresh_id=refresh["jti"],
            refresh_expires_at=datetime.fromtimestamp(refresh["exp"], UTC),
        )

    def _claims(self, client_id: str, typ: str, now: int) -> dict[str, Any]:
        return {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": client_id,
            "typ": typ,
            "iat": now,
            "nbf": now,
            "exp": now + self._lifetime_s[typ],
            "jti": secrets.token_hex(16),
        }

    def _sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def read_access(self, token: bytes) -> Caller:
        """Tell whose access token this is; what the client may do comes from the settings, not from the token.

        Raises:
            InvalidToken: for every reason alike.

        """
        claims = self._read(token, "access")
        caller = self._clients.get(claims.sub) if claims else None
        if caller is None:
            raise InvalidToken
        return caller

    def read_refresh(self, token: str) -> Claims:
        """Read a refresh token; whether it was used before is the store's to say.

        Raises:
            RefreshTokenNotValid: for every reason alike.

        """
        claims = self._read(token.encode("utf-8", "replace"), "refresh")
        if claims is None or self._clients.get(claims.sub) is None:
            raise RefreshTokenNotValid
        return claims

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a client and print its key, once, and the line for CREDENTIALS."""
    parser = argparse.ArgumentParser(prog="python -m auth", description=main.__doc__)
    command = parser.add_subparsers(required=True).add_parser("new-client", help="make a client")
    command.add_argument("name", help="letters, digits, dot, underscore, hyphen; at most 64")
    command.add_argument("--scopes", required=True, nargs="+", metavar="SCOPE", help=f"of {', '.join(get_args(Scope))}")
    given = parser.parse_args(arguments)

    def refuse(message: str) -> NoReturn:
        command.error(message)

    scopes = list(dict.fromkeys(scope for word in given.scopes for scope in word.split(",") if scope))
    if _SECRET_ID.fullmatch(given.name.encode()) is None:
        refuse("NAME: letters, digits, dot, underscore, hyphen; at most 64")
    if not scopes or not set(scopes) <= set(get_args(Scope)):
        refuse(f"--scopes: of {', '.join(get_args(Scope))}")
    key, entry = new_client(given.name, scopes)
    print(f"The key of {given.name}, shown this once: {key}")  # noqa: T201 - a command prints
    print(f"CREDENTIALS={json.dumps(entry, separators=(',', ':'))}")  # noqa: T201


if __name__ == "__main__":
    main()
