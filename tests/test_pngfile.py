"""PNG files: what other readers make of them."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fnormal.geometry import pngfile
from fnormal.geometry.pngfile import encode_png


@pytest.mark.parametrize("block_bytes", [1, 100, 1 << 18])
@given(
    st.integers(1, 70), st.integers(1, 40), st.sampled_from([(), (3,)]),
    st.sampled_from([np.uint8, np.uint16]), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_opencv_reads_the_very_pixels(
    block_bytes: int, height: int, width: int, channels: tuple[int, ...], kind: type, seed: int
) -> None:
    """Grey and colour, both depths, noise and zeros, in blocks of a row, of some rows, of all."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, np.iinfo(kind).max, (height, width, *channels), dtype=kind, endpoint=True)
    pixels[rng.random(pixels.shape) < 0.5] = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pngfile, "_BLOCK_BYTES", block_bytes)
        data = encode_png(pixels)
    raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert raw is not None
    assert raw.dtype == kind
    assert np.array_equal(raw if raw.ndim == 2 else raw[..., ::-1], pixels)


def test_pillow_reads_the_text_and_every_checksum() -> None:
    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    text = {"fnormal:frame": "x,y,z", "where": "Zürich", "beyond Latin-1": "鼻"}
    data = encode_png(pixels[:, ::-1], text)  # a view whose rows are not in one piece
    Image.open(io.BytesIO(data)).verify()
    with Image.open(io.BytesIO(data)) as picture:
        assert np.array_equal(np.asarray(picture), pixels[:, ::-1])
        assert picture.info == {**text, "beyond Latin-1": "?"}
