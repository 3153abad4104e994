"""The whole suite runs in two processes, a selection of tests in one; some facts are known only after all tests of both."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

# Most tests wait for servers, browsers and clocks: two processes keep two cores busy.
PROCESSES = 2
# A file runs in one process. The longest begin first, so that both processes end at about the same time.
LONGEST = ("tests/test_page_conversation.py",)


def is_whole(config: pytest.Config) -> bool:
    """Return True if no test is selected by its place or name."""
    places = {(config.invocation_params.dir / argument).resolve() for argument in config.args}
    selecting = ("keyword", "markexpr", "lf", "collectonly")
    return places == {Path(__file__).parent} and not any(config.getoption(name, None) for name in selecting)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    return PROCESSES if is_whole(config) else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.location[0], len(places)))


class ErrorsOfReplies:
    """Compares the errors that the operations declare with the errors in the replies of all tests.

    Each error is (method, path, error). A process of pytest-xdist sends those it got to the process that started it.
    """

    NAME = "test_every_error_of_an_operation_occurs_in_some_test"

    def __init__(self, declared: set[tuple[str, str, str]], replied: set[tuple[str, str, str]]) -> None:
        """`replied` is filled by the tests of this process."""
        self.declared, self.replied = declared, replied

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["replied"] = self.replied

    def pytest_testnodedown(self, node: Any) -> None:
        self.replied |= getattr(node, "workeroutput", {}).get("replied", set())  # none of one that crashed

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        done = yield
        if is_whole(session.config) and not hasattr(session.config, "workeroutput"):
            missing = sorted(self.declared - self.replied)
            where = (str(Path(__file__).relative_to(session.config.rootpath)), 0, self.NAME)
            report = pytest.TestReport(
                nodeid=f"{where[0]}::{self.NAME}",
                location=where,
                keywords={self.NAME: 1},
                outcome="failed" if missing else "passed",
                longrepr="".join(f"No test got {error} from {method} {path}.\n" for method, path, error in missing) or None,
                when="call",
            )
            session.config.hook.pytest_runtest_logreport(report=report)
        return done
