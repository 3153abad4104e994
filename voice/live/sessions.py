"""Understand an order while it is being spoken.

    sound, as it comes ─▶ who speaks when ─▶ an utterance, and the ear that hears it ─▶ text, and how much of it stays ─▶ the order so far

`Session` is what is known of one speaker; its `advance` takes a little more sound, blocks for as long as recognising takes, and says what
is new. `Talk` stands between a session and whoever holds the connection: it keeps bounded what comes in and what goes out, and asks the
recogniser for a turn for each step. `Live` is all talks of this process.

An utterance ends where nobody speaks for PAUSE_S, or when the speaker says so. What is told to be settled of a partial text stays: the
Vietnamese search gives the words that all of its readings share, Whisper those that two runs on more and more sound agreed on.
"""

import asyncio
import contextlib
import time
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import NamedTuple, cast

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from errors import ApiError, AudioTooLong, FieldError, ItemNotFound, Overloaded, RateLimited, ValidationFailed
from schemas import LineRequest, LiveEnd, LiveFinal, LiveLines, LiveOptions, LivePartial, Order, Segment, Word
from voice.asr import ctc_decoder
from voice.asr.audio import SAMPLE_RATE, RawStream, Waveform
from voice.asr.conformer import FRAME_SAMPLES as FEATURE_SAMPLES
from voice.asr.conformer import HOP_FRAMES, OVERLAP_FRAMES, REST_SAMPLES, SURE, TAIL_SAMPLES, Conformer, expected
from voice.asr.engine import DecodeJob, Engine
from voice.asr.recogniser import VIETNAMESE, Recogniser, tidy
from voice.asr.rescoring import OrderScorer, rescore
from voice.asr.vad import FRAME_SAMPLES, MARGIN_S, MIN_SPEECH_FRAMES, ONSET_LEVEL, SPEECH_PROBABILITY, Activity, speech_gain
from voice.asr.whisper import MAX_COMPRESSION
from voice.orders.confirmation import confirmed, is_doubtful
from voice.orders.engine import OrderEngine

# People who order think for half a second between two dishes; of 73 spoken sentences 5 hold a longer pause than this.
PAUSE_S = 0.7
# Whisper hears 30 s at once. From the first figure on a short pause will do, at the second an utterance is cut wherever it is.
LONG_S, MAX_UTTERANCE_S = 20.0, 28.0
SHORT_PAUSE_S = 0.2
# Speech begins where this many frames hold MIN_SPEECH_FRAMES of it: half a second.
ONSET_FRAMES = 16
MARGIN_FRAMES = round(MARGIN_S * SAMPLE_RATE / FRAME_SAMPLES)
MARGIN_SAMPLES = int(MARGIN_S * SAMPLE_RATE)
# What the Vietnamese network moves on by.
STEP_S = HOP_FRAMES * FEATURE_SAMPLES / SAMPLE_RATE
# Readings that differ in what was heard so many frames ago are decided between, and words that sound alike once so many words follow: of
# the letters of partial texts .68 are settled (.31 without both), at the same word error rate of finals; with two words .75.
COMMIT_FRAMES, SENSE_WORDS = 15, 3
# Whisper hears all that was said so far once there is so much speech, and then each time that so much more has come; later where its turns
# have to wait for those of others, by as long, and the longer all is. In half a second a first word is over.
FIRST_S, WHISPER_STEP_S, WHISPER_STEP_SHARE = 0.3, 0.6, 0.1
# All runs on the last so much sound have to agree (replayed, word error rate .104; .138 for two runs 0.4 s apart; .097 where nothing is
# settled), but for the last words of the shorter sound, which may have been cut off ("milk", and then "milkshake").
AGREEING_S, HELD_BACK = 0.8, 1
# A word that is less likely is not told before two runs have it: where sound is cut off, it is often another one.
LIKELY = 0.6
# Where the language is open, Whisper is asked after so long, unless the Vietnamese engine is sure of the little that it heard: slow words
# are few by then. It decides by itself on so many tokens: of 38 English clips none seems Vietnamese after three.
DECIDE_S, DECIDE_TOKENS = 2.0, 3

MARKS = ".,;:!?…"

# Of sound that was received and not heard yet; then nothing more is read from the connection.
MAX_WAITING_S = 4.0
MAX_STEP_S = 2.0
MAX_UNSENT = 16  # frames, before nothing more is heard
# Text of commands that wait to be executed; then nothing more is read from the connection. Parsed they take up to 15 times as much.
MAX_WAITING_BYTES = 64 * 1024
# Of one client, on all its connections: messages that have come in part or wait, commands, and the orders that commands have set.
# Four of the largest messages; 256 connections with the orders of as many tables take a tenth.
MAX_CLIENT_BYTES = 32 * 1024 * 1024
# A speaker whose sound stops coming has ended; a bad line stutters for less.
STALLED_S = 2.0
# Each costs some 100 KB, and its client holds at most half of them.
MAX_CONNECTIONS = 512

Event = LivePartial | LiveFinal | ApiError
Command = LiveLines | LiveEnd


# --- Ears ---------------------------------------------------------------------------------------------------------------------------


class VietnameseDecoder:
    """Hears Vietnamese as it is spoken, chunk by chunk."""

    def __init__(self, conformer: Conformer, phrases: Sequence[str], start_s: float) -> None:
        """Begin at `start_s`, the time of the first sample."""
        self.listening = conformer.listen(phrases, start_s)
        self._conformer, self._phrases = conformer, expected(phrases)
        self._chunks_before = self.listening.stream.chunks
        self._settled: list[tuple[str, float | None]] = []  # words with their confidences

    def hear(self, waveform: Waveform) -> None:
        """Hear more."""
        self.listening.stream.accept(waveform)
        self._read()

    def _read(self) -> None:
        self._conformer.hear([self.listening.stream])
        self.listening.read()
        search = self.listening.search
        search.commit(search.frames - COMMIT_FRAMES)

    def finish(self, rest: Waveform, spoken: int) -> None:
        """Hear the rest, unless speech, which ended at sample `spoken`, was heard with all that it takes to read it."""
        stream = self.listening.stream
        heard = ((stream.chunks - self._chunks_before) * HOP_FRAMES + OVERLAP_FRAMES) * FEATURE_SAMPLES
        if heard < spoken + TAIL_SAMPLES:
            stream.accept(rest, last=True)
            if stream.accepted + stream.silence - spoken < REST_SAMPLES:
                stream.rest()
            self._read()

    def read(self, judge: OrderScorer) -> list[Segment]:
        """Give what was heard, of words that sound alike those that make sense; and settle what will stay.

        What stays are words that all readings share, from when on no more of their sound can come; a word that sounds like others only
        once enough was said after it to tell which of them makes sense.
        """
        search = self.listening.search
        best = search.best()
        words = self._spell(best)
        for word, (text, confidence) in zip(words, self._settled, strict=False):
            word["word"], word["confidence"] = text, confidence
        found = ctc_decoder.alternatives(best, self._conformer.tokens, self._phrases)
        open_ = [alternative for alternative in found if alternative.place >= len(self._settled)]
        segments = ctc_decoder.segments(words)
        if open_:
            rescore(segments, open_, judge)
        heard = len(self._spell([token for token in best[: search.agreed()] if search.frames - token.frame > ctc_decoder.TOKEN_FRAMES]))
        early = min((alternative.place for alternative in open_ if alternative.place >= len(words) - SENSE_WORDS), default=heard)
        self._settled += [(word["word"], word["confidence"]) for word in words[len(self._settled) : min(heard, early)]]
        return segments

    def stable(self) -> int:
        """Count the characters that stay of what was read last."""
        return len(" ".join(text for text, _ in self._settled))

    def _spell(self, tokens: Sequence[ctc_decoder.Token]) -> list[Word]:
        return ctc_decoder.spell(tokens, self._conformer.tokens, start_s=self.listening.start_s, end_s=self.listening.end_s)


class WhisperDecoder:
    """Hears any language, all that was said again and again; what two runs agree on is the beginning of all later ones.

    Source: LocalAgreement-2, Liu et al. 2020, arXiv:2005.11185; Macháček et al. 2023, arXiv:2307.14743.
    """

    def __init__(self, whisper: Engine, languages: Sequence[str], phrases: Sequence[str], *, start_s: float, lead: int = 0) -> None:
        """`languages`: those that it may be; empty: any. `lead`: samples that come before the first speech."""
        self.language = languages[0] if len(languages) == 1 else None
        self._whisper, self._languages, self._phrases, self._start_s = whisper, languages, phrases, start_s
        self._sound: list[Waveform] = []
        self._segments: list[Segment] = []
        self._runs: deque[tuple[int, list[str]]] = deque()  # the last ones: how many samples, which words
        self._agreed = ""
        self._n_samples = 0
        self._next = lead + int(FIRST_S * SAMPLE_RATE)  # samples that the next run waits for
        self._heard = 0  # where speech ended that was heard with the quiet behind it

    @property
    def wants_s(self) -> float:
        """How much more sound the next run waits for."""
        return (self._next - self._n_samples) / SAMPLE_RATE

    def keep(self, waveform: Waveform) -> None:
        """Take more sound, for later."""
        self._sound.append(waveform)
        self._n_samples += len(waveform)

    def hear(self, waveform: Waveform, spoken: int, *, waited_s: float) -> None:
        """Hear more, once enough has come together; speech ends at sample `spoken`, and the turn for this had to wait for `waited_s`.

        Where nobody goes on to speak it is heard as if that were the end, which it mostly is.
        """
        self.keep(waveform)
        if self._n_samples >= spoken + MARGIN_SAMPLES:
            self.finish(spoken)
        elif self._n_samples >= self._next:
            self.run(draft=True)
            step_s = max(WHISPER_STEP_S + waited_s, WHISPER_STEP_SHARE * self._n_samples / SAMPLE_RATE)
            self._next = self._n_samples + int(step_s * SAMPLE_RATE)

    def finish(self, spoken: int) -> None:
        """Hear all speech, which ends at sample `spoken`, unless that was done."""
        if spoken > self._heard:
            self.run(spoken + MARGIN_SAMPLES)
            self._heard = spoken

    def run(self, n_samples: int | None = None, *, elsewhere: Sequence[str] = (), draft: bool = False) -> str | None:
        """Hear all, or the first `n_samples`; tell the language. What is in one of `elsewhere` is not written down."""
        self._sound = [np.concatenate(self._sound)] if self._sound else []
        window = self._sound[0][:n_samples] if self._sound else np.zeros(0, np.float32)
        if not window.size:
            return self.language
        hearing = DecodeJob(window, [(0, len(window))], languages=self._languages, elsewhere=elsewhere, phrases=self._phrases, draft=draft)
        hearing.language = self.language
        self._whisper.advance([hearing])
        if hearing.language in elsewhere:
            return hearing.language
        if self._n_samples >= DECIDE_S * SAMPLE_RATE:
            self.language = hearing.language
        self._agree(hearing)
        return hearing.language

    def _agree(self, hearing: DecodeJob) -> None:
        """Take what was heard now, after what is settled, and settle what was heard before, too."""
        if not hearing.segments:
            return
        before = self._runs[-1][1] if self._runs else []
        words = go_on(self._agreed.split(), _text(hearing.segments).split())
        if hearing.draft:
            # Marks and capitals come and go from run to run: but for the last one, a word stays as it was told.
            told = _text(self._segments).split()[:-1]
            same = (one if _core(one) == _core(word) else word for one, word in zip(told, words, strict=False))
            words = [*same, *words[len(told) :]]
        self._runs.append((self._n_samples, words))
        self._settle(words)
        text = self._draft(words, before, hearing.chances) if hearing.draft else " ".join(words)
        end_s = self._start_s + hearing.segments[-1]["end_s"]
        self._segments = [{**hearing.segments[0], "start_s": self._start_s, "end_s": end_s, "text": text}]

    def _settle(self, words: Sequence[str]) -> None:
        """Settle the first words if all runs on the last sound agree on them."""
        enough = self._n_samples - int(AGREEING_S * SAMPLE_RATE)
        while len(self._runs) > 1 and self._runs[1][0] <= enough:
            self._runs.popleft()
        if self.language is None or self._runs[0][0] > enough or _loops(words):
            return
        runs = [heard for _, heard in self._runs]
        alike = (len(set(map(_core, same))) == 1 for same in zip(*runs, strict=False))
        whole = min(map(len, runs)) - HELD_BACK
        agreed = [word for word, _ in zip(words[:whole], takewhile(bool, alike), strict=False)]
        if len(agreed) > len(self._agreed.split()):
            self._agreed = " ".join(agreed).rstrip(MARKS + " ")

    def _draft(self, words: Sequence[str], before: Sequence[str], chances: Sequence[float]) -> str:
        """Give the text up to the first word that is neither settled nor likely nor heard `before`; `chances`: of the last words.

        The mark behind the last word is a guess, and left out.
        """
        place = len(self._agreed.split())
        while place < len(words) and (
            chances[place - len(words)] >= LIKELY or (place < len(before) and _core(before[place]) == _core(words[place]))
        ):
            place += 1
        return " ".join(words[:place]).rstrip(MARKS + " ")

    def segments(self) -> list[Segment]:
        """Give what was heard."""
        return self._segments

    def stable(self) -> int:
        """Count the characters that stay."""
        return len(self._agreed)


def go_on(settled: Sequence[str], heard: Sequence[str]) -> list[str]:
    """Say what was settled, and go on with what was heard after it: where the two agree best, by edit distance."""
    if not settled:
        return list(heard)
    distances = list(range(len(heard) + 1))
    for number, word in enumerate(settled, 1):
        corner, distances[0] = distances[0], number
        for place, other in enumerate(heard, 1):
            change = corner + (_core(word) != _core(other))
            corner, distances[place] = distances[place], min(distances[place] + 1, distances[place - 1] + 1, change)
    after = min(range(len(heard) + 1), key=lambda place: (distances[place], abs(place - len(settled))))
    words = [*settled, *heard[after:]]
    if after and _core(heard[after - 1]) == _core(settled[-1]):
        words[len(settled) - 1] += heard[after - 1][len(heard[after - 1].rstrip(MARKS)) :]
    return words


def _loops(words: Sequence[str]) -> bool:
    written = " ".join(words).encode()
    return len(written) > MAX_COMPRESSION * len(zlib.compress(written))


def _core(word: str) -> str:
    """Leave out what comes and goes with the words around: the mark behind it, and capitals."""
    return word.rstrip(MARKS).casefold()


def _text(segments: Sequence[Segment]) -> str:
    return " ".join(segment["text"] for segment in segments)


# --- Utterances ---------------------------------------------------------------------------------------------------------------------


class Utterance:
    """Something that is being said."""

    def __init__(
        self, engines: tuple[Engine | None, Engine], languages: Sequence[str], phrases: Sequence[str], *, start: int, lead: int
    ) -> None:
        """`start` is its first sample, counted from the session's, and speech begins `lead` later. `languages`: those that it may be in."""
        vietnamese, whisper = engines
        start_s = start / SAMPLE_RATE
        self.language: str | None = languages[0] if len(languages) == 1 else None
        self.n_samples = 0
        self.spoken = 0  # the sample where speech ends, as far as is known
        self._vietnamese = VietnameseDecoder(cast("Conformer", vietnamese), phrases, start_s) if vietnamese else None
        is_vietnamese = self._vietnamese is not None and self.language == VIETNAMESE
        self._whisper = None if is_vietnamese else WhisperDecoder(whisper, languages, phrases, start_s=start_s, lead=lead)

    @property
    def seconds(self) -> float:
        """Its length so far."""
        return self.n_samples / SAMPLE_RATE

    @property
    def weight(self) -> float:
        """How much is heard for each second that comes: Whisper hears all again."""
        return 1.0 if self._whisper is None else max(1.0, self.seconds / WHISPER_STEP_S)

    @property
    def wants_s(self) -> float:
        """How much more sound should come before it is looked at: where Whisper can soon hear more, no more than it takes."""
        whisper_s = self._whisper.wants_s if self._whisper and not self._vietnamese else 0.0
        return whisper_s if 0 < whisper_s < STEP_S else STEP_S

    def hear(self, waveform: Waveform, *, waited_s: float) -> None:
        """Hear more; the turn for this had to wait for `waited_s`."""
        self.n_samples += len(waveform)
        if self._vietnamese:
            self._vietnamese.hear(waveform)
            if self._whisper:
                self._whisper.keep(waveform)
                self._decide(sure_after=DECIDE_TOKENS, last=False)
        elif self._whisper:
            self._whisper.hear(waveform, self.spoken, waited_s=waited_s)
            self.language = self._whisper.language

    def finish(self, waveform: Waveform) -> None:
        """Hear the end."""
        rest = waveform[: max(0, self.spoken + MARGIN_SAMPLES - self.n_samples)]
        self.n_samples += len(rest)
        if self._vietnamese:
            self._vietnamese.finish(rest, self.spoken)
            if self._whisper:
                self._whisper.keep(rest)
                self._decide(sure_after=0, last=True)
        elif self._whisper:
            self._whisper.keep(rest)
            self._whisper.finish(self.spoken)
            self.language = self._whisper.language

    def _decide(self, *, sure_after: int, last: bool) -> None:
        """Keep one ear: Vietnamese where its own engine is sure, else what Whisper takes it for."""
        if self._vietnamese is None or self._whisper is None:
            return
        listening = self._vietnamese.listening
        sure = listening.confidence() >= SURE
        if sure and listening.n_heard >= sure_after:
            self.language, self._whisper = VIETNAMESE, None
        elif last or (self.seconds >= DECIDE_S and not sure):
            self.language = self._whisper.run(elsewhere=(VIETNAMESE,))
            if self.language == VIETNAMESE:
                self._whisper = None
            else:
                self._vietnamese = None

    def segments(self, judge: OrderScorer) -> list[Segment]:
        """Give what was heard, of words that sound alike those that make sense; nothing while it may be another language."""
        if self._vietnamese and (self._whisper is None or self._vietnamese.listening.confidence() >= SURE):
            return self._vietnamese.read(judge)
        return self._whisper.segments() if self._whisper else []

    def stable(self) -> int:
        """Count the characters of the text that stay."""
        if self._vietnamese and self._whisper:
            return 0
        ear = self._vietnamese or self._whisper
        return ear.stable() if ear else 0


# --- Sessions -----------------------------------------------------------------------------------------------------------------------


class Session:
    """What is known of one speaker: who blocks in `advance` is its only caller at that time."""

    def __init__(self, engines: tuple[Engine | None, Engine], languages: Sequence[str], current_menu: Callable[[], OrderEngine]) -> None:
        """`engines`: the Vietnamese one, where it may be needed, and Whisper. `languages`: what may be spoken; empty: anything."""
        self.utterance: Utterance | None = None
        self.lines: Sequence[LineRequest] = ()
        self.n_finals = 0
        self._engines, self._languages = engines, languages
        self._current_menu, self._menu = current_menu, current_menu()
        self._activity = Activity()
        self._n_samples = 0  # judged so far
        self._rest = np.zeros(0, np.float32)  # too short to be judged
        # While nobody speaks: the last frames, each with whether it is speech.
        self._quiet: deque[tuple[Waveform, bool]] = deque(maxlen=MARGIN_FRAMES + ONSET_FRAMES)
        self._fresh: list[Waveform] = []  # of the utterance, not heard yet
        self._gain = np.float32(1)  # of the utterance
        self._told: tuple[str, int, Order] | None = None  # text, characters that stay, order
        # Text and whether it is doubtful, order before, order after.
        self._understood: tuple[tuple[str, bool], Sequence[LineRequest], Order] | None = None

    @property
    def wants_s(self) -> float:
        """How much more sound should come before the next step."""
        return self.utterance.wants_s if self.utterance else STEP_S

    def advance(self, waveform: Waveform, command: Command | None = None, *, waited_s: float = 0.0) -> list[Event]:
        """Hear more sound, then carry out the command, and say what is new; the turn for this had to wait for `waited_s`.

        Raises:
            MenuNotFound: the menu is not served any more.

        """
        events = self._follow_menu()
        waveform = np.concatenate([self._rest, waveform])
        if isinstance(command, LiveEnd):
            waveform = np.pad(waveform, (0, -len(waveform) % FRAME_SAMPLES))
        whole = len(waveform) - len(waveform) % FRAME_SAMPLES
        self._rest = waveform[whole:]
        probabilities = self._activity.hear(waveform[:whole])
        for frame, probability in zip(waveform[:whole].reshape(-1, FRAME_SAMPLES), probabilities, strict=True):
            self._n_samples += FRAME_SAMPLES
            events += self._hear(frame, is_speech=bool(probability >= SPEECH_PROBABILITY))
        if isinstance(command, LiveEnd):
            events += self._finish(asked=True)
        elif isinstance(command, LiveLines):
            events += self._set_lines(command.lines)
        if self.utterance:
            events += self._go_on(self.utterance, waited_s)
        return events

    def stall(self) -> list[Event]:
        """End the utterance: its sound has stopped to come."""
        return [*self._follow_menu(), *self._finish(asked=False)]

    def _follow_menu(self) -> list[Event]:
        """Go on with the menu that is served now; report what it no longer has of the order so far."""
        menu = self._current_menu()
        if menu is self._menu:
            return []
        self._menu, self._understood = menu, None
        self.lines, errors = sold_lines(menu, self.lines)
        return [ItemNotFound("The menu has changed: it no longer has a part of the order.", errors)] if errors else []

    def _set_lines(self, lines: Sequence[LineRequest]) -> list[Event]:
        """Take lines as the order so far, or report what the menu does not have of them."""
        try:
            self._menu.price(lines)
        except ValidationFailed as error:
            return [error.with_traceback(None)]  # which holds the lines
        self.lines = lines
        return []

    def _hear(self, frame: Waveform, *, is_speech: bool) -> Iterator[Event]:
        utterance = self.utterance
        if utterance is None:
            self._quiet.append((frame, is_speech))
            if is_speech and sum(speech for _, speech in list(self._quiet)[-ONSET_FRAMES:]) >= MIN_SPEECH_FRAMES:
                self._begin()
            return
        self._fresh.append(frame)
        length = utterance.n_samples + len(self._fresh) * FRAME_SAMPLES
        if is_speech:
            utterance.spoken = length
        pause_s, length_s = (length - utterance.spoken) / SAMPLE_RATE, length / SAMPLE_RATE
        if pause_s >= (PAUSE_S if length_s < LONG_S else SHORT_PAUSE_S) or length_s >= MAX_UTTERANCE_S:
            yield from self._finish(asked=False)

    def _begin(self) -> None:
        """Begin an utterance, a little before its first speech."""
        frames = list(self._quiet)
        onset = max(0, len(frames) - ONSET_FRAMES)
        first = next(place for place, (_, speech) in enumerate(frames) if speech and place >= onset)
        begin = max(0, first - MARGIN_FRAMES)
        self._fresh = [frame for frame, _ in frames[begin:]]
        are_speech = np.array([is_speech for _, is_speech in frames[begin:]], np.float32)
        self._gain = speech_gain(np.concatenate(self._fresh), are_speech, level=ONSET_LEVEL)
        self._quiet.clear()
        n_fresh = len(self._fresh) * FRAME_SAMPLES
        start, lead = self._n_samples - n_fresh, (first - begin) * FRAME_SAMPLES
        self.utterance = Utterance(self._engines, self._languages, self._menu.vocabulary, start=start, lead=lead)
        self.utterance.spoken = n_fresh

    def _go_on(self, utterance: Utterance, waited_s: float) -> Iterator[Event]:
        """Hear what has come; say what is new about text or order."""
        if self._fresh:
            utterance.hear(np.concatenate(self._fresh) * self._gain, waited_s=waited_s)
            self._fresh = []
        segments, stable = utterance.segments(self._judge), utterance.stable()
        if not (text := _text(segments)):
            return
        order = self._understand(segments)
        if self._told is None or self._told[:2] != (text, stable) or self._told[2] is not order:
            self._told = text, stable, order
            yield {"type": "partial", "text": text, "stable": stable, "lines": order["lines"], "total": order["total"]}

    def _finish(self, *, asked: bool) -> Iterator[Event]:
        """End the utterance, if there is one; who `asked` for it is answered in any case."""
        utterance, self.utterance = self.utterance, None
        segments: list[Segment] = []
        if utterance:
            utterance.finish(np.concatenate(self._fresh) * self._gain if self._fresh else np.zeros(0, np.float32))
            segments = [tidy(segment, words=False) for segment in utterance.segments(self._judge)]
        self._fresh = []
        self._quiet.clear()
        text = _text(segments)
        if text or asked or self._told:
            order = self._understand(segments)
            self.lines = [LineRequest.model_validate(line) for line in order["lines"]]
            self.n_finals += 1
            yield {
                "type": "final",
                "ended_by": "end" if asked else "pause",
                "text": text,
                "language": utterance.language if utterance else None,
                "segments": segments,
                **order,
            }
        self._told = None

    def _judge(self, text: str) -> float | None:
        return self._menu.score(text, self.lines)

    def _understand(self, segments: Sequence[Segment]) -> Order:
        """Read the words against the lines so far, unless that was done just before."""
        words = _text(segments), is_doubtful(segments)
        if self._understood and self._understood[0] == words and self._understood[1] is self.lines:
            return self._understood[2]
        order = self._menu.understand(words[0], self.lines)
        order = confirmed(order, self._menu.price(self.lines), segments, self._menu.menu.languages)
        self._understood = words, self.lines, order
        return order


def sold_lines(menu: OrderEngine, lines: Sequence[LineRequest]) -> tuple[Sequence[LineRequest], list[FieldError]]:
    """Return the lines without the items and options that the menu does not have, and an error for each of those."""
    try:
        menu.price(lines)
    except ValidationFailed:
        pass
    else:
        return lines, []
    sold, errors = [], list[FieldError]()
    for number, line in enumerate(lines):
        bare = line.model_copy(update={"options": []})
        unsold = _price_errors(menu, bare)
        options = (
            [] if unsold else [(option, _price_errors(menu, bare.model_copy(update={"options": [option]}))) for option in line.options]
        )
        if not unsold:
            sold.append(line.model_copy(update={"options": [option for option, missing in options if not missing]}))
        errors += [{**error, "loc": ["lines", number, "item"]} for error in unsold]
        errors += [
            {**error, "loc": ["lines", number, "options", place, *error["loc"][4:]]}
            for place, (_, missing) in enumerate(options)
            for error in missing
        ]
    return sold, errors


def _price_errors(menu: OrderEngine, line: LineRequest) -> Sequence[FieldError]:
    try:
        menu.price([line])
    except ValidationFailed as error:
        return error.errors
    return ()


# --- Talks --------------------------------------------------------------------------------------------------------------------------


class Metrics:
    """What speaking live tells about itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.talks = Gauge("voice_live_sessions", "Connections on which somebody may speak", registry=registry, multiprocess_mode="livesum")
        self.delay = Histogram(
            "voice_live_seconds",
            "From the arrival of sound to what was understood of it",
            ("type",),
            buckets=(0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10),
            registry=registry,
        )
        self.ended = Counter("voice_live_ended", "Connections that ended", ("reason",), registry=registry)
        self.audio = Counter("voice_live_audio_seconds", "Sound received", registry=registry)


def too_much_held() -> RateLimited:
    """Say that a client has reached MAX_CLIENT_BYTES."""
    return RateLimited(1, "Too much that this client has sent waits on its connections.")


class Waiting(NamedTuple):
    """Sound or a command that waits for a turn; None: the end."""

    came: Waveform | Command | None
    at: float
    n_bytes: int = 0  # of a command


@dataclass(eq=False)
class LiveConnection:
    """A session and its connection: what waits to be heard, and what waits to be sent."""

    live: "LiveSessions"
    session: Session
    client: str
    sound: RawStream
    received_s: float = 0.0
    ended_by: ApiError | None = None  # None: the service is being stopped, or the other side has left
    stopped: bool = False
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    buffered_bytes: int = 0  # of messages that have come in part, or are being taken
    _state_bytes: int = 0  # of the command that set the order
    _waiting: deque[Waiting] = field(default_factory=deque)
    _came_samples: int = 0  # counted where sound comes,
    _heard_samples: int = 0  # and on the thread that takes it out
    _came_bytes: int = 0  # of commands, likewise
    _heard_bytes: int = 0
    _owed_s: float = 0.0  # heard, and not counted for a turn yet
    _unsent: deque[Event] = field(default_factory=deque)
    _through: bool = False  # nothing more will be said

    async def take(self, audio: bytes) -> None:
        """Take sound, of any length, and wait while too much of it waits.

        Raises:
            AudioTooLong: it is more than one connection may bring.

        """
        for start in range(0, len(audio), self.sound.bytes_s):
            piece = audio[start : start + self.sound.bytes_s]
            seconds = len(piece) / self.sound.bytes_s
            self.received_s += seconds
            self.live.metrics.audio.inc(seconds)
            if self.received_s > self.live.max_audio_s:
                message = f"More than {self.live.max_audio_s:g} s of sound came."
                raise AudioTooLong(message)
            await self._put(self.sound.accept(piece))

    async def command(self, command: Command, n_bytes: int) -> None:
        """Enqueue a command of `n_bytes` of text behind the sound that came before it, and wait while too much waits.

        Raises:
            RateLimited: this client's connections hold too much.

        """
        if self.is_over_limit(n_bytes):
            raise too_much_held()
        await self._put(command, n_bytes)
        if isinstance(command, LiveLines):
            self._state_bytes = n_bytes

    async def _put(self, came: Waveform | Command, n_bytes: int = 0) -> None:
        async with self._changed:
            await self._changed.wait_for(self._has_room)
            self._waiting.append(Waiting(came, time.monotonic(), n_bytes))
            self._came_samples += len(came) if isinstance(came, np.ndarray) else 0
            self._came_bytes += n_bytes
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._waiting_s < MAX_WAITING_S and self._waiting_bytes < MAX_WAITING_BYTES and len(self._unsent) < MAX_UNSENT

    @property
    def _waiting_s(self) -> float:
        return (self._came_samples - self._heard_samples) / SAMPLE_RATE

    @property
    def _waiting_bytes(self) -> int:
        return self._came_bytes - self._heard_bytes

    @property
    def held_bytes(self) -> int:
        """What this connection holds of its client's MAX_CLIENT_BYTES."""
        return self.buffered_bytes + self._waiting_bytes + self._state_bytes

    def is_over_limit(self, more_bytes: int = 0) -> bool:
        """Return whether the connections of this client hold too much; where this one holds little, they are not summed up."""
        over = self.held_bytes + more_bytes > MAX_WAITING_BYTES
        return over and self.live.held_bytes(self.client) + more_bytes > MAX_CLIENT_BYTES

    async def refuse(self, error: ApiError) -> None:
        """Report a message that is not carried out, once there is room: nothing more is read before."""
        async with self._changed:
            await self._changed.wait_for(self._has_room)
        await self.tell(error)

    async def tell(self, event: Event) -> None:
        """Send something, when its turn comes; a partial takes the place of one that was not sent yet."""
        async with self._changed:
            last = self._unsent[-1] if self._unsent else None
            if not isinstance(event, ApiError) and not isinstance(last, ApiError) and last and event["type"] == last["type"] == "partial":
                self._unsent[-1] = event
            else:
                self._unsent.append(event)
            self._changed.notify_all()

    async def stop(self, error: ApiError | None = None) -> None:
        """End, because of an error or because the service is being stopped; what has come is still heard, and answered."""
        async with self._changed:
            if not self.stopped:
                self.stopped, self.ended_by = True, error
                self._waiting.append(Waiting(None, time.monotonic()))
                self._changed.notify_all()

    async def look(self) -> None:
        """Look whether the service is being stopped."""
        async with self._changed:
            self._changed.notify_all()

    async def events(self) -> AsyncIterator[Event]:
        """Give what is to be sent, until the talk is through."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._unsent or self._through)
                if not self._unsent:
                    return
                event = self._unsent.popleft()
                self._changed.notify_all()
            yield event

    async def run(self) -> None:
        """Hear what comes, step by step, until the talk is stopped."""
        try:
            while not (self.stopped and not self._waiting) and not self._may_go():
                await self._step()
        except ApiError as error:
            self.stopped, self.ended_by = True, error
        finally:
            async with self._changed:
                self._through = True
                self._changed.notify_all()

    def _may_go(self) -> bool:
        """Tell whether the service is being stopped, and nobody is in the middle of something."""
        return self.live.draining and not self.session.utterance and not self._waiting

    def _is_asked(self) -> bool:
        return any(not isinstance(waiting.came, np.ndarray) for waiting in self._waiting.copy())

    def _is_due(self) -> bool:
        enough = self._is_asked() or self._waiting_s >= self.session.wants_s or (self.live.draining and not self.session.utterance)
        return enough and len(self._unsent) < MAX_UNSENT

    async def _step(self) -> None:
        """Wait for enough sound, or a command, or too long; then hear what has come by the time that it is this talk's turn."""
        session, stalled = self.session, True
        with contextlib.suppress(TimeoutError):
            async with self._changed, asyncio.timeout(STALLED_S if session.utterance else None):
                await self._changed.wait_for(self._is_due)
                stalled = False
        asked_at = time.monotonic()
        weight = session.utterance.weight if session.utterance else 1.0
        counted_s = min(self._waiting_s + self._owed_s, MAX_STEP_S)

        def work() -> tuple[list[Event], float, float]:
            waited_s = time.monotonic() - asked_at
            sound, command, came_at = self._pick()
            events = session.advance(sound, command, waited_s=waited_s)
            ends = not self._waiting and (self.stopped or (stalled and not len(sound)))
            return events + session.stall() if ends else events, len(sound) / SAMPLE_RATE, came_at

        events, heard_s, came_at = await self.live.recogniser.take_turn(
            work, seconds=weight * counted_s, client=self.client, hurries=self._is_asked
        )
        self._owed_s += heard_s - counted_s
        async with self._changed:
            self._changed.notify_all()
        for event in events:
            if not isinstance(event, ApiError):
                self.live.metrics.delay.labels(event["type"]).observe(time.monotonic() - came_at)
            await self.tell(event)

    def _pick(self) -> tuple[Waveform, Command | None, float]:
        """Take sound out, up to the next command and one step's worth; tell when the last of it came. On the thread of the turn."""
        pieces: list[Waveform] = [np.zeros(0, np.float32)]
        picked, came_at = 0, time.monotonic()
        while self._waiting and picked < MAX_STEP_S * SAMPLE_RATE:
            came, came_at, n_bytes = self._waiting.popleft()
            self._heard_bytes += n_bytes
            if not isinstance(came, np.ndarray):
                return np.concatenate(pieces), came, came_at
            pieces.append(came)
            picked += len(came)
            self._heard_samples += len(came)
        return np.concatenate(pieces), None, came_at


class LiveSessions:
    """All talks of this process."""

    def __init__(self, recogniser: Recogniser, *, max_audio_s: float, registry: CollectorRegistry) -> None:
        """`max_audio_s`: of one connection."""
        self.recogniser = recogniser
        self.max_audio_s = max_audio_s
        self.metrics = Metrics(registry)
        self.draining = False
        self._talks: set[LiveConnection] = set()
        self._tasks: set[asyncio.Future[None]] = set()

    @contextlib.contextmanager
    def talk(self, current_menu: Callable[[], OrderEngine], options: LiveOptions, client: str) -> Iterator[LiveConnection]:
        """Let somebody speak; `current_menu` is asked again and again, as menus change.

        Raises:
            Overloaded: the models are not loaded, too much waits, there are too many talks, or the service is being stopped.
            ValidationFailed: the language is none that can be recognised.

        """
        languages = self.recogniser.candidates(options.language, current_menu().menu.languages)
        engines = self.recogniser.engines(languages)
        self.recogniser.refuse_when_full(client)
        own = sum(talk.client == client for talk in self._talks)
        if self.draining or len(self._talks) >= MAX_CONNECTIONS or own >= MAX_CONNECTIONS // 2:
            message = "The service is being stopped." if self.draining else "Too many are speaking."
            raise Overloaded(5, message)
        sound = RawStream(encoding=options.encoding, sample_rate=options.sample_rate)
        talk = LiveConnection(self, Session(engines, languages, current_menu), client, sound)
        self._talks.add(talk)
        self.metrics.talks.set(len(self._talks))
        try:
            yield talk
        finally:
            self._talks.discard(talk)
            self.metrics.talks.set(len(self._talks))

    def held_bytes(self, client: str) -> int:
        """Sum up what a client's connections hold."""
        return sum(talk.held_bytes for talk in self._talks if talk.client == client)

    def drain(self, within_s: float) -> None:
        """Take nobody in any more; end each talk between two utterances, or `within_s` from now."""
        self.draining = True
        self._for_each(LiveConnection.look)
        asyncio.get_running_loop().call_later(within_s, self._for_each, LiveConnection.stop)

    def _for_each(self, do: Callable[[LiveConnection], Coroutine[None, None, None]]) -> None:
        for talk in self._talks:
            task = asyncio.ensure_future(do(talk))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
