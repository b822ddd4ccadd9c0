"""3x3 convolutions with a quarter of the multiplications, for CPUs whose library only has the direct kind.

Winograd's F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016): a tile of
6 x 6 input pixels, 4 apart, becomes 36 numbers a channel, in which the convolution is one matrix product for
each of the 36. The numbers of a direct convolution but for rounding (1e-4 of their standard deviation).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# what a line of a tile goes through: B^T, 6 pixels to its 6 numbers
_INPUT = torch.tensor([
    [4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
], dtype=torch.float64)  # fmt: skip
# G: 3 weights to 6 numbers
_WEIGHT = torch.tensor([
    [6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24],
], dtype=torch.float64).div(24)  # fmt: skip
# A^T: 6 numbers to 4 pixels
_OUTPUT = torch.tensor([
    [1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1],
], dtype=torch.float64)  # fmt: skip

_STEP_PX, _TILE_PX, _NUMBERS = 4, 6, 36
_BLOCK_NUMBERS = 1 << 21  # of a block of tiles: 8 MiB, which stay in a CPU's cache between the steps
_FEWEST_TILES = 64  # below, transforming the weights costs more than it saves
# C K / (C + K) of a layer from which it is quicker than the direct kind, forward and backward, as measured
_LEAST_WIDTHS = {"AVX2": (80, 30), "AVX512": (45, 40)}


def pays(x: Tensor, weight: Tensor, *, backward: bool) -> bool:
    """Whether images x [B, C, H, W] and weights [K, C, 3, 3] are quicker here than in torch's own.

    Never on a GPU, on CPUs where this was not measured, in half precision, or in a recording.
    """
    least = _least_widths()[backward]
    outputs, inputs = weight.shape[:2]
    images, _, height, width = x.shape
    return (
        inputs * outputs >= least * (inputs + outputs)
        and images * height * width >= _FEWEST_TILES * _STEP_PX**2
        and height % _STEP_PX == width % _STEP_PX == 0
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    )


def transform_weights(weight: Tensor) -> Tensor:
    """Weights [K, C, 3, 3] as :func:`convolve` takes them. [36, K, C]"""
    outputs, inputs = weight.shape[:2]
    lines = weight.detach().permute(2, 3, 0, 1).reshape(3, 3, -1)
    return _Buffers(weight.dtype).apply(_WEIGHT, lines, "numbers").view(_NUMBERS, outputs, inputs)


def convolve(x: Tensor, transformed: Tensor, bias: Tensor | None) -> Tensor:
    """Same-size 3x3 convolution, outside of autograd.

    Args:
        x: Sides are multiples of 4. [B, C, H, W]
        transformed: What :func:`transform_weights` gives. [36, K, C]
        bias: [K] or None.

    Returns:
        [B, K, H, W], channels-last.
    """
    images, inputs, height, width = x.shape
    outputs = transformed.shape[1]
    rows, columns = height // _STEP_PX, width // _STEP_PX
    image, buffers = x.permute(0, 2, 3, 1), _Buffers(x.dtype)
    shape = (images, outputs, height, width)
    result = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
    lines = result.permute(0, 2, 3, 1).view(images, rows, _STEP_PX, columns, _STEP_PX, outputs)
    for which in _blocks(images, rows, columns, max(inputs, outputs)):
        numbers = buffers.transformed(image, which)
        products = buffers.get("products", _NUMBERS, numbers.shape[1], outputs)
        torch.bmm(numbers, transformed.transpose(1, 2), out=products)
        pixels = buffers.apply(_OUTPUT, products.view(_TILE_PX, _TILE_PX, -1), "pixels")
        target = lines[which]
        by_tile = pixels.view(_STEP_PX, _STEP_PX, *target.shape[:2], columns, outputs)
        target.copy_(by_tile.permute(2, 3, 0, 4, 1, 5))
    return result if bias is None else result.add_(bias.view(1, -1, 1, 1))


def gradients(x: Tensor, transformed: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of :func:`convolve` for x and for the weights, from that of its result.

    Args:
        x: [B, C, H, W]
        transformed: [36, K, C]
        grad: [B, K, H, W]

    Returns:
        Of x [B, C, H, W], channels-last; of the weights before their transform [K, C, 3, 3].
    """
    images, inputs, height, width = x.shape
    outputs = transformed.shape[1]
    rows, columns = height // _STEP_PX, width // _STEP_PX
    image, buffers = x.permute(0, 2, 3, 1), _Buffers(x.dtype)
    grad = grad.permute(0, 2, 3, 1).contiguous()
    grad_tiles = grad.view(images, rows, _STEP_PX, columns, _STEP_PX, outputs).permute(2, 4, 0, 1, 3, 5)
    grad_transformed = torch.zeros_like(transformed)
    padded = x.new_zeros(images, rows + 1, _STEP_PX, columns + 1, _STEP_PX, inputs)
    for which in _blocks(images, rows, columns, max(inputs, outputs)):
        pixels = buffers.copy("pixels", grad_tiles[(..., *which, slice(None), slice(None))])
        products = buffers.apply(_OUTPUT.T, pixels.view(_STEP_PX, _STEP_PX, -1), "products")
        products = products.view(_NUMBERS, -1, outputs)
        numbers = buffers.transformed(image, which)
        grad_transformed.baddbmm_(products.transpose(1, 2), numbers)
        torch.bmm(products, transformed, out=numbers)
        block = buffers.apply(_INPUT.T, numbers.view(_TILE_PX, _TILE_PX, -1), "pixels")
        shape = (_TILE_PX, _TILE_PX, *padded[which].shape[:2], columns, inputs)
        _add_overlapping(padded, which, block.view(shape).permute(2, 3, 0, 4, 1, 5))
    grad_lines = buffers.apply(_WEIGHT.T, grad_transformed.view(_TILE_PX, _TILE_PX, -1), "pixels")
    whole = padded.view(images, height + _STEP_PX, width + _STEP_PX, inputs)
    # in one piece: given a part of a larger array, torch's gradient of the upsampling takes its slow layout
    grad_x = whole[:, 1 : height + 1, 1 : width + 1].contiguous().permute(0, 3, 1, 2)
    return grad_x, grad_lines.view(3, 3, outputs, inputs).permute(2, 3, 0, 1)


class Conv3x3Function(torch.autograd.Function):
    """A 3x3 convolution whose gradients are :func:`gradients`; its result too, where that pays."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """[B, C, H, W] -> [B, K, H, W]."""
        ctx.save_for_backward(x, weight)
        if pays(x, weight, backward=False):
            return convolve(x, transform_weights(weight), bias)
        return torch.nn.functional.conv2d(x, weight, bias, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Gradients of x, weight and bias."""
        x, weight = ctx.saved_tensors
        grad_x, grad_weight = gradients(x, transform_weights(weight), grad)
        return grad_x, grad_weight, grad.sum(dim=(0, 2, 3)) if ctx.needs_input_grad[2] else None


class _Buffers:
    """Memory that the blocks of one convolution share: fresh memory would cost more than the sums in it."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype, self._flat = dtype, dict[str, Tensor]()

    def get(self, name: str, *shape: int) -> Tensor:
        """Memory of this shape; what stood in ``name`` is lost."""
        size = torch.Size(shape).numel()
        if name not in self._flat or self._flat[name].numel() < size:
            self._flat[name] = torch.empty(size, dtype=self._dtype)
        return self._flat[name][:size].view(shape)

    def copy(self, name: str, values: Tensor) -> Tensor:
        """The values in one piece."""
        return self.get(name, *values.shape).copy_(values)

    def transformed(self, image: Tensor, which: tuple[slice, slice]) -> Tensor:
        """The numbers of a block of tiles, ``which`` images and rows of [B, H, W, C]. [36, tiles, C]"""
        tiles = self._with_border(image, which).unfold(1, _TILE_PX, _STEP_PX).unfold(2, _TILE_PX, _STEP_PX)
        pixels = self.copy("pixels", tiles.permute(4, 5, 0, 1, 2, 3))
        numbers = self.apply(_INPUT, pixels.view(_TILE_PX, _TILE_PX, -1), "numbers")
        return numbers.view(_NUMBERS, -1, image.shape[3])

    def _with_border(self, image: Tensor, which: tuple[slice, slice]) -> Tensor:
        """What a block of tiles sees, with a border of 0 where the image ends. [b, 4 r + 2, W + 2, C]

        A block at a time: a copy of the whole image would leave the cache, and be fresh memory.
        """
        images, rows = which
        height, width, channels = image.shape[1:]
        above, below = rows.start * _STEP_PX - 1, rows.stop * _STEP_PX + 1
        part = self.get("bordered", images.stop - images.start, below - above, width + 2, channels)
        first, last = max(above, 0), min(below, height)
        part[:, first - above : last - above, 1:-1].copy_(image[images, first:last])
        part[:, :, 0].zero_()
        part[:, :, -1].zero_()
        if above < 0:
            part[:, 0].zero_()
        if below > height:
            part[:, -1].zero_()
        return part

    def apply(self, line: Tensor, values: Tensor, name: str) -> Tensor:
        """Transform the columns and rows [b, b, N] of tiles by what a line [a, b] goes through. [a, a, N]"""
        after, before, count = *line.shape, values.shape[2]
        line = line.to(self._dtype)
        half = self.get("half", before, after, count)
        torch.bmm(line.expand(before, after, before), values, out=half)
        whole = self.get(name, after, after, count)
        torch.mm(line, half.view(before, -1), out=whole.view(after, -1))
        return whole


def _blocks(images: int, rows: int, columns: int, channels: int) -> Iterator[tuple[slice, slice]]:
    """Images and rows of tiles that fit a block: several images, or some rows of one."""
    tiles = _BLOCK_NUMBERS // (_NUMBERS * channels)
    height = min(rows, max(1, tiles // columns))
    count = max(1, tiles // (columns * rows))
    for image in range(0, images, count):
        for row in range(0, rows, height):
            yield slice(image, min(images, image + count)), slice(row, min(rows, row + height))


def _add_overlapping(padded: Tensor, which: tuple[slice, slice], tiles: Tensor) -> None:
    """Add tiles [b, r, 6, W / 4, 6, C] into [B, H / 4 + 1, 4, W / 4 + 1, 4, C]; they overlap by 2."""
    images, rows = which
    for below in (0, 1):
        lines = slice(_STEP_PX, None) if below else slice(_STEP_PX)
        for right in (0, 1):
            pixels = slice(_STEP_PX, None) if right else slice(_STEP_PX)
            part = tiles[:, :, lines, :, pixels]
            target = padded[images, rows.start + below : rows.stop + below]
            target[:, :, : part.shape[2], right : right + part.shape[3], : part.shape[4]] += part


@functools.cache
def _least_widths() -> tuple[float, float]:
    return _LEAST_WIDTHS.get(torch.backends.cpu.get_cpu_capability(), (math.inf, math.inf))
