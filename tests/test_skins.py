"""Skins of portraits: the fit finds a head that was drawn, the skin comes off it; expressions stay faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fnormal.errors import FNormalError
from fnormal.geometry.images import srgb_to_linear
from fnormal.geometry.mesh import make_mesh, vertex_normals
from fnormal.render.camera import frame_face
from fnormal.render.lighting import Lighting
from fnormal.render.soft import SoftRenderer
from fnormal.scans import anny, charmorph
from fnormal.scans.anny import MakeHumanHeads
from fnormal.scans.charmorph import VitruvianHeads
from fnormal.scans.expressions import sample_expression
from fnormal.scans.ict_facekit import HeadModel, IctFaceKit
from fnormal.scans.mouthpaint import inside_mouth
from fnormal.scans.skin import plain_lids
from fnormal.scans.skinbank import SkinBank, write_bank
from fnormal.scans.unwrap import fit_head, unwrap_skin


@pytest.fixture(scope="module")
def model(shared_data: Path) -> HeadModel:
    return HeadModel(shared_data / "ict_facekit" / "ict_facekit.npz")


def test_a_fit_finds_pose_and_shape_of_landmarks(model: HeadModel) -> None:
    """Landmarks of a known head in a known pose: exact up to what 2 % of noise would hide."""
    rng = np.random.default_rng(0)
    vertices = model.posed(rng.normal(0, 1, 100), np.zeros(57))
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    points = vertices[model.landmark_ids] @ turn.T
    pixels = np.stack([300 + 20 * points[:, 0], 250 - 20 * points[:, 1]], axis=1).astype(np.float32)
    fit = fit_head(model, pixels)
    assert fit.residual < 0.02
    cosine = (np.trace(fit.turn @ turn.T.astype(np.float32)) - 1) / 2
    assert np.degrees(np.arccos(min(cosine, 1))) < 5
    np.testing.assert_allclose(
        fit.project(vertices[model.landmark_ids]).mean(axis=0), pixels.mean(axis=0), atol=8
    )


def test_a_skin_comes_off_a_drawn_head_without_its_shading(model: HeadModel) -> None:
    """Two colours, one light from the side: the colours' ratio is in the skin, the light is not."""
    skin = model.finer_skin(model.neutral)
    dark = model.features.lips[:, None] > 0.5
    paint = np.where(dark, np.float32([0.45, 0.2, 0.2]), np.float32([0.75, 0.6, 0.5])).astype(np.float32)
    light = Lighting(
        np.float32([[0.6, 0.2, 0.77]]), np.full((1, 3), 0.8, np.float32), np.full(3, 0.2, np.float32)
    )
    points = model.neutral[model.landmark_ids]
    camera = frame_face(points, np.eye(3, dtype=np.float32), 400)
    with SoftRenderer() as renderer:
        renderer.load(make_mesh(skin, model.skin_faces, colors=paint))
        picture = renderer.render(camera, light).image
    colors = unwrap_skin(model, picture, camera.project(points)[:, :2])
    linear = srgb_to_linear(colors.astype(np.float32) / np.float32(255))
    plain = model.front & (model.features.lips < 0.05) & (skin[:, 2] > np.quantile(skin[:, 2], 0.75))
    normals = vertex_normals(skin, model.skin_faces)
    shade = (0.2 + 0.8 * np.clip(normals @ light.directions[0], 0, None))[plain]
    assert linear[plain, 1].std() / linear[plain, 1].mean() < 0.6 * shade.std() / shade.mean()
    sides = [linear[plain & (sign * skin[:, 0] > 2), 1].mean() for sign in (1, -1)]
    assert abs(np.log(sides[0] / sides[1])) < 0.12, "the light from the side is gone"
    ratio = np.median(linear[model.features.lips > 0.9], axis=0) / np.median(linear[plain], axis=0)
    wanted = srgb_to_linear(np.float32([0.45, 0.2, 0.2])) / srgb_to_linear(np.float32([0.75, 0.6, 0.5]))
    np.testing.assert_allclose(ratio, wanted, rtol=0.35)
    assert (colors.min(axis=1) > 0).mean() > 0.99, "no holes"


def test_landmarks_that_are_no_face_are_refused(model: HeadModel) -> None:
    points = np.random.default_rng(0).uniform(0, 200, (68, 2)).astype(np.float32)
    with pytest.raises(FNormalError, match="misses the landmarks"):
        unwrap_skin(model, np.zeros((200, 200, 3), np.uint8), points)


def test_a_bank_paints_heads_and_is_checked(shared_data: Path, model: HeadModel, tmp_path: Path) -> None:
    bank = tmp_path / "skins.npz"
    count = len(model.front)
    head = model.finer_skin(model.neutral), model.neutral[model.landmark_ids]
    write_bank(bank, np.full((3, count, 3), 90, np.uint8), "CC0", *head)
    source = shared_data / "ict_facekit" / "ict_facekit.npz"
    reader = IctFaceKit(source, licence="MIT", scans=8, seed=0, skins=bank)
    assert reader.licence == "MIT; CC0"
    meshes = [reader.load(i).mesh for i in range(8)]
    flat = [float(np.ptp(np.asarray(m.colors)[:count, 0])) < 1e-3 for m in meshes]
    assert 4 <= sum(flat) <= 8
    other = IctFaceKit(source, licence="MIT", scans=8, seed=0).load(0)
    np.testing.assert_array_equal(meshes[0].vertices, other.mesh.vertices), "a skin changes no shape"
    write_bank(tmp_path / "small.npz", np.zeros((1, 10, 3), np.uint8), "CC0", head[0][:10], head[1])
    with pytest.raises(FNormalError, match="10 vertices"):
        IctFaceKit(source, licence="MIT", scans=1, seed=0, skins=tmp_path / "small.npz")
    np.savez(tmp_path / "no.npz", a=np.zeros(3))
    with pytest.raises(FNormalError, match="no bank of skins"):
        SkinBank(tmp_path / "no.npz")


@pytest.mark.parametrize("family", ["anny", "vitruvian"])
def test_skins_are_carried_to_other_families(
    shared_data: Path, model: HeadModel, tmp_path: Path, family: str
) -> None:
    """Lips and brows of the bank's head come to lie on the other head's, eyeballs get no skin."""
    head, points = model.finer_skin(model.neutral), model.neutral[model.landmark_ids]
    colors = np.full((1, len(head), 3), 128, np.uint8)
    colors[0, model.features.lips > 0.7] = [255, 0, 0]
    colors[0, model.features.brows > 0.7] = [0, 0, 255]
    bank = tmp_path / "skins.npz"
    write_bank(bank, colors, "CC0", head, points)
    reader = family_reader(shared_data, family, skins=bank)
    grey = family_reader(shared_data, family)
    for index in range(6):
        mesh, plain = reader.load(index).mesh, grey.load(index).mesh
        np.testing.assert_array_equal(mesh.vertices, plain.vertices, "a skin changes no shape")
        assert plain.colors is None
    paint, landmarks = reader._paint, np.asarray(marks_of(family))
    skin = reader._paint._bank.sample(np.random.default_rng(0))[paint._nearest]
    red, blue = skin[:, 0] - skin[:, 1], skin[:, 2] - skin[:, 1]
    for carried, own in ((red > 0.9, paint._features.lips), (blue > 0.9, paint._features.brows)):
        assert (own[carried] > 0.2).mean() > 0.55, "the rest lies inside the mouth"
        assert carried[own > 0.9].mean() > 0.45
    assert not (red[landmarks[:36]] > 0.1).any(), "no lips on outline, brows and nose"
    assert 0.001 < (red > 0.9).mean() < 0.1
    eyes = np.concatenate(paint._eyes)
    assert len(paint._eyes) == 2
    colored = np.asarray(reader.load(0).mesh.colors)[eyes]
    assert len(np.unique(colored.round(3), axis=0)) == 3, "white, iris and pupil"
    assert reader.licence == "CC0 1.0; CC0"


def family_reader(shared_data: Path, family: str, **options: Any) -> Any:
    kind, source = {
        "ict-facekit": (IctFaceKit, "ict_facekit/ict_facekit.npz"),
        "anny": (MakeHumanHeads, "makehuman/makehuman_head.npz"),
        "vitruvian": (VitruvianHeads, "charmorph_vitruvian"),
    }[family]
    return kind(shared_data / source, licence="CC0 1.0", scans=6, seed=0, **options)


def marks_of(family: str) -> tuple[int, ...]:
    return anny._LANDMARKS if family == "anny" else charmorph._LANDMARKS


def test_a_bank_without_its_head_is_refused_for_other_families(shared_data: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "old.npz", colors=np.zeros((1, 9, 3), np.uint8), licence=np.array("CC0"))
    with pytest.raises(FNormalError, match="make it again"):
        family_reader(shared_data, "anny", skins=tmp_path / "old.npz")


def test_expressions_reach_extremes_and_stay_even(model: HeadModel) -> None:
    rng = np.random.default_rng(0)
    weights = np.stack([sample_expression(model.expression_names, rng) for _ in range(400)])
    assert weights.min() >= 0
    assert weights.max() <= 1
    names = model.expression_names
    smile = weights[:, [names.index("mouthSmile_L"), names.index("mouthSmile_R")]]
    assert smile.max() > 0.8
    assert np.abs(smile[:, 0] - smile[:, 1]).mean() < 0.05
    assert weights[:, names.index("jawOpen")].max() > 0.8
    winks = (weights[:, names.index("eyeBlink_L")] > 0.9) ^ (weights[:, names.index("eyeBlink_R")] > 0.9)
    assert 5 < winks.sum() < 60
    gaze = weights[:, [names.index("eyeLookOut_L"), names.index("eyeLookIn_R")]]
    np.testing.assert_array_equal(gaze[:, 0], gaze[:, 1]), "both eyes look the same way"


def test_wider_heads_are_wider(shared_data: Path) -> None:
    source = shared_data / "ict_facekit" / "ict_facekit.npz"
    spread = []
    for variety in (1.0, 1.5):
        reader = IctFaceKit(source, licence="MIT", scans=12, seed=5, variety=variety)
        points = np.stack([reader.load(i).landmarks for i in range(12)])
        spread.append(points[:, 27:36].std(axis=0).mean())  # the nose: no expression widens it
    assert spread[1] > 1.25 * spread[0]


def test_unwrap_runs_as_a_command(shared_data: Path, astronaut: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from fnormal.cli.app import app

    folder = tmp_path / "portraits"
    folder.mkdir()
    (folder / "a.png").write_bytes(astronaut.read_bytes())
    cv2.imwrite(str(folder / "b.png"), np.full((200, 200, 3), 90, np.uint8))
    bank, source = tmp_path / "bank.npz", shared_data / "ict_facekit" / "ict_facekit.npz"
    done = CliRunner().invoke(app, ["unwrap", str(folder), "--model", str(source), "-o", str(bank)])
    assert done.exit_code == 1, "one of the two has no face"
    assert "b.png: no face found" in done.stderr
    assert SkinBank(bank).sample(np.random.default_rng(0)).shape == (56191, 3)


@pytest.mark.parametrize("family", ["ict-facekit", "anny", "vitruvian"])
def test_closed_eyes_close_and_leave_the_rest(shared_data: Path, family: str) -> None:
    still, shut = (family_reader(shared_data, family, closed_eyes=share) for share in (None, 1.0))
    closed = 0
    for i in range(6):
        before, after = still.load(i), shut.load(i)
        one, other = (np.asarray(scan.landmarks) for scan in (before, after))
        eye = np.linalg.norm(one[45] - one[36])
        np.testing.assert_allclose(other[:17], one[:17], atol=0.01 * eye)
        gaps = [_eye_gap(points) / eye for points in (one, other)]
        closed += gaps[1] < 0.7 * gaps[0]
        assert gaps[1] < gaps[0] + 0.01
    assert closed >= 3


@pytest.mark.parametrize("family", ["ict-facekit", "anny", "vitruvian"])
def test_open_mouths_open_and_leave_the_eyes(shared_data: Path, family: str) -> None:
    still, wide = (family_reader(shared_data, family, open_mouths=share) for share in (None, 1.0))
    for i in range(4):
        one, other = (np.asarray(reader.load(i).landmarks) for reader in (still, wide))
        eyes = np.linalg.norm(one[45] - one[36])
        np.testing.assert_allclose(other[36:48], one[36:48], atol=0.05 * eyes)
        gaps = [np.linalg.norm(p[[61, 62, 63]] - p[[67, 66, 65]], axis=1).mean() / eyes for p in (one, other)]
        assert gaps[1] > max(0.12, gaps[0] - 0.02), "ARKit's jaw may have been open already"


def test_what_a_shell_hides_is_inside_the_mouth() -> None:
    """A ball behind the front of a hollow sphere, in millimetres: all of the ball, nothing of the sphere."""
    ball = np.random.default_rng(0).normal(size=(20_000, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    sphere, inner = 90 * ball, 20 * ball[::10] + (0, 0, 50)
    points = np.zeros((68, 3), np.float32)
    points[60:68] = (0, 0, 90)
    hidden = inside_mouth(np.concatenate([sphere, inner]).astype(np.float32), points, 10)
    assert hidden[len(sphere) :].all()
    assert not hidden[: len(sphere)].any()


@pytest.mark.parametrize("family", ["anny", "vitruvian"])
def test_an_open_mouth_is_red_inside(
    shared_data: Path, model: HeadModel, tmp_path: Path, family: str
) -> None:
    """On a green head with its mouth wide open, nothing between the lips is green, all else is."""
    bank = tmp_path / "skins.npz"
    head = model.finer_skin(model.neutral), model.neutral[model.landmark_ids]
    write_bank(bank, np.full((1, len(head[0]), 3), [0, 255, 0], np.uint8), "CC0", *head)
    reader = family_reader(shared_data, family, open_mouths=1.0, skins=bank)
    ambient = Lighting(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32), np.ones(3, np.float32))
    teeth = False
    for i in range(6):
        scan = reader.load(i)
        points = np.asarray(scan.landmarks)
        camera = frame_face(points, np.eye(3, dtype=np.float32), 256)
        with SoftRenderer() as renderer:
            renderer.load(scan.mesh)
            picture = renderer.render(camera, ambient).image
        if not (picture[..., 1] > 250).any():
            continue  # one of the heads whose skin is made up
        green = (picture[..., 1] > 1.5 * picture[..., 0]) & (picture[..., 1] > 100)
        marks = camera.project(points)[:, :2]
        inner, outer = (_polygon(marks[part], picture.shape) for part in (slice(60, 68), slice(48, 60)))
        far = cv2.dilate(outer, np.ones((9, 9))) == 0
        within = cv2.erode(inner, np.ones((9, 9))) > 0
        below_nose = np.arange(256)[:, None] > marks[33, 1]
        assert within.sum() > 200
        red = (picture[..., 0] > 1.5 * picture[..., 1]) & (picture[..., 0] > 100)
        assert green[within].mean() < 0.02
        assert red[within].mean() > 0.8
        assert red[far & below_nose].sum() < 9, "nothing comes out of the cheeks"
        teeth |= bool(((picture.min(axis=-1) > 130) & (inner > 0)).sum() > 30)
    assert teeth == (family == "vitruvian"), "MakeHuman's heads have none"


def _polygon(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return cv2.fillPoly(np.zeros(shape[:2], np.uint8), [points.round().astype(np.int32)], 1)


def _eye_gap(points: np.ndarray) -> float:
    upper, lower = points[[37, 38, 43, 44]], points[[41, 40, 47, 46]]
    return float(np.linalg.norm(upper - lower, axis=1).mean())


def test_plain_lids_take_the_colours_around_them() -> None:
    """On a flat face whose colour grows from left to right, eyes of another colour vanish."""
    column, row = np.meshgrid(np.linspace(-6, 6, 121), np.linspace(-6, 6, 121))
    vertices = np.stack([column.ravel(), row.ravel(), 0 * row.ravel()], axis=1).astype(np.float32)
    ring = np.stack([np.cos(np.arange(6) * np.pi / 3), 0.4 * np.sin(np.arange(6) * np.pi / 3)], axis=1)
    points = np.zeros((68, 3), np.float32)
    points[36:42, :2], points[42:48, :2] = 1.2 * ring + (-3, 0), 1.2 * ring + (3, 0)
    skin = np.repeat(0.5 + 0.05 * vertices[:, :1], 3, axis=1).astype(np.float32)
    offset = np.minimum(*(np.abs((vertices[:, :2] - (x, 0)) / (1.2, 0.6)).max(axis=1) for x in (-3, 3)))
    eyed = np.where(offset[:, None] < 0.9, np.float32([1, 0, 0]), skin)
    plain = plain_lids(eyed, vertices, points)
    assert np.abs(plain - skin).max() < 0.05
    far = offset > 3
    np.testing.assert_array_equal(plain[far], eyed[far])
