"""Print accuracy and speed of speech recognition, one figure a line; for its behaviour under overload see `bench.speech_load`.

    .venv/bin/python -m bench.speech [--only speed|accuracy|orders|doubts|confidence|bias|language|silence|decoding]
                                     [--manifest FILE.jsonl] [--every N]

The manifest has a clip on each line: {"file", "language", "kind": "read", "transcript"}, or "kind": "order" with "menu", "draft", "lines";
clips and menus are beside it. Default: the manifest in ../shared/speech if it exists, else the two examples. The baseline "naive" is the
common deployment: faster-whisper's transcribe(beam_size=5) on two threads, one clip after another. Both systems are measured in turn, a few
clips each, so that other load on the machine affects both equally. Processor seconds per second of audio are printed, too.
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

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script, it imports the service's modules

import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from bench.orders import comparable
from errors import ApiError
from schemas import Conversation, LineRequest, Transcript
from settings import ROOT
from tests.asr import audio_files
from tests.single_turns import understand
from voice.asr import ctc_decoder, whisper_model
from voice.asr.audio import decode
from voice.asr.calibration import MAX_LOG_ODDS, Calibration
from voice.asr.model_files import ensure_whisper
from voice.asr.recogniser import Recogniser
from voice.asr.waveform import SAMPLE_RATE, Waveform
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import state_of
from voice.menus.loading import MenuBook
from voice.orders.confirmation import CONFIRM_BELOW, recognition_confidence

Floats = NDArray[np.float64]

MODELS = ROOT / ".cache" / "models"
SHARED = ROOT.parent / "shared" / "speech" / "manifest.jsonl"
CALLERS = 8
NOISE_DB = 10.0
N_NON_SPEECH = 50  # clips of each kind
TURN_CLIPS = 8  # recognised by one system, then by the other
EXAMPLES = {
    "order-en.wav": ("en", "Could I get a large milk tea with pearls, less sugar, and two egg sandwiches?"),
    "order-vi.wav": ("vi", "cho anh hai ly sinh tố bơ lớn và ba bánh mì ốp la"),
}
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905 - read as a sentence


@dataclass(frozen=True)
class Clip:
    """A clip with its reference transcript."""

    language: str
    transcript: str
    waveform: Waveform

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.waveform) / SAMPLE_RATE


def read_wav(path: Path) -> Waveform:
    """Decode an audio file."""
    return decode(path.read_bytes(), encoding="auto", sample_rate=None, channels=None, max_audio_s=600)


def load(manifest: Path | None) -> list[Clip]:
    """Read the clips of kind "read", or the examples without a manifest."""
    if manifest is None:
        return [Clip(language, transcript, read_wav(ROOT / "examples" / name)) for name, (language, transcript) in EXAMPLES.items()]
    entries = map(json.loads, manifest.read_text("utf-8").splitlines())
    return [Clip(e["language"], e["transcript"], read_wav(manifest.parent / e["file"])) for e in entries if e["kind"] == "read"]


def words(text: str, language: str) -> list[str]:
    """Normalise a text for comparison and split it: lower case, no punctuation, small English numbers spelled out."""
    plain = unicodedata.normalize("NFC", text).lower().replace("'", "")
    found = "".join(letter if letter.isalnum() else " " for letter in plain).split()
    return [NUMBERS[int(w)] if language == "en" and w.isdecimal() and int(w) < len(NUMBERS) else w for w in found]


def errors(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Count word errors (Levenshtein)."""
    row = list(range(len(hypothesis) + 1))
    for i, one in enumerate(reference, 1):
        corner, row[0] = row[0], i
        for j, other in enumerate(hypothesis, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (one != other))
    return row[-1]


def word_error_rates(clips: Sequence[Clip], texts: Sequence[str]) -> str:
    """Return the word error rate of each language."""
    wrong, total = Counter[str](), Counter[str]()
    for clip, text in zip(clips, texts, strict=True):
        reference = words(clip.transcript, clip.language)
        wrong[clip.language] += errors(reference, words(text, clip.language))
        total[clip.language] += len(reference)
    return "  ".join(f"wer_{language} {wrong[language] / total[language]:.4f}" for language in sorted(total))


def noisy(clip: Clip, decibels: float = NOISE_DB) -> Clip:
    """Add white noise at a signal-to-noise ratio."""
    power = float(np.mean(clip.waveform**2)) / 10 ** (decibels / 10)
    noise = np.random.default_rng(len(clip.waveform)).normal(0, power**0.5, len(clip.waveform))
    return Clip(clip.language, clip.transcript, np.clip(clip.waveform + noise, -1, 1).astype(np.float32))


def recogniser() -> Recogniser:
    """Load a recogniser with the default settings."""
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
    """Return a clip as raw 16-bit samples."""
    return (np.clip(clip.waveform, -1, 32767 / 32768) * 32768).astype("<i2").tobytes()


async def transcribe(
    engine: Recogniser, clip: Clip, *, words: bool = False, phrases: Sequence[str] = (), menu: DialogEngine | None = None
) -> Transcript:
    """Recognise a clip in its language, as a request does."""
    return await engine.transcribe(
        pcm(clip),
        encoding="pcm_s16le",
        sample_rate=SAMPLE_RATE,
        language=clip.language,
        words=words,
        phrases=phrases,
        scorer=menu.score if menu else None,
    )


async def transcribe_all(engine: Recogniser, clips: Sequence[Clip], callers: int) -> tuple[list[str], list[float]]:
    """Recognise all clips with `callers` simultaneous requests; return texts and latencies (s)."""
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
    """Measurements of one system."""

    seconds: float = 0.0  # of audio
    wall_s: float = 0.0
    cpu_s: float = 0.0
    latencies: list[float] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)

    def figures(self, clips: Sequence[Clip]) -> str:
        """Return the figures as text."""
        median_s, p95_s = np.percentile(self.latencies, [50, 95])
        numbers = sorted(self.texts)
        rates = word_error_rates([clips[i] for i in numbers], [self.texts[i] for i in numbers])
        speed = f"audio_per_wall {self.seconds / self.wall_s:.2f}  cpu_s_per_audio_s {self.cpu_s / self.seconds:.3f}"
        return f"{speed}  p50_s {median_s:.3f}  p95_s {p95_s:.3f}  {rates}"


def speed(clips: Sequence[Clip]) -> None:
    """Measure eight callers and one caller against the baseline, in turns."""
    model = WhisperModel(str(ensure_whisper(MODELS)), device="cpu", compute_type="int8", cpu_threads=2)
    list(model.transcribe(clips[0].waveform, language=clips[0].language, beam_size=5)[0])
    engine = recogniser()
    measured = {"naive": Speed(), f"{CALLERS} callers": Speed(), "1 caller": Speed()}

    def naive(chosen: Sequence[Clip]) -> tuple[list[str], list[float]]:
        texts, latencies = [], []
        for clip in chosen:
            started = time.perf_counter()
            found, _ = model.transcribe(clip.waveform, language=clip.language, beam_size=5)
            texts.append(" ".join(segment.text for segment in found))
            latencies.append(time.perf_counter() - started)
        return texts, latencies

    systems: dict[str, Callable[[Sequence[Clip]], tuple[list[str], list[float]]]] = {
        "naive": naive,
        f"{CALLERS} callers": lambda chosen: asyncio.run(transcribe_all(engine, chosen, CALLERS)),
        "1 caller": lambda chosen: asyncio.run(transcribe_all(engine, chosen, 1)),
    }
    turns = max(1, len(clips) // TURN_CLIPS)
    for turn in range(turns):
        numbers = range(turn, len(clips), turns)
        chosen = [clips[i] for i in numbers]
        for name, system in systems.items():
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            texts, latencies = system(chosen)
            measurement = measured[name]
            measurement.wall_s += time.perf_counter() - wall_s
            measurement.cpu_s += time.process_time() - cpu_s
            measurement.seconds += sum(clip.seconds for clip in chosen)
            measurement.latencies += latencies
            measurement.texts |= dict(zip(numbers, texts, strict=True))
    for name, measurement in measured.items():
        print(f"{name:11}", measurement.figures(clips), flush=True)
    baseline = measured["naive"]
    for name, measurement in list(measured.items())[1:]:
        wall, cpu = baseline.wall_s / measurement.wall_s, baseline.cpu_s / measurement.cpu_s
        median = float(np.median(measurement.latencies)) / float(np.median(baseline.latencies))
        print(f"{name} against naive: audio per wall {wall:.2f}, processor {cpu:.2f}, median latency {median:.2f}", flush=True)
    engine.close()


def accuracy(clips: Sequence[Clip]) -> None:
    """Measure word error rates, clean and in noise."""
    engine = recogniser()
    for name, variants in (("clean", clips), (f"{NOISE_DB:g} dB", [noisy(clip) for clip in clips])):
        texts, _ = asyncio.run(transcribe_all(engine, variants, CALLERS))
        print(f"{name:11}", word_error_rates(variants, texts), flush=True)
    engine.close()


def orders(manifest: Path | None, every: int) -> None:
    """Recognise and parse spoken orders; count exact orders, items found, and items that were not ordered."""
    if manifest is None:
        print("orders      need a manifest")
        return
    book: MenuBook[DialogEngine] = MenuBook(manifest.parent, DialogEngine)
    book.refresh()
    engine = recogniser()
    counts = Counter[tuple[str, str]]()
    entries = [entry for entry in map(json.loads, manifest.read_text("utf-8").splitlines()) if entry["kind"] == "order"]
    for entry in entries[::every]:
        language, menu = entry["language"], book.get(entry["menu"])
        lines = [LineRequest.model_validate(line) for line in entry["draft"]]
        audio = (manifest.parent / entry["file"]).read_bytes()
        work = engine.transcribe(
            audio,
            language=language,
            phrases=menu.vocabulary,
            scorer=partial(menu.score, state=state_of(menu.menu, Conversation(lines=lines))),
        )
        found = understand(menu, asyncio.run(work)["text"], lines)["lines"]
        expected, got = ({line["item"] for line in some} for some in (entry["lines"], found))
        counts[language, "orders"] += 1
        counts[language, "exact"] += comparable(found) == comparable(entry["lines"])
        counts[language, "items"] += len(expected)
        counts[language, "found"] += len(expected & got)
        counts[language, "false"] += len(got - expected)
    for language in sorted({language for language, _ in counts}):
        exact, total, found_items, items, false = (counts[language, name] for name in ("exact", "orders", "found", "items", "false"))
        print(f"orders {language}   exact {exact}/{total}  items {found_items}/{items}  false items {false}", flush=True)
    engine.close()


def doubts(manifest: Path | None, every: int) -> None:
    """Recognise spoken orders in their own language and in the other; count the changes that need a confirmation, by threshold."""
    if manifest is None:
        print("doubts      need a manifest")
        return
    book: MenuBook[DialogEngine] = MenuBook(manifest.parent, DialogEngine)
    book.refresh()
    engine = recogniser()
    found: dict[str, list[float]] = {"own": [], "other": []}
    entries = [entry for entry in map(json.loads, manifest.read_text("utf-8").splitlines()) if entry["kind"] == "order"]
    for entry in entries[::every]:
        clip, menu = Clip(entry["language"], entry["transcript"], read_wav(manifest.parent / entry["file"])), book.get(entry["menu"])
        for variant in (clip, noisy(clip)):
            for given in ("vi", "en"):
                forced = replace(variant, language=given)
                transcript = asyncio.run(transcribe(engine, forced, phrases=menu.vocabulary, menu=menu))
                confidence = recognition_confidence(transcript["segments"])
                if confidence is not None and understand(menu, transcript["text"])["changes"]:
                    found["own" if given == clip.language else "other"].append(confidence)
    engine.close()
    for below in (0.4, 0.5, 0.55, CONFIRM_BELOW, 0.65, 0.7, 0.8):
        asked, missed = sum(confidence < below for confidence in found["own"]), sum(confidence >= below for confidence in found["other"])
        print(
            f"doubts      below {below}: asked {asked} of {len(found['own'])} in their own language,"
            f" changed by {missed} of {len(found['other'])} in the other",
            flush=True,
        )


# --- Confidence ---------------------------------------------------------------------------------------------------------------------


def right_words(clip: Clip, transcript: Transcript) -> list[tuple[float, bool]]:
    """Return the confidence of each recognised word and whether the alignment with the reference matches it."""
    hypothesis = [
        (normalised, word["confidence"] or 0.0)
        for segment in transcript["segments"]
        for word in segment.get("words", ())
        for normalised in words(word["word"], clip.language)
    ]
    reference = words(clip.transcript, clip.language)
    table: NDArray[np.int64] = np.zeros((len(reference) + 1, len(hypothesis) + 1), np.int64)
    table[:, 0], table[0] = np.arange(len(reference) + 1), np.arange(len(hypothesis) + 1)
    for i, one in enumerate(reference):
        for j, (other, _) in enumerate(hypothesis):
            table[i + 1, j + 1] = min(table[i, j] + (one != other), table[i, j + 1] + 1, table[i + 1, j] + 1)
    i, j, right = len(reference), len(hypothesis), [False] * len(hypothesis)
    while i and j:
        same = reference[i - 1] == hypothesis[j - 1][0]
        if table[i, j] == table[i - 1, j - 1] + (not same):
            i, j = i - 1, j - 1
            right[j] = same
        elif table[i, j] == table[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return [(confidence, is_right) for (_, confidence), is_right in zip(hypothesis, right, strict=True)]


def calibration_error(claimed: Floats, right: Floats) -> float:
    """Return the expected calibration error, in ten bins of equal size."""
    bins = np.array_split(np.argsort(claimed), 10)
    return float(sum(abs(claimed[b].mean() - right[b].mean()) * len(b) for b in bins if len(b)) / len(claimed))


def fitted(odds: Floats, right: Floats) -> Calibration:
    """Fit a logistic regression by Newton's method."""
    line = np.zeros(2)
    inputs = np.stack([np.ones_like(odds), odds], axis=1)
    for _ in range(50):
        share = 1 / (1 + np.exp(-inputs @ line))
        curvature = inputs.T @ (inputs * (share * (1 - share))[:, None]) + 1e-6 * np.eye(2)
        line -= np.linalg.solve(curvature, inputs.T @ (share - right))
    return Calibration(float(line[0]), float(line[1]))


def confidences(clips: Sequence[Clip]) -> None:
    """Fit the calibration of words on every second clip, and measure the constants in use on the others."""
    engine = recogniser()
    for language, used in (("vi", ctc_decoder.CALIBRATION), ("en", whisper_model.WORD_CALIBRATION)):
        found: list[tuple[int, float, bool]] = []
        for number, clip in enumerate(clip for clip in clips if clip.language == language):
            for variant in (clip, noisy(clip), noisy(clip, NOISE_DB / 2)):
                transcript = asyncio.run(transcribe(engine, variant, words=True))
                found += [(number, confidence, right) for confidence, right in right_words(variant, transcript)]
        if not found:
            continue
        clip_number, confidence, right = (np.array(column, float) for column in zip(*found, strict=True))
        confidence = confidence.clip(0.001, 0.999)  # they are rounded to three digits
        odds = ((np.log(confidence / (1 - confidence)) - used.offset) / used.slope).clip(-MAX_LOG_ODDS, MAX_LOG_ODDS)
        held_out = clip_number % 2 == 1
        claimed = 1 / (1 + np.exp(-odds))
        before, after = (calibration_error(shares[held_out], right[held_out]) for shares in (claimed, confidence))
        fit = fitted(odds[~held_out], right[~held_out])
        print(
            f"words {language}    {len(right)}, right {right.mean():.3f}; calibration error before {before:.3f}, after {after:.3f};"
            f" used {used.offset:.2f} + {used.slope:.2f} x, fit here {fit.offset:.2f} + {fit.slope:.2f} x",
            flush=True,
        )
    engine.close()


# --- Bias and language --------------------------------------------------------------------------------------------------------------


def bias(clips: Sequence[Clip]) -> None:
    """Measure biasing: recall of expected words among many unspoken ones, and items found in clips that order nothing."""
    engine = recogniser()
    book: MenuBook[DialogEngine] = MenuBook(ROOT / "menus", DialogEngine)
    book.refresh()
    pool = sorted({phrase for menu_id in book.menus for phrase in book.get(menu_id).vocabulary})
    pick = random.Random(3)  # noqa: S311 - the same each time
    for n_others in (0, 100, 1000):
        counts = Counter[tuple[str, str]]()
        for clip in clips:
            reference = words(clip.transcript, clip.language)
            spoken = [" ".join(reference[i : i + 2]) for i in range(0, len(reference), 2)]
            unspoken = [phrase for phrase in pool if not set(words(phrase, clip.language)) & set(reference)]
            single = [word for phrase in unspoken for word in phrase.split()]
            others = (
                [" ".join(pick.sample(single, 2)) for _ in range(n_others)] if n_others > len(unspoken) else pick.sample(unspoken, n_others)
            )
            phrases = pick.sample(spoken + others, len(spoken + others)) if n_others else []
            hypothesis = words(asyncio.run(transcribe(engine, clip, phrases=phrases))["text"], clip.language)
            foreign = {word for phrase in others for word in words(phrase, clip.language)} - set(reference)
            counts[clip.language, "spoken"] += len(reference)
            counts[clip.language, "recalled"] += sum((Counter(reference) & Counter(hypothesis)).values())
            counts[clip.language, "false"] += sum(word in foreign for word in hypothesis)
        for language in sorted({clip.language for clip in clips}):
            n_spoken, recalled, false = (counts[language, name] for name in ("spoken", "recalled", "false"))
            name = f"its words among {n_others}" if n_others else "no bias"
            print(f"bias {language}     {name}: recall {recalled / n_spoken:.4f}, words of others {false}", flush=True)
    for menu_id in book.menus:
        menu = book.get(menu_id)
        lines = named = 0
        for clip in clips:
            text = asyncio.run(transcribe(engine, clip, phrases=menu.vocabulary, menu=menu))["text"]
            lines += len(understand(menu, text)["lines"])
            named += len(understand(menu, clip.transcript)["lines"])
        print(
            f"bias        {menu.menu.id}: lines of {len(clips)} clips that order nothing {lines}, of their transcripts {named}", flush=True
        )
    engine.close()


def language(clips: Sequence[Clip]) -> None:
    """Measure language detection: out of the two languages, and out of all; print word errors and the latency of one caller."""
    engine = recogniser()
    modes: dict[str, Callable[[Clip], dict[str, Any]]] = {
        "given": lambda clip: {"language": clip.language},
        "vi or en": lambda _: {"languages": ("vi", "en")},
        "any": lambda _: {},
    }
    for name, mode in modes.items():
        right, total = Counter[str](), Counter[str]()
        texts: list[str] = []
        took_s: dict[str, list[float]] = {}
        for clip in clips:
            started = time.perf_counter()
            transcript = asyncio.run(engine.transcribe(pcm(clip), encoding="pcm_s16le", sample_rate=SAMPLE_RATE, **mode(clip)))
            took_s.setdefault(clip.language, []).append(time.perf_counter() - started)
            texts.append(transcript["text"])
            right[clip.language] += transcript["language"] == clip.language
            total[clip.language] += 1
        counts = "  ".join(f"{one} {right[one]}/{total[one]} p50_s {np.median(took_s[one]):.3f}" for one in sorted(total))
        print(f"language    {name}: {counts}  {word_error_rates(clips, texts)}", flush=True)
    engine.close()


# --- No speech ----------------------------------------------------------------------------------------------------------------------


def non_speech(generator: np.random.Generator) -> dict[str, Floats]:
    """Generate audio without speech, of random length and level, by kind."""
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
    """Count clips without speech in which words were recognised."""
    engine = recogniser()
    generator = np.random.default_rng(4)
    words_in, total = Counter[str](), Counter[str]()
    for _ in range(N_NON_SPEECH):
        for kind, waveform in non_speech(generator).items():
            for language in ("vi", "en"):
                clip = Clip(language, "", np.clip(waveform, -1, 1).astype(np.float32))
                words_in[kind] += bool(asyncio.run(transcribe(engine, clip))["text"])
                total[kind] += 1
    print("silence     with words:", "  ".join(f"{kind} {words_in[kind]}/{total[kind]}" for kind in total), flush=True)
    engine.close()


# --- Hostile audio ------------------------------------------------------------------------------------------------------------------


def decoding() -> None:
    """Time the decoding of invalid audio, and of files that expand."""
    make: Any = audio_files  # its functions have no types
    silence = make.encoded(np.zeros(3600 * 8_000, np.int16), container="ogg", codec="libopus", rate=8_000)
    cases = {
        "a data chunk of 4 GB": make.wav(make.tone(0.2)).replace(b"data" + (6400).to_bytes(4, "little"), b"data\xff\xff\xff\xff"),
        "0 channels": make.riff(make.wave_format(channels=0), make.DATA_CHUNK),
        "65535 channels": make.riff(make.wave_format(channels=65_535), make.DATA_CHUNK),
        "0 Hz": make.riff(make.wave_format(rate=0), make.DATA_CHUNK),
        "655350 Hz": make.riff(make.wave_format(rate=655_350), make.DATA_CHUNK),
        "an odd length": make.riff(make.wave_format(), (b"data", b"\0" * 1001)),
        "10,000 chunks": make.riff(make.wave_format(), *[(b"junk", b"")] * 10_000, make.DATA_CHUNK),
        "text": b"no audio at all " * 60_000,
        "a ZIP in front": b"PK\x03\x04" + make.wav(make.tone(0.2)),
        "cut off": make.wav(make.tone(60.0))[:-100],
        f"an hour of silence in {len(silence) / 1e6:.1f} MB Opus": silence,
        "10 s of wav": make.wav(make.tone(10.0)),
        "60 s of wav": make.wav(make.tone(60.0)),
    }
    for name, audio in cases.items():
        took = []
        outcome = ""
        for _ in range(5):
            started = time.perf_counter()
            try:
                outcome = (
                    f"{len(decode(audio, encoding='auto', sample_rate=None, channels=None, max_audio_s=300)) / SAMPLE_RATE:g} s of sound"
                )
            except ApiError as error:
                outcome = type(error).__name__
            took.append(time.perf_counter() - started)
        print(f"decoding    {name}: {outcome}, {np.median(took) * 1000:.2f} ms", flush=True)


def main() -> None:
    """Run the chosen measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--only", choices=["speed", "accuracy", "orders", "doubts", "confidence", "bias", "language", "silence", "decoding"]
    )
    parser.add_argument("--manifest", type=Path)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="use every N-th clip only")
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
