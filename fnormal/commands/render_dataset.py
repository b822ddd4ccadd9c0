"""render-dataset: scans -> turned, relit views -> HDF5 (section 4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fnormal.config import MAX_LIGHTS, SCAN_SETS, VIEWS
from fnormal.dataset import VIEW_DTYPE, DatasetWriter, Sample
from fnormal.errors import FNormalError
from fnormal.faces.masks import hull_mask
from fnormal.options import RenderOptions
from fnormal.progress import Progress
from fnormal.render.camera import Camera, frame_face, random_rotation
from fnormal.render.gl import Renderer
from fnormal.render.landmarks import lift_landmarks
from fnormal.render.lighting import LIGHTINGS, Lighting, random_backdrop
from fnormal.scans import open_scans
from fnormal.scans.scan import Scan

F32 = npt.NDArray[np.float32]
_SHIFT = 0.15  # largest shift of a jittered crop, in units of its extra scale


def default_views(dataset: str) -> int:
    """Views of a scan: the paper's for its own sets, ``config.VIEWS`` for others."""
    return SCAN_SETS[dataset].views if dataset in SCAN_SETS else VIEWS


def render_dataset(
    source: Path | None,
    dataset: str,
    out: Path,
    options: RenderOptions,
    *,
    scans: int | None = None,
    layout: Path | None = None,
    resume: bool = False,
) -> Iterator[Progress]:
    """Render every scan of ``source`` into ``out``; a scan that cannot be read fails alone.

    Raises:
        FNormalError: The source, the output or OpenGL is not there.
    """
    if resume and out.exists():
        yield Progress(1, 1, "files", "already complete", written=(out,))
        return
    reader = open_scans(source, dataset, scans=scans, seed=options.seed, layout=layout)
    config = {"command": "render-dataset", "dataset": dataset, "scans": len(reader.names), **asdict(options)}
    with Renderer() as renderer:
        writer = DatasetWriter(
            out, options.modality, options.size_px,
            config=config, licence=reader.licence, resume=resume,
        )  # fmt: skip
        try:
            total = len(reader.names)
            finished = writer.last_scan() + 1
            for index in range(finished, total):
                failed = ""
                try:
                    writer.append(render_scan(renderer, reader.load(index), index, options))
                except FNormalError as error:
                    failed = str(error)
                yield Progress(index + 1, total, "scans", reader.names[index], failed)
            writer.finish()
        finally:
            writer.close()
    yield Progress(total, total, "scans", written=(out,))


def render_scan(renderer: Renderer, scan: Scan, index: int, options: RenderOptions) -> list[Sample]:
    """All views of one scan."""
    points = scan.landmarks
    if points is None:
        points = lift_landmarks(renderer, scan.mesh, scan.name)
    else:
        renderer.load(scan.mesh)
    return [_render_view(renderer, scan, points, index, v, options) for v in range(options.views)]


def _render_view(
    renderer: Renderer, scan: Scan, points: F32, index: int, view: int, options: RenderOptions
) -> Sample:
    rng = np.random.default_rng(np.random.SeedSequence([options.seed, index, view]))
    rotation = random_rotation(rng, options.max_angle_deg)
    lighting = LIGHTINGS[options.lighting](rng)
    camera = _jittered(frame_face(points, rotation, options.size_px), options.crop_jitter, rng)
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
        _record(rotation, lighting, (options.seed, index, view)),
    )  # fmt: skip


def _jittered(camera: Camera, jitter: float, rng: np.random.Generator) -> Camera:
    if jitter == 0:
        return camera
    scale = 1 + rng.uniform(0, jitter)
    reach = _SHIFT * jitter * camera.half_width
    x, y = np.array(camera.center) + rng.uniform(-reach, reach, 2)
    return Camera(
        camera.rotation, (float(x), float(y)), camera.half_width * scale,
        camera.width_px, camera.height_px,
    )  # fmt: skip


def _record(rotation: F32, lighting: Lighting, seed: tuple[int, int, int]) -> npt.NDArray[np.void]:
    record = np.zeros((), VIEW_DTYPE)
    count = len(lighting.directions)
    assert count <= MAX_LIGHTS, "the lightings draw no more"
    record["rotation"], record["ambient"], record["seed"] = rotation, lighting.ambient, seed
    record["light_direction"][:count] = lighting.directions
    record["light_intensity"][:count] = lighting.intensities
    return record
