"""Fit the last layer of each network of a run again, on clips in noise, rooms and codecs.

    python -m research.last_layers CORPUS... --run models/pretrained --name robust

Convolutions stay, and only weights of the last layers change. So a few thousand clips are enough,
and it takes no GPU. CORPUS is any corpus that prepare.py reads; of one with splits only the
training clips are used. Each clip is used as it is, and in --copies conditions of different kinds.

The score of a file is linear in the inputs of the last layers, which are averaged over its windows.
So this is a logistic regression. Weights far from the present ones cost --penalty: those of the run
were learnt from other fakes too. Both classes count alike, and within a class each generator and
corpus by the root of its number of clips.

The new run has the calibration of the clips as they are. Fit it to recordings that the network has
not learnt from:

    python calibrate.py --recordings OTHER --run runs/robust --name calibrated
"""

import argparse
import hashlib
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import optimize
from tqdm import tqdm

from deepfake_audio.audio.conditions import read_voices
from deepfake_audio.audio.recordings import read_audio
from deepfake_audio.audio.sampled_conditions import change_pieces
from deepfake_audio.audio.sounds import Samples
from deepfake_audio.cli.arguments import Parser, add_name_option
from deepfake_audio.cli.messages import print_error, print_lines
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.cli.training import check_packages
from deepfake_audio.conditions.images import window_images
from deepfake_audio.conditions.judging import babble_voices
from deepfake_audio.config.schema import Settings
from deepfake_audio.corpora.reading import Clip, read_corpus
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.error_rates import equal_error_rate
from deepfake_audio.models import record_files, run_creation, run_search
from deepfake_audio.models.calibration import Calibration, fit_calibration
from deepfake_audio.system.workers import in_processes
from deepfake_audio.vocabulary import LABELS

# How often a copy gets a condition of each kind, relative to the others.
SHARES = {
    "noise": 4, "room": 3, "replayed": 1.5, "chain": 2, "opus": 2, "aac": 2, "telephone": 1.5,
    "amr": 1, "mp3": 0.7, "echo": 0.7, "gsm": 0.7, "band_limit": 0.7,
}  # fmt: skip
COPIES = 4
PENALTY = 0.1
CLIPS_AT_ONCE = 4
MIN_CLIPS = 100  # of each class
CHECKED_IMAGES = 32
MIN_DEVIATION = 1e-6  # an input that never changes


class Heard(NamedTuple):
    """A clip in one condition.

    Attributes:
        clip: of a corpus.
        is_changed: by a condition.
        images: of its windows, uint8 `(windows, height, width, channels)`.
    """

    clip: Clip
    is_changed: bool
    images: np.ndarray


class LastLayers:
    """The last dense layer of each network of an ensemble, or of a single network.

    The score is linear in their inputs: the mean over the networks of `inputs @ kernel + bias`,
    less the running mean of a `OneSidedEvidence` that follows.
    """

    def __init__(self, network):
        import keras

        from deepfake_audio.training.layers import OneSidedEvidence
        from deepfake_audio.training.score_model import member_networks

        members = member_networks(network)
        self._layers = [
            [layer for layer in member.layers if isinstance(layer, keras.layers.Dense)][-1]
            for member in members
        ]
        self._shifts = [
            sum(
                float(layer.running_mean.numpy())
                for layer in member.layers
                if isinstance(layer, OneSidedEvidence)
            )
            for member in members
        ]
        image = keras.Input(network.input_shape[1:])
        parts = [
            keras.Model(member.inputs, layer.input)(image)
            for member, layer in zip(members, self._layers, strict=True)
        ]
        joined = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
        self._model = keras.Model(image, joined)

    def inputs_of(self, files: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Compute the inputs of the last layers, averaged over the windows of each file.

        Args:
            files: of each, its images `(windows, height, width, channels)`.

        Returns:
            Of each file float32 `(inputs,)`.
        """
        if not files:
            return []
        of_windows = self._model.predict_on_batch(np.concatenate(files).astype(np.float32))
        ends = np.cumsum([len(images) for images in files])[:-1]
        return [part.mean(axis=0) for part in np.split(np.asarray(of_windows), ends)]

    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """Return the log-odds of real, float64 `(files,)`, for inputs `(files, inputs)`."""
        weights, bias = self._linear()
        return inputs @ weights + bias

    def replace(self, weights: np.ndarray, bias: float) -> None:
        """Set the kernels and biases so that the score is `inputs @ weights + bias`."""
        count, first = len(self._layers), 0
        for layer, shift in zip(self._layers, self._shifts, strict=True):
            kernel, _ = layer.get_weights()
            own = weights[first : first + len(kernel)]
            layer.set_weights([count * own[:, None], np.array([bias + shift])])
            first += len(kernel)

    def _linear(self) -> tuple[np.ndarray, float]:
        """Return the weights `(inputs,)` and the bias of the score."""
        kernels, biases = zip(*(layer.get_weights() for layer in self._layers), strict=True)
        count = len(kernels)
        weights = np.concatenate(kernels)[:, 0].astype(np.float64) / count
        return weights, float(np.concatenate(biases).sum() - sum(self._shifts)) / count

    def fit(
        self, inputs: np.ndarray, is_real: np.ndarray, weights: np.ndarray, penalty: float
    ) -> None:
        """Fit the layers by logistic regression, near their present weights.

        The new score is `a * score + b + change @ standardised inputs`, and
        `penalty / 2 * change @ change` is added to the mean cross-entropy.

        Args:
            inputs: `(files, inputs)`.
            is_real: 1 real, 0 fake `(files,)`.
            weights: of the files; their sum does not matter.
            penalty: above 0; a high one only scales and shifts the score.
        """
        mean, deviation = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), MIN_DEVIATION)
        standard = (inputs - mean) / deviation
        before, share = self.scores(inputs), weights / weights.sum()

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            factor, shift, change = parameters[0], parameters[1], parameters[2:]
            score = factor * before + shift + standard @ change
            entropy = np.logaddexp(0, np.where(is_real == 1, -score, score))
            error = share * (1 / (1 + np.exp(-score)) - is_real)
            slopes = [error @ before, error.sum(), *(standard.T @ error + penalty * change)]
            return float(share @ entropy + penalty / 2 * change @ change), np.array(slopes)

        start = np.concatenate([[1.0, 0.0], np.zeros(inputs.shape[1])])
        found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B").x
        old_weights, old_bias = self._linear()
        change = found[2:] / deviation
        self.replace(
            found[0] * old_weights + change, found[0] * old_bias + found[1] - mean @ change
        )


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    check_packages(["pyroomacoustics"])
    from deepfake_audio.training.ensemble import save_network
    from deepfake_audio.training.export import export_onnx
    from deepfake_audio.training.weights import load_network
    from model import build_model

    source, record, settings = run_search.open_run(args.run, or_pretrained=True)
    run_creation.new_run(args.name, Path(args.corpora[0]))
    clips = [clip for corpus in args.corpora for clip in training_clips(Path(corpus))]
    check_classes(clips)
    network = load_network(build_model, source.keras_model, settings)
    last_layers = LastLayers(network)
    files, inputs, images, failed = [], [], [], 0
    with tqdm(desc="Hearing", total=len(clips), unit=" clips") as progress:
        for heard, errors in hear(clips, settings, args.copies):
            progress.update(CLIPS_AT_ONCE)
            for error in errors:
                print_error(error)
            failed += len(errors)
            files += [(each.clip, each.is_changed) for each in heard]
            inputs += last_layers.inputs_of([each.images for each in heard])
            images += [each.images[0] for each in heard[: CHECKED_IMAGES - len(images)]]
    if not inputs:
        raise InputError("no clip can be read; give other recordings")
    inputs = np.stack(inputs)
    is_real = np.array([LABELS.index(clip.label) for clip, _ in files])
    before = last_layers.scores(inputs)
    last_layers.fit(inputs, is_real, weights_of(files), args.penalty)
    run = run_creation.create_run(
        args.name, settings, record.data_fingerprint, record.images_from_audio,
        learnt=record_files.known_data(record),
    )  # fmt: skip
    try:
        save_network(network, run)
        export_onnx(run, np.stack(images).astype(np.float32), settings, build_model)
        as_they_are = np.array([not is_changed for _, is_changed in files])
        scores = last_layers.scores(inputs)
        ended = {
            "status": "finished",
            "created": datetime.now(UTC),
            "parts": record.parts,
            "best_epoch": record.best_epoch,
            "calibration": Calibration(*fit_calibration(is_real[as_they_are], scores[as_they_are])),
        }
        new = record_files.read_record(run).model_copy(update=ended)
        record_files.commit_model(run, new, settings)
    except BaseException:
        shutil.rmtree(run.folder, ignore_errors=True)
        raise
    for name, chosen in (("as they are", as_they_are), ("in conditions", ~as_they_are)):
        rates = [equal_error_rate(is_real[chosen], each[chosen]).rate for each in (before, scores)]
        print_lines(
            f"{name:13} {chosen.sum():6,} files, EER {rates[0]:.1%} before, {rates[1]:.1%} now"
        )
    print_lines(f"Kept in {run.folder}. Calibrate it next: python calibrate.py --recordings OTHER")
    return EXIT_SOME_FAILED if failed else EXIT_OK


def training_clips(folder: Path) -> list[Clip]:
    """Return the clips of a corpus to learn from: all, or those of its training split."""
    clips = read_corpus(folder).clips
    has_splits = any(clip.split for clip in clips)
    return [clip for clip in clips if clip.split == "train" or not has_splits]


def check_classes(clips: Sequence[Clip]) -> None:
    for label in LABELS:
        count = sum(clip.label == label for clip in clips)
        if count < MIN_CLIPS:
            raise InputError(f"there are {count} {label} clips; give at least {MIN_CLIPS}")


def weights_of(files: Sequence[tuple[Clip, bool]]) -> np.ndarray:
    """Return the weight of each file: classes alike, their groups by the root of their size."""
    groups = [(clip.label, clip.corpus, clip.attack) for clip, _ in files]
    sizes = Counter(groups)
    weights = np.array([sizes[group] ** -0.5 for group in groups])
    labels = np.array([label for label, *_ in groups])
    for label in LABELS:
        weights[labels == label] /= weights[labels == label].sum()
    return weights


def hear(
    clips: Sequence[Clip], settings: Settings, copies: int
) -> Iterator[tuple[list[Heard], list[str]]]:
    """Yield a few clips at a time as they are and in conditions, and the errors."""
    voices = babble_voices(clips)
    calls = (
        (clips[first : first + CLIPS_AT_ONCE], settings, copies, voices)
        for first in range(0, len(clips), CLIPS_AT_ONCE)
    )
    return in_processes(_hear, calls, 0, "renders")


def _hear(
    clips: Sequence[Clip], settings: Settings, copies: int, voices: tuple[Path, ...]
) -> tuple[list[Heard], list[str]]:
    heard, errors, rate_hz = [], [], settings.audio.sample_rate_hz

    def images_of(sound: np.ndarray) -> np.ndarray:
        return window_images(Samples(sound[:, None], rate_hz), settings)

    shares = np.array(list(SHARES.values())) / sum(SHARES.values())
    for clip in clips:
        digest = hashlib.sha256(clip.name.encode()).digest()
        random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        kinds = random.choice(list(SHARES), copies, replace=False, p=shares)
        try:
            samples = read_audio(clip.path, rate_hz)
            heard.append(Heard(clip, False, images_of(samples)))
            for kind in map(str, kinds):
                known = read_voices(voices, rate_hz)
                changed = np.concatenate(
                    list(change_pieces(kind, [samples], rate_hz, random, known))
                )
                heard.append(Heard(clip, True, images_of(changed)))
        except InputError as error:
            errors.append(str(error))
    return heard, errors


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(prog="last_layers", description=__doc__)
    parser.add_argument("corpora", nargs="+", metavar="CORPUS")
    parser.add_argument("--run", metavar="NAME", help="a folder below runs/, or a path")
    add_name_option(parser, "of the new run below runs/")
    parser.add_argument(
        "--copies", type=int, default=COPIES, metavar="N",
        help=f"conditions of each clip, at most {len(SHARES)} (default: {COPIES})",
    )  # fmt: skip
    parser.add_argument(
        "--penalty", type=float, default=PENALTY, metavar="NUMBER",
        help=f"a higher one changes less (default: {PENALTY})",
    )  # fmt: skip
    args = parser.parse_args(argv)
    if not 1 <= args.copies <= len(SHARES):
        raise InputError(f"--copies {args.copies}; give 1 to {len(SHARES)}")
    if not 0 < args.penalty < float("inf"):
        raise InputError(f"--penalty {args.penalty}; give a number above 0")
    return args


if __name__ == "__main__":
    sys.exit(main())
