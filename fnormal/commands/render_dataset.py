"""render-dataset: scans -> turned, relit views -> HDF5 (section 4.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from fnormal.arrays import F32
from fnormal.config import MAX_LIGHTS, SCAN_SETS, VIEWS
from fnormal.datasets.build import Head, fingerprint, produce
from fnormal.datasets.hdf5 import VIEW_DTYPE, Sample
from fnormal.errors import FNormalError
from fnormal.faces.masks import hull_mask
from fnormal.options import ProduceOptions, RenderedModality, RenderOptions
from fnormal.progress import Progress
from fnormal.render.backends import open_renderer, resolve_backend
from fnormal.render.camera import Camera, frame_face, random_rotation
from fnormal.render.drawing import Renderer
from fnormal.render.environment import EnvironmentMap, read_environments
from fnormal.render.landmarks import lift_landmarks
from fnormal.render.lighting import Lighting, random_backdrop, sample_lighting
from fnormal.scans import open_scans
from fnormal.scans.scan import Scan, ScanReader

_SHIFT = 0.15  # largest shift of a jittered crop, in units of its extra scale
_NEAR_SHARE = 0.8  # of the views of rich lighting that a near camera takes
_NEAREST, _FARTHEST = 1.6, 10.0  # sides of the crop: a selfie at arm's length, a telephoto lens


def default_views(dataset: str) -> int:
    """Views of a scan: the paper's for its own sets, ``config.VIEWS`` for others."""
    return SCAN_SETS[dataset].views if dataset in SCAN_SETS else VIEWS


def default_modality(dataset: str) -> RenderedModality:
    """The paper's for its own sets, ``pairs`` for others."""
    return SCAN_SETS[dataset].modality if dataset in SCAN_SETS else RenderOptions.modality


@dataclass(frozen=True)
class RenderRecipe:
    """How to render a set of scans.

    Attributes:
        source: File or folder of the scans; None takes the reader's own.
        dataset: One of ``scans.READERS``.
        scans: How many heads to sample, or at most so many files.
        layout: TOML file that says what the scans do not.
        axes: Of the scans, see :func:`fnormal.scans.open_scans`.
        options: How the views are drawn.
        run: Changes with every run, so that a worker that stays looks at the source again.
    """

    source: Path | None
    dataset: str
    scans: int | None
    layout: Path | None
    axes: str | None
    options: RenderOptions
    run: str = ""

    def head(self) -> Head:
        """Look at the scans."""
        reader = self._reader()
        options = asdict(self.options)
        options["environments"] = (
            None if self.options.environments is None else str(self.options.environments)
        )
        config = {
            "command": "render-dataset", "dataset": self.dataset, "scans": len(reader.names),
            "axes": self.axes, "names": fingerprint(reader.names, ()), "layout": _text_of(self.layout),
            **options,
        }  # fmt: skip
        return Head(
            reader.names, reader.files, "scans", self.options.views, self.options.modality,
            self.options.size_px, reader.licence, config,
        )  # fmt: skip

    def _reader(self) -> ScanReader:
        seed = self.options.seed
        return _open(self.run, self.source, self.dataset, self.scans, seed, self.layout, self.axes)

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], list[Sample]]]:
        """Hold a renderer, and yield what renders all views of a scan."""
        reader = self._reader()
        maps = () if self.options.environments is None else _maps(self.run, self.options.environments)
        with open_renderer(self.options.backend) as renderer:
            yield partial(_render_scan, renderer, reader, maps, self.options)


@lru_cache(maxsize=1)
def _open(
    run: str, source: Path | None, dataset: str, scans: int | None, seed: int, layout: Path | None,
    axes: str | None,
) -> ScanReader:  # fmt: skip
    """Opened once a run and process: a worker makes many shards."""
    del run
    return open_scans(source, dataset, scans=scans, seed=seed, layout=layout, axes=axes)


def _text_of(layout: Path | None) -> str:
    return "" if layout is None else layout.read_text()


@lru_cache(maxsize=1)
def _maps(run: str, folder: Path) -> tuple[EnvironmentMap, ...]:
    del run
    return tuple(read_environments(folder))


def render_dataset(recipe: RenderRecipe, out: Path, how: ProduceOptions) -> Iterator[Progress]:
    """Render every scan into ``out``; a scan that cannot be read fails alone.

    Raises:
        FNormalError: The source, the output, the panoramas or the asked for back end are not there.
    """
    options = replace(
        recipe.options,
        backend=resolve_backend(recipe.options.backend),  # once: every worker draws with the same
        environments=_absolute(recipe.options.environments),
    )
    recipe = replace(
        recipe, source=_absolute(recipe.source), layout=_absolute(recipe.layout), options=options,
        run=uuid4().hex,
    )  # fmt: skip
    if options.environments is not None:
        _maps(recipe.run, options.environments)
    yield from produce(recipe, out, how)


def _absolute(path: Path | None) -> Path | None:
    """A path that means the same to a worker that was started in another folder."""
    return None if path is None else path.absolute()


def count_samples(recipe: RenderRecipe) -> dict[str, str | int]:
    """How many samples a recipe gives, without rendering one."""
    scans, views = len(recipe.head().names), recipe.options.views
    modality = recipe.options.modality
    return {
        "dataset": recipe.dataset, "modality": modality, "scans": scans, "views": views,
        "samples": scans * views,
    }  # fmt: skip


def _render_scan(
    renderer: Renderer,
    reader: ScanReader,
    maps: tuple[EnvironmentMap, ...],
    options: RenderOptions,
    index: int,
) -> list[Sample]:
    """All views of one scan."""
    scan = reader.load(index)
    points = scan.landmarks
    if points is None:
        points = lift_landmarks(renderer, scan.mesh, scan.name)
    else:
        renderer.load(scan.mesh)
    return [_render_view(renderer, scan, points, maps, index, v, options) for v in range(options.views)]


def _render_view(
    renderer: Renderer, scan: Scan, points: F32, maps: tuple[EnvironmentMap, ...],
    index: int, view: int, options: RenderOptions,
) -> Sample:  # fmt: skip
    rng = np.random.default_rng(np.random.SeedSequence([options.seed, index, view]))
    rotation = random_rotation(rng, options.max_angle_deg)
    lighting = sample_lighting(options.lighting, rng, maps)
    distance = _sample_distance(rng) if options.lighting == "rich" else math.inf
    camera = frame_face(points, rotation, options.size_px, distance=distance)
    camera = _jittered(camera, options.crop_jitter, rng)
    drawn = renderer.render(camera, lighting)
    landmarks = camera.project(points)[:, :2]
    mask = drawn.mask
    if options.mask == "hull":
        mask = mask & hull_mask(landmarks, options.size_px, options.size_px)
    if not mask.any():
        raise FNormalError(f"{scan.name}: view {view} shows nothing; is the mesh a face?")
    image = None
    if options.modality == "pairs":
        image = drawn.image
        if options.lighting == "rich":
            image = drawn.over(random_backdrop(rng, options.size_px))
    return Sample(
        mask, scan.subject, scan.name, image, drawn.normals * mask[..., None], landmarks,
        _record(rotation, lighting, distance, (options.seed, index, view)),
    )  # fmt: skip


def _sample_distance(rng: np.random.Generator) -> float:
    """Of the eye, in sides of the crop; infinite is orthographic."""
    near = math.exp(rng.uniform(math.log(_NEAREST), math.log(_FARTHEST)))
    return near if rng.uniform() < _NEAR_SHARE else math.inf


def _jittered(camera: Camera, jitter: float, rng: np.random.Generator) -> Camera:
    if jitter == 0:
        return camera
    scale = 1 + rng.uniform(0, jitter)
    reach = _SHIFT * jitter * camera.half_width
    x, y = np.array(camera.center) + rng.uniform(-reach, reach, 2)
    return replace(camera, center=(float(x), float(y)), half_width=camera.half_width * scale)


def _record(
    rotation: F32, lighting: Lighting, distance: float, seed: tuple[int, int, int]
) -> npt.NDArray[np.void]:
    record = np.zeros((), VIEW_DTYPE)
    count = len(lighting.directions)
    assert count <= MAX_LIGHTS, "the lightings draw no more"
    record["rotation"], record["seed"], record["distance"] = rotation, seed, distance
    record["light_direction"][:count] = lighting.directions
    record["light_intensity"][:count] = lighting.intensities
    for name in ("ambient", "environment", "gain", "specular", "roughness", "shadow"):
        record[name] = getattr(lighting, name)
    return record
