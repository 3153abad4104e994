"""Recognise Vietnamese: a streaming Conformer with CTC scores, on onnxruntime.

The network hears 0.43 s at a time, every 0.4 s, and carries what it needs of the past in two caches; so audio of any length has no seam.
It gives the log probability of each token for each 40 ms.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import kaldi_native_fbank
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from voice import ctc
from voice.audio import SAMPLE_RATE, Waveform
from voice.hearing import Hearing

Floats = NDArray[np.float32]

N_MELS: Final = 80
CHUNK_FRAMES, HOP_FRAMES = 43, 40  # of 10 ms: what the network hears at a time, and how far it moves
CHUNK_SCORES: Final = 10
ATTENTION_SHAPE, CONVOLUTION_SHAPE = (1, 12, 4, 40, 224), (1, 12, 448, 30)  # the caches: batch, layers, ...
# log of float32's epsilon: what the filter bank makes of digital silence
SILENCE: Final = np.float32(np.log(np.finfo(np.float32).eps))
# The network was trained on speech that is under way; with empty caches it mishears the first words. 1.6 s of silence heard before each
# clip halve the errors (WER .093 -> .044 on 62 clips; 0.4 s: .071, 0.8 s: .052, 4 s: .046) and cost nothing: their caches are kept.
LEAD_CHUNKS = 4
# The mean probability of the tokens it heard: of 43 English clips none reaches it, of 73 Vietnamese ones 61.
SURE = 0.93


class Conformer:
    """The Vietnamese engine; its one session is run by several threads at once."""

    name = "conformer"
    # What another client may have to wait for at least; the caches carry over, so that a cut costs nothing.
    max_piece_s = 10.0
    max_batch = 1

    def __init__(self, directory: Path) -> None:
        """Load model.onnx and tokens.txt."""
        self._tokens = [line.rsplit(" ", 1)[0] for line in (directory / "tokens.txt").read_text("utf-8").splitlines()]
        options = onnxruntime.SessionOptions()
        # One thread a run: several runs at once use the cores better than one run on several.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(directory / "model.onnx", options, providers=["CPUExecutionProvider"])
        silence = np.full((LEAD_CHUNKS * HOP_FRAMES + CHUNK_FRAMES - HOP_FRAMES, N_MELS), SILENCE, np.float32)
        self._lead = Stream(self._session, 0, np.zeros(ATTENTION_SHAPE, np.float32), np.zeros(CONVOLUTION_SHAPE, np.float32))
        self._lead.hear(silence)

    def stream(self) -> "Stream":
        """Begin to hear a clip."""
        return Stream(self._session, self._lead.chunks, self._lead.attention, self._lead.convolution)

    def check(self, languages: Sequence[str]) -> None:
        """Take Vietnamese alone; the recogniser asks for nothing else."""

    def go_together(self, first_s: float, second_s: float) -> bool:  # noqa: ARG002 - the seam's
        """Each goes by itself: four together gain nothing that is worth the wait."""
        return False

    def advance(self, hearings: Sequence[Hearing]) -> None:
        """Hear the next piece of each; the words come with the last."""
        for hearing in hearings:
            start, end = hearing.pieces[0]
            if hearing.state is None:
                hearing.state = (self.stream(), start / SAMPLE_RATE)
            stream, start_s = cast("tuple[Stream, float]", hearing.state)
            stream.accept(hearing.waveform[start:end])
            if len(hearing.pieces) == 1:
                hearing.segments = ctc.segments(ctc.greedy(stream.finish(), self._tokens, start_s=start_s))
            hearing.pieces.pop(0)
            if hearing.language is None and (confidence := ctc.confidence(stream.scores())) >= SURE:
                hearing.language, hearing.language_confidence = "vi", confidence


class Stream:
    """One clip as it is heard: features that wait for their chunk, the caches, the scores so far."""

    def __init__(self, session: onnxruntime.InferenceSession, chunks: int, attention: Floats, convolution: Floats) -> None:
        """`chunks` were heard before, the caches are what they left."""
        self.chunks, self.attention, self.convolution = chunks, attention, convolution
        self._session = session
        self._filter_bank = _filter_bank()
        self._taken = 0
        self._waiting = np.zeros((0, N_MELS), np.float32)
        self._scores: list[Floats] = []

    def accept(self, waveform: Waveform) -> None:
        """Hear more; any length."""
        self._filter_bank.accept_waveform(SAMPLE_RATE, waveform * np.float32(32768))
        self._take_features()

    def finish(self) -> Floats:
        """Hear the end, and give all scores, shape (n_frames, n_tokens)."""
        self._filter_bank.input_finished()
        self._take_features()
        overlap = CHUNK_FRAMES - HOP_FRAMES
        missing = max(CHUNK_FRAMES - len(self._waiting), 0) if len(self._waiting) > overlap or not self._scores else 0
        if missing:
            self.hear(np.full((missing, N_MELS), SILENCE, np.float32))
        return self.scores()

    def scores(self) -> Floats:
        """Give the scores so far, shape (n_frames, n_tokens)."""
        return np.concatenate(self._scores) if self._scores else np.zeros((0, 1), np.float32)

    def hear(self, features: Floats) -> None:
        """Run the network on each chunk that is whole; shape (n_frames, 80)."""
        waiting = np.concatenate([self._waiting, features])
        while len(waiting) >= CHUNK_FRAMES:
            scores, self.attention, self.convolution = self._session.run(
                None,
                {
                    "chunk": waiting[np.newaxis, :CHUNK_FRAMES],
                    "offset": np.array([[self.chunks * CHUNK_SCORES]], np.int64),
                    "att_cache": self.attention,
                    "cnn_cache": self.convolution,
                },
            )
            self._scores.append(scores[0])
            self.chunks += 1
            waiting = waiting[HOP_FRAMES:]
        self._waiting = waiting

    def _take_features(self) -> None:
        ready = self._filter_bank.num_frames_ready
        if ready > self._taken:
            self.hear(np.stack([self._filter_bank.get_frame(i) for i in range(self._taken, ready)]))
            self._filter_bank.pop(ready - self._taken)
            self._taken = ready


def _filter_bank() -> kaldi_native_fbank.OnlineFbank:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = SAMPLE_RATE
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = N_MELS
    return kaldi_native_fbank.OnlineFbank(options)
