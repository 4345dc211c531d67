"""Which files below a corpus folder are audio, and which are passed over."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

import predict
from conftest import ROOT
from deepfake_audio.audio.decoding import read_blocks
from deepfake_audio.corpora.reading import read_corpus
from deepfake_audio.inference.listing import FileList
from deepfake_audio.vocabulary import AUDIO_SUFFIXES
from helpers import put_audio, put_text

TONE_HZ, RATE_HZ = 437.5, 16000
TONE = 0.3 * np.sin(2 * np.pi * TONE_HZ * np.arange(2 * RATE_HZ) / RATE_HZ)
# The suffix, and the format and codec with which PyAV writes such a file.
MADE_BY = {
    ".aifc": ("aiff", "pcm_s16be"),
    ".mp2": ("mp2", "mp2"),
    ".mpga": ("mp3", "libmp3lame"),
    ".m4b": ("ipod", "aac"),
    ".m4r": ("ipod", "aac"),
    ".m4v": ("mp4", "aac"),
    ".mpg": ("mpeg", "mp2"),
    ".mpeg": ("mpeg", "mp2"),
    ".3gpp": ("3gp", "aac"),
    ".3g2": ("3g2", "aac"),
    ".avi": ("avi", "mp2"),
    ".wmv": ("asf", "wmav2"),
    ".flv": ("flv", "aac"),
    ".mts": ("mpegts", "ac3"),
    ".weba": ("webm", "libopus"),
    ".ogv": ("ogg", "libopus"),
    ".wv": ("wv", "wavpack"),
    ".tta": ("tta", "tta"),
    ".w64": ("w64", "pcm_s16le"),
    ".3ga": ("mp4", "aac"),
    ".ts": ("mpegts", "mp2"),
    ".m2ts": ("mpegts", "ac3"),
    ".vob": ("vob", "mp2"),
    ".ac3": ("ac3", "ac3"),
    ".eac3": ("eac3", "eac3"),
    ".asf": ("asf", "wmav2"),
    ".f4v": ("f4v", "aac"),
    ".f4a": ("f4v", "aac"),
    ".mpa": ("mp2", "mp2"),
    ".adts": ("adts", "aac"),
    ".rm": ("rm", "ac3"),
    ".ra": ("rm", "ac3"),
    ".voc": ("voc", "pcm_s16le"),
    ".wave": ("wav", "pcm_s16le"),
    ".bwf": ("wav", "pcm_s16le"),
    ".rf64": ("wav", "pcm_s16le"),
    ".oga": ("ogg", "flac"),
    ".mka": ("matroska", "aac"),
    ".caf": ("caf", "alac"),
    ".au": ("au", "pcm_s16be"),
}
# PyAV has no encoder for these: the names of FFmpeg's demuxer and decoder.
READ_BY = {
    ".ape": ("ape", "ape"), ".awb": ("amr", "amrwb"), ".dts": ("dts", "dca"),
    ".mpc": ("mpc8", "mpc8"), ".qcp": ("qcp", "qcelp"), ".spx": ("ogg", "speex"),
    ".tak": ("tak", "tak"), ".mp1": ("mp3", "mp1"),
}  # fmt: skip


def write_tone(
    path: Path,
    container_format: str,
    codec: str,
    samples: np.ndarray = TONE,
    rate_hz: int = 48_000,
    bit_rate: int = 64_000,
) -> None:
    """Encode samples of 16 kHz, two seconds of a tone unless others are given."""
    frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=rate_hz, bit_rate=bit_rate, layout="mono")
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


@pytest.mark.parametrize("suffix", READ_BY)
def test_suffixes_that_cannot_be_written_here_have_a_decoder(suffix):
    container_format, codec = READ_BY[suffix]
    assert suffix in AUDIO_SUFFIXES
    assert av.ContainerFormat(container_format, "r").is_input
    assert av.Codec(codec, "r").type == "audio"


@pytest.mark.parametrize("suffix", [".sph", ".nist"])
def test_telephone_corpora_are_decoded(suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, TONE, RATE_HZ, "PCM_16", format="NIST")
    assert suffix in AUDIO_SUFFIXES
    assert sum(len(block) for _, block in read_blocks(path, RATE_HZ)) == len(TONE)


def test_files_skipped_for_their_names_are_reported_without_system_files(tmp_path):
    put_audio(tmp_path, "real/a.wav", "fake/b.wav")
    over = ["fake/b.xyz", "fake/c.txt", "notes.pdf", "real/voice"]
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


def test_typescript_is_passed_over_and_transport_streams_are_judged(tmp_path, capsys):
    write_tone(tmp_path / "film.ts", "mpegts", "mp2")
    (tmp_path / "index.ts").write_text("GLOBAL = 1;\nexport function main(): void {}\n" * 20)
    assert predict.main(["--run", str(ROOT / "models" / "pretrained"), str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert [line.count("film.ts") for line in captured.out.splitlines()] == [1]
    assert "Passed over for their names: 1 .ts. Name a file to judge it." in captured.err


def test_typescript_beside_images_does_not_hide_them(tmp_path):
    put_audio(tmp_path, "a.png")
    (tmp_path / "index.ts").write_text("export {};")
    listed = FileList(True)
    assert list(listed.expand([str(tmp_path)])) == [str(tmp_path / "a.png")]
