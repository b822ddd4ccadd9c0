"""eval: anybody's predictions, their axes, where and when they fail, and the tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from fnormal.datasets.hdf5 import Dataset, DatasetWriter, open_pairs
from fnormal.datasets.sample import VIEW_DTYPE, NormalsSample, Pair
from fnormal.errors import FNormalError
from fnormal.evaluation.breakdown import Breakdown, light_angle_deg, yaw_deg
from fnormal.evaluation.metrics import ErrorMeter, pixel_errors_deg
from fnormal.evaluation.report import Gallery, page
from fnormal.evaluation.tables import table_lines
from fnormal.faces.regions import REGIONS, region_map
from fnormal.geometry.normals import (
    angular_error_deg,
    from_frame,
    likely_frame,
    signed_permutations,
    to_frame,
    unit,
)
from fnormal.geometry.picturefile import read_image
from fnormal.render.camera import rotation_about
from tests.conftest import bump_normals
from tests.helpers import run


def write_maps(data: Dataset, folder: Path, frame: str, tilt_deg: float = 0.0) -> Path:
    """Perfect predictions (but for a tilt about y) in the axes of ``frame``, in files that do not say so."""
    folder.mkdir()
    turn = rotation_about(np.array([0.0, 1, 0]), np.radians(tilt_deg))
    for i in range(len(data)):
        normals = data[i].normals.astype(np.float32) @ turn.T
        np.save(folder / f"{i:06d}.npy", to_frame(normals, frame))
    return folder


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        ("-x,-y,z", "turned by 180 degrees"),
        ("x,-y,z", "y flipped"),
        ("opencv", "OpenCV's"),
        ("z,x,y", "cycled"),
    ],
)
def test_predictions_in_other_axes_are_found_out(pairs: Path, tmp_path: Path, frame: str, what: str) -> None:
    folder = write_maps(Dataset(pairs), tmp_path / "maps", frame)
    code, stdout, stderr = run("eval", pairs, "--predictions", folder, "--json")
    assert code == 0, what
    assert json.loads(stdout.splitlines()[0])["mean_deg"] > 10
    named = stderr.split("try --frame ")[1].split()[0]
    code, stdout, stderr = run("eval", pairs, "--predictions", folder, "--json", "--frame", named)
    assert json.loads(stdout.splitlines()[0])["mean_deg"] < 0.1
    assert "warning" not in stderr


def test_honest_predictions_get_no_advice_and_their_figures(pairs: Path, tmp_path: Path) -> None:
    folder = write_maps(Dataset(pairs), tmp_path / "mine", "opengl", tilt_deg=12)
    code, stdout, stderr = run("eval", pairs, "--predictions", folder, "--json")
    assert code == 0
    assert "warning" not in stderr
    rows = [json.loads(line) for line in stdout.splitlines()]
    assert [row["method"] for row in rows] == ["mine", "constant normal", "mean face of others"]
    assert rows[0]["mean_deg"] < 12, "a turn about y moves no normal further than itself"
    low, high = rows[0]["interval_deg"]
    assert low <= rows[0]["mean_deg"] <= high
    assert len(rows[0]["subjects"]) == 4
    assert rows[0]["fine_below_pct"]["22.5"] == 100


def test_maps_that_do_not_fit_are_one_line(pairs: Path, tmp_path: Path) -> None:
    folder = write_maps(Dataset(pairs), tmp_path / "maps", "opengl")
    np.save(folder / "000002.npy", np.full((8, 9, 3), 3**-0.5, np.float32))
    (folder / "000003.npy").unlink()
    for path, words in ((folder, "is 9x8"), (tmp_path / "none", "no such folder")):
        code, _, stderr = run("eval", pairs, "--predictions", path)
        assert code == 1
        assert words in stderr
    np.save(folder / "000002.npy", Dataset(pairs)[2].normals.astype(np.float32))
    code, _, stderr = run("eval", pairs, "--predictions", folder)
    assert code == 1
    assert "has no 000003" in stderr


@pytest.mark.parametrize("frame", ["x,y,z", "x,-y,z"])
def test_a_mesh_over_its_picture_is_scored_by_its_normals(tmp_path: Path, frame: str) -> None:
    """A sphere in PRNet's pixels (y up), or with y down, against the analytic normals: 0.5 degrees."""
    size, radius, x, y = 128, 50.0, 60.0, 70.0
    row, column = np.mgrid[:size, :size]
    flat = np.stack([column - x, (size - 1 - row) - y], axis=-1) / radius
    mask = (flat**2).sum(axis=-1) < 0.95
    normals = np.concatenate([flat, np.sqrt(np.clip(1 - (flat**2).sum(-1, keepdims=True), 0, 1))], axis=-1)
    writer = DatasetWriter(tmp_path / "s.h5", "pairs", size, config={}, licence="")
    image = np.zeros((size, size, 3), np.uint8)
    writer.append([Pair(mask, "a", "a", image, normals * mask[..., None])])
    writer.finish()
    ball = trimesh.creation.icosphere(subdivisions=5, radius=radius)
    ball.vertices += [x, y, 10]
    if frame != "x,y,z":
        ball.vertices *= [1, -1, 1]
        ball.invert()
    (tmp_path / "prn").mkdir()
    ball.export(tmp_path / "prn" / "000000.obj")
    code, stdout, stderr = run(
        "eval", tmp_path / "s.h5", "--predictions", tmp_path / "prn", "--json", "--frame", frame
    )
    assert code == 0, stderr
    assert json.loads(stdout.splitlines()[0])["mean_deg"] < 0.5


def test_pictures_leave_for_other_methods_under_their_numbers(pairs: Path, tmp_path: Path) -> None:
    code, stdout, _ = run("inspect", pairs, "--images", tmp_path / "out")
    assert code == 0
    paths = [line for line in stdout.splitlines() if line.endswith(".png")]
    assert [Path(p).name for p in paths] == [f"{i:06d}.png" for i in range(4)]
    assert np.array_equal(read_image(paths[2]), Dataset(pairs)[2].image)


def test_all_48_frames_are_told_apart() -> None:
    normals = unit(np.random.default_rng(0).normal(size=(400, 3)) * [1, 1, 0.5] + [0.1, 0.2, 1])
    frames = signed_permutations()
    assert len(set(frames)) == 48
    for frame in frames:
        found, there, _ = likely_frame(to_frame(normals, frame), normals)
        assert found == frame
        assert there < 1e-3
        assert angular_error_deg(from_frame(to_frame(normals, frame), frame), normals).max() < 1e-3


def face_points() -> np.ndarray:
    """A schematic face of 68 points in 200 px: jaw, brows, nose, eyes, mouth where they belong."""
    points = np.zeros((68, 2), np.float32)
    angle = np.linspace(0, np.pi, 17)
    points[:17] = np.stack([100 - 80 * np.cos(angle), 80 + 100 * np.sin(angle)], axis=1)
    points[17:22] = np.stack([np.linspace(40, 85, 5), np.full(5, 50)], axis=1)
    points[22:27] = np.stack([np.linspace(115, 160, 5), np.full(5, 50)], axis=1)
    points[27:31] = np.stack([np.full(4, 100), np.linspace(70, 110, 4)], axis=1)
    points[31:36] = np.stack([np.linspace(85, 115, 5), np.full(5, 120)], axis=1)
    for start, x in ((36, 62), (42, 138)):
        turn = np.linspace(0, 2 * np.pi, 6, endpoint=False)
        points[start : start + 6] = np.stack([x + 15 * np.cos(turn), 72 + 6 * np.sin(turn)], axis=1)
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    points[48:68] = np.stack([100 + 25 * np.cos(turn), 145 + 10 * np.sin(turn)], axis=1)
    return points


def test_regions_lie_where_the_landmarks_do() -> None:
    mask = np.zeros((200, 200), bool)
    mask[40:185, 15:185] = True
    labels = region_map(face_points(), mask)
    at = {"eyes": (72, 62), "nose": (95, 100), "mouth": (145, 100), "brow": (50, 60), "cheeks": (120, 55)}
    for name, (row, column) in at.items():
        assert REGIONS[labels[row, column] - 1] == name
    assert REGIONS[labels[100, 17] - 1] == "rim"
    assert not labels[~mask].any()
    assert (labels[mask] > 0).all()
    assert np.array_equal(
        labels[:, ::-1] == 1 + REGIONS.index("eyes"), labels == 1 + REGIONS.index("eyes")
    ) or (np.abs((labels[:, ::-1] == 6).astype(int) - (labels == 6)).mean() < 0.01)


def test_errors_are_grouped_by_pose_light_and_region() -> None:
    normals, mask = bump_normals(200, np.random.default_rng(0))
    view = np.zeros((), VIEW_DTYPE)
    view["rotation"] = rotation_about(np.array([0.0, 1, 0]), np.radians(-20))
    view["light_direction"][0] = (np.sin(np.radians(60)), 0, np.cos(np.radians(60)))
    assert yaw_deg(view["rotation"]) == pytest.approx(20, abs=1e-3)
    assert light_angle_deg(view) == pytest.approx(60, abs=1e-3)
    breakdown = Breakdown()
    turn = rotation_about(np.array([1.0, 0, 0]), np.radians(10))
    sample = NormalsSample(mask, "a", "a", normals, landmarks=face_points(), view=view)
    breakdown.add(sample, pixel_errors_deg(normals, normals, mask))
    breakdown.add(sample, pixel_errors_deg(normals @ turn.T, normals, mask))
    groups = {(g.by, g.name): g for g in breakdown.groups()}
    expected = angular_error_deg(normals @ turn.T, normals)[mask].mean() / 2
    assert groups["yaw", "15-30"].mean_deg == pytest.approx(expected, abs=1e-3)
    assert groups["light", "50-90"].images == 2
    assert {name for by, name in groups if by == "region"} == set(REGIONS)
    assert breakdown.subjects() == {"a": pytest.approx(expected, abs=1e-3)}
    breakdown.add(sample, pixel_errors_deg(np.zeros_like(normals), normals, mask))
    assert breakdown.subjects()["a"] == pytest.approx((2 * expected + 90) / 3, abs=1e-3), "no answer is 90"


def test_the_interval_resamples_people_not_pictures(tmp_path: Path) -> None:
    """Ten pictures of each of two people: their difference is all that is uncertain."""
    up = np.zeros((4, 4, 3), np.float32)
    up[..., 2] = 1
    mask = np.ones((4, 4), bool)
    breakdown = Breakdown()
    for name, tilt in (("a", 10.0), ("b", 20.0)):
        pred = up @ rotation_about(np.array([1.0, 0, 0]), np.radians(tilt)).T
        for _ in range(10):
            breakdown.add(NormalsSample(mask, name, name, up), pixel_errors_deg(pred, up, mask))
    assert breakdown.interval_deg() == (pytest.approx(10, abs=1e-3), pytest.approx(20, abs=1e-3))
    assert list(breakdown.subjects()) == ["b", "a"], "worst first"


def test_tables_can_be_pasted() -> None:
    meter = ErrorMeter()
    up = np.array([[[0, 0, 1.0]]])
    meter.add(up @ rotation_about(np.array([1.0, 0, 0]), np.radians(22)).T, up, np.ones((1, 1), bool))
    rows = {"ours": meter.summary()}
    assert table_lines(rows, "tsv") == ["ours\t22.00\t0.00\t0.0\t100.0\t100.0"]
    assert table_lines(rows, "csv") == ["method,mean,std,<20,<25,<30", "ours,22.00,0.00,0.0,100.0,100.0"]
    assert table_lines(rows, "markdown")[2] == "| ours | 22.00 | 0.00 | 0.0 | 100.0 | 100.0 |"
    assert table_lines(rows, "latex") == [r"ours & $22.00 \pm 0.00$ & 0.0\% & 100.0\% & 100.0\% \\"]


def test_sets_without_pairs_are_refused(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "n.h5", "normals", 32, config={}, licence="")
    normals, mask = bump_normals(32, np.random.default_rng(0))
    writer.append([NormalsSample(mask, "a", "a", normals)])
    writer.finish()
    with pytest.raises(FNormalError, match="needs image/normal pairs"):
        open_pairs(tmp_path / "n.h5")
    code, _, stderr = run("inspect", tmp_path / "n.h5", "--images", tmp_path / "x")
    assert code == 1
    assert "no pictures" in stderr


def test_one_subject_has_no_interval_and_no_face_is_shown_twice(pairs: Path, tmp_path: Path) -> None:
    sample, breakdown, gallery = Dataset[Pair](pairs)[0], Breakdown(), Gallery()
    rng = np.random.default_rng(0)
    for i in range(4):
        pred = sample.normals.astype(np.float32) * rng.uniform(0.5, 2, sample.mask.shape)[..., None]
        errors = np.full(int(sample.mask.sum()), float(i + 1))
        breakdown.add(sample, errors)
        gallery.add(sample, pred, errors)
    assert breakdown.interval_deg() is None
    assert not gallery.has_best, "all four are among the worst"
    text = page("a", "b", {}, breakdown, gallery, "")
    assert "interval" not in text
    assert "Best faces" not in text
    assert "least sure" in text
    assert "<polyline" in text


def test_dropping_what_the_network_is_unsure_of_leaves_less(pairs: Path) -> None:
    """Lengths that fall with the error rank as the errors do: both curves are one."""
    sample, gallery = Dataset[Pair](pairs)[0], Gallery()
    count = int(sample.mask.sum())
    errors = np.linspace(1, 40, count)
    pred = np.zeros((*sample.mask.shape, 3), np.float32)
    pred[sample.mask] = np.array([0, 0, 1]) * (8 / errors)[:, None]
    gallery.add(sample, pred, errors)
    curves = gallery.sparsification()
    assert curves is not None
    np.testing.assert_allclose(curves[1], curves[2])
    assert curves[1, 0] == pytest.approx(errors.mean(), rel=0.02)
    assert (np.diff(curves[1]) < 0).all()
    flat = Gallery()
    flat.add(sample, sample.normals.astype(np.float32) * 0 + np.float32([0, 0, 1]), errors)
    assert flat.sparsification() is None
