"""Plain bars around a picture: found to the pixel, whatever lies within; nothing else is one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fnormal.faces.masks import hull_mask
from fnormal.geometry.picturefile import read_image
from fnormal.geometry.plain_border import Part, without_bars
from fnormal.prediction.predictor import Predictor


def framed(picture: np.ndarray, widths: tuple[int, ...], color: tuple[int, ...]) -> tuple[np.ndarray, Part]:
    """A picture with bars at its four sides, and where it is in what comes out."""
    top, bottom, left, right = widths
    around = cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=color)
    height, width = picture.shape[:2]
    return around, Part(top, top + height, left, left + width)


@pytest.fixture(scope="module")
def photo(astronaut: Path) -> np.ndarray:
    return np.ascontiguousarray(read_image(astronaut)[60:300, 100:340])


@given(
    seed=st.integers(0, 2**20),
    widths=st.tuples(*[st.one_of(st.just(0), st.integers(1, 90))] * 4),
    color=st.tuples(*[st.integers(0, 255)] * 3),
)
@settings(max_examples=60, deadline=None)
def test_bars_of_any_colour_and_width_are_found_to_the_pixel(
    seed: int, widths: tuple[int, ...], color: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (rng.integers(32, 120), rng.integers(32, 120), 3), np.uint8)
    around, part = framed(noise, widths, color)
    assert without_bars(around) == part
    assert without_bars(around.astype(np.float32) / 255) == part, "as floats"
    across = without_bars(np.ascontiguousarray(around.swapaxes(0, 1)))
    assert across == (part.left, part.right, part.top, part.bottom)
    np.testing.assert_array_equal(part.of(around), noise)
    assert part.shape == noise.shape[:2]


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (200, 30, 160)])
@pytest.mark.parametrize("widths", [(48, 48, 48, 48), (37, 37, 0, 0), (0, 0, 21, 33), (0, 40, 0, 0)])
@pytest.mark.parametrize("quality", [60, 90])
def test_bars_are_found_in_a_jpeg(
    photo: np.ndarray, color: tuple[int, ...], widths: tuple[int, ...], quality: int
) -> None:
    around, part = framed(photo, widths, color)
    _, data = cv2.imencode(".jpg", around, [cv2.IMWRITE_JPEG_QUALITY, quality])
    found = without_bars(cv2.imdecode(data, cv2.IMREAD_COLOR))
    assert np.abs(np.array(found) - part).max() <= 2


@pytest.mark.parametrize("width_px", [20, 48])
def test_bars_go_on_around_what_is_as_dark_as_they_are(photo: np.ndarray, width_px: int) -> None:
    """A face before black, in a black frame: that goes on where the background lies."""
    rows, columns = np.mgrid[:240, :240]
    dark = np.where((columns > 30 + rows // 3)[..., None], photo, np.uint8(0))
    around, part = framed(dark, (width_px,) * 4, (0, 0, 0))
    assert without_bars(around) == part
    assert without_bars(dark) == (0, 240, 0, 240)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_backdrop_is_no_bar(photo: np.ndarray, grey: int) -> None:
    """Heads, discs and faces that were cut out do not end in a line."""
    face = Predictor().detect(photo)[0]
    head = np.zeros(photo.shape[:2], np.uint8)
    cv2.ellipse(head, (120, 150), (80, 110), 0, 0, 360, 1, -1)
    for inside in (hull_mask(face.landmarks, *photo.shape[:2]), head > 0):
        alone = np.where(inside[..., None], photo, np.uint8(grey))
        assert without_bars(alone) == (0, 240, 0, 240)
        rows, columns = np.nonzero(inside.any(axis=1))[0], np.nonzero(inside.any(axis=0))[0]
        tight = alone[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert without_bars(tight) == (0, tight.shape[0], 0, tight.shape[1])


@pytest.mark.parametrize("shape", [(64, 64), (1, 60000), (60000, 1), (31, 500), (3000, 4000)])
def test_a_plain_picture_stays_whole(shape: tuple[int, int]) -> None:
    assert without_bars(np.full((*shape, 3), 7, np.uint8)) == (0, shape[0], 0, shape[1])


def test_plain_pictures_with_bars_are_plain_pictures() -> None:
    colors = np.array([[255, 255, 255], [200, 0, 0], [0, 0, 120]], np.uint8)
    flag = np.repeat(colors, 40, axis=0)[:, None].repeat(200, axis=1)
    assert without_bars(flag) == (40, 80, 0, 200)
    assert without_bars(np.ascontiguousarray(flag.swapaxes(0, 1))) == (0, 200, 40, 80)
    assert without_bars(framed(flag[40:80], (9, 9, 9, 9), (0, 0, 0))[0]) == (9, 49, 9, 209)


@pytest.mark.parametrize("crop", [False, True])
def test_a_picture_with_bars_is_answered_as_without(photo: np.ndarray, crop: bool) -> None:
    """Bit for bit, in the whole picture's pixels, and the bars themselves are no face."""
    mine = Predictor()
    tight = np.ascontiguousarray(photo[:, 30:200][10:150])
    around, part = framed(tight, (48, 30, 40, 52), (0, 0, 0))
    faces = mine.detect(tight)[:1]
    if crop:
        moved = [faces[0].moved(*part.corner_px)]
        for forehead in (False, True):
            (bare,), (result,) = (
                mine.predict(picture, given, scale=1.2, forehead=forehead)
                for picture, given in ((tight, faces), (around, moved))
            )
            np.testing.assert_array_equal(part.of(result.mask), bare.mask)
            np.testing.assert_allclose(part.of(result.normals), bare.normals, atol=2e-3)
            assert result.mask.sum() == bare.mask.sum()
    else:
        bare, result = mine.predict_whole(tight), mine.predict_whole(around)
        np.testing.assert_array_equal(part.of(result.normals), bare.normals)
        np.testing.assert_array_equal(part.of(result.confidence), bare.confidence)
        assert part.of(result.mask).all()
        assert result.mask.sum() == tight.shape[0] * tight.shape[1]
        assert result.normals.shape == around.shape
    assert result.face is not None
    np.testing.assert_allclose(result.face.landmarks - part.corner_px, faces[0].landmarks, atol=1e-3)
