"""The page about adapters shows what happens."""

import contextlib
import io
import json
import re

from adapters.openai_chat import ARGUMENTS, TOOLS
from settings import ROOT
from tests.servers import Server

PAGE = (ROOT / "docs/adapters.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)[::-1])  # the first of each language


def test_the_example_prints_what_the_page_shows(hearing_server: Server) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(BLOCKS["python"].replace("http://localhost:8000", hearing_server.url), {})  # noqa: S102 - our own page
    assert printed.getvalue() == BLOCKS[""]


def test_the_tool_of_the_page_has_every_argument() -> None:
    tool = json.loads(BLOCKS["json"])["function"]
    assert tool["name"] in TOOLS.values()
    assert tuple(tool["parameters"]["properties"]) == ARGUMENTS
    assert all(f"| `{name}` |" in PAGE for name in TOOLS.values())
