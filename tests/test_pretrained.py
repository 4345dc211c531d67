"""The shipped model: it answers right after a clone, and its parts belong together."""

import json

import cv2
import numpy as np
import pytest
import soundfile
import soxr

import evaluate
import export
import predict
from conftest import ROOT
from deepfake_audio.detector import Detector
from deepfake_audio.models import onnx_session, run_folder, run_search
from deepfake_audio.training.score_model import score_model
from deepfake_audio.training.weights import load_weights
from model import build_model
from test_corpus_files import write_tone

CLIPS = ROOT / "data" / "sample" / "audio"


def verdict_of(capsys, *args: str) -> dict:
    assert predict.main(["--json", *args]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clip", "expected"),
    [("fake_espeak-ng_it_f5", "FAKE"), ("real_ivrvoice.ru_conf-full", "REAL")],
)
def test_a_clip_is_judged_without_any_training(clip, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    verdict = verdict_of(capsys, str(CLIPS / f"{clip}.flac"))
    assert (verdict["verdict"], verdict["run"]) == (expected, "pretrained")
    assert not list(tmp_path.iterdir())
    named = verdict_of(capsys, "--run", "models/pretrained", str(CLIPS / f"{clip}.flac"))
    assert named == verdict


def test_the_users_run_is_preferred_and_the_shipped_one_can_be_named(in_audio_workspace, capsys):
    clip = str(CLIPS / "real_ivrvoice.ru_conf-full.flac")
    assert verdict_of(capsys, clip)["run"] != "pretrained"
    assert verdict_of(capsys, "--run", str(run_folder.PRETRAINED), clip)["run"] == "pretrained"


def without_voice(kind: str) -> np.ndarray:
    """Make three seconds of a sound that is no voice: float32 at 16 kHz."""
    random, times = np.random.default_rng(0), np.arange(48_000) / 16_000
    noise = random.normal(0, 0.1, len(times))
    drops = np.zeros(len(times))
    drops[random.integers(0, len(times), 1500)] = random.normal(0, 0.5, 1500)
    sound = {
        "wavering noise": noise * (1 + np.sin(2 * np.pi * 3 * times)),
        "rain": np.convolve(drops, np.exp(-np.arange(100) / 10))[: len(times)],
        "transformer": 0.03 * noise
        + sum(np.sin(2 * np.pi * 100 * n * times) / n for n in range(1, 20)) / 8,
        "hum": sum(0.97**n * np.sin(2 * np.pi * 50 * n * times + n) for n in range(1, 100)) / 30,
    }[kind]
    return sound.astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wavering noise", "rain", "hum", "transformer"])
def test_sound_without_a_voice_gets_no_verdict(kind):
    result = Detector.pretrained().predict((without_voice(kind), 16_000))
    assert result.verdict == "UNCERTAIN"
    assert (result.confidence, result.reasons[0].code) == (None, "no_voice")


@pytest.mark.slow
def test_a_voice_in_noise_is_still_found():
    voice, rate_hz = soundfile.read(CLIPS / "real_menardi_vm-forward-multiple.flac")
    noise = np.random.default_rng(0).normal(0, voice.std() / 3, len(voice))  # 10 dB below
    result = Detector.pretrained().predict((voice + noise, rate_hz))
    assert "no_voice" not in [reason.code for reason in result.reasons]


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.pretrained()


def clip(name: str) -> np.ndarray:
    """Read a clip of the sample: float32 at 16 kHz."""
    return soundfile.read(next(CLIPS.glob(f"{name}*")), dtype="float32")[0]


@pytest.mark.slow
def test_a_fake_over_a_telephone_in_an_echo_is_not_real(detector):
    narrow = soxr.resample(clip("fake_hibari_heart"), 16_000, 8_000)
    for delay_seconds, gain in ((0.12, 0.3), (0.03, 0.4)):
        sound = np.pad(narrow, (round(delay_seconds * 8_000), 0)) * np.float32(gain)
        sound[: len(narrow)] += narrow
        result = detector.predict((sound, 8_000))
        assert (result.verdict, result.doubt.code) == ("UNCERTAIN", "echo")


@pytest.mark.slow
@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "ALAW"])
def test_the_noise_of_a_rare_codec_does_not_make_a_voice_fake(detector, subtype, tmp_path):
    soundfile.write(tmp_path / "a.wav", clip("fake_hifi-gan"), 16_000, subtype)
    result = detector.predict(tmp_path / "a.wav")
    assert (result.verdict, result.doubt.code) == ("UNCERTAIN", "codec")


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "codec"), [("flv", "nellymoser"), ("ra", "real_144")])
def test_a_codec_that_is_a_vocoder_itself_does_not_make_a_voice_fake(
    detector, suffix, codec, tmp_path
):
    path, rate_hz = tmp_path / f"a.{suffix}", 8_000 if suffix == "ra" else 16_000
    form = "rm" if suffix == "ra" else "flv"
    write_tone(path, form, codec, clip("real_ivrvoice.ru_confbridge-leave-in"), rate_hz)
    result = detector.predict(path)
    assert (result.verdict, result.doubt.code) == ("UNCERTAIN", "codec")


@pytest.mark.slow
@pytest.mark.parametrize("end", [np.full(3, 0.5, np.float32), None], ids=["click", "syllable"])
def test_a_syllable_and_another_sound_after_a_pause_are_too_short(detector, end):
    syllable = clip("real_ivrvoice.ru_vm")[8_000:11_200]
    sound = np.concatenate([syllable, np.zeros(80_000), syllable if end is None else end])
    result = detector.predict((sound, 16_000))
    assert (result.verdict, result.doubt.code) == ("UNCERTAIN", "too_short")


@pytest.mark.slow
def test_a_quiet_voice_is_judged_after_a_knock_and_named_beside_a_loud_voice(detector):
    loud, quiet = clip("real_menardi_vm-f"), clip("fake_kokoro") * np.float32(0.003)
    hiss = np.random.default_rng(0).normal(0, 1e-5, 16_000).astype(np.float32)
    knock = np.concatenate([np.full(300, 0.9, np.float32), hiss, quiet])
    alone, knocked = detector.predict((quiet, 16_000)), detector.predict((knock, 16_000))
    assert alone.verdict == knocked.verdict == "FAKE"
    beside = detector.predict((np.concatenate([loud, hiss, quiet]), 16_000))
    notes = {note.code: note.text for note in beside.notes}
    seconds = len(quiet) / 16_000
    assert float(notes["too_quiet"].split()[0]) == pytest.approx(seconds, abs=1.5)
    pause = np.tile(hiss, 4)  # steady sound is no voice
    note_codes = [note.code for note in detector.predict((np.r_[loud, pause], 16_000)).notes]
    assert "too_quiet" not in note_codes


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["click", "beep"])
def test_a_click_or_a_beep_does_not_make_a_telephone_wide(detector, kind):
    call = soxr.resample(soxr.resample(clip("real_menardi_vm"), 16_000, 8_000), 8_000, 16_000)
    disturbed = call.copy()
    if kind == "click":
        disturbed[20_000:20_200] = 0
        disturbed[20_100] = 0.5
    else:
        tone = 0.1 * np.sin(2 * np.pi * 6000 / 16_000 * np.arange(8_000)).astype(np.float32)
        disturbed = np.concatenate([call, np.zeros(1600, np.float32), tone])
    plain, result = (detector.predict((sound, 16_000)) for sound in (call, disturbed))
    assert result.quality.bandwidth_hz == pytest.approx(plain.quality.bandwidth_hz, abs=100)
    assert plain.quality.bandwidth_hz < 4000


@pytest.mark.slow
def test_a_rumble_does_not_make_a_voice_real(detector):
    voice = clip("real_ivrvoice.ru_conf-full")
    random = np.random.default_rng(0)
    spectrum = np.fft.rfft(random.normal(0, 1, len(voice)))
    spectrum[np.fft.rfftfreq(len(voice), 1 / 16_000) > 40] = 0
    rumble = np.fft.irfft(spectrum, len(voice)).astype(np.float32)
    rumble *= 3 * voice.std() / rumble.std()
    assert detector.predict((voice, 16_000)).verdict == "REAL"
    assert detector.predict((voice + rumble, 16_000)).doubt.code == "rumble"


@pytest.mark.slow
def test_the_traces_of_a_vocoder_at_another_speed_are_not_real(detector):
    voice = clip("real_ivrvoice.ru_vm-nonumber")
    phase = 2 * np.pi * 94.7 * np.arange(len(voice)) / 16_000
    result = detector.predict((voice * (1 + 0.08 * np.sign(np.sin(phase))), 16_000))
    assert detector.predict((voice, 16_000)).verdict == "REAL"
    assert result.doubt.code == "speed"
    assert "94.7" in result.doubt.text


@pytest.mark.slow
def test_noise_after_a_voice_does_not_count(detector):
    voice = clip("fake_kokoro")
    noise = np.random.default_rng(0).normal(0, voice.std() / 10, 10 * 16_000).astype(np.float32)
    result = detector.predict((np.concatenate([voice, noise]), 16_000))
    assert result.verdict == "FAKE"
    note = next(note.text for note in result.notes if note.code == "windows_ignored")
    assert note.endswith("windows left out, without a voice")


@pytest.mark.slow
@pytest.mark.parametrize("lowest", [-0.1, -1.0], ids=["both sides", "one side"])
def test_clipping_below_full_scale_is_found(detector, lowest):
    voice = clip("real_menardi_dir")
    clipped = np.clip(voice / np.abs(voice).max(), lowest, 0.1) * np.float32(3)
    result = detector.predict((soxr.resample(clipped, 16_000, 22_050), 22_050))
    assert (result.verdict, result.doubt.code) == ("UNCERTAIN", "clipped")


@pytest.mark.slow
@pytest.mark.parametrize(("rate_hz", "gain"), [(16_000, 0.0), (16_000, 0.7), (8_000, 0.0)])
def test_lost_packets_do_not_make_a_real_voice_fake(detector, rate_hz, gain):
    voice = soxr.resample(clip("real_menardi_vm-forward"), 16_000, rate_hz)
    packet = rate_hz // 50
    for first in range(8 * packet, len(voice) - packet, 10 * packet):
        voice[first : first + packet] = gain * voice[first - packet : first]
    result = detector.predict((voice, rate_hz))
    assert (result.verdict, result.doubt.code) == ("UNCERTAIN", "dropouts")


def beside(voice: np.ndarray, background: np.ndarray, snr_db: float) -> np.ndarray:
    gain = voice.std() / background.std() * 10 ** (-snr_db / 20)
    return (voice + gain * background).astype(np.float32)


def machine(kind: str, samples: int) -> np.ndarray:
    """Make a background that pulses: float `(samples,)` at 16 kHz."""
    times, noise = np.arange(samples) / 16_000, np.random.default_rng(3).normal(size=samples)
    phone = (216.67 * times % 1 < 0.125) & (np.floor(216.67 * times) % 26 != 25)
    return {
        "motor": np.exp(-8 * (93.75 * times % 1)) * noise,
        "wandering motor": np.exp(-8 * ((80 * times + 0.3 * np.sin(2 * times)) % 1)) * noise,
        "lamp": np.diff(120 * times % 1, append=0) < 0,
        "phone": np.diff(phone.astype(float), append=0),
    }[kind]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["motor", "wandering motor", "lamp", "phone"])
def test_a_machine_in_the_background_does_not_make_a_real_voice_fake(detector, kind):
    voice = clip("real_menardi_vm-forward")
    result = detector.predict((beside(voice, machine(kind, len(voice)), 25), 16_000))
    assert (result.verdict, result.doubt.code) == ("UNCERTAIN", "pulse")
    assert "frame_rate" not in [note.code for note in result.notes]


@pytest.mark.slow
@pytest.mark.parametrize("sound", ["beep", "dial tone", "clipped wind"])
def test_a_beep_or_a_knock_beside_a_voice_does_not_count(detector, sound):
    voice, times = clip("real_menardi_vm-forward"), np.arange(32_000) / 16_000
    other = {
        "beep": 0.2 * np.sin(2 * np.pi * 1000 * times),
        "dial tone": 0.1 * sum(np.sin(2 * np.pi * hz * times) for hz in (350, 440)),
        "clipped wind": np.clip(np.random.default_rng(0).normal(0, 3, 8000), -1, 1),
    }[sound]
    both = np.concatenate([other.astype(np.float32), voice])
    alone, result = (detector.predict((samples, 16_000)) for samples in (voice, both))
    assert (result.p_fake < 0.5, result.doubt) == (True, None)
    assert result.score == pytest.approx(alone.score, abs=1.0)
    notes = " ".join(note.text for note in result.notes if note.code == "windows_ignored")
    assert ("clipped" if sound == "clipped wind" else "with a tone") in notes


@pytest.mark.slow
def test_the_weights_the_network_and_the_export_of_the_shipped_run_agree(tmp_path):
    run, record, settings = run_search.open_run(str(run_folder.PRETRAINED))
    assert record.status == "finished"
    model = build_model(settings.model, settings.image)
    load_weights(model, run.keras_model, settings.limits)
    images = np.random.default_rng(0).integers(0, 256, (4, *settings.image.shape), np.uint8)
    expected = score_model(model).predict(images.astype(np.float32), verbose=0)[:, 0]
    exported = onnx_session.load_model(run.onnx_model, 1, settings.limits)
    np.testing.assert_allclose(onnx_session.score_images(exported, images), expected, atol=1e-4)


def test_the_shipped_run_is_small():
    assert sum(file.stat().st_size for file in run_folder.PRETRAINED.iterdir()) < 5_000_000


def test_evaluating_the_shipped_run_needs_data(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert evaluate.main([]) == 2
    assert "runs/ has no trained run" in capsys.readouterr().err
    for script in (evaluate, export):
        assert script.main(["--run", "models/pretrained"]) == 2
        assert capsys.readouterr().err.startswith(
            "error: no data folder data/further; give one with --data FOLDER (it"
        )


@pytest.mark.slow
def test_an_image_of_another_kind_is_refused_with_a_run_that_judges_it(
    workspace, tmp_path, monkeypatch, capsys
):
    grey = next((workspace / "data/tiny/test/fake").glob("*.png"))
    monkeypatch.chdir(workspace)
    assert predict.main(["--run", "models/pretrained", str(grey)]) == 1
    assert "(--run first judges it)" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert predict.main(["--run", "models/pretrained", str(grey)]) == 1
    assert "(no run here judges it: train one)" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_image_is_uncertain(level, workspace, tmp_path, monkeypatch, capsys):
    blank = tmp_path / "blank.jfif"
    blank.write_bytes(cv2.imencode(".jpg", np.full((64, 96), level, np.uint8))[1].tobytes())
    monkeypatch.chdir(workspace)
    for run in ("first", "models/pretrained"):
        verdict = verdict_of(capsys, "--run", run, str(blank))
        assert (verdict["verdict"], verdict["confidence"]) == ("UNCERTAIN", None)
        assert verdict["warning"].startswith("the image is blank")


def test_an_image_of_a_kind_that_is_not_read_gives_the_remedy(tmp_path, capsys):
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    assert predict.main(["--run", str(run_folder.PRETRAINED), str(tmp_path / "a.gif")]) == 1
    assert "a.gif: images of this kind are not read; save it as PNG" in capsys.readouterr().err
