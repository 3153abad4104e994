"""Every accepted format decodes to the same waveform. Damaged files are decoded up to the damage; contradictory files are rejected."""

import io
import tracemalloc
from typing import Any

import av
import numpy as np
import pytest

from errors import AudioInvalid, AudioTooLong
from settings import ROOT
from tests.asr.audio_files import DATA_CHUNK, encoded, riff, tone, wav, wave_format
from voice.asr.audio import RawStream, decode, estimate_duration_s
from voice.asr.waveform import SAMPLE_RATE


def auto(audio, *, sample_rate=None, channels=None, max_audio_s=30.0):
    return decode(audio, encoding="auto", sample_rate=sample_rate, channels=channels, max_audio_s=max_audio_s)


def pitch_hz(waveform):
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return spectrum.argmax() * SAMPLE_RATE / len(waveform)


@pytest.mark.parametrize(
    ("container", "codec", "rate", "channels"),
    [
        ("wav", "pcm_s16le", 16_000, 1),
        ("wav", "pcm_s16le", 44_100, 2),
        ("wav", "pcm_s16le", 48_000, 8),
        ("wav", "pcm_s24le", 96_000, 1),
        ("wav", "pcm_f32le", 16_000, 1),
        ("wav", "pcm_u8", 8_000, 1),
        ("wav", "pcm_mulaw", 8_000, 1),
        ("wav", "pcm_alaw", 8_000, 1),
        ("flac", "flac", 16_000, 1),
        ("flac", "flac", 44_100, 2),
        ("ogg", "libopus", 48_000, 1),
        ("ogg", "libopus", 16_000, 1),
        ("webm", "libopus", 48_000, 2),
        ("mp3", "libmp3lame", 44_100, 2),
        ("mp3", "libmp3lame", 16_000, 1),
        ("mp4", "aac", 44_100, 1),
        ("ipod", "aac", 48_000, 6),
        ("adts", "aac", 44_100, 1),
    ],
)
def test_every_container_decodes_to_the_same_sound(container, codec, rate, channels):
    waveform = auto(encoded(tone(1.0, rate=rate), container=container, codec=codec, rate=rate, channels=channels))
    assert waveform.dtype == np.float32
    assert waveform.ndim == 1
    assert len(waveform) == pytest.approx(SAMPLE_RATE, abs=SAMPLE_RATE * 0.1)  # lossy codecs pad by some frames
    assert pitch_hz(waveform) == pytest.approx(440, abs=3)
    assert 0.25 < np.abs(waveform).max() <= 1.0


@pytest.mark.parametrize(("encoding", "codec"), [("pcm_s16le", "pcm_s16le"), ("mulaw", "pcm_mulaw"), ("alaw", "pcm_alaw")])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_raw_samples_decode_as_the_same_codec_in_a_container_does(encoding, codec, rate):
    contained = encoded(tone(1.0, rate=rate), container="wav", codec=codec, rate=rate)
    raw = contained[contained.index(b"data") + 8 :]
    got = decode(raw, encoding=encoding, sample_rate=rate, channels=None, max_audio_s=30)
    expected = auto(contained)
    length = min(len(got), len(expected))
    assert length == pytest.approx(SAMPLE_RATE, abs=64)
    np.testing.assert_allclose(got[:length], expected[:length], atol=2e-3)


def test_16_bit_samples_at_16_khz_in_a_wav_are_exact():
    samples = tone(0.3)
    aside = (b"LIST", b"INFOISFT\x04\0\0\0us\0\0")
    for audio in (wav(samples), riff(aside, wave_format(), (b"data", samples.tobytes()), aside)):
        np.testing.assert_array_equal(auto(audio), samples / np.float32(32768))
    with pytest.raises(AudioTooLong):
        auto(wav(samples), max_audio_s=0.2)


def test_channels_are_mixed_to_mono():
    left, right = tone(0.5), np.zeros(8_000, np.int16)
    stereo = np.stack([left, right], axis=1)
    for waveform in (
        auto(wav(stereo, channels=2)),
        decode(stereo.tobytes(), encoding="pcm_s16le", sample_rate=16_000, channels=2, max_audio_s=30),
    ):
        np.testing.assert_allclose(waveform, left / 65536, atol=1e-3)


def stereo(left, right, form):
    both = np.stack([left, right], axis=1)
    if form == "raw":
        return decode(both.tobytes(), encoding="pcm_s16le", sample_rate=16_000, channels=2, max_audio_s=30)
    if form == "wav":
        return auto(wav(both, channels=2))
    return auto(riff(wave_format(tag=3, bits=32, channels=2), (b"data", (both / np.float32(32768)).tobytes())))  # by libav


@pytest.mark.parametrize("form", ["raw", "wav", "float"])
def test_channels_of_opposite_phase_do_not_cancel_each_other_out(form):
    generator = np.random.default_rng(0)
    signal = (tone(1.0) * np.linspace(0, 1, 16_000)).astype(np.int16)
    np.testing.assert_allclose(stereo(signal, -signal, form), signal / 32768, atol=1e-3)
    np.testing.assert_allclose(stereo(signal // 2, -signal, form), -signal / 32768, atol=1e-3)
    hiss = generator.normal(0, 2000, (2, 16_000)).astype(np.int16)
    mixed = stereo(signal + hiss[0], hiss[1] - signal, form)
    assert abs(np.corrcoef(mixed, signal)[0, 1]) > 0.9
    offset = np.int16(9000)
    np.testing.assert_allclose(stereo(signal // 2 + offset, signal // 2 - offset, form), signal // 2 / 32768, atol=1e-3)


@pytest.mark.parametrize(
    ("samples", "rate"), [(1, 16_000), (1, 8_000), (1, 192_000), (160, 16_000)]
)  # fmt: skip
def test_one_sample_is_valid_audio(samples, rate):
    assert auto(wav(tone(1.0)[:samples], rate=rate)).size > 0
    assert decode(b"\1\0" * samples, encoding="pcm_s16le", sample_rate=rate, channels=1, max_audio_s=30).size > 0


def test_nan_and_infinite_samples_become_silence():
    samples = np.array([np.nan, np.inf, -np.inf, 1e30] * 4000, np.float32)
    waveform = auto(riff(wave_format(tag=3, bits=32), (b"data", samples.tobytes())))
    assert np.isfinite(waveform).all()
    assert np.abs(waveform).max() <= 1.0


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (b"", "empty"),
        (b"\0" * 100, "is not wav"),
        (b"hello, this is no audio" * 10, "is not wav"),
        (b"https://example.org/order.wav", "is not wav"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "is not wav"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "is not wav"),
        (b"RIFF\x24\x00\x00\x00WAVE", "no format"),
        (b"PK\x03\x04" + wav(tone(0.2)), "is not wav"),
        (wav(tone(0.2)) + b"PK\x03\x04" + b"\0" * 40, "outside of its chunks"),
        (wav(tone(0.2)) + b"PK\x05\x06" + b"\0" * 18, "outside of its chunks"),
        (wav(tone(0.2))[:30], "no format"),
        (wav(tone(0.2))[:45], "no samples"),
        (riff(wave_format(channels=0), DATA_CHUNK), "0 channels"),
        (riff(wave_format(channels=65_535), DATA_CHUNK), "65535 channels"),
        (riff(wave_format(channels=9), DATA_CHUNK), "9 channels"),
        (riff(wave_format(rate=0), DATA_CHUNK), "0 Hz"),
        (riff(wave_format(rate=1), DATA_CHUNK), "1 Hz"),
        (riff(wave_format(rate=655_350), DATA_CHUNK), "655350 Hz"),
        (riff(wave_format(), *[(b"junk", b"")] * 10_000, DATA_CHUNK), "100 chunks"),
        (riff(DATA_CHUNK), "no format"),
        (riff(wave_format(tag=0x9999), DATA_CHUNK), "codec is not supported"),
        (b"OggS" + b"\0" * 200, "decoded"),
        (b"fLaC" + bytes(range(256)), "decoded"),
        (b"\x1a\x45\xdf\xa3" + b"\xff" * 200, "decoded"),
        (b"\0\0\0\x18ftypM4A " + b"\0" * 200, "decoded"),
        (b"ID3\x04\0\0\0\0\0\0" + b"\xff\xfb\x90\x00" * 3, "decoded"),
        (wav(np.zeros(0, np.int16)), "no samples"),
    ],
)
def test_invalid_audio_is_rejected_with_a_reason_that_is_not_libavs(audio, reason):
    with pytest.raises(AudioInvalid) as rejection:
        auto(audio)
    assert reason in str(rejection.value)
    assert "Errno" not in str(rejection.value)


def test_a_video_without_an_audio_stream_is_rejected():
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(3):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        output.mux(stream.encode(None))
    with pytest.raises(AudioInvalid, match="no audio stream"):
        auto(file.getvalue())


def test_the_duration_is_estimated_from_the_format_chunk_wherever_it_is():
    form: Any = {"encoding": "auto", "sample_rate": None, "channels": None}
    padded = riff((b"JUNK", bytes(28)), wave_format(rate=48_000, channels=2), (b"data", bytes(192_000)))
    assert estimate_duration_s(padded, **form) == pytest.approx(1, abs=0.01)
    assert estimate_duration_s(wav(tone(0.2)).replace(b"RIFF", b"RF64"), **form) == pytest.approx(0.2, abs=0.01)
    assert estimate_duration_s(b"OggS" + bytes(16_000), **form) == pytest.approx(1, abs=0.01)


COMPRESSED = [("mp4", "aac"), ("adts", "aac"), ("mp3", "libmp3lame"), ("flac", "flac"), ("ogg", "libopus"), ("webm", "libopus")]


@pytest.mark.parametrize(("container", "codec"), COMPRESSED)
def test_a_flipped_bit_costs_a_packet_and_not_the_file(container, codec):
    noise = np.random.default_rng(0).integers(-9000, 9000, 64_000).astype(np.int16)
    whole = encoded(noise, container=container, codec=codec, rate=16_000)
    generator = np.random.default_rng(1)
    for place in generator.integers(len(whole) // 4, len(whole) * 3 // 4, 12):
        broken = bytearray(whole)
        broken[place] ^= 1 << int(generator.integers(8))
        assert len(auto(bytes(broken))) > 2.5 * SAMPLE_RATE  # a page of Ogg has a second


@pytest.mark.parametrize(("container", "codec"), COMPRESSED[1:])
def test_a_truncated_file_yields_its_complete_packets(container, codec):
    noise = np.random.default_rng(0).integers(-9000, 9000, 64_000).astype(np.int16)
    whole = encoded(noise, container=container, codec=codec, rate=16_000)
    for share in (0.4, 0.66, 0.9):
        assert (share - 0.27) * 4 < len(auto(whole[: int(share * len(whole))])) / SAMPLE_RATE < (share + 0.1) * 4


@pytest.mark.parametrize("movflags", ["faststart", "frag_keyframe+empty_moov"])
def test_a_truncated_mp4_is_decoded_if_its_index_comes_first_and_else_rejected(movflags):
    noise = np.random.default_rng(0).integers(-9000, 9000, 64_000).astype(np.int16)
    whole = encoded(noise, container="mp4", codec="aac", rate=16_000, movflags=movflags, frag_duration="500000")
    assert auto(whole[: len(whole) // 2]).size / SAMPLE_RATE == pytest.approx(2, abs=0.3)
    behind = encoded(noise, container="mp4", codec="aac", rate=16_000)
    with pytest.raises(AudioInvalid):
        auto(behind[: len(behind) // 2])


def test_a_stream_that_changes_its_sample_rate_is_decoded_to_its_end():
    parts = [encoded(tone(1.0, rate=rate), container="mp3", codec="libmp3lame", rate=rate) for rate in (16_000, 44_100)]
    assert auto(b"".join(parts)).size / SAMPLE_RATE == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize(
    ("declared", "numbers"), [({"sample_rate": 8_000}, ("8000", "44100")), ({"channels": 2}, ("2", "1"))]
)  # fmt: skip
def test_a_declaration_that_contradicts_the_container_is_rejected_with_both_values(declared, numbers):
    with pytest.raises(AudioInvalid) as rejection:
        auto(wav(tone(0.2, rate=44_100), rate=44_100), **declared)
    assert all(number in str(rejection.value) for number in numbers)


def test_a_declaration_that_agrees_is_accepted_and_opus_agrees_with_all_its_rates():
    assert auto(wav(tone(0.2, rate=44_100), rate=44_100), sample_rate=44_100, channels=1).size
    assert auto(encoded(tone(0.5), container="ogg", codec="libopus", rate=16_000), sample_rate=16_000).size


@pytest.mark.parametrize(
    ("audio", "encoding", "rate", "channels"),
    [
        (b"\0" * 1001, "pcm_s16le", 16_000, 1),
        (b"\0" * 1002, "pcm_s16le", 16_000, 2),
        (b"\0" * 1001, "mulaw", 8_000, 2),
        (b"\0" * 1000, "pcm_s16le", None, 1),
        (b"\0" * 1000, "pcm_s16le", 1, 1),
        (b"\0" * 1000, "pcm_s16le", 655_350, 1),
        (b"\0" * 1000, "pcm_s16le", 16_000, 9),
    ],
)
def test_inconsistent_raw_samples_are_rejected(audio, encoding, rate, channels):
    with pytest.raises(AudioInvalid):
        decode(audio, encoding=encoding, sample_rate=rate, channels=channels, max_audio_s=30)


def test_decoding_stops_at_the_allowed_length_and_needs_memory_for_no_more():
    long = encoded(np.zeros(1200 * 8_000, np.int16), container="ogg", codec="libopus", rate=8_000)
    assert len(long) < 2_000_000
    tracemalloc.start()
    with pytest.raises(AudioTooLong):
        auto(long, max_audio_s=10)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 * 10 * SAMPLE_RATE * 4 + len(long)


def test_raw_samples_beyond_the_allowed_length_are_rejected():
    with pytest.raises(AudioTooLong):
        decode(b"\0" * 2 * 16_001, encoding="pcm_s16le", sample_rate=16_000, channels=1, max_audio_s=1)
    assert decode(b"\0" * 2 * 16_000, encoding="pcm_s16le", sample_rate=16_000, channels=1, max_audio_s=1).size


def test_random_bytes_behind_a_valid_header_raise_no_other_error():
    generator = np.random.default_rng(7)
    heads = [
        encoded(tone(0.3), container=c, codec=k, rate=16_000)[:200]
        for c, k in (("ogg", "libopus"), ("flac", "flac"), ("mp3", "libmp3lame"))
    ]
    heads += [
        encoded(tone(0.3), container="mp4", codec="aac", rate=16_000)[:200],
        encoded(tone(0.3), container="webm", codec="libopus", rate=16_000)[:400],
    ]
    for head in heads:
        for _ in range(20):
            try:
                auto(head + generator.integers(0, 256, 5000, np.uint8).tobytes(), max_audio_s=5)
            except (AudioInvalid, AudioTooLong):
                continue


@pytest.mark.parametrize(("encoding", "sample_rate"), [("pcm_s16le", 16_000), ("pcm_s16le", 48_000), ("mulaw", 8_000), ("alaw", 16_000)])
def test_a_raw_stream_decodes_to_the_same_samples_wherever_it_is_cut(encoding, sample_rate):
    audio = (ROOT / "examples/order-vi.wav").read_bytes()[44:40_044]
    whole = decode(audio, encoding=encoding, sample_rate=sample_rate, channels=1, max_audio_s=60)
    stream = RawStream(encoding=encoding, sample_rate=sample_rate)
    chunks = np.concatenate([stream.accept(audio[start : start + 333]) for start in range(0, len(audio), 333)])
    assert 0 <= len(whole) - len(chunks) < 0.01 * SAMPLE_RATE  # the resampler holds back the rest
    np.testing.assert_allclose(chunks, whole[: len(chunks)], atol=1e-3)
