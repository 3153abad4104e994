import asyncio
import shutil
import ssl
import subprocess

import httpcore2
import pytest

from tests.webhooks.receiver import Receiver, receiving
from voice.webhooks.addresses import CheckedBackend, ForbiddenAddressError, Networks
from voice.webhooks.sender import Outcome, Sender

pytestmark = pytest.mark.anyio

PRIVATE = [
    "127.0.0.1",
    "10.0.0.7",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # the metadata of cloud machines
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:10.0.0.7",
    "64:ff9b::a00:7",
    "2002:a00:7::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_not_called(address):
    assert not Networks(()).allows(address, encrypted=True)


def test_a_public_address_is_called_with_tls_only():
    assert Networks(()).allows("93.184.216.34", encrypted=True)
    assert Networks(()).allows("2606:4700::1111", encrypted=True)
    assert not Networks(()).allows("93.184.216.34", encrypted=False)


def test_a_named_network_is_called_also_without_tls():
    networks = Networks(["10.2.0.0/16", "fd00::/8"])
    assert networks.allows("10.2.3.4", encrypted=False)
    assert networks.allows("::ffff:10.2.3.4", encrypted=False)
    assert networks.allows("fd00::7", encrypted=False)
    assert not networks.allows("10.3.0.1", encrypted=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::1]"])
async def test_no_spelling_of_the_own_machine_is_connected_to(host):
    with pytest.raises((ForbiddenAddressError, httpcore2.ConnectError)):
        await CheckedBackend(Networks(()), encrypted=True).connect_tcp(host, 1)


async def test_a_receiver_at_a_private_address_gets_nothing():
    async with receiving() as receiver:
        sender = Sender(Networks(["10.0.0.0/8"]))
        assert (await sender.send(receiver.url, {}, b"{}")).outcome is Outcome.FORBIDDEN
        assert receiver.got == []
        await sender.close()


async def test_a_host_without_an_address_is_unreachable():
    sender = Sender(Networks(()))
    for host in ("nowhere.invalid", f"{'x' * 70}.example"):
        assert (await sender.send(f"https://{host}/", {}, b"{}")).outcome is Outcome.UNREACHABLE
    await sender.close()


@pytest.mark.parametrize(
    ("answer", "outcome", "retry_after_s"),
    [
        ("200 OK", Outcome.DELIVERED, 0),
        ("204 No Content", Outcome.DELIVERED, 0),
        ("302 Found\r\nlocation: /elsewhere", Outcome.REJECTED, 0),
        ("401 Unauthorized", Outcome.REJECTED, 0),
        ("410 Gone", Outcome.GONE, 0),
        ("500 Internal Server Error", Outcome.BUSY, 0),
        ("429 Too Many Requests\r\nRetry-After: 7", Outcome.BUSY, 7),
        ("503 Service Unavailable\r\nretry-after: 999999999", Outcome.BUSY, 86_400),
        ("503 Service Unavailable\r\nretry-after: Fri, 31 Dec 1999 23:59:59 GMT", Outcome.BUSY, 0),
        ("503 Service Unavailable\r\nretry-after: soon", Outcome.BUSY, 0),
        ("what", Outcome.UNREACHABLE, 0),
        (None, Outcome.UNREACHABLE, 0),
    ],
)
async def test_a_reply_is_judged_by_its_status(answer, outcome, retry_after_s):
    async with receiving() as receiver:
        receiver.answer = lambda _: answer
        sender = Sender(Networks(["127.0.0.0/8"]), attempt_s=0.3)
        reply = await sender.send(receiver.url, {"webhook-id": "evt_1"}, b"{}")
        assert (reply.outcome, reply.retry_after_s) == (outcome, retry_after_s)
        assert len(receiver.got) == 1, "neither redirected nor sent again"
        await sender.close()


async def test_an_endless_reply_ends_the_attempt():
    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await asyncio.sleep(0)

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    sender = Sender(Networks(["127.0.0.0/8"]), attempt_s=2)
    reply = await sender.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, b"{}")
    assert reply.outcome is Outcome.DELIVERED
    await sender.close()
    server.close()


@pytest.fixture
def certificate(tmp_path):
    """Make a certificate of localhost that signs itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("makes its certificate with openssl")
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
    ]
    command += ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - ours
    return tmp_path / "certificate.pem"


async def test_only_a_trusted_receiver_of_the_right_name_gets_a_webhook(certificate, monkeypatch):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    stranger = Sender(Networks(["127.0.0.0/8"]))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusting = Sender(Networks(["127.0.0.0/8"]))
    outcomes = [
        (await sender.send(f"https://{host}:{port}/", {}, b"{}")).outcome
        for sender, host in ((stranger, "localhost"), (trusting, "127.0.0.1"), (trusting, "localhost"))
    ]
    assert outcomes == [Outcome.UNREACHABLE, Outcome.UNREACHABLE, Outcome.DELIVERED]
    assert len(receiver.got) == 1
    for sender in (stranger, trusting):
        await sender.close()
    await receiver.close()
    server.close()
