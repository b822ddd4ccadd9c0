from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fnormal.training.losses import gradient_loss, image_loss, normal_loss


def field(*vectors: tuple[float, float, float]) -> torch.Tensor:
    """A row of vectors as [1, 3, 1, W]."""
    return torch.tensor(vectors).T[None, :, None, :]


def test_eq_1_by_hand() -> None:
    gt = field((0, 0, 1), (0, 0, 1), (1, 0, 0))
    pred = field((0, 0, 5), (0, 3, 3), (-2, 0, 0))
    mask = torch.tensor([[[True, True, True]]])
    expected = (0 + (1 - math.sqrt(0.5)) + 2) / 3
    assert float(normal_loss(pred, gt, mask)) == pytest.approx(expected, abs=1e-6)


def test_the_angle_loss_by_hand_grows_with_the_error() -> None:
    gt = field((0, 0, 1), (0, 0, 1), (1, 0, 0))
    pred = field((0, 0, 5), (0, 3, 3), (-2, 0, 0))
    mask = torch.tensor([[[True, True, True]]])
    expected = (0 + 2 * math.sin(math.pi / 8) + 2) / 3
    assert float(normal_loss(pred, gt, mask, "angle")) == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize("error_deg", [2.0, 10.0, 40.0])
def test_the_angle_loss_pulls_small_and_large_errors_equally(error_deg: float) -> None:
    angle = torch.tensor(math.radians(error_deg), requires_grad=True)
    zero = torch.zeros_like(angle)
    pred = torch.stack([torch.sin(angle), zero, torch.cos(angle)])[None, :, None, None]
    mask = torch.ones(1, 1, 1, dtype=torch.bool)
    normal_loss(pred, field((0, 0, 1)), mask, "angle").backward()
    assert angle.grad is not None
    assert float(angle.grad) == pytest.approx(1, abs=0.07), "Eq. 1 pulls with the sine of the error"


def test_the_angle_loss_is_smooth_where_there_is_no_error() -> None:
    pred = field((0, 0, 1), (0, 0, 0)).float().requires_grad_()
    normal_loss(pred, field((0, 0, 1), (0, 0, 1)), torch.ones(1, 1, 2, dtype=torch.bool), "angle").backward()
    assert pred.grad is not None
    assert torch.isfinite(pred.grad).all()


def test_eq_1_ignores_what_lies_outside_the_mask_and_length() -> None:
    torch.manual_seed(0)
    gt = torch.nn.functional.normalize(torch.randn(2, 3, 8, 8), dim=1)
    mask = torch.rand(2, 8, 8) > 0.5
    pred = torch.randn(2, 3, 8, 8, requires_grad=True)
    loss = normal_loss(pred, gt, mask)
    loss.backward()
    assert pred.grad is not None
    assert not pred.grad.permute(0, 2, 3, 1)[~mask].any()
    assert normal_loss(pred * 7, gt, mask).item() == pytest.approx(loss.item(), abs=1e-6)


def test_eq_1_is_finite_with_a_gradient_where_the_output_is_zero() -> None:
    pred = torch.zeros(1, 3, 2, 2, requires_grad=True)
    gt = torch.zeros(1, 3, 2, 2)
    gt[:, 2] = 1
    normal_loss(pred, gt, torch.ones(1, 2, 2, dtype=torch.bool)).backward()
    assert pred.grad is not None
    assert torch.isfinite(pred.grad).all()


def test_eq_2_by_hand() -> None:
    pred, gt = field((0.5, 0.5, 0.5), (1, 1, 1)), field((0.5, 0.2, 0.5), (0, 0, 0))
    mask = torch.tensor([[[True, False]]])
    assert float(image_loss(pred, gt, mask)) == pytest.approx(0.09 / 3, abs=1e-7)


def test_images_count_equally_whatever_their_mask() -> None:
    gt = torch.zeros(2, 3, 4, 4)
    pred = torch.zeros(2, 3, 4, 4)
    pred[0] += 1
    mask = torch.ones(2, 4, 4, dtype=torch.bool)
    mask[0, 1:] = False
    assert float(image_loss(pred, gt, mask)) == pytest.approx(0.5)


def test_gradient_loss_sees_detail_and_not_its_absence() -> None:
    rng = np.random.default_rng(0)
    gt = torch.nn.functional.normalize(torch.from_numpy(rng.normal(size=(1, 3, 8, 8))).float(), dim=1)
    mask = torch.ones(1, 8, 8, dtype=torch.bool)
    assert float(gradient_loss(3 * gt, gt, mask)) == pytest.approx(0, abs=1e-6)
    assert float(gradient_loss(torch.ones_like(gt), gt, mask)) > 0.5
