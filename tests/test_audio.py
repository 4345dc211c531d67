import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import librosa
import numpy as np
import pytest
import soundfile

from conftest import ROOT
from deepfake_audio.audio import codecs, decoding, ffmpeg
from deepfake_audio.audio.codecs import CODECS
from deepfake_audio.audio.recordings import open_recording, read_audio, recording_blocks, trim_edges
from deepfake_audio.audio.sounds import to_samples
from deepfake_audio.audio.windows import cut_windows, padding_before, recording_windows
from deepfake_audio.config.loading import load_settings
from deepfake_audio.errors import InputError
from deepfake_audio.features.spectrogram import (
    group_delay_samples,
    row_frequencies_hz,
    spectrogram_db,
    spectrogram_image,
)
from helpers import needs_amr

AUDIO = load_settings().audio
RATE_HZ = AUDIO.sample_rate_hz


def with_audio(**changes):
    overrides = [f"audio.{key}={value}" for key, value in changes.items()]
    channels = ["image.channels=level_delay"] if "delay_fft_samples" in changes else []
    return load_settings(None, [*overrides, *channels]).audio


def sine(hz: float, seconds: float = 3.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz).astype(np.float32)


def speech_like(seconds: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=round(seconds * RATE_HZ))
    return (0.1 * noise * np.abs(sine(3, seconds))).astype(np.float32)


def librosa_db(window: np.ndarray, settings, filters: np.ndarray) -> np.ndarray:
    hop = (len(window) - settings.fft_samples) // (settings.frames - 1)
    power = np.abs(librosa.stft(window, n_fft=settings.fft_samples, hop_length=hop, center=False))
    bands = filters @ power**2
    return librosa.power_to_db(bands, ref=np.max, top_db=None, amin=1e-30)


@pytest.mark.slow
def test_linear_spectrogram_equals_librosa():
    window = speech_like(AUDIO.window_seconds)
    pairs = np.kron(np.eye(AUDIO.frequency_bins), [0.5, 0.5])
    skip_0_hz = np.hstack([np.zeros((AUDIO.frequency_bins, 1)), pairs])
    expected = librosa_db(window, AUDIO, skip_0_hz)
    assert np.abs(spectrogram_db(window, AUDIO) - expected).max() < 1e-4


@pytest.mark.slow
def test_mel_spectrogram_equals_librosa():
    settings = with_audio(frequency_scale="mel", frequency_bins=64, min_hz=50, max_hz=7600)
    window = speech_like(settings.window_seconds)
    filters = librosa.filters.mel(
        sr=RATE_HZ, n_fft=settings.fft_samples, n_mels=64, fmin=50, fmax=7600, norm=None
    )
    expected = librosa_db(window, settings, filters)
    assert np.abs(spectrogram_db(window, settings) - expected).max() < 1e-4


@pytest.mark.parametrize("scale", ["linear", "mel"])
@pytest.mark.parametrize("hz", [500.0, 2000.0, 7000.0])
def test_the_row_of_a_tone_is_at_the_tones_frequency(scale, hz):
    settings = with_audio(frequency_scale=scale, frequency_bins=64, min_hz=50)
    image = spectrogram_image(sine(hz, settings.window_seconds), settings).astype(float)
    row_hz = row_frequencies_hz(settings, 64)
    row = image.mean(axis=1).argmax()
    assert abs(row_hz[row] - hz) <= np.diff(row_hz[::-1]).max() / 2
    resized = row_frequencies_hz(settings, 128)
    np.testing.assert_allclose((resized[::2] + resized[1::2]) / 2, row_hz, rtol=2e-3)


@pytest.mark.parametrize("hz", [500.0, 2000.0, 7000.0])
def test_a_tone_is_one_bright_row_counted_from_the_bottom(hz):
    image = spectrogram_image(sine(hz, AUDIO.window_seconds), AUDIO)
    rows_from_bottom = AUDIO.frequency_bins - 1 - image.argmax(axis=0)
    row_hz = RATE_HZ / 2 / AUDIO.frequency_bins
    assert image.shape == (AUDIO.frequency_bins, AUDIO.frames)
    assert np.abs(rows_from_bottom * row_hz - hz).max() <= row_hz
    assert image.max() == 255


def test_level_does_not_change_the_image():
    window = speech_like(AUDIO.window_seconds)
    quiet = spectrogram_image(window * np.float32(2**-6), AUDIO)
    np.testing.assert_array_equal(quiet, spectrogram_image(window, AUDIO))


def test_a_step_of_one_decibel_is_the_same_step_of_grey_everywhere():
    window = speech_like(AUDIO.window_seconds)
    level = spectrogram_db(window, AUDIO)[::-1]
    image = spectrogram_image(window, AUDIO)
    inside = level > -AUDIO.db_range
    expected = (level[inside] / AUDIO.db_range + 1) * 255
    assert np.abs(image[inside] - expected).max() <= 0.5
    assert (image[~inside] == 0).all()


def test_silence_is_black():
    assert (spectrogram_image(np.zeros(AUDIO.window_samples, np.float32), AUDIO) == 0).all()


@pytest.mark.parametrize("samples", [1, 2, 1001, AUDIO.window_samples - 1])
def test_short_audio_lies_between_silence(samples):
    short = np.ones(samples, np.float32)
    ((start, window),) = cut_windows([short], samples, AUDIO)
    assert (start, len(window)) == (0, AUDIO.window_samples)
    before = padding_before(samples, AUDIO)
    heard = window[before:][:samples]
    assert not window[:before].any()
    assert not window[before + samples :].any()
    fade = RATE_HZ // 100
    assert (heard[fade : samples - fade] == 1).all()
    np.testing.assert_array_equal(heard, heard[::-1])
    assert (np.diff(heard[:fade]) >= 0).all()


def test_a_window_of_sound_is_not_changed():
    samples = speech_like(2)[: AUDIO.window_samples]
    ((_, window),) = cut_windows([samples], len(samples), AUDIO)
    np.testing.assert_array_equal(window, samples)


OFFSETS = {
    "constant": lambda times: np.full_like(times, 0.3),
    "small": lambda times: np.full_like(times, 0.002),
    "drifting": lambda times: 0.1 * np.sin(2 * np.pi * 0.1 * times),
    "beginning after a while": lambda times: np.where(times > 2, 0.3, 0),
}


@pytest.mark.parametrize("kind", OFFSETS)
def test_an_offset_changes_neither_edges_nor_sound(kind, tmp_path):
    voice = np.pad(0.2 * speech_like(2), RATE_HZ)
    offset = OFFSETS[kind](np.arange(len(voice)) / RATE_HZ)
    plain, shifted = tmp_path / "plain.wav", tmp_path / "shifted.wav"
    soundfile.write(plain, voice, RATE_HZ, "FLOAT")
    soundfile.write(shifted, voice + offset, RATE_HZ, "FLOAT")
    expected, recording = open_recording(plain, AUDIO), open_recording(shifted, AUDIO)
    assert (recording.first, recording.end) == (expected.first, expected.end)
    kept = np.concatenate(list(recording_blocks(recording, AUDIO)))
    assert np.median(np.abs(kept - voice)) < 0.003  # 0.3 where the offset begins


@pytest.mark.parametrize("kind", OFFSETS)
def test_an_offset_without_sound_is_silence(kind, tmp_path):
    times = np.arange(4 * RATE_HZ) / RATE_HZ
    dither = np.random.default_rng(0).uniform(-1, 1, len(times)) / 2**16
    soundfile.write(tmp_path / "offset.wav", OFFSETS[kind](times) + dither, RATE_HZ, "FLOAT")
    recording = open_recording(tmp_path / "offset.wav", AUDIO)
    assert recording.is_silent or recording.end - recording.first < RATE_HZ // 5


def test_subtracting_a_drift_leaves_nothing_that_repeats_in_each_frame():
    times = np.arange(4 * RATE_HZ) / RATE_HZ
    dither = np.random.default_rng(0).uniform(-1, 1, len(times)) / 2**16
    drift = (0.5 * np.sin(2 * np.pi * 2 * times) + dither).astype(np.float32)
    kept = open_recording(to_samples(drift, RATE_HZ), AUDIO).beginning
    levels = np.abs(np.fft.rfft(kept * np.hanning(len(kept))))  # 4 bins are 1 Hz
    assert levels[390:410].max() < 3 * levels[430:800].max()


def test_a_recording_without_an_offset_is_not_changed(tmp_path):
    voice = speech_like(3)
    voice -= voice.mean()
    soundfile.write(tmp_path / "voice.wav", voice, RATE_HZ, "FLOAT")
    recording = open_recording(tmp_path / "voice.wav", AUDIO)
    assert recording.offset is None
    np.testing.assert_array_equal(recording.beginning, voice)


def test_windows_overlap_and_reach_both_ends():
    samples = np.arange(5 * RATE_HZ, dtype=np.float32)
    windows = list(cut_windows([samples], len(samples), AUDIO))
    assert windows[0][1][0] == 0
    assert windows[-1][1][-1] == samples[-1]
    steps = np.diff([start for start, _ in windows])
    assert np.allclose(steps[:-1], AUDIO.window_seconds / 2, atol=1e-3)
    for start, window in windows:
        assert len(window) == AUDIO.window_samples
        assert window[0] == pytest.approx(start * RATE_HZ)


def test_trimming_cuts_quiet_edges_and_keeps_quiet_middles():
    loud, hush = sine(300, 0.5), np.zeros(RATE_HZ // 2, np.float32)
    trimmed = trim_edges(np.concatenate([hush, loud, hush, loud, hush]), AUDIO)
    assert len(trimmed) == pytest.approx(1.5 * RATE_HZ, abs=0.02 * RATE_HZ)
    kept = with_audio(trim_db=0)
    assert len(trim_edges(np.concatenate([hush, loud]), kept)) == RATE_HZ


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100, 48000])
def test_files_of_any_rate_and_channel_count_become_mono_at_the_set_rate(tmp_path: Path, rate_hz):
    tone = sine(440, 1.0, rate_hz)
    soundfile.write(tmp_path / "tone.wav", np.stack([tone, tone], axis=1), rate_hz)
    samples = read_audio(tmp_path / "tone.wav", RATE_HZ)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(RATE_HZ, abs=2)
    middle = slice(RATE_HZ // 4, 3 * RATE_HZ // 4)
    assert np.abs(samples[middle] - sine(440, 1.0)[middle]).max() < 0.01


def test_a_file_that_is_not_audio_is_an_error(tmp_path: Path):
    (tmp_path / "not.wav").write_bytes(b"no audio in here")
    with pytest.raises(InputError, match=r"^cannot read .*not\.wav as sound: "):
        read_audio(tmp_path / "not.wav", RATE_HZ)


# Files of every kind, and long ones

CONTAINERS = {  # suffix: codec
    "wav": "pcm_s16le", "flac": "flac", "mp3": "libmp3lame", "opus": "libopus", "m4a": "aac",
    "aac": "aac", "webm": "libopus", "mp4": "aac", "amr": "libopencore_amrnb", "mkv": "pcm_s16le",
}  # fmt: skip
NARROW = {"amr": 8000}
WAV_SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")


def encode(path: Path, samples: np.ndarray, rate_hz: int) -> None:
    codec = CONTAINERS[path.suffix[1:]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz)
        stream.layout = "mono"
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=rate_hz, frame_size=stream.frame_size
        )
        frame = av.AudioFrame.from_ndarray(samples[None, :], "fltp", "mono")
        frame.sample_rate = rate_hz
        for ready in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(ready))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    "suffix", [pytest.param(each, marks=needs_amr if each == "amr" else ()) for each in CONTAINERS]
)
def test_every_common_container_is_read(tmp_path: Path, suffix):
    rate_hz = NARROW.get(suffix, 48000)
    path = tmp_path / f"tone.{suffix}"
    encode(path, 0.5 * sine(440, 2.0, rate_hz), rate_hz)
    samples = read_audio(path, RATE_HZ)
    assert len(samples) == pytest.approx(2 * RATE_HZ, rel=0.06)
    middle = samples[RATE_HZ // 2 : RATE_HZ // 2 + 8192]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(8192)))
    assert spectrum.argmax() * RATE_HZ / 8192 == pytest.approx(440, abs=3)
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("suffix", "subtype"), [("ogg", "VORBIS"), ("ogg", "OPUS"), ("aiff", None)]
)
def test_formats_that_only_libsndfile_writes_are_read(tmp_path: Path, suffix, subtype):
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, 0.5 * sine(440, 2.0), RATE_HZ, subtype)
    samples = read_audio(path, RATE_HZ)
    assert np.abs(samples[8000:24000] - 0.5 * sine(440, 2.0)[8000:24000]).max() < 0.05


@pytest.mark.parametrize("subtype", WAV_SUBTYPES)
def test_every_sample_format_of_wav_is_read(tmp_path: Path, subtype):
    soundfile.write(tmp_path / "tone.wav", 0.5 * sine(440, 1.0), RATE_HZ, subtype)
    samples = read_audio(tmp_path / "tone.wav", RATE_HZ)
    assert np.abs(samples - 0.5 * sine(440, 1.0)).max() < 0.03


def test_channels_are_averaged(tmp_path: Path):
    channels = np.stack([sine(440, 1.0), -sine(440, 1.0), 0.6 * sine(900, 1.0)], axis=1)
    soundfile.write(tmp_path / "three.wav", channels, RATE_HZ, "FLOAT")
    expected = 0.2 * sine(900, 1.0)
    assert np.abs(read_audio(tmp_path / "three.wav", RATE_HZ) - expected).max() < 1e-3


def test_channels_that_cancel_are_not_averaged(tmp_path: Path):
    turned = np.stack([0.4 * sine(440, 1.0), -0.5 * sine(440, 1.0)], axis=1)
    soundfile.write(tmp_path / "near.wav", turned, RATE_HZ, "FLOAT")
    expected = -0.05 * sine(440, 1.0)
    assert np.abs(read_audio(tmp_path / "near.wav", RATE_HZ) - expected).max() < 1e-3
    turned = np.stack([0.5 * sine(440, 1.0), -0.5 * sine(440, 1.0)], axis=1)
    soundfile.write(tmp_path / "turned.wav", turned, RATE_HZ, "PCM_16")
    samples = read_audio(tmp_path / "turned.wav", RATE_HZ)
    assert np.abs(samples - 0.5 * sine(440, 1.0)).max() < 1e-3


def test_noise_in_only_the_last_bit_is_silence(tmp_path: Path):
    bits = np.random.default_rng(1).integers(-1, 2, RATE_HZ).astype(np.int16)
    soundfile.write(tmp_path / "dither.wav", bits, RATE_HZ)
    assert open_recording(tmp_path / "dither.wav", AUDIO).is_silent
    soundfile.write(tmp_path / "quiet.wav", 100 * bits, RATE_HZ)
    assert not open_recording(tmp_path / "quiet.wav", AUDIO).is_silent


@pytest.mark.parametrize("kind", ["mp3", "opus", "ogg"])
def test_concatenated_files_are_read_to_the_end(tmp_path: Path, kind):
    """libsndfile stops at the end of the first one, and a player does not."""
    for number, pitch_hz in enumerate((440, 880)):
        sound = 0.5 * sine(pitch_hz, 2.0)
        if kind == "ogg":
            soundfile.write(tmp_path / f"{number}.ogg", sound, RATE_HZ, "VORBIS")
        else:
            codec = CODECS[kind]
            rate_hz = codec.rates_hz[-1 - number % len(codec.rates_hz)]
            file = codecs.encode(sound, RATE_HZ, codec, rate_hz, 32)
            (tmp_path / f"{number}.{kind}").write_bytes(file)
    joined = tmp_path / f"joined.{kind}"
    joined.write_bytes(b"".join((tmp_path / f"{n}.{kind}").read_bytes() for n in (0, 1)))
    samples = read_audio(joined, RATE_HZ)
    assert len(samples) == pytest.approx(4 * RATE_HZ, rel=0.05)
    for start, pitch_hz in ((0.5, 440), (2.8, 880)):
        part = samples[round(start * RATE_HZ) :][:8192]
        peak = np.abs(np.fft.rfft(part * np.hanning(8192))).argmax()
        assert peak * RATE_HZ / 8192 == pytest.approx(pitch_hz, abs=3)


def test_a_flac_that_claims_less_is_read_to_the_end(tmp_path: Path):
    path = tmp_path / "claims.flac"
    soundfile.write(path, 0.5 * sine(440, 3.0), RATE_HZ)
    content = bytearray(path.read_bytes())
    content[22:26] = RATE_HZ.to_bytes(4, "big")  # the number of samples, of a second
    path.write_bytes(content)
    assert soundfile.info(path).frames == RATE_HZ
    assert len(read_audio(path, RATE_HZ)) == 3 * RATE_HZ


def test_a_file_without_samples_is_an_error(tmp_path: Path):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE_HZ)
    with pytest.raises(InputError, match=r"empty\.wav: it has no sound"):
        read_audio(tmp_path / "empty.wav", RATE_HZ)


def test_no_block_is_empty(tmp_path: Path):
    """The resampler holds back the few samples of the last block."""
    soundfile.write(tmp_path / "long.wav", np.full(60 * 44_100 + 10, 0.1), 44_100)
    blocks = [block for _, block in decoding.read_blocks(tmp_path / "long.wav", RATE_HZ)]
    assert len(blocks) == 3
    assert all(len(block) for block in blocks)


def test_windows_of_a_long_recording_are_those_of_its_samples(tmp_path: Path):
    seconds = 95  # longer than the part in memory, and than several blocks
    samples = np.concatenate([np.zeros(RATE_HZ, np.float32), speech_like(seconds)])
    soundfile.write(tmp_path / "long.flac", samples, RATE_HZ)
    stored = read_audio(tmp_path / "long.flac", RATE_HZ)
    trimmed = trim_edges(stored, AUDIO)
    expected = list(cut_windows([trimmed], len(trimmed), AUDIO))
    found = list(recording_windows(open_recording(tmp_path / "long.flac", AUDIO), AUDIO))
    offset = (len(stored) - len(trimmed)) / RATE_HZ
    assert len(found) == len(expected) > 100
    for (start, window), (expected_start, expected_window) in zip(found, expected, strict=True):
        assert start == pytest.approx(expected_start + offset, abs=0.02)
        np.testing.assert_array_equal(window, expected_window)


def test_pauses_have_no_window(tmp_path: Path):
    pause = np.zeros(10 * RATE_HZ, np.float32)
    samples = np.concatenate([speech_like(4), pause, speech_like(4, seed=1)])
    soundfile.write(tmp_path / "pause.wav", samples, RATE_HZ)
    starts = [
        start
        for start, _ in recording_windows(open_recording(tmp_path / "pause.wav", AUDIO), AUDIO)
    ]
    assert max(np.diff(starts)) > 7
    assert starts[0] < 0.1
    assert starts[-1] + AUDIO.window_seconds == pytest.approx(18, abs=0.1)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_an_hour_takes_no_more_memory_than_a_minute(tmp_path: Path):
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from deepfake_audio.audio.recordings import open_recording\n"
        "from deepfake_audio.audio.windows import recording_windows\n"
        "from deepfake_audio.config.loading import load_settings\n"
        "from deepfake_audio.features.spectrogram import spectrogram_image\n"
        "audio = load_settings().audio\n"
        "recording = open_recording(Path(sys.argv[1]), audio)\n"
        "for _, window in recording_windows(recording, audio): spectrogram_image(window, audio)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    peaks_mb = {}
    for minutes in (2, 60):
        path = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(path, "w", 8000, 1, "PCM_16") as file:
            for minute in range(minutes):
                file.write(speech_like(30, seed=minute))  # 60 s at 8 kHz
        result = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            capture_output=True, text=True, cwd=ROOT, check=True,
        )  # fmt: skip
        peaks_mb[minutes] = float(result.stdout)
    assert peaks_mb[60] - peaks_mb[2] < 25  # an hour of samples at 16 kHz would be 230 MB


def test_windows_far_apart_show_the_sound_of_their_time(tmp_path: Path):
    seconds = 200
    times = np.arange(seconds * RATE_HZ)
    ramp = (times / len(times) * np.where(times % 2, -1, 1)).astype(np.float32)  # without an offset
    soundfile.write(tmp_path / "ramp.wav", ramp, RATE_HZ, "FLOAT")
    keep_all = with_audio(trim_db=0)
    recording = open_recording(tmp_path / "ramp.wav", keep_all)
    windows = list(recording_windows(recording, keep_all, max_windows=5))
    assert len(windows) == 5
    for start, window in windows:
        assert abs(window[0]) * seconds == pytest.approx(start, abs=0.001)
    assert windows[-1][1][-1] == ramp[-1]


def test_soft_speech_beside_a_click_has_windows(tmp_path: Path):
    samples = 0.01 * speech_like(10) / np.abs(speech_like(10)).max()
    samples[8 * RATE_HZ : 8 * RATE_HZ + 160] = 0.25  # 28 dB above the peaks around
    soundfile.write(tmp_path / "click.wav", samples, RATE_HZ, "FLOAT")
    starts = [
        start
        for start, _ in recording_windows(open_recording(tmp_path / "click.wav", AUDIO), AUDIO)
    ]
    assert np.diff(starts).max() < AUDIO.window_seconds


def test_names_of_any_bytes_are_read(tmp_path: Path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \n$.wav"))
    soundfile.write(os.fsencode(path), sine(440, 1.0), RATE_HZ)
    assert len(read_audio(path, RATE_HZ)) == RATE_HZ
    encoded = path.with_suffix(".m4a")
    encode(tmp_path / "plain.m4a", sine(440, 1.0), RATE_HZ)
    (tmp_path / "plain.m4a").rename(encoded)
    assert len(read_audio(encoded, RATE_HZ)) > 0.9 * RATE_HZ


@pytest.mark.parametrize("name", ["a.raw", "a.m3u8", "12:30.m4a", "http:x.m4a"])
def test_names_and_playlists_open_no_other_file(tmp_path: Path, name):
    soundfile.write(tmp_path / "secret.wav", sine(440, 1.0), RATE_HZ)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{tmp_path}/secret.wav\n"
    (tmp_path / name).write_text(f"{playlist}#EXT-X-ENDLIST\n")
    with pytest.raises(InputError, match=r"^cannot read "):
        read_audio(tmp_path / name, RATE_HZ)


def test_pipes_folders_and_missing_files_are_errors(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", tmp_path, tmp_path / "none.wav"):
        with pytest.raises(InputError, match=r"^cannot read |^An audio file must be a"):
            read_audio(path, RATE_HZ)


def test_huge_and_non_finite_samples_are_an_error(tmp_path: Path):
    for number in (1e30, np.inf, np.nan):
        soundfile.write(tmp_path / "huge.wav", np.full(1600, number), RATE_HZ, "FLOAT")
        with pytest.raises(InputError, match="a sample is infinite"):
            read_audio(tmp_path / "huge.wav", RATE_HZ)


@pytest.mark.parametrize(("samples", "is_read"), [(1, False), (7, False), (9, True)])
def test_frames_of_next_to_no_samples_are_refused(samples, is_read, tmp_path, monkeypatch):
    monkeypatch.setattr(ffmpeg, "BLOCK_FRAMES", 100)
    path = tmp_path / "tiny.mka"
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000)
        stream.layout = "mono"
        for number in range(0, 450 * samples, samples):
            packet = av.Packet(np.arange(number, number + samples, dtype="<i2").tobytes())
            packet.stream, packet.pts, packet.dts = stream, number, number
            packet.time_base = Fraction(1, 16_000)
            container.mux(packet)
    if is_read:
        read = read_audio(path, 16_000) * 2**15
        np.testing.assert_allclose(read, np.arange(450 * samples), atol=1e-3)
    else:
        with pytest.raises(InputError, match="more than 2,000 frames a second"):
            read_audio(path, 16_000)


DELAYS = with_audio(frequency_bins=256, delay_fft_samples=512)


def test_group_delay_equals_librosas_reassigned_times():
    window = speech_like(AUDIO.window_seconds)
    hop = (len(window) - 512) // (AUDIO.frames - 1)
    _, times, _ = librosa.reassigned_spectrogram(
        window, sr=RATE_HZ, n_fft=512, hop_length=hop, center=False, reassign_frequencies=False,
        fill_nan=True, clip=False,
    )  # fmt: skip
    middles = np.arange(AUDIO.frames) * hop + 256.5  # librosa's lie between two samples
    expected = (times * RATE_HZ - middles)[1:]
    heard = spectrogram_db(window, DELAYS) > -40
    assert heard.mean() > 0.8
    difference = group_delay_samples(window, DELAYS) - expected
    assert np.abs(difference[heard]).max() < 0.05


@pytest.mark.parametrize("scale", ["linear", "mel"])
def test_the_delay_of_a_click_is_its_distance_from_the_middle_of_the_frame(scale):
    settings = with_audio(frequency_scale=scale, delay_fft_samples=1024, frequency_bins=64)
    window = np.zeros(settings.window_samples, np.float32)
    window[10_000] = 1
    starts = np.linspace(0, len(window) - 1024, settings.frames).round()
    heard = (starts < 10_000) & (starts > 10_000 - 1023)
    delays = group_delay_samples(window, settings)
    expected = np.where(heard, 10_000 - starts - 512, 0)
    np.testing.assert_allclose(delays, np.tile(expected, (64, 1)), atol=0.1)
    levels, delays = np.moveaxis(spectrogram_image(window, settings), -1, 0)
    np.testing.assert_array_equal(levels, spectrogram_image(window, with_audio(
        frequency_scale=scale, frequency_bins=64)))  # fmt: skip
    later_by_an_eighth = np.abs(expected - 128).argmin()
    assert heard[later_by_an_eighth]
    eighths = expected[later_by_an_eighth] / 128
    assert np.abs(delays[:, later_by_an_eighth] - (128 + 80 * np.arctan(eighths))).max() <= 1
    assert (delays[:, ~heard] == 128).all()


def test_delays_of_averaged_bins_are_weighted_by_their_power():
    settings = with_audio(delay_fft_samples=512, frequency_bins=128)
    window = speech_like(AUDIO.window_seconds)
    power = 10 ** (spectrogram_db(window, DELAYS) / 10)
    single = group_delay_samples(window, DELAYS)
    expected = (power * single).reshape(128, 2, -1).sum(1) / power.reshape(128, 2, -1).sum(1)
    np.testing.assert_allclose(group_delay_samples(window, settings), expected, atol=0.01)
