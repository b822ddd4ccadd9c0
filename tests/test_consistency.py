"""Agreement on photos: normals are carried into other frames exactly; confidence is the mean error."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fnormal.config import UNIT_ERROR_DEG
from fnormal.datasets.hdf5 import Dataset, DatasetWriter
from fnormal.datasets.sample import ImageSample, Pair, Sample
from fnormal.errors import FNormalError
from fnormal.network.model import CrossModalNet
from fnormal.options.training import TrainOptions
from fnormal.prediction.face_normals import confidence_of
from fnormal.training.consistency import carried, consistency_batch, consistency_loss, two_frames
from fnormal.training.losses import confidence_loss
from fnormal.training.trainer import Trainer
from tests.test_framing import ball

SIDE = 96


def as_picture(sample: Pair) -> ImageSample:
    """A picture of the ball whose colours are its normals."""
    colors = np.rint((sample.normals.astype(np.float32) + 1) * 127.5).astype(np.uint8)
    return ImageSample(sample.mask, "a", "a", colors, landmarks=sample.landmarks)


@pytest.mark.parametrize("seed", range(10))
def test_normals_are_carried_into_any_frame(seed: int) -> None:
    """The ball in the new frame, whose centre and radius its landmarks tell, has a ball's normals there."""
    both = two_frames(as_picture(ball()), SIDE, np.random.default_rng(seed))
    clean_points, rim = both.to_clean, 96 / 1.2 / 2  # the paper's crop: the box fills 1 / 1.2 of it
    row, column = np.mgrid[:SIDE, :SIDE]
    flat = np.stack([column - 47.5, 47.5 - row], axis=-1) / rim
    z = np.sqrt(np.clip(1 - (flat**2).sum(axis=-1), 0, 1))
    clean = np.concatenate([flat, z[..., None]], axis=-1).astype(np.float32)
    got, known = carried(torch.from_numpy(clean).permute(2, 0, 1)[None], torch.from_numpy(clean_points)[None])
    linear, shift = clean_points[:, :2], clean_points[:, 2]
    centre = np.linalg.solve(linear, np.array([47.5, 47.5]) - shift)
    radius = rim / np.sqrt(abs(np.linalg.det(linear)))
    there = np.stack([column - centre[0], centre[1] - row], axis=-1) / radius
    inside = (there**2).sum(axis=-1)
    wanted = np.concatenate([there, np.sqrt(np.clip(1 - inside, 0, 1))[..., None]], axis=-1)
    steady = known[0].numpy() & (inside < 0.6)
    assert steady.any()
    cosine = (got[0].permute(1, 2, 0).numpy() * wanted).sum(axis=-1)[steady]
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 1.5
    # and the mask of the new frame is where the ball is
    assert (both.student.mask == (inside < 0.98))[steady].all()


def test_a_face_cut_out_is_compared_with_the_whole_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fnormal.training.cover._CUT_OUT_SHARE", 1.0)
    monkeypatch.setattr("fnormal.training.consistency.as_shown", lambda image: image)
    picture = as_picture(ball())
    picture = replace(picture, image=np.where(picture.mask[..., None], picture.image, np.uint8([255, 0, 0])))
    red = {False: 0, True: 0}
    for seed in range(20):
        frames = {c: two_frames(picture, SIDE, np.random.default_rng(seed), cover=c) for c in red}
        np.testing.assert_array_equal(frames[True].clean, frames[False].clean)
        for cut, both in frames.items():
            around = both.student.image[~both.student.mask].astype(int)
            red[cut] += int((np.ptp(around, axis=-1) > 100).mean() > 0.2)
    assert red[True] < 3 < 10 < red[False]


def test_a_network_that_agrees_with_its_copy_has_no_loss() -> None:
    torch.manual_seed(0)
    slow = CrossModalNet("tiny").eval()
    batch = consistency_batch(
        [two_frames(as_picture(ball()), SIDE, np.random.default_rng(s)) for s in (1, 2)]
    )
    batch = batch.to(torch.device("cpu"))
    same = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]]).repeat(2, 1, 1)
    still = type(batch)(batch.mask, batch.clean, batch.clean, same)
    with torch.no_grad():
        pictures = torch.cat([still.image, still.image.flip(-1)])
        direct, other = torch.nn.functional.normalize(slow.image_to_normals(pictures), dim=1).chunk(2)
    mean = direct + other.flip(-1) * other.new_tensor([-1, 1, 1])[:, None, None]
    assert float(consistency_loss(mean, still, slow)) < 0.011, (
        "the loss of equal vectors is its rounding at 0"
    )
    assert float(consistency_loss(-mean, still, slow)) > 1.9


def test_confidence_is_the_mean_error() -> None:
    """Where errors are the same everywhere, the best length is the one that expects just that error."""
    for error_deg in (3.0, 12.0, 30.0):
        angle = math.radians(error_deg)
        truth = torch.tensor([0.0, 0.0, 1.0])[None, :, None, None].expand(1, 3, 4, 4)
        off = torch.tensor([math.sin(angle), 0.0, math.cos(angle)])[None, :, None, None].expand(1, 3, 4, 4)
        mask = torch.ones(1, 4, 4, dtype=torch.bool)
        lengths = torch.logspace(-1.5, 1.5, 400)
        losses = [float(confidence_loss(off * length, truth, mask)) for length in lengths]
        best = float(lengths[int(np.argmin(losses))])
        assert UNIT_ERROR_DEG / best == pytest.approx(error_deg, rel=0.05)


def test_confidence_does_not_turn_a_normal() -> None:
    raw = torch.randn(1, 3, 4, 4, requires_grad=True)
    truth = torch.nn.functional.normalize(torch.randn(1, 3, 4, 4), dim=1)
    confidence_loss(raw, truth, torch.ones(1, 4, 4, dtype=torch.bool)).backward()
    assert raw.grad is not None
    across = torch.linalg.cross(raw.grad, raw.detach(), dim=1)
    assert float(across.abs().max()) < 1e-5 * float(raw.grad.abs().max())


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    out = tmp_path / "photos.h5"
    writer = DatasetWriter(out, "images", 200, config={}, licence="CC0")
    writer.append([as_picture(ball())] * 6)
    writer.finish()
    return out


def test_photos_alone_teach_agreement(photos: Path) -> None:
    options = TrainOptions(arch="tiny", size_px=64, batch_size=2, epochs=2, ema=0.5, consistency_weight=1.0,
                           reframe_share=1.0, learning_rate=1e-3)  # fmt: skip
    trainer = Trainer(options, [Dataset[Sample](photos)], None)
    values = [trainer.iterate(batch, 0.0) for batch in (trainer.batches()[0], trainer.batches()[1])]
    assert all(0 <= v["consistency"] <= 2 for v in values)
    with pytest.raises(FNormalError, match="set --ema"):
        Trainer(
            TrainOptions(arch="tiny", size_px=64, consistency_weight=1.0), [Dataset[Sample](photos)], None
        )


def test_the_fine_network_adds_detail_to_its_trunk() -> None:
    """A fresh detail head changes nothing: the trunk's normals at half the size, enlarged."""
    torch.manual_seed(0)
    fine, x = CrossModalNet("fine").eval(), torch.rand(1, 3, 128, 128)
    lite = CrossModalNet("lite").eval()
    lite.load_state_dict({k: v for k, v in fine.state_dict().items() if not k.startswith("detail.")})
    with torch.no_grad():
        small = lite.image_to_normals(torch.nn.functional.avg_pool2d(x, 2))
        enlarged = torch.nn.functional.interpolate(
            small, scale_factor=2, mode="bilinear", align_corners=False
        )
        torch.testing.assert_close(fine.image_to_normals(x), enlarged)
        assert fine.detail is not None
        fine.detail.last.weight += 0.1
        assert not torch.allclose(fine.image_to_normals(x), enlarged)
        normals = fine.normals_to_normals(x)
    assert normals.shape == fine.image_to_image(x).shape == x.shape
    with pytest.raises(FNormalError, match="multiples of 64, not 96x96"):
        fine.image_to_normals(torch.rand(1, 3, 96, 96))


def test_a_sure_network_tells_its_error_in_degrees() -> None:
    length = np.float32([UNIT_ERROR_DEG / 60, 1.0, 1e6, 0.0])
    expected = [0.5, math.cos(math.radians(UNIT_ERROR_DEG)), 1.0, 0.0]
    np.testing.assert_allclose(confidence_of(length, sure=True), expected, atol=1e-6)
