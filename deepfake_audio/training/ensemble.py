"""Combine the networks of several runs into one file of weights."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from deepfake_audio.config.schema import Settings
from deepfake_audio.models.run_folder import Run
from deepfake_audio.models.run_search import OpenedRun
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.training.score_model import member_networks
from deepfake_audio.training.weights import load_network


def member_weights(build_model: Callable[..., keras.Sequential], member: OpenedRun) -> list[list]:
    """Return the weights of each network of a run."""
    network = load_network(build_model, member.run.keras_model, member.settings)
    return [each.get_weights() for each in member_networks(network)]


def save_ensemble(
    build_model: Callable[..., keras.Sequential],
    run: Run,
    settings: Settings,
    weights: Sequence[list],
) -> None:
    """Write `model.keras` with the weights of each network, in the order of `model.inputs`."""
    network = build_model(settings.model, settings.image)
    for member, values in zip(member_networks(network), weights, strict=True):
        member.set_weights(values)
    with atomic_write(run.keras_model) as partial:
        network.save(partial)
        _compress(partial)


def _compress(archive: Path) -> None:
    """Compress the members of a zip archive, which Keras stores with padding."""
    with zipfile.ZipFile(archive) as stored:
        members = {info: stored.read(info) for info in stored.infolist()}
    with zipfile.ZipFile(archive, "w") as compressed:
        for info, content in members.items():
            compressed.writestr(info, content, zipfile.ZIP_DEFLATED)
