"""The house: imports point down the floors of CONTRIBUTING.md, never up, sideways or in a circle."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "fnormal"

# top to bottom; what stands on one floor does not import its neighbours
FLOORS = [
    ["__main__"],
    ["cli"],
    ["commands"],
    ["training"],
    ["evaluation"],
    ["enhancement"],
    ["prediction"],
    ["datasets"],
    ["render", "photos"],
    ["scans"],
    ["faces", "network"],
    ["geometry"],
    ["work"],
    ["files", "progress", "options", "readers"],
    ["arrays", "config", "errors"],
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
# workflows: no file of it imports another
APART = ("commands",)
HOMES = {
    "pyrender": "render.", "OpenGL": "render.", "numba": "render.kernels", "dlib": "faces.",
    "h5py": "datasets.", "distributed": "work.cluster", "trimesh": "geometry.",
    "onnxruntime": ("network.exported", "network.onnx_session"), "onnx": "network.exported",
    "safetensors": "network.",
    "av": "geometry.videofile", "isal": "geometry.pngfile", "OpenEXR": "geometry.normal_maps",
    "typer": ("cli.", "options"), "rich": "cli.",
}  # fmt: skip


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
each_module = pytest.mark.parametrize(("name", "path"), [(n, p) for n, p in MODULES.items() if n])


def names_imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def ours_imported(path: Path) -> set[str]:
    """Modules of fnormal that a file imports."""
    names = {name.removeprefix("fnormal.") for name in names_imported(path) if name.startswith("fnormal.")}
    return (names & set(MODULES)) - {name_of(path)}


def test_every_room_is_on_a_floor() -> None:
    assert {name.split(".")[0] for name in MODULES if name} == set(FLOOR_OF)


def test_few_modules_stand_beside_the_folders() -> None:
    assert len([path for path in MODULES.values() if path.parent == PACKAGE]) <= 8


def test_contributing_shows_the_same_house() -> None:
    shown = re.search(r"```\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert shown is not None
    floors = [re.split(r"\s{2,}", line)[0] for line in shown[1].splitlines() if not line.startswith(" ")]
    named = [[word.strip("/") for word in floor.split(", ")] for floor in floors]
    assert named == [floor for floor in FLOORS if floor != ["__main__"]]


@each_module
def test_imports_point_down(name: str, path: Path) -> None:
    room = name.split(".")[0]
    for target in ours_imported(path):
        other = target.split(".")[0]
        if other != room:
            assert FLOOR_OF[other] > FLOOR_OF[room], f"{name} imports {target}, above or beside it"
        elif room in APART and target != room:
            pytest.fail(f"{name} imports {target}: workflows stand apart")


def test_no_imports_go_in_a_circle() -> None:
    after = {name: ours_imported(path) for name, path in MODULES.items() if name}
    while ready := [name for name, targets in after.items() if not targets & set(after)]:
        for name in ready:
            del after[name]
    assert not after, f"a circle among {', '.join(sorted(after))}"


@pytest.mark.parametrize(("library", "home"), HOMES.items())
def test_heavy_libraries_have_one_home(library: str, home: str | tuple[str, ...]) -> None:
    users = {
        n for n, path in MODULES.items() if any(i.split(".")[0] == library for i in names_imported(path))
    }
    assert users
    users -= {"commands.doctor"}  # it asks every library for its version
    assert all(user.startswith(home) for user in users), users


@each_module
def test_files_and_functions_stay_small(name: str, path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 300, f"{name} has outgrown one screenful of purpose"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{name}.{node.name} is {length} lines"


def test_importing_the_package_and_the_command_line_is_light() -> None:
    code = (
        "import sys, fnormal, fnormal.cli.app;"
        "heavy = {'torch', 'OpenGL', 'cv2', 'scipy', 'h5py', 'dlib', 'trimesh', 'pyrender'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
