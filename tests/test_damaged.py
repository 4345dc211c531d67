"""The rest of a damaged file is judged, and its lost seconds are counted, in any format."""

import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

import deepfake_audio
import prepare
from conftest import ROOT
from deepfake_audio.audio import chunks, packets
from deepfake_audio.audio.chunks import find_rest, is_cut_off
from deepfake_audio.audio.findings import Findings
from deepfake_audio.audio.recordings import open_recording, read_audio
from deepfake_audio.audio.sounds import NoSoundError
from deepfake_audio.config.loading import load_settings
from helpers import ONE_PROCESS, make_audio, needs_amr
from test_corpus_files import write_tone

AUDIO, RATE_HZ, SECONDS = load_settings().audio, 16_000, 10.0
FAKE = next((ROOT / "data" / "sample" / "audio").glob("fake_griffin-lim*"))
CODECS = {
    "aac": ("adts", "aac"), "m4a": ("mp4", "alac"), "mka": ("matroska", "flac"),
    "webm": ("webm", "libopus"), "wma": ("asf", "wmav2"), "ts": ("mpegts", "mp2"),
    "opus": ("ogg", "libopus"), "mp3": ("mp3", "libmp3lame"), "ac3": ("ac3", "ac3"),
    "mp2": ("mp2", "mp2"), "flv": ("flv", "aac"), "nut": ("nut", "aac"),
}  # fmt: skip
FORMS = {
    "wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "aiff": "PCM_16", "au": "PCM_16",
    "w64": "PCM_16", "rf64": "PCM_16", "caf": "PCM_16",
}  # fmt: skip


def noise(seconds: float = SECONDS) -> np.ndarray:
    """Return noise: it has bytes everywhere, however it is coded."""
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE_HZ)).astype(np.float32)


def encode(suffix: str, folder: Path) -> bytes:
    path = folder / f"whole.{suffix}"
    if suffix in CODECS:
        write_tone(path, *CODECS[suffix], noise())
    else:
        soundfile.write(path, noise(), RATE_HZ, FORMS[suffix], format=suffix.upper())
    return path.read_bytes()


def findings_of(content: bytes, suffix: str, folder: Path) -> tuple[float, Findings]:
    """Return the duration that is decoded of a file, and the findings."""
    path = folder / f"a.{suffix}"
    path.write_bytes(content)
    recording = open_recording(path, AUDIO)
    return recording.samples / RATE_HZ, recording.findings


@pytest.mark.parametrize("suffix", [*CODECS, *FORMS])
def test_a_whole_file_has_lost_nothing(tmp_path, suffix):
    seconds, findings = findings_of(encode(suffix, tmp_path), suffix, tmp_path)
    assert seconds == pytest.approx(SECONDS, abs=0.15)
    assert (findings.skipped_seconds, findings.missing_seconds, findings.shifts) == (0, 0, [])
    assert not findings.is_cut_off


@pytest.mark.parametrize("suffix", [*CODECS, "flac", "ogg"])
def test_a_damaged_middle_is_left_out_and_counted(tmp_path, suffix):
    content = encode(suffix, tmp_path)
    middle, lost = len(content) // 2, len(content) // 10
    damaged = content[:middle] + bytes(lost) + content[middle + lost :]
    seconds, findings = findings_of(damaged, suffix, tmp_path)
    assert seconds > SECONDS - 5.2  # some containers lose what they store together
    assert 0.5 < findings.skipped_seconds + findings.missing_seconds < 5.2


@pytest.mark.parametrize("suffix", ["mka", "webm", "mp3", *sorted(set(FORMS) - {"ogg"})])
def test_a_missing_end_is_counted(tmp_path, suffix):
    content = encode(suffix, tmp_path)
    seconds, findings = findings_of(content[: len(content) // 2], suffix, tmp_path)
    assert seconds == pytest.approx(SECONDS / 2, abs=1.0)
    lost = findings.missing_seconds + findings.skipped_seconds
    assert seconds + lost == pytest.approx(SECONDS, abs=0.3)


@pytest.mark.parametrize("suffix", ["opus", "ogg"])
def test_a_missing_end_of_ogg_is_named_though_not_measured(tmp_path, suffix):
    content = encode(suffix, tmp_path)
    _, findings = findings_of(content[: len(content) // 2], suffix, tmp_path)
    assert findings.is_cut_off
    assert [is_cut_off(given) for given in (content, content[:-3], content[:10])] == [
        False, True, True,
    ]  # fmt: skip


def test_an_mp3_without_a_declared_length_misses_nothing(tmp_path):
    """libsndfile guesses the length of such a file from its first frames."""
    content = io.BytesIO()
    kind = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "VARIABLE"}
    with soundfile.SoundFile(content, "w", RATE_HZ, 1, **kind) as file:
        file.write(np.concatenate([np.zeros(5 * RATE_HZ, np.float32), noise(5)]))
    content = content.getvalue()
    second = content.index(content[:2], 4)
    assert soundfile.info(io.BytesIO(content[second:])).duration > 12
    _, findings = findings_of(content[second:], "mp3", tmp_path)
    assert findings.missing_seconds == 0


def test_a_verdict_names_what_is_lost(tmp_path):
    samples, rate_hz = soundfile.read(FAKE, dtype="float32")
    write_tone(tmp_path / "a.mka", "matroska", "flac", samples)
    content = bytearray((tmp_path / "a.mka").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 12] = bytes(12)
    (tmp_path / "a.mka").write_bytes(content)
    detector = deepfake_audio.Detector.pretrained()
    result = detector.predict(tmp_path / "a.mka")
    (damaged,) = [reason for reason in result.reasons if reason.code == "damaged"]
    assert damaged.text == "0.1 s of it are damaged and were left out"
    assert 0.05 < result.quality.skipped_seconds < 0.2
    soundfile.write(tmp_path / "a.flac", samples, rate_hz)
    whole = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(whole[: len(whole) * 2 // 3])
    texts = [reason.text for reason in detector.predict(tmp_path / "a.flac").reasons]
    assert any("s are missing" in text for text in texts)


def test_damage_all_over_a_flac_file_is_not_a_missing_end(tmp_path):
    damaged = bytearray(encode("flac", tmp_path))
    for place in range(len(damaged) // 10, len(damaged) - 1000, len(damaged) // 10):
        damaged[place : place + 12] = bytes(12)
    _, findings = findings_of(bytes(damaged), "flac", tmp_path)
    assert findings.missing_seconds == 0
    assert 1 < findings.skipped_seconds < 4


def test_a_file_that_libsndfile_gives_up_is_read_on_by_ffmpeg(tmp_path):
    """The damage is behind the first block."""
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(70), RATE_HZ)
    content = bytearray(path.read_bytes())
    place = len(content) * 3 // 4
    content[place : place + 40] = bytes(40)
    path.write_bytes(content)
    samples = read_audio(path, RATE_HZ)
    assert len(samples) == pytest.approx(70 * RATE_HZ, abs=RATE_HZ)
    np.testing.assert_allclose(samples[: 50 * RATE_HZ], noise(70)[: 50 * RATE_HZ], atol=1e-4)
    np.testing.assert_allclose(samples[-5 * RATE_HZ :], noise(70)[-5 * RATE_HZ :], atol=1e-4)
    assert 0 < open_recording(path, AUDIO).findings.skipped_seconds < 1


def test_an_mp3_is_read_to_its_end_though_libsndfile_stops(tmp_path):
    """libsndfile ends without an error at some damaged bytes."""
    damaged = bytearray(encode("mp3", tmp_path))
    frame = damaged.index(b"\xff\xfb", len(damaged) // 4)
    damaged[frame : frame + 4] = b"\xff" * 4
    samples, rate_hz = soundfile.read(io.BytesIO(damaged))
    assert len(samples) < SECONDS / 3 * rate_hz
    seconds, findings = findings_of(bytes(damaged), "mp3", tmp_path)
    assert seconds == pytest.approx(SECONDS, abs=0.2)
    assert findings.missing_seconds < 0.3


def test_sound_that_an_edit_list_hides_is_no_damage(tmp_path):
    path = tmp_path / "cut.mp4"
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as container:
        stream = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        for first in range(0, round(SECONDS * RATE_HZ) - 1023, 1024):
            frame = av.AudioFrame.from_ndarray(noise()[None, first : first + 1024], "fltp", "mono")
            frame.sample_rate, frame.pts = RATE_HZ, first - 3 * RATE_HZ
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    seconds, findings = findings_of(path.read_bytes(), "mp4", tmp_path)
    assert (seconds, findings.skipped_seconds) == (pytest.approx(SECONDS - 3, abs=0.2), 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_a_few_bad_samples_are_silent_and_counted(tmp_path, bad):
    samples = noise()
    samples[80_000:81_600] = bad
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ, "FLOAT")
    recording = open_recording(tmp_path / "a.wav", AUDIO)
    assert recording.findings.skipped_seconds == pytest.approx(0.1)
    assert not recording.beginning[80_000:81_600].any()
    np.testing.assert_array_equal(recording.beginning[:80_000], samples[:80_000])


def test_a_missing_byte_at_the_end_is_not_worth_a_word(tmp_path):
    assert findings_of(encode("wav", tmp_path)[:-1], "wav", tmp_path)[1].missing_seconds == 0


def test_tags_between_concatenated_files_are_no_damage(tmp_path):
    whole = encode("mp3", tmp_path)
    tag = b"ID3\x04\0\0" + bytes([0, 12, 77, 55]) + b"picture " * 25_000
    seconds, findings = findings_of(whole + tag + whole, "mp3", tmp_path)
    assert seconds == pytest.approx(2 * SECONDS, abs=0.3)
    assert findings.skipped_seconds < 0.1


def test_concatenated_opus_files_are_read_to_the_end(tmp_path):
    """libsndfile does not know the length of such a file."""
    write_tone(tmp_path / "b.opus", *CODECS["opus"], noise(5))
    content = (tmp_path / "b.opus").read_bytes() + encode("opus", tmp_path)
    seconds, findings = findings_of(content, "opus", tmp_path)
    assert seconds == pytest.approx(5 + SECONDS, abs=0.2)
    assert (findings.skipped_seconds, findings.missing_seconds) == (0, 0)


@pytest.mark.parametrize("suffix", ["aac", "mka"])
def test_a_file_of_which_nothing_can_be_decoded_is_an_error(tmp_path, suffix):
    damaged = bytearray(encode(suffix, tmp_path))
    if suffix == "aac":
        damaged = bytearray(b"\xff\xf1\x50\x40\x80\x00\xfc" * 3000)
    for place in range(1000, len(damaged), 200):
        damaged[place] ^= 0x55
    with pytest.raises(NoSoundError, match=r"^cannot read "):
        read_audio(_written(tmp_path / f"a.{suffix}", damaged), RATE_HZ)


def test_a_film_without_its_index_is_named(tmp_path):
    content = encode("m4a", tmp_path)
    path = _written(tmp_path / "a.m4a", content[: len(content) * 6 // 10])
    with pytest.raises(NoSoundError, match="its index is missing, as if the recording was inter"):
        read_audio(path, RATE_HZ)


def test_recordings_of_length_zero_are_read(tmp_path):
    """Their recorder was killed before it wrote the length."""
    content = bytearray(encode("au", tmp_path))
    content[8:12] = bytes(4)
    assert findings_of(bytes(content), "au", tmp_path)[0] == SECONDS
    content = bytearray(encode("rf64", tmp_path))
    sizes = content.index(b"ds64") + 8
    content[sizes : sizes + 24] = bytes(24)
    assert findings_of(bytes(content), "rf64", tmp_path)[0] == SECONDS


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_more_damaged_packets_than_a_recording_has_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(packets, "MAX_DAMAGED_PACKETS", 50)
    content = encode("mka", tmp_path)
    damaged = bytearray(content)
    for place in range(len(content) // 20, len(content), 300):
        damaged[place] ^= 0x55
    path = _written(tmp_path / "a.mka", bytes(damaged))
    with pytest.raises(deepfake_audio.InputError, match="more than 50 of its packets are damaged"):
        read_audio(path, RATE_HZ)


@needs_amr
def test_pauses_of_amr_are_silence_and_no_damage(tmp_path):
    """A telephone sends frames without sound in pauses (types 8 and 15)."""
    path = tmp_path / "a.amr"
    write_tone(path, "amr", "libopencore_amrnb", noise(4), rate_hz=8000, bit_rate=12_200)
    content = path.read_bytes()
    head, frames = content[:6], [content[n : n + 32] for n in range(6, len(content), 32)]
    pause = [bytes([8 << 3 | 4]) + bytes(5)] + [bytes([15 << 3 | 4])] * 49  # a second
    path.write_bytes(head + b"".join(pause + frames[:100] + pause + frames[100:] + pause))
    samples = read_audio(path, RATE_HZ)
    assert len(samples) == pytest.approx(7 * RATE_HZ, abs=0.1 * RATE_HZ)
    power = np.square(samples[: 7 * RATE_HZ]).reshape(7, -1).mean(axis=1)
    assert [bool(second > 1e-4) for second in power] == [
        False,
        True,
        True,
        False,
        True,
        True,
        False,
    ]
    assert open_recording(path, AUDIO).findings.skipped_seconds == 0


@needs_amr
def test_bad_frames_of_amr_are_damaged_and_silent(tmp_path):
    path = tmp_path / "a.amr"
    write_tone(path, "amr", "libopencore_amrnb", noise(4), rate_hz=8000, bit_rate=12_200)
    content = bytearray(path.read_bytes())
    assert content[6] & 4
    for place in range(6 + 50 * 32, 6 + 100 * 32, 32):
        content[place] ^= 4
    seconds, findings = findings_of(bytes(content), "amr", tmp_path)
    assert (seconds, findings.skipped_seconds) == (pytest.approx(4, abs=0.1), pytest.approx(1))


@pytest.mark.parametrize("size", [0, 2**32 - 1])
@pytest.mark.parametrize("riff", [0, 36, 2**32 - 1])
def test_a_wav_whose_recorder_was_killed_is_read(tmp_path, size, riff):
    soundfile.write(tmp_path / "a.wav", noise(), RATE_HZ)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    struct.pack_into("<I", content, 4, riff)
    struct.pack_into("<I", content, 40, size)
    seconds, findings = findings_of(bytes(content), "wav", tmp_path)
    assert (seconds, findings.missing_seconds, findings.skipped_seconds) == (SECONDS, 0, 0)


@pytest.mark.parametrize(
    ("suffix", "before", "width", "extra"),
    [("wav", b"data", 4, 0), ("au", b".snd\0\0\0\x18", 4, 0), ("aiff", b"SSND", 4, 8),
     ("caf", b"data", 8, 4)],
)  # fmt: skip
def test_sound_after_the_declared_end_is_read(tmp_path, suffix, before, width, extra):
    """The recorder was killed after it had written more than the length in the header."""
    content, size = bytearray(encode(suffix, tmp_path)), 4 * RATE_HZ * 2
    place = content.index(before) + len(before)
    order = "little" if suffix == "wav" else "big"
    content[place : place + width] = (size + extra).to_bytes(width, order)
    if suffix == "aiff":
        frames = content.index(b"COMM") + 10
        content[frames : frames + 4] = (size // 2).to_bytes(4, order)
    seconds, findings = findings_of(bytes(content), suffix, tmp_path)
    assert (seconds, findings.unread_seconds) == (pytest.approx(SECONDS, abs=0.01), 0)
    samples = read_audio(bytes(content), RATE_HZ)
    np.testing.assert_allclose(samples[-100:], noise()[-100:], atol=1e-4)


@pytest.mark.parametrize("suffix", ["wav", "aiff", "au", "caf", "m4a"])
def test_another_file_at_the_end_is_named(tmp_path, suffix):
    content = encode(suffix, tmp_path)
    seconds, findings = findings_of(content + content, suffix, tmp_path)
    assert seconds == pytest.approx(SECONDS, abs=0.15)
    assert findings.unread_seconds == pytest.approx(SECONDS, rel=0.05)


@pytest.mark.parametrize(("kind", "before"), [("VORBIS", 1), ("VORBIS", 2), ("OPUS", 1)])
def test_ogg_streams_that_decoders_do_not_go_on_with_are_named(tmp_path, kind, before):
    other = io.BytesIO()
    soundfile.write(other, noise(5)[::2], RATE_HZ // 2, format="OGG", subtype=kind)
    seconds, findings = findings_of(
        before * encode("ogg", tmp_path) + other.getvalue(), "ogg", tmp_path
    )
    assert seconds == pytest.approx(before * SECONDS, abs=0.15)
    assert 1 < findings.unread_seconds < 6


@pytest.mark.parametrize(
    "tail", [bytes(200_000), b"LIST" + struct.pack("<I", 200_000) + b"a" * 200_000, b"ID3" * 9]
)
def test_zeros_chunks_and_tags_after_the_sound_are_no_sound(tmp_path, tail):
    seconds, findings = findings_of(encode("wav", tmp_path) + tail, "wav", tmp_path)
    assert (seconds, findings.unread_seconds) == (SECONDS, 0)


@pytest.mark.parametrize("size", [b"\x00", b"\xff"])
@pytest.mark.parametrize(("suffix", "chunk", "length"), [("aiff", b"SSND", 4), ("caf", b"data", 8)])
def test_other_files_whose_recorder_was_killed_are_read(tmp_path, suffix, chunk, length, size):
    soundfile.write(tmp_path / f"a.{suffix}", noise(), RATE_HZ, "PCM_16")
    content = bytearray((tmp_path / f"a.{suffix}").read_bytes())
    place = content.index(chunk) + 4
    content[place : place + length] = size * length
    seconds, findings = findings_of(bytes(content), suffix, tmp_path)
    assert (seconds, findings.missing_seconds) == (pytest.approx(SECONDS, abs=0.01), 0)


def test_tags_of_another_encoding_are_no_error(tmp_path):
    """PyAV refuses them by default up to version 18."""
    with av.open(str(tmp_path / "a.mka"), "w") as container:
        container.metadata["title"] = "caf__"
        stream = container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray((noise(1) * 2**15).astype("<i2")[None], "s16", "mono")
        frame.sample_rate = RATE_HZ
        container.mux(stream.encode(frame))
    content = (tmp_path / "a.mka").read_bytes()
    assert content.count(b"caf__") == 1
    path = _written(tmp_path / "b.mka", content.replace(b"caf__", b"caf\xe9\xff"))
    assert len(read_audio(path, RATE_HZ)) == RATE_HZ


@pytest.mark.slow
def test_prepare_uses_damaged_files_and_counts_them(workplace, capsys):
    make_audio(workplace / "broken")
    for label, name in (("real", "00"), ("fake", "03")):
        path = Path("broken", label, f"{name}.wav")
        path.write_bytes(path.read_bytes()[:-20_000])
    assert prepare.main(["broken", *ONE_PROCESS]) == 0
    printed = capsys.readouterr().out
    assert (
        "2 files used without their damaged or missing parts: fake/03.wav, real/00.wav" in printed
    )


def test_a_file_of_many_chunks_is_looked_at_up_to_a_bound(monkeypatch):
    """5,000,000 empty chunks took 12 seconds."""
    monkeypatch.setattr(chunks, "MAX_CHUNKS", 10)
    file = io.BytesIO()
    soundfile.write(file, np.full(800, 0.1), 16_000, format="WAV")
    more_sound = b"\1" * 100
    for junk, is_found in ((5, True), (20, False)):
        content = file.getvalue() + (b"junk" + bytes(4)) * junk + more_sound
        assert bool(find_rest(content, "WAV")) == is_found
