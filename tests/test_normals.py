from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnormal.errors import FNormalError
from fnormal.geometry.normals import (
    FRAMES,
    angular_error_deg,
    decode_rgb,
    encode_rgb,
    frame_matrix,
    from_frame,
    to_frame,
    unit,
)

signed_axes = st.permutations("xyz").flatmap(
    lambda p: st.tuples(*(st.sampled_from([c, "-" + c]) for c in p)).map(",".join)
)


@given(signed_axes, st.integers(0, 2**32 - 1))
def test_every_frame_round_trips(frame: str, seed: int) -> None:
    normals = unit(np.random.default_rng(seed).normal(size=(5, 4, 3)))
    assert np.array_equal(from_frame(to_frame(normals, frame), frame), normals)
    assert abs(np.linalg.det(frame_matrix(frame))) == 1


def test_named_frames_mean_what_docs_say() -> None:
    up_toward = np.array([0.0, 0.6, 0.8], np.float32)
    assert to_frame(up_toward, "opengl") == pytest.approx([0, 0.6, 0.8])
    assert to_frame(up_toward, "opencv") == pytest.approx([0, -0.6, -0.8])
    assert to_frame(up_toward, "directx") == pytest.approx([0, -0.6, 0.8])
    # Photoface's other fork: (n0, n1, n2) -> (n1, -n0, n2)
    assert from_frame(np.array([1.0, 2.0, 3.0]), "y,-x,z") == pytest.approx([2, -1, 3])
    assert from_frame(np.array([-0.6, 0.0, 0.8]), "dsine") == pytest.approx([0.6, 0, 0.8])  # a right cheek
    assert np.array_equal(frame_matrix("moge"), frame_matrix("opencv"))
    for name in ("marigold", "sapiens"):
        assert np.array_equal(frame_matrix(name), frame_matrix("opengl"))
    assert np.array_equal(frame_matrix("omnidata"), frame_matrix("directx"))
    said = {"opengl", "opencv", "directx", "dsine", "stablenormal", "moge", "marigold", "sapiens", "omnidata"}
    assert set(FRAMES) == said


@pytest.mark.parametrize("frame", ["", "x,y", "x,x,z", "x,y,w", "gl"])
def test_wrong_frames_are_refused(frame: str) -> None:
    with pytest.raises(FNormalError, match="three signed axes"):
        frame_matrix(frame)


@given(st.floats(0, 180), st.floats(0.1, 10))
def test_angular_error_is_exact_at_every_angle(angle: float, length: float) -> None:
    a = np.array([0.0, 0.0, 1.0])
    b = length * np.array([np.sin(np.radians(angle)), 0, np.cos(np.radians(angle))])
    assert float(angular_error_deg(a, b)) == pytest.approx(angle, abs=1e-6)


@pytest.mark.parametrize(("bits", "worst_deg"), [(8, 0.4), (16, 0.0016)])
def test_rgb_code_costs_what_docs_say(bits: int, worst_deg: float) -> None:
    normals = unit(np.random.default_rng(0).normal(size=(64, 64, 3)))
    mask = np.ones((64, 64), bool)
    mask[:8] = False
    code = encode_rgb(normals, mask, bits)
    assert code.dtype == (np.uint8 if bits == 8 else np.uint16)
    back, found = decode_rgb(code)
    assert np.array_equal(found, mask)
    assert angular_error_deg(back, normals)[mask].max() < worst_deg
    assert not back[~mask].any()


def test_rounding_has_no_bias() -> None:
    toward = np.zeros((1, 1, 3), np.float32)
    toward[..., 2] = 1
    assert encode_rgb(toward, np.ones((1, 1), bool)).tolist() == [[[128, 128, 255]]]


def test_unit_leaves_zero_alone() -> None:
    assert unit(np.array([[0.0, 0, 0], [0, 3, 4]])).tolist() == [[0, 0, 0], pytest.approx([0, 0.6, 0.8])]
