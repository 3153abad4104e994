"""The changes of a reply, applied to the order so far, give the new order."""

import random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas import LineRequest
from tests.order_notation import meaning
from tests.orders.test_metamorphic import DISHES, ENGINES, SIZES, TOPPINGS, said_lines, say

MORE = {
    "vi": [
        *("bỏ {dish}", "đổi {dish} thành {other}", "thêm {n} {dish}", "{dish} {size}", "à không, {n} {dish} thôi", "cả hai {size}"),
        *("thêm {topping}", "{dish} một phần không {topping}", "huỷ hết", "hôm nay trời đẹp"),
    ],
    "en": [
        *("remove the {dish}", "change the {dish} to {other}", "{n} more {dish}", "make the {dish} {size}", "no wait, {n} {dish}"),
        *("both {size}", "add {topping}", "one of the {dish} without {topping}", "cancel everything", "nice weather today"),
    ],
}


@st.composite
def edits(draw: Any, language: str) -> str:
    """Draw an utterance that changes an order."""
    words = {
        "dish": st.sampled_from(DISHES[language]),
        "other": st.sampled_from(DISHES[language]),
        "size": st.sampled_from(SIZES[language]),
        "topping": st.sampled_from(TOPPINGS[language]),
        "n": st.integers(1, 5),
    }
    said = draw(st.lists(st.sampled_from(MORE[language]), min_size=1, max_size=3))
    return ", ".join(phrase.format(**{name: draw(choices) for name, choices in words.items()}) for phrase in said)


def requested(lines: list[Any]) -> list[LineRequest]:
    return [LineRequest.model_validate(line) for line in lines]


def applied(old: list[Any], changes: list[Any], n_new: int) -> list[tuple[str, int] | None]:
    """Return item and quantity of each new line by the changes; `remove` has indices of old lines, `add` and `set` of new ones."""
    removed = {change["line"] for change in changes if change["op"] == "remove"}
    added = {change["line"] for change in changes if change["op"] == "add"}
    kept = iter([line for number, line in enumerate(old) if number not in removed])
    new = [None if number in added else next(kept, None) for number in range(n_new)]
    assert next(kept, None) is None, "a line was removed without a change"
    lines = [(line["item"], line["quantity"]) if line else None for line in new]
    for change in changes:
        if change["op"] != "remove":
            lines[change["line"]] = (change["item"], change["quantity"])
    return lines


@settings(max_examples=60, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data(), lines=said_lines(), seed=st.integers(0, 9999), language=st.sampled_from(["vi", "en"]))
def test_changes_lead_from_the_old_lines_to_the_new_ones(data, lines, seed, language):
    engine = ENGINES[language]
    old: list[Any] = engine.understand(say(language, lines, seed), [])["lines"]
    for _ in range(3):
        utterance = data.draw(edits(language) | said_lines().map(lambda said: say(language, said, random.Random(seed).randint(0, 99))))  # noqa: S311
        order = engine.understand(utterance, requested(old))
        new: list[Any] = order["lines"]
        changes = order["changes"]
        assert applied(old, changes, len(new)) == [(line["item"], line["quantity"]) for line in new], utterance
        # A line has at most one change, with its item and quantity.
        places = [(change["op"] == "remove", change["line"]) for change in changes]
        assert len(set(places)) == len(places)
        for change in changes:
            named = (old if change["op"] == "remove" else new)[change["line"]]
            assert (named["item"], named["quantity"]) == (change["item"], change["quantity"])
        # A line without a change has the same options as before, in any sequence.
        changed = {change["line"] for change in changes if change["op"] != "remove"}
        removed = {change["line"] for change in changes if change["op"] == "remove"}
        before = [line for number, line in enumerate(old) if number not in removed]
        added = [change["line"] for change in changes if change["op"] == "add"]
        after = [line for number, line in enumerate(new) if number not in added]
        for was, now in zip(before, after, strict=True):
            if new.index(now) not in changed:
                assert meaning([was]) == meaning([now])
                assert was["total"] == now["total"]
        assert order["total"] == sum(line["total"] for line in new)
        old = new
