"""Options of the commands that take normal maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from fnormal.config import FRAME, MAX_PICTURE_PX
from fnormal.options.faces import Format
from fnormal.options.shared import Compute, MapsFrame, MaxMegapixels, Output, Weights

Maps = Annotated[list[Path], Argument(help="Normal maps, or folders of them.")]


@dataclass(frozen=True, kw_only=True)
class Convert:
    """Convert normal maps between frames, codings and formats; the output says its frame.

    Example: `fnormal convert theirs/ --from opencv --to directx --format png8 --out ours/`
    """

    maps: Maps
    from_frame: Annotated[
        str | None,
        Option("--from", help="Axes of the maps: opengl, opencv, directx, or x,-y,z. Default: as stated."),
    ] = None
    to_frame: Annotated[str, Option("--to", help="Axes to write.")] = FRAME
    format: Annotated[Format, Option(help="Format to write.")] = "png16"
    out: Annotated[Path | None, Option("--out", "-o", help="Folder. Default: converted.")] = None
    output: Output = field(default_factory=Output)


@dataclass(frozen=True, kw_only=True)
class Check:
    """Say which frame normal maps of faces seem to be in, and what is wrong with them.

    Example: `fnormal check theirs.png --photo face.jpg`
    """

    maps: Maps
    photo: Annotated[
        Path | None, Option(help="The photo of one map: its predicted normals are compared with.")
    ] = None
    frame: MapsFrame = None
    weights: Weights = None
    max_megapixels: MaxMegapixels = MAX_PICTURE_PX / 1e6
    compute: Compute = field(default_factory=Compute)
    output: Output = field(default_factory=Output)
