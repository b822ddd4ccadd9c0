"""Options of the commands that take photos of faces."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from typer import Argument, Option

from fnormal.config import CROP_SCALE, FRAME, MAX_PICTURE_PX, VIDEO_SMOOTH
from fnormal.options.shared import Compute, Landmarks, MapsFrame, MaxMegapixels, Output, Sharing, Weights

Format: TypeAlias = Literal["png16", "png8", "npy", "tiff", "exr"]
Inputs = Annotated[list[str], Argument(help="Pictures, videos, folders of pictures, or - for stdin.")]


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """What to predict, and what to write."""

    crop: Annotated[bool, Option(help="--no-crop: the pictures are face crops already.")] = True
    faces: Annotated[str, Option(help="first, all, or how many faces at most; by score and size.")] = "first"
    min_score: Annotated[
        float, Option(min=0, max=10, help="Leave out faces that the detector is less sure of.")
    ] = 0.0
    box: Annotated[
        str | None, Option(help="left,top,right,bottom of the face in pixels, instead of detection.")
    ] = None
    frame: Annotated[
        str, Option(help="Axes of the normal maps: opengl, opencv, directx, or axes like x,-y,z.")
    ] = FRAME
    format: Annotated[Format, Option(help="Format of the normal maps.")] = "png16"
    mask: Annotated[
        str,
        Option(help="hull ends at the brows, as in the paper; face at the hairline; or a picture or folder."),
    ] = "hull"
    crop_only: Annotated[
        bool, Option("--crop-only", help="Write the square around the face, not the full frame.")
    ] = False
    confidence: Annotated[
        bool, Option("--confidence", help="Also write a grey map of how sure each pixel is.")
    ] = False
    overlay: Annotated[bool, Option("--overlay", help="Also write the normals laid over the photo.")] = False
    side_by_side: Annotated[
        bool, Option("--side-by-side", help="Also write photo, normals and shading side by side.")
    ] = False
    scale: Annotated[
        float, Option(min=1, max=10, help="Side of the crop divided by the box of the landmarks.")
    ] = CROP_SCALE
    mirror: Annotated[
        bool,
        Option(help="--no-mirror: half the network's time, answers 0.3 degrees worse."),
    ] = True
    fast: Annotated[
        bool | None,
        Option(
            "--fast/--exact",
            help="8-bit arithmetic where the CPU has it, and fewer looks at a video. Default: videos alone.",
            show_default=False,
        ),
    ] = None
    landmarks: Landmarks = None
    max_megapixels: MaxMegapixels = MAX_PICTURE_PX / 1e6
    video: Annotated[
        bool, Option("--video", help="Folders, and stdin, hold the frames of a video: one face is followed.")
    ] = False
    raw: Annotated[
        str | None,
        Option(metavar="WxH", help="With --video -: size of raw RGB frames, such as 640x480."),
    ] = None
    smooth: Annotated[
        float, Option(min=0, max=0.95, help="Videos: share of the frame before that is mixed in.")
    ] = VIDEO_SMOOTH
    skip_existing: Annotated[
        bool, Option("--skip-existing", help="Leave out pictures whose results exist already.")
    ] = False

    @property
    def extras(self) -> tuple[str, ...]:
        """Further pictures that are asked for, by the ending of their names."""
        return tuple(name for name in ("confidence", "overlay", "side_by_side") if getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class Predict:
    """Predict the normals of the faces in photos: a normal map, a mask and a JSON file for each.

    Example: `fnormal predict face.jpg --out normals/`, or `fnormal predict - --out - < face.jpg > n.png`
    """

    inputs: Inputs
    out: Annotated[
        str | None,
        Option("--out", "-o", help="Folder, or a video's .mkv; - sends maps to stdout. Default: normals."),
    ] = None
    weights: Weights = None
    options: PredictOptions = field(default_factory=PredictOptions)
    sharing: Sharing = field(default_factory=Sharing)
    compute: Compute = field(default_factory=Compute)
    output: Output = field(default_factory=Output)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Lay images, our normals and those of others side by side (Figs. 4, 8).

    A data set also shows truth and errors.

    Example: `fnormal sheet val.h5 --weights a.safetensors --weights b.safetensors --out sheet.png`
    """

    inputs: Annotated[list[str], Argument(help="Pictures, folders of pictures, or one HDF5 data set.")]
    out: Annotated[Path | None, Option("--out", "-o", help="PNG to write. Default: sheet.png.")] = None
    weights: Annotated[
        list[Path] | None,
        Option(help="Weights files, a column each. Default: the weights that come with fnormal."),
    ] = None
    predictions: Annotated[
        list[Path] | None,
        Option(help="Folders of others' normal maps, a column each; see docs/evaluation.md."),
    ] = None
    frame: MapsFrame = None
    count: Annotated[int, Option(min=1, max=1000, help="Samples of a data set, evenly spaced.")] = 8
    size_px: Annotated[
        int, Option("--size", min=32, max=2048, help="Side of a picture on the sheet in pixels.")
    ] = 192
    compute: Compute = field(default_factory=Compute)
    output: Output = field(default_factory=Output)
