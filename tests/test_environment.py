"""Surroundings that light a face: harmonics against sums over the sky, the sun apart, panorama files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fnormal.errors import FNormalError
from fnormal.geometry.normals import unit
from fnormal.render.environment import evaluate, panorama, project, read_environments


def test_harmonics_hold_the_irradiance_of_a_lamp_and_of_a_sky() -> None:
    rng = np.random.default_rng(0)
    normals = unit(rng.normal(size=(500, 3)))
    uniform = panorama("white", np.ones((64, 128, 3), np.float32)).irradiance(0.7)
    assert evaluate(normals, uniform) == pytest.approx(np.ones((500, 3)), abs=2e-3)
    lamp = project(np.array([[0, 0.6, 0.8]]), np.array([[np.pi, np.pi, np.pi]]))
    exact = np.clip(normals @ [0, 0.6, 0.8], 0, None)
    error = np.abs(evaluate(normals, lamp)[:, 0] - exact).max()
    assert error == pytest.approx(3 / 32, abs=1e-3), "what degree 2 leaves of a clamped cosine, at 90 degrees"


def test_a_sun_apart_lights_as_all_cells_do() -> None:
    """Sun and sky are nearer to the sum over all cells than nine harmonics of both are, after any turn."""
    bright = np.ones((64, 128, 3), np.float32)
    bright[16:18, 80:82] = [4000, 3000, 2000]
    room = panorama("sunny", bright)
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(200, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    for turn_rad in (0.0, 1.0, 4.0):
        cosine, sine = np.cos(turn_rad), np.sin(turn_rad)
        turned = room.toward @ np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]).T
        exact = np.clip(normals @ turned.T, 0, None) @ room.light / np.pi
        exact *= 1 / project(room.toward, room.light)[0].mean()
        parts = room.sun_and_sky(turn_rad)
        assert parts is not None
        toward, sun, sky = parts
        apart = np.clip(normals @ toward, 0, None)[:, None] * sun + evaluate(normals, sky)
        whole = evaluate(normals, room.irradiance(turn_rad))
        assert np.abs(apart - exact).max() < 0.03 * exact.max()
        assert np.abs(apart - exact).max() < 0.3 * np.abs(whole - exact).max()
    assert panorama("even", np.ones((64, 128, 3), np.float32)).sun_and_sky(0.0) is None


def test_panoramas_are_read_and_turned(tmp_path: Path) -> None:
    """A bright patch straight ahead (the middle column looks at +z) lights what faces it."""
    sky = np.full((32, 64, 3), 0.01, np.float32)
    sky[12:20, 28:36] = 50
    cv2.imwrite(str(tmp_path / "room.hdr"), sky)
    room = read_environments(tmp_path)[0]
    ahead, turned = room.irradiance(0.0), room.irradiance(np.pi / 2)
    faces = np.array([[0, 0, 1], [1, 0, 0], [0, 0, -1]])
    assert evaluate(faces, ahead)[:, 0].argmax() == 0
    assert evaluate(faces, turned)[:, 0].argmax() == 1
    (tmp_path / "square.png").write_bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    with pytest.raises(FNormalError, match=r"square\.png is no equirectangular"):
        read_environments(tmp_path)
    with pytest.raises(FNormalError, match="check --environments"):
        read_environments(tmp_path / "none")
