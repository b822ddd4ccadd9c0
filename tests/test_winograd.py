from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fnormal.network.fast import winograd
from fnormal.network.fast.layers import WinogradConv2d
from fnormal.network.inference import ready_to_run
from fnormal.network.model import CrossModalNet

measured = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in winograd._LEAST_WIDTHS, reason="not used on this CPU"
)


def images(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(sum(shape)))


@settings(deadline=None, max_examples=30)
@given(
    batch=st.integers(1, 3), inputs=st.integers(1, 5), outputs=st.integers(1, 5),
    rows=st.integers(1, 5), columns=st.integers(1, 5), block=st.sampled_from([1, 400, 1 << 20]),
)  # fmt: skip
def test_in_double_it_is_the_direct_convolution_and_its_gradients(
    batch: int, inputs: int, outputs: int, rows: int, columns: int, block: int
) -> None:
    x = images(batch, inputs, 4 * rows, 4 * columns).requires_grad_()
    weight = images(outputs, inputs, 3, 3).requires_grad_()
    bias, grad = images(outputs), images(batch, outputs, 4 * rows, 4 * columns)
    direct = torch.nn.functional.conv2d(x, weight, bias, padding=1)
    direct.backward(grad)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(winograd, "_BLOCK_NUMBERS", block)
        transformed = winograd.transform_weights(weight)
        torch.testing.assert_close(winograd.convolve(x, transformed, bias), direct, rtol=0, atol=1e-12)
        grad_x, grad_weight = winograd.gradients(x, transformed, grad)
    torch.testing.assert_close(grad_x, x.grad, rtol=0, atol=1e-12)
    torch.testing.assert_close(grad_weight, weight.grad, rtol=0, atol=1e-11)


@measured
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_wide_layer_takes_it_and_keeps_the_numbers(layout: torch.memory_format) -> None:
    layer = WinogradConv2d(torch.nn.Conv2d(128, 96, 3, padding=1))
    x = images(2, 128, 32, 32, dtype=torch.float32).to(memory_format=layout).requires_grad_()
    grad = images(2, 96, 32, 32, dtype=torch.float32)
    assert winograd.pays(x, layer.weight, backward=True)
    found = layer(x)
    assert "Conv3x3Function" in type(found.grad_fn).__name__
    found.backward(grad)
    wide = layer.weight.detach().double().requires_grad_()
    x_wide = x.detach().double().requires_grad_()
    assert layer.bias is not None
    direct = torch.nn.functional.conv2d(x_wide, wide, layer.bias.detach().double(), padding=1)
    direct.backward(grad.double())
    for ours, truth in (
        (found.detach(), direct.detach()),
        (x.grad, x_wide.grad),
        (layer.weight.grad, wide.grad),
    ):
        assert ours is not None
        assert truth is not None
        assert float((ours - truth).abs().max() / truth.std()) < 2e-4
    assert layer.bias.grad == pytest.approx(grad.sum(dim=(0, 2, 3)), abs=1e-3)


@pytest.mark.parametrize("change", ["narrow", "small", "odd", "double", "autocast"])
def test_where_it_does_not_pay_it_is_not_taken(change: str) -> None:
    channels = 16 if change == "narrow" else 128
    side = {"small": 16, "odd": 34}.get(change, 32)
    x = images(1, channels, side, side, dtype=torch.float64 if change == "double" else torch.float32)
    weight = images(channels, channels, 3, 3, dtype=x.dtype)
    with torch.autocast("cpu", enabled=change == "autocast"):
        assert not winograd.pays(x, weight, backward=True)
        assert not winograd.pays(x, weight, backward=False)


@measured
def test_the_network_ready_to_run_has_its_normals() -> None:
    torch.manual_seed(0)
    model = CrossModalNet("lite").eval()
    image = torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        ready = ready_to_run(model).image_to_normals(image)
        direct = model.double().image_to_normals(image.double())
    cosine = torch.nn.functional.cosine_similarity(ready.double(), direct, dim=1)
    assert float(torch.rad2deg(torch.arccos(cosine.clamp(max=1))).max()) < 0.05
