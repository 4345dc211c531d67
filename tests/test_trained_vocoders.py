"""Vocoders in PyTorch: each learns, and says again what it hears. Skipped where PyTorch is not."""

import re

import librosa
import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # what is learnt here is small

from tools.fakes.trained_vocoders import adversarial_step, main, plain_step, segment_sampler  # noqa: E402
from tools.fakes.vocoder_networks import (  # noqa: E402
    KINDS,
    RATE_HZ,
    FlowMatching,
    LogMel,
    as_it_was,
    emphasised,
    from_mu_law,
    loudness,
    mu_law,
    say,
)


def test_mel_filters_are_those_of_librosa():
    theirs = librosa.filters.mel(
        sr=RATE_HZ, n_fft=1024, n_mels=80, fmin=20, fmax=7990, htk=True, norm=None
    )
    np.testing.assert_allclose(LogMel(256).filters.T, theirs, atol=1e-5)


def test_emphasis_and_mu_law_can_be_undone():
    sound = torch.rand(2, 4000) - 0.5
    np.testing.assert_allclose(as_it_was(emphasised(sound)), sound, atol=1e-4)
    assert mu_law(torch.tensor([-1.0, 1.0])).tolist() == [0, 1023]
    np.testing.assert_allclose(from_mu_law(mu_law(sound)), sound, atol=0.005)


def test_loudness_follows_the_sound():
    tone = torch.sin(torch.arange(16_384) * 0.3)[None]
    loud = loudness(torch.cat([tone, tone / 10], dim=1), hop=256)[0]
    np.testing.assert_allclose(loud[2000:14_000], 0.5**0.5, rtol=0.02)
    np.testing.assert_allclose(loud[18_000:30_000], 0.05**0.5 / 10**0.5, rtol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_receives_a_gradient(kind):
    torch.manual_seed(1)
    network = KINDS[kind]()
    step = plain_step(network) if hasattr(network, "loss") else adversarial_step(network, "cpu")
    step(0.1 * torch.randn(2, 2560), 0.5)
    still = [n for n, w in network.named_parameters() if w.grad is None or not w.grad.any()]
    assert still == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_has_as_many_samples_as_its_original(kind):
    said = say(KINDS[kind]().eval(), 0.1 * torch.randn(1, 1280))
    assert said.shape == (1, 1280)
    assert np.isfinite(said).all()


def test_a_perfect_flow_returns_the_sound():
    network, sound = FlowMatching(), 0.1 * torch.randn(1, 5120)
    goal = emphasised(sound)
    even = goal / loudness(goal, network.hop)
    network.network.forward = lambda x, mel, when: (even - x) / (1 - when[:, None])
    np.testing.assert_allclose(network.say(sound), sound, atol=1e-4)


def test_segments_are_cut_from_one_voice_each():
    voices = [np.full(n, n, np.float32) for n in (100, 700, 1500)]
    segments = segment_sampler(voices, samples=300, batch=64, device="cpu")()
    assert set(segments[:, 0].tolist()) == {100, 700, 1500}
    assert torch.equal(segments, segments[:, :1].expand(-1, 300))


def sound_file(path, samples: int, rate_hz: int = RATE_HZ) -> None:
    path.parent.mkdir(exist_ok=True)
    sound = np.random.default_rng(samples).uniform(-0.1, 0.1, samples)
    soundfile.write(path, sound, rate_hz)


def lengths_said(kind: str, weights, tmp_path) -> dict[str, int]:
    (said := tmp_path / kind).mkdir()
    assert main(["say", kind, str(weights), str(tmp_path / "in"), str(said)]) == 0
    return {path.name: soundfile.info(path).frames for path in said.iterdir()}


def test_a_folder_is_trained_on_and_resynthesised(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    sound_file(tmp_path / "voices" / "a.wav", 20_000)
    sound_file(tmp_path / "in" / "b.wav", 700)
    sound_file(tmp_path / "in" / "c.flac", 2000)
    where = [str(tmp_path / "voices"), str(tmp_path / "weights")]
    assert main(["train", *where, "vocos", "neural_codec", "--minutes", "0.001"]) == 0
    assert {line.split()[0] for line in capfd.readouterr().out.splitlines()} == {
        "vocos",
        "neural_codec",
    }
    for kind in ("vocos", "neural_codec"):
        assert lengths_said(kind, where[1], tmp_path) == {"b.wav": 700, "c.flac": 2000}


def test_files_of_several_lengths_are_resynthesised_together(tmp_path):
    sound_file(tmp_path / "in" / "b.wav", 700)
    sound_file(tmp_path / "in" / "c.wav", 1500)
    torch.save(KINDS["wavernn"]().state_dict(), tmp_path / "wavernn.pt")
    assert lengths_said("wavernn", tmp_path, tmp_path) == {"b.wav": 700, "c.wav": 1500}


def test_only_speech_of_16_khz_is_accepted(tmp_path, capsys):
    where = [str(tmp_path), str(tmp_path / "weights")]
    assert main(["train", *where, "vocos"]) == 2
    assert "no FLAC or WAV files in" in capsys.readouterr().err
    sound_file(tmp_path / "in" / "a.wav", 8000, rate_hz=8000)
    assert main(["train", *where, "vocos"]) == 2
    assert re.search(r"has 8,000 Hz .*mono of 16,000 Hz", capsys.readouterr().err)
    assert main(["say", "vocos", *where, str(tmp_path)]) == 2
    assert "train vocos first" in capsys.readouterr().err
    assert main(["train", *where, "vocos", "--minutes", "0"]) == 2
    assert "--minutes" in capsys.readouterr().err
