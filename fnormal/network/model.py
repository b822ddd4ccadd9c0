"""The cross-modal network with deactivable skip connections (sections 3.1, 3.2).

Contract, for an input of side S (a multiple of 32) and ``arch.trunk = (c1, c2, c3, c4)``:

====================  ==========================================================
image encoder E_I     skips [c3, S/16], [c2, S/8], [c1, S/4], [c1, S/2], [full, S]; latent [c4, S/32]
normal encoder E_N    latent [c4, S/32] alone: it is never linked to the normal decoder
normal decoder D_N    latent and skips, or latent alone -> raw normals [3, S], any length
image decoder D_I     latent -> image [3, S]
====================  ==========================================================
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from fnormal.config import ABLATIONS, ARCHS, Ablation, Arch
from fnormal.errors import FNormalError

STRIDE_PX = 32  # of the trunk; see also Arch.stride_px


def conv_relu(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """A same-size convolution and ReLU; the decoders have no batch norm."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU(inplace=True))


def check_sides(x: Tensor, stride_px: int) -> None:
    """See that the sides of [B, C, H, W] can be halved often enough.

    Raises:
        FNormalError: They cannot.
    """
    height, width = x.shape[-2:]
    if height % stride_px or width % stride_px:
        right = tuple(-(-side // stride_px) * stride_px for side in (height, width))
        raise FNormalError(
            f"the network takes sides that are multiples of {stride_px}, not {height}x{width};"
            f" resize or pad to {right[0]}x{right[1]}"
        )


class FuseMax(nn.Module):
    """An activated deactivable skip (3.2, Fig. 3b); leaving the call out deactivates it.

    Element-wise maximum of ``skip`` [B, m, H, W] with the LAST m channels of ``decoded`` [B, n, H, W]; the
    first n - m channels pass through. Where both are equal the gradient goes to ``decoded``.
    """

    def forward(self, decoded: Tensor, skip: Tensor) -> Tensor:
        """[B, n, H, W] and [B, m, H, W] -> [B, n, H, W]."""
        passed, tail = decoded[:, : -skip.shape[1]], decoded[:, -skip.shape[1] :]
        # the gradient of torch.maximum is shared out where both are equal, as two ReLUs' zeros often are
        learns = torch.is_grad_enabled()
        larger = torch.where(skip > tail, skip, tail) if learns else torch.maximum(tail, skip)
        return torch.cat([passed, larger], dim=1)


class BasicBlock(nn.Module):
    """ResNet's basic block: two 3x3 convolutions beside an identity or a 1x1 projection."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        residual = self.downsample(x)
        x = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(x)) + residual)


class Encoder(nn.Module):
    """ResNet-18 trunk without its classifier (4.1); with ``full`` also full-resolution features."""

    def __init__(self, arch: Arch, *, full: bool) -> None:
        super().__init__()
        c1, c2, c3, c4 = arch.trunk
        self.full = (
            nn.Sequential(conv_relu(3, arch.full, 3), conv_relu(arch.full, arch.full, 3)) if full else None
        )
        self.stem = nn.Sequential(
            nn.Conv2d(3, c1, 7, 2, 3, bias=False), nn.BatchNorm2d(c1), nn.ReLU(inplace=True)
        )
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.stage1 = nn.Sequential(BasicBlock(c1, c1, 1), BasicBlock(c1, c1, 1))
        self.stage2 = nn.Sequential(BasicBlock(c1, c2, 2), BasicBlock(c2, c2, 1))
        self.stage3 = nn.Sequential(BasicBlock(c2, c3, 2), BasicBlock(c3, c3, 1))
        self.stage4 = nn.Sequential(BasicBlock(c3, c4, 2), BasicBlock(c4, c4, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Encode [B, 3, S, S] into the latent [B, c4, S/32, S/32] and its features, coarse to fine.

        Raises:
            FNormalError: A side is not a multiple of 32.
        """
        check_sides(x, STRIDE_PX)
        stem = self.stem(x)
        stage1 = self.stage1(self.pool(stem))
        stage2 = self.stage2(stage1)
        stage3 = self.stage3(stage2)
        features = [stage3, stage2, stage1, stem]
        if self.full is not None:
            features.append(self.full(x))
        return self.stage4(stage3), features


class NormalDecoder(nn.Module):
    """D_N: five upsamplings, each followed by an optional fusion and a convolution (3.2).

    With ``skip="concat"`` (Fig. 6c, 6d) the decoder is the standard one: its features are narrower
    by the skip's channels, which concatenation adds back.
    """

    def __init__(self, arch: Arch, skip: str) -> None:
        super().__init__()
        self.skip = skip
        narrow = arch.skips if skip == "concat" else (0,) * 5
        wide = (arch.latent_up, *arch.normal_decoder[:4])
        self.latent = conv_relu(arch.trunk[3], wide[0] - narrow[0], 1)
        # The full-resolution features are fused as they are; the four ResNet skips pass a 1x1.
        self.adapters = nn.ModuleList(
            conv_relu(channels, channels, 1) if skip != "none" else nn.Identity()
            for channels in arch.skips[:4]
        )
        outputs = (*(w - n for w, n in zip(wide[1:], narrow[1:], strict=True)),)
        outputs = (*outputs, arch.normal_decoder[4])
        self.convs = nn.ModuleList(conv_relu(i, o, 3) for i, o in zip(wide, outputs, strict=True))
        self.last = nn.Conv2d(arch.normal_decoder[4], 3, 1)
        # bilinear, corners aligned: what the authors' weights were trained with
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.fuse = FuseMax()

    def forward(self, latent: Tensor, skips: list[Tensor] | None) -> Tensor:
        """Decode to raw normals [B, 3, S, S].

        Args:
            latent: [B, c4, S/32, S/32]
            skips: The image encoder's features, or None with the skips deactivated.
        """
        raw: Tensor = self.last(self.features(latent, skips))
        return raw

    def features(self, latent: Tensor, skips: list[Tensor] | None) -> Tensor:
        """What the normals are read off: [B, normal_decoder[4], S, S]. Args: as :meth:`forward`."""
        x: Tensor = self.latent(latent)
        for level, conv in enumerate(self.convs):
            x = self.upsample(x)
            if skips is not None and self.skip != "none":
                skip = skips[level]
                if level < len(self.adapters):
                    skip = self.adapters[level](skip)
                x = self.fuse(x, skip) if self.skip == "max" else torch.cat([x, skip], dim=1)
            x = conv(x)
        return x


class DetailHead(nn.Module):
    """Ours: raw normals at the picture's size from a trunk that saw it at half of it.

    The trunk's normals are enlarged, and a correction is added that three convolutions read off the
    picture's 2x2 blocks and the trunk's features. It sees the picture, so it counts as a skip: normals alone,
    which pass the latent only, are enlarged without it.
    """

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        self.look = nn.Sequential(
            conv_relu(4 * 3 + arch.normal_decoder[4], arch.detail, 3), conv_relu(arch.detail, arch.detail, 3)
        )
        self.last = nn.Conv2d(arch.detail, 4 * 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)  # it starts as what the trunk says
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor, features: Tensor, raw: Tensor) -> Tensor:
        """Picture [B, 3, S, S], features [B, n, S/2, S/2], raw normals [B, 3, S/2, S/2] -> [B, 3, S, S]."""
        blocks = nn.functional.pixel_unshuffle(image, 2)
        correction: Tensor = self.last(self.look(torch.cat([blocks, features], dim=1)))
        return enlarged(raw) + nn.functional.pixel_shuffle(correction, 2)


def enlarged(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, C, 2 H, 2 W], pixel centres where they belong."""
    larger: Tensor = nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return larger


class ImageDecoder(nn.Module):
    """D_I: five upsamplings and convolutions from the latent alone, no skips (Fig. 2)."""

    def __init__(self, arch: Arch) -> None:
        super().__init__()
        widths = (arch.trunk[3], *arch.image_decoder)
        self.convs = nn.ModuleList(conv_relu(i, o, 3) for i, o in itertools.pairwise(widths))
        self.last = nn.Conv2d(widths[-1], 3, 1)
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)

    def forward(self, latent: Tensor) -> Tensor:
        """[B, c4, S/32, S/32] -> image [B, 3, S, S]."""
        x = latent
        for conv in self.convs:
            x = conv(self.upsample(x))
        image: Tensor = self.last(x)
        return image


class CrossModalNet(nn.Module):
    """E_I, E_N, D_N and D_I around one latent space (Fig. 2), or an ablation of it (Fig. 6).

    Images are RGB in [0, 1] without further normalisation; normals are unit vectors in fnormal's
    frame (x right, y up, z toward the viewer), 0 outside the face. Outputs are raw: normalise them.
    """

    def __init__(self, arch: str = "paper", ablation: str = "full") -> None:
        super().__init__()
        for value, known, what in ((arch, ARCHS, "arch"), (ablation, ABLATIONS, "ablation")):
            if value not in known:
                raise FNormalError(f"unknown {what} '{value}': use {', '.join(known)}")
        self.arch: Arch = ARCHS[arch]
        self.ablation: Ablation = ABLATIONS[ablation]
        self.ablation_name = ablation
        parts = self.ablation
        self.image_encoder = Encoder(self.arch, full=parts.skip != "none")
        self.normal_encoder = Encoder(self.arch, full=False) if parts.normal_encoder else None
        self.normal_decoder = NormalDecoder(self.arch, parts.skip)
        self.image_decoder = ImageDecoder(self.arch) if parts.image_decoder else None
        self.detail = DetailHead(self.arch) if self.arch.detail else None

    def forward(self, passes: str, x: Tensor) -> Any:
        """One of the passes below by its name: what torch's data parallel training can wrap."""
        return getattr(self, passes)(x)

    def image_to_normals(self, image: Tensor) -> Tensor:
        """Images [B, 3, S, S] in [0, 1] to raw normals [B, 3, S, S], skips activated."""
        latent, skips = self.image_encoder(self._entered(image))
        return self._decode_normals(latent, skips, image)

    def image_to_image(self, image: Tensor) -> Tensor:
        """Images [B, 3, S, S] to images through the shared latent; a network without D_I refuses."""
        latent, _ = self.image_encoder(self._entered(image))
        return self._decode_image(latent)

    def image_to_both(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """``(image_to_normals, image_to_image)`` with one pass of the encoder (3.3)."""
        latent, skips = self.image_encoder(self._entered(image))
        return self._decode_normals(latent, skips, image), self._decode_image(latent)

    def normals_to_normals(self, normals: Tensor) -> Tensor:
        """Normals [B, 3, S, S] to raw normals, skips deactivated; a network without E_N refuses."""
        if self.normal_encoder is None:
            raise FNormalError(f"the '{self.ablation_name}' network has no normal encoder (Fig. 6)")
        latent, _ = self.normal_encoder(self._entered(normals))
        raw: Tensor = self.normal_decoder(latent, None)
        return raw if self.detail is None else enlarged(raw)

    def features(self, image: Tensor) -> list[Tensor]:
        """Latent and encoder features of images [B, 3, S, S], coarse to fine: for perceptual losses."""
        latent, skips = self.image_encoder(self._entered(image))
        return [latent, *skips]

    def _entered(self, x: Tensor) -> Tensor:
        """What the trunk sees of an input: all of it, or its 2x2 means before a detail head."""
        check_sides(x, self.arch.stride_px)
        return x if self.detail is None else nn.functional.avg_pool2d(x, 2)

    def _decode_normals(self, latent: Tensor, skips: list[Tensor], image: Tensor) -> Tensor:
        """Raw normals [B, 3, S, S] with the skips activated."""
        features = self.normal_decoder.features(latent, skips)
        raw: Tensor = self.normal_decoder.last(features)
        if self.detail is not None:
            raw = self.detail(image, features, raw)
        return raw

    def _decode_image(self, latent: Tensor) -> Tensor:
        if self.image_decoder is None:
            raise FNormalError(f"the '{self.ablation_name}' network has no image decoder (Fig. 6)")
        image: Tensor = self.image_decoder(latent)
        return image if self.detail is None else enlarged(image)
