"""Processor time to judge a recording, beside the encoder of AASIST, a published detector.

    python -m benchmarks.bench_judge                    on the shipped sample's clips
    python -m benchmarks.bench_judge FOLDER [FILES]     on FILES clips of a folder (default 200)

One core. Ours is the whole process: predict.py with the shipped model, its start included. The
other is only the encoder of AASIST (Jung et al., 2022), with random weights: 70 sinc filters and
six residual blocks over 4 s of sound, without the graph layers behind it. The floor decodes a clip
and computes one FFT of it.
"""

import os

from benchmarks import ROOT, Row, least_seconds, print_rows, sample_clips, stay_on_one_core

stay_on_one_core()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.bench_answer import processor_seconds
from benchmarks.bench_network import multiplications

SAMPLES = 64_600
FILTERS, FILTER_SAMPLES = 70, 129
BLOCKS = (32, 32, 64, 64, 64, 64)
ROUNDS = 5


def residual_encoder():
    """Build AASIST's encoder: (batch, samples, 1) to (batch, bands, frames, channels)."""
    import keras
    from keras import layers

    sound = keras.Input((SAMPLES, 1))
    bands = layers.Conv1D(FILTERS, FILTER_SAMPLES, use_bias=False)(sound)
    image = layers.Reshape((*bands.shape[:0:-1], 1))(layers.Permute((2, 1))(bands))
    image = layers.MaxPooling2D((3, 3))(layers.Lambda(keras.ops.abs)(image))
    image = layers.Activation("selu")(layers.BatchNormalization()(image))
    for channels in BLOCKS:
        first = layers.Conv2D(channels, (2, 3), padding="same")(image)
        second = layers.Conv2D(channels, (2, 3), padding="same")(layers.Activation("selu")(first))
        if image.shape[-1] != channels:
            image = layers.Conv2D(channels, (1, 3), padding="same")(image)
        image = layers.MaxPooling2D((1, 3))(layers.Add()([second, image]))
    return keras.Model(sound, image)


def encoder_milliseconds() -> tuple[float, int]:
    """Return the time of the encoder in ONNX Runtime for one clip, and its multiplications."""
    import onnxruntime

    model = residual_encoder()
    sound = np.random.default_rng(0).normal(size=(1, SAMPLES, 1)).astype(np.float32)
    model.predict(sound, verbose=0)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.onnx"
        model.export(path, format="onnx", verbose=False)
        session = onnxruntime.InferenceSession(path, options)
    name = session.get_inputs()[0].name
    seconds = least_seconds(lambda: session.run(None, {name: sound}), ROUNDS, time.process_time)
    return 1000 * seconds, multiplications(model)


def floor_milliseconds(paths: Sequence[Path]) -> float:
    """Return the time to decode a clip and compute one FFT of it."""
    import soundfile

    def decode() -> None:
        for path in paths:
            np.fft.rfft(soundfile.read(path, dtype="float32")[0])

    return 1000 * least_seconds(decode, ROUNDS, time.process_time) / len(paths)


def measure(args: Sequence[str]) -> list[Row]:
    """Return the rows of this benchmark."""
    from deepfake_audio import Detector
    from deepfake_audio.training.score_model import member_networks
    from model import build_model

    paths = sample_clips(args)
    detector = Detector.pretrained()
    windows = [len(detector.predict(path).windows) for path in paths]
    settings = detector.settings
    networks = member_networks(build_model(settings.model, settings.image))
    own_work = sum(map(multiplications, networks)) * np.mean(windows)
    command = [sys.executable, str(ROOT / "predict.py"), "--run", "models/pretrained"]
    own = 1000 * processor_seconds([*command, *map(str, paths)], ROOT) / len(paths)
    theirs, their_work = encoder_milliseconds()
    floor = floor_milliseconds(paths)
    return [
        Row("a recording's verdict (processor ms)", own, theirs, theirs / own,
            "AASIST's encoder alone"),
        Row("a recording's verdict (processor ms)", own, floor, floor / own,
            "floor: decode, one FFT"),
        Row("million multiplications a recording", own_work / 1e6, their_work / 1e6,
            their_work / own_work, "AASIST's encoder alone"),
    ]  # fmt: skip


if __name__ == "__main__":
    print_rows(measure(sys.argv[1:]))
