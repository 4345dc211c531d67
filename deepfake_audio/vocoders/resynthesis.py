"""A corpus of real speech and its resynthesis: one rate, one level, one format, one table."""

import io
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from tqdm import tqdm

from deepfake_audio.audio.decoding import read_blocks
from deepfake_audio.audio.findings import SILENCE_POWER
from deepfake_audio.corpora.reading import Clip
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.system.atomic_files import write_error
from deepfake_audio.system.csv_files import write_rows
from deepfake_audio.system.regular_files import open_table
from deepfake_audio.system.stderr import suppress_native_stderr
from deepfake_audio.vocoders.external import ExternalVocoder, run_external_vocoder

KINDS = ("istft", "istft_adversarial", "upsampling", "codec")  # as in networks.RECIPES
TABLE_FIELDS = ("file", "label", "split", "speaker", "attack", "codec", "corpus", "sentence")
SAMPLE_RATE_HZ = 16_000
MIN_SECONDS, MAX_SECONDS = 0.5, 60
LEVEL, MAX_PEAK = 0.08, 0.95  # root mean square and peak, of full scale
ROUNDING = 2**-14  # of full scale: a copy that differs by no more equals its original
SILENCE = SILENCE_POWER**0.5  # root mean square
MAX_TRAINING_FILES = 1000  # all are in memory


class SpeechFile(NamedTuple):
    """A file of the new corpus.

    Attributes:
        name: path in the new folder.
        clip: facts about it; a fake has those of its original, with its own label and attack.
        sentence: keeps a file and its fakes in one split if the speaker is unknown.
    """

    name: str
    clip: Clip
    sentence: str

    def faked(self, name: str, attack: str) -> "SpeechFile":
        """Return the record of a fake of this file."""
        return SpeechFile(name, replace(self.clip, label="fake", attack=attack), self.sentence)


def find_voices(clips: Sequence[Clip], root: Path, whole: bool) -> list[Clip]:
    """Return the real files of the training split, and those without a split.

    For a whole corpus with splits only the training split counts: prepare.py may put files
    without a split into test, and their fakes with them.

    Raises:
        InputError: there are none.
    """
    splits = ("train",) if whole and any(clip.split for clip in clips) else ("", "train")
    voices = [clip for clip in clips if clip.label == "real" and clip.split in splits]
    if not voices:
        raise InputError(
            f"none of {len(clips):,} files of {root} is a real file of the training split; "
            "give a folder of real voices"
        )
    return voices


def sample_clips(clips: list[Clip], count: int | None, seed: int) -> list[Clip]:
    """Choose clips at random, in their order; None takes all."""
    if count is None or count >= len(clips):
        return clips
    chosen = np.random.default_rng(seed).permutation(len(clips))[:count]
    return [clips[index] for index in np.sort(chosen)]


def write_originals(
    clips: Sequence[Clip], folder: Path, subfolder: str
) -> tuple[list[SpeechFile], list[InputError]]:
    """Write usable clips as FLAC into a subfolder; return them, and the errors of the others."""
    written, errors = [], []
    for number, clip in enumerate(tqdm(clips, desc=f"Reading {subfolder}", unit=" files")):
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(clip.name).stem)[:60]
        name = f"{subfolder}/{number:06}_{plain}.flac"
        try:
            sound = decode(clip.path)
        except InputError as error:
            errors.append(error)
        else:
            write_sound(folder / name, even_level(sound))
            sentence = name if clip.speaker else clip.split_key or name
            written.append(SpeechFile(name, clip, sentence))
    return written, errors


def decode(path: Path, max_samples: int = MAX_SECONDS * SAMPLE_RATE_HZ) -> np.ndarray:
    """Read the beginning of a file, at most a minute: float32 `(samples,)`, mono at 16 kHz.

    Raises:
        InputError: the file is unreadable, shorter than half a second, or silent.
    """
    blocks, samples = [np.empty(0, np.float32)], 0
    for _, block in read_blocks(path, SAMPLE_RATE_HZ):
        blocks.append(block)
        samples += len(block)
        if samples >= max_samples:
            break
    sound = np.concatenate(blocks)[:max_samples]
    if len(sound) < MIN_SECONDS * SAMPLE_RATE_HZ:
        raise InputError(
            f"cannot use {path}: it lasts {len(sound) / SAMPLE_RATE_HZ:.2f} s; "
            f"give a file of at least {MIN_SECONDS:g} s"
        )
    if np.sqrt(np.mean(np.square(sound))) < SILENCE:
        raise InputError(f"cannot use {path}: it is silent")
    return sound


def even_level(sound: np.ndarray) -> np.ndarray:
    """Scale a sound to the level of all files, or lower if its peak would be clipped."""
    power = np.mean(np.square(sound, dtype=np.float64))
    gain = min(LEVEL / np.sqrt(power + SILENCE**2), MAX_PEAK / (np.abs(sound).max() + SILENCE))
    return (sound * gain).astype(np.float32)


def write_sound(path: Path, sound: np.ndarray) -> None:
    """Write a sound of 16 kHz with 16 bits, in the format of the file's suffix."""
    encoded = io.BytesIO()
    with ThreadPoolExecutor(1) as encoder:  # in the main thread, libsndfile may swallow a Ctrl-C
        encoder.submit(
            soundfile.write, encoded, sound, SAMPLE_RATE_HZ, format=path.suffix[1:],
            subtype="PCM_16",
        ).result()  # fmt: skip
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded.getvalue())
    except OSError as error:
        raise write_error(path, error) from None


def read_sound(path: Path, dtype: str = "float32") -> np.ndarray:
    """Read a file that `write_sound` wrote: `(samples,)`."""
    return soundfile.read(path, dtype=dtype)[0]


def resynthesize_by_network(
    kind: str, originals: Sequence[SpeechFile], folder: Path, steps: int | None, seed: int
) -> tuple[list[SpeechFile], np.ndarray]:
    """Train a vocoder on the originals, and write its resynthesis of each.

    Args:
        kind: one of `KINDS`.
        originals: real files in the new folder.
        folder: the new folder.
        steps: of training; None for about five minutes.
        seed: of the choice of files, the weights and the noise.

    Returns:
        The fakes, and the spectral loss of each step, `(steps,)`.
    """
    with suppress_native_stderr():  # TensorFlow takes seconds to import, and describes the machine
        from deepfake_audio.vocoders.networks import RECIPES, resynthesize
        from deepfake_audio.vocoders.training import train_vocoder

    chosen = np.random.default_rng(seed).permutation(len(originals))[:MAX_TRAINING_FILES]
    voices = [read_sound(folder / originals[index].name) for index in chosen]
    vocoder, losses = train_vocoder(kind, voices, steps or RECIPES[kind].steps, seed)
    fakes = []
    for original in tqdm(originals, desc=f"Fakes by {kind}", unit=" files"):
        name = f"fake/{kind}/{Path(original.name).name}"
        sound = resynthesize(vocoder, read_sound(folder / original.name))
        write_sound(folder / name, even_level(sound))
        fakes.append(original.faked(name, kind))
    return fakes, losses


def resynthesize_by_program(
    vocoder: ExternalVocoder, originals: Sequence[SpeechFile], folder: Path
) -> tuple[list[SpeechFile], list[InputError]]:
    """Let an external vocoder resynthesize the originals.

    Returns:
        The fakes, and the errors of those that can't be used.

    Raises:
        InputError: the program fails, or none of its files can be used.
    """
    fakes, errors = [], []
    parent = folder.resolve().parent  # it has space; the system's temporary folder may be memory
    with tempfile.TemporaryDirectory(
        prefix=f".{vocoder.name}-", dir=parent, ignore_cleanup_errors=True
    ) as work:
        for original in originals:
            path = Path(work, "input", Path(original.name).name).with_suffix(".wav")
            write_sound(path, read_sound(folder / original.name, "int16"))
        made = run_external_vocoder(vocoder, Path(work))
        progress = tqdm(originals, desc=f"Fakes by {one_line(vocoder.name)}", unit=" files")
        for original in progress:
            name = f"fake/{vocoder.name}/{Path(original.name).name}"
            try:
                sound = _read_fake(_only_fake(made, original, vocoder), folder / original.name)
            except InputError as error:
                errors.append(error)
            else:
                write_sound(folder / name, sound)
                fakes.append(original.faked(name, vocoder.name))
    if not fakes:
        raise InputError(
            f"none of {len(originals):,} files by {vocoder.name} can be used, the first since: "
            f"{errors[0]}"
        )
    return fakes, errors


def _only_fake(
    made: Mapping[str, Sequence[Path]], original: SpeechFile, vocoder: ExternalVocoder
) -> Path:
    """Return the one file that a program made of an original, or raise an `InputError`."""
    stem = Path(original.name).stem
    paths = made.get(stem, ())
    if len(paths) != 1:
        raise InputError(
            f"{vocoder.name} made {len(paths) or 'no'} files of {stem}; it needs to make one"
        )
    return paths[0]


def _read_fake(path: Path, original_path: Path) -> np.ndarray:
    """Read a fake at even level, at most as long as its original.

    Raises:
        InputError: as `decode` raises, or the fake equals its original.
    """
    original = read_sound(original_path)
    fake = even_level(decode(path, len(original)))
    if np.allclose(fake, original[: len(fake)], rtol=0, atol=ROUNDING):
        raise InputError(f"cannot use {path}: it equals its original")
    return fake


def write_labels(files: Iterable[SpeechFile], corpus: str, path: Path) -> None:
    """Write labels.csv; its sentence column keeps a file and its fakes in one split."""
    with open_table(path) as table:
        write_rows(table, [TABLE_FIELDS])
        write_rows(table, (
            (name, clip.label, clip.split, clip.speaker, clip.attack, clip.codec,
             clip.corpus or corpus, sentence)
            for name, clip, sentence in files
        ))  # fmt: skip
