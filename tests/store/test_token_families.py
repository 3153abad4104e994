"""Token families: examples, and random calls of two processes compared with a model."""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

from errors import RefreshTokenNotValid
from tests.clock import Clock
from tests.store.samples import LATER, NOON, opened, select
from voice.store.store import Store
from voice.store.tables import refresh_tokens
from voice.store.token_families import REPLAY

pytestmark = pytest.mark.anyio

FAMILY, OTHER_FAMILY = UUID(int=1), UUID(int=2)


async def test_each_new_refresh_token_can_be_rotated(store):
    await store.begin_family("a", FAMILY, "t0", LATER)
    for generation in range(5):
        await store.rotate(FAMILY, f"t{generation}", f"t{generation + 1}", LATER)


async def test_an_unknown_refresh_token_is_rejected(store):
    with pytest.raises(RefreshTokenNotValid):
        await store.rotate(FAMILY, "t0", "t1", LATER)
    with pytest.raises(RefreshTokenNotValid):
        await store.rotate(FAMILY, "t1", "t2", LATER)


async def test_a_second_use_within_five_seconds_is_rejected_and_the_family_continues(store, clock):
    await store.begin_family("a", FAMILY, "t0", LATER)
    await store.rotate(FAMILY, "t0", "t1", LATER)
    clock.now += timedelta(seconds=5)
    with pytest.raises(RefreshTokenNotValid):
        await store.rotate(FAMILY, "t0", "stolen", LATER)
    await store.rotate(FAMILY, "t1", "t2", LATER)


async def test_a_later_second_use_ends_its_family_and_no_other(store, clock):
    for family, name in ((FAMILY, "t"), (OTHER_FAMILY, "u")):
        await store.begin_family("a", family, f"{name}0", LATER)
        await store.rotate(family, f"{name}0", f"{name}1", LATER)
    await store.rotate(FAMILY, "t1", "t2", LATER)
    clock.now += timedelta(seconds=6)
    with pytest.raises(RefreshTokenNotValid):
        await store.rotate(FAMILY, "t0", "stolen", LATER)
    for token in ("t0", "t1", "t2", "stolen"):
        with pytest.raises(RefreshTokenNotValid):
            await store.rotate(FAMILY, token, "t3", LATER)
    await store.rotate(OTHER_FAMILY, "u1", "u2", LATER)


async def test_used_refresh_tokens_are_purged_and_a_second_use_still_ends_their_family(database_url, clock):
    async with opened(database_url, clock=clock) as store:
        await store.begin_family("a", FAMILY, "t0", LATER)
        for generation in range(20):
            await store.rotate(FAMILY, f"t{generation}", f"t{generation + 1}", LATER)
            clock.now += timedelta(seconds=61)
        assert len(await select(database_url, sa.select(refresh_tokens))) == 2
        with pytest.raises(RefreshTokenNotValid):
            await store.rotate(FAMILY, "t3", "stolen", LATER)
        with pytest.raises(RefreshTokenNotValid):
            await store.rotate(FAMILY, "t20", "t21", LATER)


async def test_a_revocation_ends_all_families_of_the_client_in_all_processes_and_of_no_other(database_url, clock):
    async with opened(database_url, clock=clock) as first, opened(database_url, clock=clock) as second:
        assert await first.begin_family("a", FAMILY, "t0", LATER) == 0
        await first.begin_family("a", UUID(int=3), "v0", LATER)
        await first.begin_family("b", OTHER_FAMILY, "u0", LATER)
        await first.rotate(FAMILY, "t0", "t1", LATER)
        assert await second.revoke("a") == 2
        for family, token in ((FAMILY, "t0"), (FAMILY, "t1"), (UUID(int=3), "v0")):
            with pytest.raises(RefreshTokenNotValid):
                await first.rotate(family, token, "t2", LATER)
        await first.rotate(OTHER_FAMILY, "u0", "u1", LATER)
        assert await first.revocations() == {"a": 1}
        assert await second.revoke("a") == 0
        assert await first.begin_family("a", FAMILY, "t0", LATER) == 2
        assert await first.begin_family("b", UUID(int=4), "w0", LATER) == 0


async def test_an_expired_refresh_token_is_rejected(store, clock):
    await store.begin_family("a", FAMILY, "t0", NOON + timedelta(seconds=60))
    clock.now += timedelta(seconds=60)
    with pytest.raises(RefreshTokenNotValid):
        await store.rotate(FAMILY, "t0", "t1", LATER)


async def test_expired_refresh_tokens_are_purged(database_url, clock):
    async with opened(database_url, clock=clock) as store:
        await store.begin_family("a", FAMILY, "t0", NOON + timedelta(seconds=60))
        clock.now += timedelta(seconds=61)
        await store.begin_family("b", OTHER_FAMILY, "u0", LATER)
        rows = await select(database_url, sa.select(refresh_tokens))
        assert [row.client for row in rows] == ["b"]


async def test_one_of_concurrent_rotations_of_one_token_succeeds_and_the_family_continues(database_url, clock):
    async with opened(database_url, clock=clock) as first, opened(database_url, clock=clock) as second:
        await first.begin_family("a", FAMILY, "t", LATER)
        token = "t"
        for round_ in range(50):
            names = [f"{round_}-{caller}" for caller in range(2)]
            rotations = [store.rotate(FAMILY, token, name, LATER) for store, name in zip((first, second), names, strict=True)]
            outcomes = await asyncio.gather(*rotations, return_exceptions=True)
            assert set(map(type, outcomes)) == {RefreshTokenNotValid, type(None)}
            token = names[outcomes.index(None)]
        await first.rotate(FAMILY, token, "last", LATER)


async def test_a_theft_during_a_rotation_ends_the_family(database_url, clock):
    async with opened(database_url, clock=clock) as first, opened(database_url, clock=clock) as second:
        for round_ in range(20):
            await first.begin_family("a", FAMILY, f"{round_}-0", LATER)
            await first.rotate(FAMILY, f"{round_}-0", f"{round_}-1", LATER)
            clock.now += timedelta(seconds=6)
            replay = first.rotate(FAMILY, f"{round_}-0", "stolen", LATER)
            rotation = second.rotate(FAMILY, f"{round_}-1", f"{round_}-2", LATER)
            await asyncio.gather(*random.sample([replay, rotation], 2), return_exceptions=True)
            with pytest.raises(RefreshTokenNotValid):
                await first.rotate(FAMILY, f"{round_}-2", f"{round_}-3", LATER)


async def test_nothing_in_the_database_can_be_used_as_a_token(database_url):
    async with opened(database_url) as store:
        await store.begin_family("a", FAMILY, "canary-token", datetime.now(UTC) + timedelta(days=1))
        await store.rotate(FAMILY, "canary-token", "canary-successor", datetime.now(UTC) + timedelta(days=1))
        rows = await select(database_url, sa.select(refresh_tokens))
    assert len(rows) == 2
    assert "canary" not in str([tuple(row) for row in rows])


# Random calls


LIFE = timedelta(days=30)
NAMES = count()


@dataclass
class Family:
    """The model: successive tokens, of which all but the last were used; the last one is valid until the family ends."""

    id: UUID
    tokens: list[str]
    used_at: list[datetime] = field(default_factory=list)
    ended: bool = False


class Families(RuleBasedStateMachine):
    """Two stores on one database, like those of two processes: a family has one valid token or none."""

    families: Any = Bundle("families")

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.directory = TemporaryDirectory()
        self.clock = Clock(datetime(2026, 11, 22, 10, tzinfo=UTC))
        url = f"sqlite+aiosqlite:///{Path(self.directory.name)}/voice.db"
        self.stores = [Store(url, clock=self.clock) for _ in range(2)]
        self.begun: list[Family] = []
        for store in self.stores:
            self.runner.run(store.open(migrate=store is self.stores[0]))

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            self.clock.now += timedelta(seconds=1)
            for family in self.begun:
                assert len(self.rotate_at_once(family.id, family.tokens[-1:] * 2)) == (not family.ended)
        finally:
            for store in self.stores:
                self.runner.run(store.close())
            self.runner.close()
            self.directory.cleanup()

    def rotate_at_once(self, family: UUID, tokens: list[str]) -> list[tuple[str, str]]:
        """Rotate all these tokens at once, in both stores; return those that were accepted, with their successors."""

        async def attempt(number: int, token: str) -> tuple[str, str] | None:
            successor = f"successor-{next(NAMES)}"
            try:
                await self.stores[number % 2].rotate(family, token, successor, self.clock.now + LIFE)
            except RefreshTokenNotValid:
                return None
            return token, successor

        async def all_of_them() -> list[tuple[str, str] | None]:
            return await asyncio.gather(*(attempt(number, token) for number, token in enumerate(tokens)))

        return [accepted for accepted in self.runner.run(all_of_them()) if accepted is not None]

    def record(self, family: Family, accepted: list[tuple[str, str]]) -> None:
        """Record the rotation of the valid token, if it was accepted."""
        for token, successor in accepted:
            assert token == family.tokens[-1]
            family.tokens.append(successor)
            family.used_at.append(self.clock.now)

    @rule(target=families)
    def begin(self) -> Family:
        family = Family(uuid4(), [f"first-{next(NAMES)}"])
        self.runner.run(self.stores[len(self.begun) % 2].begin_family("client", family.id, family.tokens[0], self.clock.now + LIFE))
        self.begun.append(family)
        return family

    @rule(family=families, callers=st.integers(1, 4))
    def renew(self, family: Family, callers: int) -> None:
        accepted = self.rotate_at_once(family.id, family.tokens[-1:] * callers)
        assert len(accepted) == (not family.ended)
        self.record(family, accepted)

    @rule(family=families, back=st.integers(1, 3), after_s=st.sampled_from([0, 4, 6]), renewed=st.booleans())
    def replay(self, family: Family, back: int, after_s: int, renewed: bool) -> None:  # noqa: FBT001 - Hypothesis passes it
        """Use a token again, perhaps during a rotation of the valid one: a late second use ends the family, whichever is first."""
        if not family.used_at:
            self.renew(family, 1)
        back = min(back, len(family.used_at))
        self.wait(after_s)
        if not back:  # the family ended before a token was used
            return
        used, is_theft = family.tokens[-1 - back], self.clock.now - family.used_at[-back] > REPLAY
        accepted = self.rotate_at_once(family.id, [used, family.tokens[-1]] if renewed else [used])
        if not is_theft:
            assert len(accepted) == (renewed and not family.ended)
        self.record(family, accepted)
        family.ended = family.ended or is_theft

    @rule(seconds=st.sampled_from([1, 4, 6, 60, 600]))
    def wait(self, seconds: int) -> None:
        self.clock.now += timedelta(seconds=seconds)

    @rule(token=st.text(max_size=20))
    def guess(self, token: str) -> None:
        assert self.rotate_at_once(uuid4(), [token]) == []

    @rule(number=st.integers(0, 1))
    def revoke(self, number: int) -> None:
        self.runner.run(self.stores[number].revoke("client"))
        for family in self.begun:
            family.ended = True


TestFamilies = Families.TestCase
TestFamilies.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # a failure is found within seconds and has twenty steps; shrinking it takes minutes
    suppress_health_check=list(HealthCheck),
)
