from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fnormal.errors import FNormalError
from fnormal.files.writing import atomic
from fnormal.geometry.images import as_bytes, in_unit_range, srgb_to_linear
from fnormal.geometry.normal_maps import NORMAL_FORMATS, read_normals, write_normals
from fnormal.geometry.normals import angular_error_deg
from fnormal.geometry.picturefile import find_images, read_image, write_image
from tests.conftest import bump_normals


@pytest.mark.parametrize("frame", ["opengl", "opencv", "y,-x,z"])
@pytest.mark.parametrize(
    ("format", "worst_deg"), [("png16", 0.002), ("png8", 0.4), ("npy", 1e-4), ("tiff", 1e-4), ("exr", 1e-4)]
)
def test_normal_maps_round_trip(tmp_path: Path, format: str, worst_deg: float, frame: str) -> None:
    normals, mask = bump_normals(48, np.random.default_rng(0))
    path = tmp_path / f"n{NORMAL_FORMATS[format]}"
    write_normals(path, normals, mask, frame=frame, format=format, note={"fnormal:crop": "1,2,3"})
    back, found = read_normals(path, None if "png" in format else frame)
    assert np.array_equal(found, mask)
    assert angular_error_deg(back, normals)[mask].max() < worst_deg
    assert not back[~mask].any()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_png_says_its_frame_and_opens_elsewhere(tmp_path: Path) -> None:
    normals, mask = bump_normals(48, np.random.default_rng(0))
    path = tmp_path / "n.png"
    write_normals(path, normals, mask, frame="opencv", format="png8", note={"fnormal:crop": "1,2,3"})
    with Image.open(path) as picture:
        assert picture.info["fnormal:frame"] == "opencv"
        assert picture.info["fnormal:crop"] == "1,2,3"
        pixels = np.asarray(picture)
    assert pixels[24, 24, 2] < 20, "z away from the viewer"
    wrong, _ = read_normals(path, "opengl")
    assert angular_error_deg(wrong, normals)[mask].mean() > 90


def test_pictures_are_rgb_and_upright(tmp_path: Path) -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:10, :, 0] = 200
    write_image(tmp_path / "a.png", pixels)
    assert np.array_equal(read_image(tmp_path / "a.png"), pixels)
    turned = Image.fromarray(pixels)
    exif = turned.getexif()
    exif[0x0112] = 3  # upside down
    turned.save(tmp_path / "b.png", exif=exif)
    assert read_image(tmp_path / "b.png")[-1, 0, 0] == 200


def test_bad_pictures_get_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    write_image(tmp_path / "whole.png", np.zeros((64, 64, 3), np.uint8))
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:60])
    (tmp_path / "empty.jpg").touch()
    for name in ("none.png", "text.png", "cut.png", "empty.jpg"):
        with pytest.raises(FNormalError) as caught:
            read_image(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(FNormalError, match="JPEG"):
        read_normals(tmp_path / "empty.jpg")
    with pytest.raises(FNormalError, match="no such normal map"):
        read_normals(tmp_path / "none.npy")
    np.save(tmp_path / "flat.npy", np.zeros((4, 4)))
    with pytest.raises(FNormalError, match="three-channel"):
        read_normals(tmp_path / "flat.npy")
    (tmp_path / "none").mkdir()
    with pytest.raises(FNormalError, match="no pictures"):
        find_images(tmp_path / "none")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    path.write_text("old")
    writing = atomic(path)
    writing.__enter__().write_text("half")
    assert not writing.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["f.txt"]
    (tmp_path / "file").touch()
    with pytest.raises(FNormalError, match="cannot write"), atomic(tmp_path / "file" / "x.png"):
        pass


def test_srgb_is_the_standards() -> None:
    assert srgb_to_linear(np.array([0, 0.04045, 0.5, 1], np.float32)) == pytest.approx(
        [0, 0.0031308, 0.21404, 1], abs=1e-5
    )


def test_bytes_go_through_floats_unchanged() -> None:
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(as_bytes(in_unit_range(every)), every)
    assert np.array_equal(as_bytes(np.float32([0, 0.5 / 255 + 1e-6, 1])), [0, 1, 255])
