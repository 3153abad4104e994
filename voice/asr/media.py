"""Decode compressed audio in a container, by libav, into a waveform: float32, mono, 16 kHz.

What a file claims about itself is not believed: the demuxer is forced, no protocol and no decoder of pictures is there for it to use, and
decoding stops at the allowed length. Time and memory are bounded where this runs: in the child processes of `voice.asr.decoder_pool`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any, Final, NamedTuple

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from errors import AudioInvalid, AudioTooLong

Waveform = NDArray[np.float32]
Samples = NDArray[np.float32]  # shape (n_samples, 1) or (n_samples, 2): one channel, or two sides

SAMPLE_RATE: Final = 16_000  # Hz; of what both engines take
MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz; telephone to studio. A WAV that says 1 Hz would be resampled to gigabytes.
MAX_CHANNELS = 8
# Opus is one stream for all of these rates (RFC 6716 section 2.1.3): none contradicts it.
OPUS_RATES = frozenset({8_000, 12_000, 16_000, 24_000, 48_000})
# A demuxer that fails is asked again; one that fails so often without a packet between has nothing more.
MAX_FAILURES = 100
# Of the louder side's power. Two sides of which one is silent leave .25 when averaged, of opposite phase at a signal-to-noise ratio of
# 3 dB .17.
CANCELLED = 0.2


class Media(NamedTuple):
    """Audio that needs libav: the demuxer's name, its bytes, and the rate (Hz) and channels that were declared."""

    container_format: str
    audio: bytes
    sample_rate: int | None
    channels: int | None


def decode(media: Media, *, max_audio_s: float, opened: Callable[[], object] = lambda: None) -> Waveform:
    """Decode to mono at 16 kHz, shape (n_samples,); packets that are corrupt are skipped, and a file may be cut off anywhere.

    `opened` is called between the container's head and its packets.

    Raises:
        AudioInvalid: nothing of it can be decoded, or it contradicts what was declared.
        AudioTooLong: longer than `max_audio_s`; decoding stopped there.

    """
    try:
        with av.open(
            BytesIO(media.audio), mode="r", format=media.container_format, options=_OPTIONS, metadata_errors="replace"
        ) as container:
            opened()
            stream = _stream(container, media)
            blocks = list(_blocks(container, stream, max_audio_s=max_audio_s))
    except (av.FFmpegError, OSError, ValueError, IndexError, EOFError, RuntimeError, MemoryError) as error:
        raise undecodable(media) from error
    if not blocks:
        raise undecodable(media)
    return mix(blocks)


def undecodable(media: Media) -> AudioInvalid:
    """Say that nothing of it can be decoded."""
    return AudioInvalid(f"The audio cannot be decoded; it begins like {media.container_format}.")


def too_long(max_audio_s: float) -> AudioTooLong:
    """Say how long audio may be."""
    return AudioTooLong(f"The audio is longer than {max_audio_s:g} s.")


def check_rate_and_channels(rate: int, channels: int) -> None:
    """Refuse what no recording has."""
    if not MIN_RATE <= rate <= MAX_RATE:
        message = f"The sample rate is {rate} Hz; {MIN_RATE} to {MAX_RATE} can be read."
        raise AudioInvalid(message)
    if not 1 <= channels <= MAX_CHANNELS:
        message = f"The audio has {channels} channels; 1 to {MAX_CHANNELS} can be read."
        raise AudioInvalid(message)


def check_declared(found: int, declared: int | None, name: str) -> None:
    """Refuse a declaration that contradicts the audio."""
    if declared is not None and declared != found:
        message = f"{name} {declared} was declared, the audio has {found}."
        raise AudioInvalid(message)


# --- Channels and rates -------------------------------------------------------------------------------------------------------------


def sides(samples: NDArray[Any]) -> Samples:
    """Fold channels, shape (n_samples, n_channels), into two sides whose sum is the average of all: even numbers and odd ones."""
    n_channels = samples.shape[1]
    folded = np.empty((len(samples), min(2, n_channels)), np.float32)
    for side in range(folded.shape[1]):
        samples[:, side::2].sum(axis=1, dtype=np.float32, out=folded[:, side])
    folded *= np.float32(1 / n_channels)
    return folded


def mix(blocks: Sequence[Samples]) -> Waveform:
    """Average the channels of all blocks; where they cancel each other out, give the louder side alone."""
    powers = [_power(_side(block, side) for block in blocks) for side in (0, 1)]
    louder = int(powers[1] > powers[0])
    cancelled = _power(block.sum(axis=1) for block in blocks) < CANCELLED * 4 * powers[louder]
    waveform, position = np.empty(sum(map(len, blocks)), np.float32), 0
    for block in blocks:
        waveform[position : position + len(block)] = 2 * _side(block, louder) if cancelled else block.sum(axis=1)
        position += len(block)
    return waveform


def _side(block: Samples, side: int) -> Waveform:
    return block[:, side] if block.shape[1] > 1 else block[:, 0] * np.float32(0.5)


def _power(blocks: Iterable[Waveform]) -> float:
    """Measure the power without the direct current, which is no sound and may cancel out where sound does not."""
    n_samples, total, squares = 0, 0.0, 0.0
    for block in blocks:
        n_samples, total, squares = (
            n_samples + len(block),
            total + float(block.sum(dtype=np.float64)),
            squares + float(np.dot(block, block)),
        )
    return squares / n_samples - (total / n_samples) ** 2 if n_samples else 0.0


class Resampler:
    """To 16 kHz, frame by frame, channels folded into two sides; None ends the sound and gives what is still inside."""

    def __init__(self) -> None:
        self._resampler: av.AudioResampler | None = None
        self._channels = 1
        self._samples = 0

    def resample(self, frame: av.AudioFrame | None) -> list[Samples]:
        """Take a frame, give what is ready."""
        if self._resampler is None:
            if frame is None:
                return []
            # The channels stay apart in there: its own mix-down is louder than each of them and would clip. They stay interleaved,
            # because PyAV 18 crashes when it reads the planes of eight.
            self._resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=SAMPLE_RATE)
            self._channels = frame.layout.nb_channels
        blocks = [sides(_bounded(out.to_ndarray().reshape(-1, self._channels))) for out in self._resampler.resample(frame)]
        self._samples += sum(map(len, blocks))
        if frame is None and not self._samples:
            return [np.zeros((1, min(2, self._channels)), np.float32)]  # sound of less than one sample at 16 kHz is sound
        return blocks


def _bounded(samples: NDArray[Any]) -> NDArray[Any]:
    """Bring samples into -1..1: a float format may carry anything, and not a number is silence here."""
    numbers: NDArray[Any] = np.nan_to_num(samples, posinf=1.0, neginf=-1.0)
    return np.clip(numbers, -1.0, 1.0, out=numbers)


# --- Containers ---------------------------------------------------------------------------------------------------------------------


def _audio_decoders() -> str:
    names = sorted(av.codec.codecs_available)
    codecs: list[Any] = []
    for name in names:
        try:
            codecs.append(av.codec.Codec(name, "r"))
        except ValueError:  # it only encodes
            continue
    return ",".join(codec.name for codec in codecs if codec.type == "audio")


_OPTIONS: Final = {
    "protocol_whitelist": "none",  # what a container points to is not fetched
    "codec_whitelist": _audio_decoders(),  # a picture of 16,000 x 16,000 in a FLAC file took 980 MB
    "max_streams": "16",  # a song with cover and subtitles
    "probesize": "1000000",
    "analyzeduration": "5000000",
}


def _stream(container: InputContainer, media: Media) -> av.AudioStream:
    """Find the first audio stream of a container, and check it against what was declared."""
    if not container.streams.audio:
        message = "The file holds no sound."
        raise AudioInvalid(message)
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        message = "The file's sound is of a kind that cannot be decoded."
        raise AudioInvalid(message)
    rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
    check_rate_and_channels(rate, channels)
    if not (stream.codec_context.name.endswith("opus") and media.sample_rate in OPUS_RATES):
        check_declared(rate, media.sample_rate, "sample_rate")
    check_declared(channels, media.channels, "channels")
    return stream


def _packets(container: InputContainer, stream: av.AudioStream) -> Iterator["av.Packet[av.AudioStream]"]:
    """Demultiplex, over places that cannot be read."""
    failures = 0
    while failures < MAX_FAILURES:
        try:
            for packet in container.demux(stream):
                failures = 0
                yield packet
        except (av.FFmpegError, ValueError):
            failures += 1
        else:
            return


def _frames(container: InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    """Decode frame by frame; packets that cannot be decoded are left out."""
    for packet in _packets(container, stream):
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            continue
        for frame in frames:
            if MIN_RATE <= frame.sample_rate <= MAX_RATE and 1 <= frame.layout.nb_channels <= MAX_CHANNELS:
                yield frame


def _blocks(container: InputContainer, stream: av.AudioStream, *, max_audio_s: float) -> Iterator[Samples]:
    """Decode and resample a stream, block by block."""
    resampler, kind = Resampler(), None
    seconds = 0.0
    for frame in _frames(container, stream):
        seconds += frame.samples / frame.sample_rate
        if seconds > max_audio_s:
            raise too_long(max_audio_s)
        # In the middle of a stream: one that is chained to another, or a header that is corrupt.
        if kind not in (None, (frame.sample_rate, frame.layout.name, frame.format.name)):
            yield from resampler.resample(None)
            resampler = Resampler()
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        frame.pts = None  # stamps may jump or lie; what was decoded is one stretch
        yield from resampler.resample(frame)
    yield from resampler.resample(None)
