"""Measure how the windows of real and fake speech score, for the constants of passages.

    python -m tools.fakes.spliced_recordings BENCH data/spliced --split val
    python -m research.passage_windows data/spliced --run models/pretrained

Only windows within one passage count. Prints the mean and deviation of the calibrated
log-likelihood ratios (LLR), their correlation between windows of one passage that overlap (lag 1)
and that do not (lag 2), and the equal error rate of single windows. deepfake_audio/inference/
passages.py has constants from it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.messages import print_lines
from deepfake_audio.cli.script import EXIT_OK, script
from deepfake_audio.detector import Detector
from deepfake_audio.evaluation.error_rates import equal_error_rate
from deepfake_audio.evaluation.localisation import Span, read_passages
from deepfake_audio.inference.result import Result
from deepfake_audio.vocabulary import LABELS

LAGS = (1, 2, 4)


def passage_llrs(result: Result, spans: Sequence[Span], window_seconds: float) -> list[np.ndarray]:
    """Return the LLRs of the usable windows within each passage, `(windows,)` each."""
    starts = np.array([window.start_seconds for window in result.windows])
    order = np.argsort(starts, kind="stable")
    starts, llr = starts[order], np.array([window.llr for window in result.windows])[order]
    usable = result.usable[order]
    return [
        llr[usable & (starts >= start) & (starts + window_seconds <= end)] for start, end in spans
    ]


def correlation(passages: Sequence[np.ndarray], lag: int) -> float:
    """Return the correlation of windows of one passage that are `lag` windows apart."""
    pairs = [np.stack([llr[:-lag], llr[lag:]]) for llr in passages]
    return float(np.corrcoef(np.concatenate(pairs, axis=1))[0, 1])


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(prog="passage_windows", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="recordings with passages.csv")
    parser.add_argument("--run", default="models/pretrained", metavar="NAME")
    args = parser.parse_args(argv)
    detector, truth = Detector.load(args.run), read_passages(args.folder)
    seconds = detector.settings.audio.window_seconds
    names, passages = {str(args.folder / name): name for name in truth}, {x: [] for x in LABELS}
    for result in detector.predict_many(names):
        for label, spans in truth[names[result.name]].items():
            passages[label] += passage_llrs(result, spans, seconds)
    lags = "".join(f"{f'lag {lag}':>8}" for lag in LAGS)
    print_lines(f"{'':6}{'windows':>9}{'mean':>8}{'deviation':>11}{lags}")
    for label, found in passages.items():
        llr = np.concatenate(found)
        lags = "".join(f"{correlation(found, lag):8.2f}" for lag in LAGS)
        print_lines(f"{label:6}{len(llr):9,}{llr.mean():8.2f}{llr.std():11.2f}{lags}")
    llr = [np.concatenate(passages[label]) for label in LABELS]
    is_real = np.repeat([0, 1], list(map(len, llr)))
    rate = equal_error_rate(is_real, np.concatenate(llr)).rate
    print_lines(f"EER of single windows: {rate:.1%}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
