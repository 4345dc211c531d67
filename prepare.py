"""Turn audio into the spectrogram images that train.py takes.

    python prepare.py my_audio --name mine                    folders real/ and fake/
    python prepare.py LA --corpus asvspoof2019 --name asv19   a public corpus, in its own layout
    python prepare.py DF --corpus asvspoof2021-df --subset eval
    python prepare.py my_audio prepare.max_windows=4          any setting of config.yaml

my_audio holds real/ and fake/ (or train/real, val/fake or real/train etc.) with wav, flac, mp3,
ogg, opus, m4a, aac, amr, webm or mp4 files. A table my_audio/labels.csv with the columns file,label
and perhaps speaker, sentence, split, attack says more: no speaker stands in two splits, nor does
a sentence where its speaker isn't known.

Writes data/<name>/{train,val,test}/{fake,real}/*.png, manifest.csv, report.txt, and errors.csv with
the files that could not be used. Killed, or run again with more files, it redoes nothing. Another
corpus, or another subset, needs another --name.
"""

import argparse
import glob
import itertools
import shlex
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.messages import print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.schema import PrepareSettings, Settings
from deepfake_audio.corpora.reading import CORPORA, SUBSETS, Clip, Corpus, read_corpus
from deepfake_audio.corpora.splits import assign_splits, find_repeated
from deepfake_audio.dataset.manifest import (
    AUDIO_SETTINGS,
    FEW_FILES,
    MANIFEST,
    MANIFEST_FIELDS,
    ORIGIN,
    FileCounts,
    Origin,
    is_same_corpus,
    origin_of,
    read_audio_settings,
    read_manifest,
    read_origin,
    read_records,
    speaker_warnings,
    summarise,
    write_audio_settings,
    write_origin,
)
from deepfake_audio.dataset.rendering import (
    Job,
    Rendering,
    coded_jobs,
    image_name,
    make_job,
    make_jobs,
    render_all,
)
from deepfake_audio.errors import InputError, one_line, pluralize
from deepfake_audio.system.atomic_files import (
    atomic_write,
    check_replaceable,
    folder_lock,
    is_file,
    is_folder,
    open_table,
    write_error,
)
from deepfake_audio.system.csv_files import escaped, write_rows
from deepfake_audio.vocabulary import JOURNAL, LABELS, SPLITS, UNKNOWN_SPLIT

NAMED = 3  # so many examples stand in the report for a long list
OWN_BEGINNINGS = {"report.txt": b"\nCorpus: ", "errors.csv": b"audio,", MANIFEST: b"image,label,"}
UNREADABLE = "not to be entered, and whatever is there left out"
LINKED = "not entered, since the link leads to a parent folder or to one that was read already"
PASSED_OVER = "passed over for their names"


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    settings = load_settings(args.config, args.settings)
    corpus = read_corpus(Path(args.audio), args.corpus, args.subset)
    folder = Path("data", args.name or default_name(corpus, Path(args.audio)))
    origin = begin(folder, settings, corpus, Path(args.audio))
    with folder_lock(folder / JOURNAL, "Preparing"):
        return fill(folder, corpus, origin, settings, args.config)


def default_name(corpus: Corpus, audio: Path) -> str:
    """Return the name of a public corpus and its subset, or of the folder that others stand in."""
    if corpus.name != "folders":
        return f"{corpus.name}-{corpus.subset}" if corpus.subset else corpus.name
    name = audio.resolve().name or corpus.name
    return f"{name}-images" if Path("data", name).resolve() == audio.resolve() else name


def fill(
    folder: Path, corpus: Corpus, origin: Origin, settings: Settings, config: str | None
) -> int:
    """Draw the images of a corpus into its folder, and report; return the exit code."""
    before = known_splits(folder)
    known = {
        clip.name: before[shown] for clip in corpus.clips if (shown := escaped(clip.name)) in before
    }
    repeated, contradictory = find_repeated(corpus.clips, known)
    left_out = {*repeated, *contradictory}
    clips = [clip for clip in corpus.clips if clip.name not in left_out]
    splits = assign_splits(clips, settings.prepare.val_share, settings.prepare.test_share, known)
    jobs = make_jobs(clips, splits)
    renamed = remove_short_names(jobs, folder)
    coded = coded_jobs(jobs, settings.prepare.codecs)
    drawing = Rendering(
        folder, settings.audio, settings.prepare.max_windows, settings.limits.audio_hours
    )
    entries = render_all([*jobs, *coded], drawing, settings.prepare.workers)
    failed = write_errors([*jobs, *coded], entries, folder)
    if not before or is_any_drawn(jobs, entries):  # else what was drawn before is still of use
        write_table(folder / MANIFEST, MANIFEST_FIELDS, manifest_rows([*jobs, *coded], entries))
        counts = count_files(corpus, jobs, entries, left_out)
        write_origin(folder, origin.model_copy(update={"counts": counts}))
    lists = unused_files(corpus, jobs, coded, entries) | {
        "left out, with the same bytes as another one": repeated,
        "left out, as real and as fake with the same bytes": contradictory,
        "named by a whole digest, since their short image names are equal": renamed,
        "in this folder before, and not in the corpus now": sorted(
            before.keys() - {escaped(clip.name) for clip in corpus.clips}
        ),
    }
    warnings = (*share_warnings(clips, known, origin, settings.prepare), *split_warnings(clips))
    text = make_report(corpus, lists, jobs, entries, folder, warnings)
    with atomic_write(folder / "report.txt") as partial:
        whole = "\n".join([text, *whole_lists(lists)]) + "\n"
        partial.write_text(whole, encoding="utf-8", errors="backslashreplace")
    print_lines(text)
    drawn = {(job.split, job.clip.label) for job in jobs if "error" not in entries[job.stem]}
    print_lines(one_line(f"Next: {next_command(folder, settings, config, drawn)}"))
    incomplete = failed or contradictory or corpus.missing or corpus.unreadable
    return EXIT_SOME_FAILED if incomplete else EXIT_OK


def remove_short_names(jobs: Iterable[Job], folder: Path) -> list[str]:
    """Return the files whose images have long names; remove those that have the short one.

    They stem from a preparation before the other file of that short name came.
    """
    renamed = [job for job in jobs if job.stem != make_job(job.clip, job.split).stem]
    for job in renamed:
        short = folder / make_job(job.clip, job.split).stem
        for image in short.parent.glob(f"{glob.escape(short.name)}_*.png"):
            try:
                image.unlink()
            except OSError as error:
                raise write_error(image, error) from None
    return [job.clip.name for job in renamed]


def next_command(
    folder: Path, settings: Settings, config: str | None, drawn: Collection[tuple[str, str]]
) -> str:
    """Return the command that trains on the folder as its images are drawn, or judges on it.

    Args:
        folder: of the data.
        settings: that it was made with.
        config: the settings file that was given.
        drawn: the splits and classes that have images; training needs some of each.
    """
    if any((split, label) not in drawn for split in ("train", "val") for label in LABELS):
        return shlex.join(["python", "evaluate.py", "--data", str(folder)])
    color = [] if settings.image.color == "grayscale" else [f"image.color={settings.image.color}"]
    chosen = ["--config", config] if config else color
    return shlex.join(["python", "train.py", *chosen, f"data.folder={folder}"])


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="prepare.py", description=__doc__)
    parser.add_argument("audio", metavar="FOLDER", help="the folder of audio, or of a corpus")
    parser.add_argument(
        "settings", nargs="*", metavar="section.key=value", help="settings; config.yaml lists all"
    )
    parser.add_argument("--name", help="of the folder below data/ (default: that of the corpus)")
    parser.add_argument(
        "--corpus", choices=sorted(CORPORA), help="its layout (default: recognised by itself)"
    )
    parser.add_argument("--subset", choices=SUBSETS, help="of ASVspoof 2021; figures use eval")
    parser.add_argument("--config", metavar="FILE", help="a YAML file with settings that differ")
    args = parser.parse_intermixed_args(argv)
    if args.name and (Path(args.name).name != args.name or args.name in (".", "..")):
        raise InputError(f"--name is a folder's name without a slash. Received: {args.name!r}.")
    return args


def begin(folder: Path, settings: Settings, corpus: Corpus, audio: Path) -> Origin:
    """Make the folder, or go on with one that was begun with the same settings and corpus.

    Returns:
        What the folder is made of now, with the shares that its splits were made with at first.
    """
    begun = is_file(folder / JOURNAL)
    before = read_audio_settings(folder) if begun else None
    if before is not None and before != settings.audio:
        raise InputError(
            "A data folder is made with one set of audio settings. "
            f"Received: others than {folder / AUDIO_SETTINGS} has. Choose another --name."
        )
    if not begun and is_folder(folder) and any(folder.iterdir()):
        raise InputError(
            f"A data folder is made by prepare.py alone. Received: {folder}, which holds other "
            "files. Choose another --name."
        )
    for name, beginning in OWN_BEGINNINGS.items():
        check_replaceable(folder / name, beginning)
    origin = origin_of(corpus, audio, settings.prepare)
    check_corpus(folder, corpus, origin)
    origin = origin.model_copy(update=first_shares(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        open_table(folder / JOURNAL, "a").close()
    except OSError as error:
        raise write_error(folder, error) from None
    write_audio_settings(folder, settings.audio)
    if not is_file(folder / ORIGIN):
        write_origin(folder, origin)
    return origin


def first_shares(folder: Path) -> dict[str, float]:
    """Return the shares that a folder's splits were made with at first; none if it has none."""
    if not known_splits(folder):
        return {}
    # A folder of before they were written down was most likely made with the defaults.
    first = read_origin(folder) or load_settings().prepare
    return {"val_share": first.val_share, "test_share": first.test_share}


def check_corpus(folder: Path, corpus: Corpus, origin: Origin) -> None:
    """Raise a `InputError` if a folder was made of another corpus, which this one would replace."""
    before, known = read_origin(folder), known_splits(folder)
    if not known and is_file(folder / MANIFEST):
        return  # nothing was made of what was there before
    if before is None:  # a folder of before there was such a file, or a new one
        names = {escaped(clip.name) for clip in corpus.clips}
        same = not known or not known.keys().isdisjoint(names)
    else:
        same = is_same_corpus(before, origin, corpus.clips)
    if not same:
        raise InputError(
            f"A data folder is made of one corpus. Received: {origin} for {folder}, which was "
            f"made of {before or 'files of other names'}. Choose another --name."
        )


def known_splits(folder: Path) -> dict[str, str]:
    """Return the split of each audio file that was prepared before, by its name on one line."""
    if not is_file(folder / MANIFEST):
        return {}
    return {record.audio: record.split for record in read_manifest(folder / MANIFEST)}


def is_any_drawn(jobs: Iterable[Job], entries: Mapping[str, dict]) -> bool:
    """Return whether a file could be used."""
    return any("error" not in entries[job.stem] for job in jobs)


def write_errors(jobs: Iterable[Job], entries: Mapping[str, dict], folder: Path) -> int:
    """Write errors.csv; return the number of files that could not be used."""
    errors: dict[str, str] = {}
    for job in jobs:
        if "error" in entries[job.stem]:  # what can't be read can't be coded either
            errors.setdefault(job.clip.name, entries[job.stem]["error"])
    rows = ((escaped(name), one_line(error)) for name, error in errors.items())
    write_table(folder / "errors.csv", ("audio", "error"), rows)
    return len(errors)


def manifest_rows(jobs: Iterable[Job], entries: Mapping[str, dict]) -> Iterator[tuple]:
    for job in jobs:
        clip = job.clip
        facts = clip.speaker, clip.attack, job.codec or clip.codec, clip.corpus
        for number, start in enumerate(entries[job.stem].get("starts", ())):
            yield (
                image_name(job.stem, number), clip.label, job.split, escaped(clip.name),
                f"{start:.3f}", *map(escaped, facts),
            )  # fmt: skip


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with atomic_write(path) as partial, open_table(partial) as file:
        write_rows(file, itertools.chain([header], rows))


def count_files(
    corpus: Corpus, jobs: Sequence[Job], entries: Mapping[str, dict], left_out: Collection[str]
) -> dict[str, FileCounts]:
    """Return what became of the corpus's files, by their split."""
    unusable = Counter(job.split for job in jobs if "error" in entries[job.stem])
    used = Counter(job.split for job in jobs) - unusable
    missing = Counter(corpus.missing_splits)
    repeated = Counter(clip.split for clip in corpus.clips if clip.name in left_out)
    listed = used + missing + unusable + repeated
    return {
        split or UNKNOWN_SPLIT: FileCounts(
            listed=listed[split],
            used=used[split],
            missing=missing[split],
            unusable=unusable[split],
            repeated=repeated[split],
        )
        for split in (*SPLITS, "")
        if listed[split]
    }


def unused_files(
    corpus: Corpus, jobs: Iterable[Job], coded: Iterable[Job], entries: Mapping[str, dict]
) -> dict[str, list[str]]:
    """Return the files that no image was made of, by the reason."""
    failed = [job.clip.name for job in jobs if "error" in entries[job.stem]]
    unreadable = set(failed)
    lost = [job.clip.name for job in coded if "error" in entries[job.stem]]
    return {
        "could not be used (errors.csv says why)": failed,
        "could not be used after a codec": [name for name in lost if name not in unreadable],
        "listed but not there": corpus.missing,
        "there but not listed": corpus.unlisted,
        "listed more than once": corpus.repeated,
        PASSED_OVER: corpus.passed_over,
        UNREADABLE: corpus.unreadable,
        LINKED: corpus.not_entered,
    }


def make_report(
    corpus: Corpus,
    lists: Mapping[str, Sequence[str]],
    jobs: Sequence[Job],
    entries: Mapping[str, dict],
    folder: Path,
    warnings: Iterable[str],
) -> str:
    """Return what was made of the corpus, what was left out, and the shortcut audit."""
    drawn = [job for job in jobs if "error" not in entries[job.stem]]
    if not drawn:
        raise InputError(
            f"At least one file must be usable. Received: none of {len(jobs):,}. "
            f"{folder / 'errors.csv'} gives the reasons."
        )
    subset = f", subset {corpus.subset}" if corpus.subset else ""
    lines = [
        f"\nCorpus: {corpus.name}{subset}: {pluralize(len(drawn), 'file')} in {one_line(folder)}",
        "",
    ]
    records = read_records(folder)
    lines += [summarise(records), *(f"Warning: {line}" for line in speaker_warnings(records))]
    if not any(job.clip.speaker for job in jobs):
        lines.append("No speakers are known, so the same voice may stand in several splits.")
    lines += [*warnings, *one_class_warnings(drawn), *few_files_warnings(drawn)]
    for what, names in lists.items():
        if names:
            shown = suffixes(names) if what == PASSED_OVER else ", ".join(examples(names))
            lines.append(f"{pluralize(len(names), kind(what))} {what}: {shown}")
    return "\n".join([*lines, *audit(drawn, entries)])


def kind(what: str) -> str:
    """Return what it is that a list of the report names."""
    return {UNREADABLE: "folder", LINKED: "linked folder"}.get(what, "file")


def examples(names: Sequence[str]) -> Iterator[str]:
    """Yield the first of some names, and where the others stand."""
    yield from map(one_line, names[:NAMED])
    if len(names) > NAMED:
        yield "... (all in report.txt)"


def suffixes(names: Iterable[str]) -> str:
    """Return how many files have which suffix, the most frequent first.

    >>> suffixes(["a.pdf", "b.txt", "c.TXT", "d"])
    '2 .txt, 1 .pdf, 1 without suffix'
    """
    counts = Counter(Path(name).suffix.lower() or "without suffix" for name in names)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {one_line(suffix)}" for suffix, count in ordered)


def whole_lists(lists: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the lines that name every file of the lists that the report shortens."""
    for what, names in lists.items():
        if len(names) > NAMED:
            yield f"\n{pluralize(len(names), kind(what))} {what}:"
            yield from map(one_line, names)


def share_warnings(
    clips: Iterable[Clip], known: Collection[str], origin: Origin, settings: PrepareSettings
) -> Iterator[str]:
    """Yield a line if other shares are asked for than splits that stay as they are have."""
    stays = any(clip.name in known and not clip.split for clip in clips)
    asked, first = (settings.val_share, settings.test_share), (origin.val_share, origin.test_share)
    if stays and asked != first:
        yield (
            f"Warning: prepare.val_share={asked[0]:g} and prepare.test_share={asked[1]:g} place "
            f"new files alone; those of before stay where {first[0]:g} and {first[1]:g} put them. "
            "Choose another --name to place all."
        )


def split_warnings(clips: Sequence[Clip]) -> Iterator[str]:
    """Yield a line if the corpus ships a split for some of its files alone."""
    shipped = sum(bool(clip.split) for clip in clips)
    if 0 < shipped < len(clips):
        free = next(clip.name for clip in clips if not clip.split)
        yield (
            f"Warning: {shipped:,} of {len(clips):,} files come with a split; prepare.py placed "
            f"the others, such as {one_line(free)}. Give all of them a split, or none."
        )


def one_class_warnings(drawn: Sequence[Job]) -> Iterator[str]:
    """Yield a line for each split that has files of one class alone, or of none to train with."""
    classes = {split: {job.clip.label for job in drawn if job.split == split} for split in SPLITS}
    if set.union(*classes.values()) == set(LABELS):  # else the audit says so
        for split, labels in classes.items():
            if len(labels) == 1:
                absent = (set(LABELS) - labels).pop()
                yield f"Warning: {split} has no {absent} files; error rates need both."
        for split, other in (("train", "val"), ("val", "train")):
            if classes[other] and not classes[split]:  # with neither, it was meant for evaluation
                yield f"Warning: {split} has no files; train.py needs some of each class there."


def few_files_warnings(drawn: Iterable[Job]) -> Iterator[str]:
    """Yield a line for validation and for test where either has few files of a class."""
    counts = Counter((job.split, job.clip.label) for job in drawn)
    for split, name, lost in (
        ("val", "validation", "error rates and confidence fitted on them"),
        ("test", "test", "error rates on them"),
    ):
        few = [f"{n} {label}" for label in LABELS if 0 < (n := counts[split, label]) < FEW_FILES]
        if few:
            yield f"Warning: {name} has {' and '.join(few)} files: {lost} are a matter of luck."


def audit(drawn: Sequence[Job], entries: Mapping[str, dict]) -> list[str]:
    """Return the lines of the shortcut audit."""
    from deepfake_audio.corpora.shortcut_audit import audit_shortcuts, format_audit, format_warnings

    absent = {"fake", "real"} - {job.clip.label for job in drawn}
    if absent:
        return [f"Warning: there are no {absent.pop()} files. Add some, and run this again."]
    shortcuts = audit_shortcuts(
        [entries[job.stem]["nuisances"] for job in drawn],
        is_real=[job.clip.label == "real" for job in drawn],
        splits=[job.split for job in drawn],
        groups=[job.clip.group for job in drawn],
    )
    return ["", format_audit(shortcuts), *format_warnings(shortcuts)]


if __name__ == "__main__":
    sys.exit(main())
