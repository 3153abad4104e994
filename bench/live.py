"""Print how soon an order is understood while it is spoken, and what ill-behaved speakers cost: one figure a line.

    .venv/bin/python -m bench.live [--only speak|abuse] [--streams 1,4,8] [--languages vi,en] [--every N] [--manifest FILE.jsonl]

A server of its own is started. Clips are sent at the pace at which they were spoken, so many at once, and `end` with the last speech in
them (told by the detector); `pause` instead lets silence follow. "word" is the time from the end of a word (as recognised in one piece) to
the frame that first holds it in its place, "first" the same for the first word, "final" from the end of speech to the final. The word
error rates are those of the finals and of the same clips in one request; "changed" is the share of letters told in partials that were
others later. Other load on the machine falsifies times.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # a command of its own, beside the modules that it measures

import httpx
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.speech import EXAMPLES, SHARED, Clip, errors, read_wav, words
from settings import ROOT
from tests.servers import Server
from voice.asr.audio import SAMPLE_RATE
from voice.asr.vad import speech_end, speech_probabilities

KEYS = {"X-Secret-Id": "demo", "X-Secret-Key": "demo-secret"}
MENU = "quan-nha"
FRAME_S = 0.1
MANY = "1000000/minute"
SILENT_S = 1.5  # sent behind a clip whose end is to be told by the pause


@dataclass
class Spoken:
    """What came back for one clip."""

    clip: Clip
    whole: dict[str, Any]  # the transcript in one piece
    frames: list[tuple[float, dict[str, Any]]] = field(default_factory=list)  # seconds since the first sample was due
    ended_s: float = 0.0  # the end of speech

    @property
    def text(self) -> str:
        """All finals."""
        return " ".join(frame["text"] for _, frame in self.frames if frame["type"] == "final" and frame["text"])

    def delays(self) -> list[float]:
        """For each word that was recognised alike, the time from its end to the first frame that has it in its place."""
        found = []
        spoken = [word for segment in self.whole["segments"] for word in segment["words"]]
        for place, word in enumerate(spoken):
            (plain,) = words(word["word"], self.clip.language)[:1] or [""]
            for at_s, text in self.texts():
                if plain in words(text, self.clip.language)[max(0, place - 1) : place + 2]:
                    found.append(at_s - word["end_s"])
                    break
        return found

    def texts(self) -> list[tuple[float, str]]:
        """All that was told so far, at each frame."""
        before, told = "", []
        for at_s, frame in self.frames:
            told.append((at_s, f"{before} {frame['text']}"))
            if frame["type"] == "final":
                before = told[-1][1]
        return told

    def changed(self) -> tuple[int, int]:
        """Count the letters of partials that were others later, and all that were told."""
        changed, shown, before = 0, 0, ""
        for _, frame in self.frames:
            text = frame["text"]
            same = next((i for i, (one, other) in enumerate(zip(before, text, strict=False)) if one != other), min(len(before), len(text)))
            changed += len(before) - same
            shown += len(text) - same
            before = "" if frame["type"] == "final" else text
        return changed, shown


def load(manifest: Path | None) -> list[Clip]:
    """Read the clips, sentences and orders alike."""
    if manifest is None and SHARED.is_file():
        manifest = SHARED
    if manifest is None:
        return [Clip(language, said, read_wav(ROOT / "examples" / name)) for name, (language, said) in EXAMPLES.items()]
    entries = map(json.loads, manifest.read_text("utf-8").splitlines())
    return [Clip(e["language"], e["transcript"], read_wav(manifest.parent / e["file"])) for e in entries]


def pcm(waveform: Any) -> bytes:
    """Write as 16-bit samples."""
    return bytes((np.clip(waveform, -1, 32767 / 32768) * 32768).astype("<i2").tobytes())


def url_of(server: Server, query: str) -> str:
    """Name the socket."""
    return f"ws://127.0.0.1:{server.port}/api/v1/voice/live?menu={MENU}&{query}"


async def speak(server: Server, spoken: Spoken, *, pause: bool) -> None:
    """Send a clip at its own pace, and keep what comes back."""
    speech_ends = speech_end(speech_probabilities(spoken.clip.waveform)) or len(spoken.clip.waveform)
    waveform = spoken.clip.waveform[:speech_ends]
    spoken.ended_s = len(waveform) / SAMPLE_RATE
    if pause:
        waveform = np.pad(waveform, (0, int(SILENT_S * SAMPLE_RATE)))
    audio = pcm(waveform)
    step = int(FRAME_S * SAMPLE_RATE) * 2
    async with connect(url_of(server, f"language={spoken.clip.language}"), additional_headers=KEYS) as socket:
        began = time.perf_counter()

        async def listen() -> None:
            async for message in socket:
                spoken.frames.append((time.perf_counter() - began, json.loads(message)["data"]))
                if spoken.frames[-1][1].get("ended_by") == "end":
                    return

        listening = asyncio.create_task(listen())
        for start in range(0, len(audio), step):
            await asyncio.sleep(max(0.0, began + min(start + step, len(audio)) / 2 / SAMPLE_RATE - time.perf_counter()))
            await socket.send(audio[start : start + step])
        await socket.send('{"type": "end"}')
        async with asyncio.timeout(30):
            await listening


async def whole(server: Server, clip: Clip) -> dict[str, Any]:
    """Recognise a clip in one piece."""
    query = f"language={clip.language}&menu={MENU}&words=true&encoding=pcm_s16le&sample_rate={SAMPLE_RATE}"
    async with httpx.AsyncClient(timeout=60) as client:
        reply = await client.post(
            f"{server.url}/api/v1/voice/speech?{query}",
            content=pcm(clip.waveform),
            headers={**KEYS, "Content-Type": "application/octet-stream"},
        )
    transcript: dict[str, Any] = reply.json()["data"]
    return transcript


async def measure(server: Server, clips: Sequence[Clip], streams: int, *, pause: bool) -> None:
    """Let so many speak at once, until all clips were spoken."""
    spoken = [Spoken(clip, await whole(server, clip)) for clip in clips]
    waiting = iter(spoken)

    async def speaker(number: int) -> None:
        await asyncio.sleep(0.13 * number)  # nobody begins in step
        for one in waiting:
            await speak(server, one, pause=pause)

    cpu_s, began = cpu_seconds(server), time.perf_counter()
    await asyncio.gather(*(speaker(number) for number in range(streams)))
    cpu_s = (cpu_seconds(server) - cpu_s) / sum(one.ended_s for one in spoken)
    wall_s = time.perf_counter() - began
    heard = [one for one in spoken if one.text]
    language = clips[0].language
    delays = [delay for one in spoken for delay in one.delays()]
    firsts = [one.delays()[0] for one in spoken if one.delays()]
    finals = [max(at_s for at_s, frame in one.frames if frame["type"] == "final" and frame["text"]) - one.ended_s for one in heard]
    gold = [words(one.clip.transcript, language) for one in spoken]
    total = sum(map(len, gold))
    live, once = (
        sum(errors(said, words(text, language)) for said, text in zip(gold, texts, strict=True)) / total
        for texts in ([one.text for one in spoken], [one.whole["text"] for one in spoken])
    )
    changed, shown = (sum(part) for part in zip(*(one.changed() for one in spoken), strict=True))
    print(
        f"{language} x{streams} {'pause' if pause else 'end  '}  {quantiles('word', delays)}  {quantiles('first', firsts)}  "
        f"{quantiles('final', finals)}  wer live {live:.3f} once {once:.3f}  changed {changed / max(1, shown):.3f}  "
        f"cpu_s_per_audio_s {cpu_s:.3f}  {sum(one.ended_s for one in spoken):.0f} s in {wall_s:.0f} s, {len(heard)} of {len(spoken)} heard",
        flush=True,
    )


def quantiles(name: str, values: Sequence[float]) -> str:
    """Print the middle and the slow end."""
    middle, late = np.percentile(values, [50, 95]) if values else (float("nan"), float("nan"))
    return f"{name} p50 {middle:.2f} p95 {late:.2f} s"


def cpu_seconds(server: Server) -> float:
    """Read how long the server has computed."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- Speakers who behave badly ------------------------------------------------------------------------------------------------------


def memory_mb(server: Server) -> float:
    """Read what the server holds."""
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def health(server: Server, stop: asyncio.Event) -> list[float]:
    """Ask every 20 ms whether it answers; give the latencies in milliseconds."""
    took = []
    async with httpx.AsyncClient(timeout=30) as client:
        while not stop.is_set():
            began = time.perf_counter()
            await client.get(f"{server.url}/healthcheck")
            took.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(0.02)
    return took


async def swallow(socket: ClientConnection) -> int:
    """Read until the other side closes; give the number of finals."""
    finals = 0
    try:
        async for message in socket:
            finals += json.loads(message)["data"]["type"] == "final"
    except ConnectionClosed:
        pass
    return finals


async def sends_fast(server: Server, audio: bytes, seconds: float) -> str:
    """Send at 50 times the pace, in frames of 20 ms."""
    sent, began = 0, time.perf_counter()
    async with connect(url_of(server, "language=vi"), additional_headers=KEYS, ping_interval=None) as socket:
        reading = asyncio.create_task(swallow(socket))
        try:
            for start in cycle(range(0, len(audio) - 640, 640)):
                await asyncio.sleep(max(0.0, began + sent / 32_000 / 50 - time.perf_counter()))
                await socket.send(audio[start : start + 640])
                sent += 640
                if time.perf_counter() - began > seconds:
                    break
        except ConnectionClosed:
            pass
        took = time.perf_counter() - began
        await socket.close()
        await reading
    return f"taken {sent / 32_000 / took:.1f} times real time, closed with {socket.close_code} {socket.close_reason}"


async def never_reads(server: Server, audio: bytes, seconds: float) -> str:
    """Send sound and commands at twice the pace, and read nothing that comes back."""
    began, sent = time.perf_counter(), 0
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    head = "".join(f"{name}: {value}\r\n" for name, value in KEYS.items())
    target = f"/api/v1/voice/live?menu={MENU}&language=vi"
    writer.write(
        f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{head}\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    transport: Any = writer.transport
    transport.pause_reading()
    try:
        for start in cycle(range(0, len(audio) - 3200, 3200)):
            async with asyncio.timeout(seconds):
                writer.write(b"\x82\xfe" + (3200).to_bytes(2, "big") + b"\0\0\0\0" + audio[start : start + 3200])
                writer.write(b"\x81\x8e\0\0\0\0" + b'{"type":"end"}' + b"\x89\x80\0\0\0\0")
                await writer.drain()
            sent += 3200
            await asyncio.sleep(0.05)
            if time.perf_counter() - began > seconds:
                break
    except (ConnectionError, TimeoutError) as error:
        return f"after {time.perf_counter() - began:.0f} s {type(error).__name__}"
    finally:
        writer.transport.abort()
    return f"{sent / 32_000:.0f} s of sound taken in {seconds:.0f} s"


async def vanishes(server: Server, audio: bytes, times: int) -> str:
    """Begin to speak, and go without a word."""
    for _ in range(times):
        socket = await connect(url_of(server, "language=vi"), additional_headers=KEYS)
        await socket.send(audio[:64_000])
        await asyncio.sleep(0.05)
        socket.transport.abort()
    return f"{times} went"


async def idles(server: Server, number: int, seconds: float) -> str:
    """Open connections, and say nothing."""
    sockets = await asyncio.gather(*(connect(url_of(server, "language=vi"), additional_headers=KEYS) for _ in range(number)))
    await asyncio.sleep(seconds)
    held = memory_mb(server)
    await asyncio.gather(*(swallow(socket) for socket in sockets))
    return f"{number} open, {held:.0f} MB meanwhile, closed by {sockets[0].close_code} {sockets[0].close_reason}"


async def abuse(server: Server, clips: Sequence[Clip], seconds: float) -> None:
    """Let each kind have its way, and see what it costs."""
    audio = pcm(np.concatenate([clip.waveform for clip in clips if clip.language == "vi"][:20]))
    await speak(server, Spoken(clips[0], {}), pause=False)
    kinds: dict[str, Callable[[], Awaitable[str]]] = {
        "50 times real time": lambda: sends_fast(server, audio, seconds),
        "never reads": lambda: never_reads(server, audio, seconds),
        "vanishes": lambda: vanishes(server, audio, 50),
        "200 idle": lambda: idles(server, 200, 5),
    }
    for name, behave in kinds.items():
        before, stop = memory_mb(server), asyncio.Event()
        asking = asyncio.create_task(health(server, stop))
        told = await behave()
        stop.set()
        took = await asking
        print(
            f"{name:20} memory {before:.0f} -> {memory_mb(server):.0f} MB  "
            f"health p50 {np.percentile(took, 50):.1f} p99 {np.percentile(took, 99):.1f} max {max(took):.1f} ms  {told}",
            flush=True,
        )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=["speak", "abuse"])
    parser.add_argument("--streams", default="1,4,8")
    parser.add_argument("--languages", default="vi,en")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take each N-th clip only")
    parser.add_argument("--pause", action="store_true", help="let the pause tell the end")
    parser.add_argument("--seconds", type=float, default=20, help="how long to behave badly")
    parser.add_argument("--manifest", type=Path)
    arguments = parser.parse_args()
    clips = load(arguments.manifest)
    with tempfile.TemporaryDirectory() as directory:
        own = {"ENVIRONMENT": "TESTING", "SPEECH_MODEL": "base", "SPEECH_MODEL_VI": "conformer", "ACCESS_LOG": "off"}
        limits = {"RATE_LIMIT": MANY, "RATE_LIMIT_SPEECH": MANY, "MAX_AUDIO_SECONDS": "3600"}
        server = Server(Path(directory), own | limits)
        try:
            server.wait_until(lambda: httpx.get(f"{server.url}/readiness").status_code == httpx.codes.OK, within_s=120)
            if arguments.only in (None, "speak"):
                for language in arguments.languages.split(","):
                    chosen = [clip for clip in clips if clip.language == language][:: arguments.every]
                    for streams in map(int, arguments.streams.split(",")):
                        asyncio.run(measure(server, chosen, streams, pause=arguments.pause))
            if arguments.only in (None, "abuse"):
                asyncio.run(abuse(server, clips, arguments.seconds))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
