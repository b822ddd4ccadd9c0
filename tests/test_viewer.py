"""The page of `enhance --html`, in a browser."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fnormal.enhancement.outfits import Scene
from fnormal.enhancement.viewer import encode_page, viewer_program
from fnormal.errors import FNormalError
from fnormal.geometry.normals import angular_error_deg
from fnormal.geometry.picturefile import read_image
from tests.caps import SIZE, enhanced_cap


@pytest.fixture
def viewer() -> None:
    try:
        viewer_program()
    except FNormalError:
        pytest.skip("the viewer was not built: make viewer")


@pytest.mark.usefixtures("viewer")
def test_the_page_holds_all_it_needs() -> None:
    done, _ = enhanced_cap("displace")
    scene = Scene(0.001, np.zeros(3), SIZE, SIZE)
    page = encode_page(done, np.full((SIZE, SIZE, 3), 99, np.uint8), scene, "a<b").decode()
    assert "a&lt;b" in page
    assert "src=" not in page.split("<script")[0]
    data = json.loads(page.split('type="application/json">')[1].split("</script>")[0])
    after = np.frombuffer(base64.b64decode(data["after"]), "<f4").reshape(-1, 3)
    assert after == pytest.approx(done.after.vertices * 0.001, abs=1e-6)
    codes = np.frombuffer(base64.b64decode(data["normals"]["displaced"]), "<i2").reshape(-1, 3)
    assert angular_error_deg(codes / 32767, done.after.normals).max() < 0.01


@pytest.mark.usefixtures("viewer")
def test_the_page_draws_in_a_browser_without_network(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium: apt-get install chromium")
    done, _ = enhanced_cap("displace")
    page = tmp_path / "face.html"
    scene = Scene(0.001, done.after.vertices.mean(axis=0).astype(np.float64), SIZE, SIZE)
    page.write_bytes(encode_page(done, np.full((SIZE, SIZE, 3), 99, np.uint8), scene, "face"))
    picture = tmp_path / "shot.png"
    subprocess.run(
        [chromium, "--headless=new", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
         "--enable-unsafe-swiftshader", "--hide-scrollbars", "--window-size=640,640",
         f"--user-data-dir={tmp_path}/c", "--timeout=4000", f"--screenshot={picture}", page.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    shot = read_image(picture)
    middle = shot[250:390, 250:390].astype(float)
    assert middle.mean() > 80, "a lit face, not the background"
    assert middle.std() > 5, "with shading"
