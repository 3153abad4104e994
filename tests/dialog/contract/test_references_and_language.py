"""References to lines, and the language of the reply."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.dialog.contract.rows import check, rows


@pytest.mark.parametrize("row", rows("references_and_language"))
def test_references_mean_their_line_and_replies_have_one_language(row: Mapping[str, Any]) -> None:
    check(row)
