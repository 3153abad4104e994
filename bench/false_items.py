"""Count the items that recognition and parser find in speech that orders nothing, by language: one line for each condition.

    .venv/bin/python -m bench.false_items MANIFEST.jsonl --menus FILE_OR_DIR...
                                          [--condition clean noise start detected] [--every N] [--show]

Every clip of kind "read" ({"file", "language", "transcript"}) is recognised with the words of every menu, and understood as the first
utterance of a conversation. An item is false unless the transcript has its name or an alias. "asked": turns that ask about an item instead
of adding it. Conditions: clean; noise: white, 10 dB; start: the first 0.3 to 1.5 s of the clip, as an utterance that is cut too early;
detected: clean, the language not given but one of Vietnamese and English.
"""

import argparse
import asyncio
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import yaml

from bench.speech import CALLERS, Clip, load, noisy, pcm, recogniser, words
from schemas import Order
from voice.asr.recogniser import Recogniser
from voice.asr.waveform import SAMPLE_RATE
from voice.dialog.turn import DialogEngine
from voice.menus.menu import Menu
from voice.orders.confirmation import is_recognition_uncertain

CONDITIONS = ("clean", "noise", "start", "detected")
MIN_START_S, MAX_START_S = 0.3, 1.5
S_PER_HOUR = 3600


@dataclass(frozen=True)
class Outcome:
    """The words and the turn of one clip with one menu."""

    clip: Clip
    menu: Menu
    text: str
    order: Order

    def false_items(self) -> list[str]:
        """Return the items of the order that the transcript does not name."""
        spoken = " ".join(["", *words(self.clip.transcript, self.clip.language), ""])
        return [line["item"] for line in self.order["lines"] if not any(name in spoken for name in self._names(line["item"]))]

    def _names(self, item_id: str) -> Iterator[str]:
        item = self.menu.items[item_id]
        for name in (item.name, *item.aliases):
            yield " ".join(["", *words(name, self.clip.language), ""])


def varied(clip: Clip, condition: str) -> Clip:
    """Return the clip as it sounds under a condition."""
    if condition == "noise":
        return noisy(clip)
    if condition == "start":
        length_s = random.Random(len(clip.waveform)).uniform(MIN_START_S, MAX_START_S)  # noqa: S311 - the same each time
        return replace(clip, waveform=clip.waveform[: int(length_s * SAMPLE_RATE)])
    return clip


async def outcomes(engine: Recogniser, clips: Sequence[Clip], engines: Sequence[DialogEngine], condition: str) -> list[Outcome]:
    """Recognise and understand every clip with every menu."""
    found: list[Outcome] = []
    waiting = iter([(clip, menu) for menu in engines for clip in clips])

    async def caller() -> None:
        for clip, menu in waiting:
            is_given = condition != "detected"
            transcript = await engine.transcribe(
                pcm(clip),
                encoding="pcm_s16le",
                sample_rate=SAMPLE_RATE,
                language=clip.language if is_given else None,
                languages=() if is_given else ("vi", "en"),
                phrases=menu.phrases(),
                scorer=menu.score,
            )
            is_uncertain = is_recognition_uncertain(transcript["segments"])
            order = menu.take_turn(transcript["text"], is_spoken=True, is_uncertain=is_uncertain)
            found.append(Outcome(clip, menu.menu, transcript["text"], order))

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return found


def figures(found: Sequence[Outcome], condition: str, *, show: bool) -> None:
    """Print the figures of a condition, and with `show` the clips with false items."""
    seconds: dict[str, float] = {}
    counts = Counter[tuple[str, str]]()
    for outcome in found:
        false = outcome.false_items()
        is_asked = any(question["kind"] in {"check", "ambiguous"} for question in outcome.order["questions"])
        for language in (outcome.clip.language, "all"):
            seconds[language] = seconds.get(language, 0.0) + outcome.clip.seconds
            counts[language, "false"] += len(false)
            counts[language, "asked"] += is_asked
        if false and show:
            print(f"   {outcome.menu.id} {false}: said {outcome.clip.transcript!r}, recognised {outcome.text!r}", flush=True)
    for language in sorted(seconds):
        hours, false_items, asked = seconds[language] / S_PER_HOUR, counts[language, "false"], counts[language, "asked"]
        rate = f"{false_items / hours:.1f} an hour"
        print(f"false items {language:3} {condition:8}  {false_items} in {hours:.2f} h, {rate}; asked {asked}", flush=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--menus", type=Path, nargs="+", required=True)
    parser.add_argument("--condition", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    parser.add_argument("--every", type=int, default=1, metavar="N", help="use every N-th clip only")
    parser.add_argument("--show", action="store_true", help="print the clips with false items")
    arguments = parser.parse_args()
    files = [file for path in arguments.menus for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    menus = [DialogEngine(Menu.model_validate(yaml.safe_load(file.read_text("utf-8")))) for file in files]
    clips = load(arguments.manifest)[:: arguments.every]
    engine = recogniser()
    for condition in arguments.condition:
        found = asyncio.run(outcomes(engine, [varied(clip, condition) for clip in clips], menus, condition))
        figures(found, condition, show=arguments.show)
    engine.close()


if __name__ == "__main__":
    main()
