"""Anybody's normal maps: layouts and codings are told apart, frames are found, convert and check say so."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from fnormal.errors import FNormalError
from fnormal.evaluation.predictions import file_predictions
from fnormal.geometry.checks import check_map
from fnormal.geometry.normal_layouts import as_vectors
from fnormal.geometry.normal_maps import read_normals
from fnormal.geometry.normals import angular_error_deg, encode_rgb, signed_permutations, to_frame
from tests import helpers
from tests.test_framing import ball

BALL = ball()
NORMALS = BALL.normals.astype(np.float32)


def run(*arguments: object) -> tuple[int, list[str], str]:
    try:
        code, stdout, stderr = helpers.run(*arguments)
    except FNormalError as error:
        return 1, [], str(error)
    return code, stdout.splitlines(), stderr


def half(normals: np.ndarray) -> np.ndarray:
    return (normals + 1) / 2


LAYOUTS = {
    "last.npy": lambda p: np.save(p, NORMALS),
    "first.npy": lambda p: np.save(p, NORMALS.transpose(2, 0, 1)),
    "batch.npy": lambda p: np.save(p, NORMALS.transpose(2, 0, 1)[None]),
    "double.npy": lambda p: np.save(p, NORMALS.astype(np.float64)),
    "coded.npy": lambda p: np.save(p, half(NORMALS)),
    "coded_black.npy": lambda p: np.save(p, half(NORMALS) * BALL.mask[..., None]),
    "bytes.npy": lambda p: np.save(p, np.rint(half(NORMALS) * 255).astype(np.float32)),
    "long.npy": lambda p: np.save(p, NORMALS * np.float32(1.07)),
    "archive.npz": lambda p: np.savez(p, normal=NORMALS, depth=NORMALS[..., 2]),
    "matlab.mat": lambda p: scipy.io.savemat(p, {"normals": NORMALS, "depth": NORMALS[..., 2]}),
    "map.webp": lambda p: cv2.imwrite(str(p), encode_rgb(NORMALS, BALL.mask)[..., ::-1],
                                      [cv2.IMWRITE_WEBP_QUALITY, 101]),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_normals(name: str, tmp_path: Path) -> None:
    LAYOUTS[name](tmp_path / name)
    normals, mask = read_normals(tmp_path / name)
    inner = BALL.mask & mask
    assert inner.sum() > 0.98 * BALL.mask.sum()
    assert angular_error_deg(normals, NORMALS)[inner].mean() < 0.6
    if name != "bytes.npy":  # its background is 127.5 rounded, which is no vector of length 0
        assert (mask & ~BALL.mask).mean() < 0.01


def test_exr_is_read(tmp_path: Path) -> None:
    exr = pytest.importorskip("OpenEXR")
    channels = {name: NORMALS[..., i].copy() for i, name in enumerate("RGB")}
    exr.File({"type": exr.scanlineimage}, channels).write(str(tmp_path / "n.exr"))
    normals, mask = read_normals(tmp_path / "n.exr")
    assert angular_error_deg(normals, NORMALS)[mask].max() < 0.1


@pytest.mark.parametrize("kind", ["depth", "picture", "two"])
def test_what_is_no_normal_map_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ("n.npz" if kind == "two" else "n.npy")
    if kind == "two":
        np.savez(path, a=NORMALS, b=NORMALS)
    else:
        rng = np.random.default_rng(0)
        values = {"depth": 700 + 50 * rng.random((64, 64, 1)), "picture": 0.3 * rng.random((64, 64, 3))}[kind]
        np.save(path, np.repeat(values, 3 // values.shape[-1], axis=-1).astype(np.float32))
    with pytest.raises(FNormalError):
        read_normals(path)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(signed_permutations()), st.sampled_from([(1.0, 0.0), (0.5, 0.5), (127.5, 127.5)]))
def test_codings_are_told_apart_in_every_frame(frame: str, code: tuple[float, float]) -> None:
    turned = to_frame(NORMALS, frame)
    found = as_vectors(np.where(BALL.mask[..., None], turned * code[0] + code[1], 0))
    assert found is not None
    assert angular_error_deg(found[0], turned)[BALL.mask].max() < 0.1


@pytest.mark.parametrize("frame", signed_permutations())
def test_all_48_frames_are_recognised(frame: str, shared_data: Path) -> None:
    """A head's normals, read as if they were ours; the frame that is found reads them right."""
    turned = to_frame(NORMALS, frame)
    facts = check_map(turned, turned, BALL.mask)
    assert facts.is_clear
    assert facts.seems == frame
    with_prior = check_map(turned, turned, BALL.mask, NORMALS)
    assert (with_prior.seems, with_prior.is_clear) == (frame, True)
    assert with_prior.off_deg == pytest.approx(0, abs=0.1)


def test_check_says_what_is_wrong(tmp_path: Path) -> None:
    holed = NORMALS.copy()
    holed[90:110, 90:110] = 0
    np.save(tmp_path / "holes.npy", holed)
    np.save(tmp_path / "long.npy", NORMALS * np.float32(1.07))
    np.save(tmp_path / "cv.npy", to_frame(NORMALS, "opencv"))
    code, lines, _ = run("check", tmp_path, "--json")
    assert code == 0
    found = {Path(record["input"]).stem: record for record in map(json.loads, lines)}
    assert found["cv"]["seems"] == "opencv"
    assert any("try that" in problem for problem in found["cv"]["problems"])
    assert any("missing" in problem for problem in found["holes"]["problems"])
    assert found["long"]["length_off_mean"] == pytest.approx(0.07, abs=0.01)
    assert run("check", tmp_path / "cv.npy", "--frame", "opencv")[1][0].endswith("nothing wrong")
    (tmp_path / "bad.npy").write_text("no array")
    code, lines, told = run("check", tmp_path / "bad.npy", "--json")
    assert code == 1
    assert json.loads(lines[0])["ok"] is False
    assert "bad.npy" in told


def test_converting_there_and_back_is_the_identity(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", NORMALS)
    assert "--from" in run("convert", tmp_path / "a.npy", "-o", tmp_path / "x")[2], (
        "it does not say its frame"
    )
    there = run("convert", tmp_path / "a.npy", "--from", "opengl", "--to", "y,-x,z", "-o", tmp_path / "b")
    assert there[1] == [str(tmp_path / "b" / "a.png")]
    back = run("convert", tmp_path / "b" / "a.png", "--format", "npy", "-o", tmp_path / "c")
    assert back[0] == 0
    normals = np.load(tmp_path / "c" / "a.npy")
    assert angular_error_deg(normals, NORMALS)[BALL.mask].max() < 0.01
    (tmp_path / "d").mkdir()
    np.save(tmp_path / "d" / "a.npy", NORMALS)
    assert "one name" in run("convert", tmp_path / "a.npy", tmp_path / "d", "--from", "opengl")[2]


def test_eval_finds_normals_among_what_lies_beside_them(pairs: Path, tmp_path: Path) -> None:
    from fnormal.datasets.hdf5 import open_pairs

    data = open_pairs(pairs)
    truth = data[0].normals.astype(np.float32)
    folder = tmp_path / "theirs"
    (folder / "deep").mkdir(parents=True)
    np.save(folder / "deep" / "000000_depth.npy", np.repeat(truth[..., 2:], 3, axis=-1))
    np.save(folder / "deep" / "000000_out_normal.npy", half(truth).transpose(2, 0, 1)[None])
    ((_, found),) = file_predictions(folder, data, None, only=[0])
    assert angular_error_deg(found, truth)[data[0].mask].max() < 0.2
    larger = cv2.resize(
        half(truth) * data[0].mask[..., None], None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST
    )
    np.save(folder / "deep" / "000000_out_normal.npy", larger)
    ((_, found),) = file_predictions(folder, data, None, only=[0])
    assert np.median(angular_error_deg(found, truth)[data[0].mask]) < 1
