import pytest

from tests.clock import Clock
from tests.store.samples import MENU, NOON, opened
from voice.menus.loading import read_menu


@pytest.fixture
def clock():
    return Clock(NOON)


@pytest.fixture
async def store(database_url, clock):
    async with opened(database_url, clock=clock) as store:
        yield store


@pytest.fixture
def menu(tmp_path):
    """Return a menu with a default in an option group."""
    file = tmp_path / "cafe.yaml"
    file.write_text(MENU)
    return read_menu(file)
