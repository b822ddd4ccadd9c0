"""Pairs a second of both back ends against stock pyrender, in one run on one machine.

    python benchmarks/render.py [--views 12] [--rounds 5]

Stock pyrender is used as its examples do: for every view a new scene with the posed mesh, then a colour
pass, a pass with normals as vertex colours, and a segmentation pass for the mask. Every contender draws
the same poses and lights of the same bumpy head; rounds alternate, and the best round of each counts.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

import numpy as np
import pyrender
import trimesh

from fnormal.mesh import Mesh, make_mesh
from fnormal.render.backends import open_renderer
from fnormal.render.camera import Camera, frame_face, random_rotation
from fnormal.render.lighting import Lighting, paper_lighting

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


def stock(mesh: Mesh) -> Callable[[Camera, Lighting], Any]:
    """A function that renders one view with stock pyrender."""
    renderer = pyrender.OffscreenRenderer(SIZE_PX, SIZE_PX)
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


def best_ms(render: Callable[[Camera, Lighting], Any], shots: list[tuple[Camera, Lighting]]) -> float:
    """Milliseconds of this process a view, over one round."""
    start = time.perf_counter()
    for camera, lighting in shots:
        render(camera, lighting)
    return 1e3 * (time.perf_counter() - start) / len(shots)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--views", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    print(f"machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores; commit {commit}")
    print("triangles\tstock ms\tsoft ms\tgl ms\tsoft x\tgl x")
    for triangles in TRIANGLES:
        mesh = head(triangles)
        shots = views(mesh, args.views)
        with open_renderer("soft") as soft, open_renderer("gl") as gl:
            soft.load(mesh)
            gl.load(mesh)
            contenders = {"stock": stock(mesh), "soft": soft.render, "gl": gl.render}
            for render in contenders.values():
                render(*shots[0])
            times = {name: [best_ms(r, shots) for _ in range(args.rounds)] for name, r in contenders.items()}
        ms = {name: min(values) for name, values in times.items()}
        ratios = f"{ms['stock'] / ms['soft']:.1f}\t{ms['stock'] / ms['gl']:.1f}"
        print(f"{len(mesh.faces)}\t{ms['stock']:.1f}\t{ms['soft']:.1f}\t{ms['gl']:.1f}\t{ratios}", flush=True)


if __name__ == "__main__":
    main()
