"""Audio files of a few kilobytes that take a decoder gigabytes of memory or minutes of time."""

import struct
import zlib

import numpy as np

from tests.asr.audio_files import encoded, tone

CLIP: bytes = encoded(tone(0.5), container="flac", codec="flac", rate=16_000)


def flac(*blocks: tuple[int, bytes]) -> bytes:
    """Return a FLAC file with the given metadata blocks (type, content)."""
    place = 4 + 4 + int.from_bytes(CLIP[5:8], "big")
    head = b"fLaC\0" + CLIP[5:place]
    last = False
    while not last:
        last = bool(CLIP[place] & 0x80)
        place += 4 + int.from_bytes(CLIP[place + 1 : place + 4], "big")
    made = [bytes([kind]) + len(content).to_bytes(3, "big") + content for kind, content in (*blocks, (0x81, bytes(1)))]
    return head + b"".join(made) + CLIP[place:]


def flac_with_tags(n_tags):
    tags = [b"TAG%d=x" % number for number in range(n_tags)]
    return flac((4, struct.pack("<II", 0, n_tags) + b"".join(struct.pack("<I", len(tag)) + tag for tag in tags)))


def mp3_with_tags(n_tags):
    tags = [b"\0TAG%d\0x" % number for number in range(n_tags)]
    frames = b"".join(b"TXXX" + len(tag).to_bytes(4, "big") + b"\0\0" + tag for tag in tags)
    size = bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + size + frames + encoded(tone(0.5), container="mp3", codec="libmp3lame", rate=16_000)


def box(name, *contents):
    content = b"".join(contents)
    return struct.pack(">I", 8 + len(content)) + name + content


def m4a_with_tags(n_tags):
    audio = encoded(tone(0.5), container="mp4", codec="aac", rate=16_000)
    place = audio.index(b"moov") - 4
    end = place + int.from_bytes(audio[place : place + 4], "big")
    tag = box(b"----", box(b"mean", bytes(4), b"a"), box(b"name", bytes(4), b"TAG#####"), box(b"data", b"\0\0\0\1", bytes(4), b"x"))
    tags = [tag.replace(b"#####", b"%05d" % number) for number in range(n_tags)]
    meta = box(b"meta", bytes(4), box(b"hdlr", bytes(8), b"mdirappl", bytes(9)), box(b"ilst", *tags))
    return audio[:place] + box(b"moov", audio[place + 8 : end], box(b"udta", meta)) + audio[end:]


def webm_with_tags(n_tags):
    def element(name, *contents):
        content = b"".join(contents)
        return name + (1 << 56 | len(content)).to_bytes(8, "big") + content

    audio = encoded(tone(0.5), container="webm", codec="libopus", rate=48_000, live="1")
    place = audio.index(b"\x1f\x43\xb6\x75")  # the first cluster
    tags = [element(b"\x67\xc8", element(b"\x45\xa3", b"TAG%d" % n), element(b"\x44\x87", b"x")) for n in range(n_tags)]
    return audio[:place] + element(b"\x12\x54\xc3\x67", element(b"\x73\x73", *tags)) + audio[place:]


def ogg_with_tags(n_tags):
    """Return an Ogg file with many tags; decoders skip pages with a wrong checksum."""
    audio = encoded(tone(0.5), container="ogg", codec="libopus", rate=48_000)
    pages = [b"OggS" + page for page in audio.split(b"OggS")[1:]]
    tags = [b"TAG%d=x" % number for number in range(n_tags)]
    packet = b"OpusTags" + struct.pack("<II", 0, n_tags) + b"".join(struct.pack("<I", len(tag)) + tag for tag in tags)
    segments = [255] * (len(packet) // 255) + [len(packet) % 255]
    between: list[bytes] = []
    for first in range(0, len(segments), 255):
        sizes = bytes(segments[first : first + 255])
        head = b"OggS\0" + bytes([first > 0]) + bytes(8) + pages[0][14:18] + struct.pack("<I", 1 + len(between)) + bytes(4)
        between.append(head + bytes([len(sizes)]) + sizes + packet[first * 255 : first * 255 + sum(sizes)])
    return b"".join(summed(page) for page in [pages[0], *between, *pages[2:]])


OGG_CRC = np.zeros(256, np.uint32)
for _byte in range(256):
    _remainder = _byte << 24
    for _ in range(8):
        _remainder = _remainder << 1 ^ (0x04C11DB7 if _remainder & 0x80000000 else 0)
    OGG_CRC[_byte] = _remainder & 0xFFFFFFFF


def summed(page):
    checksum = 0
    table = OGG_CRC.tolist()
    page = page[:22] + bytes(4) + page[26:]
    for byte in page:
        checksum = (checksum << 8 & 0xFFFFFFFF) ^ table[checksum >> 24 ^ byte]
    return page[:22] + struct.pack("<I", checksum) + page[26:]


WITH_TAGS = {"flac": flac_with_tags, "mp3": mp3_with_tags, "m4a": m4a_with_tags, "webm": webm_with_tags, "ogg": ogg_with_tags}


def index_of(n_samples: int) -> bytes:
    """Return an MP4 file whose fragment declares this number of samples; a decoder allocates memory for each."""
    audio = bytearray(encoded(tone(0.3), container="mp4", codec="aac", rate=16_000, movflags="frag_keyframe+empty_moov"))
    place = audio.index(b"trun") + 4
    audio[place : place + 8] = struct.pack(">II", 1, n_samples)
    return bytes(audio)


def flac_with_picture(side: int) -> bytes:
    """Return a FLAC file with a black square PNG of `side` pixels as its cover."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    compressor = zlib.compressobj(1)
    pixels = b"".join(compressor.compress(bytes(1 + 3 * side)) for _ in range(side)) + compressor.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    png = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    about = struct.pack(">II", 3, 9) + b"image/png" + struct.pack(">IIIIII", 0, side, side, 24, 0, len(png))
    return flac((6, about + png))
