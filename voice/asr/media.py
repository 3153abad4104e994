"""Decode compressed audio in a container with libav.

The metadata of a file is not trusted: the demuxer is forced, protocols and picture decoders are not available, and decoding stops at the
allowed length. Time and memory are limited where this runs: in the processes of `voice.asr.media_pool`.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, Final, NamedTuple

import av
from av.container import InputContainer

from errors import AudioInvalid, AudioTooLong
from voice.asr.waveform import Resampler, StereoBlock, Waveform, mix_to_mono

MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz; telephone to studio. A WAV that declares 1 Hz would be resampled to gigabytes.
MAX_CHANNELS = 8
# An Opus stream decodes at any of these rates (RFC 6716 section 2.1.3), so none of them contradicts it.
OPUS_RATES = frozenset({8_000, 12_000, 16_000, 24_000, 48_000})
# After this many consecutive errors of the demuxer the file counts as ended.
MAX_DEMUX_ERRORS = 100


class Media(NamedTuple):
    """Audio that libav decodes, with the sample rate (Hz) and the channels that the caller declared."""

    container_format: str  # libav's name of the demuxer
    audio: bytes
    sample_rate: int | None
    channels: int | None


def decode(media: Media, *, max_audio_s: float, on_opened: Callable[[], object] = lambda: None) -> Waveform:
    """Decode to mono at 16 kHz; corrupt packets are skipped, and the file may be truncated anywhere.

    `on_opened` is called between reading the container's header and its packets.

    Raises:
        AudioInvalid: nothing can be decoded, or the audio contradicts the declared format.
        AudioTooLong: longer than `max_audio_s`; decoding stopped there.

    """
    try:
        with av.open(
            BytesIO(media.audio), mode="r", format=media.container_format, options=LIBAV_OPTIONS, metadata_errors="replace"
        ) as container:
            on_opened()
            stream = _audio_stream(container, media)
            blocks = list(_blocks(container, stream, max_audio_s=max_audio_s))
    except (av.FFmpegError, OSError, ValueError, IndexError, EOFError, RuntimeError, MemoryError) as error:
        raise undecodable(media) from error
    if not blocks:
        raise undecodable(media)
    return mix_to_mono(blocks)


def undecodable(media: Media) -> AudioInvalid:
    """Return the error for media that cannot be decoded."""
    return AudioInvalid(f"The audio cannot be decoded; it looks like a {media.container_format} file.")


def too_long(max_audio_s: float) -> AudioTooLong:
    """Return the error for audio longer than `max_audio_s`."""
    return AudioTooLong(f"The audio is longer than {max_audio_s:g} s.")


def check_rate_and_channels(rate: int, channels: int) -> None:
    """Raise AudioInvalid if the sample rate (Hz) or the number of channels is out of range."""
    if not MIN_RATE <= rate <= MAX_RATE:
        message = f"The sample rate is {rate} Hz; {MIN_RATE} to {MAX_RATE} can be read."
        raise AudioInvalid(message)
    if not 1 <= channels <= MAX_CHANNELS:
        message = f"The audio has {channels} channels; 1 to {MAX_CHANNELS} can be read."
        raise AudioInvalid(message)


def check_declared(found: int, declared: int | None, name: str) -> None:
    """Raise AudioInvalid if the declared value of the field `name` contradicts the audio."""
    if declared is not None and declared != found:
        message = f"{name} {declared} was declared, the audio has {found}."
        raise AudioInvalid(message)


def _audio_decoder_names() -> str:
    names = sorted(av.codec.codecs_available)
    codecs: list[Any] = []
    for name in names:
        try:
            codecs.append(av.codec.Codec(name, "r"))
        except ValueError:  # an encoder
            continue
    return ",".join(codec.name for codec in codecs if codec.type == "audio")


LIBAV_OPTIONS: Final = {
    "protocol_whitelist": "none",  # files and URLs that a container refers to are not opened
    "codec_whitelist": _audio_decoder_names(),  # a picture of 16,000 x 16,000 in a FLAC file took 980 MB
    "max_streams": "16",  # a song with cover and subtitles
    "probesize": "1000000",
    "analyzeduration": "5000000",
}


def _audio_stream(container: InputContainer, media: Media) -> av.AudioStream:
    """Return the first audio stream of a container, checked against the declared format."""
    if not container.streams.audio:
        message = "The file has no audio stream."
        raise AudioInvalid(message)
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        message = "The file's audio codec is not supported."
        raise AudioInvalid(message)
    rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
    check_rate_and_channels(rate, channels)
    if not (stream.codec_context.name.endswith("opus") and media.sample_rate in OPUS_RATES):
        check_declared(rate, media.sample_rate, "sample_rate")
    check_declared(channels, media.channels, "channels")
    return stream


def _packets(container: InputContainer, stream: av.AudioStream) -> Iterator["av.Packet[av.AudioStream]"]:
    """Demultiplex a stream and skip unreadable parts."""
    n_errors = 0
    while n_errors < MAX_DEMUX_ERRORS:
        try:
            for packet in container.demux(stream):
                n_errors = 0
                yield packet
        except (av.FFmpegError, ValueError):
            n_errors += 1
        else:
            return


def _frames(container: InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    """Decode frame by frame and skip corrupt packets."""
    for packet in _packets(container, stream):
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            continue
        for frame in frames:
            if MIN_RATE <= frame.sample_rate <= MAX_RATE and 1 <= frame.layout.nb_channels <= MAX_CHANNELS:
                yield frame


def _blocks(container: InputContainer, stream: av.AudioStream, *, max_audio_s: float) -> Iterator[StereoBlock]:
    """Decode and resample a stream, block by block."""
    resampler, frame_format = Resampler(), None
    duration_s = 0.0
    for frame in _frames(container, stream):
        duration_s += frame.samples / frame.sample_rate
        if duration_s > max_audio_s:
            raise too_long(max_audio_s)
        # The format may change within a stream: in chained streams, and after a corrupt header.
        if frame_format not in (None, (frame.sample_rate, frame.layout.name, frame.format.name)):
            yield from resampler.resample(None)
            resampler = Resampler()
        frame_format = (frame.sample_rate, frame.layout.name, frame.format.name)
        frame.pts = None  # time stamps may jump or be wrong; the frames are contiguous
        yield from resampler.resample(frame)
    yield from resampler.resample(None)
