"""A slow, plain reference of the authors' network, straight from its state dict's names.

Written from docs/paper.md; the package's model is tested against it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

State = dict[str, Tensor]


def _add_conv(state: State, key: str, inputs: int, outputs: int, kernel: int, *, bias: bool = True) -> None:
    scale = (2 / (inputs * kernel * kernel)) ** 0.5
    state[key + ".weight"] = torch.randn(outputs, inputs, kernel, kernel) * scale
    if bias:
        state[key + ".bias"] = torch.randn(outputs) * 0.1


def _add_norm(state: State, key: str, channels: int) -> None:
    state[key + ".weight"] = torch.rand(channels) + 0.5
    state[key + ".bias"] = torch.randn(channels) * 0.1
    state[key + ".running_mean"] = torch.randn(channels) * 0.1
    state[key + ".running_var"] = torch.rand(channels) + 0.5
    state[key + ".num_batches_tracked"] = torch.tensor(7)


def _add_stage(state: State, prefix: str, inputs: int, outputs: int) -> None:
    for block in (0, 1):
        _add_conv(state, f"{prefix}{block}.conv1", inputs, outputs, 3, bias=False)
        _add_norm(state, f"{prefix}{block}.bn1", outputs)
        _add_conv(state, f"{prefix}{block}.conv2", outputs, outputs, 3, bias=False)
        _add_norm(state, f"{prefix}{block}.bn2", outputs)
        if inputs != outputs:
            _add_conv(state, f"{prefix}{block}.downsample.0", inputs, outputs, 1, bias=False)
            _add_norm(state, f"{prefix}{block}.downsample.1", outputs)
        inputs = outputs


def random_state(seed: int = 0) -> State:
    """404 tensors with the authors' names and shapes."""
    torch.manual_seed(seed)
    state: State = {}
    for suffix in ("", "_2"):
        _add_conv(state, f"layer0{suffix}.0", 3, 64, 7, bias=False)
        _add_norm(state, f"layer0{suffix}.1", 64)
        _add_stage(state, f"layer1{suffix}.1.", 64, 64)
        for level, width in ((2, 128), (3, 256), (4, 512)):
            _add_stage(state, f"layer{level}{suffix}.", width // 2, width)
        _add_conv(state, f"conv_original_size0{suffix}.0", 3, 64, 3)
        _add_conv(state, f"conv_original_size1{suffix}.0", 64, 64, 3)
    for level, (i, o) in enumerate([(64, 64), (64, 64), (128, 128), (256, 256), (512, 768)]):
        _add_conv(state, f"layer{level}_1x1.0", i, o, 1)
    for name, i, o in (
        ("conv_up3", 768, 640), ("conv_up2", 640, 320), ("conv_up1", 320, 320), ("conv_up0", 320, 192),
        ("conv_original_size2", 192, 64), ("conv_up3_2", 512, 512), ("conv_up2_2", 512, 256),
        ("conv_up1_2", 256, 256), ("conv_up0_2", 256, 128), ("conv_original_size2_2", 128, 64),
    ):  # fmt: skip
        _add_conv(state, f"{name}.0", i, o, 3)
    _add_conv(state, "conv_last", 64, 3, 1)
    _add_conv(state, "conv_last_2", 64, 3, 1)
    # the torchvision backbone once more, under its own names, classifier and all
    for key, value in list(state.items()):
        for ours, theirs in (
            ("layer0.0.", "conv1."), ("layer0.1.", "bn1."), ("layer1.1.", "layer1."),
            ("layer2.", "layer2."), ("layer3.", "layer3."), ("layer4.", "layer4."),
        ):  # fmt: skip
            if key.startswith(ours):
                state["base_model." + theirs + key.removeprefix(ours)] = value
    state["base_model.fc.weight"] = torch.randn(1000, 512)
    state["base_model.fc.bias"] = torch.randn(1000)
    return state


class Reference:
    """The three passes; in eval mode unless ``training`` is set."""

    training = False

    def __init__(self, state: State) -> None:
        self.state = state

    def conv(self, key: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = self.state[key + ".weight"]
        return F.conv2d(x, weight, self.state.get(key + ".bias"), stride, weight.shape[-1] // 2)

    def norm(self, key: str, x: Tensor) -> Tensor:
        s = self.state
        return F.batch_norm(
            x, s[key + ".running_mean"], s[key + ".running_var"], s[key + ".weight"], s[key + ".bias"],
            training=self.training,
        )  # fmt: skip

    def stage(self, prefix: str, x: Tensor, stride: int) -> Tensor:
        for block in (0, 1):
            key = f"{prefix}{block}"
            y = self.norm(key + ".bn1", self.conv(key + ".conv1", x, stride)).relu()
            y = self.norm(key + ".bn2", self.conv(key + ".conv2", y))
            if key + ".downsample.0.weight" in self.state:
                x = self.norm(key + ".downsample.1", self.conv(key + ".downsample.0", x, stride))
            x, stride = (x + y).relu(), 1
        return x

    def encode(self, x: Tensor, suffix: str) -> list[Tensor]:
        layer0 = self.norm(f"layer0{suffix}.1", self.conv(f"layer0{suffix}.0", x, 2)).relu()
        layer1 = self.stage(f"layer1{suffix}.1.", F.max_pool2d(layer0, 3, 2, 1), 1)
        layer2 = self.stage(f"layer2{suffix}.", layer1, 2)
        layer3 = self.stage(f"layer3{suffix}.", layer2, 2)
        return [layer0, layer1, layer2, layer3, self.stage(f"layer4{suffix}.", layer3, 2)]

    def decode_normals(self, latent: Tensor, skips: list[Tensor] | None) -> Tensor:
        x = self.conv("layer4_1x1.0", latent).relu()
        names = ["conv_up3", "conv_up2", "conv_up1", "conv_up0", "conv_original_size2"]
        for i, name in enumerate(names):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            if skips is not None:
                m = skips[i].shape[1]
                x = torch.cat([x[:, :-m], torch.max(x[:, -m:], skips[i])], dim=1)
            x = self.conv(f"{name}.0", x).relu()
        return self.conv("conv_last", x)

    def decode_image(self, x: Tensor) -> Tensor:
        for name in ("conv_up3_2", "conv_up2_2", "conv_up1_2", "conv_up0_2", "conv_original_size2_2"):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = self.conv(f"{name}.0", x).relu()
        return self.conv("conv_last_2", x)

    def full(self, x: Tensor, suffix: str) -> Tensor:
        for level in (0, 1):
            x = self.conv(f"conv_original_size{level}{suffix}.0", x).relu()
        return x

    def encode_image(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        full = self.full(x, "")
        *features, latent = self.encode(x, "")
        skips = [self.conv(f"layer{i}_1x1.0", features[i]).relu() for i in (3, 2, 1, 0)]
        return latent, [*skips, full]

    def image_to_normals(self, x: Tensor) -> Tensor:
        return self.decode_normals(*self.encode_image(x))

    def image_to_image(self, x: Tensor) -> Tensor:
        return self.decode_image(self.encode(x, "")[-1])

    def normals_to_normals(self, x: Tensor) -> Tensor:
        return self.decode_normals(self.encode(x, "_2")[-1], None)
