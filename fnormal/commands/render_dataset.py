"""render-dataset: scans -> turned, relit views -> HDF5 (section 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from fnormal.config import SCAN_SETS, VIEWS
from fnormal.datasets.build import DatasetPlan, build, fingerprint
from fnormal.datasets.hdf5 import HDF5_SUFFIXES
from fnormal.datasets.sample import Sample
from fnormal.datasets.views import render_views
from fnormal.files.naming import check_suffix
from fnormal.files.opening import LAYOUT, read_text
from fnormal.options.data import RenderDataset, RenderOptions, ScanOptions
from fnormal.options.shared import BuildOptions
from fnormal.progress import Progress, Result
from fnormal.readers import SCANS, Reader, open_reader
from fnormal.render.backends import open_renderer, resolve_backend
from fnormal.render.drawing import Renderer
from fnormal.render.environment import EnvironmentMap, read_environments
from fnormal.scans.hair import HAIR_LICENCE, Hairdresser
from fnormal.scans.scan import Scan


def render_dataset(options: RenderDataset) -> Iterator[Progress]:
    """Render every scan into ``options.out``; a scan that cannot be read fails alone.

    Raises:
        FNormalError: The source, the output, the panoramas or the asked for back end are not there.
    """
    source = None if options.source == "auto" else Path(options.source)
    recipe = RenderRecipe(source, options.dataset, options.scans, settled(options.dataset, options.views))
    if options.dry_run:
        facts = count_samples(recipe)
        yield Progress(results=(Result(str(facts), facts),))
        return
    out = options.out or Path("data") / f"{options.dataset}.h5"
    check_suffix(out, HDF5_SUFFIXES)
    yield from build_views(recipe, out, options.build)


def settled(dataset: str, options: RenderOptions) -> RenderOptions:
    """Options whose views and modality are set: by default the paper's for its own sets."""
    paper = SCAN_SETS.get(dataset)
    return replace(
        options,
        views=options.views or (paper.views if paper else VIEWS),
        modality=options.modality or (paper.modality if paper else "pairs"),
    )


@dataclass(frozen=True)
class RenderRecipe:
    """How to render a set of scans.

    Attributes:
        source: File or folder of the scans; None takes the reader's own.
        dataset: A name in :data:`fnormal.readers.SCANS`.
        scans: Which of them.
        options: How the views are drawn, :func:`settled`.
        run: Changes with every run, so that a worker that stays looks at the source again.
    """

    source: Path | None
    dataset: str
    scans: ScanOptions
    options: RenderOptions
    run: str = ""

    def plan(self) -> DatasetPlan:
        """Look at the scans."""
        reader, options = self._reader(), self.options
        assert options.views is not None
        assert options.modality is not None
        layout = self.scans.layout
        config: dict[str, Any] = {
            "command": "render-dataset", "dataset": self.dataset, "scans": len(reader.names),
            "axes": self.scans.axes, "names": fingerprint(reader.names, ()),
            "layout": "" if layout is None else read_text(layout, LAYOUT), **asdict(options),
        }  # fmt: skip
        for name in ("environments", "hair"):
            config[name] = None if config[name] is None else str(config[name])
        licence = reader.licence if options.hair is None else f"{reader.licence}; hair: {HAIR_LICENCE}"
        return DatasetPlan(
            reader.names, reader.files, "scans", options.views, options.modality, options.size_px,
            licence, config, unlit=options.keep_albedo and options.modality == "pairs",
        )  # fmt: skip

    def _reader(self) -> Reader[Scan]:
        return _open(self.run, self.source, self.dataset, self.scans, self.options.seed)

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], list[Sample]]]:
        """Hold a renderer, and yield what renders all views of a scan."""
        reader, folder = self._reader(), self.options.environments
        maps = () if folder is None else _maps(self.run, folder)
        hair = None if self.options.hair is None else _hairdresser(self.run, self.options.hair)
        with open_renderer(self.options.backend) as renderer:
            yield partial(_render_scan, renderer, reader, maps, hair, self.options)


@lru_cache(maxsize=1)
def _open(run: str, source: Path | None, dataset: str, scans: ScanOptions, seed: int) -> Reader[Scan]:
    """Opened once a run and process: a worker makes many shards."""
    del run
    reader: Reader[Scan] = open_reader(SCANS, dataset, source, {**asdict(scans), "seed": seed})
    return reader


@lru_cache(maxsize=1)
def _maps(run: str, folder: Path) -> tuple[EnvironmentMap, ...]:
    del run
    return tuple(read_environments(folder))


@lru_cache(maxsize=1)
def _hairdresser(run: str, folder: Path) -> Hairdresser:
    del run
    return Hairdresser(folder)


def _render_scan(
    renderer: Renderer, reader: Reader[Scan], maps: tuple[EnvironmentMap, ...], hair: Hairdresser | None,
    options: RenderOptions, index: int,
) -> list[Sample]:  # fmt: skip
    scan = reader.load(index)
    if hair is not None:
        scan = hair.dress(scan, (options.seed, index))
    return render_views(renderer, scan, maps, index, options)


def build_views(recipe: RenderRecipe, out: Path, build_options: BuildOptions) -> Iterator[Progress]:
    """Make the data set of ``recipe``."""
    options = replace(
        recipe.options,
        backend=resolve_backend(recipe.options.backend),  # once: every worker draws with the same
        environments=_absolute(recipe.options.environments),
        hair=_absolute(recipe.options.hair),
    )
    scans = replace(recipe.scans, layout=_absolute(recipe.scans.layout))
    recipe = replace(recipe, source=_absolute(recipe.source), scans=scans, options=options, run=uuid4().hex)
    if options.environments is not None:
        _maps(recipe.run, options.environments)
    if options.hair is not None:
        _hairdresser(recipe.run, options.hair)
    yield from build(recipe, out, build_options)


def _absolute(path: Path | None) -> Path | None:
    """A path that means the same to a worker that was started in another folder."""
    return None if path is None else path.absolute()


def count_samples(recipe: RenderRecipe) -> dict[str, str | int]:
    """How many samples a recipe gives, without rendering one."""
    plan = recipe.plan()
    return {
        "dataset": recipe.dataset, "modality": plan.modality, "scans": len(plan.names),
        "views": plan.samples_per_item, "samples": len(plan.names) * plan.samples_per_item,
    }  # fmt: skip
