"""Names of a menu, which are a string or one by language."""

from schemas import Name


def name_in(name: str, language: str) -> str:
    """Return a name in a language; the menu's first language stands in where the menu lacks it."""
    return name.by_language.get(language, str(name)) if isinstance(name, Name) else name


def all_names(name: str) -> tuple[str, ...]:
    """Return a name in each of its languages, the menu's first language first, each spelling once."""
    return tuple(dict.fromkeys([str(name), *name.by_language.values()])) if isinstance(name, Name) else (name,)
