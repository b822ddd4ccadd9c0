"""A network made ready for inference alone."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fnormal.network.fast.layers import accelerate
from fnormal.network.model import BasicBlock, CrossModalNet, Encoder


def ready_to_run(model: CrossModalNet) -> CrossModalNet:
    """A copy for inference alone: batch norms inside their convolutions, quick layers, channels-last.

    Outputs are the same but for rounding; on a CPU it takes 0.6 to 0.8 of the time.
    """
    ready = copy.deepcopy(model).eval()
    for part in list(ready.modules()):
        if isinstance(part, BasicBlock):
            for conv, norm in (("conv1", "bn1"), ("conv2", "bn2")):
                setattr(part, conv, fuse_conv_bn_eval(getattr(part, conv), getattr(part, norm)))
                setattr(part, norm, nn.Identity())
            if isinstance(part.downsample, nn.Sequential):
                part.downsample = _folded(part.downsample)
        elif isinstance(part, Encoder):
            part.stem = nn.Sequential(_folded(part.stem), nn.ReLU(inplace=True))
    accelerate(ready)
    return ready.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _folded(layers: nn.Sequential) -> nn.Conv2d:
    conv, norm = layers[0], layers[1]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    return fuse_conv_bn_eval(conv, norm)
