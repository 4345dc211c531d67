"""Networks from settings and `.keras` files; only the weights of a file are read."""

import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import h5py
import keras

from deepfake_audio.config.schema import LimitSettings, Settings
from deepfake_audio.errors import DISK_FULL, InputError, shortened
from deepfake_audio.system.regular_files import open_regular, size_of

WEIGHTS = "model.weights.h5"
ARCHIVE = {"metadata.json", "config.json", WEIGHTS}
COMPRESSIONS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
# zipfile, h5py and Keras raise these at archives and HDF5 that are damaged or forged.
UNREADABLE = (
    OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, RuntimeError,
    OverflowError, MemoryError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
# Keras names a layer's weights by its class; runs made before have the old names.
RENAMED = {
    "residual": "local_contrast",
    "nothing_found": "one_sided_evidence",
    "committee": "ensemble",
}
RENAMED_LAYER = re.compile(rf"({'|'.join(RENAMED)})((?:_\d+)?)")


def build_network(build_model: Callable[..., keras.Sequential], settings: Settings):
    """Build the network of the settings, or raise an `InputError` if it does not fit the image."""
    try:
        return build_model(settings.model, settings.image)
    except ValueError as error:
        raise InputError(
            f"the network does not fit the image: {len(settings.model.conv_filters)} blocks for "
            f"{settings.image.height}x{settings.image.width} pixels; use fewer model.conv_filters, "
            f"smaller model.pool_sizes or fewer model.hidden_rows ({shortened(error)})"
        ) from None


def load_network(
    build_model: Callable[..., keras.Sequential], weights: Path, settings: Settings
) -> keras.Sequential:
    """Build the network of the settings, and load the weights of a `.keras` file."""
    network = build_network(build_model, settings)
    load_weights(network, weights, settings.limits)
    return network


def load_weights(model: keras.Model, path: Path, limits: LimitSettings) -> None:
    """Load the weights of a `.keras` file into a model; the file's layers are never read.

    Raises:
        InputError: no such file, members of another name or too large, or weights of another model.
    """
    try:
        with (
            open_regular(path, "A file of weights") as file,
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        ):
            if size_of(file) > limits.model_megabytes * 1_000_000:
                raise _too_large(limits)
            weights = Path(folder, WEIGHTS)
            _unpack_weights(file, weights, limits)
            _check_arrays(weights, limits)
            _rename_layers(weights)
            model.load_weights(weights)
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise
        reason = shortened(error) or type(error).__name__
        raise InputError(f"cannot load the weights in {path}: {reason}; train again") from None


def _unpack_weights(file: BinaryIO, weights: Path, limits: LimitSettings) -> None:
    """Write the weights of a `.keras` file to a file of their own, in one pass.

    HDF5 reads back and forth; within a compressed archive each step back starts from the beginning.

    Raises:
        ValueError: other members than Keras writes, or too large ones.
        OSError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error: the archive
            is damaged, or encrypted.
    """
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if {member.filename for member in members} != ARCHIVE or len(members) != len(ARCHIVE):
            raise ValueError("other members than Keras writes")
        if any(member.compress_type not in COMPRESSIONS for member in members):
            raise ValueError("a compression that Keras does not use")
        if sum(member.file_size for member in members) > limits.model_megabytes * 1_000_000:
            raise _too_large(limits)
        with archive.open(WEIGHTS) as packed, weights.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)
            if unpacked.tell() != archive.getinfo(WEIGHTS).file_size:
                raise ValueError("weights that end early")


def _check_arrays(weights: Path, limits: LimitSettings) -> None:
    """Check that an HDF5 file contains plain arrays of numbers that fit the limits.

    Arrays that were never written take no room in the file, and all of it in memory. So does a
    piece of an array that is stored in pieces, which Keras never does.

    Raises:
        ValueError: other contents.
        OSError, RuntimeError, KeyError, TypeError: it is no HDF5, or a damaged one.
    """
    total = 0

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            plain = item.dtype.kind in "fiu" and item.chunks is None
            if not plain or item.is_virtual or item.external:
                raise ValueError(f"{name} is no plain array of numbers")
            total += item.size * item.dtype.itemsize

    with h5py.File(weights, "r") as file:
        file.visititems(add)
    if total > limits.model_megabytes * 1_000_000:
        raise _too_large(limits)


def _rename_layers(weights: Path) -> None:
    """Give the weights of older runs the names of today's classes of layers."""
    names: list[str] = []
    with h5py.File(weights, "r+") as file:
        file.visit(names.append)
        for name in sorted(names, key=len, reverse=True):  # a member before its ensemble
            parent, _, last = name.rpartition("/")
            if match := RENAMED_LAYER.fullmatch(last):
                file.move(name, f"{parent}/{RENAMED[match[1]]}{match[2]}")


def _too_large(limits: LimitSettings) -> ValueError:
    return ValueError(f"more than limits.model_megabytes={limits.model_megabytes}")
