from __future__ import annotations

import pytest
import torch

from fnormal.network.model import CrossModalNet
from fnormal.training.optimizer import MuonAdamW, orthogonalize


@pytest.mark.parametrize("shape", [(24, 270), (16, 16), (40, 12)])
def test_orthogonalize_keeps_the_directions_and_levels_the_lengths(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    left, values, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    values = values.clamp(min=0.05 * values.max())
    other = torch.randn(min(shape), 50)  # shares the rounds
    nearest = orthogonalize([other, left @ torch.diag(values) @ right, torch.randn(7, 9)])[1]
    product = left.T @ nearest @ right.T
    assert (product - torch.diag(product.diag())).abs().max() < 1e-3, "the same singular vectors"
    assert product.diag().min() > 0.65
    assert product.diag().max() < 1.25


def test_orthogonalize_is_the_plain_iteration() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(24, 90, dtype=torch.float64)
    x = matrix / matrix.norm()
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    assert (orthogonalize([matrix])[0] - x).abs().max() < 1e-6


def test_colours_and_normals_and_biases_are_adamws() -> None:
    model = CrossModalNet("tiny")
    muon, adamw = (
        {id(p) for g in part.param_groups for p in g["params"]} for part in MuonAdamW(model, 1).parts
    )
    assert not muon & adamw
    assert muon | adamw == {id(p) for p in model.parameters()}
    assert id(model.image_encoder.stem[0].weight) in adamw
    assert id(model.normal_decoder.last.weight) in adamw
    assert all(id(conv[0].weight) in muon for conv in model.normal_decoder.convs)


def test_weights_without_a_gradient_stay() -> None:
    model = CrossModalNet("tiny")
    optimizer = MuonAdamW(model, 1e-3)
    before = {k: v.clone() for k, v in model.named_parameters()}
    model.normals_to_normals(torch.rand(2, 3, 32, 32)).sum().backward()
    optimizer.step()
    moved = {k.split(".")[0] for k, v in model.named_parameters() if not torch.equal(v, before[k])}
    assert moved == {"normal_encoder", "normal_decoder"}


def test_a_step_is_as_long_as_adamws() -> None:
    """Root mean square 0.2 of the rate, whatever the gradient's length: one rate suits both parts."""
    torch.manual_seed(0)
    model = CrossModalNet("tiny")
    weight = model.normal_decoder.convs[0][0].weight
    for scale in (1e-4, 10):
        before = weight.detach().clone()
        optimizer = MuonAdamW(model, 1e-2)
        optimizer.zero_grad()
        weight.grad = scale * torch.randn_like(weight)
        optimizer.step()
        moved = (weight.detach() - before).square().mean().sqrt()
        assert float(moved) == pytest.approx(0.2e-2, rel=0.2)
