"""Each dialogue act and each status."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.dialog.contract.rows import check, rows


@pytest.mark.parametrize("row", rows("act_and_status"))
def test_the_first_act_and_status_that_apply_are_reported(row: Mapping[str, Any]) -> None:
    check(row)
