import pytest

from tests.web.conftest import settle
from web.websocket_protocol import FREE_FRAMES, SLICE_BYTES, SLICE_FRAMES

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("accepted", [True, False])
async def test_control_frames_are_parsed_in_slices_and_limited(wire, accepted):
    protocol, application, transport = wire()
    protocol.data_received(
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await settle()
    if accepted:
        application.may_answer.set()
        await settle()
    frame = b"\x8a\x80\0\0\0\0"
    socket_protocol = transport.protocol
    socket_protocol.data_received(frame * 40_000)
    in_one_slice = SLICE_FRAMES + SLICE_BYTES / len(frame)
    assert 0 < socket_protocol.n_frames <= in_one_slice
    assert not transport.is_reading
    await settle()
    assert transport.is_closed
    assert socket_protocol.n_frames <= FREE_FRAMES + in_one_slice
    assert socket_protocol.unparsed == b""
