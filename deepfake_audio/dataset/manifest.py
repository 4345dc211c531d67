"""The manifest of a data folder: its images, their labels, speakers and generators, and checks."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML

from deepfake_audio.config.loading import check_audio_settings, with_legacy_defaults
from deepfake_audio.config.schema import AudioSettings, ImageSettings, PrepareSettings
from deepfake_audio.config.yaml_files import read_yaml, shortened
from deepfake_audio.corpora.reading import Clip, Corpus
from deepfake_audio.corpora.splits import mark_of
from deepfake_audio.errors import InputError, one_line
from deepfake_audio.features.image_files import read_image
from deepfake_audio.system.atomic_files import (
    atomic_write,
    is_file,
    is_folder,
    open_regular,
    open_text,
    read_lines,
    write_json,
)
from deepfake_audio.system.csv_files import check_columns, printable_name, read_cells
from deepfake_audio.system.folder_walk import find_files
from deepfake_audio.vocabulary import (
    AUDIO_SUFFIXES,
    IMAGE_SUFFIXES,
    JOURNAL,
    LABELS,
    SPLITS,
    ImageRecord,
)

DATA_REMEDY = "give one with --data FOLDER"
FEW_FILES = 30  # of a class: a warning says that figures and calibrations of fewer are unsure
MANIFEST = "manifest.csv"
AUDIO_SETTINGS = "audio.yaml"
ORIGIN = "corpus.json"
MAX_ORIGIN_BYTES = 1_000_000
MARKED_FILES = 100  # files whose digests identify a corpus in another folder
MANIFEST_FIELDS = (
    "image", "label", "split", "audio", "start_seconds", "speaker", "attack", "codec", "corpus",
)  # fmt: skip
PRINTABLE_FIELDS = MANIFEST_FIELDS[3:]  # names that are shown; `image` is a path that is opened


@dataclass(frozen=True)
class DataCheck:
    """The result of `check_images`.

    Attributes:
        records: the images to use.
        unreadable: one message for each image that can't be read; they are left out.
        repeated: images left out since a later split has the same bytes (train < val < test).
        fingerprint: changes when any image, label or split does.
    """

    records: list[ImageRecord]
    unreadable: list[str]
    repeated: list[str]
    fingerprint: str


class FileCounts(BaseModel):
    """The files that a corpus lists, by outcome: `listed` is the sum of the others.

    Attributes:
        listed: in the corpus, or in the subset of it.
        used: with images in the manifest.
        missing: not on disk.
        unusable: broken or silent.
        repeated: left out, since another file has the same bytes.
    """

    model_config = ConfigDict(frozen=True)

    listed: int
    used: int
    missing: int
    unusable: int
    repeated: int


class Origin(BaseModel):
    """The corpus that a data folder was made of, as in `corpus.json`.

    Attributes:
        corpus: a key of `CORPORA`.
        subset: of ASVspoof 2021, else empty.
        folder: the corpus's folder at the last preparation.
        marks: digests of some files, by name, to recognise the corpus in another folder.
        val_share: share of validation that the splits were first made with; `test_share` for test.
        counts: of the corpus's files, by their split; `UNKNOWN_SPLIT` for those without one.
            Empty until all images are rendered.
    """

    model_config = ConfigDict(frozen=True)

    corpus: str
    subset: str
    folder: str
    marks: dict[str, str]
    val_share: float
    test_share: float
    counts: dict[str, FileCounts] = {}

    def __str__(self) -> str:
        subset = f", subset {self.subset}," if self.subset else ""
        return f"{self.corpus}{subset} in {self.folder}"


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
            "with the same words, and it goes on"
        )
    records = read_manifest(manifest) if is_file(manifest) else list_images(folder)
    if not records:
        audio = next(find_files(folder, set(AUDIO_SUFFIXES)), None)
        remedy = f"; prepare.py makes images of audio, such as {audio}" if audio else ""
        raise InputError(
            f"no images in {folder}; put them into train/fake, train/real, val/fake and so on"
            f"{remedy}"
        )
    check_recordings(records)
    return records


def is_data(path: Path) -> bool:
    """Return whether a path exists that `read_records` takes: a folder or a manifest."""
    return is_folder(path) or is_file(path)


def data_folder(data: Path) -> Path:
    """Return the resolved folder of a data folder or of a manifest."""
    return data.resolve().parent if is_file(data) else data.resolve()


def list_images(folder: Path) -> list[ImageRecord]:
    """List the images below `{train,val,test}/{fake,real}/`, at any depth, sorted by name.

    Without these, `{fake,real}/` are test.
    """
    folders = [(split, label, folder / split / label) for split in SPLITS for label in LABELS]
    if not any(is_folder(path) for _, _, path in folders):
        folders = [("test", label, folder / label) for label in LABELS]
    return [
        ImageRecord(path, path.relative_to(folder).as_posix(), label, split)
        for split, label, class_folder in folders
        for path in find_files(class_folder, IMAGE_SUFFIXES)
    ]


def read_manifest(path: Path) -> list[ImageRecord]:
    """Read `manifest.csv`.

    Raises:
        InputError: a column is missing, a label or split is unknown, or an image is outside.
    """
    try:
        with open_text(path, "A manifest", "utf-8-sig") as file:
            rows = read_cells(read_lines(file))
            _, columns = next(rows, (0, []))
            check_columns(columns)
            missing = [name for name in ("image", "label", "split") if name not in columns]
            if missing:
                raise InputError(
                    f"{path} has no column {missing[0]}; a manifest needs image, label and split"
                )
            cells = ((number, dict(zip(columns, row, strict=False))) for number, row in rows if row)
            records = [_read_row(row, path, number) for number, row in cells]
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}; write it as CSV in UTF-8") from None
    twice = [image for image, times in Counter(r.image for r in records).items() if times > 1]
    if twice:
        raise InputError(f"{path} lists {twice[0]!r} more than once; keep one row")
    return _with_printable_names(records, path)


def _read_row(row: dict, path: Path, line: int) -> ImageRecord:
    fields = {name: (row.get(name) or "").strip() for name in MANIFEST_FIELDS}
    for name, allowed in (("label", LABELS), ("split", SPLITS)):
        if fields[name] not in allowed:
            raise InputError(
                f"{fields[name]!r} is not a {name} (line {line} of {path}); use one of "
                f"{', '.join(allowed)}"
            )
    image = PurePosixPath(fields["image"])
    if not image.name or image.is_absolute() or ".." in image.parts:
        raise InputError(
            f"{fields['image']!r} is not an image below the manifest's folder (line {line} of "
            f"{path}); give its path from that folder"
        )
    return ImageRecord(path=path.parent / image, **fields)


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


def speaker_warnings(records: Iterable[ImageRecord]) -> list[str]:
    """Return a line that names the speakers in more than one split, if there are any."""
    splits_of = defaultdict(set)
    for record in records:
        splits_of[record.speaker].add(record.split)
    shared = sorted(name for name, splits in splits_of.items() if name and len(splits) > 1)
    if not shared:
        return []
    shown = ", ".join(shared[:3]) + (", ..." if len(shared) > 3 else "")
    return [
        f"{len(shared):,} speakers are in more than one split ({shown}): "
        "error rates on them are too good."
    ]


def check_classes(records: Iterable[ImageRecord], splits: Sequence[str], folder: Path) -> None:
    """Raise an `InputError` unless each of the splits has images of both classes."""
    found = {(record.split, record.label) for record in records}
    for split in splits:
        for label in LABELS:
            if (split, label) not in found:
                raise InputError(
                    f"no images in {folder / split / label}; put {label} images there, since each "
                    "split needs both classes"
                )


def check_images(records: Sequence[ImageRecord], settings: ImageSettings) -> DataCheck:
    """Read every image once; leave out unreadable images and those that a later split has too.

    Args:
        records: the images of a data folder.
        settings: of the network's input.

    Returns:
        The images to use, the images left out, and the fingerprint of the data.
    """
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(partial(_digest, settings=settings), records))
    split_of = {}
    for split in SPLITS:
        for record, digest in zip(records, digests, strict=True):
            if isinstance(digest, bytes) and record.split == split:
                split_of[digest] = split
    check = DataCheck([], [], [], "")
    fingerprint = hashlib.sha256()
    for record, digest in zip(records, digests, strict=True):
        if isinstance(digest, InputError):
            check.unreadable.append(str(digest))
        elif split_of[digest] != record.split:
            check.repeated.append(record.image)
        else:
            check.records.append(record)
            name = f"{record.image}\0{record.label}\0{record.split}\0"
            fingerprint.update(name.encode("utf-8", "surrogateescape") + digest)
    return DataCheck(check.records, check.unreadable, check.repeated, fingerprint.hexdigest())


def _digest(record: ImageRecord, settings: ImageSettings) -> bytes | InputError:
    try:
        read_image(record.path, settings)
        with open_regular(record.path, "An image") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except InputError as error:
        return error
    except OSError as error:
        return InputError(f"cannot read {record.path}: {error.strerror}; put the image back")


def image_stamps(records: Iterable[ImageRecord]) -> dict[str, tuple[int, int] | None]:
    """Return the size and modification time of each image; None for a missing one."""
    stamps = {}
    for record in records:
        try:
            status = record.path.stat()
            stamps[record.image] = status.st_size, status.st_mtime_ns
        except OSError:
            stamps[record.image] = None
    return stamps


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
    """Return the recording conditions that prepare.py applied to training files.

    The image names contain them; the column `codec` also has codecs that a corpus names.
    """
    training = (record for record in records if record.split == "train" and record.codec)
    return sorted({r.codec for r in training if r.image.rpartition("_")[0].endswith(f"_{r.codec}")})


def write_audio_settings(folder: Path, settings: AudioSettings) -> None:
    """Write the audio settings of the folder's images."""
    with atomic_write(folder / AUDIO_SETTINGS) as partial_path, partial_path.open("w") as file:
        file.write("# How these images were made from sound; training and prediction go by it.\n")
        YAML(typ="safe", pure=True).dump(settings.model_dump(), file)


def origin_of(corpus: Corpus, folder: Path, settings: PrepareSettings) -> Origin:
    """Return the origin of a data folder that is made of a corpus."""
    every = -(-len(corpus.clips) // MARKED_FILES)
    marks = {printable_name(clip.name): mark_of(clip.path) for clip in corpus.clips[::every]}
    marks = {name: mark for name, mark in marks.items() if mark}
    return Origin(
        corpus=corpus.name,
        subset=corpus.subset,
        folder=printable_name(str(folder.resolve())),
        marks=marks,
        val_share=settings.val_share,
        test_share=settings.test_share,
    )


def is_same_corpus(before: Origin, now: Origin, clips: Iterable[Clip]) -> bool:
    """Return whether a corpus is the one that a folder was made of, even if it was moved.

    Args:
        before: the origin of the folder.
        now: the origin that the corpus would have.
        clips: of `now`.
    """
    if (before.corpus, before.subset) != (now.corpus, now.subset):
        return False
    return before.folder == now.folder or any(
        mark == mark_of(clip.path)
        for clip in clips
        if (mark := before.marks.get(printable_name(clip.name)))
    )


def write_origin(folder: Path, origin: Origin) -> None:
    """Write corpus.json."""
    write_json(folder / ORIGIN, origin.model_dump())


def read_origin(data: Path) -> Origin | None:
    """Read corpus.json; None if there is none.

    Args:
        data: the folder of the images, or a manifest in it.

    Raises:
        InputError: the file is not as prepare.py wrote it.
    """
    path = (data.parent if is_file(data) else data) / ORIGIN
    if not is_file(path):
        return None
    try:
        with open_regular(path, ORIGIN) as file:
            encoded = file.read(MAX_ORIGIN_BYTES + 1)
        if len(encoded) > MAX_ORIGIN_BYTES:
            raise InputError(
                f"{path} has more than {MAX_ORIGIN_BYTES:,} bytes; remove it, and run prepare.py "
                "again with the same words"
            )
        return Origin.model_validate_json(encoded)
    except (OSError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise InputError(
            f"cannot read {path}: {shortened(reason)}; remove it, and run prepare.py again with "
            "the same words"
        ) from None


def audio_settings_file(data: Path) -> Path:
    """Return the path of the audio settings of a data folder.

    Args:
        data: the folder of the images, or a manifest in it.
    """
    return (data.parent if is_file(data) else data) / AUDIO_SETTINGS


def read_audio_settings(data: Path) -> AudioSettings | None:
    """Read the audio settings of a data folder; None if it has none.

    Args:
        data: the folder of the images, or a manifest in it.
    """
    path = audio_settings_file(data)
    if not is_file(path):
        return None
    values = with_legacy_defaults({"audio": read_yaml(path)})["audio"]
    return check_audio_settings(values, origin=str(path))
