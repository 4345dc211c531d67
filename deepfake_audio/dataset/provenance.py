"""How a data folder was made: its corpus, the counts of its files, its audio settings."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

from deepfake_audio.config.audio_section import AudioSettings
from deepfake_audio.config.loading import check_audio_settings, with_legacy_defaults
from deepfake_audio.config.schema import PrepareSettings
from deepfake_audio.config.yaml_files import read_yaml
from deepfake_audio.corpora.reading import Clip, Corpus
from deepfake_audio.corpora.splits import mark_of
from deepfake_audio.system.atomic_files import atomic_write, write_json
from deepfake_audio.system.csv_files import printable_name
from deepfake_audio.system.json_records import read_record
from deepfake_audio.system.regular_files import is_file

AUDIO_SETTINGS = "audio.yaml"
ORIGIN = "corpus.json"
REMOVE_ORIGIN = "remove it, and run prepare.py again with the same arguments"
MARKED_FILES = 100  # files whose digests identify a corpus in another folder


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
    """Return whether a corpus with its clips, `now`, is the one of `before`, even if moved."""
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
    """Read corpus.json of a data folder, or beside a manifest; None if there is none.

    Raises:
        InputError: the file is not as prepare.py wrote it.
    """
    path = _beside(data, ORIGIN)
    return read_record(path, Origin, REMOVE_ORIGIN) if is_file(path) else None


def _beside(data: Path, name: str) -> Path:
    """Return the path of a file in a data folder, or beside a manifest."""
    return (data.parent if is_file(data) else data) / name


def audio_settings_file(data: Path) -> Path:
    """Return the path of the audio settings of a data folder, or beside a manifest."""
    return _beside(data, AUDIO_SETTINGS)


def read_audio_settings(data: Path) -> AudioSettings | None:
    """Read the audio settings of a data folder, or beside a manifest; None if it has none."""
    path = audio_settings_file(data)
    if not is_file(path):
        return None
    values = with_legacy_defaults({"audio": read_yaml(path)})["audio"]
    return check_audio_settings(values, origin=str(path))
