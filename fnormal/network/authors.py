"""Weights of others: the authors' ``model.pth`` (facts in docs/paper.md), a ResNet-18 of ImageNet."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import torch
from torch import Tensor

from fnormal.errors import FNormalError
from fnormal.files.opening import CHECKPOINT, check_file
from fnormal.network.checkpoint import load_strictly
from fnormal.network.model import CrossModalNet

IMAGENET_URL = "https://download.pytorch.org/models/resnet18-f37072fd.pth"  # the name ends in its hash
_DEAD = re.compile(r"conv_original_size[01]_2\.")  # computed by the authors, used nowhere
_ALIAS = re.compile(r"base_(model|layers)(_2)?\.")  # the backbone's tensors once more
# Their name -> ours, most specific first: layerN_1x1 and layerN_2 before plain layerN.
_RENAMES: tuple[tuple[str, str], ...] = (
    (r"layer([0-3])_1x1\.0\.", r"normal_decoder.adapters.{level}.0."),
    (r"layer4_1x1\.0\.", "normal_decoder.latent.0."),
    (r"layer0_2\.", "normal_encoder.stem."),
    (r"layer1_2\.1\.", "normal_encoder.stage1."),
    (r"layer([2-4])_2\.", r"normal_encoder.stage\1."),
    (r"layer0\.", "image_encoder.stem."),
    (r"layer1\.1\.", "image_encoder.stage1."),
    (r"layer([2-4])\.", r"image_encoder.stage\1."),
    (r"conv_original_size([01])\.0\.", r"image_encoder.full.\1.0."),
    (r"conv_up([0-3])_2\.0\.", r"image_decoder.convs.{level}.0."),
    (r"conv_original_size2_2\.0\.", "image_decoder.convs.4.0."),
    (r"conv_last_2\.", "image_decoder.last."),
    (r"conv_up([0-3])\.0\.", r"normal_decoder.convs.{level}.0."),
    (r"conv_original_size2\.0\.", "normal_decoder.convs.4.0."),
    (r"conv_last\.", "normal_decoder.last."),
)


def authors_name(key: str) -> str | None:
    """Our name of a tensor of the authors' state dict; None for aliases and dead tensors.

    Raises:
        FNormalError: The key is none of theirs.
    """
    if _DEAD.match(key) or _ALIAS.match(key):
        return None
    for pattern, ours in _RENAMES:
        match = re.match(pattern, key)
        if match:
            # their level 3 is the coarsest, ours counts from the coarsest
            level = 3 - int(match[1]) if "{level}" in ours else 0
            return match.expand(ours.replace("{level}", str(level))) + key[match.end() :]
    raise FNormalError(f"'{key}' is no tensor of the authors' network; is this their model.pth?")


def load_imagenet(model: CrossModalNet, source: str) -> None:
    """Start both encoders from a ResNet-18 trained on ImageNet, as the authors do (4.1).

    Args:
        model: A network of ``arch="paper"``; there are no such weights for other widths.
        source: ``imagenet`` downloads torchvision's file, checked by its hash; else a file's path.

    Raises:
        FNormalError: Another arch, no network, or a file that is not a ResNet-18.
    """
    if model.arch.name != "paper":
        raise FNormalError(f"--encoder-weights fits --arch paper alone, not {model.arch.name}")
    try:
        if source == "imagenet":
            state = torch.hub.load_state_dict_from_url(
                IMAGENET_URL, map_location="cpu", check_hash=True, weights_only=True
            )
        else:
            state = torch.load(source, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise FNormalError(f"no such encoder weights: {source}; give a path, or imagenet") from error
    except Exception as error:  # torch's unpickler raises whatever it meets, urllib its own
        raise FNormalError(f"cannot load encoder weights {source} ({error}); fetch them again") from error
    renamed = {_imagenet_name(key): value for key, value in state.items() if not key.startswith("fc.")}
    for encoder in (model.image_encoder, model.normal_encoder):
        if encoder is None:
            continue
        wanted = {key for key in encoder.state_dict() if not key.startswith("full.")}
        try:
            missing, unknown = encoder.load_state_dict(renamed, strict=False)
        except RuntimeError as error:
            raise FNormalError(f"{source} has other shapes than a ResNet-18") from error
        if unknown or wanted & set(missing):
            raise FNormalError(
                f"{source} is no ResNet-18: it lacks or adds tensors, such as "
                f"{sorted([*unknown, *(wanted & set(missing))])[0]}"
            )


def _imagenet_name(key: str) -> str:
    """Torchvision's name of a ResNet-18 tensor as ours."""
    for theirs, ours in (("conv1.", "stem.0."), ("bn1.", "stem.1.")):
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    return re.sub(r"^layer(\d)", r"stage\1", key)


def import_authors(path: Path) -> CrossModalNet:
    """The authors' ``model.pth`` as a ``paper`` network: strict, and never unpickling code.

    Checkpoints from before batch norm counted its batches get zeros for ``num_batches_tracked``.

    Raises:
        FNormalError: Missing, not a plain state dict, or keys and shapes that are not theirs.
    """
    check_file(path, CHECKPOINT)
    try:
        with warnings.catch_warnings():  # of pickle protocols: what matters is whether it loads
            warnings.simplefilter("ignore", UserWarning)
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's unpickler raises whatever it meets in a file that is none
        raise FNormalError(
            f"{path} is not a plain state dict that torch.load(weights_only=True) accepts;"
            " save model.state_dict() alone"
        ) from error
    if not isinstance(loaded, dict) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise FNormalError(f"{path} holds no state dict; save model.state_dict() alone")
    model = CrossModalNet("paper")
    state: dict[str, Tensor] = {}
    for key, value in loaded.items():
        ours = authors_name(str(key))
        if ours is not None:
            state[ours] = value.float() if value.is_floating_point() else value
    for key in model.state_dict():
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, torch.zeros((), dtype=torch.long))
    load_strictly(model, state, path)
    return model.eval()
