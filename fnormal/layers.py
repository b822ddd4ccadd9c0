"""The deactivable skip's operator (3.2): the plain formula's numbers, in place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


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
    if not torch.is_grad_enabled():
        return _fuse_in_place(decoded, skip)  # plain operators: what ONNX and TorchScript record
    fused: Tensor = _FuseMax.apply(decoded, skip)  # type: ignore[no-untyped-call]
    return fused
