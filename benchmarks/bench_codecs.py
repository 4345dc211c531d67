"""Measure detection of fakes after codecs and with echoes.

    python -m benchmarks.bench_codecs FOLDER                     your newest run, or the shipped one
    python -m benchmarks.bench_codecs FOLDER --run NAME --split val
    python -m benchmarks.bench_codecs FOLDER --only opus-24      may be repeated

FOLDER holds audio with a table that names label and split, or a public corpus; without splits, all
files are used. The run must not have been trained on it. Every file is judged as it is, through
each codec and with each echo, as predict.py does. A row has the EER with its 95% interval, the
expected calibration error (ECE), and the shares of real and of fake files that are called FAKE,
UNCERTAIN and REAL. Files that cannot be judged are reported and left out; a codec without any real
or any fake file has no row. Sound is resampled to the run's sample rate before it is coded.
"""

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
from joblib import delayed
from tqdm import tqdm

import predict
from deepfake_audio.audio.codecs import CODECS, write_coded
from deepfake_audio.audio.windows import read_audio
from deepfake_audio.cli.arguments import Parser
from deepfake_audio.cli.messages import print_error
from deepfake_audio.cli.script import EXIT_OK, EXIT_SOME_FAILED, script
from deepfake_audio.config.schema import Settings
from deepfake_audio.corpora.reading import Clip, read_corpus
from deepfake_audio.errors import InputError, OutputError, renamed_in_errors
from deepfake_audio.evaluation.score_formats import make_table
from deepfake_audio.evaluation.summary import evaluate_scores
from deepfake_audio.evaluation.text_report import in_brackets
from deepfake_audio.models.calibration import Calibration
from deepfake_audio.models.run_folder import open_run
from deepfake_audio.system.atomic_files import is_file, open_regular
from deepfake_audio.system.workers import in_processes
from deepfake_audio.vocabulary import VERDICTS

USES = {  # codec, sample rate in Hz, thousands of bits a second
    "mp3-64": ("mp3", 44_100, 64),
    "aac-64": ("aac", 44_100, 64),
    "aac-24": ("aac", 24_000, 24),
    "opus-24": ("opus", 48_000, 24),
    "opus-12": ("opus", 48_000, 12),
    "telephone": ("telephone", 8_000, 64),
}
ECHOES = {"echo-50": (0.05, 0.1), "echo-120": (0.12, 0.3)}  # seconds, share of the amplitude
AS_IT_IS = "none"
CHOICES = [AS_IT_IS, *USES, *ECHOES]


def write_file(clip: Clip, path: Path, use: str, heard_hz: int) -> InputError | None:
    """Write a clip as a codec does, or with an echo; return why that can't be done."""
    try:
        with renamed_in_errors(f"{clip.path} after {use}", path):
            samples = read_audio(clip.path, heard_hz)
            if use in ECHOES:
                soundfile.write(path, with_echo(samples, heard_hz, *ECHOES[use]), heard_hz)
            else:
                codec, rate_hz, kbits = USES[use]
                write_coded(path, [samples], heard_hz, CODECS[codec], rate_hz, kbits)
            open_regular(path, "A clip's sound after a codec").close()
    except OutputError:
        raise
    except InputError as error:
        return error
    return None


def with_echo(
    samples: np.ndarray, sample_rate_hz: int, delay_seconds: float, gain: float
) -> np.ndarray:
    """Return samples and their echo, quieter where full scale would be passed."""
    later = np.zeros(round(delay_seconds * sample_rate_hz), samples.dtype)
    echoed = np.concatenate([samples, later]) + gain * np.concatenate([later, samples])
    return echoed / max(1, np.abs(echoed).max())


def coded_files(clips: Sequence[Clip], place: Path, use: str, heard_hz: int) -> list[Path]:
    """Return each clip as the codec leaves it; what can't be read is reported."""
    if use == AS_IT_IS:
        return [clip.path for clip in clips]
    suffix = ".flac" if use in ECHOES else CODECS[USES[use][0]].suffix
    paths = [place / f"{number:06}{suffix}" for number in range(len(clips))]
    pairs = zip(clips, paths, strict=True)
    written = (delayed(write_file)(*pair, use, heard_hz) for pair in pairs)
    for error in filter(None, in_processes(written, 0, "codes")):
        print_error(error)
    return paths


def judge(
    clips: Sequence[Clip], files: Sequence[Path], run: Sequence[str], place: Path
) -> list[tuple[Clip, dict]]:
    """Return each clip with its row of predict.py; files without a score are reported."""
    table = place / "verdicts.csv"
    with redirect_stdout(io.StringIO()):
        code = predict.main([*map(str, filter(is_file, files)), *run, "--csv", str(table)])
    if code not in (EXIT_OK, EXIT_SOME_FAILED):
        sys.exit(code)
    with table.open(newline="", encoding="utf-8") as file:
        said = {row["file"]: row for row in csv.DictReader(file)}
    judged = []
    for clip, file in zip(clips, map(str, files), strict=True):
        if said.get(file, {}).get("score"):
            judged.append((clip, said[file]))
        elif file in said and not said[file]["error"]:  # which was reported when it was read
            print_error(InputError(f"no score for {clip.path}: {said[file]['warning']}"))
    return judged


def format_use(
    use: str,
    clips: Sequence[Clip],
    verdicts: Sequence[Mapping],
    calibration: Calibration,
    settings: Settings,
) -> str:
    """Format the row of a codec from the verdicts on clips."""
    scores = np.array([float(said["score"]) for said in verdicts])
    table = make_table(
        {
            "file": clip.name, "split": "test", "label": clip.label, "speaker": clip.speaker,
            "attack": clip.attack, "codec": "", "corpus": clip.corpus,
            "score": score, "llr": llr,
        }
        for clip, score, llr in zip(clips, scores, calibration.llr(scores), strict=True)
    )  # fmt: skip
    figures = evaluate_scores(table, settings.evaluate, settings.predict)
    row = f"{use:10}{figures['eer']:7.1%} {in_brackets(figures['intervals'].get('eer')):15}"
    row += f"{figures['ece']:6.1%}"
    for label in ("real", "fake"):
        of_class = [
            said["verdict"]
            for clip, said in zip(clips, verdicts, strict=True)
            if clip.label == label
        ]
        row += "".join(f"{of_class.count(v) / len(of_class):>10.0%}" for v in VERDICTS)
    return row


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser(prog="-m benchmarks.bench_codecs", description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("--run", metavar="NAME", help="as predict.py takes it")
    parser.add_argument("--split", default="test", help="which files (default: test)")
    parser.add_argument("--only", action="append", choices=CHOICES, metavar="CODEC")
    args = parser.parse_args(argv)
    clips = [c for c in read_corpus(args.folder).clips if c.split in ("", args.split)]
    if {clip.label for clip in clips} != {"real", "fake"}:
        raise InputError(
            f"{args.folder} lacks real or fake files in the split {args.split}; name another "
            "--split"
        )
    _, record, settings = open_run(args.run, or_pretrained=True)
    run, code, rows = ["--run", args.run] if args.run else [], EXIT_OK, []
    for use in tqdm(args.only or CHOICES, unit=" codecs"):
        with TemporaryDirectory() as folder:
            files = coded_files(clips, Path(folder), use, settings.audio.sample_rate_hz)
            said = judge(clips, files, run, Path(folder))
        code = code if len(said) == len(clips) else EXIT_SOME_FAILED
        if {clip.label for clip, _ in said} == {"real", "fake"}:
            rows.append(format_use(use, *zip(*said, strict=True), record.calibration, settings))
    print(f"\n{'':39}{'real files called':>30}{'fake files called':>30}")
    print(
        f"{'codec':10}{'EER':>7} {'95%':15}{'ECE':>6}" + "".join(f"{v:>10}" for v in VERDICTS) * 2
    )
    print("\n".join(rows))
    return code


if __name__ == "__main__":
    sys.exit(main())
