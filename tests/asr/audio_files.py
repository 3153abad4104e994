"""Builders of audio files."""

import io
import struct
import wave
from typing import Any

import av
import numpy as np

UNDECLARED: Any = {"encoding": "auto", "sample_rate": None, "channels": None, "max_audio_s": 30.0}  # arguments of `unpack`


def tone(seconds=1.0, *, rate=16_000, hz=440.0, amplitude=0.5):
    """Return a sine, int16."""
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
    """Return a WAV file of int16 samples."""
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setnchannels(channels)
        output.setsampwidth(2)
        output.setframerate(rate)
        output.writeframes(samples.tobytes())
    return file.getvalue()


def riff(*chunks):
    """Return a WAV file of chunks, each a name and its content."""
    body = b"WAVE" + b"".join(name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2) for name, content in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def wave_format(*, channels=1, rate=16_000, tag=1, bits=16):
    """Return a format chunk."""
    block = channels * bits // 8
    return b"fmt ", struct.pack("<HHIIHH", tag, channels & 0xFFFF, rate, (rate * block) & 0xFFFFFFFF, block & 0xFFFF, bits)


DATA_CHUNK = (b"data", tone(0.2).tobytes())
