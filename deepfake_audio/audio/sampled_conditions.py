"""Recording conditions with random parameters, for training.

The rooms are others than those of `CONDITIONS`, with which runs are measured.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from deepfake_audio.audio.codecs import CODECS
from deepfake_audio.audio.conditions import (
    AMR_NB,
    NOISES,
    VOICE_CALL,
    Change,
    Scene,
    Voices,
    add_echo,
    add_noise,
    changed_by,
    coded,
    coloured_noise,
    from_loudspeaker,
    in_room,
    through_gsm,
)

PIECE_SECONDS = 60  # a long recording is changed piece by piece
T60_SECONDS = (0.2, 0.25, 0.35, 0.4, 0.5, 0.65, 0.8)
ROOM_NUMBERS = range(1000, 1012)  # for each T60
AMR_KBITS = (7.95, 10.2, 12.2)
VOICE_CALL_SHARE = 0.6  # of Opus
NOISY_ROOM_SHARE = 0.6

NOISY_KINDS = frozenset({"noise", "room", "replayed", "chain"})  # these may add babble

Pieces = Iterable[np.ndarray]  # each float32 `(samples,)`


def change_pieces(
    kind: str, blocks: Pieces, rate_hz: int, random: np.random.Generator, voices: Voices
) -> Iterator[np.ndarray]:
    """Change a recording as one random condition of a kind would.

    Args:
        kind: a key of `CONDITION_KINDS`.
        blocks: the samples in order, full scale 1.
        rate_hz: of the samples, and of `voices`.
        random: the condition depends on its state.
        voices: clips for babble, at least one if the kind is in `NOISY_KINDS`.

    Yields:
        float32 `(samples,)`, below full scale: a minute of the recording, or its rest.
    """
    state = random.bit_generator.state
    for piece in _pieces(blocks, PIECE_SECONDS * rate_hz):
        random.bit_generator.state = state  # the same condition for all
        yield changed_by(CONDITION_KINDS[kind], piece, Scene(rate_hz, random, voices))


def _pieces(blocks: Pieces, samples: int) -> Iterator[np.ndarray]:
    """Join blocks to pieces of a number of samples; only the last one may be shorter."""
    waiting = np.empty(0, np.float32)
    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= samples:
            yield waiting[:samples]
            waiting = waiting[samples:]
    if len(waiting):
        yield waiting


def noise(samples: np.ndarray, scene: Scene, snr_db: tuple[float, float] = (5, 40)) -> np.ndarray:
    """Add noise of a random kind, colour (of white to brown) and signal-to-noise ratio."""
    kinds = {**NOISES, "coloured": partial(coloured_noise, exponent=scene.random.uniform(-2, 0))}
    make = kinds[str(scene.random.choice(["babble", "coloured", "coloured", "hum", "music"]))]
    return add_noise(samples, scene, make, scene.random.uniform(*snr_db))


def room(samples: np.ndarray, scene: Scene) -> np.ndarray:
    """Let a clip sound in a room, with faint noise or without."""
    changed = in_room(samples, scene, T60_SECONDS, ROOM_NUMBERS)
    if scene.random.random() < NOISY_ROOM_SHARE:
        return noise(changed, scene, (15, 40))
    return changed


def replayed(samples: np.ndarray, scene: Scene) -> np.ndarray:
    """Play a clip through a loudspeaker, and record it again in a room."""
    changed = from_loudspeaker(samples, scene)
    changed = in_room(changed, scene, T60_SECONDS, ROOM_NUMBERS)
    return noise(changed, scene, (20, 45))


def echo(samples: np.ndarray, scene: Scene) -> np.ndarray:
    """Add one echo."""
    seconds, gain = scene.random.uniform(0.02, 0.2), scene.random.uniform(0.05, 0.35)
    return add_echo(samples, scene, seconds, gain)


def any_codec(samples: np.ndarray, scene: Scene, name: str) -> np.ndarray:
    """Encode and decode a clip at a random bit rate."""
    codec = CODECS[name]
    if name == "opus" and scene.random.random() < VOICE_CALL_SHARE:
        codec = replace(codec, options=VOICE_CALL)
    return coded(samples, scene, codec, *codec.sample_rates(scene.random))


def amr(samples: np.ndarray, scene: Scene) -> np.ndarray:
    """Encode and decode a clip with AMR, the narrow-band codec of mobile telephones."""
    return coded(samples, scene, AMR_NB, 8000, float(scene.random.choice(AMR_KBITS)))


def band_limit(samples: np.ndarray, scene: Scene) -> np.ndarray:
    """Cut off the highest frequencies with a filter of random steepness."""
    from scipy.signal import butter, sosfilt

    order, share = int(scene.random.integers(2, 9)), scene.random.uniform(0.425, 0.95)
    return sosfilt(butter(order, share, output="sos"), samples)


def chain(samples: np.ndarray, scene: Scene) -> np.ndarray:
    """Change a clip twice; the second change is a codec."""
    for kinds in (
        ("noise", "room", "replayed", "opus", "aac", "band_limit"),
        ("mp3", "aac", "opus", "telephone", "amr"),
    ):
        samples = CONDITION_KINDS[str(scene.random.choice(kinds))](samples, scene)
    return samples


CONDITION_KINDS: Mapping[str, Change] = {
    "noise": noise,
    "room": room,
    "replayed": replayed,
    "echo": echo,
    **{name: partial(any_codec, name=name) for name in CODECS},
    "amr": amr,
    "gsm": through_gsm,
    "band_limit": band_limit,
    "chain": chain,
}
