"""Each form of answer, to each kind of question."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.dialog.contract.rows import check, rows


@pytest.mark.parametrize("row", rows("answers"))
def test_an_answer_goes_to_what_was_asked(row: Mapping[str, Any]) -> None:
    check(row)
