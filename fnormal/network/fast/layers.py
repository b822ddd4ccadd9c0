"""Layers with the plain formulas' numbers in less time: the deactivable skip (3.2), 3x3 convolutions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from fnormal.network.fast import winograd


class Conv3x3(nn.Conv2d):
    """A 3x3 convolution with a border of 1, by :mod:`fnormal.network.fast.winograd` where that is quicker."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, stride, padding=1, bias=bias)
        self.frozen = False  # set where weights stay as they are: they are transformed once
        self._transformed: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        learns = torch.is_grad_enabled()
        if self.stride != (1, 1) or not winograd.pays(x, self.weight, backward=learns):
            return super().forward(x)
        if learns:
            return winograd.Conv3x3Function.apply(x, self.weight, self.bias)  # type: ignore[no-any-return, no-untyped-call]
        transformed = self._transformed
        if transformed is None:
            transformed = winograd.transform_weights(self.weight)
            self._transformed = transformed if self.frozen else None
        return winograd.convolve(x, transformed, self.bias)


class _FuseMax(torch.autograd.Function):
    """Gradient of :func:`fuse_max` from one boolean mask; autograd's own fills four tensors of this size."""

    @staticmethod
    def forward(ctx: Any, decoded: Tensor, skip: Tensor) -> Tensor:
        ctx.save_for_backward(skip > decoded[:, -skip.shape[1] :])
        ctx.mark_dirty(decoded)
        return _fuse_in_place(decoded, skip)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        (from_skip,) = ctx.saved_tensors
        grad_decoded = grad.clone(memory_format=torch.preserve_format)
        tail = grad_decoded[:, -from_skip.shape[1] :]
        grad_skip = tail * from_skip
        tail -= grad_skip
        return grad_decoded, grad_skip


def _fuse_in_place(decoded: Tensor, skip: Tensor) -> Tensor:
    tail = decoded[:, -skip.shape[1] :]
    tail.copy_(torch.maximum(tail, skip))
    return decoded


def fuse_max(decoded: Tensor, skip: Tensor) -> Tensor:
    """An activated deactivable skip (3.2, Fig. 3b), written into ``decoded``.

    Element-wise maximum of ``skip`` [B, m, H, W] with the LAST m channels of ``decoded``
    [B, n, H, W]; the first n - m channels pass through. Leaving the call out deactivates the skip.
    Where both are equal the gradient goes to ``decoded``.
    """
    if torch.is_grad_enabled():
        fused: Tensor = _FuseMax.apply(decoded, skip)  # type: ignore[no-untyped-call]
        return fused
    if torch.compiler.is_compiling():  # an exporter would turn what is written in place into a scatter
        passed, tail = decoded[:, : -skip.shape[1]], decoded[:, -skip.shape[1] :]
        return torch.cat([passed, torch.maximum(tail, skip)], dim=1)
    return _fuse_in_place(decoded, skip)
