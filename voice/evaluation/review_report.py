"""Read kept utterances from the store, and report their review for a terminal."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from errors import Overloaded
from settings import Settings
from voice.evaluation.report import notation, remedy_place
from voice.evaluation.review import Finding, Review, written
from voice.menus.loading import MenuBook
from voice.menus.menu import Menu
from voice.review.kept import Kept
from voice.store.import_orders import ImportFailed, find_menu
from voice.store.store import Store

INDENT = "    "


class ReviewFailed(Exception):
    """The utterances cannot be read; the message is the reason."""


async def read_kept(settings: Settings, client: str, menu_id: str) -> tuple[Menu, list[Kept]]:
    """Return a menu of MENU_DIR or of a client, and the utterances that were kept about it.

    Raises:
        ReviewFailed: there is no such menu, or the database does not answer.

    """
    book: MenuBook[Menu] = MenuBook(settings.menu_dir, lambda menu: menu)
    book.refresh()
    try:
        store = Store(settings.database_url)
    except ValueError as error:
        raise ReviewFailed(str(error)) from error
    await store.open(migrate=not settings.environment.is_deployed)
    try:
        menu = await find_menu(book, store, client, menu_id, settings)
        return menu, await store.kept_utterances(client, menu_id)
    except (ImportFailed, Overloaded) as error:
        raise ReviewFailed(str(error)) from error
    finally:
        await store.close()


def finding_lines(number: int, finding: Finding) -> Iterator[str]:
    """Yield a finding: what was said and how often, what was made of it and what would have been right."""
    times = f", {finding.n_turns} times" if finding.n_turns > 1 else ""
    yield f"{number}. {', '.join(finding.kinds)}{times}: {finding.text!r}"
    document = finding.latest.document
    if document["before"]:
        yield f"{INDENT}before:    {notation(document['before'])}"
    if document["asked"] is not None and document["asked"]["kind"] != "more":
        yield f"{INDENT}asked:     {' '.join([str(part) for part in document['asked'].values() if isinstance(part, str)])}"
    yield f"{INDENT}got:       {notation(document['lines'])}"
    if finding.case is not None:
        yield f"{INDENT}right:     {notation([line.model_dump() for line in finding.case.turns[-1].right[0]])}"
    if finding.unmatched:
        yield f"{INDENT}unmatched: {', '.join(map(repr, finding.unmatched))}{_missing(finding)}"


def _missing(finding: Finding) -> str:
    """Return what the menu may lack, where no later turn tells."""
    if finding.case is not None:
        return ""
    items = list(dict.fromkeys([change["item"] for change in finding.latest.document["changes"]]))
    option = f", an option of {', '.join(items)}" if items else ""
    return f" - is an item{option} or an alias missing?"


def help_lines(found: Review) -> Iterator[str]:
    """Yield the aliases that would have helped."""
    numbers = {finding.case.row: number for number, finding in enumerate(found.findings, 1) if finding.case is not None}
    for remedy in found.remedies:
        broken = f", breaks {remedy.n_broken}" if remedy.n_broken else ""
        helped = ", ".join([str(numbers[row]) for row in remedy.mended if row in numbers])
        yield f"{remedy_place(remedy)}.aliases: {remedy.alias!r} would have helped in {helped}{broken}"


def write_cases(path: Path, findings: Sequence[Finding]) -> None:
    """Write the conversations of findings as a JSONL file for `evaluate`.

    Raises:
        OSError: the file cannot be written.

    """
    rows: list[Mapping[str, Any]] = [*written([finding.case for finding in findings if finding.case is not None])]
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
