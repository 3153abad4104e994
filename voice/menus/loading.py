"""Load menu files, reload changed ones, and report errors with line and column."""

import logging
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from pydantic import ValidationError

from errors import MenuNotFound
from voice import bounded_yaml
from voice.menus.menu import Menu
from voice.menus.validation import MAX_WORDS, count_words, excess

T = TypeVar("T")


class Stamp(NamedTuple):
    """The metadata of a file that changes with its content."""

    mtime_ns: int
    ctime_ns: int
    size: int
    inode: int

    def is_settled(self) -> bool:
        """True if the file is old enough that any further write changes its stamp."""
        return abs(time.time_ns() - self.ctime_ns) > TIME_STEP_NS


log = logging.getLogger(__name__)

REFRESH_S = 1.0
SUFFIXES = (".yaml", ".yml", ".json")
# The coarsest resolution of file times (FAT 2 s, ext4 4 ms): two writes within it may have the same time.
TIME_STEP_NS = 2_000_000_000


class MenuBroken(Exception):
    """An invalid menu file; the message starts with line and column, unless the file cannot be read or parsed."""


@dataclass(frozen=True, slots=True)
class LoadedMenu(Generic[T]):
    """The menu of one file, and its compiled form."""

    menu: Menu
    compiled: T


def read_bytes(path: Path) -> bytes:
    """Read a regular file, up to one byte beyond the maximum size."""
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
        MenuBroken: the file cannot be read, or is not a valid menu.

    """
    try:
        document = bounded_yaml.parse(read_bytes(path))
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise MenuBroken(message) from error
    except bounded_yaml.YamlError as error:
        raise MenuBroken(str(error)) from error
    if (too_large := excess(document.content)) is not None:
        message = f"{document.position(too_large.place)}: {too_large.message}"
        raise MenuBroken(message)
    try:
        menu = Menu.model_validate(document.content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(step)[:100] for step in first["loc"]) or "menu"
        message = f"{document.position(first['loc'])}: {field}: {first['msg']}"
        raise MenuBroken(message) from None  # the error quotes the file
    if menu.id != path.stem:
        message = f"{document.position(('id',))}: id {menu.id!r} differs from the file name"
        raise MenuBroken(message)
    n_words = count_words(menu)
    if n_words > MAX_WORDS:
        message = f"{document.position(())}: {n_words} words in names and aliases; the maximum is {MAX_WORDS}"
        raise MenuBroken(message)
    return menu


def _stamps(directory: Path) -> dict[Path, Stamp]:
    """Return the menu files of a directory with their stamps.

    Skips files that are not regular (a FIFO would block its reader), dangling links, and hidden and lock files of editors.
    """
    stamps = {}
    for path in sorted(directory.glob("*")):
        if path.suffix not in SUFFIXES or path.name.startswith((".", "~")):
            continue
        try:
            status = path.stat()
        except OSError:
            continue  # a dangling link, or deleted since the listing
        if stat.S_ISREG(status.st_mode):
            stamps[path] = Stamp(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
    return stamps


def _printable_name(path: Path) -> str:
    """Return a file's name as a string that can be encoded as UTF-8."""
    return os.fsencode(path.name).decode("utf-8", "replace")


class MenuBook(Generic[T]):
    """The menus of a directory, each compiled into a T, reloaded when their files change."""

    def __init__(self, directory: Path, compile_menu: Callable[[Menu], T]) -> None:
        """Start empty; `refresh` loads the directory."""
        self._directory = directory
        self._compile = compile_menu
        self._entries: dict[str, LoadedMenu[T]] = {}
        self._loaded_stamps: dict[Path, Stamp | None] = {}  # when each file was last loaded; None: load it again
        self._previous_stamps: dict[Path, Stamp] = {}  # at the previous refresh
        self.problems: dict[str, str] = {}

    @property
    def menus(self) -> dict[str, Menu]:
        """The menus served now, sorted by id."""
        return {menu_id: entry.menu for menu_id, entry in sorted(self._entries.items())}

    def get(self, menu_id: str | None) -> T:
        """Return the compiled menu (the T of `compile_menu`); None stands for the only one.

        Raises:
            MenuNotFound: there is no such menu, or menu_id is None and there are several.

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

    def find(self, menu_id: str) -> T | None:
        """Return the compiled menu of an id, None if there is none."""
        entry = self._entries.get(menu_id)
        return entry.compiled if entry is not None else None

    def refresh(self) -> None:
        """Load the changed files of the directory; blocking.

        A file that changes while the service runs is loaded once two successive calls find the same stamp, since a half-written file may
        be valid. If a file becomes invalid, its previous menu stays in service.
        """
        first = not self._previous_stamps and not self._loaded_stamps
        stamps = _stamps(self._directory)
        entries, problems = dict(self._entries), dict(self.problems)
        for path in self._loaded_stamps.keys() - stamps.keys():
            del self._loaded_stamps[path]
            problems.pop(_printable_name(path), None)
            if path.stem not in {other.stem for other in stamps}:
                entries.pop(path.stem, None)
        for path, stamp in stamps.items():
            if self._loaded_stamps.get(path) == stamp or not (first or self._previous_stamps.get(path) == stamp):
                continue
            self._loaded_stamps[path] = stamp if stamp.is_settled() else None
            try:
                self._load(path, entries)
                problems.pop(_printable_name(path), None)
            except MenuBroken as error:
                if problems.get(_printable_name(path)) != str(error):
                    log.warning("menu rejected", extra={"file": _printable_name(path), "problem": str(error)})
                problems[_printable_name(path)] = str(error)
        self._previous_stamps = stamps
        self._entries, self.problems = entries, problems

    def _load(self, path: Path, entries: dict[str, LoadedMenu[T]]) -> None:
        """Read and compile one file, and add it to the entries if its menu changed.

        Raises:
            MenuBroken: on any failure, so that the other files are still loaded.

        """
        try:
            menu = read_menu(path)
            if menu.id in entries and entries[menu.id].menu.model_dump() == menu.model_dump():  # names are equal if one language is
                return
            entries[menu.id] = LoadedMenu(menu, self._compile(menu))
        except MenuBroken:
            raise
        except Exception as error:
            log.exception("menu cannot be compiled", extra={"file": _printable_name(path)})
            message = f"{bounded_yaml.START}: cannot be compiled: {type(error).__name__}"
            raise MenuBroken(message) from error
        log.info("menu loaded", extra={"file": path.name, "items": len(menu.items)})
