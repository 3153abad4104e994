"""Types shared by the served menus and a store of clients' menus."""

from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

from voice.menus.parts import Overrides

# Raises PreconditionFailed or PreconditionRequired; called with the ETag of the menu that is stored, None if none is.
Precondition = Callable[[str | None], None]
SHARED = ""  # in place of a client: the menus of MENU_DIR, which are for all


class NewMenu(NamedTuple):
    """A menu to store, or its deletion."""

    client: str
    menu: str
    document: bytes | None  # JSON; None: deleted
    etag: str
    n_words: int


class MenuLimits(NamedTuple):
    """The limits of a client."""

    max_menus: int
    max_words: int  # in the names of all its menus: they take memory


class MenuChange(NamedTuple):
    """A menu as it is stored since a change; `document` None: it was deleted. Sequences ascend, as those of orders do."""

    sequence: int
    client: str
    menu: str
    document: bytes | None
    etag: str


class AvailabilityChange(NamedTuple):
    """The overrides of a menu since a change; `client` is SHARED for a menu of MENU_DIR."""

    sequence: int
    client: str
    menu: str
    overrides: Overrides


class MenuStore(Protocol):
    """A store of menus that several processes share. Each call raises Overloaded when the store does not answer."""

    async def menu_changes(self, after: int) -> list[MenuChange]:
        """Return some changes with greater sequences, in ascending order; none: there are no more."""

    async def kept_menus(self) -> Collection[tuple[str, str]]:
        """Return the client and the id of each menu that is stored."""

    async def menu_etag(self, client: str, menu: str) -> str | None:
        """Return the ETag of a menu, None if it is not stored."""

    async def put_menu(self, new: NewMenu, precondition: Precondition, limits: MenuLimits) -> tuple[MenuChange, bool]:
        """Store a menu and return the change, and whether the menu is new; raise what the precondition raises, and MenuConflict."""

    async def delete_menu(self, client: str, menu: str, precondition: Precondition) -> MenuChange:
        """Delete a menu and its overrides; raise what the precondition raises, and MenuNotFound."""

    async def availability_changes(self, after: int) -> list[AvailabilityChange]:
        """Return all changes with greater sequences, in ascending order."""

    async def change_availability(self, client: str, menu: str, change: Callable[[Overrides], Overrides]) -> AvailabilityChange:
        """Change the overrides of a menu, one change after the other."""
