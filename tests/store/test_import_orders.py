"""The import of past orders, mostly run as a command."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from settings import ROOT
from tests.menus.menu_bodies import menu_body
from tests.store.samples import MENU, opened
from voice.dialog.turn import DialogEngine
from voice.menus.stored_menus import MenuLimits, NewMenu
from voice.recommend.past_orders import PastOrder
from voice.store.history_file import read_history
from voice.store.import_orders import BATCH_ORDERS, Progress, new_orders, store_orders
from voice.store.store import Store

pytestmark = pytest.mark.anyio

HEAD = "order_id,timestamp,customer_id,item,quantity\n"


@pytest.fixture
def engine(menu):
    return DialogEngine(menu)


def orders_in(rows, engine, client="demo", now=None):
    """Return the new orders of a file with these rows."""
    return new_orders(read_history(io.StringIO(HEAD + rows), engine.menu, print), client, engine, now or datetime.now(UTC))


class Merchant:
    """A directory with a menu and a database, in which the command is run."""

    def __init__(self, directory: Path, database_url: str) -> None:
        self.database_url = database_url
        self.file = directory / "history.csv"
        (directory / "menus").mkdir()
        (directory / "menus" / "cafe.yaml").write_text(MENU)
        settings = {"ENVIRONMENT": "TESTING", "DATABASE_URL": database_url, "MENU_DIR": str(directory / "menus")}
        self.environment = {**os.environ, **settings}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "voice.store", "import", str(self.file), *arguments]

    def run(self, rows: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.file.write_text(HEAD + rows)
        command, settings = self.command(*arguments or ("--menu", "cafe")), self.environment | environment
        return subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)  # noqa: S603

    async def stored(self) -> list[PastOrder]:
        store = Store(self.database_url)
        await store.open(migrate=True)
        past = await store.orders_after(0, limit=1_000_000)
        await store.close()
        return past


@pytest.fixture
def merchant(tmp_path, database_url):
    return Merchant(tmp_path, database_url)


@pytest.fixture
def sqlite_merchant(tmp_path, sqlite_url):
    return Merchant(tmp_path, sqlite_url)


async def test_importing_a_file_again_changes_nothing(merchant):
    rows = "1,2026-01-02T10:00:00,7,tea,2\n2,2026-01-01T10:00:00+07:00,,coffee,1\n1,2026-01-02T10:00:00,7,coffee,1\n"
    first = merchant.run(rows)
    assert first.returncode == 0, first.stderr
    past = await merchant.stored()
    assert [(order.client, order.menu, order.customer_id, order.placed_at, dict(order.items)) for order in past] == [
        ("demo", "cafe", None, datetime(2026, 1, 1, 3, tzinfo=UTC), {"coffee": 1}),
        ("demo", "cafe", 7, datetime(2026, 1, 2, 10, tzinfo=UTC), {"tea": 2, "coffee": 1}),
    ]
    again = merchant.run(rows)
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("0 orders stored, 2 were there")
    assert await merchant.stored() == past


async def test_an_import_saves_a_fit_for_servers(merchant):
    done = merchant.run("".join(f"{number},,,{'tea' if number % 3 else 'coffee'},1\n" for number in range(430)))
    assert done.returncode == 0, done.stderr
    store = Store(merchant.database_url)
    await store.open(migrate=False)
    n_orders, _ = await store.get_fit("demo", "cafe", after=0) or (0, b"")
    assert n_orders == 430
    await store.close()


async def test_an_order_is_identified_by_client_menu_and_its_id_in_the_file(sqlite_merchant):
    sqlite_merchant.run("1,,,tea,1\n")
    sqlite_merchant.run("1,,,tea,1\n", "--menu", "cafe", "--client", "other")
    assert [order.client for order in await sqlite_merchant.stored()] == ["demo", "other"]


async def test_orders_from_a_menu_that_the_client_put_are_imported(sqlite_merchant):
    async with opened(sqlite_merchant.database_url) as store:
        own = NewMenu("kiosk", "stall", menu_body(), "etag", 9)
        await store.put_menu(own, lambda _: None, MenuLimits(max_menus=9, max_words=99))
        assert await store.menu_document("other", "stall") is None
    done = sqlite_merchant.run("1,,,pho,2\n", "--menu", "stall", "--client", "kiosk")
    assert (done.returncode, [order.items for order in await sqlite_merchant.stored()]) == (0, [(("pho", 2),)]), done.stderr


async def test_an_invalid_row_is_reported_and_the_others_are_imported(sqlite_merchant):
    done = sqlite_merchant.run("1,,,tea,1\n1,,,beer,1\n2,yesterday,,tea,1\n3,,,coffee,1\n")
    assert done.returncode == 0
    assert done.stderr.splitlines()[0] == "row 2: item: 'beer' is not on the menu"
    assert done.stderr.splitlines()[1].startswith("row 3: timestamp: ")
    assert [dict(order.items) for order in await sqlite_merchant.stored()] == [{"tea": 1}, {"coffee": 1}]


async def test_an_order_that_changed_in_the_file_is_reported_and_remains_as_stored(sqlite_merchant):
    sqlite_merchant.run("1,,,tea,1\n2,,,tea,1\n")
    done = sqlite_merchant.run("1,,,tea,1\n2,,,tea,2\n3,,,tea,1\n")
    assert done.returncode == 0
    assert done.stderr == "order 2: stored before with other content, which remains\n"
    assert [dict(order.items) for order in await sqlite_merchant.stored()] == [{"tea": 1}] * 3


MISTAKES = [
    (["--menu", "bar"], {}, "menu 'bar'"),
    (["--menu", "cafe", "--client", "a client"], {}, "--client"),
    (["--menu", "cafe"], {"ENVIRONMENT": "nowhere"}, "ENVIRONMENT"),
    (["--menu", "cafe"], {"DATABASE_URL": "sqlite+aiosqlite://"}, "DATABASE_URL"),
]


@pytest.mark.parametrize(("arguments", "environment", "reason"), MISTAKES)
def test_a_mistake_is_reported_in_one_sentence(sqlite_merchant, arguments, environment, reason):
    done = sqlite_merchant.run("1,,,tea,1\n", *arguments, **environment)
    assert done.returncode != 0
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_orders_without_a_time_are_placed_in_the_files_order_before_now(engine):
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    rows = "c,,,tea,1\na,,,coffee,1\nb,2026-11-01T10:00:00,,tea,1\na,,,tea,1\n"
    new = orders_in(rows, engine, now=now)
    times = [new_order.order["placed_at"] for new_order in new]
    assert times == ["2026-11-01T10:00:00Z", "2026-11-22T11:59:58Z", "2026-11-22T11:59:59Z"]
    assert [line["item"] for line in new[2].order["lines"]] == ["coffee", "tea"]
    assert [new_order.placed_at_given for new_order in new] == [True, False, False]


def test_an_imported_order_is_priced_from_the_menu_with_the_defaults_of_its_option_groups(engine):
    rows = "1,,,tea,2\n1,,,coffee,3\n"
    (new,) = orders_in(rows, engine)
    assert [(line["unit_price"], line["total"]) for line in new.order["lines"]] == [(10000, 20000), (25500, 76500)]
    assert (new.order["total"], new.order["currency"]) == (96500, "VND")


async def test_an_import_continues_when_the_database_is_back(engine, postgres, postgres_url):
    rows = "".join(f"{number},,,tea,1\n" for number in range(4 * BATCH_ORDERS))
    new = orders_in(rows, engine)
    store = Store(postgres_url)
    await store.open(migrate=True)

    class KillOnce(Progress):
        killed = False

        def update(self, n_done: int) -> None:
            if not self.killed and n_done >= BATCH_ORDERS:
                self.killed = True
                postgres.kill()
                restarts.append(asyncio.create_task(asyncio.to_thread(postgres.start)))

    restarts: list[asyncio.Task[None]] = []
    assert await store_orders(store, new, KillOnce(len(new), io.StringIO())) == (4 * BATCH_ORDERS, set())
    await restarts[0]
    assert len(await store.orders_after(0, limit=10_000)) == 4 * BATCH_ORDERS
    await store.close()


async def test_an_import_that_was_killed_can_be_continued(sqlite_merchant):
    rows = "".join(f"{number},,,tea,1\n" for number in range(5000))
    sqlite_merchant.file.write_text(HEAD + rows)
    await sqlite_merchant.stored()  # makes the tables
    process = subprocess.Popen(sqlite_merchant.command("--menu", "cafe"), cwd=ROOT, env=sqlite_merchant.environment)  # noqa: ASYNC220, S603
    while not (past := await sqlite_merchant.stored()):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    past = await sqlite_merchant.stored()
    assert 0 < len(past) < 5000
    assert len(past) % BATCH_ORDERS == 0
    done = sqlite_merchant.run(rows)
    assert done.stdout.startswith(f"{5000 - len(past):,} orders stored, {len(past):,} were there")
    assert len(await sqlite_merchant.stored()) == 5000


async def test_a_server_stores_orders_while_an_import_runs(sqlite_merchant, engine):
    rows = "".join(f"{number},,,tea,1\n" for number in range(10 * BATCH_ORDERS))
    new = orders_in(rows, engine, now=datetime.now(UTC) - timedelta(days=1))
    importing, serving = Store(sqlite_merchant.database_url), Store(sqlite_merchant.database_url)
    await importing.open(migrate=True)
    await serving.open(migrate=True)
    history = asyncio.create_task(store_orders(importing, new, Progress(len(new), io.StringIO())))
    served = 0
    while not history.done():
        (live,) = orders_in(f"live {served},,,tea,1\n", engine)
        served += (await serving.put_order("demo", live.order, placed_at_given=True))[1]
    assert await history == (len(new), set())
    assert served > 0
    assert len(await serving.orders_after(0, limit=10_000)) == len(new) + served
    await importing.close()
    await serving.close()


def test_progress_is_printed_in_place_on_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    progress = Progress(1000, out)
    progress.update(250)
    progress.update(500)
    progress.end()
    assert out.getvalue().count("\r") == 3
    assert "500 of 1,000 orders" in out.getvalue()
    assert "\n" not in out.getvalue()
