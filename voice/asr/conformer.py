"""The Vietnamese engine: a streaming Conformer with CTC, on onnxruntime.

The network takes chunks of 0.43 s, every 0.4 s, and carries its left context in two caches, so that audio of any length is decoded
without seams. Output: the log probability of each token for each frame of 40 ms.
"""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

import kaldi_native_fbank
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from voice.asr import ctc_decoder
from voice.asr.engine import DecodeJob
from voice.asr.vad import speech_end
from voice.asr.waveform import SAMPLE_RATE, Waveform

Floats = NDArray[np.float32]

N_MELS: Final = 80
CHUNK_FRAMES, HOP_FRAMES = 43, 40  # of 10 ms: the network's input, and the step to the next
FRAME_SAMPLES: Final = SAMPLE_RATE // 100
WINDOW_SAMPLES: Final = SAMPLE_RATE * 25 // 1000  # of a feature frame
OVERLAP_FRAMES: Final = CHUNK_FRAMES - HOP_FRAMES
CHUNK_OUTPUTS: Final = 10  # output frames for each chunk
ATTENTION_SHAPE, CONVOLUTION_SHAPE = (1, 12, 4, 40, 224), (1, 12, 448, 30)  # caches: batch, layers, ...
# Log mel energy of digital silence: log of float32's epsilon.
SILENCE: Final = np.float32(np.log(np.finfo(np.float32).eps))
# The network was trained on continuous speech: with empty caches it misrecognises the first words. The caches after 1.6 s of silence halve
# the errors (WER .093 -> .044 on 62 clips; 0.4 s: .071, 0.8 s: .052, 4 s: .046) and cost nothing: they are computed once.
WARM_UP_CHUNKS = 4
# Geometric mean of the best tokens' probabilities: 0 of 43 English clips reach it, 61 of 73 Vietnamese clips.
MIN_VIETNAMESE_CONFIDENCE = 0.93
# Context after the end of speech; with less, last syllables are lost.
TAIL_SAMPLES = SAMPLE_RATE // 4
# Trailing audio louder than this share of the peak is kept. Three word errors of 23 were word ends that the VAD had missed, or a last word
# without a pause behind it, which the network emits only in the next chunk.
MAX_CUT_LEVEL = 0.15
MIN_PADDING_SAMPLES = SAMPLE_RATE * 15 // 100
# Biasing towards phrases includes biasing towards quantities.
QUANTITIES = ("một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín", "mười")


class Conformer:
    """The Vietnamese engine; several threads run its one session."""

    name = "conformer"
    # Bounds the time for which a piece delays other clients; the caches carry over, so that a cut costs nothing.
    max_piece_s = 10.0
    # Batching does not save time (0.093 s a second of audio, alone or four at once) and makes clips wait.
    max_batch = 1

    def __init__(self, directory: Path) -> None:
        """Load model.onnx and tokens.txt."""
        self.vocabulary = [line.rsplit(" ", 1)[0] for line in (directory / "tokens.txt").read_text("utf-8").splitlines()]
        self._session = _load_session(directory / "model.onnx")
        self._warm = EncoderStream(0, np.zeros(ATTENTION_SHAPE, np.float32), np.zeros(CONVOLUTION_SHAPE, np.float32))
        self._warm.features = np.full((WARM_UP_CHUNKS * HOP_FRAMES + OVERLAP_FRAMES, N_MELS), SILENCE, np.float32)
        self.encode([self._warm])

    def check_languages(self, languages: Sequence[str]) -> None:
        """Accept all: the recogniser selects this engine for Vietnamese only."""

    def can_batch(self, first_s: float, second_s: float) -> bool:  # noqa: ARG002 - the protocol's
        """Return False; see `max_batch`."""
        return False

    def advance(self, jobs: Sequence[DecodeJob]) -> None:
        """Decode the next piece of each job; segments are set with the last piece."""
        streams = []
        for job in jobs:
            start, end = job.pieces[0]
            if job.state is None:
                job.state = self.start_decoding(job.phrases, start / SAMPLE_RATE)
            stream = cast("DecoderState", job.state).stream
            if len(job.pieces) > 1:
                stream.accept(job.waveform[start:end])
            else:
                end = self._cut_silence(job, stream, start, end)
                stream.accept(job.waveform[start:end], is_last=True)
                if end - (speech_end(job.speech) or 0) + stream.n_padding_samples < MIN_PADDING_SAMPLES:
                    stream.pad_chunk()
            streams.append(stream)
        self.encode(streams)
        for job in jobs:
            job.pieces.pop(0)
            self._decode(job)

    def _decode(self, job: DecodeJob) -> None:
        state = cast("DecoderState", job.state)
        state.advance()
        if not job.pieces:
            tokens = state.search.best_tokens()
            words = ctc_decoder.to_words(tokens, self.vocabulary, start_s=state.start_s, end_s=state.end_s)
            job.segments = ctc_decoder.to_segments(words)
            job.alternatives = ctc_decoder.word_alternatives(tokens, self.vocabulary, with_quantities(job.phrases))
        if job.language is None and (confidence := state.confidence()) >= MIN_VIETNAMESE_CONFIDENCE:
            job.language, job.language_confidence = "vi", confidence

    def _cut_silence(self, job: DecodeJob, stream: "EncoderStream", start: int, end: int) -> int:
        """Return the sample at which the last piece ends, so that trailing silence does not begin another chunk."""
        n_samples = stream.n_samples + end - start
        excess = (n_samples - (OVERLAP_FRAMES + 2) * FRAME_SAMPLES) % (HOP_FRAMES * FRAME_SAMPLES)
        spoken = speech_end(job.speech)
        if spoken is None or not spoken + TAIL_SAMPLES <= end - excess > start:
            return end
        # The VAD misses quiet word ends on the telephone.
        loudest = np.abs(job.waveform[start:end]).max()
        return end if np.abs(job.waveform[end - excess : end]).max(initial=0.0) > MAX_CUT_LEVEL * loudest else end - excess

    def start_decoding(self, phrases: Sequence[str], start_s: float) -> "DecoderState":
        """Return the state of a clip that begins at `start_s`, biased towards phrases."""
        stream = EncoderStream(self._warm.n_chunks, self._warm.attention, self._warm.convolution)
        return DecoderState(stream, ctc_decoder.BeamSearch(self.vocabulary, with_quantities(phrases)), start_s)

    def encode(self, streams: Sequence["EncoderStream"]) -> None:
        """Run the network on all complete chunks of the streams, one chunk of each in a call."""
        while ready := [stream for stream in streams if len(stream.features) >= CHUNK_FRAMES]:
            log_probs, attention, convolution = self._session.run(
                None,
                {
                    "chunk": np.stack([stream.features[:CHUNK_FRAMES] for stream in ready]),
                    "offset": np.array([[stream.n_chunks * CHUNK_OUTPUTS] for stream in ready], np.int64),
                    "att_cache": np.concatenate([stream.attention for stream in ready]),
                    "cnn_cache": np.concatenate([stream.convolution for stream in ready]),
                },
            )
            for row, stream in enumerate(ready):
                stream.outputs.append(log_probs[row])
                stream.attention, stream.convolution = attention[row : row + 1], convolution[row : row + 1]
                stream.n_chunks += 1
                stream.features = stream.features[HOP_FRAMES:]


@dataclass(slots=True)
class DecoderState:
    """The state of a clip's decoding between two pieces."""

    stream: "EncoderStream"
    search: ctc_decoder.BeamSearch
    start_s: float
    log_prob: float = 0.0  # sum over the frames whose best token is not the blank
    n_tokens: int = 0  # number of these frames

    @property
    def end_s(self) -> float:
        """The time up to which the search has advanced."""
        return self.start_s + self.search.n_frames * ctc_decoder.FRAME_S

    def advance(self) -> None:
        """Advance the search over the encoder's new outputs."""
        log_probs = self.stream.take_outputs()
        self.search.advance(log_probs)
        best = log_probs.max(axis=1)[log_probs.argmax(axis=1) != ctc_decoder.BLANK] if log_probs.size else np.zeros(0)
        self.log_prob += float(best.sum())
        self.n_tokens += len(best)

    def with_silence(self) -> "DecoderState":
        """Return a copy in which silence follows and completes the chunk."""
        return replace(self, stream=self.stream.with_silence(), search=self.search.copy())

    def confidence(self) -> float:
        """Return the geometric mean of the best tokens' probabilities; 0 if there are only blanks."""
        return math.exp(self.log_prob / self.n_tokens) if self.n_tokens else 0.0


def with_quantities(phrases: Sequence[str]) -> Sequence[str]:
    """Add the words for quantities to phrases; empty if there are no phrases."""
    return (*phrases, *QUANTITIES) if phrases else ()


class EncoderStream:
    """One clip in the encoder: features of the incomplete chunk, caches, and pending outputs."""

    def __init__(self, n_chunks: int, attention: Floats, convolution: Floats) -> None:
        """`n_chunks`: encoded before. `attention`, `convolution`: the caches after them."""
        self.n_chunks, self.attention, self.convolution = n_chunks, attention, convolution
        self.features = np.zeros((0, N_MELS), np.float32)
        self.outputs: list[Floats] = []  # log probabilities, shape (CHUNK_OUTPUTS, n_tokens) each
        self.n_samples = 0
        self.n_padding_samples = 0
        self._filter_bank = _filter_bank()
        self._n_features = 0

    def accept(self, waveform: Waveform, *, is_last: bool = False) -> None:
        """Accept audio of any length; the last is padded with silence to a complete chunk."""
        self._filter_bank.accept_waveform(SAMPLE_RATE, waveform * np.float32(32768))
        self.n_samples += len(waveform)
        if is_last:
            self._filter_bank.input_finished()
        n_ready = self._filter_bank.num_frames_ready
        # Copied before they are popped: a frame is a view into the filter bank's memory.
        features = np.array([self._filter_bank.get_frame(number) for number in range(self._n_features, n_ready)], np.float32)
        self._filter_bank.pop(n_ready - self._n_features)
        self._n_features = n_ready
        self.features = np.concatenate([self.features, features.reshape(-1, N_MELS)])
        if is_last:
            n_missing = -(len(self.features) - OVERLAP_FRAMES) % HOP_FRAMES if len(self.features) > OVERLAP_FRAMES else 0
            self._pad(n_missing)

    @property
    def n_missing_samples(self) -> int:
        """Samples that complete the next chunk, at least one."""
        n_frames = self._n_features + CHUNK_FRAMES - len(self.features)
        return max(1, (n_frames - 1) * FRAME_SAMPLES + WINDOW_SAMPLES - self.n_samples)

    def with_silence(self) -> "EncoderStream":
        """Return a copy in which silence completes the chunk; it accepts no more audio."""
        stream = EncoderStream(self.n_chunks, self.attention, self.convolution)
        stream.features = self.features
        stream.pad_chunk()
        return stream

    def pad_chunk(self) -> None:
        """Append a chunk of silence."""
        self._pad(HOP_FRAMES)

    def _pad(self, n_frames: int) -> None:
        self.features = np.pad(self.features, ((0, n_frames), (0, 0)), constant_values=SILENCE)
        self.n_padding_samples += n_frames * FRAME_SAMPLES

    def take_outputs(self) -> ctc_decoder.LogProbs:
        """Return the outputs since the last call, shape (n_frames, n_tokens)."""
        log_probs = np.concatenate(self.outputs) if self.outputs else np.zeros((0, 1), np.float32)
        self.outputs.clear()
        return log_probs


def _load_session(path: Path) -> onnxruntime.InferenceSession:
    """Load a network with int8 weights, optimised in two passes.

    The first pass fuses int8 weights and products into one operation; the second dequantises the remaining weights (tables and
    convolutions) once instead of in every run. One pass with both rules would dequantise the products' weights too. The outputs are equal
    to 1e-5.
    """
    options = onnxruntime.SessionOptions()
    # One thread a run: several runs at once use the cores better than one run on several.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as directory:
        options.optimized_model_filepath = str(Path(directory) / "model.onnx")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        fused_path = options.optimized_model_filepath
        options.optimized_model_filepath = ""
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        return onnxruntime.InferenceSession(fused_path, options, providers=["CPUExecutionProvider"])


def _filter_bank() -> kaldi_native_fbank.OnlineFbank:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = SAMPLE_RATE
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = N_MELS
    return kaldi_native_fbank.OnlineFbank(options)
