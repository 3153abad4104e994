"""Read the corpus: sentences and conversations with the right order after each, as examples for fitting and for measuring."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from schemas import LineRequest
from voice.menus.menu import Menu
from voice.orders.parser.state import OpenQuestion

_ROOT: Final = Path(__file__).parents[2]
CONVERSATIONS: Final = _ROOT / "corpus/conversations"
SENTENCES: Final = _ROOT / "corpus/sentences"
# Sets of sentences to which the parser's weights are fitted.
TRAINING_SENTENCES: Final = ("en1", "en2", "en3", "vi1", "vi2", "vi3")
# Sets of conversations for development; the others are kept for the first contact.
DEVELOPMENT_CONVERSATIONS: Final = (
    *("en1", "en2", "en3", "en4", "en5", "en6", "en7", "en8", "en9", "en10", "en11", "en12", "en13", "en14", "en15", "en16", "en17"),
    *("en20", "en21", "en22"),
    *("vi1", "vi2", "vi3", "vi4", "vi5", "vi6", "vi7", "vi8", "vi9", "vi10", "vi11", "vi12", "vi13", "vi14", "vi15", "vi16"),
    *("vi19", "vi20", "vi21"),
)
_LINE: Final = re.compile(r"(?:(\d+) x )?([\w.-]+)(?: \[(.*)\])?")
_OPTION: Final = re.compile(r"(?:(no|light|extra|regular) )?(?:(\d+)\*)?([\w|.-]+)(?: \[(.*)\])?")


class Example(NamedTuple):
    """An utterance in its state, and the right orders after it.

    `act` is the dialogue act of a turn, "" for a sentence.
    `awaits`: the items that the utterance names and about which the shop asks right after it (which of several, or what to take instead
    of an unavailable one), empty if it asks something else; None: unknown.
    `focus`: the lines that the turn before changed. `follows`: the example before this one is the turn before.
    `persons`: the words that mention somebody for whom lines are, each with these lines. `weight`: in fitting.
    """

    menu: Menu
    utterance: str
    lines: Sequence[LineRequest]
    right: Sequence[Sequence[LineRequest]]
    question: OpenQuestion | None = None
    act: str = ""
    awaits: frozenset[str] | None = None
    focus: tuple[int, ...] = ()
    follows: bool = False
    persons: Sequence[tuple[str, tuple[int, ...]]] = ()
    weight: float = 1.0


def lines_of(menu: Menu, text: str) -> list[LineRequest]:
    """Parse the notation of orders, `2 x pho-tai [lon, no hanh, 2*quay]; tra-da`, and below a choice `combo [cola [large], fries]`.

    Raises:
        ValueError: the text is not in the notation, or names an item or choice that the menu lacks.

    """
    return [_line_of(menu, part) for part in filter(None, map(str.strip, text.split(";")))]


def _line_of(menu: Menu, text: str) -> LineRequest:
    line = _LINE.fullmatch(text)
    item = menu.items.get(line[2]) if line is not None else None
    if line is None or item is None:
        message = f"not a line of the menu {menu.id}: {text!r}"
        raise ValueError(message)
    options = [_option_of(menu, item.options, option) for option in _listed(line[3] or "")]
    return LineRequest.model_validate({"item": line[2], "quantity": int(line[1] or 1), "options": options})


def _listed(options: str) -> Iterator[str]:
    """Yield the options between the commas that are in no inner brackets."""
    depth, start = 0, 0
    for at, character in enumerate(f"{options},"):
        depth += (character == "[") - (character == "]")
        if character == "," and not depth:
            if part := options[start:at].strip():
                yield part
            start = at + 1
    if depth:
        yield options[start:].strip()


def _option_of(menu: Menu, groups: Sequence[str], text: str) -> dict[str, Any]:
    """Parse an option; its group is the first of the item's groups that has the choice."""
    option = _OPTION.fullmatch(text)
    choices = option[3].split("|") if option is not None else []
    group = next((group for group in groups if choices and choices[0] in menu.option_groups[group].choices), None)
    if option is None or group is None:
        message = f"not an option on the menu {menu.id}: {text!r}"
        raise ValueError(message)
    chosen: dict[str, Any] = {"choice": choices[0]} if len(choices) == 1 else {"alternatives": choices}
    below = menu.option_groups[group].choices[choices[0]].options
    nested = [_option_of(menu, below, nested) for nested in _listed(option[4] or "")]
    return {"group": group, "amount": option[1], "quantity": int(option[2] or 1), **chosen, **({"options": nested} if nested else {})}


def conversation_sets() -> list[str]:
    """Return the names of the sets of conversations."""
    return sorted(path.name for path in CONVERSATIONS.iterdir() if path.is_dir())


def conversations(name: str) -> Iterator[Example]:
    """Yield the turns of a set; each starts from the right order before it, with the question that the shop asked."""
    for path in sorted((CONVERSATIONS / name).glob("*.menu.yaml")):
        menu = menu_of(path)
        for conversation in _read(path.with_name(f"{menu.id}.conversations.yaml"))["conversations"]:
            before: list[LineRequest] = []
            focus: tuple[int, ...] = ()
            turns = conversation["turns"]
            for place, (turn, following) in enumerate(zip(turns, [*turns[1:], None], strict=True)):
                right = [lines_of(menu, order or "") for order in (turn["order"], *turn.get("or", ()))]
                question, awaits = _question_of(turn["asked"]), _awaited(menu, turn["asked"], following)
                yield Example(menu, turn["say"], before, right, question, turn["act"], awaits=awaits, focus=focus, follows=place > 0)
                focus = tuple([number for number, line in enumerate(right[0]) if line not in before])
                before = right[0]


def scripts(name: str) -> Iterator[tuple[Menu, list[tuple[Any, str, list[Any], str]]]]:
    """Yield the conversations of a set, each with its menu: the asked question, the words, the right orders and the act of each turn."""
    for path in sorted((CONVERSATIONS / name).glob("*.menu.yaml")):
        menu = menu_of(path)
        for conversation in _read(path.with_name(f"{menu.id}.conversations.yaml"))["conversations"]:
            turns = []
            for turn in conversation["turns"]:
                orders = [lines_of(menu, order or "") for order in (turn["order"], *turn.get("or", ()))]
                dumped = [[line.model_dump(include={"item", "quantity", "options"}) for line in lines] for lines in orders]
                turns.append((turn["asked"], turn["say"], dumped, turn["act"]))
            yield menu, turns


def sentence_sets() -> list[str]:
    """Name the sets of sentences."""
    return sorted(path.name for path in SENTENCES.iterdir() if path.is_dir())


def sentences(name: str) -> Iterator[Example]:
    """Yield the sentences of a set, menu by menu."""
    for path in sorted((SENTENCES / name).glob("*.sentences.yaml")):
        file = _read(path)
        menu = menu_of((path.parent / f"{file['menu']}.menu.yaml").resolve())
        for case in file["sentences"]:
            lines, right = lines_of(menu, case.get("draft", "")), [lines_of(menu, case["order"])]
            yield Example(menu, case["say"], lines, right)


def sentence_menus() -> list[Menu]:
    """Return the menus of the sets of sentences."""
    return [menu_of(path) for path in sorted(SENTENCES.glob("*/*.menu.yaml"))]


def _awaited(menu: Menu, asked: Any, following: Any) -> frozenset[str] | None:
    """Return the items about which the shop asks after a turn, unless it asked so before."""
    if following is None or not following["asked"] or following["asked"] == asked:
        return None
    question = following["asked"]
    if question["line"] is not None or question["group"] is not None:
        return frozenset()
    if question["kind"] == "unavailable":  # its choices are others, which are near
        return frozenset(item_id for item_id, item in menu.items.items() if not item.available)
    return frozenset(question["choices"] or ()) if question["kind"] == "ambiguous" else frozenset()


def _question_of(asked: Any) -> OpenQuestion | None:
    return OpenQuestion(asked["kind"], asked["line"], asked["group"], tuple(asked["choices"] or ())) if asked else None


@cache
def menu_of(path: Path) -> Menu:
    """Read a menu file of the corpus, once."""
    return Menu.model_validate(_read(path))


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
