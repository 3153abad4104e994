"""WAV files yield the samples that they contain, even if their headers declare other sizes."""

import struct

import numpy as np
import pytest

from errors import AudioInvalid
from tests.asr.audio_files import UNDECLARED, riff, tone, wav, wave_format
from voice.asr.audio import decode, unpack
from voice.asr.media import Media


def decoded(audio):
    return decode(audio, **UNDECLARED)


PLAIN = wav(tone(0.2))
WIDE = riff(wave_format(bits=24), (b"data", np.pad(tone(0.2).view(np.uint8).reshape(-1, 2), ((0, 0), (1, 0))).tobytes()))  # 24 bits


def with_sizes(audio, riff_size, data_size):
    place = audio.index(b"data") + 4
    return audio[:4] + struct.pack("<I", riff_size) + audio[8:place] + struct.pack("<I", data_size) + audio[place + 4 :]


def rf64(audio, data_size):
    sizes = b"ds64" + struct.pack("<IQQQI", 28, len(audio) + 28, data_size, data_size, 0)
    unknown = with_sizes(audio, 0xFFFFFFFF, 0xFFFFFFFF)
    return b"RF64" + unknown[4:12] + sizes + unknown[12:]


@pytest.mark.parametrize("audio", [PLAIN, WIDE], ids=["plain", "24 bits"])
@pytest.mark.parametrize(
    "written",
    [
        lambda audio: with_sizes(audio, 0xFFFFFFFF, 0xFFFFFFFF),  # ffmpeg -f wav -
        lambda audio: with_sizes(audio, 0x7FFFF024, 0x7FFFF000),  # sox -t wav -, espeak-ng --stdout
        lambda audio: with_sizes(audio, 0, 0),
        lambda audio: with_sizes(audio, 36, 0),  # a header written before the samples
        lambda audio: with_sizes(audio, len(audio) - 8, 0),
        lambda audio: with_sizes(audio, len(audio) + 92, len(audio) - 44 + 100),
        lambda audio: with_sizes(audio + b"\1", len(audio) - 7, len(audio) - 43),  # half a sample
        lambda audio: audio + b"\1",
        lambda audio: audio + bytes(333),
        lambda audio: audio + b"TAG" + b"A song".ljust(125),
        lambda audio: audio + bytes(20) + b"TAG" + bytes(125),
        lambda audio: audio + b"LIST" + struct.pack("<I", 400) + b"INFO",  # truncated behind the samples
        lambda audio: rf64(audio, len(audio) - 44),
        lambda audio: rf64(audio, 2**40),
        lambda audio: rf64(audio, 0),
        lambda audio: b"BW64" + rf64(audio, len(audio) - 44)[4:],
    ],
)
def test_a_wav_yields_its_samples_whatever_its_sizes_claim(audio, written):
    np.testing.assert_allclose(decoded(written(audio)), tone(0.2) / np.float32(32768), atol=1e-6)


def test_a_truncated_wav_yields_the_complete_samples():
    for audio, sample_bytes in ((PLAIN, 2), (WIDE, 3)):
        assert len(decoded(audio[:-301])) == 3200 - -(-301 // sample_bytes)


def test_an_empty_data_chunk_is_rejected_even_if_other_chunks_follow():
    with pytest.raises(AudioInvalid, match="no samples"):
        decoded(riff(wave_format(), (b"data", b""), (b"LIST", b"INFOISFT\x04\0\0\0us\0\0")))


def test_all_data_chunks_are_joined_and_padding_may_be_missing():
    odd = riff(wave_format(tag=7, bits=8, rate=8_000), (b"data", b"\x55" * 801), (b"data", b"\x66" * 800))
    assert len(decoded(odd)) == len(decoded(odd.replace(b"\x55\0data", b"\x55data"))) == pytest.approx(3202, abs=2)


def test_a_wav_for_libav_has_only_a_format_and_a_data_chunk():
    unpacked = unpack(riff(wave_format(bits=24), (b"LIST", b"x" * 999), (b"data", b"\0" * 999)), **UNDECLARED)
    assert isinstance(unpacked, Media)
    assert len(unpacked.audio) == 12 + 24 + 8 + 999
