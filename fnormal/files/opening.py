"""The one way files from outside are opened: regular, readable, of bearable size, decoded with care."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

from fnormal.arrays import Array
from fnormal.errors import FNormalError

_MB = 1_000_000
_LARGEST_NUMBER = 8  # bytes of a double
_NPY_MAGIC = b"\x93NUMPY"
# What decoders raise of broken bytes. Anything else is a bug of ours and keeps its traceback.
DECODING_ERRORS = (
    ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError, AssertionError, EOFError,
    OSError, RuntimeError, MemoryError, NotImplementedError, RecursionError, SyntaxError,
    struct.error, zlib.error, zipfile.BadZipFile, tokenize.TokenError,
)  # fmt: skip
_DECODERS = (
    "cv2", "PIL", "trimesh", "safetensors_rust", "onnxruntime", "tifffile", "h5py", "google", "scipy",
    "pickle", "_pickle",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of file from outside.

    Attributes:
        name: What a message calls it.
        most_bytes: Larger files are refused before they are read.
        remedy: What to do where a file is missing or broken.
    """

    name: str
    most_bytes: int
    remedy: str

    def __str__(self) -> str:
        """The name with its article."""
        several = self.name.endswith("s")
        return self.name if several else f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"


PICTURE = Kind("picture", 1000 * _MB, "give a PNG or JPEG file")
VIDEO = Kind("video", 1 << 40, "give MP4, MOV, MKV, AVI or WebM")
DEPTH_MAP = Kind("depth map", 4000 * _MB, "give PNG16, TIFF, NPY, MAT, PLY or PCD")
INTRINSICS = Kind("camera file", 10 * _MB, "give JSON with fx, fy, cx, cy, width and height")
NORMAL_MAP = Kind("normal map", 4000 * _MB, "give PNG, NPY, NPZ, MAT, float TIFF or EXR")
LANDMARKS = Kind("landmarks", 16 * _MB, "give 68 points as .npy, .json, .pts, .mat or .txt")
LAYOUT = Kind("layout", _MB, "check --layout")
LIGHTS = Kind("lights", _MB, "give --lights, a CSV or JSON of four zeniths and azimuths")
MESH = Kind("mesh", 4000 * _MB, "re-export it as OBJ, PLY or GLB")
ARCHIVE = Kind("archive", 4000 * _MB, "fetch it again")
MATLAB = Kind("Matlab file", 2000 * _MB, "save it in Matlab with -v7")
WEIGHTS = Kind("weights", 4000 * _MB, "check --weights; a model.pth goes through fnormal import-weights")
CHECKPOINT = Kind("checkpoint", 16_000 * _MB, "if it is damaged, remove it and start again")
DATASET = Kind("data set", 1 << 60, "make it again")
NOTES = Kind("notes", 4000 * _MB, "remove it")


def check_file(path: Path, kind: Kind) -> Path:
    """See that a path is a regular file of a bearable size, before anything opens it.

    Raises:
        FNormalError: It is missing, a folder, a pipe or a device, or too large.
    """
    try:
        info = os.stat(path)
    except FileNotFoundError as error:
        raise FNormalError(f"no such {kind.name}: {path}; check the path, or {kind.remedy}") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        shown = f"{str(path)[:80]}..." if len(str(path)) > 200 else path
        raise FNormalError(f"cannot open {kind.name} {shown} ({reason}); {kind.remedy}") from error
    if not stat.S_ISREG(info.st_mode):
        what = "a folder" if stat.S_ISDIR(info.st_mode) else "a pipe or a device"
        raise FNormalError(f"{path} is {what}, not a file; {kind.remedy}")
    if info.st_size > kind.most_bytes:
        raise FNormalError(
            f"{path} has {info.st_size / _MB:,.0f} MB, too much for {kind} (at most"
            f" {kind.most_bytes / _MB:,.0f}); {kind.remedy}"
        )
    if not os.access(path, os.R_OK):
        raise FNormalError(f"{path} may not be read ({os.strerror(errno.EACCES)}); change its permissions")
    return path


@contextmanager
def decoding(path: Path | str, kind: Kind) -> Iterator[None]:
    """Turn what a decoder raises of broken bytes into one line that names the file.

    Raises:
        FNormalError: The file is not what it should be.
    """
    try:
        yield
    except FNormalError:
        raise
    except Exception as error:
        decoder = type(error).__module__.partition(".")[0] in _DECODERS
        if not decoder and not isinstance(error, DECODING_ERRORS):
            raise
        words = " ".join(str(error).split())[:160] or type(error).__name__
        if isinstance(error, KeyError | MemoryError | RecursionError):
            words = f"{type(error).__name__}: {words}"
        raise FNormalError(f"cannot read {path} as {kind} ({words}); {kind.remedy}") from error


def read_bytes(path: Path, kind: Kind) -> bytes:
    """All bytes of a file from outside."""
    check_file(path, kind)
    with decoding(path, kind):
        return path.read_bytes()


def read_text(path: Path, kind: Kind) -> str:
    """The text of a file from outside; it must be UTF-8."""
    data = read_bytes(path, kind)
    with decoding(path, kind):
        return data.decode()


def read_json(path: Path, kind: Kind) -> Any:
    """The value of a JSON file from outside."""
    text = read_text(path, kind)
    with decoding(path, kind):
        return json.loads(text)


def read_npy(path: Path, kind: Kind) -> Array:
    """The array of an NPY file; its header must agree with its size before memory is taken.

    Raises:
        FNormalError: Missing, no NPY file, objects inside, cut short, or not of numbers.
    """
    check_file(path, kind)
    with decoding(path, kind), path.open("rb") as handle:
        return _read_array(handle, path.stat().st_size, path, kind)


def read_npz(path: Path, kind: Kind) -> dict[str, Array]:
    """All arrays of an NPZ archive; what its members announce must fit before it is unpacked.

    Raises:
        FNormalError: Missing, damaged, or too large when unpacked.
    """
    check_file(path, kind)
    with decoding(path, kind), zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        total = sum(info.file_size for info in members)
        if total > kind.most_bytes:
            raise FNormalError(f"{path} unpacks to {total / _MB:,.0f} MB, too much; {kind.remedy}")
        arrays = {}
        for info in members:
            with archive.open(info) as handle:
                name = info.filename.removesuffix(".npy")
                arrays[name] = _read_array(handle, info.file_size, path, kind)
        return arrays


def read_matlab(path: Path, kind: Kind) -> dict[str, Array]:
    """Arrays of numbers of a Matlab file up to version 7; what it announces must fit before it is unpacked.

    Raises:
        FNormalError: Missing, not a Matlab file, of version 7.3, or too large when unpacked.
    """
    import numpy as np
    from scipy.io import loadmat, whosmat

    check_file(path, kind)
    with decoding(path, kind):
        announced = sum(math.prod(shape) for _, shape, _ in whosmat(path))
        if announced * _LARGEST_NUMBER > kind.most_bytes:
            raise FNormalError(f"{path} unpacks to over {kind.most_bytes / 1e9:.0f} GB; {kind.remedy}")
        arrays = {name: np.asarray(value) for name, value in loadmat(path).items()}
        return {name: array for name, array in arrays.items() if array.dtype.kind in "fiub"}


def _read_array(handle: Any, size: int, path: Path, kind: Kind) -> Array:
    """An array whose header agrees with the ``size`` of its file."""
    import numpy as np

    start = handle.read(8)
    if start[:6] != _NPY_MAGIC:
        raise FNormalError(f"{path} is no NPY file; {kind.remedy}")
    handle.seek(0)
    version = np.lib.format.read_magic(handle)
    read_header = (
        np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    )
    shape, fortran, dtype = read_header(handle, max_header_size=100_000)
    count = 1
    for side in shape:
        count *= side
    if dtype.hasobject or min((0, *shape)) < 0 or count * dtype.itemsize > size - handle.tell():
        raise FNormalError(f"{path} announces {shape} {dtype} and holds less; {kind.remedy}")
    flat = np.frombuffer(handle.read(count * dtype.itemsize), dtype)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


stderr_in_use = RLock()  # held while stderr is another file, and by who prints from another thread


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep what C libraries print of a broken file to themselves; one thread at a time."""
    with stderr_in_use:
        yield from _quiet()


def _quiet() -> Iterator[None]:
    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
