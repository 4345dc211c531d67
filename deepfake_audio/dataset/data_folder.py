"""Open a data folder: a new one, or one to continue."""

from collections.abc import Mapping
from pathlib import Path

from deepfake_audio.config.loading import load_settings
from deepfake_audio.config.schema import Settings
from deepfake_audio.corpora.reading import Corpus
from deepfake_audio.dataset.manifest import MANIFEST, read_manifest
from deepfake_audio.dataset.provenance import (
    AUDIO_SETTINGS,
    ORIGIN,
    Origin,
    is_same_corpus,
    origin_of,
    read_audio_settings,
    read_origin,
    write_audio_settings,
    write_origin,
)
from deepfake_audio.errors import InputError
from deepfake_audio.system.atomic_files import write_error
from deepfake_audio.system.csv_files import printable_name
from deepfake_audio.system.regular_files import check_replaceable, is_file, is_folder, open_table
from deepfake_audio.vocabulary import JOURNAL

ERRORS, REPORT = "errors.csv", "report.txt"
FIRST_BYTES = {REPORT: b"\nCorpus: ", ERRORS: b"audio,", MANIFEST: b"image,label,"}


def open_data_folder(folder: Path, settings: Settings, corpus: Corpus, audio: Path) -> Origin:
    """Make a data folder, or continue one with the same audio settings and corpus.

    Returns:
        The origin of the folder, with the shares that its splits were first made with.

    Raises:
        InputError: the folder has other settings, another corpus or other files.
    """
    is_begun = is_file(folder / JOURNAL)
    made_with = read_audio_settings(folder) if is_begun else None
    if made_with is not None and made_with != settings.audio:
        raise InputError(
            f"{folder / AUDIO_SETTINGS} has other audio settings than this command; "
            "choose another --name"
        )
    if not is_begun and is_folder(folder) and any(folder.iterdir()):
        raise InputError(
            f"cannot write into {folder}: prepare.py did not make its files; choose another --name"
        )
    for name, first_bytes in FIRST_BYTES.items():
        check_replaceable(folder / name, first_bytes)
    origin = origin_of(corpus, audio, settings.prepare)
    before, known = read_origin(folder), known_splits(folder)
    _check_corpus(folder, corpus, origin, before, known)
    if known:  # older folders do not record the shares; most were made with the defaults
        first = before or load_settings().prepare
        shares = {"val_share": first.val_share, "test_share": first.test_share}
        origin = origin.model_copy(update=shares)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        open_table(folder / JOURNAL, "a").close()
    except OSError as error:
        raise write_error(Path(error.filename or folder), error) from None
    if not corpus.is_images:
        write_audio_settings(folder, settings.audio)
    if not is_file(folder / ORIGIN):
        write_origin(folder, origin)
    return origin


def _check_corpus(
    folder: Path, corpus: Corpus, origin: Origin, before: Origin | None, known: Mapping[str, str]
) -> None:
    """Raise an `InputError` if a folder was made of another corpus: this would replace it."""
    if not known and is_file(folder / MANIFEST):
        return  # no file of the former corpus could be used
    if before is None:  # the folder is new, or older than corpus.json
        names = {printable_name(clip.name) for clip in corpus.clips}
        is_same = not known or not known.keys().isdisjoint(names)
    else:
        is_same = is_same_corpus(before, origin, corpus.clips)
    if not is_same:
        raise InputError(
            f"{folder} was made of {before or 'files with other names'}, not of {origin}; "
            "choose another --name"
        )


def known_splits(folder: Path) -> dict[str, str]:
    """Return the split of each audio file in a folder's manifest, by its printable name."""
    if not is_file(folder / MANIFEST):
        return {}
    return {record.audio: record.split for record in read_manifest(folder / MANIFEST)}
