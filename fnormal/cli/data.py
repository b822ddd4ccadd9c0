"""The commands that make and look at data sets; ``cli.py`` registers them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Optional

import typer

from fnormal import options
from fnormal.cli import console
from fnormal.cli.shared import Axes, Json, Layout, Out, Resume, Scheduler, Seed, Shard, Workers
from fnormal.options import PhotoOptions, ProduceOptions, RenderOptions

Scans = Literal["ict3drfe", "bjut3d", "florence", "ict-facekit", "anny", "folder"]
Photos = Literal["photoface", "celeba-hq", "300w", "folder"]
Count = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--scans", min=1, help="Heads to sample, or at most so many files."),
]
Views = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(min=1, help="Views of each scan; default: the paper's, else 10."),
]
Modality = Annotated[
    Optional[options.RenderedModality],  # noqa: UP045
    typer.Option(help="normals: no image is stored; default: the paper's for its sets, else pairs."),
]
Environments = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="Folder of HDR panoramas for --lighting rich."),
]
Size = Annotated[int, typer.Option(min=32, max=2048, help="Side in pixels.")]


def render_dataset(
    scans: Annotated[str, typer.Argument(help="File or folder of the scans; 'auto' fetches free ones.")],
    dataset: Annotated[Scans, typer.Option(help="What the scans are.")],
    out: Out,
    modality: Modality = None,
    count: Count = None,
    views: Views = None,
    max_angle: Annotated[
        float, typer.Option(min=0, max=180, help="Degrees about a random axis.")
    ] = RenderOptions.max_angle_deg,
    size: Size = RenderOptions.size_px,
    lighting: Annotated[
        options.Lighting, typer.Option(help="paper: one light; rich: as in photographs.")
    ] = RenderOptions.lighting,
    environments: Environments = RenderOptions.environments,
    mask: Annotated[
        options.Mask, typer.Option(help="hull of the landmarks, or all that is visible.")
    ] = RenderOptions.mask,
    crop_jitter: Annotated[
        float, typer.Option(min=0, max=1, help="0.3: crops up to 30 % wider, and shifted.")
    ] = RenderOptions.crop_jitter,
    backend: Annotated[
        options.Backend, typer.Option(help="gl on a GPU, soft anywhere; auto takes gl where a GPU answers.")
    ] = RenderOptions.backend,
    seed: Seed = RenderOptions.seed,
    axes: Axes = None,
    layout: Layout = None,
    workers: Workers = ProduceOptions.workers,
    scheduler: Scheduler = None,
    shard: Shard = None,
    resume: Resume = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: Json = False,
) -> None:
    """Turn and relight scans into an HDF5 data set (section 4.2); a killed run goes on where it was.

    Example: `fnormal render-dataset auto --dataset ict-facekit --scans 200 --workers 4 --out ict.h5`
    """
    from fnormal.commands import render_dataset as workflow

    how = RenderOptions(
        modality=modality or workflow.default_modality(dataset),
        views=views or workflow.default_views(dataset), max_angle_deg=max_angle,
        size_px=size, lighting=lighting, mask=mask, backend=backend, environments=environments,
        crop_jitter=crop_jitter, seed=seed,
    )  # fmt: skip
    source = None if scans == "auto" else Path(scans)
    recipe = workflow.RenderRecipe(source, dataset, count, layout, axes, how)
    if dry_run:
        console.emit(workflow.count_samples(recipe), as_json=as_json)
        return
    produce = ProduceOptions(workers=workers, scheduler=scheduler, shard=shard, resume=resume)
    console.follow(workflow.render_dataset(recipe, out, produce), as_json=as_json)


def import_photos(
    source: Annotated[Path, typer.Argument(help="Folder of the photos.")],
    dataset: Annotated[Photos, typer.Option(help="What the photos are.")],
    out: Out,
    split: Annotated[
        options.Split, typer.Option(help="photoface: seeded, by person, 353 to 100.")
    ] = PhotoOptions.split,
    limit: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="At most so many photos or sessions; celeba-hq: 5,000."),
    ] = None,
    axes: Axes = None,
    lights: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="photoface: CSV or JSON of the four lights' zenith and azimuth in degrees."),
    ] = None,
    size: Size = PhotoOptions.size_px,
    seed: Seed = PhotoOptions.seed,
    workers: Workers = ProduceOptions.workers,
    scheduler: Scheduler = None,
    shard: Shard = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Crop photos, with their normals where there are any, into an HDF5 data set (sections 4.1, 4.2).

    Example: `fnormal import-photos CelebA-HQ/ --dataset celeba-hq --out celeba.h5`
    """
    from fnormal.commands import import_photos as workflow

    how = PhotoOptions(split=split, limit=limit, axes=axes, lights=lights, size_px=size, seed=seed)
    produce = ProduceOptions(workers=workers, scheduler=scheduler, shard=shard, resume=resume)
    steps = workflow.import_photos(workflow.PhotoRecipe(source, dataset, how), out, produce)
    console.follow(steps, as_json=as_json)


def merge(
    sets: Annotated[list[Path], typer.Argument(help="HDF5 data sets of one kind, or of shards.")],
    out: Out,
    as_json: Json = False,
) -> None:
    """Join data sets, or a data set and its shards, into one plain file.

    Example: `fnormal merge many.h5 --out one.h5`
    """
    from fnormal.datasets.shards import join_shards

    join_shards(sets, out, virtual=False)
    console.emit(str(out), as_json=as_json)


def inspect(
    data: Annotated[Path, typer.Argument(help="HDF5 data set.")],
    sheet: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="PNG to write: images, normals and masks side by side."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Samples on the sheet.")] = 16,
    images: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for every picture, 000000.png and so on, to try other methods on."),
    ] = None,
    as_json: Json = False,
) -> None:
    """What a data set holds.

    Example: `fnormal inspect florence.h5 --sheet florence.png`
    """
    from fnormal.commands import inspect as workflow
    from fnormal.datasets.hdf5 import Dataset

    found = Dataset(data)
    facts = workflow.summary(found)
    if as_json:
        console.emit(facts, as_json=True)
    else:
        for name, value in facts.items():
            console.emit(f"{name}\t{value}", as_json=False)
    if sheet is not None:
        workflow.contact_sheet(found, sheet, count)
        console.emit(str(sheet), as_json=as_json)
    if images is not None:
        for path in workflow.write_pictures(found, images):
            console.emit(str(path), as_json=as_json)
