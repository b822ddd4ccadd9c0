"""Weights: one safetensors file with its configuration inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fnormal import __version__
from fnormal.config import ABLATIONS, ARCHS, CROP_SIZE_PX, FRAME, MAX_SAMPLE_PX
from fnormal.errors import FNormalError
from fnormal.files.opening import WEIGHTS, check_file
from fnormal.files.writing import write_bytes
from fnormal.network.model import CrossModalNet

DEFAULT_WEIGHTS = "fine.safetensors"  # package data
_KEY = "fnormal"  # the one metadata entry


@dataclass(frozen=True)
class WeightsInfo:
    """What a weights file says of itself.

    Attributes:
        arch: Name in ``config.ARCHS``.
        ablation: Name in ``config.ABLATIONS``.
        size_px: Side of the crops the network was trained on.
        frame: Frame of its normals.
        licence: Licence of the weights.
        figures: Errors it was measured at, and how it was trained.
        sure: Whether the length of its raw normals tells the error that they expect.
        levels: Whether it is shown levelled pictures, see :mod:`fnormal.geometry.showing`.
    """

    arch: str
    ablation: str = "full"
    size_px: int = CROP_SIZE_PX
    frame: str = FRAME
    licence: str = "unknown"
    figures: dict[str, Any] = field(default_factory=dict)
    sure: bool = False
    levels: bool = True

    @staticmethod
    def from_json(text: str, place: Path) -> WeightsInfo:
        """What the metadata of a weights or ONNX file says.

        Raises:
            FNormalError: It is not what fnormal writes, or names another frame than fnormal's.
        """
        broken = FNormalError(f"{place} has a damaged configuration inside; train, export or fetch it again")
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise broken from error
        if not isinstance(values, dict):
            raise broken
        values.pop("fnormal_version", None)
        kinds = {
            "arch": str, "ablation": str, "size_px": int, "frame": str, "licence": str, "figures": dict,
            "sure": bool, "levels": bool,
        }  # fmt: skip
        if not {"arch"} <= set(values) <= set(kinds):
            raise broken
        if any(
            not isinstance(value, kinds[name]) or (value is True and kinds[name] is not bool)
            for name, value in values.items()
        ):
            raise broken
        info = WeightsInfo(**values)
        if info.arch not in ARCHS or info.ablation not in ABLATIONS:
            raise broken
        if not 0 < info.size_px <= MAX_SAMPLE_PX or info.size_px % ARCHS[info.arch].stride_px:
            raise FNormalError(
                f"{place} wants crops of {info.size_px} px; a side is a multiple of"
                f" {ARCHS[info.arch].stride_px} up to"
                f" {MAX_SAMPLE_PX}"
            )
        if info.frame != FRAME:
            raise FNormalError(f"{place} predicts in frame '{info.frame[:40]}'; fnormal runs {FRAME} alone")
        return info


def save_weights(path: Path, model: CrossModalNet, info: WeightsInfo, *, half: bool = False) -> None:
    """Write ``model`` to ``path``, whole or not at all; ``half`` stores fp16 (0.01 degrees)."""
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    if half:
        state = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    metadata = {_KEY: json.dumps({**asdict(info), "fnormal_version": __version__})}
    write_bytes(path, save(state, metadata))


def load_weights(path: Path | str | None = None) -> tuple[CrossModalNet, WeightsInfo]:
    """The network of a weights file in eval mode, and what the file says of itself.

    Args:
        path: A ``.safetensors`` file of fnormal's; None for the weights that come with it.

    Raises:
        FNormalError: Missing, damaged, not fnormal's, or tensors that do not fit the configuration.
    """
    place = default_weights() if path is None else Path(path)
    check_file(place, WEIGHTS)
    try:
        with safe_open(place, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError, MemoryError) as error:
        raise FNormalError(
            f"{place} is not a readable safetensors file ({error}); a model.pth goes through"
            " fnormal import-weights"
        ) from error
    if _KEY not in metadata:
        raise FNormalError(f"{place} was not written by fnormal: it has no configuration inside")
    info = WeightsInfo.from_json(metadata[_KEY], place)
    for key, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise FNormalError(f"{place} holds weights that are no numbers ({key}); train or fetch it again")
    model = CrossModalNet(info.arch, info.ablation)
    load_strictly(model, {key: value.float() for key, value in state.items()}, place)
    return model.eval(), info


def load_model(path: Path | str | None = None) -> CrossModalNet:
    """The network of a weights file, ready to use; None for the weights that come with fnormal."""
    return load_weights(path)[0]


def default_weights() -> Path:
    """The weights that come with the package."""
    return Path(str(resources.files("fnormal") / "data" / DEFAULT_WEIGHTS))


def named_weights(files: Sequence[Path]) -> dict[str, Path]:
    """Weights files by their name, or by their folder's where two have one name."""
    alike = len({file.stem for file in files}) < len(files)
    return {file.parent.name if alike else file.stem: file for file in files}


def load_strictly(model: CrossModalNet, state: dict[str, Tensor], place: Path) -> None:
    """Fill ``model`` with the tensors of a file.

    Raises:
        FNormalError: A tensor is missing, unknown, or of another shape.
    """
    wanted = model.state_dict()
    wrong = sorted(set(wanted) ^ set(state)) or sorted(
        key for key in wanted if wanted[key].shape != state[key].shape
    )
    if wrong:
        raise FNormalError(
            f"{place} does not fit a '{model.arch.name}' network: {len(wrong)} tensors differ,"
            f" the first is {wrong[0]}; train or import it again"
        )
    model.load_state_dict({key: state[key].to(wanted[key].dtype) for key in wanted})
