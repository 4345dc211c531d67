"""Small images, recordings and networks, to be changed."""

import io
import tempfile
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
import h5py
import numpy as np
import soundfile

from deepfake_audio.audio.codecs import can_encode

WEIGHT_SHAPES = {  # of the network of these settings, as Keras names its layers
    "conv2d": ((3, 3, 1, 2), (2,)), "dense": ((2, 2), (2,)), "dense_1": ((2, 1), (1,)),
}  # fmt: skip


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
    made = {form: codec for form, codec in codecs.items() if can_encode(codec)}
    return seeds + [(f"sound.{form}", encode(form, codec)) for form, codec in made.items()]


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


def track_seeds() -> list[tuple[str, bytes]]:
    """Return two tracks of two channels each, without and with a pause in the second."""
    forms = {"mka": "pcm_s16le", "mp4": "aac", "webm": "libopus", "nut": "flac", "ts": "aac"}
    return [
        (f"tracks.{form}", two_tracks(form, codec, pause))
        for form, codec in forms.items()
        for pause in (0, 3)
    ]


def two_tracks(suffix: str, codec: str, pause: float) -> bytes:
    """Encode half a second of noise in two tracks; the second one pauses in the middle."""
    rate_hz, packets = 48_000, []
    samples = np.random.default_rng(0).normal(0, 0.1, (2, rate_hz // 2)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"tracks.{suffix}")
        form = {"mka": "matroska", "ts": "mpegts"}.get(suffix)
        with av.open(str(path), "w", format=form) as container:
            streams = [container.add_stream(codec, rate=rate_hz, layout="stereo") for _ in "12"]
            for stream in streams:
                stream.codec_context.open()
            for number, stream in enumerate(streams):
                size = stream.codec_context.frame_size or 1024
                resampler = av.AudioResampler(stream.format, "stereo", rate_hz, size)
                frame = av.AudioFrame.from_ndarray(samples, "fltp", "stereo")
                frame.sample_rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
                for ready in [*resampler.resample(frame), *resampler.resample(None), None]:
                    for packet in stream.encode(ready):
                        is_late = number and packet.pts * packet.time_base > 0.25
                        packet.pts += round(pause / packet.time_base) if is_late else 0
                        packet.dts = packet.pts
                        packets.append(packet)
            container.mux(sorted(packets, key=lambda packet: packet.dts * packet.time_base))
        return path.read_bytes()


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
    graphs = [graph, integer_graph()]
    return [("model.onnx", helper.make_model(each).SerializeToString()) for each in graphs]


def integer_graph():
    """Return a convolution in integers, as calibrate.py --int8 writes it."""
    from onnx import TensorProto, helper, numpy_helper

    stored = {
        "w": np.ones((2, 1, 3, 3), np.int8), "w_scale": np.full(2, 0.1, np.float32),
        "w_zero": np.zeros(2, np.int8), "scale": np.float32(0.1), "zero": np.uint8(128),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["v"], axis=0),
        helper.make_node("Conv", ["d", "v"], ["y"], kernel_shape=[3, 3]),
    ]
    return helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2, 6, 6])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
