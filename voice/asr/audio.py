"""Decode audio of any accepted format into a waveform.

Raw samples and WAV files of raw samples are decoded here, in time and memory proportional to the bytes received. All other audio becomes
`Media` for libav with a forced demuxer, so that a playlist or a script of file names is never interpreted.
"""

from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from errors import AudioInvalid
from schemas import Encoding
from voice.asr import media, wav
from voice.asr.media import MIN_RATE, Media, check_declared, check_rate_and_channels, too_long
from voice.asr.waveform import SAMPLE_RATE, Resampler, StereoBlock, Waveform, fold_to_stereo, mix_to_mono

__all__ = ["G711", "SAMPLE_RATE", "Media", "RawStream", "Waveform", "clip_samples", "decode", "estimate_duration_s", "unpack"]

MAX_BLOCK_SAMPLES = 1 << 16  # raw samples are resampled in blocks: one copy at their own rate is in memory
COMPRESSED_BYTES_PER_S = 16_000  # a guess: 128 kbit/s
SUPPORTED_FORMATS = "wav, flac, ogg, webm, mp3, m4a or aac"
_MAGIC: Final = ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"\x1a\x45\xdf\xa3", "matroska"), (b"ID3", "mp3"))


def decode(audio: bytes, *, encoding: Encoding, sample_rate: int | None, channels: int | None, max_audio_s: float) -> Waveform:
    """Decode to mono at 16 kHz, blocking and in this process; untrusted audio goes through `unpack` and a `MediaPool`.

    Raises:
        AudioInvalid, AudioTooLong: as `unpack` and `voice.asr.media.decode`.

    """
    unpacked = unpack(audio, encoding=encoding, sample_rate=sample_rate, channels=channels, max_audio_s=max_audio_s)
    return clip_samples(media.decode(unpacked, max_audio_s=max_audio_s) if isinstance(unpacked, Media) else unpacked)


def unpack(audio: bytes, *, encoding: Encoding, sample_rate: int | None, channels: int | None, max_audio_s: float) -> Waveform | Media:
    """Decode raw samples and WAV files of them; return other audio as `Media`. Blocks, and releases the GIL.

    With the encoding "auto" the audio is a container, which is checked against a declared `sample_rate` (Hz) and `channels`. The other
    encodings are raw samples: they need the sample rate, have one channel by default, and are mixed to mono.

    Raises:
        AudioInvalid: not audio, or contradicting the declared format.
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
    parsed = wav.parse_wav(audio)
    if parsed.encoding is None:
        return Media("wav", parsed.to_bytes(), sample_rate, channels)
    check_declared(parsed.sample_rate, sample_rate, "sample_rate")
    check_declared(parsed.channels, channels, "channels")
    return _decode_raw(
        parsed.samples, encoding=parsed.encoding, sample_rate=parsed.sample_rate, channels=parsed.channels, max_audio_s=max_audio_s
    )


def clip_samples(waveform: Waveform) -> Waveform:
    """Clip a decoded waveform to -1..1, in place.

    Raises:
        AudioInvalid: it is empty.

    """
    if not waveform.size:
        message = "The audio has no samples."
        raise AudioInvalid(message)
    return np.clip(waveform, -1.0, 1.0, out=waveform)


def estimate_duration_s(audio: bytes, *, encoding: Encoding, sample_rate: int | None, channels: int | None) -> float:
    """Estimate the duration without decoding: exact for raw samples and WAV, a guess for compressed audio."""
    if encoding != "auto":
        bytes_per_s = (sample_rate or MIN_RATE) * (channels or 1) * bytes_per_sample(encoding)
    elif (wav_bytes_per_s := wav.bytes_per_second(audio)) is not None:
        bytes_per_s = max(wav_bytes_per_s, MIN_RATE)
    else:
        bytes_per_s = COMPRESSED_BYTES_PER_S
    return len(audio) / bytes_per_s


def bytes_per_sample(encoding: Encoding) -> int:
    """Return the size of a raw sample of one channel."""
    return 2 if encoding == "pcm_s16le" else 1


def _container_format(audio: bytes) -> str:
    """Identify a container by its first bytes; return libav's name for it."""
    head = audio[:12]
    if head[:4] in wav.RIFF_MAGIC and head[8:12] == b"WAVE":
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
    message = f"The audio is not {SUPPORTED_FORMATS}; raw samples need their encoding and sample_rate."
    raise AudioInvalid(message)


# --- Raw samples --------------------------------------------------------------------------------------------------------------------


def _decode_raw(audio: memoryview, *, encoding: Encoding, sample_rate: int | None, channels: int, max_audio_s: float) -> Waveform:
    if sample_rate is None:
        message = f"The encoding {encoding} is raw: its sample_rate must be given."
        raise AudioInvalid(message)
    check_rate_and_channels(sample_rate, channels)
    frame_bytes = channels * bytes_per_sample(encoding)
    if len(audio) % frame_bytes:
        message = f"{encoding} with {channels} channel(s): {len(audio)} bytes are not a multiple of {frame_bytes}."
        raise AudioInvalid(message)
    if len(audio) / frame_bytes > max_audio_s * sample_rate:
        raise too_long(max_audio_s)
    samples = _to_int16(audio, encoding).reshape(-1, channels)
    mono: Waveform = mix_to_mono([fold_to_stereo(samples)]) if channels > 1 else samples[:, 0].astype(np.float32)
    mono /= 32768
    if sample_rate == SAMPLE_RATE or not mono.size:
        return mono
    resampler = Resampler()
    blocks: list[StereoBlock] = []
    for start in range(0, len(mono), MAX_BLOCK_SAMPLES):
        blocks += resampler.resample(_mono_frame(mono[start : start + MAX_BLOCK_SAMPLES], sample_rate))
    blocks += resampler.resample(None)
    return np.concatenate(blocks)[:, 0]


def _to_int16(audio: bytes | memoryview, encoding: Encoding) -> NDArray[np.int16]:
    if encoding == "pcm_s16le":
        return np.frombuffer(audio, "<i2")
    return G711[encoding][np.frombuffer(audio, np.uint8)]


def _mono_frame(mono: Waveform, sample_rate: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(mono[np.newaxis], format="flt", layout="mono")
    frame.sample_rate = sample_rate
    return frame


class RawStream:
    """Decodes a stream of raw samples of one channel, in chunks that may end within a sample."""

    def __init__(self, *, encoding: Encoding, sample_rate: int) -> None:
        self.bytes_per_s = sample_rate * bytes_per_sample(encoding)
        self._encoding, self._sample_rate = encoding, sample_rate
        self._resampler = Resampler() if sample_rate != SAMPLE_RATE else None
        self._partial_sample = b""  # the first byte of a sample whose second byte has not arrived

    def accept(self, audio: bytes) -> Waveform:
        """Decode a chunk to 16 kHz; the resampler holds back a millisecond for the next chunk."""
        audio = self._partial_sample + audio
        n_bytes = len(audio) - len(audio) % bytes_per_sample(self._encoding)
        audio, self._partial_sample = audio[:n_bytes], audio[n_bytes:]
        mono: Waveform = _to_int16(audio, self._encoding).astype(np.float32)
        mono /= 32768
        if self._resampler is None or not mono.size:
            return mono
        blocks = [block[:, 0] for block in self._resampler.resample(_mono_frame(mono, self._sample_rate))]
        resampled: Waveform = np.concatenate([np.zeros(0, np.float32), *blocks])
        return np.clip(resampled, -1.0, 1.0, out=resampled)  # interpolated samples may exceed their neighbours


def _mulaw_table() -> NDArray[np.int16]:
    """Expand each byte of G.711 mu-law. Source: ITU-T G.711, table 2."""
    code = ~np.arange(256, dtype=np.uint8)
    magnitude = ((((code & 0x0F).astype(np.int32) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> NDArray[np.int16]:
    """Expand each byte of G.711 A-law. Source: ITU-T G.711, table 1."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    segment, step = (code & 0x70).astype(np.int32) >> 4, (code & 0x0F).astype(np.int32) << 4
    magnitude = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


# The 16-bit sample of each byte, by encoding.
G711: Final = {"mulaw": _mulaw_table(), "alaw": _alaw_table()}
