"""The manifest of a data folder: its images, their labels, speakers and generators."""

import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from deepfake_audio.corpora.listed_files import is_inside
from deepfake_audio.dataset.image_folders import describe_left_out, find_images
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.system.csv_files import check_columns, read_cells
from deepfake_audio.system.folder_walk import find_files
from deepfake_audio.system.regular_files import (
    is_file,
    is_folder,
    is_of_network,
    open_text,
    read_lines,
)
from deepfake_audio.tables.cells import delimiter_of
from deepfake_audio.tables.class_names import label_of, split_of
from deepfake_audio.tables.label_words import is_class_number
from deepfake_audio.tables.lines import encoding_of
from deepfake_audio.vocabulary import (
    AUDIO_SUFFIXES,
    IMAGE_SUFFIXES,
    JOURNAL,
    LABELS,
    SPLITS,
    ImageRecord,
)

DATA_REMEDY = "give one with --data FOLDER"
MANIFEST = "manifest.csv"
MANIFEST_FIELDS = (
    "image", "label", "split", "audio", "start_seconds", "speaker", "attack", "codec", "corpus",
)  # fmt: skip
PRINTABLE_FIELDS = MANIFEST_FIELDS[3:]  # names that are shown; `image` is a path that is opened


def left_out_warnings(data: Path) -> list[str]:
    """Return a line for each kind of file or folder that is left out; none with a manifest."""
    if not is_folder(data) or is_file(data / MANIFEST):
        return []
    return list(describe_left_out(find_images(data)))


def read_records(folder: Path, remedy: str = "name an existing one") -> list[ImageRecord]:
    """List the images of a data folder, by its manifest if it has one.

    Args:
        folder: contains `{train,val,test}/{fake,real}/` with images and perhaps `manifest.csv`, or
            only `{fake,real}/`, which is all test; or it is a manifest itself.
        remedy: the advice in the error for a missing folder.

    Returns:
        One record an image, in a stable order.

    Raises:
        InputError: no folder, no images, a malformed manifest, a recording in two splits.
    """
    if folder.suffix == ".csv" and is_file(folder):
        records = read_manifest(folder)
        check_recordings(records)
        return records
    if not is_folder(folder):
        raise InputError(
            f"no data folder {folder}; {remedy} (it contains train/fake, train/real, val/fake, "
            "val/real and so on, with images in them)"
        )
    manifest = folder / MANIFEST
    if is_file(folder / JOURNAL) and not is_file(manifest):
        raise InputError(
            f"the data folder {folder} is unfinished, since prepare.py was stopped; run it again "
            "with the same arguments, and it continues"
        )
    records = read_manifest(manifest) if is_file(manifest) else find_images(folder).records
    if not records:
        audio = next(find_files(folder, set(AUDIO_SUFFIXES)), None)
        remedy = f"; prepare.py makes images of audio, such as {audio}" if audio else ""
        image = next(find_files(folder, IMAGE_SUFFIXES), None)
        where = f"no folder of {folder} means a class, such as that of {image}"
        raise InputError(
            f"{where if image else f'no images in {folder}'}; put them into train/fake, "
            f"train/real, val/fake and so on{remedy}"
        )
    check_recordings(records)
    return records


def is_data(path: Path) -> bool:
    """Return whether `read_records` takes the data that a run names; False on another machine."""
    return not is_of_network(str(path)) and (is_folder(path) or is_file(path))


def data_folder(data: Path) -> Path:
    """Return the resolved folder of a data folder or of a manifest."""
    return data.resolve().parent if is_file(data) else data.resolve()


def read_manifest(path: Path) -> list[ImageRecord]:
    """Read `manifest.csv`.

    Raises:
        InputError: a column is missing, a label or split is unknown, or an image is outside.
    """
    try:
        with open_text(path, "A manifest", encoding_of(path, "A manifest")) as file:
            lines = read_lines(file)
            header = next(lines, "")
            rows = read_cells(itertools.chain([header], lines), delimiter_of(header))
            _, columns = next(rows, (0, []))
            columns = [column.strip().lower() for column in columns]
            check_columns(columns)
            missing = [name for name in ("image", "label", "split") if name not in columns]
            if missing:
                raise InputError(
                    f"{path} has no column {missing[0]}; a manifest needs image, label and split"
                )
            records = [
                _read_row(dict(zip(columns, row, strict=False)), path, number)
                for number, row in rows
                if any(cell.strip() for cell in row)
            ]
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}; write it as CSV in UTF-8") from None
    twice = [image for image, times in Counter(r.image for r in records).items() if times > 1]
    if twice:
        raise InputError(f"{path} lists {twice[0]!r} more than once; keep one row")
    return _with_printable_names(records, path)


def _read_row(row: dict, path: Path, line: int) -> ImageRecord:
    fields = {name: (row.get(name) or "").strip() for name in MANIFEST_FIELDS}
    for name, meant, allowed in (("label", label_of, LABELS), ("split", split_of, SPLITS)):
        given = fields[name]
        fields[name] = "" if is_class_number(given) else meant(given)
        if not fields[name]:
            raise InputError(
                f"{given!r} is not a {name} (line {line} of {path}); use one of "
                f"{', '.join(allowed)}"
            )
    written = fields["image"]
    image = _image_path(written, path.parent) if is_inside(written) else PurePosixPath()
    if not image.name:
        raise InputError(
            f"{written!r} is not an image below the manifest's folder (line {line} of "
            f"{path}); give its path from that folder"
        )
    fields["image"] = image.as_posix()
    return ImageRecord(path=path.parent / image, **fields)


def _image_path(written: str, folder: Path) -> PurePosixPath:
    """Return an image's path below a folder: as written, or with the separators of Windows.

    If no such file exists, the other spelling of accented letters is tried (a Mac's).
    """
    image = PurePosixPath(written)
    if ("\\" in written or not written.isascii()) and not is_file(folder / image):
        spelled = written.replace("\\", "/")
        forms = [spelled, *(unicodedata.normalize(form, spelled) for form in ("NFC", "NFD"))]
        found = (PurePosixPath(form) for form in forms if is_file(folder / form))
        image = next(found, PurePosixPath(spelled))
    return image


def _with_printable_names(records: list[ImageRecord], path: Path) -> list[ImageRecord]:
    """Return the records with names that can be shown.

    Raises:
        InputError: two names would become one, such as a line feed and a written backslash-n.
    """
    for name in PRINTABLE_FIELDS:
        texts = {getattr(record, name) for record in records}
        shown = {text: one_line(text) for text in texts if not text.isprintable()}
        if not shown:
            continue
        for text, times in Counter([*shown.values(), *(texts - shown.keys())]).items():
            if times > 1:
                raise InputError(
                    f"two names in the column {name} of {path} are both shown as {text}; rename one"
                )
        records = [
            replace(record, **{name: shown.get(getattr(record, name), getattr(record, name))})
            for record in records
        ]
    return records


def check_recordings(records: Iterable[ImageRecord]) -> None:
    """Raise an `InputError` if windows of one recording are in two splits."""
    split_of = {}
    for record in records:
        other = split_of.setdefault(record.recording, record.split)
        if other != record.split:
            raise InputError(
                f"the recording {record.audio!r} is in {other} and {record.split}, so error rates "
                "would be too good; move all of its images to one split"
            )


def summarise(records: Sequence[ImageRecord]) -> str:
    """Return a table of images, speakers and generators for each split and class."""
    lines = [f"{'split':6}{'class':6}{'images':>8}{'speakers':>10}  generators"]
    for split in SPLITS:
        for label in LABELS:
            chosen = [
                record for record in records if (record.split, record.label) == (split, label)
            ]
            speakers = {record.speaker for record in chosen} - {""}
            attacks = sorted({record.attack for record in chosen} - {""})
            names = ", ".join(attacks[:6]) + (
                f" and {len(attacks) - 6} more" if len(attacks) > 6 else ""
            )
            if chosen:
                names = names or ("unknown" if label == "fake" else "-")
                lines.append(
                    f"{split:6}{label:6}{len(chosen):8,}{len(speakers) or 'unknown':>10}  {names}"
                )
    return "\n".join(lines)


def prepared_conditions(records: Iterable[ImageRecord]) -> list[str]:
    """Return the recording conditions that prepare.py applied to training files."""
    return sorted({record.codec for record in records if is_condition_copy(record)})


def is_condition_copy(record: ImageRecord) -> bool:
    """Return whether prepare.py changed the sound of a training file for this image.

    The image name contains the condition; the column `codec` also has codecs that a corpus names.
    """
    stem = record.image.rpartition("_")[0]
    return record.split == "train" and bool(record.codec) and stem.endswith(f"_{record.codec}")
