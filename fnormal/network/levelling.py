"""The levels of :mod:`fnormal.geometry.levels` as a layer, for networks that run where fnormal does not."""

from __future__ import annotations

import torch
from torch import Tensor

from fnormal.geometry import levels


def levelled(view: Tensor) -> Tensor:
    """Views [B, 3, S, S] in [0, 1], levelled by the light in their middle, as without a known face."""
    pixels = levels.middle_of(view.permute(2, 3, 0, 1)).flatten(0, 1).permute(1, 2, 0)  # [B, 3, N]
    white = (pixels >= levels.WHITE).any(dim=1).float().mean(dim=-1)
    first, last = levels.BURNT
    kept = ((white - first) / (last - first)).clamp(0, 1)[:, None, None, None]
    shares = pixels.new_tensor(levels.PCT) / 100
    dark, light = torch.quantile(pixels, shares, dim=-1)[..., None, None].unbind()
    to_light = torch.from_numpy(levels.LIGHT).to(view)[:, None, None]
    gain = ((to_light - float(levels.DARK)) / (light - dark).clamp(min=1e-6)).clamp(max=levels.MOST_GAIN)
    gain = torch.minimum(gain, levels.MOST_CAST * gain.amin(dim=1, keepdim=True))
    level: Tensor = (view * gain + (float(levels.DARK) - dark * gain)).clamp(0, 1)
    return (1 - kept) * level + kept * view
