"""Notes, and numbers that count nothing."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.dialog.contract.rows import check, rows


@pytest.mark.parametrize("row", rows("notes"))
def test_what_is_no_order_becomes_a_note_or_is_left_alone(row: Mapping[str, Any]) -> None:
    check(row)
