"""What is scored on a data set: a network's normals, anybody's normal maps, anybody's aligned meshes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fnormal.arrays import F32, Bools
from fnormal.config import FRAME
from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import Pair
from fnormal.errors import FNormalError
from fnormal.faces.masks import hull_mask
from fnormal.geometry.images import resize_image, resize_points
from fnormal.geometry.mesh import turn_mesh
from fnormal.geometry.meshfile import MESH_SUFFIXES, read_mesh
from fnormal.geometry.normal_maps import MAP_SUFFIXES, frame_stated, read_normals
from fnormal.geometry.normals import frame_matrix
from fnormal.geometry.showing import shown
from fnormal.network.checkpoint import WeightsInfo
from fnormal.network.inference import ready_to_run
from fnormal.network.model import CrossModalNet
from fnormal.network.torch_runner import mirrored_mean
from fnormal.render.backends import open_renderer
from fnormal.render.camera import Camera
from fnormal.render.drawing import Renderer
from fnormal.render.lighting import headlight

# what methods write beside their normals
_OTHER_MAPS = re.compile(r"depth|mask|albedo|confidence|overlay|side_by_side|rgb|image|input|shading|seg")


def network_predictions(
    model: CrossModalNet, info: WeightsInfo, data: Dataset[Pair], *, batch_size: int, mirror: bool = False,
    only: Sequence[int] | None = None,
) -> Iterator[tuple[Pair, F32]]:  # fmt: skip
    """Samples of ``data`` with raw normals [H, W, 3] of ``model``, at the data set's own resolution.

    Args:
        model: Left as it is.
        info: Which side it sees (its output is resized back to the data set's), whether its pictures are
            levelled, and whether its lengths say how sure it is: the surer of two then counts more.
        data: Pairs.
        batch_size: Images a pass.
        mirror: Average with the mirrored image's prediction.
        only: Samples to take, all by default.
    """
    chosen = range(len(data)) if only is None else only
    device, model = next(model.parameters()).device, ready_to_run(model)
    for start in range(0, len(chosen), batch_size):
        samples = [data[i] for i in chosen[start : start + batch_size]]
        image = _as_seen(samples, info).to(device)
        with torch.inference_mode():
            raw = mirrored_mean(model, image, raw=info.sure) if mirror else model.image_to_normals(image)
        fields = raw.permute(0, 2, 3, 1).cpu().numpy()  # enlarged as Crop.enlarged() does it
        yield from (
            (s, resize_image(f, data.size_px, cubic=True)) for s, f in zip(samples, fields, strict=True)
        )


def _as_seen(samples: Sequence[Pair], info: WeightsInfo) -> Tensor:
    """Images as :class:`fnormal.prediction.predictor.Predictor` shows them to a network. [B, 3, S, S]"""
    views = [resize_image(sample.image.astype(np.float32) / 255, info.size_px) for sample in samples]
    if info.levels:
        views = [shown(view, _face(sample, info)) for view, sample in zip(views, samples, strict=True)]
    return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)  # channels last, as batches are


def _face(sample: Pair, info: WeightsInfo) -> Bools | None:
    """Where the face is in what a network sees, if its points are known. [S, S]"""
    if sample.known_landmarks is None:
        return None
    points = resize_points(sample.known_landmarks, info.size_px / sample.mask.shape[0])
    return hull_mask(points, info.size_px, info.size_px)


def file_predictions(
    folder: Path, data: Dataset[Pair], frame: str | None, only: Sequence[int] | None = None
) -> Iterator[tuple[Pair, F32]]:
    """Samples of ``data`` with anybody's normals: ``000000.png`` or ``000000.obj`` for the first, and so on.

    A mesh lies over its picture: x right and y up from the bottom row, in pixels, z toward the viewer, as
    PRNet writes it; it is drawn, and what it does not cover counts as no answer.

    Args:
        folder: Maps of the samples' size, as ``.png`` (8 or 16 bits), ``.npy`` or ``.tiff``, or meshes.
        data: Pairs.
        frame: Axes of the files; None is what each says of itself, else fnormal's.
        only: Samples to take, all by default.

    Raises:
        FNormalError: A file is missing, cannot be read, or has another size.
    """
    with open_renderer("soft", supersample=1) as renderer:
        for i in range(len(data)) if only is None else only:
            path, sample = _numbered(folder, i), data[i]
            if path.suffix.lower() in MESH_SUFFIXES:
                yield sample, _mesh_normals(renderer, path, data.size_px, frame or "x,y,z")
                continue
            normals, _ = read_normals(path, frame)
            height, width = normals.shape[:2]
            if height != width:
                raise FNormalError(f"{path} is {width}x{height}, the sample {data.size_px}x{data.size_px}")
            yield sample, resize_image(normals, data.size_px, cubic=True)


def stated_frame(folder: Path, data: Dataset[Pair]) -> str:
    """The frame that the first file of a folder of predictions says it is in, else fnormal's."""
    path = _numbered(folder, 0) if len(data) else folder
    return frame_stated(path) or FRAME


def _numbered(folder: Path, index: int) -> Path:
    """The prediction of a sample, in the folder or below it; not the depth or mask that lies beside it."""
    known = (*MAP_SUFFIXES, *sorted(MESH_SUFFIXES))
    for pattern in (f"{index:06d}*", f"*/{index:06d}*", f"{index:06d}/*", f"**/{index:06d}*"):
        found = sorted(p for p in folder.glob(pattern) if p.suffix.lower() in known and p.is_file())
        wanted = [p for p in found if not _OTHER_MAPS.search(p.relative_to(folder).as_posix().lower())]
        if wanted:
            named = [p for p in wanted if "norm" in p.relative_to(folder).as_posix().lower()]
            return (named or wanted)[0]
    raise FNormalError(f"{folder} has no {index:06d} ({', '.join(known)}); 'inspect --images' numbers them")


def _mesh_normals(renderer: Renderer, path: Path, size_px: int, frame: str) -> F32:
    """Normals of a mesh in its picture's pixels. [S, S, 3]"""
    renderer.load(turn_mesh(read_mesh(path), frame_matrix(frame)))
    middle = (size_px - 1) / 2
    camera = Camera(np.eye(3, dtype=np.float32), (middle, middle), size_px / 2, size_px, size_px)
    return renderer.render(camera, headlight()).normals
