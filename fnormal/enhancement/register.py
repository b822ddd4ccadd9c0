"""Lay an aligned mesh exactly over the photo: its normals against the predicted ones, pixel by pixel.

The landmarks of a detector are off by a few percent of the eyes' distance, on a photo in another way than on
a mesh. Predicted normals show the same lids, nostrils and lips as the mesh's own, whatever the light.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fnormal.arrays import F32, F64, Bools
from fnormal.enhancement.align import Alignment
from fnormal.enhancement.square import Square, square_of, wide
from fnormal.enhancement.winding import outward
from fnormal.geometry.mesh import Mesh, vertex_normals
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.drawing import Renderer
from fnormal.render.lighting import headlight

_SIDE_PX = 192
_ROUNDS = 20  # each leaves five sixths of the error or less, and takes 25 ms
_STILL = 6e-4  # a step that is smaller, in halves of the square's side and in radians, is the last
_BLUR = 0.10  # of the crop's side: wider forms, in which networks err, do not count
_FINE = 0.008  # of the crop's side: what is finer is noise
# weight of staying: shift x, y, log scale, pitch, yaw, roll
_HELD = np.array([0.02, 0.02, 0.02, 0.3, 0.3, 0.05])
_MOST_SCALE = 0.12  # log, from what the landmarks say
_LEAST_PX = 800  # of the mesh in the mask
_FINER, _FINEST = 0.03, 0.004  # of the crop's side: forms between them are lids, nostrils and folds
_AS_FINE, _ALIKE = 1.0, 0.84  # strength of a mesh's own to the predicted ones, and their correlation


@dataclass(frozen=True)
class Registered:
    """A refined alignment.

    Attributes:
        alignment: Mesh to the photo's pixel frame.
        agreement: Correlation of the fine forms of mesh and prediction, -1..1; higher for the right face.
    """

    alignment: Alignment
    agreement: float


def register(
    renderer: Renderer, mesh: Mesh, alignment: Alignment, result: FaceNormals, *, rounds: int = _ROUNDS
) -> Registered:
    """Shift, scale and turn an aligned mesh until its fine forms lie over the predicted ones.

    Args:
        renderer: Draws the mesh; it is loaded anew.
        mesh: In its own frame.
        alignment: From landmarks.
        result: Normals of the face.
        rounds: Of Gauss and Newton; 0 only measures the agreement.
    """
    square = square_of(result, _SIDE_PX)
    pred, mask, camera = square.normals, square.mask, square.camera()
    best = Registered(alignment, -1.0)
    current = alignment
    vertices = alignment(mesh.vertices)
    faces = outward(mesh.faces, vertices)
    for number in range(rounds + 1):
        placed = current(mesh.vertices)
        renderer.load(replace(mesh, vertices=placed, faces=faces, normals=vertex_normals(placed, faces)))
        view = renderer.render(camera, headlight())
        both = _inner(view.mask & mask)
        if both.sum() < _LEAST_PX:
            break
        fine = _fine(view.normals, view.mask)
        wanted = _fine(pred * view.mask[..., None], view.mask & mask)
        agreement = _correlation(fine[both], wanted[both])
        if agreement > best.agreement:
            best = Registered(current, agreement)
        if number == rounds:
            break
        step = _step(view.normals, fine, wanted, view.z / camera.half_width, both)
        if np.abs(step).max() < _STILL:
            break
        current = _moved(current, step, square)
        if abs(np.log(current.scale / alignment.scale)) > _MOST_SCALE:
            break
    return best


def is_as_fine(renderer: Renderer, mesh: Mesh, result: FaceNormals) -> bool:
    """Whether a mesh in the photo's pixel frame shows the forms of the prediction already, and as strongly.

    Then it may know more than the photo tells: 8 of 18 heads smoothed by 3 mm are taken for such, 2 of 18
    smoothed by 6 mm and bent, none of these with 2,000 triangles.
    """
    square = square_of(result, _SIDE_PX)
    faces = outward(mesh.faces, mesh.vertices)
    renderer.load(replace(mesh, faces=faces, normals=vertex_normals(mesh.vertices, faces)))
    view = renderer.render(square.camera(), headlight())
    both = _inner(view.mask & square.mask)
    if both.sum() < _LEAST_PX:
        return False
    own = _fine(view.normals, view.mask, _FINEST, _FINER)[both]
    shown = square.normals * view.mask[..., None]
    pred = _fine(shown, view.mask & square.mask, _FINEST, _FINER)[both]
    strength = float(np.linalg.norm(own)) / max(float(np.linalg.norm(pred)), 1e-9)
    return strength >= _AS_FINE and _correlation(own, pred) >= _ALIKE


def _inner(mask: Bools) -> Bools:
    import cv2

    size = 2 * round(0.02 * _SIDE_PX) + 1
    inner: Bools = cv2.erode(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    return inner


def _fine(normals: F32, mask: Bools, finest: float = _FINE, widest: float = _BLUR) -> F32:
    """Forms of normals between two widths, by blurs that do not look over the mask's rim. [S, S, 3]"""
    weights = mask.astype(np.float32)
    return wide(normals, weights, finest * _SIDE_PX) - wide(normals, weights, widest * _SIDE_PX)


def _correlation(a: F32, b: F32) -> float:
    norm = float(np.sqrt((a.astype(np.float64) ** 2).sum() * (b.astype(np.float64) ** 2).sum()))
    return float((a * b).sum() / norm) if norm > 0 else 0.0


def _step(normals: F32, fine: F32, wanted: F32, z: F32, both: Bools) -> F64:
    """One step of Gauss and Newton: shift x, y, log scale, and turns about x, y, z. [6]

    Lengths are halves of the square's side.
    """
    half = _SIDE_PX / 2
    down, right = (np.gradient(fine, axis=axis) for axis in (0, 1))
    grad_x, grad_y = right[both] * half, -down[both] * half
    row, column = np.nonzero(both)
    x, y = (column - half + 0.5) / half, (half - 0.5 - row) / half
    depth = z[both] - z[both].mean()
    n = normals[both]
    zero, one = np.zeros_like(x), np.ones_like(x)
    # how the surface moves on the screen, and how its normals turn, for each parameter
    flows = [(one, zero), (zero, one), (x, y), (zero, -depth), (depth, zero), (-y, x)]
    turns = [None, None, None, (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    columns = []
    for (u, v), axis in zip(flows, turns, strict=True):
        change = -(grad_x * u[:, None] + grad_y * v[:, None])
        if axis is not None:
            spin = np.cross(np.array(axis, np.float32), n)
            change = change + (spin - spin.mean(axis=0))
        columns.append(change.reshape(-1))
    matrix = np.stack(columns, axis=1).astype(np.float64)
    # the network's fine forms are weaker or stronger than the mesh's: compare at one strength
    gain = float(np.linalg.norm(wanted[both])) / max(float(np.linalg.norm(fine[both])), 1e-9)
    gap = (wanted[both] / max(gain, 1e-6) - fine[both]).reshape(-1).astype(np.float64)
    size = np.abs(gap) + 1e-3
    robust = np.minimum(1.0, 2 * np.median(size) / size)
    normal = (matrix * robust[:, None]).T @ matrix
    held = np.diag(_HELD * np.trace(normal[:3, :3]) / 3)
    return np.asarray(np.linalg.solve(normal + held, matrix.T @ (robust * gap)))


def _moved(alignment: Alignment, step: F64, square: Square) -> Alignment:
    shift_x, shift_y, log_scale, pitch, yaw, roll = np.clip(step, -0.1, 0.1)
    spin = np.array([[0, -roll, yaw], [roll, 0, -pitch], [-yaw, pitch, 0]])
    u, _, vt = np.linalg.svd(np.eye(3) + spin)
    turn = np.exp(log_scale) * (u @ vt)
    # the middle of the surface in depth is what turns are about
    pivot = np.array([*square.middle, 0.0])
    linear = turn @ alignment.linear
    offset = turn @ (alignment.offset - pivot) + pivot + np.array([shift_x, shift_y, 0]) * square.side_px / 2
    return replace(alignment, linear=linear, offset=offset)
