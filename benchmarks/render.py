"""How fast, how well and in how little memory data sets are rendered, in one run on one machine.

    python benchmarks/render.py [--views 12] [--rounds 5] [--scans 60]

First both back ends against stock pyrender, one process each; then one process against two workers, end
to end with the HDF5 file; then memory over a thousand views, and normals against an analytic sphere.

Stock pyrender is used as its examples do: for every view a new scene with the posed mesh, then a colour
pass, a pass with normals as vertex colours, and a segmentation pass for the mask. Every contender draws
the same poses and lights of the same bumpy head; rounds alternate, and each one's best round counts.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

import numpy as np
import pyrender
import trimesh

from fnormal.geometry.mesh import Mesh, encode_ply, make_mesh
from fnormal.geometry.normals import angular_error_deg
from fnormal.readers import SCANS, open_reader
from fnormal.render.backends import open_renderer
from fnormal.render.camera import Camera, frame_face, random_rotation
from fnormal.render.lighting import Lighting, headlight, paper_lighting

SIZE_PX = 256
TRIANGLES = (30_000, 150_000, 500_000)


def head(triangles: int) -> Mesh:
    """A closed, bumpy, egg-shaped head of about so many triangles, with vertex colours."""
    n = round(np.sqrt(triangles) / 2)
    sphere = trimesh.creation.uv_sphere(count=[n, n])
    p = np.asarray(sphere.vertices)
    bumps = 0.04 * np.sin(9 * p[:, 0]) * np.sin(11 * p[:, 1]) * np.sin(7 * p[:, 2])
    vertices = p * [0.75, 1, 0.85] * (1 + bumps)[:, None]
    colors = 0.5 + 0.3 * np.sin(5 * p)
    return make_mesh(vertices, sphere.faces, colors=colors.astype(np.float32))


def views(mesh: Mesh, count: int) -> list[tuple[Camera, Lighting]]:
    """The paper's poses and lights; the crop holds the front two thirds, as a face's does a head's."""
    rng = np.random.default_rng(0)
    front = mesh.vertices[mesh.vertices[:, 2] > 0.45]
    return [(frame_face(front, random_rotation(rng, 45), SIZE_PX), paper_lighting(rng)) for _ in range(count)]


def stock(renderer: Any, mesh: Mesh) -> Callable[[Camera, Lighting], Any]:
    """A function that renders one view with stock pyrender."""
    assert mesh.colors is not None

    def render(camera: Camera, lighting: Lighting) -> Any:
        passes = []
        turned_normals = mesh.normals @ camera.rotation.T
        pose, eye = np.eye(4), np.eye(4)
        pose[:3, :3] = camera.rotation
        eye[:3, 3] = (*camera.center, 3)
        for colors, flags in (
            (mesh.colors, pyrender.RenderFlags.RGBA),
            ((turned_normals + 1) / 2, pyrender.RenderFlags.FLAT),
            (None, pyrender.RenderFlags.SEG),
        ):
            scene = pyrender.Scene(bg_color=(0, 0, 0, 0), ambient_light=(0, 0, 0))
            shape = trimesh.Trimesh(
                mesh.vertices, mesh.faces, vertex_normals=mesh.normals, vertex_colors=colors, process=False
            )
            node = scene.add(pyrender.Mesh.from_trimesh(shape), pose=pose)
            lens = pyrender.OrthographicCamera(camera.half_width, camera.half_width, znear=0.1, zfar=6)
            scene.add(lens, pose=eye)
            lamp = pyrender.DirectionalLight(color=np.ones(3), intensity=3 * lighting.intensities[0, 0])
            scene.add(lamp, pose=_toward(lighting.directions[0]))
            seg = {node: (255, 255, 255)} if flags == pyrender.RenderFlags.SEG else None
            passes.append(renderer.render(scene, flags=flags, seg_node_map=seg))
        return passes

    return render


def _toward(direction: np.ndarray) -> np.ndarray:
    """A pose whose -z axis points along the light."""
    side = np.cross([0, 1, 0], direction)
    side /= np.linalg.norm(side)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([side, np.cross(direction, side), direction], axis=1)
    return pose


def round_ms(render: Callable[[Camera, Lighting], Any], shots: list[tuple[Camera, Lighting]]) -> float:
    """Milliseconds a view, over one round."""
    start = time.perf_counter()
    for camera, lighting in shots:
        render(camera, lighting)
    return 1e3 * (time.perf_counter() - start) / len(shots)


def compare(n_views: int, rounds: int) -> None:
    """Table of milliseconds a view and ratios."""
    # one for all, and never deleted: that ends the display of every other context of the process
    stocks = pyrender.OffscreenRenderer(SIZE_PX, SIZE_PX)
    print("triangles\tstock ms\tsoft ms\tgl ms\tsoft x\tgl x")
    for triangles in TRIANGLES:
        mesh = head(triangles)
        shots = views(mesh, n_views)
        with open_renderer("soft") as soft, open_renderer("gl") as gl:
            soft.load(mesh)
            gl.load(mesh)
            contenders = {"stock": stock(stocks, mesh), "soft": soft.render, "gl": gl.render}
            times: dict[str, list[float]] = {name: [] for name in contenders}
            for turn in range(rounds + 1):
                for name, render in contenders.items():
                    took = round_ms(render, shots[:1] if turn == 0 else shots)  # first: warm up
                    times[name] += [took] if turn else []
        ms = {name: min(values) for name, values in times.items()}
        ratios = f"{ms['stock'] / ms['soft']:.1f}\t{ms['stock'] / ms['gl']:.1f}"
        print(f"{len(mesh.faces)}\t{ms['stock']:.1f}\t{ms['soft']:.1f}\t{ms['gl']:.1f}\t{ratios}", flush=True)


def scale(n_scans: int) -> None:
    """Pairs a second of one process and of two workers: whole, and from the difference of two lengths."""
    short = n_scans // 3
    print("workers\tpairs\ts\tpairs/s\tpairs/s without start-up")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "scans"
        folder.mkdir()
        scan = encode_ply(open_reader(SCANS, "anny", None, {"scans": 1, "seed": 0}).load(0).mesh)
        for i in range(n_scans):
            (folder / f"{i:04d}.ply").write_bytes(scan)
        took = {
            (workers, scans): min(seconds(folder, scans, workers) for _ in range(2))
            for scans in (short, n_scans)
            for workers in (0, 2)
        }
        rates = {}
        for workers in (0, 2):
            whole, part = took[workers, n_scans], took[workers, short]
            rates[workers] = 25 * (n_scans - short) / (whole - part)
            pairs = 25 * n_scans
            print(f"{workers}\t{pairs}\t{whole:.1f}\t{pairs / whole:.1f}\t{rates[workers]:.1f}")
    whole_ratio = took[0, n_scans] / took[2, n_scans]
    print(
        f"two workers: {rates[2] / rates[0]:.2f} x one process; with start-up {whole_ratio:.2f} x", flush=True
    )


def seconds(folder: Path, scans: int, workers: int) -> float:
    """Wall time of a whole command, which starts from nothing."""
    out = folder.parent / "out.h5"
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "fnormal", "render-dataset", str(folder), "--dataset", "folder",
         "--scans", str(scans), "--views", "25", "--backend", "soft", "--workers", str(workers),
         "--out", str(out)], check=True, capture_output=True,
    )  # fmt: skip
    took = time.perf_counter() - start
    out.unlink()
    shutil.rmtree(f"{out}.shards", ignore_errors=True)
    return took


def memory(n_views: int = 1000) -> None:
    """Resident memory at the start and the end of a thousand views."""
    mesh = head(TRIANGLES[1])
    with open_renderer("soft") as renderer:
        renderer.load(mesh)
        for i, (camera, lighting) in enumerate(views(mesh, n_views)):
            renderer.render(camera, lighting)
            if i in (50, n_views - 1):
                pages = int(Path("/proc/self/statm").read_text().split()[1])
                print(f"resident after {i + 1} views: {pages * os.sysconf('SC_PAGE_SIZE') / 1e6:.1f} MB")


def sphere() -> None:
    """Angular error of both back ends against the analytic normals of a turned sphere."""
    shape = trimesh.creation.icosphere(subdivisions=5)
    camera = frame_face(
        shape.vertices.astype(np.float32), random_rotation(np.random.default_rng(0), 45), SIZE_PX
    )
    for backend in ("soft", "gl"):
        with open_renderer(backend) as renderer:
            renderer.load(make_mesh(shape.vertices, shape.faces))
            drawn = renderer.render(camera, headlight())
        row, column = np.nonzero(drawn.mask)
        at = camera.unproject(np.stack([column, row], axis=1).astype(np.float32), drawn.z[row, column])
        flat = at[:, :2]
        inner = (flat**2).sum(axis=1) < 0.97
        truth = np.concatenate([flat, np.sqrt(np.clip(1 - (flat**2).sum(axis=1), 0, 1))[:, None]], axis=1)
        error = angular_error_deg(drawn.normals[row, column], truth)[inner]
        print(f"sphere, {backend}: {error.mean():.4f} degrees mean, {error.max():.3f} max")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--views", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scans", type=int, default=60, help="of the scaling part; 0 leaves it out")
    args = parser.parse_args()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    print(f"machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores; commit {commit}")
    compare(args.views, args.rounds)
    if args.scans:
        scale(args.scans)
    memory()
    sphere()


if __name__ == "__main__":
    main()
