"""A short run of `bench/soak.py`."""

import pytest

from bench.soak import Plan, soak

pytestmark = pytest.mark.anyio


async def test_mixed_traffic_survives_two_restarts_of_each_storage(tmp_path, postgres, valkey, capsys):
    failures = await soak(postgres, valkey, tmp_path, Plan(seconds=12, rate=2, speech=False))
    assert failures == []
    printed = capsys.readouterr().out
    assert "0 lost, 0 twice" in printed
    assert printed.count("soak ") > 10
