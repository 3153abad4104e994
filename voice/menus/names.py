"""Names of a menu, which are a string or one by language."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Protocol, Self

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter
from pydantic_core import core_schema

from schemas import Language, nfc


class Name(str):
    """A name: the string in the menu's first language, so that code without a language uses it as it is, and the names by language.

    `by_language` is empty where the file has one string. Equality and hash are those of the string.
    """

    __slots__ = ("by_language",)
    by_language: Mapping[str, str]
    max_length: ClassVar[int] = 200

    def __new__(cls, text: str, by_language: Mapping[str, str] | None = None) -> Self:
        """Create a name."""
        name = super().__new__(cls, text)
        name.by_language = by_language or {}
        return name

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> core_schema.CoreSchema:
        """Accept a string or a mapping from languages to strings; serialise to the same."""
        constraints = StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=cls.max_length)
        text = Annotated[str, constraints, AfterValidator(nfc)]
        one, by_language = TypeAdapter(text), TypeAdapter(Annotated[dict[Language, text], Field(min_length=1)])

        def parse(value: object) -> Name:
            """Parse a name; a ValidationError of `by_language` has its place below the name."""
            if isinstance(value, dict):
                texts = by_language.validate_python(value)
                return cls(next(iter(texts.values())), texts)
            return value if isinstance(value, cls) else cls(one.validate_python(value))

        return core_schema.no_info_plain_validator_function(
            parse,
            json_schema_input_schema=core_schema.union_schema([one.core_schema, by_language.core_schema]),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda name: dict(name.by_language) or str(name)),
        )

    def led_by(self, language: str) -> Self:
        """Return the name with its string in a language, if it has one."""
        return type(self)(self.by_language.get(language, str(self)), self.by_language)


class Text(Name):
    """A sentence, by language as a name is."""

    max_length = 1000


class Named(Protocol):
    """An item or a choice."""

    @property
    def name(self) -> Name:
        """The name."""

    @property
    def aliases(self) -> Sequence[str]:
        """Other names."""


def name_in(name: str, language: str) -> str:
    """Return a name in a language; the menu's first language stands in where the menu lacks it."""
    return name.by_language.get(language, str(name)) if isinstance(name, Name) else name


def text_in(text: str, language: str) -> str | None:
    """Return a text in a language, None where the menu lacks it; a text without languages serves each."""
    return text.by_language.get(language) if isinstance(text, Name) and text.by_language else str(text)


def all_names(name: str) -> tuple[str, ...]:
    """Return a name in each of its languages, the menu's first language first, each spelling once."""
    return tuple(dict.fromkeys([str(name), *name.by_language.values()])) if isinstance(name, Name) else (name,)


def spoken_names(named: Named) -> tuple[str, ...]:
    """Return the names of an item or a choice in all languages, and its aliases."""
    return (*all_names(named.name), *named.aliases)
