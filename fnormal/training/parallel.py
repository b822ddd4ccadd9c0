"""Several processes that train as one (torchrun): who this one is, and what they must sum."""

from __future__ import annotations

import os
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch import distributed as dist


def start(device: str) -> str:
    """Join the processes that torchrun started, if it did; the device of this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return device
    cuda = device.startswith("cuda")
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    if not dist.is_initialized():
        dist.init_process_group("nccl" if cuda else "gloo")
    return f"cuda:{os.environ['LOCAL_RANK']}" if cuda else device


def stop() -> None:
    """Leave the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Which process this is; 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes share a batch."""
    return dist.get_world_size() if dist.is_initialized() else 1


def total(value: Tensor) -> Tensor:
    """Sum of ``value`` over the processes, without gradient."""
    if world() > 1:
        value = value.detach().clone()
        dist.all_reduce(value)
    return value


def any_of(flag: bool) -> bool:
    """Whether any process says so: what all must do at the same step."""
    return flag if world() == 1 else bool(total(torch.tensor(float(flag), device=_device())) > 0)


def _device() -> str:
    return "cuda" if dist.get_backend() == "nccl" else "cpu"


class _Total(torch.autograd.Function):
    """Sum over the processes whose gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return total(value)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return total(grad.contiguous())


class SyncedBatchNorm(nn.BatchNorm2d):
    """Batch norm with the statistics of the whole batch, on CPUs too, where torch's refuses."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same type and shape; B may differ between processes."""
        if not self.training:
            return super().forward(x)
        given, x = x.dtype, x.to(self.weight.dtype)  # bfloat16 would leave no variance of a mean of squares
        count = x.numel() / x.shape[1]
        # in double: the mean of squares less the squared mean cancels
        own_variance, own_mean = (v.double() for v in torch.var_mean(x, (0, 2, 3), correction=0))
        sums = count * torch.cat([own_mean, own_variance + own_mean.square(), own_mean.new_ones(1)])
        sums = cast(Tensor, _Total.apply(sums))  # type: ignore[no-untyped-call]
        everywhere = sums[-1]
        mean, square = (sums[:-1] / everywhere).chunk(2)
        mean, variance = mean.to(x.dtype), (square - mean.square()).to(x.dtype)
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum or 0.0)
            self.running_var.lerp_(variance * float(everywhere / (everywhere - 1)), self.momentum or 0.0)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]).to(given)


def synced(model: nn.Module, device: str) -> nn.Module:
    """``model`` as one of several processes runs it: gradients averaged, batch norm over the whole batch.

    Shares its parameters and buffers with ``model``, whose batch norms are replaced in place.
    """
    if device.startswith("cuda"):
        nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    else:
        for part in list(model.modules()):
            for name, child in list(part.named_children()):
                if type(child) is nn.BatchNorm2d:
                    new = SyncedBatchNorm(child.num_features, child.eps, child.momentum)
                    new.weight, new.bias = child.weight, child.bias
                    new.load_state_dict(child.state_dict())
                    setattr(part, name, new.train(child.training))
    return nn.parallel.DistributedDataParallel(model, find_unused_parameters=True, broadcast_buffers=False)
