"""Measure the latency and word error rate of streaming sessions, and the cost of abusive clients.

    .venv/bin/python -m bench.live [--only speak|abuse] [--streams 1,4,8] [--languages vi,en] [--every N] [--manifest FILE.jsonl]

Starts its own server. Sends clips in real time, the given number at once, with `end` after the last speech that the VAD finds, or with
--pause followed by silence. "word": time from the end of a word (by the one-shot transcript of the clip) to the first event that contains
the word at this position; "first": the same for the first word; "final": from the end of speech to the final. "wer": word error rates of
the finals ("live") and of the same clips in one request ("once"). "changed": the share of letters of partials that changed later. Other
load on the machine falsifies the times.
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

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script, it imports the service's modules

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
SILENT_S = 1.5  # sent after a clip with --pause


@dataclass
class Run:
    """One clip and its events."""

    clip: Clip
    whole: dict[str, Any]  # the one-shot transcript
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)  # each with seconds since the start of the clip
    speech_end_s: float = 0.0

    @property
    def text(self) -> str:
        """Join the texts of the finals."""
        return " ".join(event["text"] for _, event in self.events if event["type"] == "final" and event["text"])

    def delays(self) -> list[float]:
        """Return the delay of each word that the live and the one-shot transcript share: from its end to its first event, in seconds."""
        found = []
        recognised = [word for segment in self.whole["segments"] for word in segment["words"]]
        for place, word in enumerate(recognised):
            (plain,) = words(word["word"], self.clip.language)[:1] or [""]
            for at_s, text in self.texts():
                if plain in words(text, self.clip.language)[max(0, place - 1) : place + 2]:
                    found.append(at_s - word["end_s"])
                    break
        return found

    def texts(self) -> list[tuple[float, str]]:
        """Return the text of the clip so far, at each event."""
        before, texts = "", []
        for at_s, event in self.events:
            texts.append((at_s, f"{before} {event['text']}"))
            if event["type"] == "final":
                before = texts[-1][1]
        return texts

    def changed(self) -> tuple[int, int]:
        """Count the letters of partials that changed later, and all letters."""
        changed, shown, before = 0, 0, ""
        for _, event in self.events:
            text = event["text"]
            same = next((i for i, (one, other) in enumerate(zip(before, text, strict=False)) if one != other), min(len(before), len(text)))
            changed += len(before) - same
            shown += len(text) - same
            before = "" if event["type"] == "final" else text
        return changed, shown


def load(manifest: Path | None) -> list[Clip]:
    """Load the clips of a manifest, else the shared ones, else the examples."""
    if manifest is None and SHARED.is_file():
        manifest = SHARED
    if manifest is None:
        return [Clip(language, said, read_wav(ROOT / "examples" / name)) for name, (language, said) in EXAMPLES.items()]
    entries = map(json.loads, manifest.read_text("utf-8").splitlines())
    return [Clip(e["language"], e["transcript"], read_wav(manifest.parent / e["file"])) for e in entries]


def pcm(waveform: Any) -> bytes:
    """Encode as 16-bit samples."""
    return bytes((np.clip(waveform, -1, 32767 / 32768) * 32768).astype("<i2").tobytes())


def url_of(server: Server, query: str) -> str:
    """Return the URL of the live route."""
    return f"ws://127.0.0.1:{server.port}/api/v1/voice/live?menu={MENU}&{query}"


async def stream(server: Server, run: Run, *, pause: bool) -> None:
    """Send a clip in real time and store the events."""
    speech_ends = speech_end(speech_probabilities(run.clip.waveform)) or len(run.clip.waveform)
    waveform = run.clip.waveform[:speech_ends]
    run.speech_end_s = len(waveform) / SAMPLE_RATE
    if pause:
        waveform = np.pad(waveform, (0, int(SILENT_S * SAMPLE_RATE)))
    audio = pcm(waveform)
    step = int(FRAME_S * SAMPLE_RATE) * 2
    async with connect(url_of(server, f"language={run.clip.language}"), additional_headers=KEYS) as socket:
        began = time.perf_counter()

        async def receive() -> None:
            async for message in socket:
                run.events.append((time.perf_counter() - began, json.loads(message)["data"]))
                if run.events[-1][1].get("ended_by") == "end":
                    return

        receiving = asyncio.create_task(receive())
        for start in range(0, len(audio), step):
            await asyncio.sleep(max(0.0, began + min(start + step, len(audio)) / 2 / SAMPLE_RATE - time.perf_counter()))
            await socket.send(audio[start : start + step])
        await socket.send('{"type": "end"}')
        async with asyncio.timeout(30):
            await receiving


async def whole(server: Server, clip: Clip) -> dict[str, Any]:
    """Transcribe a clip in one request."""
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
    """Send all clips, `streams` at once, and print the figures."""
    runs = [Run(clip, await whole(server, clip)) for clip in clips]
    waiting = iter(runs)

    async def stream_clips(number: int) -> None:
        await asyncio.sleep(0.13 * number)  # so that the streams are not in step
        for run in waiting:
            await stream(server, run, pause=pause)

    cpu_s, began = cpu_seconds(server), time.perf_counter()
    await asyncio.gather(*(stream_clips(number) for number in range(streams)))
    speech_s = sum(run.speech_end_s for run in runs)
    cpu_s = (cpu_seconds(server) - cpu_s) / speech_s
    wall_s = time.perf_counter() - began
    recognised = [run for run in runs if run.text]
    language = clips[0].language
    delays = [delay for run in runs for delay in run.delays()]
    firsts = [run.delays()[0] for run in runs if run.delays()]
    finals = [
        max(at_s for at_s, event in run.events if event["type"] == "final" and event["text"]) - run.speech_end_s for run in recognised
    ]
    gold = [words(run.clip.transcript, language) for run in runs]
    total = sum(map(len, gold))
    live, once = (
        sum(errors(said, words(text, language)) for said, text in zip(gold, texts, strict=True)) / total
        for texts in ([run.text for run in runs], [run.whole["text"] for run in runs])
    )
    changed, shown = (sum(part) for part in zip(*(run.changed() for run in runs), strict=True))
    print(
        f"{language} x{streams} {'pause' if pause else 'end  '}  {quantiles('word', delays)}  {quantiles('first', firsts)}  "
        f"{quantiles('final', finals)}  wer live {live:.3f} once {once:.3f}  changed {changed / max(1, shown):.3f}  "
        f"cpu_s_per_audio_s {cpu_s:.3f}  {speech_s:.0f} s in {wall_s:.0f} s, {len(recognised)} of {len(runs)} with text",
        flush=True,
    )


def quantiles(name: str, values: Sequence[float]) -> str:
    """Format the median and the 95th percentile."""
    middle, late = np.percentile(values, [50, 95]) if values else (float("nan"), float("nan"))
    return f"{name} p50 {middle:.2f} p95 {late:.2f} s"


def cpu_seconds(server: Server) -> float:
    """Read the CPU time of the server."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- Abusive clients ----------------------------------------------------------------------------------------------------------------


def memory_mb(server: Server) -> float:
    """Read the resident memory of the server."""
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def health(server: Server, stop: asyncio.Event) -> list[float]:
    """Request the health check every 20 ms; return the latencies in milliseconds."""
    took = []
    async with httpx.AsyncClient(timeout=30) as client:
        while not stop.is_set():
            began = time.perf_counter()
            await client.get(f"{server.url}/healthcheck")
            took.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(0.02)
    return took


async def count_finals(socket: ClientConnection) -> int:
    """Read until the server closes; return the number of finals."""
    finals = 0
    try:
        async for message in socket:
            finals += json.loads(message)["data"]["type"] == "final"
    except ConnectionClosed:
        pass
    return finals


async def sends_fast(server: Server, audio: bytes, seconds: float) -> str:
    """Send 50 times faster than real time, in frames of 20 ms."""
    sent, began = 0, time.perf_counter()
    async with connect(url_of(server, "language=vi"), additional_headers=KEYS, ping_interval=None) as socket:
        reading = asyncio.create_task(count_finals(socket))
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
    return f"accepted {sent / 32_000 / took:.1f} times real time, closed with {socket.close_code} {socket.close_reason}"


async def never_reads(server: Server, audio: bytes, seconds: float) -> str:
    """Send audio and commands twice as fast as real time, and read no events."""
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
    return f"{sent / 32_000:.0f} s of audio accepted in {seconds:.0f} s"


async def vanishes(server: Server, audio: bytes, times: int) -> str:
    """Send two seconds of audio and abort the connection."""
    for _ in range(times):
        socket = await connect(url_of(server, "language=vi"), additional_headers=KEYS)
        await socket.send(audio[:64_000])
        await asyncio.sleep(0.05)
        socket.transport.abort()
    return f"{times} aborted"


async def idles(server: Server, number: int, seconds: float) -> str:
    """Open connections and send nothing."""
    sockets = await asyncio.gather(*(connect(url_of(server, "language=vi"), additional_headers=KEYS) for _ in range(number)))
    await asyncio.sleep(seconds)
    held = memory_mb(server)
    await asyncio.gather(*(count_finals(socket) for socket in sockets))
    return f"{number} open, {held:.0f} MB meanwhile, closed by {sockets[0].close_code} {sockets[0].close_reason}"


async def abuse(server: Server, clips: Sequence[Clip], seconds: float) -> None:
    """Run each kind of abuse; print memory and latency of the health check."""
    audio = pcm(np.concatenate([clip.waveform for clip in clips if clip.language == "vi"][:20]))
    await stream(server, Run(clips[0], {}), pause=False)
    kinds: dict[str, Callable[[], Awaitable[str]]] = {
        "50 times real time": lambda: sends_fast(server, audio, seconds),
        "never reads": lambda: never_reads(server, audio, seconds),
        "vanishes": lambda: vanishes(server, audio, 50),
        "200 idle": lambda: idles(server, 200, 5),
    }
    for name, behave in kinds.items():
        before, stop = memory_mb(server), asyncio.Event()
        checking = asyncio.create_task(health(server, stop))
        outcome = await behave()
        stop.set()
        took = await checking
        print(
            f"{name:20} memory {before:.0f} -> {memory_mb(server):.0f} MB  "
            f"health p50 {np.percentile(took, 50):.1f} p99 {np.percentile(took, 99):.1f} max {max(took):.1f} ms  {outcome}",
            flush=True,
        )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=["speak", "abuse"])
    parser.add_argument("--streams", default="1,4,8")
    parser.add_argument("--languages", default="vi,en")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="use every N-th clip only")
    parser.add_argument("--pause", action="store_true", help="end each clip by silence instead of `end`")
    parser.add_argument("--seconds", type=float, default=20, help="duration of each kind of abuse")
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
