import csv
import io
from datetime import UTC, datetime

import pytest

from voice.store.history_file import read_history

HEAD = "order_id,timestamp,customer_id,item,quantity\n"


def test_a_file_without_the_columns_is_rejected(menu):
    with pytest.raises(ValueError, match="the columns quantity, timestamp are missing"):
        read_history(io.StringIO("order_id,customer_id,item\n"), menu, lambda number, reason: None)  # noqa: ARG005


INVALID = {
    ",,,tea,1": "order_id",
    "2,yesterday,,tea,1": "timestamp",
    "2,,0,tea,1": "customer_id",
    "2,,9007199254740992,tea,1": "customer_id",
    "2,,seven,tea,1": "customer_id",
    "2,,,,1": "item",
    "2,,,beer,1": "item",
    "2,,,tea,0": "quantity",
    "2,,,tea,1000": "quantity",
    "2,,,tea,-1": "quantity",
    "2,,,tea,1.5": "quantity",
    "2,,,tea,": "quantity",
    "2,,,tea": "quantity",
    "2,,,tea,1,more": "more fields",
    "1,,8,tea,1": "customer_id: differs",
    "1,,,tea,999": "quantity: more than 999",
    "2,,,tea," + "1" * (csv.field_size_limit() + 1): "field larger",
}


@pytest.mark.parametrize(("row", "reason"), INVALID.items(), ids=[row[:20] for row in INVALID])
def test_an_invalid_row_is_rejected_with_its_number_and_reason(menu, row, reason):
    rejected: list[tuple[int, str]] = []
    history = read_history(io.StringIO(f"{HEAD}1,,7,tea,1\n{row}\n3,,,tea,1\n"), menu, lambda *why: rejected.append(why))
    assert [number for number, _ in rejected] == [2]
    assert rejected[0][1].startswith(reason)
    assert {name: order.quantities for name, order in history.items()} == {"1": {"tea": 1}, "3": {"tea": 1}}


def test_rows_of_one_order_may_be_anywhere_and_are_combined(menu):
    rows = "1,,,tea,1\n2,,,tea,1\n1,2026-01-01 10:00,9007199254740991,tea,2\n"
    history = read_history(io.StringIO(HEAD + rows), menu, lambda *why: pytest.fail(str(why)))
    assert history["1"].quantities == {"tea": 3}
    assert history["1"].customer_id == 2**53 - 1
    assert history["1"].placed_at == datetime(2026, 1, 1, 10, tzinfo=UTC)
