"""Measure whether the places that a report marks lie in the fake passages of spliced recordings.

    python -m tools.fakes.spliced_recordings BENCH data/spliced --split test --fake-seconds 4 6 \
        --real-seconds 4 6 --recordings 24
    python -m research.marked_places data/spliced

Only windows within one passage count. "Above the limit" is the share of places whose removal raises
the score by `occlusion.MIN_EFFECT`; "strongest six" is the share of the six strongest places of a
recording that lie in its fake passage, beside the share that chance would give. "Repeats" is the
share of windows whose repetition speaks for fake.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deepfake_audio.audio.recordings import open_recording
from deepfake_audio.audio.windows import recording_windows
from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.messages import print_lines
from deepfake_audio.cli.script import EXIT_OK, script
from deepfake_audio.detector import Detector
from deepfake_audio.evaluation.localisation import Span, read_passages
from deepfake_audio.features.image_files import fit_image
from deepfake_audio.features.spectrogram import spectrogram_image
from deepfake_audio.inference.occlusion import (
    BANDS,
    MIN_EFFECT,
    MIN_REPETITION_EFFECT,
    band_effects,
    repetition_effects,
)
from deepfake_audio.vocabulary import LABELS

STRONGEST = 6


def is_within(starts: np.ndarray, spans: Sequence[Span], seconds: float) -> np.ndarray:
    """Return which windows lie within one of the spans, bool `(windows,)`."""
    inside = np.zeros(len(starts), bool)
    for start, end in spans:
        inside |= (starts >= start) & (starts + seconds <= end)
    return inside


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(prog="marked_places", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="recordings with passages.csv")
    parser.add_argument("--run", default="models/pretrained", metavar="NAME")
    args = parser.parse_args(argv)
    detector = Detector.load(args.run)
    settings, places = detector.settings, {label: [] for label in LABELS}
    repeats, hits, chances = {label: [] for label in LABELS}, [], []
    for name, truth in read_passages(args.folder).items():
        windows = list(
            recording_windows(open_recording(args.folder / name, settings.audio), settings.audio)
        )
        starts = np.array([start for start, _ in windows])
        images = [
            fit_image(spectrogram_image(sound, settings.audio), settings.image)
            for _, sound in windows
        ]
        inside = {
            label: is_within(starts, truth.get(label, []), settings.audio.window_seconds)
            for label in LABELS
        }
        effects = band_effects(detector.model, images)
        rises = repetition_effects(detector.model, images)
        for label in LABELS:
            places[label] += (effects[inside[label]] >= MIN_EFFECT).ravel().tolist()
            repeats[label] += (rises[inside[label]] >= MIN_REPETITION_EFFECT).tolist()
        counted = inside["fake"] | inside["real"]
        is_fake = np.repeat(inside["fake"][counted], BANDS)
        hits.append(is_fake[np.argsort(-effects[counted], axis=None)[:STRONGEST]].mean())
        chances.append(is_fake.mean())
    print_lines(f"{'':6}{'places':>8}{'above the limit':>17}{'repeats':>9}")
    for label in LABELS:
        shares = np.mean(places[label]), np.mean(repeats[label])
        print_lines(f"{label:6}{len(places[label]):8,}{shares[0]:17.1%}{shares[1]:9.1%}")
    print_lines(
        f"strongest six in the fake passage: {np.mean(hits):.0%}; by chance {np.mean(chances):.0%}"
    )
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
