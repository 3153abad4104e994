"""Each kind of question: raised, kept, counted and closed."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.dialog.contract.rows import check, rows


@pytest.mark.parametrize("row", rows("questions"))
def test_questions_are_raised_kept_counted_and_closed(row: Mapping[str, Any]) -> None:
    check(row)
