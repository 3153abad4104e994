"""Print how well and how fast speech is recognised: one figure a line. What it does under too much load: `bench.speech_load`.

    .venv/bin/python -m bench.speech [--only speed|accuracy|orders|doubts|confidence|bias|language|silence|decoding]
                                     [--manifest FILE.jsonl] [--every N]

The manifest has a clip a line: {"file", "language", "kind": "read", "transcript"}, or "kind": "order" with "menu", "draft", "lines", clips
and menus beside it; without one, the one in ../shared/speech is taken if it is there, and else the two examples. The yardstick, "naive", is
faster-whisper's own transcribe(beam_size=5) on two threads, one clip after another, which is what everybody ships. Both are measured in
turn, a few clips each, so that other load on the machine hits both; processor seconds for a second of audio are printed too.
"""

import argparse
import asyncio
import json
import random
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # a command of its own, beside the modules that it measures

import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from errors import ApiError
from schemas import LineRequest, Transcript
from settings import ROOT
from tests.asr import test_audio
from voice.asr import calibration, ctc_decoder, whisper
from voice.asr.audio import SAMPLE_RATE, Waveform, decode
from voice.asr.calibration import Calibration
from voice.asr.model_files import ensure_whisper
from voice.asr.recogniser import Recogniser
from voice.menus.loading import MenuBook
from voice.orders.confirmation import CONFIRM_BELOW, recognition_confidence
from voice.orders.engine import OrderEngine

Floats = NDArray[np.float64]

MODELS = ROOT / ".cache" / "models"
SHARED = ROOT.parent / "shared" / "speech" / "manifest.jsonl"
CALLERS = 8
NOISE_DB = 10.0
UNSPOKEN = 50  # sounds of each kind
TURN_CLIPS = 8  # heard by one, then by the other
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


def noisy(clip: Clip, decibels: float = NOISE_DB) -> Clip:
    """Add white noise."""
    power = float(np.mean(clip.waveform**2)) / 10 ** (decibels / 10)
    noise = np.random.default_rng(len(clip.waveform)).normal(0, power**0.5, len(clip.waveform))
    return Clip(clip.language, clip.transcript, np.clip(clip.waveform + noise, -1, 1).astype(np.float32))


def recogniser() -> Recogniser:
    """Load what the service runs, with its default settings."""
    made = Recogniser(
        model="base",
        model_vi="conformer",
        model_dir=MODELS,
        default_language=None,
        device="auto",
        compute_type="int8",
        threads=0,
        queue_s=600.0,
        max_audio_s=300,
        registry=CollectorRegistry(),
    )
    made.load()
    return made


def pcm(clip: Clip) -> bytes:
    """Give the samples as a microphone sends them."""
    return (np.clip(clip.waveform, -1, 32767 / 32768) * 32768).astype("<i2").tobytes()


async def transcribe(
    engine: Recogniser, clip: Clip, *, words: bool = False, phrases: Sequence[str] = (), menu: OrderEngine | None = None
) -> Transcript:
    """Recognise a clip as a request would."""
    return await engine.transcribe(
        pcm(clip),
        encoding="pcm_s16le",
        sample_rate=SAMPLE_RATE,
        language=clip.language,
        words=words,
        phrases=phrases,
        judge=menu.score if menu else None,
    )


async def hear_all(engine: Recogniser, clips: Sequence[Clip], callers: int) -> tuple[list[str], list[float]]:
    """Let so many callers go through the clips; give texts and latencies in seconds."""
    texts, latencies = [""] * len(clips), [0.0] * len(clips)
    waiting = iter(range(len(clips)))

    async def caller() -> None:
        for number in waiting:
            started = time.perf_counter()
            texts[number] = (await transcribe(engine, clips[number]))["text"]
            latencies[number] = time.perf_counter() - started

    await asyncio.gather(*(caller() for _ in range(callers)))
    return texts, latencies


@dataclass
class Speed:
    """What some way to hear clips took."""

    seconds: float = 0.0  # of audio
    wall_s: float = 0.0
    cpu_s: float = 0.0
    latencies: list[float] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)

    def figures(self, clips: Sequence[Clip]) -> str:
        """Print them."""
        middle, late = np.percentile(self.latencies, [50, 95])
        heard = sorted(self.texts)
        rates = word_error_rates([clips[i] for i in heard], [self.texts[i] for i in heard])
        speed = f"audio_per_wall {self.seconds / self.wall_s:.2f}  cpu_s_per_audio_s {self.cpu_s / self.seconds:.3f}"
        return f"{speed}  p50_s {middle:.3f}  p95_s {late:.3f}  {rates}"


def speed(clips: Sequence[Clip]) -> None:
    """Measure eight callers and one against the yardstick, in turns."""
    model = WhisperModel(str(ensure_whisper(MODELS)), device="cpu", compute_type="int8", cpu_threads=2)
    list(model.transcribe(clips[0].waveform, language=clips[0].language, beam_size=5)[0])
    engine = recogniser()
    measured = {"naive": Speed(), f"{CALLERS} callers": Speed(), "1 caller": Speed()}

    def plain(chosen: Sequence[Clip]) -> tuple[list[str], list[float]]:
        texts, latencies = [], []
        for clip in chosen:
            started = time.perf_counter()
            found, _ = model.transcribe(clip.waveform, language=clip.language, beam_size=5)
            texts.append(" ".join(segment.text for segment in found))
            latencies.append(time.perf_counter() - started)
        return texts, latencies

    ways: dict[str, Callable[[Sequence[Clip]], tuple[list[str], list[float]]]] = {
        "naive": plain,
        f"{CALLERS} callers": lambda chosen: asyncio.run(hear_all(engine, chosen, CALLERS)),
        "1 caller": lambda chosen: asyncio.run(hear_all(engine, chosen, 1)),
    }
    turns = max(1, len(clips) // TURN_CLIPS)
    for turn in range(turns):
        numbers = range(turn, len(clips), turns)
        chosen = [clips[i] for i in numbers]
        for name, way in ways.items():
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            texts, latencies = way(chosen)
            mine = measured[name]
            mine.wall_s += time.perf_counter() - wall_s
            mine.cpu_s += time.process_time() - cpu_s
            mine.seconds += sum(clip.seconds for clip in chosen)
            mine.latencies += latencies
            mine.texts |= dict(zip(numbers, texts, strict=True))
    for name, mine in measured.items():
        print(f"{name:11}", mine.figures(clips), flush=True)
    yardstick = measured["naive"]
    for name, mine in list(measured.items())[1:]:
        wall, cpu = yardstick.wall_s / mine.wall_s, yardstick.cpu_s / mine.cpu_s
        median = float(np.median(mine.latencies)) / float(np.median(yardstick.latencies))
        print(f"{name} against naive: audio per wall {wall:.2f}, processor {cpu:.2f}, median latency {median:.2f}", flush=True)
    engine.close()


def accuracy(clips: Sequence[Clip]) -> None:
    """Measure word error rates, clean and with noise."""
    engine = recogniser()
    for name, heard in (("clean", clips), (f"{NOISE_DB:g} dB", [noisy(clip) for clip in clips])):
        texts, _ = asyncio.run(hear_all(engine, heard, CALLERS))
        print(f"{name:11}", word_error_rates(heard, texts), flush=True)
    engine.close()


def orders(manifest: Path | None, every: int) -> None:
    """Understand spoken orders: exact ones, items that were said and found, and items that were not said."""
    if manifest is None:
        print("orders      need a manifest")
        return
    book: MenuBook[OrderEngine] = MenuBook(manifest.parent, OrderEngine)
    book.refresh()
    engine = recogniser()
    counts = Counter[tuple[str, str]]()
    entries = [entry for entry in map(json.loads, manifest.read_text("utf-8").splitlines()) if entry["kind"] == "order"]
    for entry in entries[::every]:
        language, menu = entry["language"], book.get(entry["menu"])
        lines = [LineRequest.model_validate(line) for line in entry["draft"]]
        audio = (manifest.parent / entry["file"]).read_bytes()
        work = engine.transcribe(audio, language=language, phrases=menu.vocabulary, judge=partial(menu.score, lines=lines))
        found = menu.understand(asyncio.run(work)["text"], lines)["lines"]
        meant, got = ({line["item"] for line in some} for some in (entry["lines"], found))
        counts[language, "orders"] += 1
        counts[language, "exact"] += comparable(found) == comparable(entry["lines"])
        counts[language, "items"] += len(meant)
        counts[language, "found"] += len(meant & got)
        counts[language, "false"] += len(got - meant)
    for language in sorted({language for language, _ in counts}):
        exact, total, found_items, items, false = (counts[language, name] for name in ("exact", "orders", "found", "items", "false"))
        print(f"orders {language}   exact {exact}/{total}  items {found_items}/{items}  false items {false}", flush=True)
    engine.close()


def doubts(manifest: Path | None, every: int) -> None:
    """Recognise spoken orders in their own language and in the other; count the changes that would be asked about, by confidence."""
    if manifest is None:
        print("doubts      need a manifest")
        return
    book: MenuBook[OrderEngine] = MenuBook(manifest.parent, OrderEngine)
    book.refresh()
    engine = recogniser()
    found: dict[str, list[float]] = {"own": [], "other": []}
    entries = [entry for entry in map(json.loads, manifest.read_text("utf-8").splitlines()) if entry["kind"] == "order"]
    for entry in entries[::every]:
        clip, menu = Clip(entry["language"], entry["transcript"], read_wav(manifest.parent / entry["file"])), book.get(entry["menu"])
        for variant in (clip, noisy(clip)):
            for told in ("vi", "en"):
                forced = replace(variant, language=told)
                transcript = asyncio.run(transcribe(engine, forced, phrases=menu.vocabulary, menu=menu))
                certain = recognition_confidence(transcript["segments"])
                if certain is not None and menu.understand(transcript["text"])["changes"]:
                    found["own" if told == clip.language else "other"].append(certain)
    engine.close()
    for below in (0.4, 0.5, 0.55, CONFIRM_BELOW, 0.65, 0.7, 0.8):
        asked, kept = sum(certain < below for certain in found["own"]), sum(certain >= below for certain in found["other"])
        print(
            f"doubts      below {below}: asked {asked} of {len(found['own'])} in their own language,"
            f" changed by {kept} of {len(found['other'])} in the other",
            flush=True,
        )


def comparable(lines: Sequence[Any]) -> Counter[tuple[object, ...]]:
    """Give what makes two orders the same."""
    return Counter(
        (
            line["item"],
            line["quantity"],
            frozenset(
                (option["group"], option["choice"], *sorted(option.get("alternatives") or []), option["amount"], option["quantity"])
                for option in line["options"]
            ),
        )
        for line in lines
    )


# --- Confidence ---------------------------------------------------------------------------------------------------------------------


def right_words(clip: Clip, transcript: Transcript) -> list[tuple[float, bool]]:
    """Give, for each word heard, its confidence and whether it was said."""
    heard = [
        (written, word["confidence"] or 0.0)
        for segment in transcript["segments"]
        for word in segment.get("words", ())
        for written in words(word["word"], clip.language)
    ]
    said = words(clip.transcript, clip.language)
    table: NDArray[np.int64] = np.zeros((len(said) + 1, len(heard) + 1), np.int64)
    table[:, 0], table[0] = np.arange(len(said) + 1), np.arange(len(heard) + 1)
    for i, one in enumerate(said):
        for j, (other, _) in enumerate(heard):
            table[i + 1, j + 1] = min(table[i, j] + (one != other), table[i, j + 1] + 1, table[i + 1, j] + 1)
    i, j, right = len(said), len(heard), [False] * len(heard)
    while i and j:
        same = said[i - 1] == heard[j - 1][0]
        if table[i, j] == table[i - 1, j - 1] + (not same):
            i, j = i - 1, j - 1
            right[j] = same
        elif table[i, j] == table[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return [(certain, is_right) for (_, certain), is_right in zip(heard, right, strict=True)]


def calibration_error(claimed: Floats, right: Floats) -> float:
    """Give the expected calibration error, in ten bins of as many words each."""
    bins = np.array_split(np.argsort(claimed), 10)
    return float(sum(abs(claimed[b].mean() - right[b].mean()) * len(b) for b in bins if len(b)) / len(claimed))


def fitted(odds: Floats, right: Floats) -> Calibration:
    """Fit by Newton's method."""
    line = np.zeros(2)
    inputs = np.stack([np.ones_like(odds), odds], axis=1)
    for _ in range(50):
        share = 1 / (1 + np.exp(-inputs @ line))
        curvature = inputs.T @ (inputs * (share * (1 - share))[:, None]) + 1e-6 * np.eye(2)
        line -= np.linalg.solve(curvature, inputs.T @ (share - right))
    return Calibration(float(line[0]), float(line[1]))


def confidences(clips: Sequence[Clip]) -> None:
    """Fit the words' confidences on every second clip, and hold the constants in use against the others."""
    engine = recogniser()
    for language, used in (("vi", ctc_decoder.CALIBRATION), ("en", whisper.WORD_CALIBRATION)):
        found: list[tuple[int, float, bool]] = []
        for number, clip in enumerate(clip for clip in clips if clip.language == language):
            for variant in (clip, noisy(clip), noisy(clip, NOISE_DB / 2)):
                transcript = asyncio.run(transcribe(engine, variant, words=True))
                found += [(number, certain, right) for certain, right in right_words(variant, transcript)]
        if not found:
            continue
        clip_number, certain, right = (np.array(column, float) for column in zip(*found, strict=True))
        certain = certain.clip(0.001, 0.999)  # rounded on the wire
        odds = ((np.log(certain / (1 - certain)) - used.offset) / used.slope).clip(-calibration.MOST, calibration.MOST)
        held = clip_number % 2 == 1
        claimed = 1 / (1 + np.exp(-odds))
        before, after = (calibration_error(shares[held], right[held]) for shares in (claimed, certain))
        fit = fitted(odds[~held], right[~held])
        print(
            f"words {language}    {len(right)}, right {right.mean():.3f}; calibration error as claimed {before:.3f}, as told {after:.3f};"
            f" used {used.offset:.2f} + {used.slope:.2f} x, fit here {fit.offset:.2f} + {fit.slope:.2f} x",
            flush=True,
        )
    engine.close()


# --- Bias and language --------------------------------------------------------------------------------------------------------------


def bias(clips: Sequence[Clip]) -> None:
    """Find words of the transcript among many that were not said, with and without bias; and items where none was named."""
    engine = recogniser()
    book: MenuBook[OrderEngine] = MenuBook(ROOT / "menus", OrderEngine)
    book.refresh()
    pool = sorted({phrase for menu_id in book.menus for phrase in book.get(menu_id).vocabulary})
    pick = random.Random(3)  # noqa: S311 - the same each time
    for n_others in (0, 100, 1000):
        counts = Counter[tuple[str, str]]()
        for clip in clips:
            said = words(clip.transcript, clip.language)
            mine = [" ".join(said[i : i + 2]) for i in range(0, len(said), 2)]
            unsaid = [phrase for phrase in pool if not set(words(phrase, clip.language)) & set(said)]
            single = [word for phrase in unsaid for word in phrase.split()]
            others = (
                [" ".join(pick.sample(single, 2)) for _ in range(n_others)] if n_others > len(unsaid) else pick.sample(unsaid, n_others)
            )
            phrases = pick.sample(mine + others, len(mine + others)) if n_others else []
            heard = words(asyncio.run(transcribe(engine, clip, phrases=phrases))["text"], clip.language)
            foreign = {word for phrase in others for word in words(phrase, clip.language)} - set(said)
            counts[clip.language, "said"] += len(said)
            counts[clip.language, "recalled"] += sum((Counter(said) & Counter(heard)).values())
            counts[clip.language, "false"] += sum(word in foreign for word in heard)
        for language in sorted({clip.language for clip in clips}):
            said_n, recalled, false = (counts[language, name] for name in ("said", "recalled", "false"))
            name = f"its words among {n_others}" if n_others else "no bias"
            print(f"bias {language}     {name}: recall {recalled / said_n:.4f}, words of others {false}", flush=True)
    for menu_id in book.menus:
        menu = book.get(menu_id)
        lines = named = 0
        for clip in clips:
            text = asyncio.run(transcribe(engine, clip, phrases=menu.vocabulary, menu=menu))["text"]
            lines += len(menu.understand(text)["lines"])
            named += len(menu.understand(clip.transcript)["lines"])
        print(
            f"bias        {menu.menu.id}: lines of {len(clips)} clips that order nothing {lines}, of their transcripts {named}", flush=True
        )
    engine.close()


def language(clips: Sequence[Clip]) -> None:
    """Tell the language of each clip, out of the two and out of all, and what that costs: words, and time of one caller."""
    engine = recogniser()
    ways: dict[str, Callable[[Clip], dict[str, Any]]] = {
        "told": lambda clip: {"language": clip.language},
        "vi or en": lambda _: {"languages": ("vi", "en")},
        "any": lambda _: {},
    }
    for name, way in ways.items():
        right, total = Counter[str](), Counter[str]()
        texts: list[str] = []
        took_s: dict[str, list[float]] = {}
        for clip in clips:
            started = time.perf_counter()
            heard = asyncio.run(engine.transcribe(pcm(clip), encoding="pcm_s16le", sample_rate=SAMPLE_RATE, **way(clip)))
            took_s.setdefault(clip.language, []).append(time.perf_counter() - started)
            texts.append(heard["text"])
            right[clip.language] += heard["language"] == clip.language
            total[clip.language] += 1
        counts = "  ".join(f"{one} {right[one]}/{total[one]} p50_s {np.median(took_s[one]):.3f}" for one in sorted(total))
        print(f"language    {name}: {counts}  {word_error_rates(clips, texts)}", flush=True)
    engine.close()


# --- No speech ----------------------------------------------------------------------------------------------------------------------


def unspoken(generator: np.random.Generator) -> dict[str, Floats]:
    """Make sounds of some length and loudness in which nobody speaks."""
    n_samples, level = int(generator.uniform(0.01, 10) * SAMPLE_RATE), 10 ** generator.uniform(-3, 0)
    turns = generator.uniform(50, 3000) * np.arange(n_samples) / SAMPLE_RATE
    noise = generator.normal(0, 1, n_samples)
    return {
        "silence": np.zeros(n_samples),
        "one sample": np.full(1, level),
        "a constant": np.full(n_samples, level),
        "white noise": level * noise,
        "brown noise": level * np.cumsum(noise).clip(-100, 100) / 100,
        "a tone": level * np.sin(2 * np.pi * turns),
        "a square wave": level * np.sign(np.sin(2 * np.pi * turns)),
        "clicks": level * (np.arange(n_samples) % int(generator.uniform(500, 8000)) == 0),
    }


def silence() -> None:
    """Count where words were made up."""
    engine = recogniser()
    generator = np.random.default_rng(4)
    words_in, total = Counter[str](), Counter[str]()
    for _ in range(UNSPOKEN):
        for kind, waveform in unspoken(generator).items():
            for language in ("vi", "en"):
                clip = Clip(language, "", np.clip(waveform, -1, 1).astype(np.float32))
                words_in[kind] += bool(asyncio.run(transcribe(engine, clip))["text"])
                total[kind] += 1
    print("silence     with words:", "  ".join(f"{kind} {words_in[kind]}/{total[kind]}" for kind in total), flush=True)
    engine.close()


# --- Hostile sound ------------------------------------------------------------------------------------------------------------------


def decoding() -> None:
    """Time what is refused, and what holds more than it says."""
    make: Any = test_audio  # its builders have no types
    silence = make.encoded(np.zeros(3600 * 8_000, np.int16), container="ogg", codec="libopus", rate=8_000)
    cases = {
        "a data chunk of 4 GB": make.wav(make.tone(0.2)).replace(b"data" + (6400).to_bytes(4, "little"), b"data\xff\xff\xff\xff"),
        "0 channels": make.riff(make.wave_format(channels=0), make.SOUND),
        "65535 channels": make.riff(make.wave_format(channels=65_535), make.SOUND),
        "0 Hz": make.riff(make.wave_format(rate=0), make.SOUND),
        "655350 Hz": make.riff(make.wave_format(rate=655_350), make.SOUND),
        "an odd length": make.riff(make.wave_format(), (b"data", b"\0" * 1001)),
        "10,000 chunks": make.riff(make.wave_format(), *[(b"junk", b"")] * 10_000, make.SOUND),
        "text": b"no sound at all " * 60_000,
        "a ZIP in front": b"PK\x03\x04" + make.wav(make.tone(0.2)),
        "cut off": make.wav(make.tone(60.0))[:-100],
        f"an hour of silence in {len(silence) / 1e6:.1f} MB Opus": silence,
        "10 s of wav": make.wav(make.tone(10.0)),
        "60 s of wav": make.wav(make.tone(60.0)),
    }
    for name, audio in cases.items():
        took = []
        said = ""
        for _ in range(5):
            started = time.perf_counter()
            try:
                said = f"{len(decode(audio, encoding='auto', sample_rate=None, channels=None, max_audio_s=300)) / SAMPLE_RATE:g} s of sound"
            except ApiError as error:
                said = type(error).__name__
            took.append(time.perf_counter() - started)
        print(f"decoding    {name}: {said}, {np.median(took) * 1000:.2f} ms", flush=True)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--only", choices=["speed", "accuracy", "orders", "doubts", "confidence", "bias", "language", "silence", "decoding"]
    )
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take each N-th clip only")
    arguments = parser.parse_args()
    manifest = arguments.manifest or (SHARED if SHARED.is_file() else None)
    clips = load(manifest)[:: arguments.every]
    parts: dict[str, Callable[[], None]] = {
        "speed": lambda: speed(clips),
        "accuracy": lambda: accuracy(clips),
        "orders": lambda: orders(manifest, arguments.every),
        "doubts": lambda: doubts(manifest, arguments.every),
        "confidence": lambda: confidences(clips),
        "bias": lambda: bias(clips),
        "language": lambda: language(clips),
        "silence": silence,
        "decoding": decoding,
    }
    for name, part in parts.items():
        if arguments.only in (None, name):
            part()


if __name__ == "__main__":
    main()
