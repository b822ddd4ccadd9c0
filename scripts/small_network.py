"""What the trainings of fnormal's own small networks share (profile_points.py, cover_map.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from fnormal.arrays import U8


def conv(before: int, width: int, stride: int) -> list[nn.Module]:
    """A convolution, its norm and its bend."""
    return [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]


def levelled(picture: Tensor) -> Tensor:
    """Pictures [B, 3, S, S] of one brightness and contrast: mean 0, rms about 1."""
    level = picture - picture.mean(dim=(1, 2, 3), keepdim=True)
    return level / (level.square().mean(dim=(1, 2, 3), keepdim=True).sqrt() + 0.02)


def as_tensor(views: list[U8]) -> Tensor:
    """Pictures [S, S, 3] as a network takes them. [B, 3, S, S]"""
    return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def told_by(model: nn.Module, pictures: Tensor) -> Tensor:
    """What a network says of pictures [B, 3, S, S] outside of its training. [B, ...]"""
    model.eval()
    told = torch.cat([model(part) for part in pictures.split(128)])
    model.train()
    return told


def panoramas(folder: Path) -> Iterator[U8]:
    """HDR panoramas as sRGB pictures."""
    for path in sorted(folder.glob("*.hdr")):
        light = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)[..., ::-1]
        yield np.asarray(np.clip(255 * (light / (1 + light)) ** (1 / 2.2), 0, 255), np.uint8)


def write_onnx(model: nn.Module, out: Path, side_px: int, says: str) -> None:
    """The trained network as an ONNX file that OpenCV reads."""
    torch.onnx.export(
        model.eval(), (torch.rand(1, 3, side_px, side_px),), out, dynamo=False,
        input_names=["picture"], output_names=[says],
    )  # fmt: skip
