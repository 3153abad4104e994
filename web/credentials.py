"""Make clients, for the command lines."""

import json
import secrets
from collections.abc import Collection, Mapping
from typing import get_args

from schemas import Scope
from settings import Client, CredentialsSettings, read_settings
from web.auth import SECRET_ID, digest

KEY_BYTES = 32
MAX_KEYS = 2
NAME_RULE = "letters, digits, dot, underscore, hyphen; at most 64"
SCOPES: tuple[str, ...] = get_args(Scope)


def read_credentials() -> Mapping[str, Client]:
    """Return the CREDENTIALS setting of the environment or of `.env`; if it is malformed, exit with one line and status 2."""
    return read_settings(CredentialsSettings).credentials


def check_name(name: str) -> None:
    """Check a client's name.

    Raises:
        ValueError: the name is malformed.

    """
    if SECRET_ID.fullmatch(name.encode("utf-8", "replace")) is None:
        message = f"{name!r} is not a valid client name: {NAME_RULE}"
        raise ValueError(message)


def new_client_entry(name: str, scopes: Collection[str], existing_credentials: Mapping[str, Client]) -> tuple[str, str]:
    """Make a key for a client; return the key and the CREDENTIALS value that includes it, as JSON.

    An existing client of this name gets the key as its second one; all its keys have the same scopes.

    Raises:
        ValueError: a malformed name, an unknown or no scope, or an existing client with two keys or other scopes.

    """
    check_name(name)
    if not scopes or not set(scopes) <= set(SCOPES):
        message = f"--scopes: one or more of {', '.join(SCOPES)}"
        raise ValueError(message)
    key = secrets.token_urlsafe(KEY_BYTES)
    existing = existing_credentials.get(name)
    if existing is not None and existing.scopes != set(scopes):
        message = f"{name} is in CREDENTIALS with the scopes {', '.join(sorted(existing.scopes))}; its keys share them"
        raise ValueError(message)
    keys = [*(existing.keys if existing else ()), digest(name.encode(), key.encode()).hex()]
    if len(keys) > MAX_KEYS:
        message = f"{name} has {MAX_KEYS} keys in CREDENTIALS; remove the one that is no longer used"
        raise ValueError(message)
    entries = {id_: _entry(client.keys, client.scopes) for id_, client in existing_credentials.items()}
    entries[name] = _entry(keys, scopes)
    return key, json.dumps(entries, separators=(",", ":"))


def _entry(keys: Collection[str], scopes: Collection[str]) -> dict[str, list[str]]:
    return {"keys": list(keys), "scopes": [scope for scope in SCOPES if scope in scopes]}
