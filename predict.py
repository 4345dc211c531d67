"""Say of spectrogram images whether the voice is real or fake.

    python predict.py path/to/image.png             one line: verdict, confidence, file
    python predict.py a.png b.png folder/           several files, and every image in a folder
    python predict.py --run first image.png         with runs/first instead of the newest run
    python predict.py --json folder/                one JSON object a line, for machines
    python predict.py --csv verdicts.csv folder/    and a table of them in a file

The confidence is the probability of the verdict, calibrated on the run's validation images: it
means something for voices recorded like those. A file that can't be read is named and skipped; the
exit code is then 1.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from deepfake_audio import runs, scoring
from deepfake_audio.config import ImageSettings
from deepfake_audio.dataset import find_images
from deepfake_audio.errors import EXIT_OK, EXIT_SOME_FAILED, UserError, one_line, report, script
from deepfake_audio.files import replacing
from deepfake_audio.images import read_image
from deepfake_audio.scoring import Calibration

FIELDS = ("verdict", "confidence", "p_real", "score", "file")
MOST_SHOWN = 0.999


@script
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_arguments(argv)
    run, record, settings = runs.open_run(args.run)
    model = scoring.load_model(run.onnx_model, settings.score.threads)

    failures: list[UserError] = []
    verdicts = []
    images = read_images(args.files, settings.image, failures)
    for path, score in scoring.score_stream(model, images, settings.score.batch_size):
        verdict = judge(path, score, record.calibration)
        print(json.dumps(verdict) if args.json else format_verdict(verdict))
        verdicts.append(verdict)
    if args.csv:
        write_csv(Path(args.csv), verdicts)
    if failures:
        print(f"{len(failures)} files could not be judged.", file=sys.stderr)
    return EXIT_SOME_FAILED if failures else EXIT_OK


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="predict.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="images, or folders of images")
    parser.add_argument(
        "--run", metavar="NAME", help="a folder below runs/, or a path (default: the newest run)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--csv", metavar="FILE", help="also write the verdicts as a table")
    return parser.parse_args(argv)


def read_images(
    names: Iterable[str], settings: ImageSettings, failures: list[UserError]
) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield each file's path and image, and go on past those that can't be read.

    Args:
        names: files and folders.
        settings: what the run's network is shown.
        failures: takes the error of each file that could not be read; it is reported at once.
    """
    for path in expand_folders(names, failures):
        try:
            yield path, read_image(path, settings)
        except UserError as error:
            report(error)
            failures.append(error)


def expand_folders(names: Iterable[str], failures: list[UserError]) -> Iterator[Path]:
    """Yield each file, and the images of each folder; a folder without any is a failure."""
    for name in names:
        path = Path(name)
        images = find_images(path) if path.is_dir() else [path]
        if not images:
            failures.append(
                UserError(f"A folder must hold images. Received: {path}, which has none.")
            )
            report(failures[-1])
        yield from images


def judge(path: Path, score: float, calibration: Calibration) -> dict:
    """Return the verdict on one file: more likely real, or fake, and how likely."""
    p_real = float(calibration.probability_real(score))
    return {
        "verdict": "REAL" if p_real >= 0.5 else "FAKE",
        "confidence": round(max(p_real, 1 - p_real), 6),
        "p_real": round(p_real, 6),
        "score": round(score, 6),
        "file": str(path),
    }


def format_verdict(verdict: dict) -> str:
    """Return one line for people; no confidence is shown as more than 99.9%.

    >>> format_verdict({"verdict": "FAKE", "confidence": 0.97, "file": "call.png"})
    'FAKE   97.0%  call.png'
    """
    confidence = min(verdict["confidence"], MOST_SHOWN)
    return f"{verdict['verdict']:4} {confidence:7.1%}  {one_line(verdict['file'])}"


def write_csv(path: Path, verdicts: Sequence[dict]) -> None:
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(verdicts)


if __name__ == "__main__":
    sys.exit(main())
