"""What takes the place of the plain layers: Winograd's 3x3 convolutions, the skip's maximum in place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from fnormal.network.fast import winograd
from fnormal.network.model import FuseMax


def accelerate(model: nn.Module) -> nn.Module:
    """Swap quicker layers into ``model``, in place, under the same names; it is returned.

    Weights, state keys and results stay as they are, but for rounding. It pays for wide networks on CPUs:
    the paper's trains in 0.44 to 0.57 of the time (docs/training.md). In the default network at most one of
    the 23 layers is wide enough, with AVX-512; it gains from the skips alone.
    """
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Conv2d and _is_same_size_3x3(child):
                setattr(module, name, WinogradConv2d(child))
            elif type(child) is FuseMax:
                setattr(module, name, FuseMaxInPlace())
    return model


def _is_same_size_3x3(conv: nn.Conv2d) -> bool:
    ordinary = conv.groups == 1 and conv.dilation == (1, 1) and conv.padding_mode == "zeros"
    return ordinary and (conv.kernel_size, conv.stride, conv.padding) == ((3, 3), (1, 1), (1, 1))


class WinogradConv2d(nn.Conv2d):
    """A 3x3 convolution that goes through :mod:`fnormal.network.fast.winograd` where that is quicker.

    Shares the parameters of the plain layer that it replaces. Outside of training the transformed weights
    are kept until the weights change, by whatever changes them in place: an optimiser, load_state_dict().
    """

    def __init__(self, plain: nn.Conv2d) -> None:
        biased = plain.bias is not None
        super().__init__(plain.in_channels, plain.out_channels, 3, padding=1, bias=biased, device="meta")
        self.train(plain.training)
        self.weight, self.bias = plain.weight, plain.bias
        self._kept: tuple[Tensor, int, Tensor] | None = None  # weights, their version, transformed

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H, W]."""
        learns = torch.is_grad_enabled()
        if not winograd.pays(x, self.weight, backward=learns):
            return super().forward(x)
        if learns:
            self._kept = None
            return winograd.Conv3x3Function.apply(x, self.weight, self.bias)  # type: ignore[no-any-return, no-untyped-call]
        return winograd.convolve(x, self._transformed(), self.bias)

    def _transformed(self) -> Tensor:
        if self.weight.is_inference():  # torch does not count the changes of such a tensor
            return winograd.transform_weights(self.weight)
        if self._kept is not None:
            weight, version, transformed = self._kept
            if weight is self.weight and version == weight._version:
                return transformed
        transformed = winograd.transform_weights(self.weight)
        self._kept = (self.weight, self.weight._version, transformed)
        return transformed

    def __getstate__(self) -> dict[str, Any]:
        """Without what is kept: a copy counts the changes of its weights anew."""
        return {**self.__dict__, "_kept": None}


class FuseMaxInPlace(FuseMax):
    """The skip's maximum written into the decoder's features, which nothing else reads."""

    def forward(self, decoded: Tensor, skip: Tensor) -> Tensor:
        """[B, n, H, W] and [B, m, H, W] -> [B, n, H, W]."""
        if torch.is_grad_enabled():
            fused: Tensor = _FuseMaxFunction.apply(decoded, skip)  # type: ignore[no-untyped-call]
            return fused
        if torch.compiler.is_compiling():  # an exporter would turn what is written in place into a scatter
            return super().forward(decoded, skip)
        return _fuse_in_place(decoded, skip)


class _FuseMaxFunction(torch.autograd.Function):
    """Gradient from one boolean mask; autograd's own fills four tensors of this size."""

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
