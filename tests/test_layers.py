"""Imports point down the list of rooms in CONTRIBUTING.md, never up, never sideways."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "fnormal"

# top to bottom; modules of one row do not import each other
LAYERS = [
    ["__main__"],
    ["cli"],
    ["cli_data", "cli_train"],
    ["cli_options", "console"],
    [
        "commands.render_dataset", "commands.import_photos", "commands.inspect_data", "commands.doctor",
        "commands.predict", "commands.enhance_mesh", "commands.ablate", "commands.sheet",
    ],
    ["commands.train"],
    ["commands.evaluate", "produce"],
    ["report", "board"],
    ["results", "cluster", "shards", "predictions", "pictures"],
    ["predictor", "trainer", "breakdown"],
    ["exported"],
    ["scans", "photos"],
    ["scans.ict_facekit", "scans.anny", "scans.folder", "scans.bjut3d", "photos.folder", "photos.photoface"],
    ["scans.ict_download", "scans.skin", "scans.layout", "scans.scan", "photos.photo", "photos.stereo"],
    ["render.landmarks"],
    ["render.backends"],
    ["render.gl", "render.soft"],
    ["render.multitarget", "render.shading"],
    ["render.drawing", "render.kernels", "render.shadow", "render.textures"],
    ["render.lighting"],
    ["render.camera", "render.environment"],
    ["faces.facemesh"],
    ["faces.detect", "faces.crop", "faces.regions"],
    ["enhance.align", "enhance.append", "enhance.gltf", "enhance.topology"],
    ["checkpoint"],
    ["model", "losses", "metrics"],
    ["batches", "parallel", "optimizer", "layers"],
    ["winograd"],
    ["augment"],
    ["dataset"],
    ["meshfile"],
    ["mesh"],
    ["images"],
    ["normals", "faces.masks"],
    ["options", "packages", "progress", "subdivision", "memory"],
    ["config", "errors"],
]  # fmt: skip
RANK = {name: row for row, names in enumerate(LAYERS) for name in names}
PACKAGES = {"", "commands", "render", "faces", "enhance"}  # their __init__ holds no code that imports
HOMES = {
    "pyrender": "render.", "OpenGL": "render.", "numba": "render.kernels", "dlib": "faces.",
    "h5py": ("dataset", "shards"), "distributed": "cluster", "trimesh": "mesh",
    "onnxruntime": "exported", "onnx": "exported",
    "typer": ("cli", "console"), "rich": "console", "safetensors": "checkpoint",
}  # fmt: skip


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(p for p in parts if p != "__init__")
        if name not in PACKAGES:
            found.append((name, path))
    return found


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def test_every_module_has_a_row() -> None:
    assert {name for name, _ in modules()} == set(RANK)


@pytest.mark.parametrize(("name", "path"), modules(), ids=lambda v: v if isinstance(v, str) else "")
def test_imports_point_down(name: str, path: Path) -> None:
    targets = {n.removeprefix("fnormal.") for n in imported(path) if n.startswith("fnormal.")}
    for target in targets & set(RANK) - {name}:
        assert RANK[target] > RANK[name], f"{name} imports {target}, which stands above or beside it"


@pytest.mark.parametrize(("library", "home"), HOMES.items())
def test_heavy_libraries_have_one_home(library: str, home: str | tuple[str, ...]) -> None:
    users = {name for name, path in modules() if any(n.split(".")[0] == library for n in imported(path))}
    assert users
    users -= {"commands.doctor"}  # it asks every library for its version
    assert all(user.startswith(home) for user in users), users


@pytest.mark.parametrize(("name", "path"), modules(), ids=lambda v: v if isinstance(v, str) else "")
def test_files_and_functions_stay_small(name: str, path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 300, f"{name} has outgrown one screenful of purpose"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{name}.{node.name} is {length} lines"


def test_importing_the_package_and_the_command_line_is_light() -> None:
    code = (
        "import sys, fnormal, fnormal.cli;"
        "heavy = {'torch', 'OpenGL', 'cv2', 'scipy', 'h5py', 'dlib', 'trimesh', 'pyrender'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
