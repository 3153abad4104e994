"""Build the AsyncAPI 3.0 document of the WebSocket routes, which OpenAPI cannot describe. Source: https://www.asyncapi.com/docs/reference."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from schemas import (
    Envelope,
    LiveEnd,
    LiveFailure,
    LiveFinal,
    LiveKeepalive,
    LiveLines,
    LiveOptions,
    LivePartial,
    SpeechEnd,
    SpeechStart,
)
from web.openapi import name_of

_JSON, _TEXT, _BINARY = "application/json", "text/plain", "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Message:
    """A kind of message: JSON of the type `payload`, text of the pattern `payload`, or binary (None)."""

    name: str
    payload: Any
    summary: str

    @property
    def content_type(self) -> str:
        """Return the media type."""
        if self.payload is None:
            return _BINARY
        return _TEXT if isinstance(self.payload, str) else _JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A WebSocket route. `receives`, `sends`: from the view of this service."""

    name: str
    address: str
    summary: str
    receives: Sequence[Message]
    sends: Sequence[Message]
    query: type[BaseModel] | None = None


LIVE = Channel(
    name="live",
    address="/api/v1/voice/live",
    summary="Order while speaking. docs/api.md describes the conversation.",
    query=LiveOptions,
    receives=(
        Message("audio", None, "Audio in the encoding of the query, of any length."),
        Message("lines", LiveLines, "Replaces the state of the conversation."),
        Message("end", LiveEnd, "Ends the utterance; it may come in a binary frame, too."),
        Message("keepalive", LiveKeepalive, "Keeps a connection without audio."),
    ),
    sends=(
        Message("partial", Envelope[LivePartial], "What was recognised so far."),
        Message("final", Envelope[LiveFinal], "A turn of the conversation."),
        Message("error", Envelope[LiveFailure], "A refused command, or why the connection ends."),
        Message("speechStart", Envelope[SpeechStart], "The audio of a reply begins (`speak`)."),
        Message("speech", None, "Audio of the reply, in the encoding of the query (`speak`)."),
        Message("speechEnd", Envelope[SpeechEnd], "The audio of a reply has ended (`speak`)."),
    ),
)


def document(channels: Iterable[Channel], *, version: str, server_url: str) -> dict[str, Any]:
    """Return the AsyncAPI document of the channels."""
    described = list(channels)
    scheme, _, host = server_url.partition("://")
    schemas: dict[str, Any] = {}
    operations = {name: operation for channel in described for name, operation in _operations(channel)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Voice API, WebSocket",
            "version": version,
            "description": "The routes of telephone platforms follow the protocols of their owners: "
            "here is what this service reads and writes of them.",
        },
        "defaultContentType": _JSON,
        "servers": {"voice": {"host": host, "protocol": {"http": "ws", "https": "wss"}[scheme]}},
        "channels": {channel.name: _channel(channel, schemas) for channel in described},
        "operations": operations,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _channel(channel: Channel, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "address": channel.address,
        "summary": channel.summary,
        "messages": {
            **{message.name: _message(message, "validation", schemas) for message in channel.receives},
            **{message.name: _message(message, "serialization", schemas) for message in channel.sends},
        },
    }
    binding: dict[str, Any] = {"bindingVersion": "0.1.0", "method": "GET"}
    if channel.query is not None:
        properties = {name: _plain(schema) for name, schema in channel.query.model_json_schema()["properties"].items()}
        binding["query"] = {"type": "object", "properties": properties, "additionalProperties": False}
    return described | {"bindings": {"ws": binding}}


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a query's field: without null, which is left out, and without the title."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    return {key: value for key, value in {**schema, **kinds[0]}.items() if key not in ("anyOf", "title") and value is not None}


def _message(message: Message, mode: JsonSchemaMode, schemas: dict[str, Any]) -> dict[str, Any]:
    """Describe a message and add its schemas.

    Raises:
        ValueError: two different schemas have one name.

    """
    described = {"summary": message.summary, "contentType": message.content_type}
    if message.payload is None:
        return described | {"payload": {"type": "string", "format": "binary"}}
    if isinstance(message.payload, str):
        return described | {"payload": {"type": "string", "pattern": message.payload}}
    schema = TypeAdapter(message.payload).json_schema(ref_template="#/components/schemas/{model}", mode=mode)
    name = name_of(message.payload).replace("[", "_").replace("]", "")
    for part, described_part in {**schema.pop("$defs", {}), name: schema}.items():
        if schemas.setdefault(part, described_part) != described_part:
            message_text = f"two schemas have the name {part}"
            raise ValueError(message_text)
    return described | {"payload": {"$ref": f"#/components/schemas/{name}"}}


def _operations(channel: Channel) -> Iterator[tuple[str, dict[str, Any]]]:
    for action, messages in (("receive", channel.receives), ("send", channel.sends)):
        references = [{"$ref": f"#/channels/{channel.name}/messages/{message.name}"} for message in messages]
        yield (
            f"{action}{channel.name[0].upper()}{channel.name[1:]}",
            {"action": action, "channel": {"$ref": f"#/channels/{channel.name}"}, "messages": references},
        )
