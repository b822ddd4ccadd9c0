"""What three.js makes of our GLB in Chromium: its shading normals are the photo's, with our tangents or not.

Needs ``make viewer`` (npm) and Chromium.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from fnormal.enhancement.gltf import Extras, encode_glb
from tests.caps import SIZE, dressed
from tests.test_blender import bumpy, off_deg, placed

VIEWER = Path(__file__).parents[1] / "viewer"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    esbuild = VIEWER / "node_modules" / ".bin" / "esbuild"
    if not esbuild.exists():
        pytest.skip("no three.js: make viewer")
    bundle = tmp_path_factory.mktemp("three") / "shaded.js"
    command = [str(esbuild), "shaded.js", "--bundle", "--format=iife", f"--outfile={bundle}"]
    subprocess.run(command, cwd=VIEWER, check=True, capture_output=True)
    return bundle.read_text()


def without_tangents(glb: bytes) -> bytes:
    """The GLB as other tools write it: readers then find tangents of their own."""
    length = int.from_bytes(glb[12:16], "little")
    document = json.loads(glb[20 : 20 + length])
    for primitive in document["meshes"][0]["primitives"]:
        primitive["attributes"].pop("TANGENT", None)
    told = json.dumps(document).encode().ljust(length)  # no longer than before
    return glb[:20] + told + glb[20 + length :]


def shaded(glb: bytes, program: str, folder: Path) -> np.ndarray:
    """Three's normals in our axes. [H, W, 3]"""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium: apt-get install chromium")
    page = folder / "page.html"
    given = f"GLB = '{base64.b64encode(glb).decode()}'; SIZE = {SIZE};"
    page.write_text(f"<!doctype html><body><script>{given}</script><script>{program}</script></body>")
    for _ in range(5):  # virtual time may run out while a texture is decoded in real time
        done = subprocess.run(
            [chromium, "--headless=new", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
             "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", f"--user-data-dir={folder / 'profile'}",
             "--virtual-time-budget=20000", "--dump-dom", page.as_uri()],
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        found = re.search(r"data:image/png;base64,([A-Za-z0-9+/=]+)", done.stdout)
        if found:
            break
    assert found, done.stdout[-500:] + done.stderr[-500:]
    code = cv2.imdecode(np.frombuffer(base64.b64decode(found[1]), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    return code.astype(np.float32) / 127.5 - 1


@pytest.mark.parametrize("tangents", [True, False])
def test_three_shades_a_glb_with_the_photos_normals(program: str, tmp_path: Path, tangents: bool) -> None:
    done, result = bumpy()
    mesh, left = dressed(done)
    scene = placed(done)
    off = {}
    for name, normal_map in (("with", left), ("without", None)):
        glb = encode_glb(scene(mesh), Extras({}, normal_map, None, scene.lens(), scene.eye(scene(mesh))))
        off[name] = off_deg(shaded(glb if tangents else without_tangents(glb), program, tmp_path), result)
    assert off["with"] < 1.0
    assert off["without"] > 1.5
