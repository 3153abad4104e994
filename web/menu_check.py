"""Check the menu that somebody writes on the page for menus; in debug environments alone."""

import asyncio
from typing import Annotated, Any, Final, TypedDict

from pydantic import StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from schemas import Model
from voice.evaluation.menu_check import doubts_of
from voice.menus import compiling
from voice.menus.checking import Finding, check_data
from web.bodies import BodyReader
from web.endpoint import endpoint
from web.replies import reply

MAX_TRIED: Final = 400  # names that are said to the menu's engine; each takes some milliseconds, and requests wait meanwhile
MAX_FINDINGS: Final = 500


class MenuText(Model):
    """A menu in YAML or JSON, as it is written."""

    text: Annotated[str, StringConstraints(max_length=2_000_000)]


class CheckState(TypedDict):
    """The part of the application's state that the endpoint needs."""

    bodies: BodyReader


@endpoint(scope="menu", body=MenuText, status={200: "Checked."})
async def check_menu(request: Request) -> Response:
    """Return the faults of a menu, else its doubts, each with line and column, and the menu as JSON."""
    state: CheckState = request.scope["state"]
    asked = await state["bodies"].read_json(request, MenuText)
    return reply(request, await asyncio.to_thread(_checked, asked.text))


def _checked(text: str) -> dict[str, Any]:
    checked = check_data(text.encode("utf-8", "surrogatepass"))
    faults = [_finding(fault) for fault in checked.faults[:MAX_FINDINGS]]
    if checked.menu is None or checked.document is None:
        return {"faults": faults, "doubts": [], "menu": None}
    with compiling.alone():
        found = doubts_of(checked, checked.menu, MAX_TRIED)
    doubts = [_finding(doubt) | {"is_note": is_note} for doubt, is_note in found[:MAX_FINDINGS]]
    return {"faults": [], "doubts": doubts, "menu": checked.document.content}


def _finding(finding: Finding) -> dict[str, Any]:
    line, column = finding.position
    return {"line": line, "column": column, "msg": str(finding).split(": ", 1)[1]}
