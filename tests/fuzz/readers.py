"""The readers that are tried: each returns something that can be compared, or raises."""

import json
from functools import cache
from pathlib import Path

from deepfake_audio.audio.recordings import open_recording
from deepfake_audio.audio.windows import recording_windows
from deepfake_audio.cli.standard_input import opened_list
from deepfake_audio.config.loading import load_settings
from deepfake_audio.corpora.reading import read_corpus
from deepfake_audio.dataset import shard_folders
from deepfake_audio.dataset.journal import is_complete, read_journal
from deepfake_audio.dataset.manifest import read_manifest
from deepfake_audio.dataset.provenance import read_audio_settings, read_origin
from deepfake_audio.evaluation.localisation import read_passages
from deepfake_audio.evaluation.result_folder import choose_output
from deepfake_audio.evaluation.score_matching import read_filled_scores
from deepfake_audio.evaluation.score_reading import read_asv_scores
from deepfake_audio.evaluation.score_table import ScoreTable
from deepfake_audio.features.image_files import read_image
from deepfake_audio.features.spectrogram import spectrogram_image
from deepfake_audio.inference.results_table import partial_path, resumable_table
from deepfake_audio.inference.shard_tables import (
    ShardRecord,
    digest_table,
    join_tables,
    write_record,
)
from deepfake_audio.inference.shard_tables import read_record as read_shard_record
from deepfake_audio.models import history, record_files, run_folder
from deepfake_audio.models.onnx_check import check_graph
from deepfake_audio.system.csv_files import read_cells
from deepfake_audio.system.shards import Shard
from deepfake_audio.system.stderr import suppress_native_stderr

from .binary_seeds import keras_archive

SETTINGS = load_settings()
SMALL = (
    "image.height=8", "image.width=8", "model.conv_filters=[2]", "model.dense_units=2",
    "model.batch_norm=false",
)  # fmt: skip


def fuzz_image(path: Path) -> object:
    return read_image(path, SETTINGS.image).tobytes()


def fuzz_sound(path: Path) -> object:
    recording = open_recording(path, SETTINGS.audio, max_hours=0.2)
    windows = recording_windows(recording, SETTINGS.audio, max_windows=4)
    rendered = [spectrogram_image(window, SETTINGS.audio).tobytes() for _, window in windows]
    return recording.samples, float(recording.loudest_power), rendered


def fuzz_tracks(path: Path) -> object:
    recording = open_recording(path, SETTINGS.audio, max_hours=0.2, channel=2, track=2)
    windows = recording_windows(recording, SETTINGS.audio, max_windows=4)
    return recording.samples, [(start, window.tobytes()) for start, window in windows]


def fuzz_protocol(path: Path) -> object:
    root = next(folder for folder in path.parents if folder.suffix == ".corpus")
    return [str(clip) for clip in read_corpus(root).clips]


def fuzz_passages(path: Path) -> object:
    return repr(read_passages(path))


def fuzz_manifest(path: Path) -> object:
    return repr(read_manifest(path))


def fuzz_scores(path: Path) -> object:
    keys = None if path.stem == "labelled" else path.with_name("keys.tsv")
    real = path.suffix[1:] if path.suffix in (".0", ".1", ".P") else None
    return columns_of(read_filled_scores(path, keys, real=real).table)


def fuzz_keys(path: Path) -> object:
    real = path.suffix[1:] if path.suffix in (".0", ".1", ".P") else None
    return columns_of(read_filled_scores(path.with_name("scores.txt"), path, real=real).table)


def columns_of(table: ScoreTable) -> list[list]:
    return [values.tolist() for values in vars(table).values()]


def fuzz_asv_scores(path: Path) -> object:
    return {key: scores.tolist() for key, scores in read_asv_scores(path).items()}


def fuzz_history(path: Path) -> object:
    return json.dumps(history.read_history(run_folder.Run(path.parent)))  # a loss may be no number


def fuzz_journal(path: Path) -> object:
    return [(json.dumps(entry), is_complete(entry)) for entry in read_journal(path).values()]


def fuzz_metrics(path: Path) -> object:
    """Choose where results go if the usual folder has those of a changed record."""
    return str(choose_output(None, path.parent, Path("/a"), {"keys": None}))


def fuzz_origin(path: Path) -> object:
    return read_origin(path.parent).model_dump_json()


def fuzz_folder_record(path: Path) -> object:
    return shard_folders._read_record(path.parent, Shard(2, 1)).model_dump_json()


def fuzz_names(path: Path) -> object:
    with opened_list(str(path)) as names:
        return list(names)


def fuzz_verdicts(path: Path) -> object:
    """Continue a table of verdicts that has a row of one of two files."""
    table = path.with_name("new.csv")
    partial = partial_path(table, "some")
    partial.write_bytes(path.read_bytes())
    said = []
    try:
        with resumable_table(table, "some", said.append) as (judged, add):
            for name in ("a.wav", "b.wav"):
                if not judged.take(name):
                    add({"verdict": "REAL", "file": name})
        return said, [row for _, row in read_cells(table.read_text().splitlines(True))]
    finally:
        for made in path.parent.glob("new*"):
            made.unlink()


def fuzz_shard_table(path: Path) -> object:
    """Join a changed table with another, each with a record that fits, as a stranger writes it."""
    for number in (1, 2):
        table = path.with_name(f"table.{number}-of-2.csv")
        made_with = {"run": "first"}
        record = ShardRecord(
            shard=f"{number}/2", identity="some", made_with=made_with, listed=4, names="0f",
            table=digest_table(table),
        )  # fmt: skip
        write_record(table, record)
    whole = path.with_name("table.csv")
    try:
        return str(join_tables(whole, allow_missing=False)), whole.read_bytes()
    finally:
        for made in path.parent.glob("table*"):
            if made.suffix == ".json" or "-of-" not in made.name:
                made.unlink()


def fuzz_shard_record(path: Path) -> object:
    record = read_shard_record(path.with_suffix(".csv"))
    return record and record.model_dump_json()


def fuzz_audio_settings(path: Path) -> object:
    return read_audio_settings(path.parent).model_dump_json()


def fuzz_weights(path: Path) -> object:
    with suppress_native_stderr():  # TensorFlow, imported by this target's processes alone
        from deepfake_audio.training.weights import load_weights

        network = small_network()
        load_weights(network, path, SETTINGS.limits)
    return [weights.tobytes() for weights in network.get_weights()]


def fuzz_hdf5(path: Path) -> object:
    """Read changed HDF5 in an archive that is whole, or its checksum would hide every change."""
    archive = path.with_name("model.keras")
    archive.write_bytes(keras_archive(path.read_bytes()))
    try:
        return fuzz_weights(archive)
    finally:
        archive.unlink()


@cache
def small_network():
    from model import build_model

    settings = load_settings(None, SMALL)
    return build_model(settings.model, settings.image)


def fuzz_settings(path: Path) -> object:
    return load_settings(path).model_dump_json()


def fuzz_model(path: Path) -> object:
    return check_graph(path.read_bytes(), str(path), SETTINGS.limits)


def fuzz_record(path: Path) -> object:
    return record_files.read_record(run_folder.Run(path.parent)).model_dump_json()
