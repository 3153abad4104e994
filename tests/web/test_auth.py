import asyncio
import base64
import hmac
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt
import pytest

from errors import InvalidCredentials, InvalidSecretKey, InvalidToken, Overloaded, RefreshTokenNotValid
from schemas import TokenRequest, Tokens
from settings import LOCAL_TOKEN_SECRET, Client, Settings
from tests.clock import Clock
from tests.conftest import CLIENT_KEYS, ROOT, SETTINGS, client_of
from web.auth import REVOCATIONS_POLL_S, Caller, Clients, CompareDigests, TokenMaker, digest
from web.credentials import new_client_entry, read_credentials
from web.rate_limiter import RateLimiter

pytestmark = pytest.mark.anyio

MENUS, TOKEN, REFRESH = "/api/v1/voice/menus", "/api/v1/auth/token", "/api/v1/auth/refresh"


@pytest.fixture
def clock():
    return Clock(1_800_000_000)


DEMO = Clients({}, demo=True).authenticate(b"demo", b"demo-secret")


def issue(maker: TokenMaker, caller: Caller = DEMO, revocations: int = 0) -> Tokens:
    return maker.sign(maker.begin(caller), revocations)


@pytest.fixture
def tokens(clock):
    return TokenMaker("s" * 40, Clients({}, demo=True), access_s=900, refresh_s=86_400, clock=clock)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- Pairs --------------------------------------------------------------------------------------------------------------------------

PAIRS = [
    ({"X-Secret-Id": "demo"}, "SECRET_KEY_INVALID"),
    ({"X-Secret-Key": "demo-secret"}, "SECRET_ID_INVALID"),
    ({"X-Secret-Id": "", "X-Secret-Key": "demo-secret"}, "SECRET_ID_INVALID"),
    ({"X-Secret-Id": "demo", "X-Secret-Key": ""}, "SECRET_KEY_INVALID"),
    ({"X-Secret-Id": "de mo", "X-Secret-Key": "demo-secret"}, "SECRET_ID_INVALID"),
    ({"X-Secret-Id": "x" * 65, "X-Secret-Key": "demo-secret"}, "SECRET_ID_INVALID"),
    ({"X-Secret-Id": "demo", "X-Secret-Key": "short"}, "SECRET_KEY_INVALID"),
    ({"X-Secret-Id": "demo", "X-Secret-Key": "x" * 257}, "SECRET_KEY_INVALID"),
    ({"X-Secret-Id": "demo", "X-Secret-Key": "bình-thường".encode()}, "SECRET_KEY_INVALID"),
    ({"X-Secret-Id": "demo", "X-Secret-Key": "demo-secret2"}, "INVALID_CREDENTIALS"),
    ({"X-Secret-Id": "nobody", "X-Secret-Key": "demo-secret"}, "INVALID_CREDENTIALS"),
    ([(b"X-Secret-Id", b"demo"), (b"X-Secret-Id", b"demo"), (b"X-Secret-Key", b"demo-secret")], "SECRET_ID_INVALID"),
    ([(b"X-Secret-Id", b"demo"), (b"X-Secret-Key", b"demo-secret"), (b"X-Secret-Key", b"demo-secret")], "SECRET_KEY_INVALID"),
]


@pytest.mark.parametrize(("headers", "error"), PAIRS)
async def test_malformed_or_unknown_credentials_are_a_bad_request(stranger, headers, error):
    response = await stranger.get(MENUS, headers=headers)
    assert (response.status_code, response.json()["data"]["error"]) == (400, error)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("~demo-secret", "SECRET_ID_INVALID"),
        ("a b~demo-secret", "SECRET_ID_INVALID"),
        ("demo~", "SECRET_KEY_INVALID"),
        ("demo~wrong-secret", "INVALID_CREDENTIALS"),
        ("demo~demo-secret~", "INVALID_CREDENTIALS"),
    ],
)
async def test_a_bearer_value_with_an_id_and_a_key_is_rejected_like_the_headers(stranger, value, error):
    response = await stranger.get(MENUS, headers=bearer(value))
    assert (response.status_code, response.json()["data"]["error"]) == (400, error)


async def test_a_bearer_value_is_split_at_the_first_separator(state):
    key = "secret~with~separators"
    clients = Clients({"till.1": Client(keys=(digest(b"till.1", key.encode()).hex(),), scopes=frozenset({"order"}))})
    async with client_of(state, headers={}, admission=replace(state["admission"], clients=clients)) as client:
        assert (await client.get(MENUS, headers=bearer(f"till.1~{key}"))).status_code == 200
        repeated = [(b"Authorization", f"Bearer till.1~{key}".encode())] * 2
        assert (await client.get(MENUS, headers=repeated)).status_code == 401


@pytest.mark.parametrize(
    ("secret_id", "secret_key", "error"),
    [
        ("", "demo-secret", "SECRET_ID_INVALID"),
        ("a b", "demo-secret", "SECRET_ID_INVALID"),
        ("demo\n", "demo-secret", "SECRET_ID_INVALID"),
        ("demo", "", "SECRET_KEY_INVALID"),
        ("demo", "demo-secret\n", "SECRET_KEY_INVALID"),
        ("demo", "wrong-secret", "INVALID_CREDENTIALS"),
    ],
)
async def test_the_token_request_rejects_what_the_headers_reject(stranger, secret_id, secret_key, error):
    response = await stranger.post(TOKEN, json={"secret_id": secret_id, "secret_key": secret_key})
    assert (response.status_code, response.json()["data"]["error"]) == (400, error)


async def test_a_wrong_type_in_the_token_request_fails_validation(stranger):
    assert (await stranger.post(TOKEN, json={"secret_id": 1, "secret_key": "demo-secret"})).status_code == 422


async def test_an_unknown_id_and_a_wrong_key_get_the_same_reply(stranger):
    replies = []
    for headers in ({"X-Secret-Id": "nobody", "X-Secret-Key": "a-wrong-key"}, {"X-Secret-Id": "demo", "X-Secret-Key": "a-wrong-key"}):
        response = await stranger.get(MENUS, headers=headers | {"X-Request-ID": "same"})
        replies.append((response.status_code, response.content, dict(response.headers)))
    assert replies[0] == replies[1]


def test_an_unknown_id_and_a_wrong_key_take_the_same_steps():
    compared: list[int] = []

    def compare(given: bytes, expected: bytes) -> bool:
        compared.append(len(expected))
        return hmac.compare_digest(given, expected)

    two = Client(keys=("0" * 64, "1" * 64), scopes={"speech"})
    clients = Clients({"two": two, "one": two.model_copy(update={"keys": ("0" * 64,)})}, compare_digests=compare)
    steps = []
    for secret_id in (b"one", b"two", b"nobody"):
        compared.clear()
        with pytest.raises(InvalidCredentials):
            clients.authenticate(secret_id, b"a-wrong-key")
        steps.append(list(compared))
    assert steps == [[32, 32]] * 3


def test_either_of_two_keys_authenticates():
    keys = [digest(b"pos", key).hex() for key in (b"first-key", b"second-key")]
    clients = Clients({"pos": Client(keys=keys, scopes={"order"})})
    assert [clients.authenticate(b"pos", key).id for key in (b"first-key", b"second-key")] == ["pos", "pos"]
    with pytest.raises(InvalidCredentials):
        clients.authenticate(b"demo", b"demo-secret")


def test_a_verified_pair_is_cached_without_its_key_and_no_other_pair_matches_it():
    clients = Clients({"pos": Client(keys=[digest(b"pos", b"right-key").hex()], scopes={"order"})}, demo=True)
    for _ in range(2):
        assert clients.authenticate(b"pos", b"right-key").id == "pos"
        assert clients.authenticate(b"demo", b"demo-secret").id == "demo"
    for secret_id, secret_key in ((b"pos", b"demo-secret"), (b"demo", b"right-key"), (b"pos", b"right-key "), (b"po", b"s\0right-key")):
        with pytest.raises((InvalidCredentials, InvalidSecretKey)):
            clients.authenticate(secret_id, secret_key)
    assert len(vars(clients)["_verified"]) == 2
    assert "right-key" not in str(vars(clients))


# --- The Authorization header -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, "AUTHENTICATION_REQUIRED"),
        ({"Authorization": ""}, "AUTHENTICATION_REQUIRED"),
        ({"Authorization": "Bearer"}, "AUTHENTICATION_REQUIRED"),
        ({"Authorization": "Basic ZGVtbzpkZW1vLXNlY3JldA=="}, "AUTHENTICATION_REQUIRED"),
        ({"Authorization": "Bearer "}, None),
        ({"Authorization": "Bearer x"}, "INVALID_TOKEN"),
        ({"Authorization": "Bearer a.b.c"}, "INVALID_TOKEN"),
        ({"Authorization": "Bearer " + "a" * 65536}, "INVALID_TOKEN"),
        ({"Authorization": "Bearer é.é.é".encode()}, "INVALID_TOKEN"),
        ([(b"Authorization", b"Bearer a"), (b"Authorization", b"Bearer b")], "INVALID_TOKEN"),
    ],
)
async def test_a_missing_or_malformed_authorization_header_is_rejected(stranger, headers, error):
    response = await stranger.get(MENUS, headers=headers)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert response.json()["data"]["error"] == error or error is None


async def test_an_access_token_is_equivalent_to_the_key(stranger):
    tokens = (await stranger.post(TOKEN, json={"secret_id": "demo", "secret_key": "demo-secret"})).json()["data"]
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", SETTINGS.access_token_seconds)
    assert (await stranger.get(MENUS, headers=bearer(tokens["access_token"]))).status_code == 200
    assert (await stranger.get(MENUS, headers={"Authorization": f"bearer {tokens['access_token']}"})).status_code == 200


async def test_access_and_refresh_tokens_are_not_interchangeable(stranger):
    tokens = (await stranger.post(TOKEN, json={"secret_id": "demo", "secret_key": "demo-secret"})).json()["data"]
    assert (await stranger.get(MENUS, headers=bearer(tokens["refresh_token"]))).json()["data"]["error"] == "INVALID_TOKEN"
    response = await stranger.post(REFRESH, json={"refresh_token": tokens["access_token"]})
    assert (response.status_code, response.json()["data"]["error"]) == (401, "REFRESH_TOKEN_NOT_VALID")


def test_the_type_of_a_token_counts_even_where_both_live_as_long(clock):
    maker = TokenMaker("s" * 40, Clients({}, demo=True), access_s=900, refresh_s=900, clock=clock)
    tokens = issue(maker)
    with pytest.raises(InvalidToken):
        maker.read_access(tokens["refresh_token"].encode())
    with pytest.raises(RefreshTokenNotValid):
        maker.read_refresh(tokens["access_token"])


KEY_CLAIM = TokenMaker(LOCAL_TOKEN_SECRET, Clients({}, demo=True), access_s=1, refresh_s=1).begin(DEMO).access.key


def forged(secret: str = LOCAL_TOKEN_SECRET, header: dict[str, Any] | None = None, algorithm: str = "HS256", **claims: Any) -> str:
    now = int(time.time())
    whole = {
        "iss": "voice-api",
        "aud": "voice-api",
        "sub": "demo",
        "typ": "access",
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "jti": "0" * 32,
        "key": KEY_CLAIM,
        "fam": "0" * 32,
        "rev": 0,
    }
    whole = {name: value for name, value in (whole | claims).items() if value is not ...}
    return jwt.encode(whole, secret, algorithm=algorithm, headers=header)


def unsigned(header: dict[str, Any]) -> str:
    payload = forged().split(".")[1]
    return f"{base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip('=')}.{payload}."


def claim(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


NOW = int(time.time())
FORGED = [
    forged("another-secret-that-is-long-enough-for-hmac"),
    forged(algorithm="HS512", secret=LOCAL_TOKEN_SECRET * 2),
    forged(header={"kid": "../../etc/passwd"}),
    forged(header={"crit": ["exp"]}),
    forged(header={"crit": ["b64"], "b64": False}),
    forged(header={"typ": "at+jwt"}),
    unsigned({"alg": "none", "typ": "JWT"}),
    unsigned({"alg": "nOnE", "typ": "JWT"}),
    unsigned({"alg": "RS256", "typ": "JWT"}),
    *(forged(**claim(name, ...)) for name in ("iss", "aud", "sub", "typ", "iat", "nbf", "exp", "jti", "key", "fam", "rev")),
    *(forged(exp=exp) for exp in (str(NOW + 60), 1e308, float(NOW + 60), NOW - 60, NOW + 10**7, None, True)),
    *(forged(**claim(name, NOW + 3600)) for name in ("nbf", "iat")),
    *(forged(**claim(name, "another")) for name in ("iss", "aud", "typ")),
    forged(aud=["voice-api"]),
    forged(sub="nobody"),
    forged(sub=""),
    forged(scopes=["speech"]),
    forged(jti="short"),
    forged(key="0" * 32),
    forged(fam="../.."),
    *(forged(rev=rev) for rev in (-1, "0", 0.5, None)),
]


@pytest.mark.parametrize("token", FORGED, ids=range(len(FORGED)))
async def test_forged_tokens_get_the_same_reply_as_malformed_ones(stranger, token):
    response = await stranger.get(MENUS, headers=bearer(token) | {"X-Request-ID": "same"})
    nonsense = await stranger.get(MENUS, headers=bearer("nonsense") | {"X-Request-ID": "same"})
    assert (response.status_code, response.content, response.headers) == (401, nonsense.content, nonsense.headers)


async def test_the_forging_function_of_these_tests_can_make_a_valid_token(stranger):
    assert (await stranger.get(MENUS, headers=bearer(forged()))).status_code == 200


def test_a_token_with_any_byte_changed_is_rejected(tokens):
    good = issue(tokens)["access_token"].encode()
    assert tokens.read_access(good).id == "demo"
    for place in range(len(good)):
        for other in {b"A", b"B", b"_", b".", b"=", b"!", b"\xff", bytes([good[place] ^ 1])} - {good[place : place + 1]}:
            with pytest.raises(InvalidToken):
                tokens.read_access(good[:place] + other + good[place + 1 :])
    for longer in (good + b"=", good + b"A", good + b" ", b" " + good, good + b".A"):
        with pytest.raises(InvalidToken):
            tokens.read_access(longer)


def test_a_token_expires_with_a_tolerance_for_clock_differences(tokens, clock):
    token = issue(tokens)["access_token"].encode()
    for seconds, valid in ((-86_400, False), (-5, True), (0, True), (899, True), (904, True), (905, False), (86_400, False)):
        clock.now = 1_800_000_000 + seconds
        if valid:
            assert tokens.read_access(token).id == "demo"
        else:
            with pytest.raises(InvalidToken):
                tokens.read_access(token)


def test_scopes_come_from_the_settings_and_not_from_the_token(clock):
    def maker(credentials):
        return TokenMaker("s" * 40, Clients(credentials), access_s=900, refresh_s=86_400, clock=clock)

    key = digest(b"pos", b"some-key-of-it").hex()
    before = {"pos": Client(keys=(key,), scopes={"order", "speech"})}
    pair = issue(maker(before), Clients(before).authenticate(b"pos", b"some-key-of-it"))
    token = pair["access_token"].encode()
    assert maker({"pos": Client(keys=(key,), scopes={"order"})}).read_access(token).scopes == {"order"}
    with pytest.raises(InvalidToken):
        maker({}).read_access(token)
    with pytest.raises(RefreshTokenNotValid):
        maker({}).read_refresh(pair["refresh_token"])


KEY_NAMES = ("first", "second", "third")


def clients_with(*names: str, compare: CompareDigests = hmac.compare_digest) -> Clients:
    keys = tuple(digest(b"pos", f"the-{name}-key".encode()).hex() for name in names)
    return Clients({"pos": Client(keys=keys, scopes={"order"})}, compare_digests=compare)


def maker_with(clock: Clock[int], *names: str, compare: CompareDigests = hmac.compare_digest) -> TokenMaker:
    return TokenMaker("s" * 40, clients_with(*names, compare=compare), access_s=900, refresh_s=86_400, clock=clock)


@pytest.mark.parametrize("names", [("first",), ("second", "first"), ("first", "third"), ("second",), ("second", "third")])
@pytest.mark.parametrize("renewed", [False, True])
def test_the_tokens_of_a_key_end_when_it_is_replaced(clock, names, renewed):
    issuer = maker_with(clock, "first", "second")
    generation = issuer.begin(clients_with("first", "second").authenticate(b"pos", b"the-first-key"))
    if renewed:
        generation = issuer.renew(issuer.read_refresh(issuer.sign(generation, 0)["refresh_token"]))
    pair, later = issuer.sign(generation, 0), maker_with(clock, *names)
    if "first" in names:
        assert later.read_access(pair["access_token"].encode()).id == "pos"
        assert later.read_refresh(pair["refresh_token"]).sub == "pos"
        return
    with pytest.raises(InvalidToken):
        later.read_access(pair["access_token"].encode())
    with pytest.raises(RefreshTokenNotValid):
        later.read_refresh(pair["refresh_token"])


def test_the_key_claim_does_not_expose_the_key_digest(tokens):
    claims = tokens.begin(DEMO).access
    assert claims.key not in {DEMO.key_digest.hex()[:32], digest(b"demo", b"demo-secret").hex()[:32]}
    other = TokenMaker("t" * 40, Clients({}, demo=True), access_s=900, refresh_s=86_400)
    assert other.begin(DEMO).access.key != claims.key


@pytest.mark.parametrize("names", [("first",), ("first", "second")])
def test_a_tokens_key_is_compared_in_the_same_steps_whichever_it_is(clock, names):
    steps: list[tuple[int, int]] = []

    def compare(given: Any, expected: Any) -> bool:
        steps.append((len(given), len(expected)))
        return bool(given == expected)

    for name in KEY_NAMES:
        maker = maker_with(clock, *names, compare=compare)
        pair = issue(maker_with(clock, name), clients_with(name).authenticate(b"pos", f"the-{name}-key".encode()))
        steps.clear()
        with suppress(InvalidToken):
            maker.read_access(pair["access_token"].encode())
        assert steps[-2:] == [(32, 32)] * 2


async def test_access_tokens_from_before_a_revocation_are_rejected_once_it_is_known(tokens):
    before, other = issue(tokens, revocations=1)["access_token"].encode(), issue(tokens, revocations=2)["access_token"].encode()
    known = [{"demo": 2}]

    async def read() -> dict[str, int]:
        if not known:
            raise Overloaded
        return known.pop()

    assert tokens.read_access(before).id == "demo"
    following = asyncio.create_task(tokens.follow_revocations(read))
    await asyncio.sleep(0)
    with pytest.raises(InvalidToken):
        tokens.read_access(before)
    assert tokens.read_access(other).id == "demo"
    await asyncio.sleep(1.5 * REVOCATIONS_POLL_S)
    assert not following.done()
    with pytest.raises(InvalidToken):
        tokens.read_access(before)
    following.cancel()


def test_a_pair_knows_the_end_of_its_refresh_token(tokens, clock):
    generation = tokens.begin(DEMO)
    assert generation.refresh_expires_at == datetime.fromtimestamp(clock.now + 86_400, UTC)
    assert tokens.read_refresh(tokens.sign(generation, 0)["refresh_token"]).jti == generation.refresh.jti


# --- Refresh tokens -----------------------------------------------------------------------------------------------------------------


async def test_refreshing_is_limited_by_client(state):
    limits = RateLimiter({"requests": "2/minute", "failed": "100/minute"})
    async with client_of(state, headers={}, limiter=limits) as client:
        pair = {"secret_id": "demo", "secret_key": "demo-secret"}
        token = (await client.post("/api/v1/auth/token", json=pair)).json()["data"]["refresh_token"]
        replies = []
        for _ in range(2):
            replies.append(await client.post("/api/v1/auth/refresh", json={"refresh_token": token}))
            token = replies[-1].json()["data"].get("refresh_token")
        assert [reply.status_code for reply in replies] == [200, 429]
        assert int(replies[-1].headers["retry-after"]) > 0


async def test_a_refresh_token_works_once(stranger):
    first = (await stranger.post(TOKEN, json={"secret_id": "demo", "secret_key": "demo-secret"})).json()["data"]
    second = (await stranger.post(REFRESH, json={"refresh_token": first["refresh_token"]})).json()["data"]
    assert (await stranger.get(MENUS, headers=bearer(second["access_token"]))).status_code == 200
    replay = await stranger.post(REFRESH, json={"refresh_token": first["refresh_token"]})
    assert (replay.status_code, replay.json()["data"]["error"]) == (401, "REFRESH_TOKEN_NOT_VALID")
    assert replay.headers["www-authenticate"] == "Bearer"
    # Within five seconds that was a lost reply, no theft: the family goes on.
    assert (await stranger.post(REFRESH, json={"refresh_token": second["refresh_token"]})).status_code == 200


async def test_one_of_two_simultaneous_renewals_succeeds(stranger):
    token = (await stranger.post(TOKEN, json={"secret_id": "demo", "secret_key": "demo-secret"})).json()["data"]["refresh_token"]
    for _ in range(10):
        replies = await asyncio.gather(*(stranger.post(REFRESH, json={"refresh_token": token}) for _ in range(2)))
        assert sorted(reply.status_code for reply in replies) == [200, 401]
        token = next(reply for reply in replies if reply.status_code == 200).json()["data"]["refresh_token"]


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\u0000", "é" * 3000])
async def test_malformed_refresh_tokens_are_rejected(stranger, token):
    response = await stranger.post(REFRESH, json={"refresh_token": token})
    assert (response.status_code, response.json()["data"]["error"]) == (401, "REFRESH_TOKEN_NOT_VALID")


# --- Making a client ----------------------------------------------------------------------------------------------------------------


def test_a_new_client_can_authenticate_with_its_key_which_the_setting_does_not_contain():
    key, credentials = new_client_entry("kiosk-1", ["speech", "order"], SETTINGS.credentials)
    assert key not in credentials
    settings = Settings(environment="PRODUCTION", token_secret=os.urandom(24).hex(), credentials=json.loads(credentials))
    caller = Clients(settings.credentials).authenticate(b"kiosk-1", key.encode())
    assert (caller.id, set(caller.scopes)) == ("kiosk-1", {"speech", "order"})
    assert set(settings.credentials) == {"kiosk-1", *CLIENT_KEYS}


def test_a_new_client_is_added_to_the_credentials_of_the_env_file(monkeypatch, tmp_path):
    entry = {"till": {"keys": ["0" * 64], "scopes": ["order"]}}
    (tmp_path / ".env").write_text(f"CREDENTIALS={json.dumps(entry)}\n")
    monkeypatch.delenv("CREDENTIALS")
    monkeypatch.chdir(tmp_path)
    _, credentials = new_client_entry("kiosk", ["speech"], read_credentials())
    assert set(json.loads(credentials)) == {"till", "kiosk"}
    assert json.loads(credentials)["till"] == entry["till"]


def test_a_second_key_replaces_the_first_one_step_by_step():
    first_key, first = new_client_entry("till", ["order"], {})
    clients = Settings(credentials=json.loads(first)).credentials
    with pytest.raises(ValueError, match="with the scopes order"):
        new_client_entry("till", ["speech"], clients)
    second_key, second = new_client_entry("till", ["order"], clients)
    both = Settings(credentials=json.loads(second)).credentials
    for key in (first_key, second_key):
        assert Clients(both).authenticate(b"till", key.encode()).scopes == {"order"}
    with pytest.raises(ValueError, match="has 2 keys in CREDENTIALS"):
        new_client_entry("till", ["order"], both)


@pytest.mark.parametrize(("name", "scopes"), [("a b", ["order"]), ("", ["order"]), ("till", []), ("till", ["all"])])
def test_a_client_with_a_malformed_name_or_scope_is_rejected(name, scopes):
    with pytest.raises(ValueError, match=r"name|scopes"):
        new_client_entry(name, scopes, {})


def test_a_revocation_by_command_ends_a_clients_tokens_in_a_running_server(server, tmp_path):
    running = server()
    with httpx.Client(base_url=running.url) as client:
        pair = client.post(TOKEN, json={"secret_id": "demo", "secret_key": "demo-secret"}).json()["data"]
        command = [sys.executable, "-m", "auth", "revoke", "demo"]
        environment = os.environ | {"DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/voice.db"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
        assert done.stdout.startswith("Token families of demo ended: 1.")
        assert client.post(REFRESH, json={"refresh_token": pair["refresh_token"]}).status_code == 401
        running.wait_until(lambda: client.get(MENUS, headers=bearer(pair["access_token"])).status_code == 401)
        pair = client.post(TOKEN, json={"secret_id": "demo", "secret_key": "demo-secret"}).json()["data"]
        assert client.get(MENUS, headers=bearer(pair["access_token"])).status_code == 200
        assert client.post(REFRESH, json={"refresh_token": pair["refresh_token"]}).status_code == 200


def test_a_revocation_without_a_database_says_so_in_one_line(tmp_path):
    command = [sys.executable, "-m", "auth", "revoke", "demo"]
    for url, status in (("nonsense", 2), (f"sqlite+aiosqlite:///{tmp_path}/empty.db", 1)):
        environment = os.environ | {"DATABASE_URL": url}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        assert (done.returncode, done.stdout) == (status, "")
        assert "Traceback" not in done.stderr
        assert done.stderr.splitlines()[-1].startswith("python -m auth revoke: ")


def test_the_command_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "auth", "new-client", "pos", "--scopes", "order"], cwd=ROOT, capture_output=True, check=True
    )
    assert b"CREDENTIALS=" in done.stdout


def test_no_repr_contains_a_key_or_a_token(tokens):
    generation = tokens.begin(DEMO)
    asked = TokenRequest(secret_id="demo", secret_key="canary-key")
    assert "canary" not in repr(asked)
    assert "s" * 40 not in repr(tokens)
    assert DEMO.key_digest.hex() not in repr((DEMO, generation))
    assert repr(DEMO.key_digest) not in repr((DEMO, generation))
