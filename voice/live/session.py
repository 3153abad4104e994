"""Turn the audio of one speaker into partial and final orders."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from errors import ApiError
from schemas import LiveEnd, LiveFinal, LiveLines, LivePartial, Order, Segment
from voice.asr.audio import Waveform
from voice.asr.transcript import round_segment
from voice.asr.vad import FRAME_SAMPLES, SPEECH_PROBABILITY, StreamingVad
from voice.dialog.turn import DialogEngine
from voice.live.decoder import STEP_S, text_of
from voice.live.endpointing import MAX_UTTERANCE_S, OnsetDetector, is_end
from voice.live.session_order import SessionOrder
from voice.live.utterance import EnginePair, Utterance

Event = LivePartial | LiveFinal | ApiError
Command = LiveLines | LiveEnd


class StreamingSession:
    """The state of one speaker: the order, and the utterance in progress. Not thread-safe: `advance` has one caller at a time."""

    def __init__(
        self,
        engines: EnginePair,
        languages: Sequence[str],
        current_engine: Callable[[], DialogEngine],
        *,
        max_utterance_s: float = MAX_UTTERANCE_S,
    ) -> None:
        """`languages`: candidates; empty: any. `current_engine` is called at each step, since menus change."""
        self.utterance: Utterance | None = None
        # "Ok" and a sole name belong to no language; the only one that is recognised decides.
        self.order = SessionOrder(current_engine, languages[0] if len(languages) == 1 else None)
        self.n_finals = 0
        self._engines, self._languages, self._max_utterance_s = engines, languages, max_utterance_s
        self._vad = StreamingVad()
        self._onset = OnsetDetector()
        self._n_samples = 0  # processed by the VAD
        self._remainder = np.zeros(0, np.float32)  # less than a frame
        self._undecoded: list[Waveform] = []  # frames of the utterance
        self._gain = np.float32(1)  # of the utterance
        self._last_partial: tuple[str, int, Order] | None = None  # text, stable characters, order

    @property
    def step_s(self) -> float:
        """Seconds of audio to collect before the next step."""
        return self.utterance.step_s if self.utterance else STEP_S

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
            return
        self._undecoded.append(frame)
        length = utterance.n_samples + len(self._undecoded) * FRAME_SAMPLES
        if is_speech:
            utterance.speech_end = length
        if is_end(length, utterance.speech_end, max_utterance_s=self._max_utterance_s):
            yield from self._finish(is_commanded=False)

    def _start(self, frame: Waveform, *, is_speech: bool) -> None:
        """Start an utterance if the frame completes an onset."""
        onset = self._onset.add(frame, is_speech=is_speech)
        if onset is None:
            return
        self._undecoded, self._gain = onset.frames, onset.gain
        length = len(onset.frames) * FRAME_SAMPLES
        start = self._n_samples - length
        self.utterance = Utterance(self._engines, self._languages, self.order.phrases, start=start, lead=onset.lead)
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
        if not (text := text_of(segments)):
            return
        order = self.order.parse(segments)
        last = self._last_partial
        if last is None or last[:2] != (text, stable) or last[2] is not order:
            self._last_partial = text, stable, order
            yield {"type": "partial", "text": text, "stable": stable, "lines": order["lines"], "total": order["total"]}

    def _finish(self, *, is_commanded: bool) -> Iterator[Event]:
        """End the utterance, if there is one, with a final; a command always causes a final."""
        utterance, self.utterance = self.utterance, None
        segments: list[Segment] = []
        if utterance:
            utterance.finish(self._take_undecoded())
            segments = [round_segment(segment, words=False) for segment in utterance.transcribe(self.order.score)]
        self._undecoded = []
        self._onset.clear()
        text = text_of(segments)
        if text or is_commanded or self._last_partial:
            order = self.order.parse(segments)
            if text:
                self.order.accept(order)
            self.n_finals += 1
            yield {
                "type": "final",
                "ended_by": "end" if is_commanded else "pause",
                "text": text,
                "language": utterance.language if utterance else None,
                "segments": segments,
                **order,
            }
        self._last_partial = None
