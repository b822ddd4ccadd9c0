"""Muon for the hidden convolutions beside AdamW for the rest: fewer images for the same error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fnormal.options.training import TrainOptions

# Quintic iteration of Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon/), which takes every
# singular value near 1: steepest at 0, never above 1.2
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
_RMS = 0.2  # of an AdamW update, so that one learning rate suits both (Liu et al. 2025)


def orthogonalize(matrices: Sequence[Tensor]) -> list[Tensor]:
    """Nearest matrices to those given, [R, C] each, whose singular values are all about 1 (0.7 to 1.2).

    The rounds are worked out on the square of the shorter side, where they commute: 2.7 times less work
    than on the matrix itself for a 3x3 convolution. Matrices of one shorter side share them: on a GPU
    the calls cost more than the work.
    """
    nearest = list(matrices)
    alike: dict[int, list[int]] = {}
    for i, matrix in enumerate(matrices):
        alike.setdefault(min(matrix.shape), []).append(i)
    for members in alike.values():
        wide = [matrices[i] if _is_wide(matrices[i]) else matrices[i].mT for i in members]
        wide = [x / (x.norm() + 1e-7) for x in wide]
        leveller = _leveller(torch.stack([x @ x.mT for x in wide]))
        for i, x, level in zip(members, wide, leveller, strict=True):
            nearest[i] = level @ x if _is_wide(matrices[i]) else (level @ x).mT
    return nearest


def _is_wide(matrix: Tensor) -> bool:
    return matrix.shape[0] <= matrix.shape[1]


def _leveller(gram: Tensor) -> Tensor:
    """What to multiply matrices x by from the left, given ``gram`` = x x' of each. [B, R, R]"""
    a, b, c = _QUINTIC
    product = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device).expand_as(gram)
    for _ in range(_ROUNDS):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        product = factor @ product
        gram = factor @ gram @ factor
    return product


class Muon(torch.optim.Optimizer):
    """Momentum whose update of a convolution [O, I, K, K] is orthogonalised as [O, I K K].

    torch.optim.Muon takes matrices alone.

    Args:
        params: Convolution weights.
        lr: Learning rate, on AdamW's scale.
        momentum: Nesterov momentum.
        weight_decay: Decoupled.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.01
    ) -> None:
        super().__init__(list(params), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update the parameters that have a gradient."""
        del closure
        for group in self.param_groups:
            weights, ahead = [], []
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(weight)
                mean = state["momentum_buffer"].lerp_(weight.grad, 1 - group["momentum"])
                weights.append(weight)
                ahead.append(weight.grad.lerp(mean, group["momentum"]).flatten(1))
            for weight, update in zip(weights, orthogonalize(ahead), strict=True):
                rate = group["lr"] * _RMS * max(update.shape) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(update.reshape(weight.shape), alpha=rate)


class MuonAdamW:
    """:class:`Muon` for what lies between hidden features, AdamW for the rest; one state, one rate."""

    def __init__(self, model: nn.Module, lr: float) -> None:
        hidden: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for parameter in model.parameters():
            between = parameter.ndim == 4 and min(parameter.shape[:2]) > 3  # 3: colours, normals
            (hidden if between else rest).append(parameter)
        self.parts: tuple[torch.optim.Optimizer, ...] = (
            Muon(hidden, lr),
            torch.optim.AdamW(rest, lr=lr, fused=True),
        )

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Parameter groups of both optimisers."""
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none)

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """For an exact resume."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        for part, saved in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(saved)


def make_optimizer(model: nn.Module, options: TrainOptions) -> torch.optim.Optimizer | MuonAdamW:
    """The optimiser that the options name."""
    if options.optimizer == "muon":
        return MuonAdamW(model, options.learning_rate)
    kind = torch.optim.Adam if options.optimizer == "adam" else torch.optim.AdamW
    return kind(model.parameters(), lr=options.learning_rate, fused=True)


def learning_rate(options: TrainOptions, progress: float) -> float:
    """The rate at ``progress`` in [0, 1]: constant, or a warm-up over 8 % and a cosine to 0."""
    if options.schedule == "constant":
        return options.learning_rate
    warm = 0.08
    if progress < warm:
        return options.learning_rate * (0.05 + 0.95 * progress / warm)
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm)))
