"""Which files below a corpus folder are audio, and which are passed over."""

from pathlib import Path

import av
import numpy as np
import pytest

from deepfake_audio.audio.decoding import read_blocks
from deepfake_audio.corpora.reading import read_corpus
from deepfake_audio.vocabulary import AUDIO_SUFFIXES
from helpers import put_audio, put_text

TONE_HZ, RATE_HZ = 437.5, 16000
# The suffix, and what makes such a file with the libraries that PyAV carries.
MADE_BY = {
    ".aifc": ("aiff", "pcm_s16be"), ".mp2": ("mp2", "mp2"), ".mpga": ("mp3", "libmp3lame"),
    ".m4b": ("ipod", "aac"), ".m4r": ("ipod", "aac"), ".m4v": ("mp4", "aac"),
    ".mpg": ("mpeg", "mp2"), ".mpeg": ("mpeg", "mp2"), ".3gpp": ("3gp", "aac"),
    ".3g2": ("3g2", "aac"), ".avi": ("avi", "mp2"), ".wmv": ("asf", "wmav2"),
    ".flv": ("flv", "aac"), ".mts": ("mpegts", "ac3"), ".weba": ("webm", "libopus"),
    ".ogv": ("ogg", "libopus"), ".wv": ("wv", "wavpack"), ".tta": ("tta", "tta"),
    ".w64": ("w64", "pcm_s16le"),
}  # fmt: skip


def write_tone(path: Path, container_format: str, codec: str) -> None:
    times = np.arange(2 * RATE_HZ) / RATE_HZ
    samples = 0.3 * np.sin(2 * np.pi * TONE_HZ * times, dtype=np.float32)
    frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "fltp", "mono")
    frame.sample_rate = RATE_HZ
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=48_000, bit_rate=64_000, layout="mono")
        stream.codec_context.open()
        resampler = av.AudioResampler(
            stream.format, "mono", stream.rate, stream.codec_context.frame_size or None
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("suffix", MADE_BY)
def test_every_audio_suffix_is_decoded(suffix, tmp_path):
    assert suffix in AUDIO_SUFFIXES
    path = tmp_path / f"tone{suffix}"
    write_tone(path, *MADE_BY[suffix])
    samples = np.concatenate([block for _, block in read_blocks(path, RATE_HZ)])
    assert 1.9 < len(samples) / RATE_HZ < 2.2
    middle = samples[RATE_HZ // 2 : RATE_HZ // 2 + RATE_HZ]
    assert np.abs(np.fft.rfft(middle)).argmax() == pytest.approx(TONE_HZ, abs=1)


def test_files_skipped_for_their_names_are_reported_without_system_files(tmp_path):
    put_audio(tmp_path, "real/a.wav", "fake/b.wav")
    over = ["fake/b.ape", "fake/c.txt", "notes.pdf", "real/voice"]
    debris = [
        "README.md", "real/LICENSE", "real/Thumbs.db", "real/.DS_Store", "desktop.ini",
        "real/table.csv", "protocol.txt", "fake/meta.tsv",
    ]  # fmt: skip
    put_audio(tmp_path, *over, *debris)
    assert read_corpus(tmp_path).passed_over == over


def test_text_files_of_a_protocol_are_not_skipped(tmp_path):
    put_audio(tmp_path, "flac/T_1.flac", "flac/T_2.flac", "flac/T_2.doc")
    put_text(tmp_path, "ASVspoof5.train.tsv", "T_4850 T_1 F - - - AC3 A05 spoof -")
    put_text(tmp_path, "README.ASVspoof5.txt", "how to use it")
    assert read_corpus(tmp_path).passed_over == ["flac/T_2.doc"]
