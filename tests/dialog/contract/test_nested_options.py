"""Options below choices: ordered, asked for by their path, and answered."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.dialog.contract.rows import check, rows


@pytest.mark.parametrize("row", rows("nested_options"))
def test_options_below_choices_are_ordered_asked_for_and_answered(row: Mapping[str, Any]) -> None:
    check(row)
