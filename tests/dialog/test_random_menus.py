"""Random menus with every feature of the format; random orders, said in sentences, are understood and cost what they should.

`PRICE_EXAMPLES=2000 .venv/bin/python -m pytest tests/dialog/test_random_menus.py` tries more of them.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from schemas import Conversation
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import state_of
from voice.menus.menu import Menu
from voice.orders.parser.model import Model

Content = Mapping[str, Any]

# Names in Vietnamese and English that share no word with one another or with a function word, so that each sentence has one meaning.
DISHES = [("Bánh xèo", "Lasagna"), ("Cháo sườn", "Risotto"), ("Gỏi cuốn", "Burrito"), ("Nem lụi", "Falafel"), ("Vịt tiềm", "Paella")]
DRINKS = [("Sâm dứa", "Lemonade"), ("Nước mía", "Espresso"), ("Rau má", "Kombucha")]
NAMES = {
    "size": [("Khổng lồ", "Jumbo"), ("Tí hon", "Petite"), ("Trung", "Medium")],
    "base": [("Gạo lứt", "Brioche"), ("Miến dong", "Ciabatta"), ("Bún gạo", "Tortilla")],
    "toppings": [("Chả lụa", "Bacon"), ("Hành phi", "Avocado"), ("Mắm tôm", "Basil"), ("Dưa góp", "Pickles")],
    "dips": [("Tương ớt", "Mayonnaise"), ("Muối mè", "Hummus"), ("Bơ lạc", "Pesto")],
    "flavour": [("Hoa nhài", "Vanilla"), ("Quế chi", "Caramel")],
}
NUMBERS = {"vi": ["một", "hai", "ba", "bốn", "năm", "sáu"], "en": ["one", "two", "three", "four", "five", "six"]}
WORDS = {
    "vi": {"with": "với", "and": "và", "without": "không", "yes": "đúng rồi"},
    "en": {"with": "with", "and": "and", "without": "without", "yes": "yes"},
}
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday
N_EXAMPLES = int(os.environ.get("PRICE_EXAMPLES", "15"))
FEW: Any = settings(max_examples=N_EXAMPLES, deadline=None, suppress_health_check=[*HealthCheck], derandomize=True)


# --- Menus


@st.composite
def menus(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a menu file."""
    prices = st.integers(-5, 40).map(lambda n: 100 * n)
    extras = st.integers(0, 15).map(lambda n: 100 * n)

    def named(pair: tuple[str, str]) -> dict[str, Any]:
        vi, en = pair
        return {"name": {"vi": vi, "en": en}} if draw(st.booleans()) else {"name": vi, "aliases": [en]}

    def choices(kind: str, price: st.SearchStrategy[int]) -> dict[str, Any]:
        pairs = NAMES[kind][: draw(st.integers(2, len(NAMES[kind])))]
        return {f"{kind}{at}": named(pair) | {"price": draw(price)} for at, pair in enumerate(pairs)}

    def one_of(kind: str, price: st.SearchStrategy[int]) -> dict[str, Any]:
        group = {"name": kind.title(), "select": "one", "choices": choices(kind, price)}
        rule = draw(st.sampled_from(["default", "required", "optional"]))
        if rule == "default":
            group["default"] = draw(st.sampled_from([*group["choices"]]))
        return group | ({"required": True} if rule == "required" else {})

    def several(kind: str) -> dict[str, Any]:
        group: dict[str, Any] = {"name": kind.title(), "choices": choices(kind, extras), "free": draw(st.integers(0, 2))}
        at_least = draw(st.integers(0, 2)) if kind == "dips" else 0
        group |= {"min": at_least} if at_least else {}
        group |= {"max": draw(st.integers(2, 4))} if draw(st.booleans()) else {"select": "many"}
        return group | ({"max_each": 2} if draw(st.booleans()) else {})

    drinks = {}
    for at, pair in enumerate(DRINKS[: draw(st.integers(1, 3))]):
        drinks[f"drink{at}"] = named(pair) | {"price": draw(st.integers(20, 60)) * 100, "options": draw(st.sampled_from([[], ["size"]]))}
    slot: dict[str, Any] = {item: {"item": item, "price": draw(extras)} for item in drinks}
    slot["shake"] = named(("Sinh tố", "Milkshake")) | {"price": draw(extras), "options": ["flavour"]}
    drink = {"name": "Drink", "choices": slot, **draw(st.sampled_from([{"required": True}, {}, {"default": "drink0"}]))}
    groups = {
        "size": one_of("size", prices),
        "base": one_of("base", extras),
        "toppings": several("toppings"),
        "dips": several("dips"),
        "flavour": one_of("flavour", prices),
        "drink": drink,
    }
    items: dict[str, Any] = {}
    offers = [["size", "toppings"], ["base", "toppings", "dips"], ["drink", "toppings"], ["drink", "base", "dips"], []]
    for at, pair in enumerate(DISHES):
        items[f"dish{at}"] = named(pair) | {"price": draw(st.integers(50, 300)) * 100, "options": draw(st.permutations(offers[at]))}
        if draw(st.booleans()):
            items[f"dish{at}"] |= {"when": ["lunch"], "max": 4, "diet": ["halal"], "description": "Freshly made."}
    items["soup"] = named(("Súp cua", "Chowder")) | {"price": 5000} | draw(st.sampled_from([{"available": False}, {"when": ["evening"]}]))
    times = {"lunch": [{"from": "11:00", "to": "14:00"}], "evening": [{"from": "17:00", "to": "22:00"}]}
    menu = {"id": "m", "name": "M", "currency": "VND", "languages": ["vi", "en"], "times": times}
    return menu | {"option_groups": groups, "items": items | drinks}


# --- Orders


@dataclass(frozen=True)
class Said:
    """A choice of a group, or an item with a group of ""."""

    group: str
    choice: str
    quantity: int = 1
    is_left_out: bool = False
    below: tuple["Said", ...] = ()


def groups_below(menu: Content, group: str, choice: str) -> Sequence[str]:
    """Return the groups that an item or a choice offers."""
    part = menu["option_groups"][group]["choices"][choice] if group else menu["items"][choice]
    return part["options"] if "options" in part else menu["items"][part["item"]].get("options", []) if "item" in part else []


@st.composite
def orders(draw: st.DrawFn, menu: Content) -> list[Said]:
    """Draw the lines of an order."""

    def level(groups: Sequence[str], max_portions: int, *, may_leave_out: bool) -> tuple[Said, ...]:
        options: list[Said] = []
        for group_id in groups:
            group = menu["option_groups"][group_id]
            is_many = group_id in ("toppings", "dips")
            chosen = draw(st.lists(st.sampled_from([*group["choices"]]), max_size=2 if is_many else 1, unique=True))
            for choice in chosen:
                below = level(groups_below(menu, group_id, choice), max_portions, may_leave_out=False)
                options.append(Said(group_id, choice, draw(st.integers(1, max_portions)) if is_many else 1, below=below))
            absent = [choice for choice in group["choices"] if choice not in chosen]
            leaves_out = draw(st.booleans())
            if group_id == "toppings" and may_leave_out and absent and leaves_out:
                options.append(Said(group_id, draw(st.sampled_from(absent)), is_left_out=True))
        return tuple(options)

    items = draw(st.lists(st.sampled_from([item for item in menu["items"] if item != "soup"]), min_size=1, max_size=3, unique=True))
    lines = []
    for item in sorted(items, key=lambda item: item.startswith("dish")):  # behind a dish a drink may be the drink with it
        quantity = draw(st.integers(1, 6))
        max_portions = 3 if quantity == 1 else 1  # "three burritos with two hummus" may be two of the three with hummus
        lines.append(Said("", item, quantity, below=level(groups_below(menu, "", item), max_portions, may_leave_out=True)))
    return lines


# --- Sentences


def name_of(menu: Content, group: str, choice: str, language: str) -> str:
    """Return the name of an item or a choice."""
    part = menu["option_groups"][group]["choices"][choice] if group else menu["items"][choice]
    if "name" not in part:
        part = menu["items"][part["item"]]
    name: str = part["name"][language] if isinstance(part["name"], dict) else part["name"] if language == "vi" else part["aliases"][0]
    return name.lower()


def phrase(menu: Content, said: Said, language: str) -> str:
    """Return a line or an option in words: one-of choices beside the name, the others behind it."""
    words = WORDS[language]
    beside = [name_of(menu, one.group, one.choice, language) for one in said.below if one.group in ("size", "base", "flavour")]
    name = name_of(menu, said.group, said.choice, language)
    named = " ".join([name, *beside] if language == "vi" else [*beside, name])
    number = NUMBERS[language][said.quantity - 1] if said.quantity > 1 or not said.group else ""
    behind = [one for one in said.below if one.group not in ("size", "base", "flavour")]
    wanted = [phrase(menu, one, language) for one in behind if not one.is_left_out]
    left_out = [f"{words['without']} {phrase(menu, one, language)}" for one in behind if one.is_left_out]
    listed = f" {words['and']} ".join(wanted)
    return " ".join([part for part in [number, named, f"{words['with']} {listed}" if wanted else "", *left_out] if part])


# --- Prices


def naive_price(menu: Content, said: Said) -> int:
    """Return the price of one unit of an item."""
    return int(menu["items"][said.choice]["price"]) + naive_level(menu, groups_below(menu, "", said.choice), said.below)


def naive_level(menu: Content, groups: Sequence[str], options: Sequence[Said]) -> int:
    """Return the price of all options of one item or choice: each portion is a price in a list, of which the lowest are free."""
    total = 0
    for group_id in groups:
        group = menu["option_groups"][group_id]
        chosen = [one for one in options if one.group == group_id and not one.is_left_out]
        if not chosen and "default" in group:
            chosen = [Said(group_id, group["default"])]
        portions = [one for one in chosen for _ in range(one.quantity)]
        prices = sorted(group["choices"][one.choice]["price"] for one in portions)
        total += sum(prices[group.get("free", 0) :])
        total += sum(naive_level(menu, groups_below(menu, group_id, one.choice), one.below) for one in portions)
    return total


# --- Conversations


def least(group: Content) -> int:
    return int(group.get("min", 1 if group.get("required") else 0))


def is_enough(menu: Content, said: Said) -> bool:
    """Return whether one answer to each question completes a line: a group has all portions that it needs, or none."""
    for group_id in groups_below(menu, said.group, said.choice):
        n_portions = sum(one.quantity for one in said.below if one.group == group_id and not one.is_left_out)
        if n_portions < least(menu["option_groups"][group_id]) and (n_portions or (group_id == "dips" and said.quantity > 1)):
            return False
    return all(is_enough(menu, one) for one in said.below)


def exceeds(menu: Content, said: Said) -> bool:
    """Return whether a line is more than the menu's limits allow."""
    if not said.group and said.quantity > menu["items"][said.choice].get("max", 99):
        return True
    for group_id in {one.group for one in said.below}:
        group = menu["option_groups"][group_id]
        quantities = [one.quantity for one in said.below if one.group == group_id and not one.is_left_out]
        if sum(quantities) > group.get("max", 99) or max(quantities, default=0) > group.get("max_each", 99):
            return True
    return any(exceeds(menu, one) for one in said.below)


def with_answer(menu: Content, said: Said, path: Sequence[Sequence[str]], answer: Said) -> Said:
    """Return a line with an option at a path, unless it has one of its group."""
    if not path:
        is_spoken = any(one.group == answer.group and not one.is_left_out for one in said.below)
        return said if is_spoken else replace(said, below=(*said.below, answer))
    group, choice = path[0]
    above = next((one for one in said.below if (one.group, one.choice) == (group, choice)), Said(group, choice))
    others = tuple([one for one in said.below if one is not above])
    return replace(said, below=(*others, with_answer(menu, above, path[1:], answer)))


def meaning(said: Said) -> tuple[Any, ...]:
    below = frozenset(meaning(one) for one in said.below)
    return (said.group, said.choice, said.quantity, said.is_left_out, below)


def options_of(options: Sequence[Mapping[str, Any]]) -> tuple[Said, ...]:
    """Return options of a reply."""
    return tuple(
        [Said(one["group"], one["choice"], one["quantity"], one["amount"] == "no", options_of(one.get("options", []))) for one in options]
    )


@cache
def model() -> Model:
    return Model.load()


def blocking(reply: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (question for question in reply["questions"] if question["blocks"])


@FEW
@given(st.data(), st.sampled_from(["vi", "en"]), st.booleans())
def test_an_order_said_in_sentences_costs_what_a_naive_sum_makes_it(data, language, at_once):
    content = data.draw(menus())
    expected = {line.choice: line for line in data.draw(orders(content)) if is_enough(content, line)}
    assume(expected)
    engine = DialogEngine(Menu.model_validate(content), ask_below=0.0, model=model())

    def turn(text: str, before: Mapping[str, Any]) -> Any:
        note(text)
        state = Conversation.model_validate({name: before.get(name, []) for name in ("lines", "questions", "changes", "notes")})
        return engine.take_turn(text, state_of(engine.menu, state, NOON))

    sentences = [phrase(content, line, language) for line in expected.values()]
    too_much = [item for item, line in expected.items() if exceeds(content, line)]
    checked: list[str] = []
    reply: Any = {}
    for sentence in [", ".join(sentences)] if at_once else sentences:
        reply = turn(sentence, reply)
        while question := next(blocking(reply), None):
            if question["kind"] == "check":
                checked.append(question["pending"]["item"])
                reply = turn(WORDS[language]["yes"], reply)
                continue
            assert question["kind"] == "missing", question
            group = content["option_groups"][question["group"]]
            answer = Said(question["group"], data.draw(st.sampled_from(question["choices"])), least(group))
            for number in question.get("lines", [question["line"]]):
                item = reply["lines"][number]["item"]
                expected[item] = with_answer(content, expected[item], question.get("path", []), answer)
            reply = turn(phrase(content, answer, language), reply)
    assert sorted(checked) == sorted(too_much), "asked about where the menu allows less"
    priced = reply["total"]
    reply = turn(phrase(content, Said("", "soup"), language), reply)
    assert [(one["kind"], one["pending"]["item"]) for one in blocking(reply)] == [("unavailable", "soup")], "outside its times, or sold out"
    assert reply["total"] == priced
    lines = {line["item"]: line for line in reply["lines"]}
    understood = {item: meaning(Said("", item, line["quantity"], below=options_of(line["options"]))) for item, line in lines.items()}
    assert understood == {item: meaning(line) for item, line in expected.items()}
    assert {item: line["unit_price"] for item, line in lines.items()} == {
        item: naive_price(content, line) for item, line in expected.items()
    }
    assert priced == sum(line.quantity * naive_price(content, line) for line in expected.values())
