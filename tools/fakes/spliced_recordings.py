"""Splice fake passages into real recordings, to measure how well passages are found.

    python -m tools.fakes.spliced_recordings CORPUS OUTPUT --split test
    ... --fake-seconds 40 40 --real-seconds 580 580     20 minutes with 40 s of one fake
    ... --without-fakes --real-seconds 600 600          20 minutes of real speech

CORPUS is any corpus that prepare.py reads. Each recording is real, fake and real again. The fake
passage joins clips of one generator and one speaker, or of several speakers if no speaker of the
generator has enough. The generators take turns. The real clips nearest to the fake passage are of
the same speaker; the next ones are of the same corpus, then of the others; after the last clip they
repeat. All clips have the same level, and neighbours are cross-faded. The same seed gives the same
files.

OUTPUT/passages.csv lists the passages, for `evaluate.py --passages OUTPUT`. Cross-fades belong half
to each side.
"""

import argparse
import itertools
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from deepfake_audio.audio.recordings import read_audio
from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.messages import print_lines
from deepfake_audio.cli.script import EXIT_OK, script
from deepfake_audio.corpora.reading import Clip, read_corpus
from deepfake_audio.errors import InputError
from deepfake_audio.system.csv_files import write_rows
from deepfake_audio.vocabulary import SPLITS

RATE_HZ = 16_000
LOUDNESS = 0.05  # root mean square of each clip
FADE_SAMPLES = RATE_HZ // 100
MIN_CLIP_SECONDS = 0.1
TABLE = "passages.csv"
COLUMNS = ("file", "start_seconds", "end_seconds", "label", "speaker", "generator")


def read_level(clip: Clip) -> np.ndarray:
    """Read a clip at the common level: float32 `(samples,)`."""
    sound = read_audio(clip.path, RATE_HZ)
    return sound * (LOUDNESS / max(1e-9, float(np.sqrt(np.mean(np.square(sound))))))


def cross_fade(sounds: Iterable[np.ndarray]) -> np.ndarray:
    """Join sounds; each overlaps the next by 10 ms, in which it fades into it.

    >>> joined = cross_fade([np.ones(1600), np.ones(1600)])
    >>> len(joined), bool(np.allclose(joined, 1))
    (3040, True)
    """
    first, *others = sounds
    joined, rise = [first], np.linspace(0, 1, FADE_SAMPLES, dtype=np.float32)
    for sound in others:
        before = joined.pop()
        mixed = before[-FADE_SAMPLES:] * (1 - rise) + sound[:FADE_SAMPLES] * rise
        joined += [before[:-FADE_SAMPLES], mixed, sound[FADE_SAMPLES:]]
    return np.concatenate(joined)


def join(clips: Iterable[Clip], seconds: float, backwards: bool = False) -> np.ndarray:
    """Join clips until they have a length, and cut the last one to it.

    Args:
        clips: the first is the nearest to the splice; too few give a shorter sound.
        seconds: the length.
        backwards: the first clip comes last, and the last one, now at the beginning, is cut.
    """
    wanted, sounds, samples = round(seconds * RATE_HZ), [], FADE_SAMPLES
    for clip in clips:
        sounds.append(read_level(clip))
        samples += len(sounds[-1]) - FADE_SAMPLES
        if samples >= wanted:
            break
    if backwards:
        return cross_fade(reversed(sounds))[-wanted:]
    return cross_fade(sounds)[:wanted]


def fake_groups(fakes: Sequence[Clip], min_seconds: float) -> list[list[list[Clip]]]:
    """Group fakes by generator and speaker, or by generator if no speaker has enough.

    Returns:
        For each generator its groups of at least `min_seconds`, in a fixed order.
    """
    generators = defaultdict(lambda: defaultdict(list))
    for clip in fakes:
        generators[clip.corpus, clip.attack][clip.speaker].append(clip)
    chosen = []
    for _, voices in sorted(generators.items()):
        everyone = list(itertools.chain.from_iterable(voices.values()))
        groups = [clips for _, clips in sorted(voices.items())]
        enough = [clips for clips in groups if total_seconds(clips) >= min_seconds]
        if enough:
            chosen.append(enough)
        elif total_seconds(everyone) >= min_seconds:
            chosen.append([everyone])
    return chosen


def total_seconds(clips: Iterable[Clip]) -> float:
    """Return the length of joined clips."""
    return sum(map(clip_seconds, clips))


def clip_seconds(clip: Clip) -> float:
    """Return the length of a clip without the cross-fade.

    Raises:
        InputError: the file can't be read.
    """
    try:
        return soundfile.info(clip.path).duration - FADE_SAMPLES / RATE_HZ
    except soundfile.LibsndfileError as error:
        raise InputError(f"cannot read {clip.path}: {error}; convert it to WAV or FLAC") from None


def real_order(
    real_clips: Sequence[Clip], like: Clip | None, random: np.random.Generator
) -> Iterator[Clip]:
    """Yield real clips without end: of a clip's speaker, of its corpus, of the others.

    Within these the speakers are in random order, and each speaks all clips.

    Args:
        real_clips: to choose from.
        like: a fake; None for speakers in random order only.
        random: generator.
    """
    while True:
        turn = {
            speaker: random.random() for speaker in sorted({clip.speaker for clip in real_clips})
        }

        def place(clip: Clip, turn: dict[str, float] = turn) -> tuple:
            is_other = like and (clip.speaker != like.speaker, clip.corpus != like.corpus)
            return is_other or (), turn[clip.speaker]

        shuffled = [real_clips[index] for index in random.permutation(len(real_clips))]
        yield from sorted(shuffled, key=place)


def make_recording(
    fakes: Sequence[Clip],
    real_clips: Sequence[Clip],
    fake_seconds: float,
    real_seconds: tuple[float, float],
    random: np.random.Generator,
) -> tuple[np.ndarray, list[tuple]]:
    """Make a recording real-fake-real, or only real without fakes.

    Args:
        fakes: a group of one generator; empty for a real recording.
        real_clips: to choose from.
        fake_seconds: length of the fake passage; shorter if the group is.
        real_seconds: length before and after it.
        random: generator.

    Returns:
        The samples, and the rows of passages without the file's name.
    """
    order = real_order(real_clips, fakes[0] if fakes else None, random)
    if not fakes:
        sound = join(order, sum(real_seconds))
        return sound, [(0.0, len(sound) / RATE_HZ, "real", "", "")]
    turns = itertools.tee(order)
    sides = [itertools.islice(turns[side], side, None, 2) for side in (0, 1)]
    chosen = [fakes[index] for index in random.permutation(len(fakes))]
    parts = [
        join(sides[0], real_seconds[0], backwards=True),
        join(chosen, fake_seconds),
        join(sides[1], real_seconds[1]),
    ]
    ends = np.cumsum([len(part) - FADE_SAMPLES for part in parts]) + FADE_SAMPLES / 2
    ends[-1] += FADE_SAMPLES / 2
    times = [0.0, *(ends / RATE_HZ).tolist()]
    speakers = {clip.speaker for clip in fakes}
    facts = (fakes[0].speaker if len(speakers) == 1 else "", fakes[0].attack)
    labels = (("real", "", ""), ("fake", *facts), ("real", "", ""))
    rows = [(*span, *label) for span, label in zip(itertools.pairwise(times), labels, strict=True)]
    return cross_fade(parts), rows


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    clips = [c for c in read_corpus(args.corpus).clips if args.split in (None, c.split)]
    clips = [clip for clip in clips if clip_seconds(clip) > MIN_CLIP_SECONDS]
    real_clips = [clip for clip in clips if clip.label == "real"]
    fakes = [clip for clip in clips if clip.label == "fake"]
    generators = [[[]]] if args.without_fakes else fake_groups(fakes, args.fake_seconds[0])
    if not real_clips or not generators:
        raise InputError(
            f"{args.corpus} has too little sound: {len(real_clips):,} real clips, "
            f"{len(generators):,} generators with enough; choose another --split or a shorter "
            "--fake-seconds"
        )
    if (args.output / TABLE).exists():
        raise InputError(f"{args.output / TABLE} exists already; name another folder")
    args.output.mkdir(parents=True, exist_ok=True)
    random, rows = np.random.default_rng(args.seed), []
    order = random.permutation(len(generators))
    for number in tqdm(range(args.recordings), unit=" recordings", disable=None):
        fake_seconds = random.uniform(*args.fake_seconds)
        real_seconds = tuple(random.uniform(*args.real_seconds, 2))
        groups = generators[order[number % len(order)]]
        group = groups[random.integers(len(groups))]
        sound, passages = make_recording(group, real_clips, fake_seconds, real_seconds, random)
        name = f"{number + 1:04}.flac"
        soundfile.write(args.output / name, np.clip(sound, -1, 1), RATE_HZ)
        rows += [(name, round(start, 4), round(end, 4), *facts) for start, end, *facts in passages]
    with (args.output / TABLE).open("w", encoding="utf-8", newline="") as file:
        write_rows(file, [COLUMNS, *rows])
    print_lines(f"{args.recordings:,} recordings in {args.output}: {TABLE} lists the passages")
    return EXIT_OK


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="spliced_recordings", description=__doc__)
    parser.add_argument("corpus", type=Path, metavar="CORPUS")
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="a new folder")
    parser.add_argument("--split", choices=SPLITS, help="clips of this split only")
    parser.add_argument("--recordings", type=int, default=150, metavar="N")
    parser.add_argument(
        "--fake-seconds", type=float, nargs=2, default=(4, 12), metavar=("MIN", "MAX"),
        help="length of the fake passage (default: 4 to 12)",
    )  # fmt: skip
    parser.add_argument(
        "--real-seconds", type=float, nargs=2, default=(5, 15), metavar=("MIN", "MAX"),
        help="length of each real passage (default: 5 to 15)",
    )  # fmt: skip
    parser.add_argument(
        "--without-fakes", action="store_true",
        help="only real speech, of twice --real-seconds, for false alarms per hour",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    for option in ("fake_seconds", "real_seconds"):
        low, high = getattr(args, option)
        if not 0.1 <= low <= high:
            raise InputError(
                f"--{option.replace('_', '-')} {low:g} {high:g} is no range; "
                "give the shorter length first, at least 0.1"
            )
    if args.recordings < 1:
        raise InputError(f"--recordings {args.recordings} is too small; give 1 or more")
    return args


if __name__ == "__main__":
    sys.exit(main())
