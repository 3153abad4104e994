"""Recognise Vietnamese: a streaming Conformer with CTC scores, on onnxruntime.

The network hears 0.43 s at a time, every 0.4 s, and carries what it needs of the past in two caches; so audio of any length has no seam.
It gives the log probability of each token for each 40 ms.
"""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import kaldi_native_fbank
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from voice.asr import ctc_decoder
from voice.asr.audio import SAMPLE_RATE, Waveform
from voice.asr.engine import DecodeJob
from voice.asr.vad import last_speech

Floats = NDArray[np.float32]

N_MELS: Final = 80
CHUNK_FRAMES, HOP_FRAMES = 43, 40  # of 10 ms: what the network hears at a time, and how far it moves
FRAME_SAMPLES: Final = SAMPLE_RATE // 100
OVERLAP_FRAMES: Final = CHUNK_FRAMES - HOP_FRAMES
CHUNK_SCORES: Final = 10
ATTENTION_SHAPE, CONVOLUTION_SHAPE = (1, 12, 4, 40, 224), (1, 12, 448, 30)  # the caches: batch, layers, ...
# log of float32's epsilon: what the filter bank makes of digital silence
SILENCE: Final = np.float32(np.log(np.finfo(np.float32).eps))
# The network was trained on speech that is under way; with empty caches it mishears the first words. 1.6 s of silence heard before each
# clip halve the errors (WER .093 -> .044 on 62 clips; 0.4 s: .071, 0.8 s: .052, 4 s: .046) and cost nothing: their caches are kept.
LEAD_CHUNKS = 4
# The mean probability of the tokens it heard: of 43 English clips none reaches it, of 73 Vietnamese ones 61.
SURE = 0.93
# After the last sound of speech; with less, last syllables are lost.
TAIL_SAMPLES = SAMPLE_RATE // 4
# Of the loudest sample: what is left out at the end stays below. Three word errors of 23 were ends of words that the detector had missed,
# or a last word without a pause behind it, which the network only writes down in the next chunk.
QUIET = 0.15
REST_SAMPLES = SAMPLE_RATE * 15 // 100
# Where phrases are expected, so are quantities.
QUANTITIES = ("một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín", "mười")


class Conformer:
    """The Vietnamese engine; its one session is run by several threads at once."""

    name = "conformer"
    # What another client may have to wait for at least; the caches carry over, so that a cut costs nothing.
    max_piece_s = 10.0
    # Four clips in one call take as long as one after the other (0.093 s a second of audio), and would wait for each other.
    max_batch = 1

    def __init__(self, directory: Path) -> None:
        """Load model.onnx and tokens.txt."""
        self.tokens = [line.rsplit(" ", 1)[0] for line in (directory / "tokens.txt").read_text("utf-8").splitlines()]
        self._session = _session(directory / "model.onnx")
        self._lead = Stream(0, np.zeros(ATTENTION_SHAPE, np.float32), np.zeros(CONVOLUTION_SHAPE, np.float32))
        self._lead.waiting = np.full((LEAD_CHUNKS * HOP_FRAMES + OVERLAP_FRAMES, N_MELS), SILENCE, np.float32)
        self.hear([self._lead])

    def check(self, languages: Sequence[str]) -> None:
        """Take Vietnamese alone; the recogniser asks for nothing else."""

    def go_together(self, first_s: float, second_s: float) -> bool:  # noqa: ARG002 - the seam's
        """Each goes by itself."""
        return False

    def advance(self, hearings: Sequence[DecodeJob]) -> None:
        """Hear the next piece of each; the words come with the last."""
        streams = []
        for hearing in hearings:
            start, end = hearing.pieces[0]
            if hearing.state is None:
                hearing.state = self.listen(hearing.phrases, start / SAMPLE_RATE)
            stream = cast("DecoderState", hearing.state).stream
            if len(hearing.pieces) > 1:
                stream.accept(hearing.waveform[start:end])
            else:
                end = self._whole_chunks(hearing, stream, start, end)
                stream.accept(hearing.waveform[start:end], last=True)
                if end - (last_speech(hearing.speech) or 0) + stream.silence < REST_SAMPLES:
                    stream.rest()
            streams.append(stream)
        self.hear(streams)
        for hearing in hearings:
            hearing.pieces.pop(0)
            self._read(hearing)

    def _read(self, hearing: DecodeJob) -> None:
        """Search on; the words come with the last."""
        listening = cast("DecoderState", hearing.state)
        listening.read()
        if not hearing.pieces:
            read = listening.search.best()
            hearing.segments = ctc_decoder.segments(ctc_decoder.spell(read, self.tokens, start_s=listening.start_s, end_s=listening.end_s))
            hearing.alternatives = ctc_decoder.alternatives(read, self.tokens, expected(hearing.phrases))
        if hearing.language is None and (confidence := listening.confidence()) >= SURE:
            hearing.language, hearing.language_confidence = "vi", confidence

    def _whole_chunks(self, hearing: DecodeJob, stream: "Stream", start: int, end: int) -> int:
        """Leave out the silence at the end that would begin another chunk; speech and what it needs to be read stays."""
        heard = stream.accepted + end - start
        beyond = (heard - (OVERLAP_FRAMES + 2) * FRAME_SAMPLES) % (HOP_FRAMES * FRAME_SAMPLES)
        spoken = last_speech(hearing.speech)
        if spoken is None or not spoken + TAIL_SAMPLES <= end - beyond > start:
            return end
        # The detector misses quiet ends of words by telephone.
        loudest = np.abs(hearing.waveform[start:end]).max()
        return end if np.abs(hearing.waveform[end - beyond : end]).max(initial=0.0) > QUIET * loudest else end - beyond

    def listen(self, phrases: Sequence[str], start_s: float) -> "DecoderState":
        """Begin to listen at `start_s`, expecting phrases."""
        return DecoderState(self.stream(), ctc_decoder.Search(self.tokens, expected(phrases)), start_s)

    def stream(self) -> "Stream":
        """Begin to hear a clip, after silence."""
        return Stream(self._lead.chunks, self._lead.attention, self._lead.convolution)

    def hear(self, streams: Sequence["Stream"]) -> None:
        """Run the network on every whole chunk of each stream, in step."""
        while ready := [stream for stream in streams if len(stream.waiting) >= CHUNK_FRAMES]:
            scores, attention, convolution = self._session.run(
                None,
                {
                    "chunk": np.stack([stream.waiting[:CHUNK_FRAMES] for stream in ready]),
                    "offset": np.array([[stream.chunks * CHUNK_SCORES] for stream in ready], np.int64),
                    "att_cache": np.concatenate([stream.attention for stream in ready]),
                    "cnn_cache": np.concatenate([stream.convolution for stream in ready]),
                },
            )
            for row, stream in enumerate(ready):
                stream.scores.append(scores[row])
                stream.attention, stream.convolution = attention[row : row + 1], convolution[row : row + 1]
                stream.chunks += 1
                stream.waiting = stream.waiting[HOP_FRAMES:]


@dataclass(slots=True)
class DecoderState:
    """A clip between two pieces."""

    stream: "Stream"
    search: ctc_decoder.Search
    start_s: float
    likelihood: float = 0.0  # log probabilities of the best tokens, blanks apart, summed up
    n_heard: int = 0  # how many

    @property
    def end_s(self) -> float:
        """The time up to which was searched."""
        return self.start_s + self.search.frames * ctc_decoder.FRAME_S

    def read(self) -> None:
        """Search on in the new scores, which are not needed any more then."""
        scores = self.stream.all_scores()
        self.stream.scores.clear()
        self.search.hear(scores)
        best = scores.max(axis=1)[scores.argmax(axis=1) != ctc_decoder.BLANK] if scores.size else np.zeros(0)
        self.likelihood += float(best.sum())
        self.n_heard += len(best)

    def confidence(self) -> float:
        """Give the geometric mean of the best tokens' probabilities; 0 where there are only blanks."""
        return math.exp(self.likelihood / self.n_heard) if self.n_heard else 0.0


def expected(phrases: Sequence[str]) -> Sequence[str]:
    """Expect quantities too, where phrases are expected."""
    return (*phrases, *QUANTITIES) if phrases else ()


class Stream:
    """One clip as it is heard: features that wait for their chunk, the caches, the scores so far."""

    def __init__(self, chunks: int, attention: Floats, convolution: Floats) -> None:
        """`chunks` were heard before, the caches are what they left."""
        self.chunks, self.attention, self.convolution = chunks, attention, convolution
        self.waiting = np.zeros((0, N_MELS), np.float32)
        self.scores: list[Floats] = []
        self.accepted = 0  # samples
        self.silence = 0  # samples of it, added behind the last
        self._filter_bank = _filter_bank()
        self._taken = 0

    def accept(self, waveform: Waveform, *, last: bool = False) -> None:
        """Take more sound, of any length; the `last` is filled up with silence to a whole chunk."""
        self._filter_bank.accept_waveform(SAMPLE_RATE, waveform * np.float32(32768))
        self.accepted += len(waveform)
        if last:
            self._filter_bank.input_finished()
        ready = self._filter_bank.num_frames_ready
        # Copied before they are popped: a frame is a view into the filter bank's own memory.
        features = np.array([self._filter_bank.get_frame(number) for number in range(self._taken, ready)], np.float32)
        self._filter_bank.pop(ready - self._taken)
        self._taken = ready
        self.waiting = np.concatenate([self.waiting, features.reshape(-1, N_MELS)])
        if last:
            missing = -(len(self.waiting) - OVERLAP_FRAMES) % HOP_FRAMES if len(self.waiting) > OVERLAP_FRAMES else 0
            self._add_silence(missing)

    def rest(self) -> None:
        """Add a chunk of silence behind the last sound."""
        self._add_silence(HOP_FRAMES)

    def _add_silence(self, frames: int) -> None:
        self.waiting = np.pad(self.waiting, ((0, frames), (0, 0)), constant_values=SILENCE)
        self.silence += frames * FRAME_SAMPLES

    def all_scores(self) -> Floats:
        """Give the scores so far, shape (n_frames, n_tokens)."""
        return np.concatenate(self.scores) if self.scores else np.zeros((0, 1), np.float32)


def _session(path: Path) -> onnxruntime.InferenceSession:
    """Load a network whose weights are int8, optimised in two passes.

    The first joins int8 weights and products into one operation; the second unpacks the weights that are left (tables and convolutions)
    once instead of at every run. One pass with both rules would unpack the products' weights too. The scores are the same to 1e-5.
    """
    options = onnxruntime.SessionOptions()
    # One thread a run: several runs at once use the cores better than one run on several.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as directory:
        options.optimized_model_filepath = str(Path(directory) / "model.onnx")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        joined = options.optimized_model_filepath
        options.optimized_model_filepath = ""
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        return onnxruntime.InferenceSession(joined, options, providers=["CPUExecutionProvider"])


def _filter_bank() -> kaldi_native_fbank.OnlineFbank:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = SAMPLE_RATE
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = N_MELS
    return kaldi_native_fbank.OnlineFbank(options)
