"""The menus that are served: those of MENU_DIR for all clients, and each client's own, which the store keeps.

Every process compiles every menu. It follows the changes of the store, so that a menu that was put, or an item that was sold out, through
any of them is effective in all within two seconds, and at once in the one that took the request.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import orjson

from errors import ApiError, BadRequest, FieldError, ItemNotFound, MenuConflict, MenuNotFound, Overloaded, ValidationFailed
from voice.menus import compiling
from voice.menus.loading import REFRESH_S, MenuBook
from voice.menus.menu import Menu
from voice.menus.parts import Overrides, Part, with_own_parts
from voice.menus.stored_menus import SHARED, AvailabilityChange, MenuChange, MenuLimits, MenuStore, NewMenu, Precondition
from voice.menus.validation import MAX_WORDS, Fault, count_words, parse_json, validate

log = logging.getLogger(__name__)

POLL_S = 0.5
RETRY_S = 1.0
MAX_CLIENT_MENUS = 20
MAX_CLIENT_WORDS = 2 * MAX_WORDS  # two menus of the largest size, or many of the usual one
MAX_WAITING = 8  # menus that were put and wait for their compilation
WAITING_RETRY_S = 5
MAX_LOC_CHARACTERS = 100


class MenuEngine(Protocol):
    """A compiled menu; `voice.dialog.turn.DialogEngine` is one."""

    menu: Menu

    def set_availability(self, changes: Mapping[Part, bool]) -> None:
        """Change what is available in `menu`, whose parts the engine owns; `menu` becomes another object."""


E = TypeVar("E", bound=MenuEngine)


@dataclass(slots=True)
class ServedMenu(Generic[E]):
    """A menu, its engine, and what is known about its file."""

    file: Menu  # as written; the engine's menu has what is available now
    engine: E
    etag: str
    sequence: int = 0  # of its change in the store

    async def document(self) -> bytes:
        """Return the menu as served, in JSON. A thread writes it: 5,000 items take 0.1 s."""
        menu = self.engine.menu
        return await asyncio.to_thread(lambda: orjson.dumps(menu.model_dump(mode="json")))


class ServedMenus(Generic[E]):
    """The served menus of one process."""

    def __init__(  # noqa: PLR0913 - limits with defaults
        self,
        directory: Path,
        compile_menu: Callable[[Menu], E],
        store: MenuStore,
        *,
        max_client_menus: int = MAX_CLIENT_MENUS,
        poll_s: float = POLL_S,
        retry_s: float = RETRY_S,
    ) -> None:
        """Start empty; `refresh` loads the directory, `follow` the clients' menus."""
        self._compile_menu = compile_menu
        self._store = store
        self._poll_s, self._retry_s = poll_s, retry_s
        self._limits = MenuLimits(max_client_menus, MAX_CLIENT_WORDS)
        self._shared: MenuBook[ServedMenu[E]] = MenuBook(directory, self._compile_file)
        self._own: dict[str, dict[str, ServedMenu[E]]] = {}  # by client and id
        self._overrides: dict[tuple[str, str], Overrides] = {}  # by client, or SHARED, and id
        self._deleted: dict[tuple[str, str], int] = {}  # sequences of deletions by this process that it has not followed yet
        self._followed = self._followed_availability = 0
        self._n_waiting = 0
        self._compiling = asyncio.Lock()
        self.is_synchronised = False  # the clients' menus are those of the store, as of the last poll

    # --- Look-up

    @property
    def problems(self) -> dict[str, str]:
        """The problem of each broken file of MENU_DIR."""
        return self._shared.problems

    def get(self, client: str, menu_id: str | None) -> E:
        """Return the engine of a menu that is served to a client; None stands for the only one.

        Raises:
            MenuNotFound: there is no such menu for this client, or menu_id is None and there are several.
            Overloaded: there may be one; the clients' menus are still being loaded.

        """
        return self.served(client, menu_id).engine

    def served(self, client: str, menu_id: str | None) -> ServedMenu[E]:
        """Return a menu that is served to a client; raises as `get` does."""
        own = self._own.get(client)
        if own and menu_id is not None and menu_id in own:
            return own[menu_id]
        if own and menu_id is None:
            if len(own) > 1 or self._shared.menus:
                message = "Name a menu: there is more than one."
                raise MenuNotFound(message)
            return next(iter(own.values()))
        try:
            return self._shared.get(menu_id)
        except MenuNotFound:
            if not self.is_synchronised:
                message = "The menus are being loaded; try again."
                raise Overloaded(RETRY_S, message) from None
            raise

    def menus_of(self, client: str) -> list[Menu]:
        """Return the menus that are served to a client, by id."""
        own = {menu_id: served.engine.menu for menu_id, served in self._own.get(client, {}).items()}
        return [menu for _, menu in sorted({**self._shared.menus, **own}.items())]

    # --- Changes by clients

    async def put(self, client: str, menu_id: str, body: bytes, precondition: Precondition) -> tuple[ServedMenu[E], bool]:
        """Validate, compile and store a client's menu; return it, and whether it is new.

        Raises:
            BadRequest: the body is not JSON. ValidationFailed: with every fault at its place.
            MenuConflict: MENU_DIR has the id, or the client keeps too many menus.
            PreconditionFailed, PreconditionRequired: by the precondition.
            Overloaded: the store does not answer, or too many menus wait for their compilation.

        """
        file, etag = await asyncio.to_thread(menu_of, body, menu_id)
        self._check_own(client, menu_id)
        precondition(await self._store.menu_etag(client, menu_id))  # before the compilation, and again when it is stored
        new = NewMenu(client, menu_id, body, etag, count_words(file))
        present = self._own.get(client, {}).get(menu_id)
        if present is not None and present.etag == etag:
            change, is_new = await self._store.put_menu(new, precondition, self._limits)
            served = present
        else:
            served = await self._compile_in_turn(file, etag, (client, menu_id))
            change, is_new = await self._store.put_menu(new, precondition, self._limits)
        served.sequence = change.sequence
        self._serve(client, served)
        return served, is_new

    async def delete(self, client: str, menu_id: str, precondition: Precondition) -> None:
        """Delete a client's menu.

        Raises:
            MenuNotFound: the client has no such menu. MenuConflict: MENU_DIR has it. Others: as `put`.

        """
        self._check_own(client, menu_id)
        change = await self._store.delete_menu(client, menu_id, precondition)
        self._remove(change)

    async def set_available(self, client: str, menu_id: str, part: Part, *, is_available: bool) -> None:
        """Sell out an item or a choice, or bring it back: of the client's menu, or of one of MENU_DIR for all clients.

        Raises:
            MenuNotFound, Overloaded: as `get`. ItemNotFound, ValidationFailed: the menu has no such item, group or choice.

        """
        served = self.served(client, menu_id)
        if not part.is_in(served.file):
            raise _no_such_part(served.file, part)
        owner = client if menu_id in self._own.get(client, {}) else SHARED
        change = await self._store.change_availability(
            owner, menu_id, lambda overrides: overrides.updated(part, is_available=is_available, file=served.file)
        )
        self._override(change)

    def _check_own(self, client: str, menu_id: str) -> None:
        if menu_id not in self._own.get(client, {}) and menu_id in self._shared.menus:
            raise MenuConflict

    # --- Compilation

    def _compile_file(self, menu: Menu) -> ServedMenu[E]:
        return self._compile(menu, etag_of(menu), (SHARED, menu.id))

    def _compile(self, file: Menu, etag: str, key: tuple[str, str]) -> ServedMenu[E]:
        """Compile a menu with what is sold out of it; blocking."""
        with compiling.alone():
            served = ServedMenu(file, self._compile_menu(with_own_parts(file)), etag)
        self._apply(served, key)
        return served

    async def _compile_in_turn(self, file: Menu, etag: str, key: tuple[str, str]) -> ServedMenu[E]:
        if self._n_waiting >= MAX_WAITING:
            message = "Too many menus are being taken up; try again."
            raise Overloaded(WAITING_RETRY_S, message)
        self._n_waiting += 1
        try:
            async with self._compiling:
                return await asyncio.to_thread(self._compile, file, etag, key)
        finally:
            self._n_waiting -= 1

    # --- Taking up

    def _serve(self, client: str, served: ServedMenu[E]) -> None:
        """Serve a client's menu, unless a later change of it is served or has deleted it."""
        key = client, served.file.id
        own = self._own.setdefault(client, {})
        present = own.get(served.file.id)
        if max(self._deleted.get(key, 0), present.sequence if present is not None else 0) > served.sequence:
            return
        self._apply(served, key)
        own[served.file.id] = served

    def _remove(self, change: MenuChange) -> None:
        key = change.client, change.menu
        present = self._own.get(change.client, {}).get(change.menu)
        if present is not None and present.sequence < change.sequence:
            del self._own[change.client][change.menu]
            self._overrides.pop(key, None)
        if change.sequence > self._followed:
            self._deleted[key] = change.sequence

    def _override(self, change: AvailabilityChange) -> None:
        """Use the overrides of a change, in the menu that is served now."""
        key = change.client, change.menu
        before = self._overrides.get(key, Overrides())
        self._overrides[key] = change.overrides
        served = self._own.get(change.client, {}).get(change.menu) if change.client != SHARED else self._shared.find(change.menu)
        if served is not None:
            self._apply(served, key, before)

    def _apply(self, served: ServedMenu[E], key: tuple[str, str], before: Iterable[Part] = ()) -> None:
        changes = self._overrides.get(key, Overrides()).changes(served.file, served.engine.menu, before)
        if changes:
            served.engine.set_availability(changes)

    def refresh(self) -> None:
        """Load the changed files of MENU_DIR; blocking."""
        self._shared.refresh()

    async def watch(self) -> None:
        """Load changed files of MENU_DIR every REFRESH_S until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await asyncio.to_thread(self.refresh)
            except Exception:
                log.exception("menu refresh failed")
            for client, menu_id in self._overrides:
                if client == SHARED and (served := self._shared.find(menu_id)) is not None:
                    self._apply(served, (SHARED, menu_id))  # a change may have come while the file was compiled

    async def follow(self) -> None:
        """Take up the changes of the store until cancelled; retry when it fails."""
        while True:
            try:
                await self.catch_up()
            except Overloaded:
                if self.is_synchronised:
                    log.warning("menus cannot be read; retrying")
                self.is_synchronised = False
                await asyncio.sleep(self._retry_s)
                continue
            await asyncio.sleep(self._poll_s)

    async def catch_up(self) -> None:
        """Take up what changed in the store since the last call.

        Raises:
            Overloaded: the store does not answer.

        """
        for availability in await self._store.availability_changes(self._followed_availability):
            self._override(availability)
            self._followed_availability = availability.sequence
        while changes := await self._store.menu_changes(self._followed):
            for change in changes:
                await self._take_up(change)
                self._followed = change.sequence
        self._deleted = {key: sequence for key, sequence in self._deleted.items() if sequence > self._followed}
        if not self.is_synchronised:  # the store may have forgotten deletions meanwhile
            kept = await self._store.kept_menus()
            for client, own in self._own.items():
                gone = [id_ for id_, served in own.items() if (client, id_) not in kept and served.sequence <= self._followed]
                for menu_id in gone:
                    del own[menu_id]
            self.is_synchronised = True

    async def _take_up(self, change: MenuChange) -> None:
        """Take up a change of another process, or one from before this one started; skip what is served already."""
        present = self._own.get(change.client, {}).get(change.menu)
        if present is not None and present.sequence >= change.sequence:
            return
        if change.document is None:
            self._remove(change)
            return
        try:
            file, _ = await asyncio.to_thread(menu_of, change.document, change.menu)
            async with self._compiling:
                served = await asyncio.to_thread(self._compile, file, change.etag, (change.client, change.menu))
        except Exception:
            log.exception("a stored menu cannot be compiled", extra={"client": change.client, "menu": change.menu})
            return
        served.sequence = change.sequence
        self._serve(change.client, served)


def menu_of(body: bytes, menu_id: str) -> tuple[Menu, str]:
    """Return the menu of a JSON text, and its ETag.

    Raises:
        BadRequest: the text is not JSON. ValidationFailed: with every fault at its place.

    """
    try:
        content, faults = parse_json(body)
    except ValueError as error:
        message = "The body is not JSON, or not UTF-8."
        raise BadRequest(message) from error
    menu, found = validate(content)
    faults += found
    if isinstance(content, dict) and isinstance(content.get("id"), str) and content["id"] != menu_id:
        faults.append(Fault(("id",), f"differs from the path's {menu_id[:MAX_LOC_CHARACTERS]!r}", "id_mismatch"))
    if menu is None or faults:
        raise ValidationFailed(errors=[_field_error(fault) for fault in faults])
    return menu, etag_of(menu)


def etag_of(menu: Menu) -> str:
    """Return the ETag of a menu's file: it depends on what the file means, not on what is sold out meanwhile."""
    return hashlib.sha256(orjson.dumps(menu.model_dump(mode="json"))).hexdigest()[:32]


def _field_error(fault: Fault) -> FieldError:
    place = [step[:MAX_LOC_CHARACTERS] if isinstance(step, str) else step for step in fault.place]
    return {"loc": place, "msg": fault.message, "type": fault.type}


def _no_such_part(menu: Menu, part: Part) -> ApiError:
    if part.group is None:
        return ItemNotFound(errors=[{"loc": ["item"], "msg": "The menu has no such item", "type": "item_not_found"}])
    if part.group not in menu.option_groups:
        return ValidationFailed(errors=[{"loc": ["group"], "msg": "The menu has no such option group", "type": "group_not_found"}])
    return ValidationFailed(errors=[{"loc": ["choice"], "msg": "The option group has no such choice", "type": "choice_not_found"}])
