"""Check a menu file: all faults with line and column and what to write instead."""

import re
from pathlib import Path
from typing import Any, Final, NamedTuple

from voice import bounded_yaml
from voice.bounded_yaml import Document, Position, YamlError
from voice.menus.advice import advice
from voice.menus.loading import MenuBroken, read_bytes
from voice.menus.menu import Menu
from voice.menus.validation import KEY, Fault, Place, validate

MAX_SHOWN: Final = 100  # characters of a step of a place
_TAB: Final = re.compile(rb"^ *\t", re.MULTILINE)
_SENTENCE: Final = {
    "Field required": "is missing",
    "Input should be a valid integer": "is no integer",
    "Input should be a valid string": "is no text",
    "Input should be a valid boolean": "is neither true nor false",
    "Extra inputs are not permitted": "is an unknown key",
    "Input should be a valid dictionary": "is no mapping",
    "Input should be a valid tuple": "is no list",
}

# Instead of the pattern that a field does not match.
_NO_FORM: Final = {KEY: "is no id", "id": "is no id", "currency": "is no currency", "from": "is no time of day", "to": "is no time of day"}


class Finding(NamedTuple):
    """A fault or a doubt at its position in the file."""

    position: Position
    place: Place
    message: str

    def __str__(self) -> str:
        """Return the line for a terminal, without the file's name."""
        where = ".".join(str(step)[:MAX_SHOWN] for step in self.place if step != KEY)
        return f"{self.position.line}:{self.position.column}: {where}{': ' if where else ''}{self.message}"


class CheckedFile(NamedTuple):
    """A menu file with its faults; without faults it has a menu."""

    menu: Menu | None
    document: Document | None
    faults: list[Finding]

    def at(self, place: Place, message: str) -> Finding:
        """Return a finding about a place of the file."""
        return Finding(self.document.position(place) if self.document is not None else bounded_yaml.START, place, message)


def check_file(path: Path) -> CheckedFile:
    """Read a menu file and find its faults.

    Raises:
        MenuBroken: the file cannot be read.

    """
    try:
        data = read_bytes(path)
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise MenuBroken(message) from error
    checked = check_data(data)
    content = checked.document.content if checked.document is not None else None
    if isinstance(content, dict) and isinstance(content.get("id"), str) and content["id"] != path.stem:
        wrong = f"differs from the file's name: write {path.stem}, or name the file {content['id'][:MAX_SHOWN]}{path.suffix}"
        faults = sorted([*checked.faults, checked.at(("id",), wrong)], key=lambda finding: finding.position)
        return CheckedFile(None, checked.document, faults)
    return checked


def check_data(data: bytes) -> CheckedFile:
    """Find the faults of a menu in YAML or JSON."""
    repeated: list[YamlError] = []
    try:
        document = bounded_yaml.parse(data, repeated)
    except YamlError as error:
        return CheckedFile(None, None, _syntax_faults(data, error))
    content = document.content
    menu, found = validate(content)
    faults = [Finding(error.position, (), f"{error.problem}: write it once") for error in repeated]
    faults += [Finding(document.position(fault.place), fault.place, _message(fault, content)) for fault in found]
    return CheckedFile(None if faults else menu, document, sorted(faults, key=lambda finding: finding.position))


def _syntax_faults(data: bytes, error: YamlError) -> list[Finding]:
    """Return the fault at which the parser stopped, and every tab that indents a line."""
    tabs = [Position(data.count(b"\n", 0, found.start()) + 1, found.end() - found.start()) for found in _TAB.finditer(data)]
    found = [Finding(position, (), "a tab: indent with spaces") for position in tabs]
    if error.position.line not in {position.line for position in tabs}:
        found.append(Finding(error.position, (), f"{error.problem}{_hint(data, error.position)}"))
    return sorted(found, key=lambda finding: finding.position)


def _hint(data: bytes, position: Position) -> str:
    """Return what is often wrong on a line that is no YAML."""
    lines = data.decode("utf-8", "replace").splitlines()
    line = lines[position.line - 1] if position.line <= len(lines) else ""
    text = line.strip()
    if text.count(": ") > 1 and "{" not in text:
        return "; a text that contains `: ` needs quotes"
    if re.search(r":\s+[@`%&*!|>]", line):
        return "; a text that begins with a sign needs quotes"
    return ""


def _message(fault: Fault, content: Any) -> str:
    message = _SENTENCE.get(fault.message, fault.message.removeprefix("Value error, "))
    if fault.type == "literal_error":
        message = "is unknown here"
    if fault.type == "string_pattern_mismatch":
        message = _NO_FORM.get(str(fault.place[-1]), message)
    what = advice(fault, content)
    return f"{message}: {what}" if what else message
