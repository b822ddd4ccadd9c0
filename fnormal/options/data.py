"""Options of the commands that make and show data sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from typer import Argument, Option

from fnormal.config import CROP_SCALE, CROP_SIZE_PX, MAX_ANGLE_DEG, SEED, VIEWS
from fnormal.options.shared import Axes, BuildOptions, Output, Seed, Size

RenderedModality: TypeAlias = Literal["pairs", "normals"]
Lighting: TypeAlias = Literal["paper", "rich"]
Backend: TypeAlias = Literal["auto", "gl", "soft"]
Mask: TypeAlias = Literal["hull", "surface"]
Split: TypeAlias = Literal["train", "test", "all"]
DatasetOut: TypeAlias = Annotated[
    Path | None, Option("--out", "-o", help="HDF5 file to write. Default: data/<dataset>.h5.")
]


@dataclass(frozen=True, kw_only=True)
class ScanOptions:
    """Which scans to read."""

    scans: Annotated[
        int | None,
        Option("--scans", min=1, max=10**7, help="How many heads to sample, or the most files to read."),
    ] = None
    variety: Annotated[
        float | None,
        Option(min=0, max=3, help="Spread of sampled heads; above 1 faces are pulled to extremes."),
    ] = None
    skins: Annotated[
        Path | None, Option(help="Bank of skins of 'fnormal unwrap'. Default: made-up, or grey.")
    ] = None
    closed_eyes: Annotated[
        float | None,
        Option(min=0, max=1, help="Share of sampled heads whose eyes are more or less closed. Default: 0."),
    ] = None
    open_mouths: Annotated[
        float | None,
        Option(min=0, max=1, help="Share of sampled heads whose mouths are wide open. Default: 0."),
    ] = None
    axes: Axes = None
    layout: Annotated[
        Path | None, Option(help="TOML file that says where meshes and maps are; see docs/datasets.md.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """How the views of a scan are drawn; sample (scan, view) depends on (seed, scan, view) alone."""

    modality: Annotated[
        RenderedModality | None,
        Option(help="normals stores no images. Default: the paper's for its sets, else pairs."),
    ] = None
    views: Annotated[
        int | None,
        Option(
            min=1, max=10**6, help=f"Views of each scan. Default: the paper's for its sets, else {VIEWS}."
        ),
    ] = None
    max_angle_deg: Annotated[
        float, Option("--max-angle", min=0, max=180, help="Largest turn about a random axis, in degrees.")
    ] = MAX_ANGLE_DEG
    size_px: Size = CROP_SIZE_PX
    lighting: Annotated[
        Lighting, Option(help="paper: one light (section 4.2). rich: lights, shadows and cameras of photos.")
    ] = "paper"
    mask: Annotated[
        Mask, Option(help="hull of the landmarks (section 4.1), or the whole visible surface.")
    ] = "hull"
    backend: Annotated[
        Backend, Option(help="gl needs OpenGL, soft runs anywhere. auto takes gl where a GPU answers.")
    ] = "auto"
    environments: Annotated[
        Path | None, Option(help="Folder of HDR panoramas for --lighting rich. Default: made-up ones.")
    ] = None
    hair: Annotated[
        Path | None,
        Option(help="Folder of CharMorph's Vitruvian: gives heads its hair, beards, brows, lashes."),
    ] = None
    keep_albedo: Annotated[
        bool, Option("--keep-albedo", help="Keep albedo and depth too, for train --relight. Pairs alone.")
    ] = False
    crop_jitter: Annotated[
        float, Option(min=0, max=1, help="0.3 makes crops up to 30 % wider and shifts them. 0: the paper's.")
    ] = 0.0
    seed: Seed = SEED


@dataclass(frozen=True, kw_only=True)
class RenderDataset:
    """Turn and relight 3D scans into an HDF5 data set (section 4.2). A killed run continues.

    Example: `fnormal render-dataset auto --dataset ict-facekit --scans 200 --workers 4 --out ict.h5`
    """

    source: Annotated[
        str, Argument(metavar="SCANS", help="File or folder of the scans; 'auto' fetches free ones.")
    ]
    dataset: Annotated[str, Option(help="What the scans are.")]
    out: DatasetOut = None
    scans: ScanOptions = field(default_factory=ScanOptions)
    views: RenderOptions = field(default_factory=RenderOptions)
    build: BuildOptions = field(default_factory=BuildOptions)
    dry_run: Annotated[bool, Option("--dry-run", help="Only count the samples.")] = False
    output: Output = field(default_factory=Output)


@dataclass(frozen=True, kw_only=True)
class PhotoOptions:
    """Which photos to take, and how."""

    split: Annotated[Split, Option(help="photoface: 353 people to train on, 100 to test, by seed.")] = "all"
    limit: Annotated[
        int | None, Option(min=1, max=10**9, help="Most photos or sessions to take. celeba-hq: 5,000.")
    ] = None
    axes: Axes = None
    lights: Annotated[
        Path | None,
        Option(help="photoface: CSV or JSON of the four lights' zenith and azimuth in degrees."),
    ] = None
    size_px: Size = CROP_SIZE_PX
    scale: Annotated[
        float,
        Option(
            "--crop-scale",
            min=1,
            max=4,
            help="Side of the crop divided by the box of the landmarks; wider for train --reframe.",
        ),
    ] = CROP_SCALE
    seed: Seed = SEED


@dataclass(frozen=True, kw_only=True)
class ImportPhotos:
    """Crop photos, with their normals where there are any, into an HDF5 data set (sections 4.1, 4.2).

    Example: `fnormal import-photos CelebA-HQ/ --dataset celeba-hq --out celeba.h5`
    """

    source: Annotated[Path, Argument(metavar="SRC", help="Folder of the photos.")]
    dataset: Annotated[str, Option(help="What the photos are.")]
    out: DatasetOut = None
    photos: PhotoOptions = field(default_factory=PhotoOptions)
    build: BuildOptions = field(default_factory=BuildOptions)
    output: Output = field(default_factory=Output)


@dataclass(frozen=True, kw_only=True)
class Unwrap:
    """Read the skins off portraits into a bank, for `render-dataset --dataset ict-facekit --skins`.

    Example: `fnormal unwrap portraits/ --licence "public domain" --out skins.npz`
    """

    portraits: Annotated[Path, Argument(help="Folder of frontal portraits.")]
    out: Annotated[Path, Option("--out", "-o", help="Bank to write, .npz.")] = Path("data/skins.npz")
    model: Annotated[
        str, Option(help="ict_facekit.npz, or a checkout's FaceXModel folder; 'auto' fetches it.")
    ] = "auto"
    limit: Annotated[int | None, Option(min=1, max=10**6, help="Most portraits to take.")] = None
    licence: Annotated[str, Option(help="Licence and attribution of the portraits.")] = "unknown"
    output: Output = field(default_factory=Output)


@dataclass(frozen=True, kw_only=True)
class Merge:
    """Join data sets of one kind, or a data set and its shards, into one plain file.

    Example: `fnormal merge many.h5 --out one.h5`
    """

    sets: Annotated[list[Path], Argument(help="HDF5 data sets of one modality and size.")]
    out: Annotated[
        Path | None, Option("--out", "-o", help="HDF5 file to write. Default: data/merged.h5.")
    ] = None
    output: Output = field(default_factory=Output)


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Say what a data set holds.

    Example: `fnormal inspect florence.h5 --sheet florence.png`
    """

    data: Annotated[Path, Argument(help="HDF5 data set.")]
    sheet: Annotated[Path | None, Option(help="PNG to write: images, normals and masks side by side.")] = None
    count: Annotated[int, Option(min=1, max=10_000, help="Samples on the sheet.")] = 16
    images: Annotated[
        Path | None,
        Option(help="Folder for every picture, 000000.png and so on, to try other methods on."),
    ] = None
    output: Output = field(default_factory=Output)
