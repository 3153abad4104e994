"""Print how well, how fast and how steadily speech is recognised: one figure a line.

    .venv/bin/python -m bench.speech [--only naive|accuracy|throughput|overload|hangups] [--manifest FILE.jsonl] [--every N]
                                     [--seconds 60] [--rounds 1000]

The manifest has a clip a line: {"file", "language", "kind": "read", "transcript"}, files beside it; without one, the one in
../shared/speech is taken if it is there, and else the two examples. `naive` is faster-whisper's own transcribe(beam_size=5) on two threads,
one clip after another, which is what everybody ships: the ratios are against it, in the same run on the same machine. Other load on the
machine falsifies wall times; so processor seconds for a second of audio are printed too.
"""

import argparse
import asyncio
import json
import random
import resource
import sys
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # a command of its own, beside the modules that it measures

import numpy as np
from faster_whisper import WhisperModel
from prometheus_client import CollectorRegistry

from errors import Overloaded
from settings import ROOT
from voice.audio import SAMPLE_RATE, Waveform, decode
from voice.models import ensure_whisper
from voice.speech import Recogniser

MODELS = ROOT / ".cache" / "models"
SHARED = ROOT.parent / "shared" / "speech" / "manifest.jsonl"
CALLERS = 8
NOISE_DB = 10.0
EXAMPLES = {
    "order-en.wav": ("en", "Could I get a large milk tea with pearls, less sugar, and two egg sandwiches?"),
    "order-vi.wav": ("vi", "cho anh hai ly sinh tố bơ lớn và ba bánh mì ốp la"),
}
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905 - read as a sentence


@dataclass(frozen=True)
class Clip:
    """Something that was said."""

    language: str
    transcript: str
    waveform: Waveform

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.waveform) / SAMPLE_RATE


def read_wav(path: Path) -> Waveform:
    """Decode a file."""
    return decode(path.read_bytes(), encoding="auto", sample_rate=None, channels=None, max_audio_s=600)


def load(manifest: Path | None) -> list[Clip]:
    """Read the clips."""
    if manifest is None and SHARED.is_file():
        manifest = SHARED
    if manifest is None:
        return [Clip(language, said, read_wav(ROOT / "examples" / name)) for name, (language, said) in EXAMPLES.items()]
    entries = map(json.loads, manifest.read_text("utf-8").splitlines())
    return [Clip(e["language"], e["transcript"], read_wav(manifest.parent / e["file"])) for e in entries if e["kind"] == "read"]


def words(text: str, language: str) -> list[str]:
    """Split into words as they are compared: lower case, no punctuation, small English numbers spelled out."""
    plain = unicodedata.normalize("NFC", text).lower().replace("'", "")
    found = "".join(letter if letter.isalnum() else " " for letter in plain).split()
    return [NUMBERS[int(w)] if language == "en" and w.isdecimal() and int(w) < len(NUMBERS) else w for w in found]


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Count word errors (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, one in enumerate(said, 1):
        corner, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (one != other))
    return row[-1]


def word_error_rates(clips: Sequence[Clip], texts: Sequence[str]) -> str:
    """Sum up by language."""
    wrong, total = Counter[str](), Counter[str]()
    for clip, text in zip(clips, texts, strict=True):
        said = words(clip.transcript, clip.language)
        wrong[clip.language] += errors(said, words(text, clip.language))
        total[clip.language] += len(said)
    return "  ".join(f"wer_{language} {wrong[language] / total[language]:.4f}" for language in sorted(total))


def noisy(clip: Clip) -> Clip:
    """Add white noise at 10 dB."""
    power = float(np.mean(clip.waveform**2)) / 10 ** (NOISE_DB / 10)
    noise = np.random.default_rng(len(clip.waveform)).normal(0, power**0.5, len(clip.waveform))
    return Clip(clip.language, clip.transcript, np.clip(clip.waveform + noise, -1, 1).astype(np.float32))


def recogniser(*, queue_s: float = 600.0) -> Recogniser:
    """Load what the service runs, with its default settings."""
    made = Recogniser(
        model="base",
        model_vi="conformer",
        model_dir=MODELS,
        default_language=None,
        device="auto",
        compute_type="int8",
        threads=0,
        queue_s=queue_s,
        max_audio_s=300,
        registry=CollectorRegistry(),
    )
    made.load()
    return made


async def hear(engine: Recogniser, clip: Clip, client: str = "") -> str:
    """Recognise a clip as a request would."""
    audio = (np.clip(clip.waveform, -1, 32767 / 32768) * 32768).astype("<i2").tobytes()
    heard = await engine.transcribe(audio, encoding="pcm_s16le", sample_rate=SAMPLE_RATE, language=clip.language, client=client)
    return heard["text"]


async def hear_all(engine: Recogniser, clips: Sequence[Clip], callers: int) -> tuple[list[str], list[float]]:
    """Let so many callers go through the clips; give texts and latencies in seconds."""
    texts, latencies = [""] * len(clips), [0.0] * len(clips)
    waiting = iter(range(len(clips)))

    async def caller() -> None:
        for number in waiting:
            started = time.perf_counter()
            texts[number] = await hear(engine, clips[number])
            latencies[number] = time.perf_counter() - started

    await asyncio.gather(*(caller() for _ in range(callers)))
    return texts, latencies


def figures(seconds: float, wall_s: float, cpu_s: float, latencies: Sequence[float]) -> str:
    """Print speed."""
    middle, late = np.percentile(latencies, [50, 95])
    return f"audio_per_wall {seconds / wall_s:.2f}  cpu_s_per_audio_s {cpu_s / seconds:.3f}  p50_s {middle:.3f}  p95_s {late:.3f}"


def naive(clips: Sequence[Clip]) -> tuple[float, float, float]:
    """Measure the yardstick; give wall and processor seconds for a second of audio, and the median latency."""
    model = WhisperModel(str(ensure_whisper(MODELS)), device="cpu", compute_type="int8", cpu_threads=2)
    list(model.transcribe(clips[0].waveform, language=clips[0].language, beam_size=5)[0])
    texts, latencies = [], []
    cpu_s = time.process_time()
    for clip in clips:
        started = time.perf_counter()
        found, _ = model.transcribe(clip.waveform, language=clip.language, beam_size=5)
        texts.append(" ".join(segment.text for segment in found))
        latencies.append(time.perf_counter() - started)
    cpu_s = time.process_time() - cpu_s
    seconds = sum(clip.seconds for clip in clips)
    print("naive      ", figures(seconds, sum(latencies), cpu_s, latencies), word_error_rates(clips, texts), flush=True)
    return sum(latencies) / seconds, cpu_s / seconds, float(np.median(latencies))


def throughput(clips: Sequence[Clip], yardstick: tuple[float, float, float] | None) -> None:
    """Measure eight callers and one."""
    engine = recogniser()
    for callers in (CALLERS, 1):
        started, cpu_s = time.perf_counter(), time.process_time()
        texts, latencies = asyncio.run(hear_all(engine, clips, callers))
        wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_s
        seconds = sum(clip.seconds for clip in clips)
        print(f"{callers} callers  ", figures(seconds, wall_s, cpu_s, latencies), word_error_rates(clips, texts), flush=True)
        if yardstick:
            wall, cpu, p50 = yardstick
            ratios = f"audio per wall {wall * seconds / wall_s:.2f}, processor {cpu * seconds / cpu_s:.2f}"
            print(f"against naive: {ratios}, median latency {float(np.median(latencies)) / p50:.2f}", flush=True)
    engine.close()


def accuracy(clips: Sequence[Clip]) -> None:
    """Measure word error rates, clean and with noise."""
    engine = recogniser()
    for name, heard in (("clean", clips), (f"{NOISE_DB:g} dB", [noisy(clip) for clip in clips])):
        texts, _ = asyncio.run(hear_all(engine, heard, CALLERS))
        print(f"{name:11}", word_error_rates(heard, texts), flush=True)
    engine.close()


def process_state() -> str:
    """Print what could leak."""
    rss = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    return f"rss_mb {rss:.0f}  threads {threading.active_count()}  descriptors {len(list(Path('/proc/self/fd').iterdir()))}"


async def overload(engine: Recogniser, clips: Sequence[Clip], seconds: float) -> None:
    """Send ten times what can be heard: clips of 1 to 60 s."""
    pick = random.Random(1)  # noqa: S311 - the same load each time
    long = np.concatenate([clip.waveform for clip in clips])
    long = np.resize(long, max(len(long), 120 * SAMPLE_RATE))
    accepted, refused, retries, late = [], [], [], []
    ended = time.perf_counter() + seconds

    async def one(number: int) -> None:
        length, start = pick.uniform(1, 60), pick.uniform(0, len(long) / SAMPLE_RATE - 60)
        clip = Clip("vi", "", long[int(start * SAMPLE_RATE) : int((start + length) * SAMPLE_RATE)])
        began = time.perf_counter()
        try:
            await hear(engine, clip, client=str(number % 4))
            accepted.append((time.perf_counter() - began, clip.seconds))
        except Overloaded as error:
            refused.append(time.perf_counter() - began)
            retries.append(int(error.headers["Retry-After"]))

    async def watch() -> None:
        while time.perf_counter() < ended:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            late.append(time.perf_counter() - before - 0.01)

    watching = asyncio.ensure_future(watch())
    calls: set[asyncio.Task[None]] = set()
    number = 0
    while time.perf_counter() < ended:
        number += 1
        call = asyncio.create_task(one(number))
        calls.add(call)
        call.add_done_callback(calls.discard)
        await asyncio.sleep(0.15)  # 30 s on average: 200 audio seconds a second
    await watching
    print("during     ", process_state(), flush=True)
    await asyncio.gather(*calls)
    recovery = time.perf_counter()
    await hear(engine, Clip("vi", "", long[: 2 * SAMPLE_RATE]))
    print("after      ", process_state(), f" next answer after {time.perf_counter() - recovery:.2f} s")
    print(f"accepted {len(accepted)}, {sum(s for _, s in accepted):.0f} audio s, slowest {max((t for t, _ in accepted), default=0):.1f} s")
    slow, retry = (np.percentile(values, 99) if values else 0 for values in (refused, retries))
    print(f"refused {len(refused)}, p99 {slow * 1000:.0f} ms, Retry-After up to {retry:.0f} s")
    print(f"event loop late p99 {np.percentile(late, 99) * 1000:.0f} ms", flush=True)


async def hang_ups(engine: Recogniser, clips: Sequence[Clip], rounds: int) -> None:
    """Let callers leave at random."""
    pick = random.Random(2)  # noqa: S311 - the same each time
    for _ in range(0, rounds, CALLERS):
        calls = [asyncio.create_task(hear(engine, pick.choice(clips))) for _ in range(CALLERS)]
        await asyncio.sleep(pick.uniform(0, 0.2))
        for call in calls:
            if pick.random() < 0.9:  # noqa: PLR2004 - nearly all of them
                call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=["naive", "accuracy", "throughput", "overload", "hangups"])
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take each N-th clip only")
    arguments = parser.parse_args()
    clips = load(arguments.manifest)[:: arguments.every]
    wanted = arguments.only
    yardstick = naive(clips) if wanted in (None, "naive", "throughput") else None
    if wanted in (None, "throughput"):
        throughput(clips, yardstick)
    if wanted in (None, "accuracy"):
        accuracy(clips)
    if wanted in (None, "overload"):
        engine = recogniser(queue_s=120)
        print("before     ", process_state(), flush=True)
        asyncio.run(overload(engine, clips, arguments.seconds))
        engine.close()
    if wanted in (None, "hangups"):
        engine = recogniser()
        asyncio.run(hang_ups(engine, clips, 10 * CALLERS))
        print("before     ", process_state(), flush=True)
        asyncio.run(hang_ups(engine, clips, arguments.rounds))
        print("after      ", process_state(), flush=True)
        engine.close()


if __name__ == "__main__":
    main()
