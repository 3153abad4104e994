import pytest
from prometheus_client import Gauge

from errors import Overloaded
from web.body_budget import BodyBudget


def new_budget():
    return BodyBudget(100, Gauge("held", "Bytes held.", registry=None))


def test_the_sum_of_all_bodies_is_limited():
    budget = new_budget()
    budget.hold("a", 50)
    budget.hold("b", 50)
    with pytest.raises(Overloaded):
        budget.hold("c", 1)
    budget.release("a", 50)
    budget.hold("c", 1)
    assert budget.held_bytes == 51
    assert [sample.value for family in budget.gauge.collect() for sample in family.samples] == [51]


def test_one_client_may_hold_half():
    budget = new_budget()
    budget.hold("a", 50)
    with pytest.raises(Overloaded):
        budget.hold("a", 1)
    budget.hold("b", 50)


def test_a_declared_length_without_room_is_rejected_and_not_counted():
    budget = new_budget()
    budget.hold("a", 30)
    with pytest.raises(Overloaded) as refused:
        budget.expect("a", 21)
    assert int(refused.value.headers["Retry-After"]) >= 1
    budget.expect("a", 20)
    assert budget.held_bytes == 30


def test_a_client_without_bytes_is_removed():
    budget = new_budget()
    budget.hold("a", 20)
    budget.hold("a", 10)
    budget.release("a", 30)
    assert (budget.held_bytes, budget.held_by) == (0, {})
