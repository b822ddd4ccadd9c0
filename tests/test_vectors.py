from __future__ import annotations

import pytest
import torch

from fnormal.network.vectors import length, unit
from fnormal.training.losses import gradient_loss, mean_error_deg


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_length_and_unit_are_torchs_own(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    field = torch.randn(2, 3, 9, 7, dtype=torch.float64).to(memory_format=layout)
    assert torch.allclose(length(field), torch.linalg.vector_norm(field, dim=1), atol=1e-9)
    assert torch.allclose(unit(field), torch.nn.functional.normalize(field, dim=1), atol=1e-9)


def test_what_is_0_stays_0_with_a_finite_gradient() -> None:
    field = torch.zeros(1, 3, 2, 2, requires_grad=True)
    unit(field).sum().backward()
    assert not unit(field).any()
    assert field.grad is not None
    assert torch.isfinite(field.grad).all()


@pytest.mark.parametrize("error_deg", [0.0, 0.1, 30.0, 90.0, 179.5])
def test_the_logged_error_is_the_angle_at_any_length(error_deg: float) -> None:
    angle = torch.deg2rad(torch.tensor(error_deg))
    pred = torch.stack([angle.sin(), torch.zeros(()), angle.cos()])[None, :, None, None].expand(1, 3, 2, 2)
    gt = torch.tensor([0.0, 0.0, 1.0])[None, :, None, None].expand(1, 3, 2, 2)
    mask = torch.ones(1, 2, 2, dtype=torch.bool)
    assert float(mean_error_deg(7 * pred, gt, mask)) == pytest.approx(error_deg, abs=1e-3)


def test_gradient_loss_against_a_loop_over_neighbours() -> None:
    torch.manual_seed(1)
    raw, mask = torch.randn(1, 3, 5, 6), torch.rand(1, 5, 6) < 0.8
    pred, gt = unit(raw)[0], unit(torch.randn(1, 3, 5, 6))
    total = 0.0
    for down, right in ((1, 0), (0, 1)):
        steps = []
        for y in range(5 - down):
            for x in range(6 - right):
                if mask[0, y, x] and mask[0, y + down, x + right]:
                    change = pred[:, y + down, x + right] - pred[:, y, x]
                    wanted = gt[0, :, y + down, x + right] - gt[0, :, y, x]
                    steps.append(float((change - wanted).abs().sum()))
        total += sum(steps) / len(steps)
    assert float(gradient_loss(raw, gt, mask)) == pytest.approx(total, rel=1e-5)
