"""Image-to-normals alone, for other runtimes: ONNX and TorchScript out, ONNX back in."""

from __future__ import annotations

import copy
import io
import json
import logging
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fnormal.errors import FNormalError
from fnormal.files.opening import WEIGHTS, decoding
from fnormal.files.writing import atomic, write_bytes
from fnormal.geometry.normals import angular_error_deg
from fnormal.network.checkpoint import WeightsInfo
from fnormal.network.levelling import levelled
from fnormal.network.model import CrossModalNet
from fnormal.network.onnx_session import INSTALL, open_session
from fnormal.network.vectors import unit

_KEY = "fnormal"  # of the metadata: a WeightsInfo as JSON


class ImageToNormals(nn.Module):
    """The path that is used after training: no normal encoder, no image decoder; unit output, or ``raw``.

    With ``levels`` pictures are levelled inside, by their middle.
    """

    def __init__(self, model: CrossModalNet, *, raw: bool = False, levels: bool = False) -> None:
        super().__init__()
        self._raw, self._levels = raw, levels
        self.network = copy.copy(model)  # the same weights in a shell of its own
        self.network._modules = {**model._modules, "normal_encoder": None, "image_decoder": None}

    def forward(self, image: Tensor) -> Tensor:
        """Images [B, 3, S, S] in [0, 1] to normals [B, 3, S, S]: x right, y up, z to the viewer."""
        normals = self.network.image_to_normals(levelled(image) if self._levels else image)
        return normals if self._raw else unit(normals)


class OnnxNetwork:
    """An exported network in ONNX Runtime, in the place of a :class:`CrossModalNet` in a predictor."""

    def __init__(self, path: Path) -> None:
        self._session = open_session(path)
        with decoding(path, WEIGHTS):
            metadata = self._session.get_modelmeta().custom_metadata_map
        if _KEY not in metadata:
            raise FNormalError(f"{path} was not written by 'fnormal export'; its frame is unknown")
        self.info, self._path = WeightsInfo.from_json(metadata[_KEY], path), path
        names = [node.name for node in self._session.get_inputs()], len(self._session.get_outputs())
        if names != (["image"], 1):
            raise FNormalError(f"{path} does not take one image to normals; export it again")

    def image_to_normals(self, image: Tensor) -> Tensor:
        """Images [B, 3, S, S] in [0, 1] to unit normals [B, 3, S, S]."""
        with decoding(self._path, WEIGHTS):
            (normals,) = self._session.run(None, {"image": image.cpu().numpy()})
        if normals.shape != tuple(image.shape):
            raise FNormalError(
                f"{self._path} gives {normals.shape} for {tuple(image.shape)}; export it again"
            )
        return torch.from_numpy(normals)


def export_onnx(
    model: CrossModalNet, info: WeightsInfo, path: Path, *, raw: bool = False, levels: bool = False
) -> float:
    """Write ONNX with a free batch size; returns the largest angle to the original, in degrees.

    Args:
        model: The network.
        info: What the file is to say of itself.
        path: Where.
        raw: Normals of any length come out, not unit ones.
        levels: Pictures are levelled inside.

    Raises:
        FNormalError: onnx, onnxscript or onnxruntime is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401  # to look at what was written
        import onnxscript  # noqa: F401  # torch's exporter asks for it
    except ImportError as error:
        raise FNormalError(f"exporting needs onnx, onnxscript and onnxruntime: {INSTALL}") from error
    network, example = _prepared(model, info, raw=raw, levels=levels)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of packages that nobody needs
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter's own innards
        program = torch.onnx.export(
            network, (example,), dynamo=True, input_names=["image"], output_names=["normals"],
            dynamic_shapes={"image": {0: torch.export.Dim("batch", min=1)}}, verbose=False,
        )  # fmt: skip
    assert program is not None, "dynamo=True gives one"
    model_proto = program.model_proto
    entry = model_proto.metadata_props.add()
    entry.key, entry.value = _KEY, _about(info, levels=levels)
    with atomic(path) as temporary:
        temporary.write_bytes(model_proto.SerializeToString())
        return _largest_angle(network, OnnxNetwork(temporary).image_to_normals, example)


def export_torchscript(model: CrossModalNet, info: WeightsInfo, path: Path, *, levels: bool = False) -> float:
    """Write TorchScript for C++; returns the largest angle to the original, in degrees.

    With ``levels`` pictures are levelled inside.
    """
    network, example = _prepared(model, info, levels=levels)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch announces other exporters
        traced = torch.jit.trace(network, example)  # type: ignore[no-untyped-call]
        extra = {_KEY + ".json": _about(info, levels=levels)}
        buffer = io.BytesIO()  # torch's own writer aborts the process on a full disk
        torch.jit.save(traced, buffer, _extra_files=extra)
        again = torch.jit.load(io.BytesIO(buffer.getvalue()))  # type: ignore[no-untyped-call]
        write_bytes(path, buffer.getvalue())
        return _largest_angle(network, again, example)


def _about(info: WeightsInfo, *, levels: bool) -> str:
    """What a file says of itself: what is levelled inside must not be outside."""
    return json.dumps(asdict(replace(info, levels=False) if levels else info))


def _prepared(
    model: CrossModalNet, info: WeightsInfo, *, raw: bool = False, levels: bool = False
) -> tuple[ImageToNormals, Tensor]:
    generator = torch.Generator().manual_seed(0)
    # a batch of two: one would be taken for a constant
    example = torch.rand(2, 3, info.size_px, info.size_px, generator=generator)
    return ImageToNormals(model.cpu(), raw=raw, levels=levels).eval(), example


def _largest_angle(network: ImageToNormals, other: Any, example: Tensor) -> float:
    """Between the normals of two networks, on another batch than the one that was exported with."""
    picture = example[:1].flip(-1).contiguous()
    with torch.inference_mode():
        ours, theirs = network(picture), other(picture)
    angle = angular_error_deg(*(np.moveaxis(n.numpy(), 1, -1) for n in (ours, theirs)))
    return float(angle.max())
