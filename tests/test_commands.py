"""A user's mistake is reported in one line with status 2; a local start prints its links."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from settings import ROOT
from tests.servers import Server
from web.auth import digest

pytestmark = pytest.mark.anyio

DEPLOYED = {"ENVIRONMENT": "PRODUCTION", "TOKEN_SECRET": "abcdefghijklmnop" * 3}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603


@pytest.mark.parametrize(
    ("arguments", "environment", "line"),
    [
        (["app.py"], {"ENVIRONMENT": "PRODUCTION", "TOKEN_SECRET": ""}, "TOKEN_SECRET: missing or weak"),
        (["app.py"], {"ENVIRONMENT": "PRODUCTION", "TOKEN_SECRET": "abcdefgh" * 5, "CREDENTIALS": "{}"}, "CREDENTIALS: no client"),
        (["app.py"], {"CREDENTIALS": '{"a": canary'}, "CREDENTIALS: not JSON"),
        (["app.py"], {"PORT": "canary", "WORKERS": "0"}, "PORT: Input should be a valid integer"),
        (["app.py"], {"HOST": "192.0.2.1", "PORT": "8"}, "HOST, PORT: cannot listen on 192.0.2.1, port 8: "),
        (["-m", "voice", "serve"], {"ENVIRONMENT": "PRODUCTION", "TOKEN_SECRET": ""}, "TOKEN_SECRET: missing or weak"),
        (["-m", "voice", "models"], {"SPEECH_MODEL": "/nonexistent"}, "python -m voice models: SPEECH_MODEL: "),
        (["-m", "voice", "explain", "--menu", "nope", "--", "a"], {}, "python -m voice explain: --menu: No menu has this id. There are: "),
        (["-m", "voice", "explain", "a"], {"MENU_DIR": "/nonexistent"}, "python -m voice explain: --menu: No menu is served."),
        (["-m", "voice", "explain"], {}, "python -m voice explain: Missing argument"),
        (["-m", "voice", "explain", "--nope", "a"], {}, "python -m voice explain: No such option"),
        (["-m", "voice", "explain", "a" * 2001], {}, "python -m voice explain: Invalid value for 'TEXT': String should have at most 2000"),
        (["-m", "voice", "explain", "--lines", "2 x nope", "a"], {}, "python -m voice explain: --lines: not a line of the menu quan-nha: "),
        (["-m", "voice", "explain", "--lines", "ca-phe-den [nope]", "a"], {}, "python -m voice explain: --lines: not an option"),
        (["-m", "voice", "explain", "--lines", "ca-phe-den [none|nope]", "a"], {}, "python -m voice explain: --lines: A quantity is out"),
        (["-m", "voice", "explain", "--lines", "1000 x ca-phe-den", "a"], {}, "python -m voice explain: --lines: A quantity is out"),
        (["-m", "voice", "explain", "--asked", "nope", "a"], {}, "python -m voice explain: --asked: KIND is one of ambiguous, missing, "),
        (["-m", "voice", "explain", "--asked", "missing:0:size", "a"], {}, "python -m voice explain: --asked: KIND is one of ambiguous, "),
        (
            ["-m", "voice", "explain", "--lines", "ca-phe-den", "--asked", "missing:0:size:nope", "a"],
            {},
            "python -m voice explain: --asked: The line has no such group, or the menu no such choice.",
        ),
        (["-m", "voice", "import-orders", "x.csv"], {}, "python -m voice import-orders: Missing option '--menu'"),
        (["-m", "voice", "import-orders", "x.csv", "--menu", "a", "--client", "a b"], {}, "python -m voice import-orders: Invalid value"),
        (["-m", "voice", "import-orders", "x.csv", "--menu", "a"], DEPLOYED, "python -m voice import-orders: --client is needed"),
        (["-m", "voice", "new-client", "a"], {}, "python -m voice new-client: Missing option '--scopes'"),
        (["-m", "voice", "new-client", "a", "--scopes", "all"], {}, "python -m voice new-client: --scopes: one or more of speech, "),
        (["-m", "voice", "new-client", "a b", "--scopes", "order"], {}, "python -m voice new-client: Invalid value for 'NAME': "),
        (["-m", "voice", "new-client", "a", "--scopes", "order"], {"CREDENTIALS": "canary"}, "CREDENTIALS: not JSON"),
        (["-m", "voice", "revoke", "a"], {"DATABASE_URL": "canary"}, "python -m voice revoke: "),
        (["-m", "voice", "api-document", "wsdl"], {}, "python -m voice api-document: Invalid value for '{openapi|asyncapi}'"),
        (["-m", "voice", "resend-webhooks", "a"], {"DATABASE_URL": "canary"}, "python -m voice resend-webhooks: DATABASE_URL: not a URL"),
        (["-m", "voice", "nope"], {}, "python -m voice: No such command"),
        (["-m", "voice"], {}, "python -m voice: Missing command"),
        (["-m", "auth", "new-client"], {}, "python -m auth new-client: "),
        (["-m", "voice.models"], {"SPEECH_MODEL": "/nonexistent"}, "python -m voice.models: SPEECH_MODEL: "),
        (["-m", "voice.explain"], {}, "python -m voice.explain: "),
        (["-m", "voice.store", "import", "x.csv"], {}, "python -m voice.store import: "),
    ],
)
def test_a_users_mistake_is_reported_in_one_line_with_status_2(arguments: list[str], environment: dict[str, str], line: str) -> None:
    done = run(*arguments, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
    assert "canary" not in done.stderr


def test_help_lists_the_commands_and_imports_neither_the_application_nor_a_model() -> None:
    done = run("-X", "importtime", "-m", "voice", "--help")
    assert done.returncode == 0
    listed = {line.split()[0] for line in done.stdout.partition("Commands:\n")[2].splitlines()}
    assert {"serve", "new-client", "revoke", "models", "import-orders", "explain"} <= listed
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert imported & {"app", "settings", "pydantic", "numpy", "onnxruntime", "starlette", "sqlalchemy"} == set()


def credentials_of(done: subprocess.CompletedProcess[str]) -> tuple[str, dict[str, Any]]:
    """Read the key and the new setting that `new-client` prints."""
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    return first.rpartition(" ")[2], json.loads(second.removeprefix("CREDENTIALS="))


@pytest.mark.parametrize("scopes", [["speech,order"], ["order", "speech"]], ids=["comma", "space"])
def test_a_new_client_is_added_to_the_clients_that_are_there(scopes: list[str]) -> None:
    there = {"till": {"keys": ["0" * 64], "scopes": ["order"]}}
    key, clients = credentials_of(run("-m", "voice", "new-client", "kiosk", "--scopes", *scopes, CREDENTIALS=json.dumps(there)))
    assert clients == there | {"kiosk": {"keys": [digest(b"kiosk", key.encode()).hex()], "scopes": ["speech", "order"]}}


def test_a_client_that_is_there_gets_a_second_key_and_no_third() -> None:
    till = {"keys": ["0" * 64], "scopes": ["order"]}
    command = ["-m", "auth", "new-client", "till", "--scopes", "order"]
    key, clients = credentials_of(run(*command, CREDENTIALS=json.dumps({"till": till})))
    assert clients == {"till": till | {"keys": ["0" * 64, digest(b"till", key.encode()).hex()]}}
    done = run(*command, CREDENTIALS=json.dumps(clients))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "python -m auth new-client: till has 2 keys in CREDENTIALS; remove the one that is no longer used\n"


def test_a_second_key_does_not_change_the_scopes() -> None:
    there = json.dumps({"till": {"keys": ["0" * 64], "scopes": ["order"]}})
    done = run("-m", "voice", "new-client", "till", "--scopes", "speech", CREDENTIALS=there)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("python -m voice new-client: till is in CREDENTIALS with the scopes order; ")


def test_clients_of_a_dotenv_file_are_merged_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f'CREDENTIALS={{"till":{{"keys":["{"0" * 64}"],"scopes":["order"]}}}}\n')
    command = [sys.executable, "-m", "voice", "new-client", "kiosk", "--scopes", "order"]
    environment = {name: value for name, value in os.environ.items() if name != "CREDENTIALS"} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert set(credentials_of(done)[1]) == {"till", "kiosk"}


def test_an_utterance_is_explained_by_the_former_spelling_too() -> None:
    command = ["--menu", "quan-nha", "--", "hai cà phê đen"]
    done = run("-m", "voice", "explain", *command)
    assert done.stdout.startswith("Utterance  hai cà phê đen\n")
    assert "2 x Cà phê đen" in done.stdout.partition("Reply: ")[2]
    assert run("-m", "voice.explain", *command).stdout == done.stdout


def test_an_utterance_is_explained_in_the_state_of_a_conversation() -> None:
    order = "2 x ca-phe-den [none]; tra-dao-cam-sa"
    done = run("-m", "voice", "explain", "--lines", order, "--asked", "missing:1:size:m|l", "lớn")
    assert "Answers    missing, line 1, group size: m, l\n" in done.stdout
    assert "line 1: 1 x tra-dao-cam-sa -> 1 x tra-dao-cam-sa [l]" in done.stdout
    assert "2 x Cà phê đen {Không đường}" in done.stdout
    done = run("-m", "voice", "explain", "--asked", "ambiguous:::ca-phe-den|ca-phe-sua", "đen")
    assert "Answers    ambiguous: ca-phe-den, ca-phe-sua\n" in done.stdout


def test_a_local_start_prints_its_links_and_a_second_one_names_the_occupied_port(tmp_path: Path) -> None:
    running = Server(tmp_path, {"ENVIRONMENT": "LOCAL", "MENU_DIR": str(tmp_path)})
    try:
        running.wait_until(lambda: "Demo client" in running.log())
        lines = [line for line in running.log().splitlines() if not line.startswith("{")]
        assert lines == [
            f"Page to try it:  {running.url}/api/v1/try",
            f"Documentation:   {running.url}/api/v1/docs",
            "Demo client:     X-Secret-Id: demo, X-Secret-Key: demo-secret",
        ]
        assert "Application startup complete" in running.log().partition(lines[0])[0]
        for link in (lines[0], lines[1]):
            assert httpx.get(link.split()[-1]).status_code == 200
        second = run("app.py", ENVIRONMENT="LOCAL", PORT=str(running.port))
        assert second.returncode == 2
        assert second.stderr == f"HOST, PORT: cannot listen on 127.0.0.1, port {running.port}: Address already in use\n"
    finally:
        running.stop()


async def test_the_root_links_to_the_pages(stranger: httpx.AsyncClient) -> None:
    response = await stranger.get("/")
    assert (response.status_code, response.json()["code"]) == (200, 200)
    links = response.json()["data"]
    assert set(links) == {"documentation", "openapi", "page"}
    for link in links.values():
        assert (await stranger.get(link)).status_code == 200
