"""Turn the audio of one speaker into partial and final orders."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypedDict

import numpy as np

from errors import ApiError
from schemas import LiveEnd, LiveFinal, LiveLines, LivePartial, Order, Segment
from voice.asr.audio import SAMPLE_RATE, Waveform
from voice.asr.transcript import round_segment, text_of
from voice.asr.vad import FRAME_SAMPLES, SPEECH_PROBABILITY, StreamingVad
from voice.dialog.completeness import Completeness
from voice.dialog.turn import DialogEngine
from voice.live.decoder import STEP_S
from voice.live.endpointing import MAX_UTTERANCE_S, MIN_PAUSE_S, PAUSES_S, OnsetDetector, is_end
from voice.live.session_order import Record, SessionOrder
from voice.live.utterance import EnginePair, Utterance


class SpeechChange(TypedDict):
    """An utterance has started, or has ended; emitted if the session reports speech, after the final if there is one."""

    type: Literal["speech"]
    is_started: bool


class TypedAnswer(NamedTuple):
    """Words of the caller that were not spoken, such as a pressed key; they end the utterance and are a turn of their own."""

    text: str


Event = LivePartial | LiveFinal | SpeechChange | ApiError
Command = LiveLines | LiveEnd | TypedAnswer


class StreamingSession:
    """The state of one speaker: the order, and the utterance in progress. Not thread-safe: `advance` has one caller at a time."""

    def __init__(  # noqa: PLR0913 - options with defaults
        self,
        engines: EnginePair,
        languages: Sequence[str],
        current_engine: Callable[[], DialogEngine],
        *,
        max_utterance_s: float = MAX_UTTERANCE_S,
        reports_speech: bool = False,
        pauses_s: Mapping[Completeness, float] = PAUSES_S,
        record: Record | None = None,
    ) -> None:
        """`languages`: candidates; empty: any. `current_engine` is called at each step, since menus change.

        `reports_speech`: emit a `SpeechChange` when an utterance starts and ends. `pauses_s`: that end an utterance.
        `record`: as of `SessionOrder`.
        """
        self.utterance: Utterance | None = None
        self.completeness = Completeness.UNDECIDED  # of the utterance, in a pause
        # "Ok" and a sole name belong to no language; the only one that is recognised decides.
        self.order = SessionOrder(current_engine, languages[0] if len(languages) == 1 else None, record)
        self.n_finals = 0
        self._engines, self._languages, self._max_utterance_s, self._pauses_s = engines, languages, max_utterance_s, pauses_s
        self._reports_speech = reports_speech
        self._vad = StreamingVad()
        self._onset = OnsetDetector()
        self._n_samples = 0  # processed by the VAD
        self._remainder = np.zeros(0, np.float32)  # less than a frame
        self._undecoded: list[Waveform] = []  # frames of the utterance
        self._gain = np.float32(1)  # of the utterance
        self._spoken_language: str | None = None  # of the last utterance
        self._judged_at = -1  # end of the speech whose completeness was judged
        self._last_partial: tuple[str, int, Order] | None = None  # text, stable characters, order

    @property
    def step_s(self) -> float:
        """Seconds of audio to collect before the next step: up to the next decision about the end, if there is a pause."""
        utterance = self.utterance
        if not utterance:
            return STEP_S
        pause_s = utterance.seconds - utterance.speech_end / SAMPLE_RATE
        decisions_s = (decision_s - pause_s for decision_s in (MIN_PAUSE_S, self._pauses_s[self.completeness]))
        next_s = min((missing_s for missing_s in decisions_s if missing_s > 0), default=STEP_S) if pause_s > 0 else STEP_S
        return min(utterance.step_s, max(next_s, FRAME_SAMPLES / SAMPLE_RATE))

    def advance(self, waveform: Waveform, command: Command | None = None, *, waited_s: float = 0.0) -> list[Event]:
        """Decode more audio, execute the command, return the new events; blocks while the models run.

        `waited_s`: time this step was queued.

        Raises:
            MenuNotFound: the menu is no longer served.

        """
        events: list[Event] = [*self.order.follow_menu()]
        waveform = np.concatenate([self._remainder, waveform])
        if isinstance(command, LiveEnd):
            waveform = np.pad(waveform, (0, -len(waveform) % FRAME_SAMPLES))
        n_whole = len(waveform) - len(waveform) % FRAME_SAMPLES
        self._remainder = waveform[n_whole:]
        probabilities = self._vad.accept(waveform[:n_whole])
        for frame, probability in zip(waveform[:n_whole].reshape(-1, FRAME_SAMPLES), probabilities, strict=True):
            events += self._add_frame(frame, is_speech=bool(probability >= SPEECH_PROBABILITY))
        if isinstance(command, LiveEnd):
            events += self._finish(is_commanded=True)
        elif isinstance(command, LiveLines):
            events += self.order.set_state(command)
        elif isinstance(command, TypedAnswer):
            events += self._take(command.text)
        if self.utterance:
            events += self._decode(self.utterance, waited_s)
        return events

    def stall(self) -> list[Event]:
        """End the utterance because no more audio arrives."""
        return [*self.order.follow_menu(), *self._finish(is_commanded=False)]

    def _add_frame(self, frame: Waveform, *, is_speech: bool) -> Iterator[Event]:
        """Start, continue or end the utterance with a frame."""
        self._n_samples += FRAME_SAMPLES
        utterance = self.utterance
        if utterance is None:
            self._start(frame, is_speech=is_speech)
            if self.utterance and self._reports_speech:
                yield {"type": "speech", "is_started": True}
            return
        self._undecoded.append(frame)
        length = utterance.n_samples + len(self._undecoded) * FRAME_SAMPLES
        if is_speech:
            utterance.speech_end = length
            self.completeness = Completeness.UNDECIDED
        if self._is_end(length, utterance):
            yield from self._finish(is_commanded=False)

    def _is_end(self, length: int, utterance: Utterance) -> bool:
        max_pause_s = self._pauses_s[self.completeness]
        return is_end(length, utterance.speech_end, max_pause_s=max_pause_s, max_utterance_s=self._max_utterance_s)

    def _start(self, frame: Waveform, *, is_speech: bool) -> None:
        """Start an utterance if the frame completes an onset."""
        onset = self._onset.add(frame, is_speech=is_speech)
        if onset is None:
            return
        self._undecoded, self._gain = onset.frames, onset.gain
        length = len(onset.frames) * FRAME_SAMPLES
        start = self._n_samples - length
        self.utterance = Utterance(
            self._engines, self._languages, self.order.phrases, start=start, lead=onset.lead, expected=self._spoken_language
        )
        self.utterance.speech_end = length

    def _take_undecoded(self) -> Waveform:
        waveform = np.concatenate(self._undecoded) * self._gain if self._undecoded else np.zeros(0, np.float32)
        self._undecoded = []
        return waveform

    def _decode(self, utterance: Utterance, waited_s: float) -> Iterator[Event]:
        """Decode the collected frames; emit a partial if the text or the order has changed."""
        if self._undecoded:
            utterance.decode(self._take_undecoded(), waited_s=waited_s)
        segments, stable = utterance.transcribe(self.order.score), utterance.stable_chars
        if text := text_of(segments):
            order = self.order.parse(segments)
            last = self._last_partial
            if last is None or last[:2] != (text, stable) or last[2] is not order:
                self._last_partial = text, stable, order
                yield {"type": "partial", "text": text, "stable": stable, "lines": order["lines"], "total": order["total"]}
        if utterance.n_samples - utterance.speech_end >= MIN_PAUSE_S * SAMPLE_RATE:
            yield from self._judge_pause(utterance)

    def _judge_pause(self, utterance: Utterance) -> Iterator[Event]:
        """Judge once in a pause how complete the utterance is, and end it if the pause is long enough for that."""
        if self._judged_at != utterance.speech_end:
            self._judged_at = utterance.speech_end
            self.completeness = self.order.completeness(utterance.transcribe_pause())
        if self._is_end(utterance.n_samples, utterance):
            yield from self._finish(is_commanded=False)

    def _finish(self, *, is_commanded: bool) -> Iterator[Event]:
        """End the utterance, if there is one, with a final; a command always causes a final."""
        utterance, self.utterance = self.utterance, None
        self.completeness, self._judged_at = Completeness.UNDECIDED, -1
        segments: list[Segment] = []
        if utterance:
            utterance.finish(self._take_undecoded())
            segments = [round_segment(segment, words=False) for segment in utterance.transcribe(self.order.score)]
        self._undecoded = []
        self._onset.clear()
        text = text_of(segments)
        if utterance and text:
            self._spoken_language = utterance.language
        if text or is_commanded or self._last_partial:
            yield self._final(text, segments, utterance.language if utterance else None, is_commanded=is_commanded)
        self._last_partial = None
        if utterance and self._reports_speech:
            yield {"type": "speech", "is_started": False}

    def _take(self, text: str) -> Iterator[Event]:
        """End the utterance, then take the turn of a text."""
        yield from self._finish(is_commanded=False)
        segments: list[Segment] = [{"start_s": 0.0, "end_s": 0.0, "text": text, "confidence": None}]
        yield {**self._final(text, segments, None, is_commanded=True), "segments": []}

    def _final(self, text: str, segments: list[Segment], language: str | None, *, is_commanded: bool) -> LiveFinal:
        """Take a turn and return its final."""
        order = self.order.parse(segments)
        self.order.accept(order)
        self.n_finals += 1
        ended_by: Literal["pause", "end"] = "end" if is_commanded else "pause"
        return {"type": "final", "ended_by": ended_by, "text": text, "language": language, "segments": segments, **order}
