"""Feed changed files to the readers until the time is up, and print what they could not stand.

    python -m tests.fuzz                    one minute
    python -m tests.fuzz 600 --seed 2       ten minutes, other changes

Images, sound, protocols, tables of scores, settings, models, weights and the records of runs and
data folders take turns. A reader may return something finite, the same each time, or raise a
InputError of one line. Anything else is a finding: another exception, a number that is none, two
answers for one file, more than 2 GB of memory or more than 20 seconds of the processor (not of the
clock: a busy machine is no finding). The files are tried in child processes, in batches, so that a
crash of a decoder is found too; the file is then kept in fuzz-findings/.
"""

import argparse
import io
import json
import multiprocessing
import resource
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import av
import cv2
import h5py
import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from deepfake_audio.audio.recordings import open_recording
from deepfake_audio.audio.windows import recording_windows
from deepfake_audio.config.loading import load_settings
from deepfake_audio.corpora.reading import read_corpus
from deepfake_audio.dataset.journal import QUALITY_MEASURES, is_complete, read_journal
from deepfake_audio.dataset.manifest import read_manifest
from deepfake_audio.dataset.provenance import (
    AUDIO_SETTINGS,
    read_audio_settings,
    write_audio_settings,
)
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.score_matching import read_scores
from deepfake_audio.evaluation.score_reading import read_asv_scores
from deepfake_audio.evaluation.score_table import ScoreTable
from deepfake_audio.features.image_files import read_image
from deepfake_audio.features.spectrogram import spectrogram_image
from deepfake_audio.models import history, record_files, run_creation, run_folder
from deepfake_audio.models.onnx_check import check_graph
from deepfake_audio.system.atomic_files import atomic_write
from deepfake_audio.system.stderr import suppress_native_stderr
from deepfake_audio.vocabulary import JOURNAL

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = load_settings()
BATCH, SECONDS_A_FILE = 200, 20
SECONDS_WITHOUT_ANY = 300  # a file that waits for something takes no time of the processor
MOST_KILOBYTES = 2_000_000
FINDINGS = Path("fuzz-findings")
HEADER_BYTES = 300
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)
SMALL = (
    "image.height=8", "image.width=8", "model.conv_filters=[2]", "model.dense_units=2",
    "model.batch_norm=false",
)  # fmt: skip
WEIGHT_SHAPES = {  # of the network of these settings, as Keras names its layers
    "conv2d": ((3, 3, 1, 2), (2,)), "dense": ((2, 2), (2,)), "dense_1": ((2, 1), (1,)),
}  # fmt: skip
BESIDE = {  # files that a target's reader needs beside the changed one
    "protocol": {"a.wav": b"RIFF", "b.wav": b"RIFF"},
    "scores": {"keys.tsv": b"filename cm-label\na bonafide\nb spoof\n"},
    "keys": {"scores.txt": b"a 1.5\nb -2\n"},
}


def fuzz_image(path: Path) -> object:
    return read_image(path, SETTINGS.image).tobytes()


def fuzz_sound(path: Path) -> object:
    recording = open_recording(path, SETTINGS.audio, max_hours=0.2)
    windows = recording_windows(recording, SETTINGS.audio, max_windows=4)
    drawn = [spectrogram_image(window, SETTINGS.audio).tobytes() for _, window in windows]
    return recording.samples, float(recording.loudest_power), drawn


def fuzz_protocol(path: Path) -> object:
    return len(read_corpus(path.parent).clips)


def fuzz_manifest(path: Path) -> object:
    return len(read_manifest(path))


def fuzz_scores(path: Path) -> object:
    own = path.name == "scores.csv"
    return columns_of(read_scores(path, None if own else path.with_name("keys.tsv"), None))


def fuzz_keys(path: Path) -> object:
    return columns_of(read_scores(path.with_name("scores.txt"), path, None))


def columns_of(table: ScoreTable) -> list[list]:
    return [values.tolist() for values in vars(table).values()]


def fuzz_asv_scores(path: Path) -> object:
    return {key: scores.tolist() for key, scores in read_asv_scores(path).items()}


def fuzz_history(path: Path) -> object:
    return json.dumps(history.read_history(run_folder.Run(path.parent)))  # a loss may be no number


def fuzz_journal(path: Path) -> object:
    return [(json.dumps(entry), is_complete(entry)) for entry in read_journal(path).values()]


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


def image_seeds() -> list[tuple[str, bytes]]:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    seeds = []
    for suffix in (".png", ".jpg", ".bmp", ".webp", ".tif"):
        for some in (pixels, pixels[..., 0], pixels.astype(np.uint16) * 257):
            if some.dtype == np.uint8 or suffix in (".png", ".tif"):
                seeds.append((f"image{suffix}", cv2.imencode(suffix, some)[1].tobytes()))
    progressive = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1]
    return [*seeds, ("image.jpg", progressive.tobytes())]


def sound_seeds() -> list[tuple[str, bytes]]:
    samples = np.random.default_rng(0).normal(0, 0.1, (6000, 2))
    forms = [("WAV", s) for s in ("PCM_16", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM", "GSM610")]
    forms += [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("AIFF", "PCM_16")]
    forms += [("MP3", "MPEG_LAYER_III"), ("CAF", "PCM_16"), ("AU", "PCM_16"), ("W64", "PCM_16")]
    seeds = []
    for form, subtype in forms:
        file = io.BytesIO()
        mono = samples[:, 0] if subtype == "GSM610" else samples
        soundfile.write(file, mono, 16_000, subtype, format=form)
        seeds.append((f"sound.{form.lower()}", file.getvalue()))
    codecs = {"m4a": "aac", "webm": "libopus", "mka": "ac3", "amr": "libopencore_amrnb"}
    return seeds + [(f"sound.{form}", encode(form, codec)) for form, codec in codecs.items()]


def encode(suffix: str, codec: str) -> bytes:
    """Encode half a second of noise with FFmpeg's libraries."""
    rate_hz = 8000 if suffix == "amr" else 48_000
    samples = np.random.default_rng(0).normal(0, 0.1, (1, rate_hz // 2)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"sound.{suffix}")
        with av.open(str(path), "w", format="matroska" if suffix == "mka" else None) as container:
            stream = container.add_stream(codec, rate=rate_hz)
            stream.layout = "mono"
            resampler = av.AudioResampler(stream.format, "mono", rate_hz, stream.frame_size)
            frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
            frame.sample_rate = rate_hz
            for ready in [*resampler.resample(frame), *resampler.resample(None), None]:
                container.mux(stream.encode(ready))
        return path.read_bytes()


def text_seeds(name: str, *texts: str) -> list[tuple[str, bytes]]:
    return [(name, text.encode()) for text in texts]


def record_seed() -> bytes:
    record = run_creation.new_record(SETTINGS, "data", images_from_audio=True)
    return record.model_dump_json(indent=1).encode()


def history_seed() -> str:
    rows = [f"{epoch},0.5,0.8,0.6,0.7,0.001" for epoch in (1, 2)]
    return "\n".join(["epoch,loss,accuracy,val_loss,val_accuracy,learning_rate", *rows, ""])


def journal_seed() -> str:
    nuisances = dict.fromkeys(QUALITY_MEASURES, 0.5) | {"format": ".wav"}
    drawn = {"key": "a|1", "stem": "a", "starts": [0.0, 1.5], "nuisances": nuisances}
    return "".join(json.dumps(each) + "\n" for each in (drawn, {"key": "b|1", "error": "none"}))


def audio_settings_seed() -> str:
    with tempfile.TemporaryDirectory() as folder:
        write_audio_settings(Path(folder), SETTINGS.audio)
        return Path(folder, AUDIO_SETTINGS).read_text()


def weights_seeds() -> list[tuple[str, bytes]]:
    """Return weights as train.py writes them, stored, and as combine.py does, compressed."""
    weights = hdf5_seed()
    compressions = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    return [("model.keras", keras_archive(weights, each)) for each in compressions]


def hdf5_seed() -> bytes:
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for layer, shapes in WEIGHT_SHAPES.items():
            for number, shape in enumerate(shapes):
                file[f"layers/{layer}/vars/{number}"] = np.ones(shape, np.float32)
    return weights.getvalue()


def keras_archive(weights: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    members = {"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": weights}
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def model_seeds() -> list[tuple[str, bytes]]:
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.ones((3, 3), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Relu", ["z"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])],
        [weights],
    )
    return [("model.onnx", helper.make_model(graph).SerializeToString())]


TARGETS: dict[str, tuple[Callable[[Path], object], list[tuple[str, bytes]]]] = {
    "image": (fuzz_image, image_seeds()),
    "sound": (fuzz_sound, sound_seeds()),
    "protocol": (
        fuzz_protocol,
        text_seeds("labels.csv", "file,label,speaker,split\na.wav,real,ann,train\nb.wav,fake,,\n")
        + text_seeds(
            "ASVspoof2019.LA.cm.train.trn.txt", "LA_1 a - - bonafide\nLA_2 b - A01 spoof\n"
        )
        + text_seeds("meta.csv", "file,speaker,label\na.wav,x,spoof\n", "path|model_name\na|m\n"),
    ),
    "manifest": (
        fuzz_manifest,
        text_seeds(
            "manifest.csv", "image,label,split,audio\na.png,real,train,a\nb.png,fake,val,b\n"
        ),
    ),
    "scores": (
        fuzz_scores,
        text_seeds(
            "scores.csv",
            "file,split,label,speaker,score,llr\na,test,real,ann,1.5,2\nb,test,fake,,-2,-3\n",
        )
        + text_seeds("cm.txt", "a - bonafide 1.5\nb A01 spoof -2\n", "a 1.5\nb -2\n")
        + text_seeds("cm.tsv", "filename\tcm-score\na\t1.5\nb\t-2\n")
        + text_seeds("verdicts.csv", "verdict,file,score\nREAL,x/a.wav,1.5\nFAKE,b.wav,-2\n"),
    ),
    "keys": (
        fuzz_keys,
        text_seeds(
            "keys.txt",
            "filename cm-label\na bonafide\nb spoof\n",
            "LA_1 a - - bonafide\nLA_1 b - A01 spoof\n",
            "LA_1 a alaw ita_tx - bonafide notrim eval\nLA_1 b alaw ita_tx A07 spoof notrim eval\n",
            "E_1 a M - - - bonafide - bonafide -\nE_1 b F C01 - - AC1 A17 spoof -\n",
        ),
    ),
    "asv": (
        fuzz_asv_scores,
        text_seeds("asv.txt", "- target 4.6\n- nontarget -2.5\nA07 spoof 1.5\n"),
    ),
    "history": (fuzz_history, text_seeds("history.csv", history_seed())),
    "journal": (fuzz_journal, text_seeds(JOURNAL, journal_seed())),
    "audio.yaml": (fuzz_audio_settings, text_seeds(AUDIO_SETTINGS, audio_settings_seed())),
    "weights": (fuzz_weights, weights_seeds()),
    "hdf5": (fuzz_hdf5, [("weights.h5", hdf5_seed())]),
    "settings": (fuzz_settings, [("mine.yaml", (ROOT / "config.yaml").read_bytes())]),
    "model": (fuzz_model, model_seeds()),
    "record": (fuzz_record, [("run.json", record_seed())]),
}


def change(content: bytes, rng: np.random.Generator) -> bytes:
    """Change some bytes, more often near the beginning; at times cut, repeat or insert."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        end = min(HEADER_BYTES, len(changed)) if rng.random() < 0.6 else len(changed)
        place, kind = int(rng.integers(0, max(1, end))), rng.integers(0, 8)
        if kind < 4 and changed:
            wild = rng.random() < 0.5
            changed[place] = INTERESTING[rng.integers(5)] if wild else rng.integers(256)
        elif kind == 4:
            changed[place : place + 4] = rng.bytes(4)
        elif kind == 5:
            changed[place:place] = rng.bytes(rng.integers(1, 12))
        elif kind == 6:
            length = int(rng.integers(1, 40))
            changed[place:place] = changed[place : place + length] * int(rng.integers(1, 6))
        elif rng.random() < 0.3:
            del changed[max(1, place) :]
    return bytes(changed)


def try_file(target: str, path: Path) -> str:
    """Read a file twice; return what is wrong, empty if nothing is."""
    read = TARGETS[target][0]
    answers = []
    for _ in range(2):
        try:
            answers.append(read(path))
        except InputError as error:
            answers.append(str(error))
            if "\n" in str(error).replace(str(path), ""):
                return f"more than one line: {error!r}"
        except Exception as error:  # what is looked for, and printed
            return f"{type(error).__name__}: {str(error)[:200]}"
        np.frombuffer(np.random.default_rng(len(answers)).bytes(1 << 20), np.uint8).copy()
    if answers[0] != answers[1]:
        return "two answers for one file"
    return "a number that is none" if "nan" in str(answers[0])[:200].lower().split() else ""


def run_batch(target: str, seed: int, folder: str, tried) -> None:
    """Try a batch of changed files; `tried` tells the parent which one a crash came from."""
    rng = np.random.default_rng(seed)
    seeds = TARGETS[target][1]
    for number in range(BATCH):
        name, content = seeds[rng.integers(len(seeds))]
        place = Path(folder, "fuzzed")
        place.mkdir(exist_ok=True)
        for old in place.iterdir():
            old.unlink()
        for other, needed in BESIDE.get(target, {}).items():
            (place / other).write_bytes(needed)
        path = place / name
        path.write_bytes(change(content, rng))
        tried.value = number + 1
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS_A_FILE * 2)  # what never ends is ended then
        finding = try_file(target, path)
        if time.process_time() - started > SECONDS_A_FILE:
            finding = finding or "longer than 20 seconds"
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > MOST_KILOBYTES:
            finding = finding or "more than 2 GB of memory"
        if finding:
            write_finding(Path(folder, "findings", f"{number:03}_{name}"), finding, path)


def write_finding(place: Path, finding: str, path: Path) -> None:
    """Write what was found and the file it was found in, so that a crash or a kill loses neither.

    Not through a pipe: one that is full holds up the child, and its parent where half is in it.
    """
    with atomic_write(place) as partial:
        partial.write_bytes(json.dumps(finding).encode() + b"\n" + path.read_bytes())


def take_findings(target: str, folder: str) -> list[tuple[str, str, str, bytes]]:
    """Return what a batch has found, and take it away."""
    findings = []
    for path in sorted(Path(folder, "findings").glob("[0-9]*")):
        finding, _, content = path.read_bytes().partition(b"\n")
        findings.append((target, json.loads(finding), path.name.partition("_")[2], content))
        path.unlink()
    return findings


def changed_file(target: str, folder: str) -> Path:
    beside = BESIDE.get(target, {})
    return next(path for path in Path(folder, "fuzzed").iterdir() if path.name not in beside)


def wait_for(batch: multiprocessing.Process, tried) -> None:
    """Wait until a batch has ended, or has gone on with no file for long."""
    last = -1
    while batch.is_alive() and tried.value != last:
        last, ends = tried.value, time.monotonic() + SECONDS_WITHOUT_ANY
        while batch.is_alive() and tried.value == last and time.monotonic() < ends:
            batch.join(0.2)


def fuzz(seconds: float, seed: int) -> int:
    """Let the targets take turns until the time is up; return the number of findings."""
    context = multiprocessing.get_context("fork")
    executions, findings = Counter(), []
    ends = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < ends:
            for target in TARGETS:
                seed += 1
                tried = context.Value("i", 0)
                batch = context.Process(target=run_batch, args=(target, seed, folder, tried))
                batch.start()
                wait_for(batch, tried)
                executions[target] += tried.value
                if batch.exitcode is None:
                    batch.kill()
                    batch.join()
                findings += take_findings(target, folder)
                if batch.exitcode:
                    path = changed_file(target, folder)
                    finding = f"the process ended with {batch.exitcode}"
                    findings.append((target, finding, path.name, path.read_bytes()))
    print_results(executions, findings)
    return len(findings)


def print_results(executions: Counter, findings: list[tuple[str, str, str, bytes]]) -> None:
    for target in TARGETS:
        count = sum(finding[0] == target for finding in findings)
        print(f"{target:10}{executions[target]:10,} executions{count:8,} findings")
    print(f"{'all':10}{executions.total():10,} executions{len(findings):8,} findings")
    for number, (target, finding, name, content) in enumerate(findings[:50]):
        FINDINGS.mkdir(exist_ok=True)
        path = FINDINGS / f"{target}_{number}_{name}"
        path.write_bytes(content)
        print(json.dumps({"finding": finding, "file": str(path)}))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seconds", type=float, nargs="?", default=60)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    return 1 if fuzz(args.seconds, args.seed * 1_000_000) else 0


if __name__ == "__main__":
    sys.exit(main())
