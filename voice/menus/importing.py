"""Import a menu file from a source of another system, or import it again."""

from collections.abc import Iterator
from pathlib import Path

from voice.menus.advice import advice
from voice.menus.imports.draft import ImportOptions, SourceBroken
from voice.menus.imports.formats import MAX_SOURCE_BYTES, import_source
from voice.menus.imports.writing import merged_with_file, write_menu
from voice.menus.validation import validate


def run_import(source: Path, directory: Path, options: ImportOptions, format_name: str | None = None) -> Iterator[str]:
    """Import a source into a directory; yield lines for a terminal: what was written, and what has no place in it.

    Raises:
        SourceBroken: the source, or the menu that it becomes, has faults; nothing is written.

    """
    try:
        with source.open("rb") as file:
            data = file.read(MAX_SOURCE_BYTES + 1)
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise SourceBroken(message) from error
    if len(data) > MAX_SOURCE_BYTES:
        message = f"larger than {MAX_SOURCE_BYTES} bytes"
        raise SourceBroken(message)
    found, draft = import_source(data, options, format_name)
    imported = draft.document()
    path = directory / f"{options.menu_id}.yaml"
    written = merged_with_file(path, imported)
    menu, faults = validate(written.content)
    if menu is None:
        lines = []
        for fault in faults:
            what = advice(fault, written.content)
            lines.append(f"{'.'.join(map(str, fault.place))}: {fault.message}{f': {what}' if what else ''}")
        raise SourceBroken("\n".join(lines))
    write_menu(path, written.content, imported)
    n_choices = sum(len(group.choices) for group in menu.option_groups.values())
    yield f"{path}: {'written' if written.is_new else 'imported again'} from {found}: {len(menu.items)} items, {n_choices} choices"
    yield from [f"edited on both sides: {conflict}" for conflict in written.conflicts]
    yield from [f"no place for {loss}" for loss in draft.losses]
    if draft.times and options.timezone == "UTC":
        yield "the times are in UTC; give the shop's time zone with --timezone"
