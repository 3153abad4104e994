"""Read menu files, reload those that change, and report the line and column of a fault."""

import asyncio
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from pydantic import ValidationError

from errors import MenuNotFound
from schemas import Menu
from voice.menus import bounded_yaml
from voice.orders import words

T = TypeVar("T")


class Stamp(NamedTuple):
    """What changes when a file is written."""

    mtime_ns: int
    ctime_ns: int
    size: int
    inode: int

    def is_settled(self) -> bool:
        """Whether a later change has another stamp."""
        return abs(time.time_ns() - self.ctime_ns) > TIME_STEP_NS


log = logging.getLogger(__name__)

REFRESH_S = 1.0
SUFFIXES = (".yaml", ".yml", ".json")
# A word in a name costs the order engine up to 70 us and 4 KB: 4 s and 200 MB at most. 5,000 items with two aliases have 45,000.
MAX_WORDS = 50_000
# File systems count times in steps: 4 ms on ext4, 2 s on FAT. What is written twice within a step has the same time twice.
TIME_STEP_NS = 2_000_000_000


class MenuBroken(Exception):
    """A menu file that cannot be served; the message names line and column."""


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """What one file holds: the menu, and what it was compiled into."""

    menu: Menu
    compiled: T


def _read_bytes(path: Path) -> bytes:
    """Read a regular file, one byte beyond the bound at most."""
    # Non-blocking: a FIFO may have taken the file's place since the directory was listed.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            message = "not a regular file"
            raise MenuBroken(message)
        return file.read(bounded_yaml.MAX_BYTES + 1)


def read_menu(path: Path) -> Menu:
    """Read one menu file, YAML or JSON (which YAML contains).

    Raises:
        MenuBroken: it is not one; the message names line and column.

    """
    try:
        document = bounded_yaml.parse(_read_bytes(path))
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise MenuBroken(message) from error
    except bounded_yaml.YamlError as error:
        raise MenuBroken(str(error)) from error
    try:
        menu = Menu.model_validate(document.content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(step)[:100] for step in first["loc"]) or "menu"
        message = f"{document.position(first['loc'])}: {field}: {first['msg']}"
        raise MenuBroken(message) from None  # the error quotes the file
    if menu.id != path.stem:
        message = f"{document.position(('id',))}: id {menu.id!r} is not the file's name"
        raise MenuBroken(message)
    n_words = sum(len(words.phrase(name)) for name in _names(menu))
    if n_words > MAX_WORDS:
        message = f"{document.position(())}: {n_words} words in names and aliases; at most {MAX_WORDS}"
        raise MenuBroken(message)
    return menu


def _names(menu: Menu) -> Iterator[str]:
    """List all names and aliases."""
    for item in menu.items.values():
        yield from (item.name, *item.aliases)
    for group in menu.option_groups.values():
        for choice in group.choices.values():
            yield from (choice.name, *choice.aliases)


def _stamps(directory: Path) -> dict[Path, Stamp]:
    """Return the menu files of a directory, each with what changes when it is written.

    Left out: what is no regular file (a FIFO would block its reader), a dangling link, and hidden and lock files of editors.
    """
    stamps = {}
    for path in sorted(directory.glob("*")):
        if path.suffix not in SUFFIXES or path.name.startswith((".", "~")):
            continue
        try:
            status = path.stat()
        except OSError:
            continue  # a dangling link, or gone between the listing and now
        if stat.S_ISREG(status.st_mode):
            stamps[path] = Stamp(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
    return stamps


def _shown(path: Path) -> str:
    """Return a file's name as text that can be encoded."""
    return os.fsencode(path.name).decode("utf-8", "replace")


class MenuBook(Generic[T]):
    """The menus of a directory, each compiled into a T, kept current."""

    def __init__(self, directory: Path, compile_menu: Callable[[Menu], T]) -> None:
        """Serve nothing yet: `refresh` reads the directory."""
        self._directory = directory
        self._compile = compile_menu
        self._entries: dict[str, Entry[T]] = {}
        self._read: dict[Path, Stamp | None] = {}  # as of when each file was read, broken or not; None: read it again
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
        stamps = _stamps(self._directory)
        entries, problems = dict(self._entries), dict(self.problems)
        for path in self._read.keys() - stamps.keys():
            del self._read[path]
            problems.pop(_shown(path), None)
            if path.stem not in {other.stem for other in stamps}:
                entries.pop(path.stem, None)
        for path, stamp in stamps.items():
            if self._read.get(path) == stamp or not (first or self._seen.get(path) == stamp):
                continue
            self._read[path] = stamp if stamp.is_settled() else None
            try:
                self._take_up(path, entries)
                problems.pop(_shown(path), None)
            except MenuBroken as error:
                if problems.get(_shown(path)) != str(error):
                    log.warning("menu refused", extra={"file": _shown(path), "problem": str(error)})
                problems[_shown(path)] = str(error)
        self._seen = stamps
        self._entries, self.problems = entries, problems

    def _take_up(self, path: Path, entries: dict[str, Entry[T]]) -> None:
        """Read and compile one file, and put it among the entries if it changed.

        Raises:
            MenuBroken: whatever is wrong with it, so that the other files are served.

        """
        try:
            menu = read_menu(path)
            if menu.id in entries and entries[menu.id].menu == menu:
                return
            entries[menu.id] = Entry(menu, self._compile(menu))
        except MenuBroken:
            raise
        except Exception as error:
            log.exception("menu cannot be taken up", extra={"file": _shown(path)})
            message = f"{bounded_yaml.START}: cannot be taken up: {type(error).__name__}"
            raise MenuBroken(message) from error
        log.info("menu taken up", extra={"file": path.name, "items": len(menu.items)})

    async def watch(self) -> None:
        """Refresh once a second until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await asyncio.to_thread(self.refresh)
            except Exception:
                log.exception("menus were not refreshed")
