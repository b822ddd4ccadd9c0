"""Fetch ICT-FaceKit's FaceXModel from GitHub and convert its OBJ files to one array file."""

from __future__ import annotations

import io
import os
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, Array
from fnormal.errors import FNormalError
from fnormal.files.writing import atomic
from fnormal.geometry.meshfile import read_obj_polygons

URL = "https://codeload.github.com/ICT-VGL/ICT-FaceKit/tar.gz/refs/heads/master"
# vertices of the 68 Multi-PIE landmarks in FaceXModel's numbering
MULTIPIE68 = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608,
    3272, 4088, 3443, 268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978,
    4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542, 1537, 1528, 1518, 1511,
    3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346,
    6461, 5518, 5957, 5841, 5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
)  # fmt: skip


def cache_dir() -> Path:
    """``$FNORMAL_CACHE``, else ``fnormal`` in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "fnormal"
    return Path(os.environ.get("FNORMAL_CACHE", default))


def fetch_face_x_model() -> Path:
    """The cached ``ict_facekit.npz``, downloaded and converted the first time."""
    target = cache_dir() / "ict_facekit.npz"
    if target.is_file():
        return target
    folder = cache_dir() / "FaceXModel"
    if not (folder / "generic_neutral_mesh.obj").is_file():
        try:
            with urllib.request.urlopen(URL, timeout=60) as reply:
                _extract(reply.read(), folder)
        except (urllib.error.URLError, TimeoutError) as error:
            raise FNormalError(
                f"cannot download {URL} ({error}); clone ICT-VGL/ICT-FaceKit and give its FaceXModel"
            ) from error
    model = model_from_objs(folder)
    with atomic(target) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **model)
    return target


def _extract(archive: bytes, folder: Path) -> None:
    """Write the archive's ``FaceXModel/*.obj`` into ``folder``; names are reduced to base names."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for member in tar:
            path = Path(member.name)
            if member.isfile() and path.parent.name == "FaceXModel" and path.suffix == ".obj":
                source = tar.extractfile(member)
                assert source is not None, "a regular file"
                (folder / path.name).write_bytes(source.read())


def model_from_objs(folder: Path) -> dict[str, Array]:
    """The arrays of ``ict_facekit.npz`` from FaceXModel's OBJ files.

    Raises:
        FNormalError: The folder lacks the neutral mesh or the identity shapes.
    """
    neutral_path = folder / "generic_neutral_mesh.obj"
    if not neutral_path.is_file():
        raise FNormalError(f"{folder} has no generic_neutral_mesh.obj; give FaceXModel's folder")
    neutral, quads, material, names = read_obj_polygons(neutral_path, "usemtl")
    identities = sorted(folder.glob("identity[0-9]*.obj"))
    if not identities:
        raise FNormalError(f"{folder} has no identity*.obj; fetch the whole FaceXModel folder")
    expressions = sorted(set(folder.glob("*.obj")) - {neutral_path, *identities})

    def deltas(paths: list[Path]) -> F32:
        return (
            np.stack([read_obj_polygons(p, "usemtl")[0] - neutral for p in paths])
            if paths
            else np.zeros((0, *neutral.shape), np.float32)
        )

    return {
        "neutral": neutral, "identity": deltas(identities), "expression": deltas(expressions),
        "expression_names": np.array([p.stem for p in expressions]), "quads": quads,
        "material_of_quad": material, "material_names": np.array(names),
        "multipie68": np.array(MULTIPIE68, np.int32),
    }  # fmt: skip
