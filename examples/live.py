"""Order while speaking, with websockets: send audio as a microphone delivers it, and print the order as it grows.

.venv/bin/python examples/live.py [recording.wav [language]] [--fast]
The recording has 16 bits and one channel; it is sent in real time, with --fast as fast as the service accepts it.
VOICE_URL, VOICE_ID and VOICE_KEY are the service and the credentials; the default is a local service and its demo client.
"""

import argparse
import asyncio
import json
import os
import sys
import wave
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

URL = os.environ.get("VOICE_URL", "http://127.0.0.1:8000").replace("http", "ws", 1)
KEYS = {"X-Secret-Id": os.environ.get("VOICE_ID", "demo"), "X-Secret-Key": os.environ.get("VOICE_KEY", "demo-secret")}
RECORDING = Path(__file__).with_name("order-vi.wav")
FRAME_S = 0.1


async def speak(socket: ClientConnection, recording: wave.Wave_read, pause_s: float) -> None:
    """Send the audio, then the end command."""
    while audio := recording.readframes(int(FRAME_S * recording.getframerate())):
        await socket.send(audio)
        await asyncio.sleep(pause_s)
    await socket.send(json.dumps({"type": "end"}))


def show(event: dict[str, Any]) -> None:
    """Print a partial or a final."""
    lines = ", ".join(f"{line['quantity']} x {line['name']}" for line in event["lines"])
    stable = event.get("stable", len(event["text"]))
    print(f"{event['type']:8}{event['text'][:stable]}[{event['text'][stable:]}]  {lines}  {event['total']}")


async def main() -> None:
    """Send the recording while receiving events."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", nargs="?", default=str(RECORDING))
    parser.add_argument("language", nargs="?", default="vi")
    parser.add_argument("--fast", action="store_true")
    arguments = parser.parse_args()
    with wave.open(arguments.recording) as recording:
        query = f"menu=quan-nha&language={arguments.language}&sample_rate={recording.getframerate()}"
        async with connect(f"{URL}/api/v1/voice/live?{query}", additional_headers=KEYS) as socket:
            # To continue an order, send it first: {"type": "lines", "lines": [...]}
            speaking = asyncio.create_task(speak(socket, recording, 0 if arguments.fast else FRAME_S))
            async for frame in socket:
                answer = json.loads(frame)
                if answer["data"]["type"] == "error":
                    sys.exit(f"{answer['data']['error']}: {answer['msg']}")
                show(answer["data"])
                # Each pause causes a final; the last one answers `end`.
                if speaking.done() and answer["data"]["type"] == "final":
                    break


if __name__ == "__main__":
    asyncio.run(main())
