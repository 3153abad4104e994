"""Decode audio of any accepted form into a waveform: float32, mono, 16 kHz, -1..1.

Nothing that a file says about itself is believed before it is checked: the container is told by its first bytes and forced upon the decoder
(so a playlist or a script of file names is never interpreted, no file and no socket is opened), decoding stops at the allowed length, and
what a header claims allocates nothing.
"""

import time
from collections.abc import Iterator
from io import BytesIO
from typing import Final, NamedTuple

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from errors import AudioInvalid, AudioTooLong
from schemas import Encoding

Waveform = NDArray[np.float32]

SAMPLE_RATE: Final = 16_000  # Hz; what both engines hear
MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz; telephone to studio. A WAV that says 1 Hz would be resampled to gigabytes.
MAX_CHANNELS = 8
# WAV format tags and bits of a sample. Taken as they are, a WAV of 4 s is there in 0.2 ms, through the library in 13 ms.
PLAIN: Final[dict[tuple[int, int], Encoding]] = {(1, 16): "pcm_s16le", (6, 8): "alaw", (7, 8): "mulaw"}
MAX_RIFF_CHUNKS = 100  # real files have under ten
BLOCK_SAMPLES = 1 << 16  # raw sound is resampled in blocks, so that no whole copy at its own rate is held twice
# A container's own length is rounded and counts encoder padding; more than this missing at the end is a file cut off.
MISSING_S = 0.5
# Hostile tables can make a demuxer hand out empty packets for hours; honest files decode some hundred times faster than they play.
MAX_DECODE_S = 20.0

LIKELY_BYTES_S = 16_000  # 128 kbit/s: as much as any compressed speech takes

SUPPORTED = "wav, flac, ogg, webm, mp3 or m4a"
# Opus is one stream for all of these rates (RFC 6716 section 2.1.3): none contradicts it.
OPUS_RATES = frozenset({8_000, 12_000, 16_000, 24_000, 48_000})


def decode(audio: bytes, *, encoding: Encoding, sample_rate: int | None, channels: int | None, max_audio_s: float) -> Waveform:
    """Decode to mono at 16 kHz, shape (n_samples,); blocking, and the interpreter is free meanwhile.

    `encoding` "auto" reads a container and checks it against a declared `sample_rate` (Hz) and `channels`; the others are raw samples,
    which need the rate, and are taken as one channel unless told. Channels are mixed down.

    Raises:
        AudioInvalid: not audio, cut off, or contradicting what was declared.
        AudioTooLong: longer than `max_audio_s`; decoding stopped there.

    """
    if not audio:
        message = "The audio is empty."
        raise AudioInvalid(message)
    if encoding == "auto":
        waveform = _decode_container(audio, sample_rate=sample_rate, channels=channels, max_audio_s=max_audio_s)
    else:
        waveform = _decode_raw(audio, encoding=encoding, sample_rate=sample_rate, channels=channels or 1, max_audio_s=max_audio_s)
    if not waveform.size:
        message = "The audio holds no sound."
        raise AudioInvalid(message)
    # A float format may carry anything; not a number is silence here.
    np.nan_to_num(waveform, copy=False, posinf=1.0, neginf=-1.0)
    return np.clip(waveform, -1.0, 1.0, out=waveform)


def likely_seconds(audio: bytes, *, encoding: Encoding, sample_rate: int | None, channels: int | None) -> float:
    """Guess the length without decoding; what is raw or wav says it."""
    if encoding != "auto":
        bytes_s = (sample_rate or MIN_RATE) * (channels or 1) * (2 if encoding == "pcm_s16le" else 1)
    elif audio.startswith(b"RIFF"):
        bytes_s = max(int.from_bytes(audio[28:32], "little"), MIN_RATE)
    else:
        bytes_s = LIKELY_BYTES_S
    return len(audio) / bytes_s


# --- Raw samples --------------------------------------------------------------------------------------------------------------------


def _decode_raw(audio: bytes, *, encoding: Encoding, sample_rate: int | None, channels: int, max_audio_s: float) -> Waveform:
    if sample_rate is None:
        message = f"The encoding {encoding} is raw: its sample_rate must be given."
        raise AudioInvalid(message)
    _check_rate_and_channels(sample_rate, channels)
    frame_bytes = channels * sample_bytes(encoding)
    if len(audio) % frame_bytes:
        message = (
            f"{encoding} with {channels} channel(s) takes {frame_bytes} bytes a sample; {len(audio)} bytes are no whole number of them."
        )
        raise AudioInvalid(message)
    if len(audio) / frame_bytes > max_audio_s * sample_rate:
        raise _too_long(max_audio_s)
    mono: Waveform = _samples(audio, encoding).reshape(-1, channels).mean(axis=1, dtype=np.float32)
    mono /= 32768
    if sample_rate == SAMPLE_RATE or not mono.size:
        return mono
    resampler = Resampler()
    blocks = []
    for start in range(0, len(mono), BLOCK_SAMPLES):
        blocks += resampler.resample(_mono_frame(mono[start : start + BLOCK_SAMPLES], sample_rate))
    blocks += resampler.resample(None)
    return np.concatenate(blocks)


def sample_bytes(encoding: Encoding) -> int:
    """Tell how long a raw sample is."""
    return 2 if encoding == "pcm_s16le" else 1


def _samples(audio: bytes, encoding: Encoding) -> NDArray[np.int16]:
    if encoding == "pcm_s16le":
        return np.frombuffer(audio, "<i2")
    return (_MULAW if encoding == "mulaw" else _ALAW)[np.frombuffer(audio, np.uint8)]


def _mono_frame(mono: Waveform, sample_rate: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(mono[np.newaxis], format="flt", layout="mono")
    frame.sample_rate = sample_rate
    return frame


class RawStream:
    """Raw samples of one channel that come in pieces of any length, cut anywhere."""

    def __init__(self, *, encoding: Encoding, sample_rate: int) -> None:
        self.bytes_s = sample_rate * sample_bytes(encoding)  # of a second
        self._encoding, self._sample_rate = encoding, sample_rate
        self._resampler = Resampler() if sample_rate != SAMPLE_RATE else None
        self._rest = b""  # the first byte of a sample whose second has not come

    def accept(self, audio: bytes) -> Waveform:
        """Take a piece, give what it makes at 16 kHz; the resampler keeps a millisecond for the next piece."""
        audio = self._rest + audio
        whole = len(audio) - len(audio) % sample_bytes(self._encoding)
        audio, self._rest = audio[:whole], audio[whole:]
        mono: Waveform = _samples(audio, self._encoding).astype(np.float32)
        mono /= 32768
        if self._resampler is None or not mono.size:
            return mono
        blocks = self._resampler.resample(_mono_frame(mono, self._sample_rate))
        resampled: Waveform = np.concatenate([np.zeros(0, np.float32), *blocks])
        return np.clip(resampled, -1.0, 1.0, out=resampled)  # between two loud samples it may be louder


class Resampler:
    """To 16 kHz and one channel, frame by frame; None ends the sound and gives what is still inside."""

    def __init__(self) -> None:
        self._resampler: av.AudioResampler | None = None
        self._channels = 1
        self._samples = 0

    def resample(self, frame: av.AudioFrame | None) -> list[Waveform]:
        """Take a frame, give what is ready."""
        if self._resampler is None:
            if frame is None:
                return []
            # The channels stay apart in there: its own mix-down is louder than each of them and would clip. They stay interleaved,
            # because PyAV 18 crashes when it reads the planes of eight.
            self._resampler = av.AudioResampler(format="flt", layout=frame.layout, rate=SAMPLE_RATE)
            self._channels = frame.layout.nb_channels
        blocks: list[Waveform] = [
            out.to_ndarray().reshape(-1, self._channels).mean(axis=1, dtype=np.float32) for out in self._resampler.resample(frame)
        ]
        self._samples += sum(map(len, blocks))
        if frame is None and not self._samples:
            return [np.zeros(1, np.float32)]  # sound of less than one sample at 16 kHz is sound
        return blocks


def _mulaw_table() -> NDArray[np.int16]:
    """Expand each byte of G.711 mu-law (ITU-T G.711, table 2)."""
    code = ~np.arange(256, dtype=np.uint8)
    magnitude = ((((code & 0x0F).astype(np.int32) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> NDArray[np.int16]:
    """Expand each byte of G.711 A-law (ITU-T G.711, table 1)."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    segment, step = (code & 0x70).astype(np.int32) >> 4, (code & 0x0F).astype(np.int32) << 4
    magnitude = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


_MULAW, _ALAW = _mulaw_table(), _alaw_table()


# --- Containers ---------------------------------------------------------------------------------------------------------------------


def _decode_container(audio: bytes, *, sample_rate: int | None, channels: int | None, max_audio_s: float) -> Waveform:
    container_format = _container_format(audio)
    if container_format == "wav" and (plain := _check_riff(audio)) is not None:
        _check_declared(plain.rate, sample_rate, "sample_rate")
        _check_declared(plain.channels, channels, "channels")
        return _decode_raw(plain.samples, encoding=plain.encoding, sample_rate=plain.rate, channels=plain.channels, max_audio_s=max_audio_s)
    try:
        with av.open(
            BytesIO(audio),
            mode="r",
            format=container_format,
            # No protocol: what a container points to is not fetched. 16 streams: a song with cover and subtitles, not a bomb.
            options={"protocol_whitelist": "none", "max_streams": "16", "probesize": "1000000", "analyzeduration": "5000000"},
            metadata_errors="replace",
        ) as container:
            stream = _sound(container, sample_rate=sample_rate, channels=channels)
            blocks = list(_blocks(container, stream, max_audio_s=max_audio_s))
    except (av.FFmpegError, OSError, ValueError, IndexError, EOFError, RuntimeError) as error:
        message = f"The audio cannot be decoded; it begins like {container_format.split(',')[0]}."
        raise AudioInvalid(message) from error
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _container_format(audio: bytes) -> str:
    """Tell a container by its first bytes, in the decoder's name for it."""
    head = audio[:12]
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[4:8] == b"ftyp":
        return "mov"
    for magic, name in ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"\x1a\x45\xdf\xa3", "matroska"), (b"ID3", "mp3")):
        if head.startswith(magic):
            return name
    # An MPEG frame: eleven bits of sync, then version (not the reserved 01) and layer III.
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and head[1] & 0x18 != 0x08:  # noqa: PLR2004 - the bits above
        return "mp3"
    message = f"The audio is not {SUPPORTED}; raw samples need their encoding and sample_rate."
    raise AudioInvalid(message)


class PlainWav(NamedTuple):
    """Sound in a WAV that is raw samples of a kind that needs no library."""

    encoding: Encoding
    rate: int
    channels: int
    samples: bytes


def _check_riff(audio: bytes) -> PlainWav | None:
    """Walk a WAV's chunks to its very end: all that is claimed must be there, and nothing else. Give its samples where they are plain."""
    # bytes, not memoryview slices: each is four or sixteen bytes
    position, chunks, format_seen, block_bytes = 12, 0, False, 1
    kind: tuple[int, int] = (0, 0)
    found: list[slice] = []
    while position < len(audio):
        name, size = audio[position : position + 4], int.from_bytes(audio[position + 4 : position + 8], "little")
        position += 8
        chunks += 1
        if position > len(audio) or not name.isascii() or not name.decode("ascii").isprintable():
            message = "The WAV file holds bytes that belong to no chunk."
            raise AudioInvalid(message)
        if size > len(audio) - position:
            message = f"The WAV file is cut off: a chunk claims {size} bytes, {len(audio) - position} are there."
            raise AudioInvalid(message)
        if chunks > MAX_RIFF_CHUNKS:
            message = f"The WAV file has more than {MAX_RIFF_CHUNKS} chunks."
            raise AudioInvalid(message)
        if name == b"fmt " and size >= 16:  # noqa: PLR2004 - the size of WAVEFORMAT
            format_seen = True
            channels, rate = (
                int.from_bytes(audio[position + 2 : position + 4], "little"),
                int.from_bytes(audio[position + 4 : position + 8], "little"),
            )
            block_bytes = int.from_bytes(audio[position + 12 : position + 14], "little") or 1
            kind = int.from_bytes(audio[position : position + 2], "little"), int.from_bytes(audio[position + 14 : position + 16], "little")
            _check_rate_and_channels(rate, channels)
        elif name == b"data":
            if size % block_bytes:
                message = f"The WAV file's sound has {size} bytes, no whole number of its blocks of {block_bytes}."
                raise AudioInvalid(message)
            found.append(slice(position, position + size))
        position += size + size % 2
    if not format_seen:
        message = "The WAV file has no format chunk."
        raise AudioInvalid(message)
    encoding = PLAIN.get(kind)
    if encoding is None or len(found) != 1 or block_bytes != channels * kind[1] // 8:
        return None
    return PlainWav(encoding, rate, channels, audio[found[0]])


def _sound(container: InputContainer, *, sample_rate: int | None, channels: int | None) -> av.AudioStream:
    """Find the first sound of a container, and check it against what was declared."""
    if not container.streams.audio:
        message = "The file holds no sound."
        raise AudioInvalid(message)
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        message = "The file's sound is of a kind that cannot be decoded."
        raise AudioInvalid(message)
    rate, found_channels = stream.codec_context.sample_rate, stream.codec_context.channels
    _check_rate_and_channels(rate, found_channels)
    if not (stream.codec_context.name.endswith("opus") and sample_rate in OPUS_RATES):
        _check_declared(rate, sample_rate, "sample_rate")
    _check_declared(found_channels, channels, "channels")
    return stream


def _frames(container: InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    """Decode frame by frame, as long as they are of one kind and come in time."""
    deadline = time.monotonic() + MAX_DECODE_S
    kind = None
    for packet in container.demux(stream):
        if time.monotonic() > deadline:
            message = f"The audio took longer than {MAX_DECODE_S:.0f} s to decode."
            raise AudioInvalid(message)
        for frame in packet.decode():
            if kind is None:
                _check_rate_and_channels(frame.sample_rate, frame.layout.nb_channels)
                kind = (frame.sample_rate, frame.layout.nb_channels)
            elif kind != (frame.sample_rate, frame.layout.nb_channels):
                message = "The audio changes its sample rate or its channels on the way."
                raise AudioInvalid(message)
            yield frame


def _blocks(container: InputContainer, stream: av.AudioStream, *, max_audio_s: float) -> Iterator[Waveform]:
    """Decode and resample a stream, block by block."""
    resampler = Resampler()
    seconds = 0.0
    for frame in _frames(container, stream):
        seconds += frame.samples / frame.sample_rate
        if seconds > max_audio_s:
            raise _too_long(max_audio_s)
        frame.pts = None  # stamps may jump or lie; what was heard is one stretch
        yield from resampler.resample(frame)
    yield from resampler.resample(None)
    # Where the container knows its length. A stream recorded live (ogg, webm, mp3) does not, and may end anywhere.
    if container.format.name.startswith(("flac", "mov")) and stream.duration and stream.time_base:
        claimed_s = float(stream.duration * stream.time_base)
        if claimed_s - seconds > MISSING_S:
            message = f"The audio is cut off: it claims {claimed_s:.1f} s, {seconds:.1f} s are there."
            raise AudioInvalid(message)


def _check_declared(found: int, declared: int | None, name: str) -> None:
    if declared is not None and declared != found:
        message = f"{name} {declared} was declared, the audio has {found}."
        raise AudioInvalid(message)


def _check_rate_and_channels(rate: int, channels: int) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        message = f"The sample rate is {rate} Hz; {MIN_RATE} to {MAX_RATE} can be read."
        raise AudioInvalid(message)
    if not 1 <= channels <= MAX_CHANNELS:
        message = f"The audio has {channels} channels; 1 to {MAX_CHANNELS} can be read."
        raise AudioInvalid(message)


def _too_long(max_audio_s: float) -> AudioTooLong:
    return AudioTooLong(f"The audio is longer than {max_audio_s:g} s.")
