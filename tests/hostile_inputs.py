"""Small files that lie about themselves, made on the fly."""

import io
import struct
import zlib

import cv2
import numpy as np
import soundfile

RATE_HZ = 16000


def noise(samples: int = 32000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def sound(samples: np.ndarray, rate_hz: int = RATE_HZ, subtype: str | None = "PCM_16", form="WAV"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, subtype, format=form)
    return file.getvalue()


def picture(suffix: str, height: int = 32, width: int = 24, channels: int = 1, dtype=np.uint8):
    shape = (height, width, channels) if channels > 1 else (height, width)
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    return cv2.imencode(suffix, pixels)[1].tobytes()


def patched(content: bytes, position: int, form: str, *values: int) -> bytes:
    changed = bytearray(content)
    struct.pack_into(form, changed, position, *values)
    return bytes(changed)


def chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def png(width: int, height: int, bits: int = 8, rows: bytes = bytes(100), extra: bytes = b""):
    """Return a grey PNG of any claimed size, whatever its rows really are."""
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"".join([
        b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), extra,
        chunk(b"IDAT", zlib.compress(rows, 1)), chunk(b"IEND", b""),
    ])  # fmt: skip


def jpeg(width: int, height: int, scans: int = 1) -> bytes:
    """Return a JPEG whose header claims a size, and which repeats its only scan."""
    content = picture(".jpg")
    frame, scan = content.index(b"\xff\xc0"), content.index(b"\xff\xda")
    content = patched(content, frame + 5, ">HH", height, width)
    return content[:scan] + content[scan:-2] * scans + b"\xff\xd9"


def bmp(width: int, height: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


def tiff(width: int, height: int, bits: int = 8, samples: int = 1) -> bytes:
    """Return the header of a TIFF with one strip that isn't there."""
    values = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: samples}
    values |= {278: height, 279: 100}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items())
    return b"II*\0" + struct.pack("<IH", 8, len(values)) + entries + bytes(4)


def flac(rate_hz: int | None = None, samples: int | None = None) -> bytes:
    """Return a FLAC whose header claims a rate or a number of samples."""
    content = bytearray(sound(noise(), form="FLAC"))
    facts = int.from_bytes(content[18:26], "big")
    if rate_hz is not None:
        facts = (facts & ~(0xFFFFF << 44)) | (rate_hz << 44)
    if samples is not None:
        facts = (facts & ~((1 << 36) - 1)) | samples
    content[18:26] = facts.to_bytes(8, "big")
    return bytes(content)


def box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + name + content


def mp4(samples: int) -> bytes:
    """Return an MP4 of some kilobytes that claims many samples of one byte, all in one chunk."""
    codec = bytes.fromhex("03190001000411401500000000000000000000000005021408060102")
    sound = bytes(6) + struct.pack(">H8xHHHHI", 1, 1, 16, 0, 0, RATE_HZ << 16)
    kinds = box(
        b"stsd", struct.pack(">II", 0, 1), box(b"mp4a", sound, box(b"esds", bytes(4), codec))
    )
    tables = box(
        b"stbl", kinds,
        box(b"stts", struct.pack(">IIII", 0, 1, samples, 1024)),
        box(b"stsc", struct.pack(">IIIII", 0, 1, 1, samples, 1)),
        box(b"stsz", struct.pack(">III", 0, 1, samples)),
        box(b"stco", struct.pack(">III", 0, 1, 0)),
    )  # fmt: skip
    header = box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, RATE_HZ, 0, 0, 0))
    handler = box(b"hdlr", bytes(8) + b"soun" + bytes(13))
    media = box(b"mdia", header, handler, box(b"minf", tables))
    track = box(b"trak", box(b"tkhd", struct.pack(">IIII", 3, 0, 0, 1) + bytes(68)), media)
    return box(b"ftyp", b"isom" + bytes(4)) + box(b"moov", track) + box(b"mdat", bytes(4000))


def flipped(content: bytes, seed: int, flips: int = 6, header: int = 200) -> bytes:
    """Return a file with some bytes changed, half of them near its beginning."""
    rng, changed = np.random.default_rng(seed), bytearray(content)
    for flip in range(flips):
        end = len(changed) if flip % 2 else min(header, len(changed))
        changed[rng.integers(4, end)] = rng.integers(256)
    return bytes(changed)


WAV = sound(noise())
WAV_HEADERS = {
    "length_all_ones": patched(WAV, 40, "<I", 2**32 - 1),
    "length_0": patched(WAV, 40, "<I", 0),
    "claims_20_hours": patched(WAV, 40, "<I", RATE_HZ * 2 * 3600 * 20),
    "riff_0": patched(WAV, 4, "<I", 0),
    "channels_0": patched(WAV, 22, "<H", 0),
    "channels_65535": patched(WAV, 22, "<H", 65535),
    "rate_0": patched(WAV, 24, "<I", 0),
    "rate_all_ones": patched(WAV, 24, "<I", 2**32 - 1),
    "rate_huge_channels_1024": patched(WAV, 22, "<HIIH", 1024, 2**31 - 1, 0, 2048),
    "bits_0": patched(WAV, 34, "<H", 0),
    "bits_65535": patched(WAV, 34, "<H", 65535),
    "unknown_tag": patched(WAV, 20, "<H", 0x1234),
    "list_of_2_gigabytes": WAV[:12] + b"LIST" + struct.pack("<I", 2**31 - 8) + WAV[12:],
    "many_chunks": WAV[:12] + (b"junk" + bytes(4)) * 100_000 + WAV[12:],
}
