"""Audio of every accepted form becomes the same waveform; what is broken gives what is left, what contradicts itself is refused."""

import io
import struct
import tracemalloc
import wave
from typing import Any

import av
import numpy as np
import pytest

from errors import AudioInvalid, AudioTooLong
from voice.asr.audio import SAMPLE_RATE, Media, decode, likely_seconds, unpack


def tone(seconds=1.0, *, rate=16_000, hz=440.0, amplitude=0.5):
    """A sine, int16."""
    return (amplitude * 32767 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def encoded(samples, *, container, codec, rate, channels=1, **options):
    """Encode mono int16 samples, repeated on each channel, by PyAV."""
    file = io.BytesIO()
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[channels]
    with av.open(file, "w", format=container, options=options) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        resampler = av.AudioResampler(
            format=stream.codec_context.format, layout=layout, rate=rate, frame_size=stream.codec_context.frame_size
        )
        frame = av.AudioFrame.from_ndarray(np.repeat(samples, channels)[np.newaxis], format="s16", layout=layout)
        frame.sample_rate = rate
        for ready in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(ready))
        output.mux(stream.encode(None))
    return file.getvalue()


def wav(samples, *, rate=16_000, channels=1):
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setnchannels(channels)
        output.setsampwidth(2)
        output.setframerate(rate)
        output.writeframes(samples.tobytes())
    return file.getvalue()


def riff(*chunks):
    body = b"WAVE" + b"".join(name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2) for name, content in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def wave_format(*, channels=1, rate=16_000, tag=1, bits=16):
    block = channels * bits // 8
    return b"fmt ", struct.pack("<HHIIHH", tag, channels & 0xFFFF, rate, (rate * block) & 0xFFFFFFFF, block & 0xFFFF, bits)


UNDECLARED: Any = {"encoding": "auto", "sample_rate": None, "channels": None, "max_audio_s": 30.0}


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


def test_plain_samples_in_a_wav_are_taken_as_they_are():
    samples = tone(0.3)
    aside = (b"LIST", b"INFOISFT\x04\0\0\0us\0\0")
    for audio in (wav(samples), riff(aside, wave_format(), (b"data", samples.tobytes()), aside)):
        np.testing.assert_array_equal(auto(audio), samples / np.float32(32768))
    with pytest.raises(AudioTooLong):
        auto(wav(samples), max_audio_s=0.2)


def test_channels_are_mixed_down():
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
    return auto(riff(wave_format(tag=3, bits=32, channels=2), (b"data", (both / np.float32(32768)).tobytes())))  # by the library


@pytest.mark.parametrize("form", ["raw", "wav", "float"])
def test_channels_of_opposite_phase_do_not_cancel_each_other_out(form):
    generator = np.random.default_rng(0)
    voice = (tone(1.0) * np.linspace(0, 1, 16_000)).astype(np.int16)
    np.testing.assert_allclose(stereo(voice, -voice, form), voice / 32768, atol=1e-3)
    np.testing.assert_allclose(stereo(voice // 2, -voice, form), -voice / 32768, atol=1e-3)
    hiss = generator.normal(0, 2000, (2, 16_000)).astype(np.int16)
    heard = stereo(voice + hiss[0], hiss[1] - voice, form)
    assert abs(np.corrcoef(heard, voice)[0, 1]) > 0.9
    offset = np.int16(9000)
    np.testing.assert_allclose(stereo(voice // 2 + offset, voice // 2 - offset, form), voice // 2 / 32768, atol=1e-3)


@pytest.mark.parametrize(
    ("samples", "rate"), [(1, 16_000), (1, 8_000), (1, 192_000), (160, 16_000)]
)  # fmt: skip
def test_one_sample_is_sound(samples, rate):
    assert auto(wav(tone(1.0)[:samples], rate=rate)).size > 0
    assert decode(b"\1\0" * samples, encoding="pcm_s16le", sample_rate=rate, channels=1, max_audio_s=30).size > 0


def test_samples_that_are_no_numbers_become_silence():
    samples = np.array([np.nan, np.inf, -np.inf, 1e30] * 4000, np.float32)
    waveform = auto(riff(wave_format(tag=3, bits=32), (b"data", samples.tobytes())))
    assert np.isfinite(waveform).all()
    assert np.abs(waveform).max() <= 1.0


SOUND = (b"data", tone(0.2).tobytes())


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        (b"", "empty"),
        (b"\0" * 100, "is not wav"),
        (b"hello, this is no sound" * 10, "is not wav"),
        (b"https://example.org/order.wav", "is not wav"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "is not wav"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "is not wav"),
        (b"RIFF\x24\x00\x00\x00WAVE", "no format"),
        (b"PK\x03\x04" + wav(tone(0.2)), "is not wav"),
        (wav(tone(0.2)) + b"PK\x03\x04" + b"\0" * 40, "no chunk"),
        (wav(tone(0.2)) + b"PK\x05\x06" + b"\0" * 18, "no chunk"),
        (wav(tone(0.2))[:30], "no format"),
        (wav(tone(0.2))[:45], "no sound"),
        (riff(wave_format(channels=0), SOUND), "0 channels"),
        (riff(wave_format(channels=65_535), SOUND), "65535 channels"),
        (riff(wave_format(channels=9), SOUND), "9 channels"),
        (riff(wave_format(rate=0), SOUND), "0 Hz"),
        (riff(wave_format(rate=1), SOUND), "1 Hz"),
        (riff(wave_format(rate=655_350), SOUND), "655350 Hz"),
        (riff(wave_format(), *[(b"junk", b"")] * 10_000, SOUND), "100 chunks"),
        (riff(SOUND), "no format"),
        (riff(wave_format(tag=0x9999), SOUND), "decoded"),
        (b"OggS" + b"\0" * 200, "decoded"),
        (b"fLaC" + bytes(range(256)), "decoded"),
        (b"\x1a\x45\xdf\xa3" + b"\xff" * 200, "decoded"),
        (b"\0\0\0\x18ftypM4A " + b"\0" * 200, "decoded"),
        (b"ID3\x04\0\0\0\0\0\0" + b"\xff\xfb\x90\x00" * 3, "decoded"),
        (wav(np.zeros(0, np.int16)), "no sound"),
    ],
)
def test_what_is_no_sound_is_refused_with_a_reason_of_ours(audio, said):
    with pytest.raises(AudioInvalid) as refusal:
        auto(audio)
    assert said in str(refusal.value)
    assert "Errno" not in str(refusal.value)


def test_a_video_without_sound_is_refused():
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(3):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        output.mux(stream.encode(None))
    with pytest.raises(AudioInvalid, match="no sound"):
        auto(file.getvalue())


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
        lambda audio: with_sizes(audio, 36, 0),  # a head that was written before its sound
        lambda audio: with_sizes(audio, len(audio) - 8, 0),
        lambda audio: with_sizes(audio, len(audio) + 92, len(audio) - 44 + 100),
        lambda audio: with_sizes(audio + b"\1", len(audio) - 7, len(audio) - 43),  # half a sample
        lambda audio: audio + b"\1",
        lambda audio: audio + bytes(333),
        lambda audio: audio + b"TAG" + b"A song".ljust(125),
        lambda audio: audio + bytes(20) + b"TAG" + bytes(125),
        lambda audio: audio + b"LIST" + struct.pack("<I", 400) + b"INFO",  # cut off behind the sound
        lambda audio: rf64(audio, len(audio) - 44),
        lambda audio: rf64(audio, 2**40),
        lambda audio: rf64(audio, 0),
        lambda audio: b"BW64" + rf64(audio, len(audio) - 44)[4:],
    ],
)
def test_a_wav_gives_the_samples_that_are_there_whatever_it_claims(audio, written):
    np.testing.assert_allclose(auto(written(audio)), tone(0.2) / np.float32(32768), atol=1e-6)


def test_a_wav_that_is_cut_off_gives_what_is_left():
    for audio, sample_bytes in ((PLAIN, 2), (WIDE, 3)):
        assert len(auto(audio[:-301])) == 3200 - -(-301 // sample_bytes)


def test_an_empty_wav_is_empty_even_if_other_chunks_follow():
    with pytest.raises(AudioInvalid, match="no sound"):
        auto(riff(wave_format(), (b"data", b""), (b"LIST", b"INFOISFT\x04\0\0\0us\0\0")))


def test_all_data_chunks_of_a_wav_are_its_sound_and_padding_may_be_missing():
    odd = riff(wave_format(tag=7, bits=8, rate=8_000), (b"data", b"\x55" * 801), (b"data", b"\x66" * 800))
    assert len(auto(odd)) == len(auto(odd.replace(b"\x55\0data", b"\x55data"))) == pytest.approx(3202, abs=2)


def test_a_wav_for_the_library_has_no_chunks_but_format_and_sound():
    unpacked = unpack(riff(wave_format(bits=24), (b"LIST", b"x" * 999), (b"data", b"\0" * 999)), **UNDECLARED)
    assert isinstance(unpacked, Media)
    assert len(unpacked.audio) == 12 + 24 + 8 + 999


def test_the_length_of_a_wav_is_told_by_its_format_wherever_that_stands():
    said: Any = {"encoding": "auto", "sample_rate": None, "channels": None}
    padded = riff((b"JUNK", bytes(28)), wave_format(rate=48_000, channels=2), (b"data", bytes(192_000)))
    assert likely_seconds(padded, **said) == pytest.approx(1, abs=0.01)
    assert likely_seconds(rf64(PLAIN, 0), **said) == pytest.approx(0.2, abs=0.01)
    assert likely_seconds(b"OggS" + bytes(16_000), **said) == pytest.approx(1, abs=0.01)


COMPRESSED = [("mp4", "aac"), ("adts", "aac"), ("mp3", "libmp3lame"), ("flac", "flac"), ("ogg", "libopus"), ("webm", "libopus")]


@pytest.mark.parametrize(("container", "codec"), COMPRESSED)
def test_one_bit_that_is_wrong_costs_a_packet_and_not_the_file(container, codec):
    noise = np.random.default_rng(0).integers(-9000, 9000, 64_000).astype(np.int16)
    whole = encoded(noise, container=container, codec=codec, rate=16_000)
    generator = np.random.default_rng(1)
    for place in generator.integers(len(whole) // 4, len(whole) * 3 // 4, 12):
        broken = bytearray(whole)
        broken[place] ^= 1 << int(generator.integers(8))
        assert len(auto(bytes(broken))) > 2.5 * SAMPLE_RATE  # a page of Ogg has a second


@pytest.mark.parametrize(("container", "codec"), COMPRESSED[1:])
def test_a_file_cut_off_gives_what_is_there(container, codec):
    noise = np.random.default_rng(0).integers(-9000, 9000, 64_000).astype(np.int16)
    whole = encoded(noise, container=container, codec=codec, rate=16_000)
    for share in (0.4, 0.66, 0.9):
        assert (share - 0.27) * 4 < len(auto(whole[: int(share * len(whole))])) / SAMPLE_RATE < (share + 0.1) * 4


@pytest.mark.parametrize("movflags", ["faststart", "frag_keyframe+empty_moov"])
def test_mp4_with_its_index_in_front_may_be_cut_off_and_with_it_behind_is_refused(movflags):
    noise = np.random.default_rng(0).integers(-9000, 9000, 64_000).astype(np.int16)
    whole = encoded(noise, container="mp4", codec="aac", rate=16_000, movflags=movflags, frag_duration="500000")
    assert auto(whole[: len(whole) // 2]).size / SAMPLE_RATE == pytest.approx(2, abs=0.3)
    behind = encoded(noise, container="mp4", codec="aac", rate=16_000)
    with pytest.raises(AudioInvalid):
        auto(behind[: len(behind) // 2])


def test_a_stream_that_changes_its_rate_is_decoded_on():
    parts = [encoded(tone(1.0, rate=rate), container="mp3", codec="libmp3lame", rate=rate) for rate in (16_000, 44_100)]
    assert auto(b"".join(parts)).size / SAMPLE_RATE == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize(
    ("declared", "numbers"), [({"sample_rate": 8_000}, ("8000", "44100")), ({"channels": 2}, ("2", "1"))]
)  # fmt: skip
def test_a_declaration_that_contradicts_the_container_is_refused_and_names_both(declared, numbers):
    with pytest.raises(AudioInvalid) as refusal:
        auto(wav(tone(0.2, rate=44_100), rate=44_100), **declared)
    assert all(number in str(refusal.value) for number in numbers)


def test_a_declaration_that_agrees_is_fine_and_opus_agrees_with_each_of_its_rates():
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
def test_raw_samples_that_do_not_add_up_are_refused(audio, encoding, rate, channels):
    with pytest.raises(AudioInvalid):
        decode(audio, encoding=encoding, sample_rate=rate, channels=channels, max_audio_s=30)


def test_decoding_stops_at_the_allowed_length_and_holds_no_more_than_that():
    long = encoded(np.zeros(1200 * 8_000, np.int16), container="ogg", codec="libopus", rate=8_000)
    assert len(long) < 2_000_000
    tracemalloc.start()
    with pytest.raises(AudioTooLong):
        auto(long, max_audio_s=10)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 * 10 * SAMPLE_RATE * 4 + len(long)


def test_raw_samples_beyond_the_allowed_length_are_refused():
    with pytest.raises(AudioTooLong):
        decode(b"\0" * 2 * 16_001, encoding="pcm_s16le", sample_rate=16_000, channels=1, max_audio_s=1)
    assert decode(b"\0" * 2 * 16_000, encoding="pcm_s16le", sample_rate=16_000, channels=1, max_audio_s=1).size


def test_a_stream_of_random_bytes_behind_each_magic_never_escapes_as_another_error():
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
