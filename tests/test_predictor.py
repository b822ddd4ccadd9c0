from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage

import fnormal
from fnormal.config import CROP_SCALE
from fnormal.datasets.hdf5 import Dataset
from fnormal.errors import FNormalError
from fnormal.evaluation.predictions import network_predictions
from fnormal.faces.crop import Crop
from fnormal.faces.detect import FaceBox
from fnormal.geometry.normals import angular_error_deg, unit
from fnormal.geometry.picturefile import read_image
from fnormal.network.checkpoint import load_model, load_weights
from fnormal.network.inference import ready_to_run
from fnormal.network.torch_runner import mirrored_mean
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.inputs import check_range


@pytest.fixture(scope="module")
def predictor() -> fnormal.Predictor:
    return fnormal.Predictor()


def test_a_portrait_has_a_face_with_plausible_normals(predictor: fnormal.Predictor, astronaut: Path) -> None:
    (face,) = predictor.predict(read_image(astronaut))
    assert face.normals.shape == (512, 512, 3)
    length = np.linalg.norm(face.normals, axis=-1)
    assert np.abs(length - face.mask).max() < 1e-5
    assert face.normals[face.mask][:, 2].mean() > 0.6
    assert face.face is not None
    columns, rows = np.meshgrid(np.arange(512), np.arange(512))
    at = face.face.landmarks
    cheeks = (rows > at[29, 1]) & (rows < at[50, 1]) & face.mask
    left, right = (
        face.normals[cheeks & s][:, 0].mean() for s in (columns < at[4, 0] + 15, columns > at[12, 0] - 15)
    )
    assert left < -0.2 < 0.2 < right, "cheeks look outwards"
    assert face.normals[int(at[8, 1]) - 4, int(at[8, 0]), 1] < 0.1, "the chin does not look up"
    assert (face.confidence[face.mask] > 0.5).mean() > 0.95


def test_floats_and_bytes_agree(predictor: fnormal.Predictor, astronaut: Path) -> None:
    picture = read_image(astronaut)
    (a,) = predictor.predict(picture)
    (b,) = predictor.predict(picture.astype(np.float32) / 255)
    assert np.array_equal(a.normals, b.normals)


def test_given_boxes_are_taken(predictor: fnormal.Predictor, astronaut: Path) -> None:
    picture = read_image(astronaut)
    box = predictor.detect(picture)[0]
    (a,), (b,) = predictor.predict(picture), predictor.predict(picture, [box])
    assert np.array_equal(a.normals, b.normals)
    wider = predictor.predict(picture, [box], scale=1.6, forehead=True)[0]
    assert wider.mask.sum() > a.mask.sum()
    inner = a.mask & wider.mask
    assert angular_error_deg(a.normals, wider.normals)[inner].mean() < 15


def test_no_face_is_an_empty_list(predictor: fnormal.Predictor) -> None:
    assert predictor.predict(np.zeros((100, 100, 3), np.uint8)) == []
    with pytest.raises(FNormalError, match="no face found in x"):
        predictor.find_faces(np.zeros((100, 100, 3), np.uint8), "x")


def test_a_mirrored_picture_has_mirrored_normals() -> None:
    torch.manual_seed(0)
    image, model = torch.rand(1, 3, 64, 64), ready_to_run(load_model())
    with torch.inference_mode():
        a = mirrored_mean(model, image)
        b = mirrored_mean(model, image.flip(-1)).flip(-1)
    assert (a - b * torch.tensor([-1, 1, 1])[:, None, None]).abs().max() < 1e-5


@pytest.mark.parametrize("size_px", [64, 128, 256])
def test_eval_scores_the_normals_that_predict_gives(pairs: Path, size_px: int) -> None:
    """At, below and above the size of the data set; bytes are rounded on the way down, hence not equal."""
    data, mine = Dataset(pairs), fnormal.Predictor(size_px=size_px)
    model, info = load_weights(None)
    info = replace(info, size_px=size_px)
    scores = network_predictions(model, info, data, batch_size=3, mirror=True)
    for sample, scored in scores:
        assert sample.image is not None
        given = mine.predict_whole(sample.image).normals
        assert angular_error_deg(given, unit(scored)).mean() < 0.2


@pytest.mark.parametrize(("turn_deg", "scale"), [(0, 1.9), (50, 1.9), (0, 1.45), (0, 1.0), (50, 1.0)])
def test_a_wide_or_tight_crop_answers_the_face_as_the_papers_does(
    predictor: fnormal.Predictor, astronaut: Path, turn_deg: int, scale: float
) -> None:
    matrix = cv2.getRotationMatrix2D((224, 110), turn_deg, 1.0)
    picture = cv2.warpAffine(read_image(astronaut), matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    faces = predictor.detect(picture)[:1]
    (usual,) = predictor.predict(picture, faces)
    (wide,) = predictor.predict(picture, faces, scale=scale)
    assert wide.part_mask.shape[0] > 0.9 * scale / CROP_SCALE * usual.part_mask.shape[0]
    both = usual.mask & wide.mask
    assert both.sum() > 0.99 * usual.mask.sum()
    assert np.percentile(angular_error_deg(wide.normals, usual.normals)[both], 95) < 0.5
    (forehead,) = predictor.predict(picture, faces, scale=scale, forehead=True)
    assert (forehead.mask & ~usual.mask).sum() > 200, "what the paper's crop does not show is there too"


def test_a_tight_picture_is_answered_more_as_the_papers_crop_is(
    predictor: fnormal.Predictor, astronaut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at the points' very box: with its border repeated around, as a crop and as a photo."""
    photo = read_image(astronaut)
    (usual,) = predictor.predict(photo)
    assert usual.face is not None
    left, top, right, bottom = (round(float(v)) for v in usual.face.box)
    part = np.s_[top:bottom, left:right]
    tight = np.ascontiguousarray(photo[part])
    face = FaceBox.around(usual.face.landmarks - (left, top), 0.9)
    monkeypatch.setattr(predictor, "detect", lambda *_, **__: [face])
    mask = usual.mask[part]

    def off_deg(normals: np.ndarray) -> float:
        return float(angular_error_deg(normals, usual.normals[part])[mask].mean())

    side = min(tight.shape[:2])
    alone = Crop((tight.shape[1] - side) // 2, (tight.shape[0] - side) // 2, side, predictor.size_px)
    inside = np.zeros(tight.shape[:2], bool)
    inside[alone.y_px :, alone.x_px :][:side, :side] = True
    mask &= inside
    plain = predictor.predict_crop(tight, alone, np.ones((side, side), bool)).normals
    whole, (photographed,) = predictor.predict_whole(tight), predictor.predict(tight)
    assert whole.mask.all()
    assert off_deg(whole.normals) < off_deg(plain)
    assert off_deg(photographed.normals) == pytest.approx(off_deg(whole.normals), rel=0.1)


@pytest.mark.parametrize("turn_deg", [0, 40, 70])
def test_a_tight_picture_is_answered_by_the_mean_of_two_frames(
    predictor: fnormal.Predictor, astronaut: Path, monkeypatch: pytest.MonkeyPatch, turn_deg: int
) -> None:
    """As it is, and with a border or upright; at turns that the network hardly knows the latter alone."""
    matrix = cv2.getRotationMatrix2D((224, 130), turn_deg, 1.0)
    photo = cv2.warpAffine(read_image(astronaut), matrix, (512, 512))
    face = predictor.detect(photo)[0]
    left, top, right, bottom = (round(float(v)) for v in face.box)
    side = min(right - left, bottom - top)
    tight = np.ascontiguousarray(photo[top : top + side, left : left + side])
    monkeypatch.setattr(predictor, "detect", lambda *_, **__: [face.moved(-left, -top)])
    frame = predictor.whole_frame(tight)
    assert frame.inner is not None
    assert (frame.inner.turn_deg == 0) == (turn_deg == 0)
    means = predictor.run(predictor.seen(tight, frame))
    outer, inner = (
        predictor.finish(replace(part, inner=None), [mean], tight.shape[:2])
        for part, mean in zip(frame.parts, means, strict=True)
    )
    both = unit(outer.normals + inner.normals) if turn_deg <= 50 else inner.normals
    deep = ndimage.distance_transform_edt(np.pad(inner.mask, 1))[1:-1, 1:-1] > 0.07 * side
    answer = predictor.predict_whole(tight)
    assert deep.mean() > 0.3
    assert angular_error_deg(answer.normals, both)[deep].max() < 0.2


@pytest.mark.parametrize(("light", "most_deg"), [(0.5, 0.4), (0.1, 1.0)])
def test_a_dark_photo_is_answered_as_a_light_one(
    predictor: fnormal.Predictor, astronaut: Path, light: float, most_deg: float
) -> None:
    photo = read_image(astronaut)
    faces = predictor.detect(photo)[:1]
    (usual,) = predictor.predict(photo, faces)
    (dark,) = predictor.predict(np.rint(photo * light).astype(np.uint8), faces)
    assert angular_error_deg(dark.normals, usual.normals)[usual.mask].mean() < most_deg


@pytest.mark.parametrize("turns", [0, 1])
def test_a_whole_picture_is_answered_and_its_face_framed_as_trained(
    predictor: fnormal.Predictor, astronaut: Path, turns: int
) -> None:
    """Not square, the face small or lying: all pixels have normals, the face those that predict gives."""
    picture = np.ascontiguousarray(np.rot90(read_image(astronaut)[20:300, 60:400], turns))
    whole = predictor.predict_whole(picture)
    assert whole.normals.shape == picture.shape
    assert whole.mask.all()
    np.testing.assert_allclose(np.linalg.norm(whole.normals, axis=-1), 1, atol=1e-5)
    (face,) = predictor.predict(picture)
    inner = ndimage.binary_erosion(face.mask, iterations=4)
    error = angular_error_deg(whole.normals, face.normals)[inner]
    assert np.median(error) < 0.1, "but for the soft seam the same"
    assert error.mean() < 1.5
    steps = angular_error_deg(whole.normals[:, 1:], whole.normals[:, :-1])
    assert np.percentile(steps, 99.9) < 60, "no seam"


def test_a_doubted_face_in_a_crop_must_be_what_the_network_is_surer_of(
    astronaut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide, mine = np.ascontiguousarray(read_image(astronaut)[:300, 60:360]), fnormal.Predictor()
    tight = np.ascontiguousarray(wide[80:180, 112:218])
    right, alike = mine.detect(wide)[0], mine.detect(tight)[0].landmarks
    nose = FaceBox.around(alike[30] + (alike - alike[30]) * (-0.25), 0.5)

    def whole(picture: np.ndarray, face: FaceBox | None = None, score: float = 0.5) -> FaceNormals:
        found = [] if face is None else [replace(face, score=score)]
        monkeypatch.setattr(mine, "detect", lambda _: found)
        return mine.predict_whole(picture)

    for picture, face, score in ((tight, nose, 0.5), (wide, right, 0.1)):
        doubted = whole(picture, face, score)
        assert doubted.face is None
        np.testing.assert_array_equal(doubted.normals, whole(picture).normals)
    for picture, face, score in ((tight, nose, 0.9), (wide, right, 0.5)):
        believed = whole(picture, face, score)
        assert believed.face is not None
        np.testing.assert_array_equal(believed.face.landmarks, face.landmarks)
        assert (believed.normals != whole(picture).normals).any()


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.full((8, 8, 3), 200.0), "divide by 255"),
        (np.full((8, 8, 3), -0.5), "not -0.5"),
        (np.linspace(0.5, 1, 192).reshape(8, 8, 3), r"\(x \+ 1\) / 2"),
        (np.zeros((8, 8)), "convert it to RGB"),
        (np.zeros((8, 8, 4), np.uint8), "convert it to RGB"),
    ],
)
def test_wrong_ranges_are_refused(picture: np.ndarray, message: str) -> None:
    with pytest.raises(FNormalError, match=message):
        check_range(picture)


def test_faces_at_the_border_stay_inside(predictor: fnormal.Predictor) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (120, 160, 3), np.uint8)
    points = rng.uniform(-20, 60, (68, 2)).astype(np.float32)
    (face,) = predictor.predict(picture, [FaceBox((0, 0, 60, 60), points, 1.0)])
    assert face.normals.shape == (120, 160, 3)
    assert face.mask.any()
