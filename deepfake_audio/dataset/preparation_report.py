"""The report of a preparation: files, splits, ignored files, warnings and the shortcut audit."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from deepfake_audio.config.network_sections import ImageSettings
from deepfake_audio.config.schema import PrepareSettings
from deepfake_audio.corpora.reading import Clip
from deepfake_audio.dataset.checks import FEW_FILES, speaker_warnings
from deepfake_audio.dataset.data_folder import ERRORS, REPORT
from deepfake_audio.dataset.image_copies import pictures_of
from deepfake_audio.dataset.jobs import Job
from deepfake_audio.dataset.manifest import read_records, summarise
from deepfake_audio.dataset.pictures import picture_warnings
from deepfake_audio.dataset.preparation import Prepared
from deepfake_audio.errors import InputError, first_names, one_line, pluralize
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.vocabulary import LABELS, SPLITS

MAX_SHARE = 0.25  # the share of files for validation or test
MAX_EXAMPLES = 3  # names of a longer list that the printed report has
UNREADABLE = "could not be opened, and their files are left out"
LINKED = "not entered, since they lead to a parent folder or to one that was read already"
WRONG_SUFFIX = "ignored because of their suffix"


def write_report(
    folder: Path, prepared: Prepared, settings: PrepareSettings, image: ImageSettings
) -> str:
    """Write report.txt with all names; return the report with a few examples of each list.

    Raises:
        InputError: no file could be used.
    """
    if not prepared.rendered:
        raise InputError(
            f"none of {pluralize(len(prepared.plan.jobs), 'file')} can be used; "
            f"{folder / ERRORS} gives the reasons"
        )
    lists, clips = _file_lists(prepared), prepared.plan.clips
    has_splits = any(clip.split for clip in clips)  # so that the shares have no effect
    pictures = pictures_of(prepared.rendered, prepared.entries)
    warnings = (
        *(f"Warning: {note}" for note in prepared.corpus.notes),
        *_folder_lines(prepared),
        *_share_warnings(prepared, settings),
        *_split_warnings(clips),
        *_class_warnings(prepared.rendered, settings, has_splits),
        *_few_files_warnings(prepared.rendered, settings, has_splits),
        *(picture_warnings(pictures, image) if prepared.corpus.is_images else ()),
    )
    text = _format_report(folder, prepared, lists, warnings)
    with atomic_write(folder / REPORT) as partial:
        whole = "\n".join([text, *_whole_lists(lists)]) + "\n"
        partial.write_text(whole, encoding="utf-8", errors="backslashreplace")
    return text


def _file_lists(prepared: Prepared) -> dict[str, list[str]]:
    """Return the files that have no image or an unusual one, by the reason."""
    corpus = prepared.corpus
    failed = prepared.failed(prepared.plan.jobs)
    unreadable = set(failed)
    changed = [name for name in prepared.failed(prepared.plan.changed) if name not in unreadable]
    return {
        f"could not be used ({ERRORS} gives the reasons)": failed,
        "could not be used in a recording condition": changed,
        "used without their damaged or missing parts": prepared.described("lost_seconds"),
        "with several audio tracks, of which the first is used": prepared.described("tracks"),
        "listed but missing": corpus.missing,
        "present but not listed": corpus.unlisted,
        "listed more than once": corpus.repeated,
        WRONG_SUFFIX: corpus.passed_over,
        UNREADABLE: corpus.unreadable,
        LINKED: corpus.not_entered,
        "left out, since another file has the same bytes": prepared.plan.repeated,
        "left out, since the same bytes are real and fake": prepared.plan.contradictory,
        "named by a whole digest, since their short image names are equal": prepared.renamed,
        "of an earlier preparation, no longer in the corpus": prepared.plan.gone,
    }


def _format_report(
    folder: Path,
    prepared: Prepared,
    lists: Mapping[str, Sequence[str]],
    warnings: Iterable[str],
) -> str:
    """Return the report as text."""
    corpus, rendered = prepared.corpus, prepared.rendered
    subset = f", subset {corpus.subset}" if corpus.subset else ""
    files = f"{pluralize(len(rendered), 'file')} in {one_line(folder)}"
    if copies := len(prepared.plan.changed) - len(prepared.failed(prepared.plan.changed)):
        more = "1 more copy" if copies == 1 else f"{copies:,} more copies"
        files += f", and {more} of training files in recording conditions"
    lines = [f"\nCorpus: {corpus.name}{subset}: {files}", ""]
    records = read_records(folder)
    lines += [summarise(records), *(f"Warning: {line}" for line in speaker_warnings(records))]
    if prepared.plan.grouping:
        lines.append(prepared.plan.grouping)
    elif not any(job.clip.speaker for job in prepared.plan.jobs):
        lines.append("No speakers are known, so the same voice may be in several splits.")
    lines += warnings
    for reason, names in lists.items():
        if names:
            examples = _suffixes(names) if reason == WRONG_SUFFIX else ", ".join(_examples(names))
            lines.append(f"{pluralize(len(names), _kind(reason))} {reason}: {examples}")
    return "\n".join([*lines, *audit(rendered, prepared.entries)])


def _kind(reason: str) -> str:
    return {UNREADABLE: "folder", LINKED: "linked folder"}.get(reason, "file")


def _examples(names: Sequence[str]) -> Iterator[str]:
    """Yield the first names of a list, and a pointer to the others."""
    yield from map(one_line, names[:MAX_EXAMPLES])
    if len(names) > MAX_EXAMPLES:
        yield f"... (all in {REPORT})"


def _suffixes(names: Iterable[str]) -> str:
    """Count files by suffix, the most frequent first.

    >>> _suffixes(["a.pdf", "b.txt", "c.TXT", "d"])
    '2 .txt, 1 .pdf, 1 without suffix'
    """
    counts = Counter(Path(name).suffix.lower() or "without suffix" for name in names)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {one_line(suffix)}" for suffix, count in ordered)


def _whole_lists(lists: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield all names of the lists that the printed report shortens."""
    for reason, names in lists.items():
        if len(names) > MAX_EXAMPLES:
            yield f"\n{pluralize(len(names), _kind(reason))} {reason}:"
            yield from map(one_line, names)


def _folder_lines(prepared: Prepared) -> Iterator[str]:
    """Warn of folders beside the class folders that mean no class."""
    unknown = prepared.corpus.unknown_folders
    if unknown:
        named = [f"{name} ({pluralize(n, 'file')})" for name, n in unknown.items()]
        yield (
            f"Warning: left out, since their names mean no class: "
            f"{first_names(named, MAX_EXAMPLES)}. "
            "Rename these folders to real or fake, or label their files in labels.csv."
        )


def _share_warnings(prepared: Prepared, settings: PrepareSettings) -> Iterator[str]:
    """Warn if the shares changed, since files from before keep their splits."""
    plan = prepared.plan
    has_kept = any(clip.name in plan.known and not clip.split for clip in plan.clips)
    val, test = prepared.origin.val_share, prepared.origin.test_share
    if has_kept and (settings.val_share, settings.test_share) != (val, test):
        yield (
            f"Warning: prepare.val_share={settings.val_share:g} and "
            f"prepare.test_share={settings.test_share:g} apply to new files only; earlier files "
            f"keep their splits, which were made with {val:g} and {test:g}. "
            "Choose another --name to split all files again."
        )


def _split_warnings(clips: Sequence[Clip]) -> Iterator[str]:
    """Warn if the corpus ships a split for some of its files only."""
    shipped = sum(bool(clip.split) for clip in clips)
    if 0 < shipped < len(clips):
        free = next(clip.name for clip in clips if not clip.split)
        yield (
            f"Warning: {shipped:,} of {len(clips):,} files come with a split; prepare.py chose the "
            f"split of the others, such as {one_line(free)}. Give all files a split, or none."
        )


def _class_warnings(
    rendered: Sequence[Job], settings: PrepareSettings, has_splits: bool
) -> Iterator[str]:
    """Warn of splits with one class, and of empty ones."""
    classes = {
        split: {job.clip.label for job in rendered if job.split == split} for split in SPLITS
    }
    if set.union(*classes.values()) == set(LABELS):  # else the audit reports it
        for split, labels in classes.items():
            if len(labels) == 1:
                absent = (set(LABELS) - labels).pop()
                yield f"Warning: {split} has no {absent} files; error rates need both."
        for split, other in (("train", "val"), ("val", "train")):
            if classes[other] and not classes[split]:  # without both, the data is for evaluation
                line = f"Warning: {split} has no files; train.py needs some of each class there."
                if split == "val" and not has_splits:
                    set_share = " Set prepare.val_share=0.1 with another --name."
                    line += " Add files of other speakers." if settings.val_share else set_share
                yield line
        if classes["val"] and not classes["test"] and settings.test_share and not has_splits:
            yield "Warning: test has no files: error rates on new files stay unknown."


def _few_files_warnings(
    rendered: Sequence[Job], settings: PrepareSettings, has_splits: bool
) -> Iterator[str]:
    """Warn if validation or test has few files of a class, with the setting that gives more."""
    counts = Counter((job.split, job.clip.label) for job in rendered)
    for split, name, figures in (
        ("val", "validation", "error rates and confidence fitted on them"),
        ("test", "test", "error rates on them"),
    ):
        few = [f"{n} {label}" for label in LABELS if 0 < (n := counts[split, label]) < FEW_FILES]
        if few:
            line = f"Warning: {name} has {' and '.join(few)} files: {figures} are a matter of luck."
            yield line + ("" if has_splits else f" {_more_files(rendered, split, settings)}")


def _more_files(rendered: Sequence[Job], split: str, settings: PrepareSettings) -> str:
    """Return how to get more files into a split: a larger share, or more files."""
    total = min(Counter(job.clip.label for job in rendered).values())
    labels = Counter(job.clip.label for job in rendered if job.split == split)
    present = min(labels[label] for label in LABELS)
    share = getattr(settings, f"{split}_share")
    better = min(MAX_SHARE, -(-100 * FEW_FILES // total) / 100)
    about = round(better * total)
    if better < share + 0.05 or about <= present:
        return "Add files."
    more = f"about {about:,} of each class"
    return f"Add files, or set prepare.{split}_share={better:g} with another --name: {more}."


def audit(rendered: Sequence[Job], entries: Mapping[str, dict]) -> list[str]:
    """Return the lines of the shortcut audit."""
    from deepfake_audio.corpora.shortcut_audit import (
        audit_shortcuts,
        conclude,
        format_audit,
        format_warnings,
    )

    absent = set(LABELS) - {job.clip.label for job in rendered}
    if absent:
        return [f"Warning: there are no {absent.pop()} files. Add some, and run this again."]
    measures = [entries[job.stem]["nuisances"] for job in rendered]
    is_real = [job.clip.label == "real" for job in rendered]
    shortcuts = audit_shortcuts(
        measures,
        is_real=is_real,
        splits=[job.split for job in rendered],
        groups=[job.clip.split_key for job in rendered],
    )
    warnings = format_warnings(shortcuts)
    return ["", format_audit(shortcuts), *warnings, conclude(measures, is_real, bool(warnings))]
