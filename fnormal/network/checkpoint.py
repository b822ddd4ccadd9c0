"""Weights: one safetensors file with its configuration inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fnormal import __version__
from fnormal.config import CROP_SIZE_PX, FRAME
from fnormal.errors import FNormalError
from fnormal.files import write_bytes
from fnormal.network.model import CrossModalNet

DEFAULT_WEIGHTS = "lite.safetensors"  # package data
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
    """

    arch: str
    ablation: str = "full"
    size_px: int = CROP_SIZE_PX
    frame: str = FRAME
    licence: str = "unknown"
    figures: dict[str, Any] = field(default_factory=dict)


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
    if not place.is_file():
        raise FNormalError(f"no such weights: {place}; check --weights")
    try:
        with safe_open(place, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise FNormalError(
            f"{place} is not a readable safetensors file ({error}); a model.pth goes through"
            " fnormal import-weights"
        ) from error
    if _KEY not in metadata:
        raise FNormalError(f"{place} was not written by fnormal: it has no configuration inside")
    values = json.loads(metadata[_KEY])
    values.pop("fnormal_version")
    info = WeightsInfo(**values)
    if info.frame != FRAME:
        raise FNormalError(f"{place} predicts normals in frame '{info.frame}'; fnormal runs {FRAME} alone")
    model = CrossModalNet(info.arch, info.ablation)
    load_strictly(model, state, place)
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
