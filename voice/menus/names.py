"""Names of a menu, which are a string or one by language."""

from schemas import Choice, Item, Name


def name_in(name: str, language: str) -> str:
    """Return a name in a language; the menu's first language stands in where the menu lacks it."""
    return name.by_language.get(language, str(name)) if isinstance(name, Name) else name


def text_in(text: str, language: str) -> str | None:
    """Return a text in a language, None where the menu lacks it; a text without languages serves each."""
    return text.by_language.get(language) if isinstance(text, Name) and text.by_language else str(text)


def all_names(name: str) -> tuple[str, ...]:
    """Return a name in each of its languages, the menu's first language first, each spelling once."""
    return tuple(dict.fromkeys([str(name), *name.by_language.values()])) if isinstance(name, Name) else (name,)


def spoken_names(named: Item | Choice) -> tuple[str, ...]:
    """Return the names of an item or a choice in all languages, and its aliases."""
    return (*all_names(named.name), *named.aliases)
