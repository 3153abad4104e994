"""Decode mutated recordings, and print the outcomes.

    .venv/bin/python -m bench.fuzz [--count 300] [--seed 1]

Files of every container are encoded, then cut, spliced or repeated, or their bits or length fields are changed. Each must be decoded or
rejected with AudioInvalid or AudioTooLong. A memory limit turns a decompression bomb into an error. A file contains the last mutant, in
case the decoder crashes. Prints one figure a line, and one JSON object at the end.
"""

import argparse
import io
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).parent.parent))

import av
import numpy as np
from numpy.typing import NDArray

from errors import AudioInvalid, AudioTooLong
from schemas import Encoding
from voice.asr.audio import SAMPLE_RATE, decode

# Container, codec, sample rate in Hz and layout of phones, browsers, desktops and the telephone network.
FORMS = (
    ("wav", "pcm_s16le", 16_000, "mono"),
    ("wav", "pcm_f32le", 48_000, "stereo"),
    ("wav", "pcm_mulaw", 8_000, "mono"),
    ("flac", "flac", 44_100, "stereo"),
    ("ogg", "libopus", 48_000, "mono"),
    ("matroska", "aac", 44_100, "stereo"),
    ("webm", "libopus", 48_000, "stereo"),
    ("mp3", "libmp3lame", 22_050, "mono"),
    ("mp4", "aac", 44_100, "stereo"),
    ("mp4", "alac", 44_100, "mono"),
)
MAX_AUDIO_S = 5.0
# The memory limit: many times the need of five seconds of audio.
MAX_MEMORY_BYTES = 2 * 2**30
ODD_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ORDERS: tuple[Literal["little", "big"], ...] = ("little", "big")
ENCODINGS: tuple[Encoding, ...] = ("auto", "auto", "auto", "pcm_s16le", "mulaw", "alaw")


def recording(container: str, codec: str, rate: int, layout: str) -> bytes:
    """Encode two seconds of a chirp."""
    seconds = np.arange(2 * rate) / rate
    sound = (12_000 * np.sin(2 * np.pi * (200 + 200 * seconds) * seconds)).astype(np.int16)
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate, layout=layout)
        context = stream.codec_context
        frame = av.AudioFrame.from_ndarray(sound[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=context.format, layout=layout, rate=rate, frame_size=context.frame_size)
        for ready in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(ready))
        output.mux(stream.encode(None))
    return file.getvalue()


def mutant(audio: bytes, other: bytes, chance: np.random.Generator) -> bytes:
    """Change a recording in one to four ways."""
    changed = np.frombuffer(audio, np.uint8).copy()
    for _ in range(chance.integers(1, 5)):
        changed = CHANGES[chance.integers(len(CHANGES))](changed, np.frombuffer(other, np.uint8), chance)
        if not changed.size:
            break
    return changed.tobytes()


Bytes = NDArray[np.uint8]


def place(sound: Bytes, chance: np.random.Generator) -> int:
    """Choose an offset; half of them in the head, which has the tables."""
    return int(chance.integers(min(len(sound), 512) if chance.random() < 0.5 else len(sound)))  # noqa: PLR2004 - half


def flip_bits(sound: Bytes, _: Bytes, chance: np.random.Generator) -> Bytes:
    """Flip a few bits."""
    for at in [place(sound, chance) for _ in range(chance.integers(1, 9))]:
        sound[at] ^= 1 << chance.integers(8)
    return sound


def scatter(sound: Bytes, _: Bytes, chance: np.random.Generator) -> Bytes:
    """Replace a hundredth of the bytes by noise."""
    places = chance.integers(len(sound), size=max(1, len(sound) // 100))
    sound[places] = chance.integers(256, size=len(places))
    return sound


def put_number(sound: Bytes, _: Bytes, chance: np.random.Generator) -> Bytes:
    """Write a boundary value over a possible length field."""
    width, order = int(chance.choice([1, 2, 4, 8])), ORDERS[chance.integers(2)]
    at = place(sound, chance)
    number = ODD_NUMBERS[chance.integers(len(ODD_NUMBERS))] % 256**width
    written = np.frombuffer(number.to_bytes(width, order), np.uint8)[: len(sound) - at]
    sound[at : at + len(written)] = written
    return sound


def cut_off(sound: Bytes, _: Bytes, chance: np.random.Generator) -> Bytes:
    """Remove the end."""
    return sound[: place(sound, chance)]


def cut_out(sound: Bytes, _: Bytes, chance: np.random.Generator) -> Bytes:
    """Remove a part."""
    at = place(sound, chance)
    return np.concatenate([sound[:at], sound[at + chance.integers(1, 2000) :]])


def repeat(sound: Bytes, _: Bytes, chance: np.random.Generator) -> Bytes:
    """Repeat a part."""
    at, length = place(sound, chance), int(chance.integers(1, 2000))
    return np.concatenate([sound[:at], np.tile(sound[at : at + length], chance.integers(2, 50)), sound[at:]])


def splice(sound: Bytes, other: Bytes, chance: np.random.Generator) -> Bytes:
    """Continue with a part of another file."""
    return np.concatenate([sound[: place(sound, chance)], other[place(other, chance) :]])


CHANGES = (flip_bits, flip_bits, scatter, put_number, put_number, put_number, cut_off, cut_out, repeat, splice)


def outcome(audio: bytes, chance: np.random.Generator) -> str:
    """Decode a mutant, and return the outcome; raise every other exception."""
    encoding = ENCODINGS[chance.integers(len(ENCODINGS))]
    sample_rate = None if encoding == "auto" and chance.random() < 0.7 else int(chance.choice([8_000, 16_000, 44_100, 48_000]))  # noqa: PLR2004
    try:
        waveform = decode(audio, encoding=encoding, sample_rate=sample_rate, channels=None, max_audio_s=MAX_AUDIO_S)
    except (AudioInvalid, AudioTooLong) as error:
        return type(error).__name__
    # The last frame may exceed the limit.
    bounded = len(waveform) <= (MAX_AUDIO_S + 1) * SAMPLE_RATE
    return "sound" if bounded and waveform.ndim == 1 and np.abs(waveform).max() <= 1 else "wrong sound"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "mutant.bin", help="the file of the last mutant")
    arguments = parser.parse_args()
    chance = np.random.default_rng(arguments.seed)
    recordings = [recording(*form) for form in FORMS]
    for audio in recordings:  # the decoders allocate some memory once
        decode(audio, encoding="auto", sample_rate=None, channels=None, max_audio_s=MAX_AUDIO_S)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes: Counter[str] = Counter()
    slowest_s = 0.0
    for number in range(arguments.count):
        audio = mutant(recordings[number % len(FORMS)], recordings[chance.integers(len(FORMS))], chance)
        arguments.keep.write_bytes(audio)
        began_s = time.process_time()
        outcomes[outcome(audio, chance)] += 1
        slowest_s = max(slowest_s, time.process_time() - began_s)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"fuzz   {arguments.count} mutants: {', '.join(f'{name} {count}' for name, count in sorted(outcomes.items()))}")
    print(f"fuzz   slowest {1000 * slowest_s:.0f} ms of processor, memory grew by {grown:.0f} MiB at most")
    print(json.dumps({"outcomes": outcomes, "slowest_s": slowest_s, "grown_mib": grown}))


if __name__ == "__main__":
    main()
