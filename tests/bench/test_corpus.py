from collections import Counter

import pytest

from bench.corpus import DEVELOPMENT_USE, FIRST_CONTACT_USE, line, miss
from voice.orders.corpus import SENTENCES, Example, lines_of, menu_of

MENU = menu_of(SENTENCES / "basic/quan-pho.menu.yaml")


@pytest.mark.parametrize(
    ("before", "right", "order", "kind"),
    [
        ("", "2 x tra-da; pho-ga", "pho-ga; tra-da; tra-da", None),
        ("pho-ga", "pho-ga; tra-da", "pho-ga", "unchanged"),
        ("pho-ga", "pho-ga", "", "unwanted"),
        ("", "2 x pho-ga", "2 x pho-tai", "items"),
        ("", "2 x pho-ga", "3 x pho-ga", "quantities"),
        ("", "pho-ga [no hanh]", "pho-ga", "options"),
    ],
)
def test_a_miss_is_counted_under_the_first_kind_that_applies(before, right, order, kind):
    example = Example(MENU, "", lines_of(MENU, before), [lines_of(MENU, right)])
    assert miss(example, lines_of(MENU, order)) == kind


def test_the_kinds_of_misses_are_printed_for_development_sets_only_unless_demanded():
    kinds = Counter({None: 3, "items": 1})
    assert line("sentences/en1", DEVELOPMENT_USE, kinds).endswith("exact 0.750  misses: items 1")
    assert line("conversations/en9", FIRST_CONTACT_USE, kinds).endswith("exact 0.750")
    assert line("conversations/en9", FIRST_CONTACT_USE, kinds, misses=True).endswith("exact 0.750  misses: items 1")
