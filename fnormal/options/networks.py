"""Options of the commands that measure, import and export networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from typer import Argument, Option

from fnormal.config import BATCH_SIZE
from fnormal.options.shared import Compute, MapsFrame, Output, TableStyle, Weights

ExportFormat: TypeAlias = Literal["onnx", "torchscript"]


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure angular errors as in Tables 1 and 2, by region, pose and light, beside free baselines.

    Example: `fnormal eval florence.h5 --predictions dsine/ --frame opencv --table latex --report page/`
    """

    data: Annotated[Path, Argument(help="HDF5 set of pairs.")]
    weights: Weights = None
    predictions: Annotated[
        Path | None,
        Option(help="Folder of any method's maps or meshes, 000000.png and so on, or of `predict`."),
    ] = None
    compare: Annotated[list[Path] | None, Option(help="Further weights files, a row each.")] = None
    frame: MapsFrame = None
    mirror: Annotated[bool, Option(help="Average with the prediction for the mirrored image.")] = False
    style: TableStyle = "tsv"
    report: Annotated[
        Path | None, Option(help="Folder for index.html: error maps, best and worst faces, histograms.")
    ] = None
    batch_size: Annotated[int, Option(min=1, max=65_536, help="Images a pass.")] = BATCH_SIZE
    compute: Compute = field(default_factory=Compute)
    output: Output = field(default_factory=Output)


@dataclass(frozen=True, kw_only=True)
class ImportWeights:
    """Turn the authors' model.pth (CC BY-NC 4.0) into a weights file without running its pickles.

    Example: `fnormal import-weights model.pth --out authors.safetensors`
    """

    checkpoint: Annotated[Path, Argument(help="The authors' model.pth.")]
    out: Annotated[Path | None, Option("--out", "-o", help="File to write. Default: <name>.safetensors.")] = (
        None
    )
    output: Output = field(default_factory=Output)


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write image-to-normals for other runtimes: RGB [B, 3, S, S] in [0, 1] to unit normals.

    Example: `fnormal export --out lite.onnx`
    """

    out: Annotated[
        Path | None, Option("--out", "-o", help="File to write. Default: <weights>.onnx or .pt.")
    ] = None
    weights: Weights = None
    format: Annotated[
        ExportFormat | None, Option(help="Format. Default: what the name of --out says, else onnx.")
    ] = None
    levels: Annotated[
        bool, Option("--levels", help="Level pictures inside the network, by the light in their middle.")
    ] = False
    output: Output = field(default_factory=Output)


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Say what this machine can do, and how to mend what it cannot.

    Example: `fnormal doctor`
    """

    output: Output = field(default_factory=Output)
