import pytest

from bench.corpus import miss
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
def test_a_miss_is_of_the_first_kind_that_fits(before, right, order, kind):
    example = Example(MENU, "", lines_of(MENU, before), [lines_of(MENU, right)])
    assert miss(example, lines_of(MENU, order)) == kind
