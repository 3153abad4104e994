"""Kept utterances come back to their client, and expire."""

from datetime import timedelta

import pytest

from tests.store.samples import NOON
from voice.review.kept import Kept
from voice.review.recorder import Recorder

pytestmark = pytest.mark.anyio


def kept(client="a", menu="cafe", days=0, before=None):
    return Kept(client, menu, NOON - timedelta(days=days), before, b"0123456789abcdef", {"text": "trà đá", "before": []})


async def test_utterances_come_back_in_their_order_to_their_client_and_menu(store):
    mine = [kept(days=2), kept(before=b"0123456789abcdef")]
    await store.keep_utterances([*mine, kept(client="b"), kept(menu="bar")])
    assert await store.kept_utterances("a", "cafe") == mine


async def test_utterances_are_deleted_after_their_days_and_all_if_none_are_to_be_kept(store):
    await store.keep_utterances([kept(days=8), kept(days=6)])
    for days, left in ((7, 1), (0, 0)):
        recorder = Recorder(store, days, clock=lambda: NOON + timedelta(seconds=1))
        await recorder.forget()
        assert len(await store.kept_utterances("a", "cafe")) == left
