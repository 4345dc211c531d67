"""Recording conditions: add noise, rooms, echoes and codecs to a clip."""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from deepfake_audio.audio.codecs import CODECS, Codec, can_encode, encode
from deepfake_audio.audio.recordings import read_audio
from deepfake_audio.errors import InputError

FULL_SCALE = 0.99
MIN_NOISE_HZ = 20
BABBLE_CLIPS = 100  # of which babble is made
BABBLE_VOICES = 6
MAX_VOICE_SECONDS = 20  # of a clip: each process keeps all clips in memory
HARMONICS = 20  # of mains hum
ROOMS = 8  # for each reverberation time
ROOM_METERS = (3.0, 3.0, 2.4), (7.0, 6.0, 3.2)  # smallest and largest
WALL_METERS = 0.5  # least distance of talker and microphone from a wall
MAX_REFLECTIONS = 25
GSM_HZ = 8000
VOICE_CALL = {"application": "voip"}  # how messengers configure Opus
AMR_NB = Codec("libopencore_amrnb", "amr", (8000,), (12.2,))

Voices = Sequence[np.ndarray]  # other clips at the same rate, each float `(samples,)`


class Scene(NamedTuple):
    """What a condition depends on, apart from the clip.

    Attributes:
        rate_hz: of the clip and of `voices`.
        random: its state decides about noise and rooms.
        voices: other clips, for babble.
    """

    rate_hz: int
    random: np.random.Generator
    voices: Voices


Change = Callable[[np.ndarray, Scene], np.ndarray]  # of float samples `(samples,)`


def apply_condition(
    name: str, samples: np.ndarray, sample_rate_hz: int, seed: str, voices: Voices
) -> np.ndarray:
    """Return a clip as it would be in a condition, below full scale.

    Args:
        name: a key of `CONDITIONS`.
        samples: float `(samples,)`, full scale 1.
        sample_rate_hz: of the samples, and of `voices`.
        seed: a text, such as the clip's name; the same one gives the same noise and room.
        voices: clips for babble.

    Returns:
        float32 `(samples,)`; an echo or a codec may add some samples.
    """
    digest = hashlib.sha256(f"{seed}|{name}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    return changed_by(CONDITIONS[name], samples, Scene(sample_rate_hz, random, voices))


def read_in_condition(
    path: Path, name: str, rate_hz: int, seed: str, voices: tuple[Path, ...]
) -> np.ndarray:
    """Read a clip as it would be in a condition; see `apply_condition` and `read_voices`."""
    samples = read_audio(path, rate_hz)
    return apply_condition(name, samples, rate_hz, seed, read_voices(voices, rate_hz))


def changed_by(change: Change, samples: np.ndarray, scene: Scene) -> np.ndarray:
    """Return a clip after a change, below full scale: float32 `(samples,)`."""
    changed = change(samples.astype(np.float64), scene)
    return (changed / max(1, np.abs(changed).max() / FULL_SCALE)).astype(np.float32)


@lru_cache(maxsize=1)
def read_voices(paths: tuple[Path, ...], rate_hz: int) -> Voices:
    """Read the beginnings of clips for babble; one that can't be read is reported elsewhere."""
    voices = []
    for path in paths:
        with suppress(InputError):
            voices.append(read_audio(path, rate_hz)[: MAX_VOICE_SECONDS * rate_hz].copy())
    return voices


def add_noise(samples: np.ndarray, scene: Scene, make: Callable, snr_db: float) -> np.ndarray:
    """Add noise at a ratio of the RMS levels of the whole clip."""
    noise = make(len(samples), scene)
    return samples + noise * (_rms(samples) / _rms(noise) * 10 ** (-snr_db / 20))


def coloured_noise(count: int, scene: Scene, exponent: float) -> np.ndarray:
    """Make noise whose power is proportional to a power of the frequency: 0 white, -1 pink."""
    spectrum = np.fft.rfft(scene.random.standard_normal(count))
    frequencies_hz = np.fft.rfftfreq(count, 1 / scene.rate_hz)
    gains = np.maximum(frequencies_hz, MIN_NOISE_HZ) ** (exponent / 2)
    return np.fft.irfft(spectrum * gains * (frequencies_hz >= MIN_NOISE_HZ), count)


def babble(count: int, scene: Scene) -> np.ndarray:
    """Make the sound of several people who talk at once."""
    total = np.zeros(count)
    for index in scene.random.integers(len(scene.voices), size=BABBLE_VOICES):
        voice = np.roll(np.resize(scene.voices[index], count), scene.random.integers(count))
        total += voice / _rms(voice)
    return total


def mains_hum(count: int, scene: Scene) -> np.ndarray:
    """Make a hum of 50 or 60 Hz and its harmonics."""
    random = scene.random
    hz = random.choice([50, 60]) * random.uniform(0.999, 1.001)
    number = np.arange(1, HARMONICS + 1)[:, None]
    turns = hz * number * np.arange(count) / scene.rate_hz + random.random(number.shape)
    return (random.uniform(0.2, 1, number.shape) / number * np.sin(2 * np.pi * turns)).sum(axis=0)


def music(count: int, scene: Scene) -> np.ndarray:
    """Make chords of plucked tones with a drum on each beat."""
    random, rate_hz = scene.random, scene.rate_hz
    times, sound = np.arange(count) / rate_hz, np.zeros(count)
    root_hz = 110 * 2 ** (random.integers(12) / 12)
    for start in np.arange(0, count / rate_hz, random.uniform(0.25, 0.5)):
        after = times[times >= start] - start
        chord = np.zeros(len(after))
        for semitones in random.choice([0, 3, 4, 7, 10, 12, 16, 19], 3, replace=False):
            hz = root_hz * 2 ** (semitones / 12) * random.choice([1, 2])
            harmonics = np.arange(1, min(12, int(0.47 * rate_hz / hz)))[:, None]
            tone = (np.sin(2 * np.pi * hz * harmonics * after) / harmonics**1.2).sum(axis=0)
            chord += tone * np.exp(-after * random.uniform(2, 6))
        drum = np.exp(-60 * after) * random.standard_normal(len(after))
        sound[count - len(after) :] += chord + 0.5 * drum
    return sound


def in_room(
    samples: np.ndarray,
    scene: Scene,
    seconds: Sequence[float],
    numbers: Sequence[int] = range(ROOMS),
) -> np.ndarray:
    """Let a clip sound in a room with one of some reverberation times (T60).

    Each reverberation time has a room for each number.
    """
    from scipy.signal import fftconvolve

    t60_seconds, number = float(scene.random.choice(seconds)), int(scene.random.choice(numbers))
    response = _room_response(t60_seconds, number, scene.rate_hz)
    changed = fftconvolve(samples, response)[np.abs(response).argmax() :][: len(samples)]
    return changed * (_rms(samples) / _rms(changed))


@lru_cache(maxsize=128)
def _room_response(t60_seconds: float, number: int, rate_hz: int) -> np.ndarray:
    """Return the impulse response of a box-shaped room, by the image-source method."""
    import pyroomacoustics

    random = np.random.default_rng(number)
    size = random.uniform(*ROOM_METERS)
    absorption, reflections = pyroomacoustics.inverse_sabine(t60_seconds, size)
    room = pyroomacoustics.ShoeBox(
        size,
        fs=rate_hz,
        materials=pyroomacoustics.Material(absorption),
        max_order=min(reflections, MAX_REFLECTIONS),
    )
    room.add_source(random.uniform(WALL_METERS, size - WALL_METERS))
    room.add_microphone(random.uniform(WALL_METERS, size - WALL_METERS))
    room.compute_rir()
    return np.asarray(room.rir[0][0])


def from_loudspeaker(samples: np.ndarray, scene: Scene) -> np.ndarray:
    """Play a clip through a small loudspeaker: a narrower band, and some distortion."""
    from scipy.signal import butter, sosfilt

    band_hz = scene.random.uniform(150, 300), scene.random.uniform(0.34, 0.46) * scene.rate_hz
    changed = sosfilt(butter(2, band_hz, "bandpass", fs=scene.rate_hz, output="sos"), samples)
    changed = changed / (np.abs(changed).max() + 1e-9)
    changed = np.tanh(1.2 * changed + 0.1 * changed**2)
    changed -= changed.mean()
    return changed * (_rms(samples) / _rms(changed))


def add_echo(samples: np.ndarray, scene: Scene, seconds: float, gain: float) -> np.ndarray:
    """Add one echo with a share of the amplitude."""
    later = np.zeros(round(seconds * scene.rate_hz))
    return np.concatenate([samples, later]) + gain * np.concatenate([later, samples])


def coded(
    samples: np.ndarray, scene: Scene, codec: Codec, coded_hz: int, kbits: float
) -> np.ndarray:
    """Encode and decode a clip."""
    file = encode(samples.astype(np.float32), scene.rate_hz, codec, coded_hz, kbits)
    return read_audio(file, scene.rate_hz).astype(np.float64)


def through_gsm(samples: np.ndarray, scene: Scene) -> np.ndarray:
    """Encode and decode a clip with GSM full rate, 13 kbit/s."""
    file = io.BytesIO()
    narrow = np.clip(soxr.resample(samples, scene.rate_hz, GSM_HZ), -1, 1)
    soundfile.write(file, narrow, GSM_HZ, "GSM610", format="WAV")
    return read_audio(file.getvalue(), scene.rate_hz).astype(np.float64)


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples)) + 1e-20))


def _noise(kind: str, snr_db: float) -> Change:
    return partial(add_noise, make=NOISES[kind], snr_db=snr_db)


def _opus(kbits: int) -> Change:
    codec = replace(CODECS["opus"], options=VOICE_CALL)
    return partial(coded, codec=codec, coded_hz=48_000, kbits=kbits)


def _codec(name: str, coded_hz: int, kbits: int) -> Change:
    return partial(coded, codec=CODECS[name], coded_hz=coded_hz, kbits=kbits)


def _room(*seconds: float) -> Change:
    return partial(in_room, seconds=seconds)


def _of(*changes: Change) -> Change:
    def change_in_turn(samples: np.ndarray, scene: Scene) -> np.ndarray:
        for change in changes:
            samples = change(samples, scene)
        return samples

    return change_in_turn


NOISES: Mapping[str, Callable] = {
    "pink": partial(coloured_noise, exponent=-1),
    "white": partial(coloured_noise, exponent=0),
    "babble": babble,
    "music": music,
    "hum": mains_hum,
}
AS_THEY_ARE = "as they are"
# Noise has the signal-to-noise ratio in dB behind its name, codecs the kbit/s.
CONDITIONS: dict[str, Change] = {
    AS_THEY_ARE: _of(),
    **{f"{kind} noise {snr}": _noise(kind, snr) for snr in (25, 15) for kind in NOISES},
    "room 0.3 s": _room(0.3),
    "room 0.6 s": _room(0.6),
    "room and noise": _of(_room(0.25, 0.35, 0.45, 0.6), _noise("pink", 20)),
    "replayed": _of(from_loudspeaker, _room(0.2, 0.4, 0.8), _noise("pink", 30)),
    "echo 50 ms": partial(add_echo, seconds=0.05, gain=0.1),
    "echo 120 ms": partial(add_echo, seconds=0.12, gain=0.3),
    "mp3 64": _codec("mp3", 44_100, 64),
    "aac 64": _codec("aac", 44_100, 64),
    "aac 24": _codec("aac", 24_000, 24),
    "opus 24": _opus(24),
    "opus 16": _opus(16),
    "opus 12": _opus(12),
    "opus 24, mp3 64": _of(_opus(24), _codec("mp3", 44_100, 64)),
    "g.711": _codec("telephone", 8000, 64),
    "amr 12.2": partial(coded, codec=AMR_NB, coded_hz=8000, kbits=12.2),
    "gsm": through_gsm,
}
if not can_encode(AMR_NB.encoder):  # PyAV 19
    del CONDITIONS["amr 12.2"]
