"""Hold messages of WebSocket routes against docs/asyncapi.json."""

import json
from functools import cache
from typing import Any, Literal

import jsonschema

from settings import ROOT

DOCUMENT = json.loads((ROOT / "docs/asyncapi.json").read_text("utf-8"))


@cache
def _validator(channel: str, action: Literal["receive", "send"]) -> Any:
    """Return a validator of the JSON messages that the service receives or sends on a channel."""
    operation = DOCUMENT["operations"][action + channel.capitalize()]
    messages = [DOCUMENT["channels"][channel]["messages"][one["$ref"].rpartition("/")[2]] for one in operation["messages"]]
    payloads = [message["payload"] for message in messages if message["contentType"] == "application/json"]
    return jsonschema.Draft202012Validator({"anyOf": payloads, "components": DOCUMENT["components"]})


def expect_described(channel: str, action: Literal["receive", "send"], message: Any) -> None:
    """Assert that the document describes a message of a channel: "live", "media", "relay", "asterisk", "jambonz"."""
    _validator(channel, action).validate(message)
