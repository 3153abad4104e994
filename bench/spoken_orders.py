"""Count spoken orders with the right result, clean and in noise: one line for each signal-to-noise ratio.

    .venv/bin/python -m bench.spoken_orders ORDERS.jsonl --menus DIR [--noise FILE] [--snr clean 24 12 6] [--every N] [--greedy]

Each row of ORDERS.jsonl is {"file", "menu", "language", "lines"}; files are relative to it. An order is right if its items, quantities
and options are right; one that is asked about instead is not. "s": wall time of recognition, one clip after another; --greedy: without
rescoring. Noise is scaled by the loudest 2,048 samples of clip and noise (source: Picovoice's speech-to-intent benchmark).
"""

import argparse
import asyncio
import json
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from bench.orders import comparable
from bench.speech import Clip, pcm, read_wav, recogniser
from voice.asr.audio import SAMPLE_RATE, Waveform
from voice.dialog.turn import DialogEngine
from voice.menus.loading import MenuBook
from voice.orders.confirmation import is_recognition_uncertain

LOUDNESS_SAMPLES = 2048
NOISE_STEP = 7919  # samples: each clip gets another part of the noise


def loudness(waveform: Waveform) -> float:
    """Return the energy of the loudest frame."""
    n_frames = max(1, waveform.size // LOUDNESS_SAMPLES)
    return float((np.resize(waveform, (n_frames, LOUDNESS_SAMPLES)).astype(np.float64) ** 2).sum(axis=1).max())


def with_noise(waveform: Waveform, noise: Waveform, snr_db: float, number: int) -> Waveform:
    """Mix a clip with noise at a signal-to-noise ratio; the peak becomes 0.5."""
    start = number * NOISE_STEP % (noise.size - waveform.size)
    part = noise[start : start + waveform.size]
    mixed = waveform + np.sqrt(loudness(waveform) / (loudness(part) * 10 ** (snr_db / 10))) * part
    return np.asarray(mixed / (2 * np.abs(mixed).max()), np.float32)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("orders", type=Path)
    parser.add_argument("--menus", type=Path, required=True)
    parser.add_argument("--noise", type=Path)
    parser.add_argument("--snr", nargs="+", default=["clean"], metavar="DB")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="use every N-th order only")
    parser.add_argument("--greedy", action="store_true")
    arguments = parser.parse_args()
    book: MenuBook[DialogEngine] = MenuBook(arguments.menus, partial(DialogEngine))
    book.refresh()
    rows = list(enumerate(map(json.loads, arguments.orders.read_text("utf-8").splitlines())))[:: arguments.every]
    noise = read_wav(arguments.noise) if arguments.noise else None
    engine = recogniser()
    for snr in arguments.snr:
        n_right, wall_s = 0, 0.0
        for number, row in rows:
            waveform, menu = read_wav(arguments.orders.parent / row["file"]), book.get(row["menu"])
            if snr != "clean" and noise is not None:
                waveform = with_noise(waveform, noise, float(snr), number)
            work = engine.transcribe(
                pcm(Clip(row["language"], "", waveform)),
                encoding="pcm_s16le",
                sample_rate=SAMPLE_RATE,
                language=row["language"],
                phrases=menu.phrases(),
                scorer=None if arguments.greedy else menu.score,
            )
            began = time.perf_counter()
            transcript = asyncio.run(work)
            wall_s += time.perf_counter() - began
            is_uncertain = is_recognition_uncertain(transcript["segments"])
            order = menu.take_turn(transcript["text"], is_spoken=True, is_uncertain=is_uncertain)
            n_right += comparable(order["lines"]) == comparable(row["lines"])
        print(f"spoken orders {snr:>5}   right {n_right}/{len(rows)} ({n_right / len(rows):.3f})   {wall_s:.1f} s", flush=True)
    engine.close()


if __name__ == "__main__":
    main()
