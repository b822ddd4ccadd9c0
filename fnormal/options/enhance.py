"""Options of enhance."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from typer import Argument, Option

from fnormal.config import BLEND_SCALE_MM, MAX_PICTURE_PX, MAX_SHIFT_MM, UV_SIZE_PX
from fnormal.options.shared import Compute, Landmarks, MaxMegapixels, Output, Weights

Mode: TypeAlias = Literal["displace", "shade"]
Texture: TypeAlias = Literal["photo", "mesh"]


@dataclass(frozen=True, kw_only=True)
class MeshOptions:
    """The coarse mesh, and what becomes of it."""

    mesh: Annotated[Path | None, Option(help="Coarse mesh of the photo. Default: MediaPipe's FaceMesh.")] = (
        None
    )
    mesh_dir: Annotated[
        Path | None,
        Option(help="Folder of meshes: of photos by their stems, of a video's frames in order."),
    ] = None
    frame: Annotated[
        str | None,
        Option(help="Axes of the mesh, if fnormal errs: pixels-y-up, pixels-y-down, or axes like x,-y,z."),
    ] = None
    mode: Annotated[
        Mode, Option(help="displace moves the vertices too; shade appends normals alone, as the paper does.")
    ] = "displace"
    blend_scale_mm: Annotated[
        float,
        Option("--blend-scale", min=1, max=1000, help="Forms wider than this many mm stay the mesh's own."),
    ] = BLEND_SCALE_MM
    max_shift_mm: Annotated[
        float, Option("--max-shift", min=0.01, max=100, help="No vertex moves farther than this many mm.")
    ] = MAX_SHIFT_MM
    subdivide: Annotated[
        int | None,
        Option(min=0, max=5, help="Times each triangle becomes four. Default: as fine as the network sees."),
    ] = None
    texture: Annotated[
        Texture, Option(help="Colour of the GLB: the photo, or the mesh's own texture where it has one.")
    ] = "photo"
    bake: Annotated[
        bool,
        Option(
            "--bake", help="Also write normal maps for the unchanged mesh, in its own texture coordinates."
        ),
    ] = False
    uv_size_px: Annotated[
        int, Option("--uv-size", min=64, max=8192, help="Side of the baked normal maps in pixels.")
    ] = UV_SIZE_PX
    gif: Annotated[bool, Option("--gif", help="Also write a GIF of a light that goes round.")] = False
    html: Annotated[
        bool, Option("--html", help="Also write one page to look at it from all sides, offline.")
    ] = False

    def changed(self) -> list[str]:
        """The flags that were given."""
        given, usual = asdict(self), asdict(MeshOptions())
        names = [name for name in given if given[name] != usual[name]]
        return [f"--{n.removesuffix('_mm').removesuffix('_px').replace('_', '-')}" for n in names]


@dataclass(frozen=True, kw_only=True)
class DepthOptions:
    """A depth map instead of a mesh."""

    depth: Annotated[
        Path | None, Option(help="Depth map or point cloud of the photo: PNG16, TIFF, NPY, MAT, PLY, PCD.")
    ] = None
    depth_scale: Annotated[
        float | None,
        Option(min=1e-6, max=1e6, help="Numbers of the depth map for one metre. Default: 1000, floats 1."),
    ] = None
    intrinsics: Annotated[
        str | None,
        Option(
            help="Camera of the depth map: kinect-v1, kinect-v2, azure, realsense, or a JSON or YAML file."
        ),
    ] = None
    color_intrinsics: Annotated[
        str | None, Option(help="Camera of the photo, where the depth map is not registered to it.")
    ] = None
    extrinsics: Annotated[
        Path | None,
        Option(help="JSON of the 4x4 matrix from the depth camera to the photo's, metres, y down."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Enhance:
    """Put a photo's normals onto a coarse mesh, or fuse them with a depth map (Figs. 1, 5, 10).

    Writes GLB, OBJ, PLY, a before/after picture and a JSON of how it came about.

    Example: `fnormal enhance face.jpg --mesh prn.obj --out enhanced/`
    """

    photos: Annotated[list[Path], Argument(help="Pictures of faces, or videos.")]
    mesh: MeshOptions = field(default_factory=MeshOptions)
    depth: DepthOptions = field(default_factory=DepthOptions)
    out: Annotated[Path | None, Option("--out", "-o", help="Folder. Default: enhanced.")] = None
    face: Annotated[
        int | None,
        Option(min=1, max=1000, help="Which face of the photo, by score and size. Default: the mesh's."),
    ] = None
    normals: Annotated[
        Path | None, Option(help="Normal map of the photo to use instead of a prediction.")
    ] = None
    normals_frame: Annotated[
        str | None, Option(help="Axes of --normals: opengl, opencv, directx, or axes like x,-y,z.")
    ] = None
    weights: Weights = None
    landmarks: Landmarks = None
    box: Annotated[
        str | None, Option(help="left,top,right,bottom of the face in pixels, instead of detection.")
    ] = None
    max_megapixels: MaxMegapixels = MAX_PICTURE_PX / 1e6
    compute: Compute = field(default_factory=Compute)
    output: Output = field(default_factory=Output)
