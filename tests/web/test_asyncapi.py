import json

import jsonschema
import pytest
from click.testing import CliRunner

from schemas import LiveEnd, LiveLines
from settings import ROOT
from tests.async_messages import DOCUMENT, expect_described
from tests.conftest import SOCKETS
from voice.__main__ import commands
from web import asyncapi
from web.asyncapi import Channel, Message


def test_the_committed_document_is_what_the_command_prints():
    """After a change: `.venv/bin/python -m voice api-document asyncapi > docs/asyncapi.json`."""
    printed = CliRunner().invoke(commands, ["api-document", "asyncapi"])
    assert printed.output == (ROOT / "docs/asyncapi.json").read_text("utf-8")


def test_the_document_describes_every_websocket_route():
    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == {route.path for route in SOCKETS}


def test_every_reference_has_a_target():
    text = json.dumps(DOCUMENT)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        target = DOCUMENT
        for step in reference.split("/"):
            target = target[step]
        assert target


@pytest.mark.parametrize(
    ("channel", "action", "message"),
    [
        ("live", "receive", {"type": "lines"}),
        ("live", "receive", {"type": "end", "now": True}),
        ("live", "send", {"code": 200, "msg": "Understood.", "data": {"type": "final"}}),
        ("media", "receive", {"event": "media", "media": {}}),
        ("relay", "send", {"type": "text", "token": "Hello."}),
        ("asterisk", "send", {"command": "DANCE"}),
    ],
)
def test_another_message_is_not_described(channel, action, message):
    with pytest.raises(jsonschema.ValidationError):
        expect_described(channel, action, message)


def test_two_schemas_of_one_name_are_rejected():
    same_name = type("LiveEnd", (LiveLines,), {})
    channel = Channel(
        name="one", address="/one", summary="One.", receives=(Message("a", LiveEnd, "A."), Message("b", same_name, "B.")), sends=()
    )
    with pytest.raises(ValueError, match="LiveEnd"):
        asyncapi.document([channel], version="1", server_url="http://localhost")
