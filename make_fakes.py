"""Make fakes to train on: small neural vocoders learn real voices, then say every sentence again.

    python make_fakes.py my_real_voices             all kinds, into data/my_real_voices-copies
    python make_fakes.py my_real_voices --out data/copies --kinds istft codec --files 300 --seed 2
    python make_fakes.py LA --corpus asvspoof2019   a public corpus: its real training files
    python make_fakes.py LA --whole                 all of it, and copies of its real training files
    python make_fakes.py my_real_voices --command fargan='./say_again.sh {input} {output}'

A copy has the words, the voice and the channel of its original, so that nothing but the traces of
a generator tells the two apart. my_real_voices holds audio files, in folders of any depth, or is
anything that prepare.py takes: the real files of its training split are used, with their speakers.

Writes real/ and fake/<kind>/ as FLAC of one rate and one level, and labels.csv: a corpus that
prepare.py takes, where a sentence and its copies stand in the same split. Of a recording the first
minute is used. Each kind learns for about five minutes on one core; --steps says otherwise.

--command starts any vocoder that you have, once: {input} is a folder with a 16-bit mono WAV of
16 kHz for each real file, and {output} an empty one, which it fills with audio files of the same
names, of any format and rate. Its copies go to fake/NAME/; only --kinds adds ours to them.

--whole also writes all other files of a corpus, to others/, each with its label and its split, so
that the new folder is the corpus and copies; --files then says how many are copied.
"""

import argparse
import io
import os
import re
import shlex
import sys
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
from deepfake_audio.audio.windows import SILENCE_POWER
from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.messages import print_error, print_errors, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.corpora.index import Tree, index_tree
from deepfake_audio.corpora.layouts import known_layouts
from deepfake_audio.corpora.reading import CORPORA, Clip, Corpus, detect_corpus, read_corpus
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.system.atomic_files import atomic_folder, open_table, write_error
from deepfake_audio.system.csv_files import write_rows
from deepfake_audio.system.stderr import suppress_native_stderr
from deepfake_audio.vocoders.external import (
    ExternalVocoder,
    read_external_vocoders,
    run_external_vocoder,
)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

KINDS = ("istft", "istft_adversarial", "upsampling", "codec")  # as in vocoders.RECIPES
TABLE_FIELDS = ("file", "label", "split", "speaker", "attack", "codec", "corpus", "sentence")
RATE_HZ = 16_000
SHORTEST_SECONDS, LONGEST_SECONDS = 0.5, 60
LEVEL, HIGHEST_PEAK = 0.08, 0.95  # root mean square and peak, of full scale
ROUNDING = 2**-14  # of full scale: copies that differ by no more are no copies
SILENCE = SILENCE_POWER**0.5  # root mean square
LEARNT_FILES = 1000  # at most; more would fill the memory
HIGHEST_SEED = 2**32 - 1


class Said(NamedTuple):
    """A file that was written: its name in the new folder, and what is known of it.

    Attributes:
        clip: of a copy, that of its original with the copy's label and attack.
        sentence: what keeps a file and its copies in one split where no speaker is known.
    """

    name: str
    clip: Clip
    sentence: str


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    root = Path(args.voices)
    out = Path(args.out or Path("data", f"{root.resolve().name}-copies"))
    if os.path.lexists(out):
        raise InputError(
            f"A folder of copies is made once. Received: {out}, which is there. "
            "Choose another --out, or remove it."
        )
    clips = read_clips(root, args.corpus, args.whole)
    chosen = choose(find_voices(clips, root, args.whole), args.files, args.seed)
    names = {clip.name for clip in chosen}
    rest = [clip for clip in clips if clip.name not in names] if args.whole else []
    with atomic_folder(out) as folder:
        reals = write_originals(chosen, folder, "real")
        if not reals:
            raise InputError(
                f"At least one file must be usable. Received: none of {len(chosen):,}; the reasons "
                "stand above. Give other files."
            )
        copies = []
        for program in args.programs:
            copies += write_copies_by(program, reals, folder)
        for kind in args.kinds:
            copies += write_copies(kind, reals, folder, args.steps, args.seed)
        others = write_originals(rest, folder, "others")
        write_table([*reals, *copies, *others], root.resolve().name, folder / "labels.csv")
    print_made(len(reals), len(copies), len(others), out)
    left_out = count_left_out(
        ("files", len(reals) + len(others), len(chosen) + len(rest)),
        ("copies", len(copies), len(reals) * (len(args.programs) + len(args.kinds))),
    )
    if left_out:
        print_lines(f"Left out: {left_out}, named above")
    name = shlex.quote(f"{out.name}-images")
    print_lines(one_line(f"Next: python prepare.py {shlex.quote(str(out))} --name {name}"))
    return EXIT_SOME_FAILED if left_out else EXIT_OK


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="make_fakes.py", description=__doc__)
    parser.add_argument("voices", metavar="FOLDER", help="of real voices, or of a corpus")
    parser.add_argument(
        "--out", metavar="FOLDER", help="to make (default: data/<the voices' folder>-copies)"
    )
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS,
        help="of vocoders of ours (default: all; with --command none)",
    )  # fmt: skip
    parser.add_argument(
        "--command", metavar="NAME=PROGRAM", action="append", default=[],
        help="of another vocoder, with {input} and {output}; may be given several times",
    )  # fmt: skip
    parser.add_argument("--whole", action="store_true", help="write all other files too")
    parser.add_argument("--files", metavar="N", type=int, help="so many, by chance (default: all)")
    parser.add_argument(
        "--steps", metavar="N", type=int, help="of each training (default: five minutes' worth)"
    )
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="of all chance (1)")
    parser.add_argument(
        "--corpus", choices=sorted(CORPORA), help="its layout (default: recognised by itself)"
    )
    args = parser.parse_args(argv)
    for option in ("files", "steps"):
        number = getattr(args, option)
        if number is not None and number < 1:
            raise InputError(f"--{option} is at least 1. Received: {number}.")
    if not 0 <= args.seed <= HIGHEST_SEED:
        raise InputError(f"--seed is from 0 to {HIGHEST_SEED:,}. Received: {args.seed}.")
    args.programs = read_external_vocoders(args.command, taken=KINDS)
    args.kinds = list(dict.fromkeys(args.kinds or (() if args.programs else KINDS)))
    return args


def read_clips(root: Path, corpus_name: str | None, whole: bool) -> list[Clip]:
    """List the files below a folder; all are real where nothing says what is what.

    Raises:
        InputError: no audio, or nothing says what is what though the whole corpus is wanted.
    """
    if corpus_name is None:
        tree = index_tree(root)
        if not known_layouts(tree):
            if whole:
                raise InputError(
                    "--whole takes a corpus that says which file is real. Received: "
                    f"{root}, which does not. Leave --whole out, or label its files in a CSV."
                )
            print_left_out(tree)
            return [Clip(tree.root / name, name, "real") for name in tree.audio]
    name = corpus_name or detect_corpus(root)
    corpus = read_corpus(root, name, "all" if name.startswith("asvspoof2021") else None)
    if corpus.missing:
        first = one_line(corpus.missing[0])
        print_lines(f"{len(corpus.missing):,} files are listed but not there: {first}, ...")
    print_left_out(corpus)
    return corpus.clips


def print_left_out(found: Tree | Corpus) -> None:
    """Print the folders that were not entered."""
    for name in found.unreadable:
        print_error(f"cannot open the folder {name}: its files are left out")
    for name in found.not_entered:
        print_lines(f"{name} is not entered: it links to a parent folder, or to one read already")


def find_voices(clips: Sequence[Clip], root: Path, whole: bool) -> list[Clip]:
    """Return the real files of the training split, and those of which none is known.

    Of a whole corpus with splits, those of the training split alone: prepare.py may put the others
    into test, and their copies with them.

    Raises:
        InputError: there are none.
    """
    splits = ("train",) if whole and any(clip.split for clip in clips) else ("", "train")
    voices = [clip for clip in clips if clip.label == "real" and clip.split in splits]
    if not voices:
        raise InputError(
            "Vocoders learn from real files of the training split. Received: none among "
            f"{len(clips):,} files of {root}. Give a folder of real voices."
        )
    return voices


def choose(clips: list[Clip], most: int | None, seed: int) -> list[Clip]:
    """Return so many of the clips, or all of them, in their order."""
    if most is None or most >= len(clips):
        return clips
    chosen = np.random.default_rng(seed).permutation(len(clips))[:most]
    return [clips[index] for index in np.sort(chosen)]


def write_originals(clips: Sequence[Clip], folder: Path, place: str) -> list[Said]:
    """Write the files that can be used to a folder in the new one; name the others."""
    written, errors = [], []
    for number, clip in enumerate(tqdm(clips, desc=f"Reading {place}", unit=" files")):
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(clip.name).stem)[:60]
        name = f"{place}/{number:06}_{plain}.flac"
        try:
            sound = decode(clip.path)
        except InputError as error:
            errors.append(error)
        else:
            write_sound(folder / name, even_level(sound))
            written.append(Said(name, clip, name if clip.speaker else clip.split_key or name))
    print_errors(errors)
    return written


def decode(path: Path, most_samples: int = LONGEST_SECONDS * RATE_HZ) -> np.ndarray:
    """Return the beginning of a file, by default a minute: float32 `(samples,)`, mono at 16 kHz.

    Raises:
        InputError: a file that can't be read, or with less than half a second or silence in it.
    """
    blocks, samples = [np.empty(0, np.float32)], 0
    for _, block in read_blocks(path, RATE_HZ):
        blocks.append(block)
        samples += len(block)
        if samples >= most_samples:
            break
    sound = np.concatenate(blocks)[:most_samples]
    if len(sound) < SHORTEST_SECONDS * RATE_HZ:
        raise InputError(
            f"A voice must last {SHORTEST_SECONDS:g} s. Received: {path}, which lasts "
            f"{len(sound) / RATE_HZ:.2f} s."
        )
    if np.sqrt(np.mean(np.square(sound))) < SILENCE:
        raise InputError(f"A voice must hold sound. Received: {path}, silence.")
    return sound


def even_level(sound: np.ndarray) -> np.ndarray:
    """Scale a sound to the level that all files get, lower where its peak would be clipped."""
    power = np.mean(np.square(sound, dtype=np.float64))
    gain = min(LEVEL / np.sqrt(power + SILENCE**2), HIGHEST_PEAK / (np.abs(sound).max() + SILENCE))
    return (sound * gain).astype(np.float32)


def write_sound(path: Path, sound: np.ndarray) -> None:
    """Write a sound of 16 kHz with 16 bits, in the format that the file's name ends in."""
    encoded = io.BytesIO()
    with ThreadPoolExecutor(1) as encoder:  # in the main thread, libsndfile may swallow a Ctrl-C
        encoder.submit(
            soundfile.write, encoded, sound, RATE_HZ, format=path.suffix[1:], subtype="PCM_16"
        ).result()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded.getvalue())
    except OSError as error:
        raise write_error(path, error) from None


def read_sound(path: Path, dtype: str = "float32") -> np.ndarray:
    return soundfile.read(path, dtype=dtype)[0]


def write_copies(
    kind: str, reals: Sequence[Said], folder: Path, steps: int | None, seed: int
) -> list[Said]:
    """Train a kind of vocoder on the real files, and write what it makes of each of them."""
    with suppress_native_stderr():  # TensorFlow takes seconds to import, and tells of the processor
        from deepfake_audio.vocoders.networks import RECIPES, resynthesize, train_vocoder

    chosen = np.random.default_rng(seed).permutation(len(reals))[:LEARNT_FILES]
    voices = [read_sound(folder / reals[index].name) for index in chosen]
    vocoder, losses = train_vocoder(kind, voices, steps or RECIPES[kind].steps, seed)
    copies = []
    for real in tqdm(reals, desc=f"Copies by {kind}", unit=" files"):
        name = f"fake/{kind}/{Path(real.name).name}"
        sound = resynthesize(vocoder, read_sound(folder / real.name))
        write_sound(folder / name, even_level(sound))
        copies.append(copy_of(real, name, kind))
    print_lines(
        f"{kind:18} spectral loss {losses[0]:.2f} at first, {losses[-50:].mean():.2f} at last"
    )
    return copies


def write_copies_by(program: ExternalVocoder, reals: Sequence[Said], folder: Path) -> list[Said]:
    """Let a program say the real files again; name the copies that can't be used.

    Raises:
        InputError: it fails, or none of its copies can be used.
    """
    copies, errors = [], []
    beside = folder.resolve().parent  # where there is space; the system's own may be memory
    with tempfile.TemporaryDirectory(
        prefix=f".{program.name}-", dir=beside, ignore_cleanup_errors=True
    ) as work:
        for real in reals:
            original = Path(work, "input", Path(real.name).name).with_suffix(".wav")
            write_sound(original, read_sound(folder / real.name, "int16"))
        print_lines(f"{one_line(program.name)} is at work")
        made = run_external_vocoder(program, Path(work))
        for real in tqdm(reals, desc=f"Copies by {one_line(program.name)}", unit=" files"):
            name = f"fake/{program.name}/{Path(real.name).name}"
            try:
                sound = read_copy(only_copy(made, real, program), folder / real.name)
            except InputError as error:
                errors.append(error)
            else:
                write_sound(folder / name, sound)
                copies.append(copy_of(real, name, program.name))
    print_errors(errors)
    if not copies:
        raise InputError(
            f"At least one copy must be usable. Received: none of {len(reals):,} by "
            f"{program.name}; the reasons stand above. Try it on a folder of WAV files."
        )
    return copies


def only_copy(made: Mapping[str, Sequence[Path]], real: Said, program: ExternalVocoder) -> Path:
    """Return the file that a program made of a real one; raise an `InputError` if not."""
    stem = Path(real.name).stem
    paths = made.get(stem, ())
    if len(paths) != 1:
        raise InputError(
            f"A program makes one copy of each file. Received: {len(paths) or 'none'} of {stem} "
            f"by {program.name}."
        )
    return paths[0]


def read_copy(path: Path, original_path: Path) -> np.ndarray:
    """Return a copy at even level, as long as its original at most.

    Raises:
        InputError: as `decode` raises, or the copy is its original.
    """
    original = read_sound(original_path)
    copy = even_level(decode(path, len(original)))
    if np.allclose(copy, original[: len(copy)], rtol=0, atol=ROUNDING):
        raise InputError(f"A copy must differ from its original. Received: {path}, the same sound.")
    return copy


def copy_of(real: Said, name: str, kind: str) -> Said:
    return Said(name, replace(real.clip, label="fake", attack=kind), real.sentence)


def write_table(files: Iterable[Said], corpus: str, path: Path) -> None:
    """Write labels.csv; `sentence` keeps the copies of a file in its split."""
    with open_table(path) as table:
        write_rows(table, [TABLE_FIELDS])
        write_rows(table, (
            (name, clip.label, clip.split, clip.speaker, clip.attack, clip.codec,
             clip.corpus or corpus, sentence)
            for name, clip, sentence in files
        ))  # fmt: skip


def print_made(reals: int, copies: int, others: int, out: Path) -> None:
    rest = f" and {others:,} others" if others else ""
    print_lines(f"Made: {reals:,} real files and {copies:,} copies{rest} in {one_line(out)}")


def count_left_out(*counts: tuple[str, int, int]) -> str:
    """Return how many of what are not done, of `(what, done, wanted)` each; empty for none."""
    return " and ".join(
        f"{wanted - done:,} of {wanted:,} {what}" for what, done, wanted in counts if done < wanted
    )


if __name__ == "__main__":
    sys.exit(main())
