"""predict for everybody's pictures: places of faces from files, further pictures, flags, lines of JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from fnormal.errors import FNormalError
from fnormal.faces.covered import covered_share
from fnormal.faces.given import face_in_box, faces_of, parse_box, read_faces
from fnormal.faces.ladder import find_all_faces
from fnormal.faces.quality import quality_flags
from fnormal.geometry.normal_maps import read_normals
from fnormal.geometry.picturefile import read_image
from fnormal.training.cover import draw_glasses
from tests import helpers

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments: object) -> tuple[int, list[dict[str, object]], str]:
    try:
        code, stdout, stderr = helpers.run(*arguments)
    except FNormalError as error:
        return 1, [], str(error)
    return code, [json.loads(line) for line in stdout.splitlines() if line.startswith("{")], stderr


@pytest.fixture(scope="module")
def points(astronaut: Path) -> np.ndarray:
    return find_all_faces(read_image(astronaut))[0].landmarks


def test_points_of_other_tools_are_read(points: np.ndarray, tmp_path: Path) -> None:
    pts = "\n".join(f"{x + 1} {y + 1}" for x, y in points)
    files = {
        "flat.npy": lambda p: np.save(p, points),
        "wide.npy": lambda p: np.save(p, np.vstack([points.T, np.zeros(68)])),
        "two.npy": lambda p: np.save(p, np.stack([points, points + 5])),
        "list.json": lambda p: p.write_text(json.dumps(points.tolist())),
        "fnormal.json": lambda p: p.write_text(json.dumps({"landmarks": points.tolist(), "score": 0.7})),
        "fan.json": lambda p: p.write_text(json.dumps([{"landmarks": points.tolist(), "det_score": 0.7}])),
        "face.pts": lambda p: p.write_text(f"version: 1\nn_points: 68\n{{\n{pts}\n}}\n"),
        "aflw.mat": lambda p: scipy.io.savemat(p, {"pt3d_68": np.vstack([points.T, np.zeros(68)])}),
        "3ddfa.txt": lambda p: np.savetxt(p, np.vstack([points.T, np.zeros(68)])),
    }
    for name, write in files.items():
        write(tmp_path / name)
        faces = read_faces(tmp_path / name)
        np.testing.assert_allclose(faces[0].landmarks, points, atol=1e-3, err_msg=name)
        assert len(faces) == (2 if name == "two.npy" else 1)
    assert read_faces(tmp_path / "fan.json")[0].score == 0.7
    assert faces_of("photos/flat.jpg", tmp_path)[0].landmarks.shape == (68, 2)
    with pytest.raises(FNormalError, match=r"no points for a\.jpg"):
        faces_of("a.jpg", tmp_path)
    (tmp_path / "odd.json").write_text("[[1, 2], [3]]")
    with pytest.raises(FNormalError):
        read_faces(tmp_path / "odd.json")


def test_a_box_is_enough(astronaut: Path, points: np.ndarray) -> None:
    low, high = points.min(axis=0), points.max(axis=0)
    face = face_in_box(read_image(astronaut), (*low, *high))
    assert np.linalg.norm(face.landmarks - points, axis=1).mean() < 8
    assert parse_box("1,2,30.5,40") == (1, 2, 30.5, 40)
    for wrong in ("1,2,3", "a,b,c,d", "10,10,5,20", "nan,0,9,9", ""):
        with pytest.raises(FNormalError, match="--box"):
            parse_box(wrong)
    with pytest.raises(FNormalError, match="outside the picture"):
        face_in_box(read_image(astronaut), (900, 900, 950, 950))


def test_a_line_a_face_says_everything(astronaut: Path, tmp_path: Path) -> None:
    code, (line,), _ = run(
        "predict", astronaut, "--json", "-o", tmp_path, "--confidence", "--overlay", "--side-by-side"
    )
    assert code == 0
    for name in ("normals", "mask", "confidence", "overlay", "side_by_side", "json"):
        assert Path(str(line[name])).is_file(), name
    about = json.loads(Path(str(line["json"])).read_text())
    assert about["flags"] == line["flags"] == []
    assert len(about["landmarks"]) == 68
    overlay = read_image(Path(str(line["overlay"])))
    photo, (_, mask) = read_image(astronaut), read_normals(Path(str(line["normals"])))
    assert (overlay != photo)[mask].mean() > 0.9
    np.testing.assert_array_equal(overlay[~mask], photo[~mask])
    sure = cv2.imread(str(line["confidence"]), cv2.IMREAD_UNCHANGED)
    assert sure.dtype == np.uint16
    assert not sure[~mask].any()
    again = run("predict", tmp_path, "--json", "-o", tmp_path / "again")
    assert again[0] == 1, "a folder of results holds no photo"
    assert "own" in again[2] or "no pictures" in again[2] or "left out" in again[2]


def test_the_crop_alone_is_the_crop_of_the_frame(astronaut: Path, tmp_path: Path) -> None:
    _, (whole,), _ = run("predict", astronaut, "--json", "-o", tmp_path / "a")
    _, (crop,), _ = run("predict", astronaut, "--json", "-o", tmp_path / "b", "--crop-only")
    place = whole["crop"]
    assert isinstance(place, dict)
    x, y, side = place["x_px"], place["y_px"], place["side_px"]
    large, small = (read_normals(Path(str(line["normals"])))[0] for line in (whole, crop))
    np.testing.assert_array_equal(large[y : y + side, x : x + side], small)


def test_how_many_faces_is_said_by_name_or_number(astronaut: Path, tmp_path: Path) -> None:
    photo = read_image(astronaut)
    cv2.imwrite(
        str(tmp_path / "three.png"), np.concatenate([photo, photo[:, ::-1], photo], axis=1)[..., ::-1]
    )
    for said, count in (("first", 1), ("2", 2), ("all", 3)):
        _, lines, _ = run("predict", tmp_path / "three.png", "--json", "-o", tmp_path / said, "--faces", said)
        assert len(lines) == count
        assert {line["face"] for line in lines} == set(range(1, count + 1))
    assert "--faces" in run("predict", tmp_path / "three.png", "--faces", "some")[2]
    code, (line,), _ = run("predict", astronaut, "--json", "-o", tmp_path / "s", "--min-score", 9)
    assert code == 1
    assert line["ok"] is False
    assert "lower --min-score" in str(line["error"])


def test_a_covered_face_is_flagged(astronaut: Path, tmp_path: Path) -> None:
    """The network expects larger errors where something lies before the mouth; not on the portrait itself."""
    photo = read_image(astronaut)
    middle = find_all_faces(photo)[0].landmarks[48:].mean(axis=0)
    hidden = cv2.ellipse(
        photo.copy(), [round(float(v)) for v in middle], (30, 22), 20, 0, 360, (30, 60, 140), -1
    )
    cv2.imwrite(str(tmp_path / "hidden.png"), hidden[..., ::-1])
    code, lines, stderr = run("predict", astronaut, tmp_path / "hidden.png", "--json", "-o", tmp_path / "o")
    assert code == 0, stderr
    for flag in ("unsure", "covered"):
        assert [flag in line["flags"] for line in lines] == [False, True]


def test_dark_glasses_cover_a_face_and_clear_ones_do_not(astronaut: Path) -> None:
    photo = read_image(astronaut)
    points = find_all_faces(photo)[0].landmarks
    whole = np.ones(photo.shape[:2], bool)
    shares: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(30):
        drawn, left = draw_glasses(photo, whole, points, np.random.default_rng(seed))
        shares[not left.all()].append(covered_share(drawn, points))
    dark, clear = shares[True], shares[False]
    assert len(dark) >= 5
    assert np.median(dark) > 0.1
    assert np.mean(np.array(dark) > 0.06) > 0.8
    assert np.mean(np.array(clear) > 0.06) < 0.1
    assert covered_share(photo, points) < 0.01


def test_flags_tell_what_spoils_a_prediction(astronaut: Path) -> None:
    photo = read_image(astronaut)
    face = find_all_faces(photo)[0]
    mask = np.ones(photo.shape[:2], bool)
    x, y = face.landmarks.min(axis=0).astype(int)
    x2, y2 = face.landmarks.max(axis=0).astype(int)
    hull = np.zeros_like(mask)
    hull[y:y2, x:x2] = True
    part = hull[y:y2, x:x2]
    assert quality_flags(photo, part, (x, y), face) == []
    assert "too dark" in quality_flags((photo // 40).astype(np.uint8), part, (x, y), face)
    assert "burnt out" in quality_flags(np.maximum(photo, 254), part, (x, y), face)
    assert "blurred" in quality_flags(cv2.GaussianBlur(photo, (0, 0), 8), part, (x, y), face)
    small = type(face)(face.box, face.landmarks / 4, 1.0)
    assert "too small" in quality_flags(photo, part, (x, y), small)
    narrow = type(face)(face.box, face.landmarks * np.float32([0.2, 1]), 1.0)
    assert "profile" in quality_flags(photo, part, (x, y), narrow)


@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq")
def test_find_xargs_and_jq_compose(astronaut: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    cv2.imwrite(str(folder / "a b.jpg"), read_image(astronaut)[..., ::-1])
    (folder / "bad.jpg").write_text("no picture")
    command = (
        f"find {folder} -name '*.jpg' -print0 | xargs -0 {sys.executable} -m fnormal predict --json"
        f" --out {tmp_path / 'n'} | jq -r 'select(.ok) | .normals'"
    )
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [str(tmp_path / "n" / "a b_normals.png")]
