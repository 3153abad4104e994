"""Compare the pauses that end an utterance: the share of clips that are cut too early against the wait at their end.

    .venv/bin/python -m bench.endpointing CLIPS.jsonl [...] --menus DIR [--menu ID] [--every N] [--fixed .3 .5 .7 1] [--hesitate S]

Each row of CLIPS.jsonl is {"file", "language", "menu"}; files are relative to it; --menu: of rows without one. Each clip runs through a
streaming session once, without a server, with silence after it. "inside", "ends": the completeness of the utterances at pauses inside their
clips and at the end. Then a row for each rule: the service's, and fixed pauses; "cut": the share of clips that end at a pause inside;
"wait": from the end of speech to the decision, in seconds of audio. --hesitate: each clip is cut at its longest inner pause, or where it is
quietest, and goes on after so many seconds.
"""

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from bench.speech import read_wav, recogniser
from voice.asr.audio import SAMPLE_RATE, Waveform
from voice.asr.recogniser import Recogniser
from voice.asr.vad import FRAME_SAMPLES, speech_probabilities, speech_span
from voice.dialog.completeness import Completeness
from voice.dialog.turn import DialogEngine
from voice.live.endpointing import MIN_PAUSE_S, PAUSES_S
from voice.live.session import StreamingSession
from voice.menus.loading import MenuBook

STEP_SAMPLES = 3 * FRAME_SAMPLES
SILENT_S = 2.0  # after a clip
NEVER = dict.fromkeys(Completeness, math.inf)


class Moment(NamedTuple):
    """A time within a pause."""

    pause_s: float
    completeness: Completeness


Pause = list[Moment]


def hesitating(waveform: Waveform, pause_s: float) -> Waveform:
    """Return a clip with a pause at the quietest tenth of a second of the middle half of its speech."""
    start, end = speech_span(speech_probabilities(waveform), len(waveform)) or (0, len(waveform))
    quarter = (end - start) // 4
    middle = waveform[start + quarter : end - quarter]
    loudness = np.convolve(middle**2, np.ones(SAMPLE_RATE // 10), mode="valid")
    at = start + quarter + int(loudness.argmin()) + SAMPLE_RATE // 20
    return np.concatenate([waveform[:at], np.zeros(int(pause_s * SAMPLE_RATE), np.float32), waveform[at:]])


def pauses_of(waveform: Waveform, language: str, engine: DialogEngine, engines: Recogniser) -> list[Pause]:
    """Return the pauses of a clip, the last one behind its speech; none without speech."""
    session = StreamingSession(engines.select_engines((language,)), (language,), lambda: engine, pauses_s=NEVER)
    padded = np.concatenate([waveform, np.zeros(int(SILENT_S * SAMPLE_RATE), np.float32)])
    pauses: dict[int, Pause] = {}  # by the sample at which they begin
    for start in range(0, len(padded), STEP_SAMPLES):
        session.advance(padded[start : start + STEP_SAMPLES])
        utterance = session.utterance
        if utterance is not None and utterance.n_samples > utterance.speech_end:
            moment = Moment((utterance.n_samples - utterance.speech_end) / SAMPLE_RATE, session.completeness)
            pauses.setdefault(utterance.speech_end, []).append(moment)
    return list(pauses.values())


def end_s(pause: Pause, pauses_s: Mapping[Completeness, float]) -> float:
    """Return when a pause ends the utterance, in seconds from its beginning; infinite: it does not."""
    return next((moment.pause_s for moment in pause if moment.pause_s >= pauses_s[moment.completeness]), math.inf)


def report(name: str, clips: Sequence[list[Pause]], pauses_s: Mapping[Completeness, float]) -> None:
    """Print a row."""
    cut = sum(any(end_s(pause, pauses_s) < math.inf for pause in inner) for *inner, _ in clips)
    waits = [end_s(last, pauses_s) for *_, last in clips]
    print(f"  {name:12} cut {cut / len(clips):.3f}  wait p50 {np.median(waits):.2f} p95 {np.percentile(waits, 95):.2f} s", flush=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--menus", type=Path, required=True)
    parser.add_argument("--menu", help="of rows without one; without it they are left out")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="use every N-th clip only")
    parser.add_argument("--fixed", type=float, nargs="+", default=[0.3, 0.5, 0.7, 1.0], metavar="S")
    parser.add_argument("--hesitate", type=float, metavar="S")
    arguments = parser.parse_args()
    book: MenuBook[DialogEngine] = MenuBook(arguments.menus, partial(DialogEngine))
    book.refresh()
    engines = recogniser()
    found: dict[str, list[list[Pause]]] = {}
    for path in arguments.clips:
        rows = [row for row in map(json.loads, path.read_text("utf-8").splitlines()) if row.get("menu") or arguments.menu]
        for row in rows[:: arguments.every]:
            waveform = read_wav(path.parent / row["file"])
            if arguments.hesitate:
                waveform = hesitating(waveform, arguments.hesitate)
            pauses = pauses_of(waveform, row["language"], book.get(row.get("menu") or arguments.menu), engines)
            if pauses:
                found.setdefault(row["language"], []).append(pauses)
    engines.close()
    for language, clips in found.items():
        inside = Counter(pause[-1].completeness.name.lower() for *inner, _ in clips for pause in inner if pause[-1].pause_s >= MIN_PAUSE_S)
        ends = Counter(last[-1].completeness.name.lower() for *_, last in clips)
        print(f"{language}: {len(clips)} clips, inside {dict(inside)}, ends {dict(ends)}")
        report("by parse", clips, PAUSES_S)
        for pause_s in arguments.fixed:
            report(f"fixed {pause_s:g} s", clips, dict.fromkeys(Completeness, pause_s))


if __name__ == "__main__":
    main()
