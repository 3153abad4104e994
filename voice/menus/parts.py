"""The parts of a menu that sell out, and what is known about them besides the menu file."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

from voice.menus.menu import Menu


class Part(NamedTuple):
    """An item, or a choice of an option group."""

    group: str | None  # None: an item
    id: str

    def is_in(self, menu: Menu) -> bool:
        """Return whether a menu has the part."""
        if self.group is None:
            return self.id in menu.items
        return self.group in menu.option_groups and self.id in menu.option_groups[self.group].choices

    def is_available_in(self, menu: Menu) -> bool:
        """Return whether a menu has the part as available, whatever the time and its item."""
        return menu.items[self.id].available if self.group is None else menu.option_groups[self.group].choices[self.id].available

    def set_available(self, menu: Menu, *, is_available: bool) -> None:
        """Change the part of a menu that owns its parts (`with_own_parts`); threads that read the menu see the old or the new one."""
        if self.group is None:
            menu.items[self.id] = menu.items[self.id].model_copy(update={"available": is_available})
        else:
            choices = menu.option_groups[self.group].choices
            choices[self.id] = choices[self.id].model_copy(update={"available": is_available})


def with_own_parts(menu: Menu) -> Menu:
    """Return an equal menu whose items and choices can be replaced without a change of the given one."""
    groups = {id_: group.model_copy(update={"choices": dict(group.choices)}) for id_, group in menu.option_groups.items()}
    return menu.model_copy(update={"items": dict(menu.items), "option_groups": groups})


class Overrides(dict[Part, bool]):
    """What was sold out, or came back, since the file was written; it stands before the file."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read the form of the store."""
        items = [(Part(None, id_), available) for id_, available in document.get("items", {}).items()]
        groups = document.get("choices", {})
        return cls([*items, *[(Part(group, id_), available) for group in groups for id_, available in groups[group].items()]])

    def document(self) -> dict[str, Any]:
        """Return the form of the store."""
        items, choices = dict[str, bool](), dict[str, dict[str, bool]]()
        for part, available in self.items():
            (items if part.group is None else choices.setdefault(part.group, {}))[part.id] = available
        return {"items": items, "choices": choices}

    def updated(self, part: Part, *, is_available: bool, file: Menu) -> "Overrides":
        """Return the overrides after a change, without parts that the file lacks.

        Sold out is kept even where the file says so, since the file may change; available only where the file says sold out.
        """
        kept = {other: available for other, available in self.items() if other.is_in(file) and other != part}
        if not is_available or not part.is_available_in(file):
            kept[part] = is_available
        return Overrides(kept)

    def changes(self, file: Menu, served: Menu, before: Iterable[Part] = ()) -> dict[Part, bool]:
        """Return the parts that the served menu has otherwise than the file with these overrides; `before`: parts overridden before."""
        wanted = {part: self.get(part, part.is_available_in(file)) for part in {*self, *before} if part.is_in(file)}
        return {part: available for part, available in wanted.items() if part.is_available_in(served) != available}
