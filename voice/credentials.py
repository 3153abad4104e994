"""The CREDENTIALS setting as the command `new-client` changes it."""

import json
from collections.abc import Mapping
from typing import get_args

from pydantic import Field, TypeAdapter, ValidationError

from schemas import Scope, Slug
from settings import Client, DatabaseSettings

MAX_KEYS = 2


class CredentialSettings(DatabaseSettings):
    """The clients of the environment or .env; unlike `Settings`, valid where none are set yet."""

    credentials: dict[Slug, Client] = Field(default_factory=dict)


def parse_scopes(text: str) -> frozenset[Scope]:
    """Parse a comma-separated list.

    Raises:
        ValueError: a scope is unknown, or none is given.

    """
    try:
        scopes = TypeAdapter(frozenset[Scope]).validate_python(frozenset(word for word in text.split(",") if word))
    except ValidationError:
        scopes = frozenset()
    if not scopes:
        message = f"--scopes: one or more of {', '.join(get_args(Scope))}"
        raise ValueError(message)
    return scopes


def add_key(clients: Mapping[str, Client], name: str, key_digest: str, scopes: frozenset[Scope]) -> dict[str, Client]:
    """Return the clients with one key more: of a new client, or the second one of an existing client.

    Raises:
        ValueError: the client has two keys, or other scopes.

    """
    client = clients.get(name)
    if client is None:
        return {**clients, name: Client(keys=(key_digest,), scopes=scopes)}
    if client.scopes != scopes:
        message = f"{name} is in CREDENTIALS with the scopes {', '.join(_sorted(client.scopes))}; its keys share them"
        raise ValueError(message)
    if len(client.keys) == MAX_KEYS:
        message = f"{name} has {MAX_KEYS} keys in CREDENTIALS; remove the one that is no longer used"
        raise ValueError(message)
    return {**clients, name: Client(keys=(*client.keys, key_digest), scopes=client.scopes)}


def to_json(clients: Mapping[str, Client]) -> str:
    """Format the setting, on one line."""
    entries = {name: {"keys": client.keys, "scopes": _sorted(client.scopes)} for name, client in clients.items()}
    return json.dumps(entries, separators=(",", ":"))


def _sorted(scopes: frozenset[Scope]) -> list[Scope]:
    return [scope for scope in get_args(Scope) if scope in scopes]
