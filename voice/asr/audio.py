"""Decode audio of any accepted form into a waveform: float32, mono, 16 kHz, -1..1.

Raw samples and the WAV files that hold them are read here, in time and memory that follow from the bytes received. All other audio becomes
`Media`, for libav: a forced demuxer, so that a playlist or a script of file names is never interpreted.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from errors import AudioInvalid
from schemas import Encoding
from voice.asr import media
from voice.asr.media import (
    MIN_RATE,
    SAMPLE_RATE,
    Media,
    Resampler,
    Samples,
    Waveform,
    check_declared,
    check_rate_and_channels,
    mix,
    sides,
    too_long,
)

__all__ = ["SAMPLE_RATE", "Media", "RawStream", "Waveform", "decode", "finish", "likely_seconds", "sample_bytes", "unpack"]

# WAV format tags and bits of a sample. Taken as they are, a WAV of 4 s is there in 0.2 ms, through the library in 13 ms.
PLAIN: Final[dict[tuple[int, int], Encoding]] = {(1, 16): "pcm_s16le", (6, 8): "alaw", (7, 8): "mulaw"}
MAX_RIFF_CHUNKS = 100  # real files have under ten
MAX_FORMAT_BYTES = 4096  # of a WAV's format chunk; the longest of a known kind (MS ADPCM) has 50
BLOCK_SAMPLES = 1 << 16  # raw sound is resampled in blocks, so that no whole copy at its own rate is held twice

LIKELY_BYTES_S = 16_000  # 128 kbit/s: as much as any compressed speech takes

SUPPORTED = "wav, flac, ogg, webm, mp3, m4a or aac"


def decode(audio: bytes, *, encoding: Encoding, sample_rate: int | None, channels: int | None, max_audio_s: float) -> Waveform:
    """Decode to mono at 16 kHz, shape (n_samples,); blocking, and in this process: what strangers send goes through `unpack` and a pool.

    Raises:
        AudioInvalid, AudioTooLong: as `unpack` and `voice.asr.media.decode`.

    """
    unpacked = unpack(audio, encoding=encoding, sample_rate=sample_rate, channels=channels, max_audio_s=max_audio_s)
    return finish(media.decode(unpacked, max_audio_s=max_audio_s) if isinstance(unpacked, Media) else unpacked)


def unpack(audio: bytes, *, encoding: Encoding, sample_rate: int | None, channels: int | None, max_audio_s: float) -> Waveform | Media:
    """Decode what needs no library, and tell what the rest is; blocking, and the interpreter is free meanwhile.

    `encoding` "auto" reads a container and checks it against a declared `sample_rate` (Hz) and `channels`; the others are raw samples,
    which need the rate, and are taken as one channel unless told. Channels are mixed down.

    Raises:
        AudioInvalid: not audio, or contradicting what was declared.
        AudioTooLong: longer than `max_audio_s`.

    """
    if not audio:
        message = "The audio is empty."
        raise AudioInvalid(message)
    if encoding != "auto":
        return _decode_raw(memoryview(audio), encoding=encoding, sample_rate=sample_rate, channels=channels or 1, max_audio_s=max_audio_s)
    container_format = _container_format(audio)
    if container_format != "wav":
        return Media(container_format, audio, sample_rate, channels)
    wav = _read_wav(audio)
    if wav.encoding is None:
        return Media("wav", wav.rewritten(), sample_rate, channels)
    check_declared(wav.rate, sample_rate, "sample_rate")
    check_declared(wav.channels, channels, "channels")
    return _decode_raw(wav.samples, encoding=wav.encoding, sample_rate=wav.rate, channels=wav.channels, max_audio_s=max_audio_s)


def finish(waveform: Waveform) -> Waveform:
    """Bring what was decoded into -1..1, in place.

    Raises:
        AudioInvalid: there is no sample.

    """
    if not waveform.size:
        message = "The audio holds no sound."
        raise AudioInvalid(message)
    return np.clip(waveform, -1.0, 1.0, out=waveform)


def likely_seconds(audio: bytes, *, encoding: Encoding, sample_rate: int | None, channels: int | None) -> float:
    """Guess the length without decoding; what is raw or wav says it."""
    if encoding != "auto":
        bytes_s = (sample_rate or MIN_RATE) * (channels or 1) * sample_bytes(encoding)
    elif audio.startswith(WAV_MAGIC) and (place := audio.find(b"fmt ", 12, MAX_FORMAT_BYTES)) > 0:
        bytes_s = max(int.from_bytes(audio[place + 16 : place + 20], "little"), MIN_RATE)
    else:
        bytes_s = LIKELY_BYTES_S
    return len(audio) / bytes_s


# --- Raw samples --------------------------------------------------------------------------------------------------------------------


def _decode_raw(audio: memoryview, *, encoding: Encoding, sample_rate: int | None, channels: int, max_audio_s: float) -> Waveform:
    if sample_rate is None:
        message = f"The encoding {encoding} is raw: its sample_rate must be given."
        raise AudioInvalid(message)
    check_rate_and_channels(sample_rate, channels)
    frame_bytes = channels * sample_bytes(encoding)
    if len(audio) % frame_bytes:
        message = (
            f"{encoding} with {channels} channel(s) takes {frame_bytes} bytes a sample; {len(audio)} bytes are no whole number of them."
        )
        raise AudioInvalid(message)
    if len(audio) / frame_bytes > max_audio_s * sample_rate:
        raise too_long(max_audio_s)
    samples = _samples(audio, encoding).reshape(-1, channels)
    mono: Waveform = mix([sides(samples)]) if channels > 1 else samples[:, 0].astype(np.float32)
    mono /= 32768
    if sample_rate == SAMPLE_RATE or not mono.size:
        return mono
    resampler = Resampler()
    blocks: list[Samples] = []
    for start in range(0, len(mono), BLOCK_SAMPLES):
        blocks += resampler.resample(_mono_frame(mono[start : start + BLOCK_SAMPLES], sample_rate))
    blocks += resampler.resample(None)
    return np.concatenate(blocks)[:, 0]


def sample_bytes(encoding: Encoding) -> int:
    """Tell how long a raw sample is."""
    return 2 if encoding == "pcm_s16le" else 1


def _samples(audio: bytes | memoryview, encoding: Encoding) -> NDArray[np.int16]:
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
        blocks = [block[:, 0] for block in self._resampler.resample(_mono_frame(mono, self._sample_rate))]
        resampled: Waveform = np.concatenate([np.zeros(0, np.float32), *blocks])
        return np.clip(resampled, -1.0, 1.0, out=resampled)  # between two loud samples it may be louder


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

WAV_MAGIC = (b"RIFF", b"RF64", b"BW64")  # the last two have a 64-bit size in a chunk of its own. Source: EBU Tech 3306, ITU-R BS.2088
_MAGIC = ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"\x1a\x45\xdf\xa3", "matroska"), (b"ID3", "mp3"))
# Behind the chunks there may be zeros, and an ID3v1 tag of 128 bytes.
_TRAILER = re.compile(rb"\0*(TAG.{125})?\0*", re.DOTALL)


def _container_format(audio: bytes) -> str:
    """Tell a container by its first bytes, in libav's name for it."""
    head = audio[:12]
    if head[:4] in WAV_MAGIC and head[8:12] == b"WAVE":
        return "wav"
    if head[4:8] in (b"ftyp", b"styp"):
        return "mov"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if len(head) > 1 and head[0] == 0xFF:  # noqa: PLR2004 - eight bits of sync
        # Three more bits of sync, then the version (not the reserved 01) and layer III.
        if head[1] & 0xE6 == 0xE2 and head[1] & 0x18 != 0x08:  # noqa: PLR2004
            return "mp3"
        if head[1] & 0xF6 == 0xF0:  # noqa: PLR2004 - four more bits of sync, layer 0: ADTS
            return "aac"
    message = f"The audio is not {SUPPORTED}; raw samples need their encoding and sample_rate."
    raise AudioInvalid(message)


class Wav(NamedTuple):
    """A WAV's format chunk and its sound, of which only whole blocks are there."""

    format: bytes
    samples: memoryview

    @property
    def channels(self) -> int:
        """As the format chunk says."""
        return int.from_bytes(self.format[2:4], "little")

    @property
    def rate(self) -> int:
        """In Hz."""
        return int.from_bytes(self.format[4:8], "little")

    @property
    def encoding(self) -> Encoding | None:
        """Raw samples of a kind that needs no library; None: of another."""
        tag, block_bytes, bits = (int.from_bytes(self.format[start : start + 2], "little") for start in (0, 12, 14))
        return PLAIN.get((tag, bits)) if block_bytes == self.channels * bits // 8 else None

    def rewritten(self) -> bytes:
        """Write both chunks, and nothing else, with the sizes that hold."""
        chunks: list[bytes | memoryview] = [b"WAVE", b"fmt ", _size(self.format), self.format, b"data", _size(self.samples), self.samples]
        return b"".join([b"RIFF", sum(map(len, chunks)).to_bytes(4, "little"), *chunks])


def _size(content: bytes | memoryview) -> bytes:
    return len(content).to_bytes(4, "little")


def _read_wav(audio: bytes) -> Wav:
    format_chunk, sounds = b"", list[memoryview]()
    for name, content in _chunks(audio):
        if name == b"fmt " and 16 <= len(content) <= MAX_FORMAT_BYTES:  # noqa: PLR2004 - the size of WAVEFORMAT
            format_chunk = bytes(content)
        elif name == b"data":
            sounds.append(content)
    if not format_chunk:
        message = "The WAV file has no format chunk."
        raise AudioInvalid(message)
    sound = sounds[0] if len(sounds) == 1 else memoryview(b"".join(sounds))
    block_bytes = int.from_bytes(format_chunk[12:14], "little") or 1
    wav = Wav(format_chunk, sound[: len(sound) - len(sound) % block_bytes])
    check_rate_and_channels(wav.rate, wav.channels)
    return wav


def _chunks(audio: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Walk a WAV's chunks: name, and as much as is there of what it claims.

    A recorder that writes into a pipe cannot go back to fill in the sizes: they stay 0, or as large as can be.
    """
    position, sound_bytes = 12, 0
    for _ in range(MAX_RIFF_CHUNKS):
        if position + 8 > len(audio) or _TRAILER.fullmatch(audio, position):
            return
        name, size = _chunk_head(audio, position)
        if not _is_name(name):
            message = "The WAV file holds bytes that belong to no chunk."
            raise AudioInvalid(message)
        position += 8
        if name == b"data" and size == 0xFFFFFFFF and sound_bytes:  # noqa: PLR2004 - see ds64
            size = sound_bytes
        elif name == b"data" and not size:
            following, its_size = _chunk_head(audio, position)
            is_empty = _is_name(following) and position + 8 + its_size <= len(audio)
            size = 0 if is_empty else len(audio)
        content = memoryview(audio)[position : position + size]
        if name == b"ds64":
            sound_bytes = int.from_bytes(content[8:16], "little")
        yield name, content
        position += len(content)
        position += len(content) % 2 and audio[position : position + 1] == b"\0"  # some leave the padding out
    message = f"The WAV file has more than {MAX_RIFF_CHUNKS} chunks."
    raise AudioInvalid(message)


def _chunk_head(audio: bytes, position: int) -> tuple[bytes, int]:
    return audio[position : position + 4], int.from_bytes(audio[position + 4 : position + 8], "little")


def _is_name(name: bytes) -> bool:
    return name.isascii() and name.decode("ascii").isprintable()
