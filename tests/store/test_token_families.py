"""Token families against a model: whoever calls when, through two processes' stores at once, a family has one live token or none."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

from errors import RefreshTokenNotValid
from tests.clock import Clock
from voice.store.orders import REPLAY, Store

LIFE = timedelta(days=30)
NAMES = count()


@dataclass
class Family:
    """What is expected: tokens in turn, each but the last used at some time; the last one is live until the family ended."""

    id: UUID
    tokens: list[str]
    used_at: list[datetime] = field(default_factory=list)
    ended: bool = False


class Families(RuleBasedStateMachine):
    """Two stores on one database, as two processes have them."""

    families: Any = Bundle("families")

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.directory = TemporaryDirectory()
        self.clock = Clock(datetime(2026, 11, 22, 10, tzinfo=UTC))
        url = f"sqlite+aiosqlite:///{Path(self.directory.name)}/voice.db"
        self.stores = [Store(url, clock=self.clock) for _ in range(2)]
        self.all: list[Family] = []
        for store in self.stores:
            self.runner.run(store.open(migrate=store is self.stores[0]))

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            self.clock.now += timedelta(seconds=1)
            for family in self.all:
                assert len(self.rotate_at_once(family.id, family.tokens[-1:] * 2)) == (not family.ended)
        finally:
            for store in self.stores:
                self.runner.run(store.close())
            self.runner.close()
            self.directory.cleanup()

    def rotate_at_once(self, family: UUID, tokens: list[str]) -> list[tuple[str, str]]:
        """Renew by all these tokens at once, in both stores; return those that were let through, with their heirs."""

        async def attempt(number: int, token: str) -> tuple[str, str] | None:
            heir = f"heir-{next(NAMES)}"
            try:
                await self.stores[number % 2].rotate(family, token, heir, self.clock.now + LIFE)
            except RefreshTokenNotValid:
                return None
            return token, heir

        async def all_of_them() -> list[tuple[str, str] | None]:
            return await asyncio.gather(*(attempt(number, token) for number, token in enumerate(tokens)))

        return [passed for passed in self.runner.run(all_of_them()) if passed is not None]

    def take_up(self, family: Family, passed: list[tuple[str, str]]) -> None:
        """Expect the live token to have been used, if any was."""
        for token, heir in passed:
            assert token == family.tokens[-1]
            family.tokens.append(heir)
            family.used_at.append(self.clock.now)

    @rule(target=families)
    def begin(self) -> Family:
        family = Family(uuid4(), [f"first-{next(NAMES)}"])
        self.runner.run(self.stores[len(self.all) % 2].begin_family("client", family.id, family.tokens[0], self.clock.now + LIFE))
        self.all.append(family)
        return family

    @rule(family=families, callers=st.integers(1, 4))
    def renew(self, family: Family, callers: int) -> None:
        passed = self.rotate_at_once(family.id, family.tokens[-1:] * callers)
        assert len(passed) == (not family.ended)
        self.take_up(family, passed)

    @rule(family=families, back=st.integers(1, 3), after_s=st.sampled_from([0, 4, 6]), renewed=st.booleans())
    def replay(self, family: Family, back: int, after_s: int, renewed: bool) -> None:  # noqa: FBT001 - Hypothesis passes it
        """Send a used token again, perhaps while the rightful owner renews: too late it is a theft, and whoever came first, all ends."""
        if not family.used_at:
            self.renew(family, 1)
        back = min(back, len(family.used_at))
        self.wait(after_s)
        if not back:  # it had ended before anything was used
            return
        used, is_theft = family.tokens[-1 - back], self.clock.now - family.used_at[-back] > REPLAY
        passed = self.rotate_at_once(family.id, [used, family.tokens[-1]] if renewed else [used])
        if not is_theft:
            assert len(passed) == (renewed and not family.ended)
        self.take_up(family, passed)
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
        for family in self.all:
            family.ended = True


TestFamilies = Families.TestCase
TestFamilies.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # a failure is found within seconds, and told in twenty steps; to shorten it takes minutes
    suppress_health_check=list(HealthCheck),
)
