"""Meshes in every frame over rendered photos: how many are laid right, refused, or laid wrong without a word.

    python -m benchmarks.alignment ICT_NPZ [--heads 6] [--every 1] [--seed 0]

Each case writes a head in one of 48 axes, wound outward or inward, in pixels of the photo, millimetres or
metres, as a topology that fnormal knows or without its neck, turned by a yaw or as the photo shows it; the
photo shows one face or three, the file holds one head or three. Right is a mean error of the eyes, nose and
mouth below 2 % of the distance of the eyes; "near" below 5 %, "off" below 10 %, then wrong, or warned of.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.arrays import F32, F64, U8
from fnormal.enhancement.pipeline import predicted
from fnormal.enhancement.placing import described, find_heads, place_heads
from fnormal.errors import FNormalError
from fnormal.faces.detect import FaceBox, eyes_of
from fnormal.faces.ladder import find_all_faces
from fnormal.geometry.mesh import Mesh, make_mesh
from fnormal.geometry.normals import frame_matrix, signed_permutations
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.predictor import Predictor
from fnormal.render.backends import open_renderer
from fnormal.render.camera import Camera, rotation_about
from fnormal.render.lighting import raking_light
from fnormal.scans.ict_facekit import HeadModel, IctFaceKit

FACE_PX = 300.0
EYES_MM = 63.0


def heads(source: Path, count: int, seed: int) -> list[tuple[Mesh, F32, Any]]:
    """Coloured heads to photograph, the same as a tool writes them, and the numbers of the 68 vertices."""
    kit, model = IctFaceKit(source, licence="", scans=count, seed=seed), HeadModel(source)
    found = []
    for index in range(count):
        scan = kit.load(index)
        rng = np.random.default_rng(np.random.SeedSequence([seed, index]))
        shape = kit._shape(rng)
        found.append((scan.mesh, shape, model.landmark_ids))
    return found


def posed(mesh: Mesh, turn: F32) -> Mesh:
    return replace(mesh, vertices=mesh.vertices @ turn.T, normals=mesh.normals @ turn.T)


def photo_of(
    renderer: Any, meshes: list[Mesh], landmarks: list[F32], rng: np.random.Generator
) -> tuple[U8, list[tuple[float, F64]]]:
    """A picture of heads side by side, and the scale and shift of each into its pixels (y up)."""
    height, width = 480, 480 * len(meshes)
    picture = np.full((height, width, 3), 120, np.uint8)
    placed = []
    for k, (mesh, points) in enumerate(zip(meshes, landmarks, strict=True)):
        extent = float(np.ptp(points[:, :2], axis=0).max())
        scale = FACE_PX * rng.uniform(0.75, 1.0) / extent
        middle = (points[:, :2].max(axis=0) + points[:, :2].min(axis=0)) / 2 + rng.uniform(
            -0.05, 0.05, 2
        ) * extent
        camera = Camera(
            np.eye(3, dtype=np.float32), (float(middle[0]), float(middle[1])), 240 / scale, 480, 480
        )
        renderer.load(mesh)
        drawn = renderer.render(camera, raking_light())
        tile = picture[:, 480 * k : 480 * k + 480]
        tile[:] = drawn.over(tile.copy())
        shift = np.array([480 * k + 239.5 - middle[0] * scale, height - 1 - 239.5 - middle[1] * scale, 0])
        placed.append((scale, shift.astype(np.float64)))
    return picture, placed


def tool_faces(source: Path) -> Any:
    from fnormal.geometry.mesh import triangulate
    from fnormal.scans.scan import read_arrays

    arrays = read_arrays(source, "")
    names = [str(n) for n in arrays["material_names"]]
    keep = [names.index(n) for n in ("M_Face", "M_BackHead")]
    return triangulate(arrays["quads"][np.isin(arrays["material_of_quad"], keep)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    all_heads, faces = heads(options.source, options.heads, 4000 + options.seed), tool_faces(options.source)
    frames = signed_permutations()
    predictor = Predictor()
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    started = time.monotonic()
    with open_renderer("auto", supersample=1) as renderer:
        for case in range(options.cases):
            in_photo, in_file = [(1, 1), (1, 1), (3, 1), (3, 3)][case % 4]
            ids = rng.choice(len(all_heads), max(in_photo, in_file), replace=False)
            yaws = (
                rng.choice([-60, -40, -20, 0, 20, 40, 60], len(ids))
                if rng.random() < 0.5
                else np.zeros(len(ids))
            )
            turns = [rotation_about(np.array([0.0, 1, 0]), np.radians(y)) for y in yaws]
            shown = [posed(all_heads[i][0], t) for i, t in zip(ids, turns, strict=True)][:in_photo]
            shapes = [all_heads[i][1] @ t.T for i, t in zip(ids, turns, strict=True)]
            marks = [s[all_heads[i][2]] for s, i in zip(shapes, ids, strict=True)]
            picture, placed = photo_of(renderer, shown, marks[:in_photo], rng)
            found = find_all_faces(picture, every=in_photo > 1)
            if len(found) < in_photo:
                totals["no face found"]["photos"] += 1
                continue
            unit = str(rng.choice(["px", "mm", "m"]))
            known, inward = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
            frame = frames[int(rng.integers(48))]
            turned = unit != "px" and rng.random() < 0.5
            extra = rotation_about(np.array([0.0, 1, 0]), np.radians(rng.uniform(-60, 60) if turned else 0))
            parts, tris, at = [], [], 0
            for k in range(in_file):
                scale, shift = placed[k]
                v = shapes[k] * scale + shift  # in the photo's pixels
                if unit != "px":
                    eyes = eyes_of((shapes[0] * placed[0][0])[all_heads[ids[0]][2]])
                    v = (v - (shift if in_file == 1 else 0)) * EYES_MM / np.linalg.norm(eyes[0] - eyes[1])
                    v = v * (0.001 if unit == "m" else 1)
                    v = v @ extra.T
                f = faces
                if not known:  # the neck is cut off, and the vertices that no face uses
                    used, f = np.unique(faces[(faces < 11000).all(axis=1)], return_inverse=True)
                    f, v = f.reshape(-1, 3), v[used]
                parts.append(v @ frame_matrix(frame).T.astype(np.float64).T)
                tris.append(f + at)
                at += len(v)
            vertices = np.concatenate(parts)
            if unit == "px" and rng.random() < 0.3:  # pixels counted from the top
                vertices = np.concatenate(parts) @ frame_matrix(frame)  # undone
                vertices = vertices * (1, -1, 1) + (0, picture.shape[0] - 1, 0)
                frame = "image"
            triangles = np.concatenate(tris)[:, ::-1] if inward else np.concatenate(tris)
            mesh = make_mesh(vertices, triangles)
            about = f"{frame:>8} {unit:>2} {'known' if known else 'found'} {'in' if inward else 'out'}"
            about += f" photo {in_photo} file {in_file}"
            truth = [shapes[k] * placed[k][0] + placed[k][1] for k in range(in_file)]
            number = np.arange(len(shapes[0])) if known else np.searchsorted(used, np.arange(len(shapes[0])))
            numbers = [number + k * len(parts[0]) for k in range(in_file)]
            normals = [predicted(predictor, picture, face) for face in found]
            verdict, note = judge(
                renderer, mesh, found, normals, truth, [all_heads[i][2] for i in ids], numbers
            )
            group = f"{unit} {'known' if known else 'found'} photo {in_photo} file {in_file}"
            totals[group][verdict] += 1
            totals["all"][verdict] += 1
            if options.list or verdict == "wrong":
                print(case, verdict, about, note, flush=True)
    for group, counts in sorted(totals.items()):
        print(f"{group:32s}", dict(counts))
    print(f"{time.monotonic() - started:.0f} s")


def judge(
    renderer: Any,
    mesh: Mesh,
    found: list[FaceBox],
    normals: list[FaceNormals],
    truth: list[Any],
    marks: Any,
    numbers: Any,
) -> tuple[str, str]:
    try:
        heads = find_heads(renderer, mesh, "mesh.obj")
        results = place_heads(renderer, heads, found, normals[0].shape[0], normals.__getitem__, rounds=0)
    except FNormalError as error:
        return "refused", str(error)[:110]
    worst, kinds, warned = 0.0, [], False
    for result in results:
        assert result.coarse.alignment is not None
        vertices = result.coarse.alignment(mesh.vertices)
        errors = []
        for k, (wanted, number) in enumerate(zip(truth, numbers, strict=True)):
            eyes, inner = eyes_of(wanted[marks[k]]), marks[k][17:]
            off = np.linalg.norm(vertices[number[inner]][:, :2] - wanted[inner, :2], axis=1).mean()
            errors.append(off / np.linalg.norm(eyes[0] - eyes[1]))
        worst, warned = max(worst, min(errors)), warned or bool(result.doubt())
        kinds.append(f"{described(result.coarse.alignment)} {result.agreement:.2f}")
    verdict = "right" if worst < 0.02 else "near" if worst < 0.05 else "off" if worst < 0.1 else "wrong"
    if verdict == "wrong" and warned:
        verdict = "warned"
    return verdict, f"{100 * worst:.1f} % {kinds}"


if __name__ == "__main__":
    main()
