"""Read menu files, keep them current, and say where a broken one is broken."""

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import yaml
from pydantic import ValidationError

from errors import MenuNotFound
from schemas import Menu

T = TypeVar("T")
Stamp = tuple[int, int, int]

log = logging.getLogger(__name__)

REFRESH_S = 1.0
_INTEGER = re.compile(r"[-+]?[0-9]+")
_PLAIN = {"": None, "~": None, "null": None, "true": True, "false": False}


class MenuBroken(Exception):
    """A menu file that cannot be served; the message names place and line."""


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """What one file holds: the menu, and what it was compiled into."""

    menu: Menu
    compiled: T


def _place(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"


def construct(node: yaml.Node) -> object:
    """Turn a node into plain data, in YAML 1.2's spirit: an id may be called `no` or `7`, so keys are always text.

    Raises:
        MenuBroken: a key stands twice in one mapping.

    """
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, object] = {}
        for key, value in node.value:
            if key.value in mapping:
                message = f"{_place(key)}: {key.value!r} stands here twice"
                raise MenuBroken(message)
            mapping[key.value] = construct(value)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [construct(item) for item in node.value]
    text: str = node.value
    if isinstance(node, yaml.ScalarNode) and not node.style:  # neither quoted nor a block
        if text in _PLAIN:
            return _PLAIN[text]
        if _INTEGER.fullmatch(text):
            return int(text)
    return text


def _find(node: yaml.Node, path: tuple[str | int, ...]) -> yaml.Node:
    """Follow a validation error's path as far as the file goes."""
    for step in path:
        if isinstance(node, yaml.MappingNode):
            child = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            child = node.value[step]
        else:
            child = None
        if child is None:
            break
        node = child
    return node


def read_menu(path: Path) -> Menu:
    """Read one menu file, YAML or JSON (which YAML contains).

    Raises:
        MenuBroken: it is not one; the message names place and line.

    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot be read: {type(error).__name__}"
        raise MenuBroken(message) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        message = f"line {mark.line + 1 if mark else 1}: {error.problem}"
        raise MenuBroken(message) from error
    except yaml.YAMLError as error:
        message = "line 1: not YAML"
        raise MenuBroken(message) from error
    if node is None:
        message = "line 1: the file is empty"
        raise MenuBroken(message)
    try:
        menu = Menu.model_validate(construct(node))
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{_place(_find(node, first['loc']))}: {'.'.join(map(str, first['loc'])) or 'menu'}: {first['msg']}"
        raise MenuBroken(message) from error
    if menu.id != path.stem:
        message = f"{_place(_find(node, ('id',)))}: id {menu.id!r} is not the file's name"
        raise MenuBroken(message)
    return menu


class MenuBook(Generic[T]):
    """The menus of a directory, each compiled into a T, kept current."""

    def __init__(self, directory: Path, compile_menu: Callable[[Menu], T]) -> None:
        """Serve nothing yet: `refresh` reads the directory."""
        self._directory = directory
        self._compile = compile_menu
        self._entries: dict[str, Entry[T]] = {}
        self._read: dict[Path, Stamp] = {}  # as of when each file was taken up, broken or not
        self._seen: dict[Path, Stamp] = {}
        self.problems: dict[str, str] = {}

    @property
    def menus(self) -> dict[str, Menu]:
        """What is served now, in order of id."""
        return {menu_id: entry.menu for menu_id, entry in sorted(self._entries.items())}

    def get(self, menu_id: str | None) -> T:
        """Return what the menu was compiled into; None means the only one.

        Raises:
            MenuNotFound: no such menu, or None while there are several.

        """
        entries = self._entries
        if menu_id is None:
            if len(entries) != 1:
                message = "Name a menu: there is more than one." if entries else "No menu is served."
                raise MenuNotFound(message)
            return next(iter(entries.values())).compiled
        try:
            return entries[menu_id].compiled
        except KeyError:
            raise MenuNotFound from None

    def refresh(self) -> None:
        """Look at the directory and take up what changed; blocking.

        A file that changes while the service runs is taken up once it has stood still from one look to the next, since half a file may
        well be a valid one. A broken file leaves the menu that was served before in place.
        """
        first = not self._seen and not self._read
        stamps = {}
        for path in sorted(self._directory.glob("*")):
            if path.suffix in (".yaml", ".yml", ".json"):
                try:
                    status = path.stat()
                except OSError:
                    continue  # gone between the listing and now
                stamps[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
        entries, problems = dict(self._entries), dict(self.problems)
        for path in self._read.keys() - stamps.keys():
            del self._read[path]
            problems.pop(path.name, None)
            if path.stem not in {other.stem for other in stamps}:
                entries.pop(path.stem, None)
        for path, stamp in stamps.items():
            if self._read.get(path) == stamp or not (first or self._seen.get(path) == stamp):
                continue
            self._read[path] = stamp
            try:
                menu = read_menu(path)
                entries[menu.id] = Entry(menu, self._compile(menu))
                problems.pop(path.name, None)
                log.info("menu taken up", extra={"file": path.name, "items": len(menu.items)})
            except MenuBroken as error:
                problems[path.name] = str(error)
                log.warning("menu refused", extra={"file": path.name, "problem": str(error)})
        self._seen = stamps
        self._entries, self.problems = entries, problems

    async def watch(self) -> None:
        """Refresh once a second until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await asyncio.to_thread(self.refresh)
            except Exception:
                log.exception("menus were not refreshed")
