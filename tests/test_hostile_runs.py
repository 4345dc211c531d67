"""Runs by strangers are data: they compute within bounds, or are refused with the reason."""

import io
import json
import re
import resource
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import combine
import evaluate
import export
import hostile_inputs as hostile
import predict
import train
from deepfake_audio.config.loading import load_settings, read_settings
from deepfake_audio.errors import InputError
from deepfake_audio.evaluation.result_folder import canonical_path
from deepfake_audio.models import fingerprints, onnx_session, record_files, run_folder, run_search
from deepfake_audio.models.compatibility import leaked_files
from deepfake_audio.training.weights import load_weights
from model import build_model

LIMITS = load_settings().limits


def network(
    *nodes, weights=(), inputs=(None, 32, 32, 1), outputs=(None, 1), sparse=None, **model
) -> bytes:
    shapes = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", inputs), ("y", outputs))
    ]
    graph = helper.make_graph(list(nodes), "g", shapes[:1], shapes[1:], list(weights))
    if sparse is not None:
        graph.sparse_initializer.add(values=sparse)
    model = {"opset_imports": [helper.make_opsetid("", 15)], "ir_version": 8} | model
    return helper.make_model(graph, **model).SerializeToString()


def constant(name: str, values: np.ndarray) -> TensorProto:
    return numpy_helper.from_array(values, name)


def elsewhere(location: str) -> TensorProto:
    weights = TensorProto(name="w", data_type=1, dims=[1], data_location=1)
    weights.external_data.add(key="location", value=location)
    return weights


def training(encoded: bytes) -> bytes:
    model = onnx.load_model_from_string(encoded)
    model.training_info.add()
    return model.SerializeToString()


def models() -> dict[str, Callable[[], tuple[bytes, str]]]:
    """Return functions that make a model and give a part of the error; one is of 200 MB."""
    node, size = helper.make_node, constant("s", np.array([1 << 40]))
    empty = helper.make_graph([], "g", [], [])
    many = constant("w", np.ones((1_000_000, 1, 1, 1), np.float32))
    turn = node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2])
    padded = node("Conv", ["a", "k"], ["y"], pads=[1_000_000] * 4)
    other = [helper.make_opsetid("", 15), helper.make_opsetid("evil", 1)]
    times = node("Mul", ["x", "w"], ["y"])
    return {
        "fills_memory": lambda: (
            network(node("ConstantOfShape", ["s"], ["y"]), weights=[size]),
            "the operator ConstantOfShape",
        ),
        "loops": lambda: (network(node("Loop", ["x"], ["y"], body=empty)), "the operator Loop"),
        "hides_a_graph": lambda: (
            network(node("Relu", ["x"], ["y"], body=empty)), "a graph within",
        ),
        "own_operator": lambda: (
            network(node("Relu", ["x"], ["y"], domain="evil"), opset_imports=other),
            "operators of its own",
        ),
        "reads_a_file": lambda: (
            network(times, weights=[elsewhere("/etc/passwd")]), "in another file",
        ),
        "reads_beside": lambda: (
            network(times, weights=[elsewhere("../a/model")]), "in another file",
        ),
        "huge_layer": lambda: (
            network(turn, node("Conv", ["a", "w"], ["y"]), weights=[many], outputs=[None] * 4),
            "limits.scoring_megabytes",
        ),
        "huge_edge": lambda: (
            network(
                turn, padded, weights=[constant("k", np.ones((1, 1, 1, 1), np.float32))],
                outputs=[None] * 4,
            ),
            "limits.model_gigamultiplications=100",
        ),
        "too_many_layers": lambda: (
            network(*[node("Relu", ["x"], ["y"])] * 70_000), "more than 200,000 parts",
        ),
        "takes_hours": lambda: (
            network(
                turn, *(node("Conv", [f"c{n}" if n else "a", "m" if n else "f"], [f"c{n + 1}"],
                             pads=[1] * 4) for n in range(40)),
                node("GlobalAveragePool", ["c40"], ["y"]), outputs=[None] * 4,
                weights=[constant("f", np.zeros((1400, 1, 3, 3), np.float32)),
                         constant("m", np.zeros((1400, 1400, 3, 3), np.float32))],
            ),
            "limits.model_gigamultiplications=100",
        ),
        "many_cheap_layers": lambda: (
            network(
                *(node("Concat", [f"x{n}" if n else "x"] * 2, [f"x{n + 1}"], axis=1)
                  for n in range(22)),
                *(node("Relu", [f"x{n}"], [f"x{n + 1}"]) for n in range(22, 60)),
                node("ReduceMean", ["x60"], ["y"]), outputs=[None] * 4,
            ),
            "limits.model_gigamultiplications=100",
        ),
        "huge_kernel": lambda: (
            network(
                turn, node("MaxPool", ["a"], ["y"], kernel_shape=[100_000] * 2, pads=[99_999] * 4),
                outputs=[None] * 4,
            ),
            "limits.model_gigamultiplications=100",
        ),
        "numbers_as_text": lambda: (
            network(node("Cast", ["x"], ["t"], to=8), node("Cast", ["t"], ["y"], to=1)),
            "numbers as text",
        ),
        "text_as_weights": lambda: (
            network(node("Gather", ["t", "x"], ["y"]), weights=[constant("t", np.array(["a"]))]),
            "the field string_data",
        ),
        "grows_with_the_square": lambda: (
            network(
                node("Reshape", ["x", "r"], ["a"]), node("Transpose", ["a"], ["b"], perm=[1, 0]),
                node("MatMul", ["a", "b"], ["y"]), weights=[constant("r", np.array([-1, 1]))],
            ),
            "limits.model_gigamultiplications=100",
        ),
        "shape_that_the_image_decides": lambda: (
            network(
                node("Cast", ["x"], ["i"], to=TensorProto.INT64),
                node("Reshape", ["i", "flat"], ["s"]), node("Reshape", ["x", "s"], ["y"]),
                weights=[constant("flat", np.array([-1]))],
            ),
            "shapes that are not known",
        ),
        "shape_that_is_claimed": lambda: (
            network(
                node("Slice", ["x", "i"], ["y"]), node("Cast", ["x"], ["i"], to=TensorProto.INT64),
            ),
            "shapes that are not known",
        ),
        "dims_below_0": lambda: (
            network(times, weights=[TensorProto(name="w", data_type=1, dims=[-(1 << 40)])]),
            "shapes that are not known",
        ),
        "elsewhere_sparse": lambda: (
            network(times, sparse=elsewhere("/etc/passwd")), "sparse weights",
        ),
        "elsewhere_attribute": lambda: (
            network(node("Relu", ["x"], ["y"], value=elsewhere("/etc/passwd"))),
            "the field t",
        ),
        "elsewhere_attributes": lambda: (
            network(node("Relu", ["x"], ["y"], value=[elsewhere("/etc/passwd")])),
            "the field tensors",
        ),
        "functions": lambda: (
            network(times, functions=[helper.make_function(
                "evil", "Relu", ["x"], ["y"], [node("Relu", ["x"], ["y"])],
                [helper.make_opsetid("", 15)])]),
            "functions of its own",
        ),
        "trains": lambda: (training(network(times)), "functions of its own"),
        "last_graph_wins": lambda: (
            network(node("Loop", ["x"], ["y"], body=empty)) + network(times), "the operator Loop"
        ),
        "cut_off": lambda: (network(times)[:-7], "no ONNX"),
        "nothing_but_nodes": lambda: (b"\x3a\x80\x80\x80\x60" + b"\x0a\0" * (100 << 20), "with"),
        "no_score": lambda: (
            network(node("Relu", ["x"], ["y"]), outputs=[None] * 4), "one finite score",
        ),
        "other_images": lambda: (
            network(node("Relu", ["x"], ["y"]), inputs=[None, 8, 8, 1], outputs=[None] * 4),
            "but the run's images are",
        ),
        "empty": lambda: (b"", "is empty"),
        "text": lambda: (b"hello", "no ONNX"),
    }  # fmt: skip


@pytest.fixture
def stranger(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> run_folder.Run:
    """A copy of a trained run without its model's fingerprint, as a stranger would leave it."""
    (tmp_path / "data").symlink_to(workspace / "data")
    shutil.copytree(workspace / "runs" / "first", tmp_path / "runs" / "first")
    monkeypatch.chdir(tmp_path)
    run = run_folder.Run(Path("runs/first"))
    change_record(run, model_fingerprint=None)
    return run


def change_record(run: run_folder.Run, **changes) -> None:
    run.record.write_text(json.dumps(json.loads(run.record.read_text()) | changes))


def refused(capsys, *args: str) -> str:
    capsys.readouterr()
    assert predict.main(["--run", "first", *args, "data/tiny/test/fake/00.png"]) == 2
    stderr = capsys.readouterr().err
    assert (stderr.count("\n"), stderr[:7]) == (1, "error: ")
    return stderr


@pytest.mark.parametrize("name", models())
def test_models_that_train_did_not_export_are_refused(name, stranger, capsys):
    content, part = models()[name]()
    stranger.onnx_model.write_bytes(content)
    assert part in refused(capsys)


@pytest.mark.slow
def test_flipped_bytes_of_a_model_never_end_in_a_traceback(stranger, capsys):
    content = stranger.onnx_model.read_bytes()
    for seed in range(40):
        stranger.onnx_model.write_bytes(hostile.flipped(content, seed, flips=4, header=3000))
        failed = predict.main(["--run", "first", "data/tiny/test/fake/00.png"])
        told = [line[:7] for line in capsys.readouterr().err.splitlines()]
        assert told == (["error: "] if failed else [])


def test_weights_that_give_non_finite_scores_are_refused(stranger, capsys):
    model = onnx.load(stranger.onnx_model)
    for weights in model.graph.initializer:
        if "logit" in weights.name and list(weights.dims) == [1]:
            weights.CopyFrom(constant(weights.name, np.full(1, np.nan, np.float32)))
    stranger.onnx_model.write_bytes(model.SerializeToString())
    assert "one finite score" in refused(capsys)


def test_too_large_a_model_is_not_read(stranger, capsys):
    with stranger.onnx_model.open("r+b") as file:
        file.truncate(5 << 30)
    assert "limits.model_megabytes=256" in refused(capsys)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"classes": ["real", "fake"]}, "classes.0: Input should be 'fake'"),
        ({"calibration": None}, "has a best_epoch and a calibration"),
        ({"calibration": {"slope": 1e308, "intercept": 0.0}}, "a calibration is of numbers"),
        ({"calibration": {"slope": "1e999", "intercept": 0.0}}, "calibration.slope"),
        ({"best_epoch": None}, "has a best_epoch and a calibration"),
        ({"more": 1}, "more: Extra inputs"),
        ({"model_fingerprint": "0" * 64}, "model.onnx is not the one"),
        ({"settings_fingerprint": "0" * 64}, "other audio, image or model settings"),
    ],
)
def test_records_that_do_not_fit_are_refused_with_the_reason(changes, part, stranger, capsys):
    change_record(stranger, **changes)
    assert part in refused(capsys)


@pytest.mark.parametrize(
    ("before", "after"),
    [("channels: grayscale", "channels: rgb"), ("db_range: 80", "db_range: 60")],
)
def test_settings_that_do_not_fit_the_weights_are_refused(before, after, stranger, capsys):
    text = stranger.config.read_text()
    assert before in text
    stranger.config.write_text(text.replace(before, after))
    assert "other audio, image or model settings" in refused(capsys)


def test_a_run_cannot_raise_the_limits(stranger):
    text = stranger.config.read_text()
    for before, after in (("audio_hours: 12", "audio_hours: 900"), ("pixels: 50", "pixels: 900")):
        assert before in text
        text = text.replace(before, after)
    stranger.config.write_text(text)
    settings = run_search.open_run("first")[2]
    assert (settings.limits, settings.image.max_megapixels) == (LIMITS, 50)


def test_a_kill_between_model_and_record_leaves_a_matching_pair(stranger):
    settings = read_settings(stranger.config)
    old, new = stranger.onnx_model.read_bytes(), stranger.onnx_model.read_bytes() + b"\x1a\0"
    record = record_files.read_record(stranger).model_copy(update={"best_epoch": 77})
    shutil.copy(stranger.onnx_model, stranger.next_model)
    record_files.commit_model(stranger, record, settings)
    assert run_search.open_run("first")[1].best_epoch == 77
    # As a kill leaves it after the new record is written, and after the model is renamed.
    waiting = record.model_copy(update={"best_epoch": 88})
    stranger.next_model.write_bytes(new)
    fingerprint = fingerprints.fingerprint_model(stranger.next_model, LIMITS)
    waiting = waiting.model_copy(update={"model_fingerprint": fingerprint})
    stranger.next_record.write_text(waiting.model_dump_json())
    assert run_search.open_run("first")[1].best_epoch == 77
    assert stranger.onnx_model.read_bytes() == old
    stranger.next_model.replace(stranger.onnx_model)
    assert run_search.open_run("first")[1].best_epoch == 88


def test_only_the_weights_of_keras_files_are_read(stranger):
    settings = read_settings(stranger.config)
    model = build_model(settings.model, settings.image)

    def rewritten(config: bytes = b"{}", extra: dict | None = None, weights: bytes | None = None):
        path = Path("other.keras")
        with zipfile.ZipFile(stranger.keras_model) as old, zipfile.ZipFile(path, "w") as new:
            new.writestr("metadata.json", old.read("metadata.json"))
            new.writestr("config.json", config)
            content = old.read("model.weights.h5") if weights is None else weights
            new.writestr("model.weights.h5", content, zipfile.ZIP_DEFLATED)
            for name, content in (extra or {}).items():
                new.writestr(name, content)
        return path

    load_weights(model, rewritten(config=b'{"class_name": "Lambda"}'), LIMITS)  # never looked at
    expected = keras.saving.load_model(stranger.keras_model).get_weights()
    for mine, theirs in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    small = LIMITS.model_copy(update={"model_megabytes": 1})
    larger = settings.model.model_copy(update={"dense_units": 9})
    for path, limits, network_for in (
        (rewritten(extra={"../../evil": b"x"}), LIMITS, model),
        (rewritten(weights=bytes(2_000_000)), small, model),
        (rewritten(weights=b"no HDF5"), LIMITS, model),
        (stranger.keras_model, LIMITS, build_model(larger, settings.image)),
    ):
        with pytest.raises(InputError, match=r"^cannot load the weights in"):
            load_weights(network_for, path, limits)
    Path("text.keras").write_text("no archive")
    with pytest.raises(InputError, match="cannot load the weights"):
        load_weights(model, Path("text.keras"), LIMITS)


@pytest.mark.parametrize(
    "made",
    [
        {"shape": (900_000_000,), "dtype": "f4", "chunks": (1 << 20,)},
        {"shape": (3, 3, 1, 4), "dtype": "c8"},
        {"shape": (3, 3, 1, 4), "dtype": h5py.string_dtype()},
        {"shape": (3, 3, 1, 4), "dtype": "f4", "external": [("/etc/passwd", 0, 144)]},
        {
            "data": np.ones((3, 3, 1, 4), "f4"),
            "maxshape": (None,) * 4,
            "chunks": (4096, 16, 16, 16),
        },
    ],
    ids=["huge", "complex", "text", "elsewhere", "huge pieces"],
)
def test_foreign_weights_are_not_read(made, stranger):
    settings = read_settings(stranger.config)
    model = build_model(settings.model, settings.image)
    with zipfile.ZipFile(stranger.keras_model) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    weights = io.BytesIO(members["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        del file["layers/conv2d/vars/0"]
        file.create_dataset("layers/conv2d/vars/0", **made)
    with zipfile.ZipFile("forged.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (members | {"model.weights.h5": weights.getvalue()}).items():
            archive.writestr(name, content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"^cannot load the weights in"):
        load_weights(model, Path("forged.keras"), LIMITS)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


def damage(content: bytes, central: int, local: int, form: str, *values: int) -> bytes:
    """Change a number in both headers of the last member; a position below 0 leaves it."""
    places = ((content.rindex(b"PK\1\2"), central), (content.rindex(b"PK\3\4"), local))
    for start, position in places:
        if position >= 0:
            content = hostile.patched(content, start + position, form, *values)
    return content


@pytest.mark.parametrize(
    ("compression", "changes"),
    [
        (zipfile.ZIP_BZIP2, ()),
        (zipfile.ZIP_LZMA, ()),
        (zipfile.ZIP_STORED, (10, 8, "<H", 99)),  # an unknown compression
        (zipfile.ZIP_STORED, (8, 6, "<H", 1)),  # encrypted
        (zipfile.ZIP_STORED, (16, 14, "<I", 0)),  # a checksum that is wrong
        (zipfile.ZIP_STORED, (24, -1, "<I", 100_000_000)),  # longer than the file
        (zipfile.ZIP_STORED, (20, -1, "<II", 100_000_000, 100_000_000)),
        (zipfile.ZIP_DEFLATED, (20, -1, "<I", 100)),  # ends before its data do
        (zipfile.ZIP_DEFLATED, (24, -1, "<I", 100_000_000)),
        (zipfile.ZIP_DEFLATED, (42, -1, "<I", 2**32 - 1)),  # begins behind the end
    ],
)
def test_damaged_archives_of_weights_are_refused_on_one_line(compression, changes, stranger):
    settings = read_settings(stranger.config)
    model = build_model(settings.model, settings.image)
    with zipfile.ZipFile(stranger.keras_model) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["model.weights.h5"] = members.pop("model.weights.h5")  # the last one
    with zipfile.ZipFile("damaged.keras", "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    if changes:
        path = Path("damaged.keras")
        path.write_bytes(damage(path.read_bytes(), *changes))
    with pytest.raises(
        InputError, match=r"^cannot load the weights in .*damaged\.keras: .+; train again"
    ):
        load_weights(model, Path("damaged.keras"), LIMITS)


@pytest.mark.slow
def test_settings_of_a_run_cannot_request_a_huge_network(stranger, capsys):
    settings = read_settings(stranger.config)
    model = settings.model.model_copy(update={"conv_filters": [4096, 4096, 4096]})
    stranger.config.write_text(settings.model_copy(update={"model": model}).model_dump_json())
    capsys.readouterr()
    assert export.main(["--run", "first"]) == 2
    stderr = capsys.readouterr().err
    assert "limits.model_megabytes=256" in stderr
    assert stderr.count("\n") == 1


def test_settings_of_a_run_cannot_request_all_memory_or_a_thousand_threads(stranger, capsys):
    text = stranger.config.read_text()
    for name, value in (("batch_size", 65_536), ("threads", 1000)):
        section = text.rindex("\nscore:")
        changed = re.sub(rf"( {name}: )\d+", rf"\g<1>{value}", text[section:], count=1)
        text = text[:section] + changed
    stranger.config.write_text(text)
    settings = run_search.open_run("first")[2]
    assert (settings.score.batch_size, settings.score.threads) == (65_536, 1000)
    assert predict.main(["data/tiny/test/fake/00.png"]) == 0
    batches = []
    images = ((number, np.zeros((3000, 3000, 1), np.uint8)) for number in range(5))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            onnx_session,
            "score_images",
            lambda _, some: batches.append(len(some)) or some[:, 0, 0, 0],
        )
        assert len(list(onnx_session.score_stream(None, images, 65_536))) == 5
    assert max(batches) == 2


@pytest.mark.slow
def test_data_that_a_run_has_on_another_machine_is_not_looked_at(stranger, capsys):
    """Windows would send a password there; here the name leads to data that can be used."""
    name = r"\\host\share"
    settings = read_settings(stranger.config)
    data = settings.data.model_copy(update={"folder": name})
    stranger.config.write_text(settings.model_copy(update={"data": data}).model_dump_json())
    Path(name).symlink_to(run_search.SAMPLE)
    assert run_search.open_run(None, or_pretrained=True)[0].name == "first"
    capsys.readouterr()
    assert evaluate.main(["--run", "first", "evaluate.bootstrap=0"]) == 2
    stderr = capsys.readouterr().err
    assert stderr.count("\n") == 1
    assert f"names data on another machine, {name}; if you trust it, name it with --data" in stderr
    assert export.main(["--run", "first"]) == 2
    assert capsys.readouterr().err == stderr
    shutil.copytree("runs/first", "runs/second")
    assert combine.main(["first", "second"]) == train.main(["--from", "first"]) == 2
    change_record(stranger, status="interrupted")
    assert train.main(["--resume", "--run", "first"]) == 2
    assert capsys.readouterr().err.count("names data on another machine") == 3
    assert evaluate.main(["--run", "first", "--data", "data/tiny", "evaluate.bootstrap=0"]) == 0
    assert f"{name} is missing" in capsys.readouterr().out
    assert leaked_files(read_settings(stranger.config), []) == []
    assert canonical_path(name) == name
