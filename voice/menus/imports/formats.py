"""Recognise the format of a source and import it."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson

from voice.menus.imports.draft import Draft, ImportOptions, SourceBroken
from voice.menus.imports.grabfood import import_grabfood, is_grabfood
from voice.menus.imports.spreadsheet import import_spreadsheet, is_spreadsheet
from voice.menus.imports.square import import_square, is_square
from voice.menus.imports.uber_eats import import_uber_eats, is_uber_eats

MAX_SOURCE_BYTES: Final = 50_000_000


class Format(NamedTuple):
    """A format of sources in JSON."""

    recognise: Callable[[Any], bool]
    read: Callable[[Any, ImportOptions], Draft]


JSON_FORMATS: Final = {
    "square": Format(is_square, import_square),
    "uber-eats": Format(is_uber_eats, import_uber_eats),
    "grabfood": Format(is_grabfood, import_grabfood),
}
FORMATS: Final = ("csv", *JSON_FORMATS)


def import_source(data: bytes, options: ImportOptions, format_name: str | None = None) -> tuple[str, Draft]:
    """Import a source; return the name of its format, which is recognised if none is given, and the menu.

    Raises:
        SourceBroken: it is none of the formats, or has faults.

    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        message = "not UTF-8; save the spreadsheet as CSV UTF-8"
        raise SourceBroken(message) from None
    if format_name == "csv" or (format_name is None and text.lstrip()[:1] not in {"{", "["} and is_spreadsheet(text)):
        return "csv", import_spreadsheet(text, options)
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        message = f"neither JSON nor a CSV file with a column `name`: {error}"
        raise SourceBroken(message) from None
    for name, one in JSON_FORMATS.items():
        if format_name in {None, name} and one.recognise(content):
            return name, _read(one, content, options)
    message = f"the JSON is not of the format {format_name}" if format_name else f"none of the formats {', '.join(FORMATS)}"
    raise SourceBroken(message)


def _read(one: Format, content: Any, options: ImportOptions) -> Draft:
    try:
        return one.read(content, options)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"a part lacks a field or has one of another type: {type(error).__name__} {error}"
        raise SourceBroken(message) from error
