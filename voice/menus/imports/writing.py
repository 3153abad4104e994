"""Write an imported menu, and import it again over the merchant's edits."""

import json
import os
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from voice import bounded_yaml
from voice.bounded_yaml import YamlError
from voice.menus.imports.draft import SourceBroken
from voice.menus.imports.merging import merge

FLOW_CHARACTERS: Final = 110  # a part that is shorter stands on one line
WIDTH: Final = 140


class Written(NamedTuple):
    """A menu as it was written."""

    content: dict[str, Any]
    is_new: bool
    conflicts: list[str]


def record_of(path: Path) -> Path:
    """Return the file beside a menu that has what the last import wrote; menus are not loaded from hidden files."""
    return path.with_name(f".{path.stem}.imported.json")


def merged_with_file(path: Path, content: dict[str, Any]) -> Written:
    """Return the menu to write: the imported one, merged with the file if there is one.

    Raises:
        SourceBroken: the file cannot be read, or is no menu of an import.

    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Written(content, is_new=True, conflicts=[])
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise SourceBroken(message) from error
    try:
        file = bounded_yaml.parse(data).content
        base = json.loads(record_of(path).read_bytes())
    except YamlError as error:
        message = f"{path}: {error}; mend it, or remove it to import anew"
        raise SourceBroken(message) from error
    except (OSError, ValueError) as error:
        message = (
            f"{path} is there, but was not imported here ({record_of(path).name} is missing); remove it, or write elsewhere with --output"
        )
        raise SourceBroken(message) from error
    if not isinstance(file, dict):
        message = f"{path}: no menu; mend it, or remove it to import anew"
        raise SourceBroken(message)
    merged = merge(base, content, file)
    return Written(merged.content, is_new=False, conflicts=merged.conflicts)


def write_menu(path: Path, content: dict[str, Any], imported: dict[str, Any]) -> None:
    """Write the menu and the record of the import, each in one step.

    Raises:
        SourceBroken: a file cannot be written.

    """
    try:
        _replace(record_of(path), json.dumps(imported, ensure_ascii=False, indent=1) + "\n")
        _replace(path, menu_text(content))
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror}"
        raise SourceBroken(message) from error


def _replace(path: Path, text: str) -> None:
    scratch = path.with_name(f".{path.name}.new")
    scratch.write_text(text, "utf-8")
    os.replace(scratch, path)  # noqa: PTH105 - atomic: a server may be reading


def menu_text(content: dict[str, Any]) -> str:
    """Return a menu as YAML; items, choices and other small parts stand on one line each."""
    return yaml.dump(content, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=WIDTH)


class _Dumper(yaml.SafeDumper):
    """Writes small mappings and all lists in flow style."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's call
        """Repeat equal parts."""
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:  # noqa: FBT001 - PyYAML's call
        """Choose the style by the length, but keep items and choices apart."""
        is_small = len(str(mapping)) <= FLOW_CHARACTERS and not {"id", "choices", "items"} & set(mapping)
        is_part = bool({"name", "item", "from"} & set(mapping)) or all(isinstance(value, str) for value in dict(mapping).values())
        return super().represent_mapping(tag, mapping, flow_style=(is_small and is_part) or flow_style)

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:  # noqa: FBT001 - PyYAML's call
        """Write lists of names on one line."""
        return super().represent_sequence(tag, sequence, flow_style=all(isinstance(value, str) for value in sequence) or flow_style)


_Dumper.add_multi_representer(dict, lambda dumper, value: dumper.represent_dict(value))
