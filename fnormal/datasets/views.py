"""Scan -> rendered views of it as samples (section 4.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fnormal.arrays import F32, U8
from fnormal.config import MAX_LIGHTS
from fnormal.datasets.hairy import lit_with_hair, under_hair
from fnormal.datasets.sample import VIEW_DTYPE, NormalsSample, Pair, Sample
from fnormal.errors import FNormalError
from fnormal.faces.masks import hull_mask
from fnormal.options.data import RenderOptions
from fnormal.render.camera import Camera, frame_face, random_rotation
from fnormal.render.drawing import Render, Renderer
from fnormal.render.environment import EnvironmentMap
from fnormal.render.landmarks import lift_landmarks
from fnormal.render.lighting import Lighting, random_backdrop, sample_lighting
from fnormal.scans.scan import Scan

_SHIFT = 0.15  # largest shift of a jittered crop, in units of its extra scale
_NEAR_SHARE = 0.8  # of the views of rich lighting that a near camera takes
_FLAT = Lighting(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32), np.ones(3, np.float32))
_NEAREST, _FARTHEST = 1.6, 10.0  # sides of the crop: a selfie at arm's length, a telephoto lens


def render_views(
    renderer: Renderer, scan: Scan, maps: Sequence[EnvironmentMap], index: int, options: RenderOptions
) -> list[Sample]:
    """All views of a scan; view v depends on ``(options.seed, index, v)`` alone.

    Args:
        renderer: Draws it.
        scan: Upright.
        maps: Surroundings for rich lighting; none are made up.
        index: Number of the scan in its set.
        options: Modality and number of views are set.

    Raises:
        FNormalError: No face on the scan, or a view that shows nothing.
    """
    points = scan.landmarks
    if points is None:
        points = lift_landmarks(renderer, scan.mesh, scan.name)
    else:
        renderer.load(scan.mesh)
    assert options.views is not None, "the recipe has settled it"
    return [_render_view(renderer, scan, points, maps, (index, v), options) for v in range(options.views)]


def _render_view(
    renderer: Renderer, scan: Scan, points: F32, maps: Sequence[EnvironmentMap],
    place: tuple[int, int], options: RenderOptions,
) -> Sample:  # fmt: skip
    seed = (options.seed, *place)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    rotation = random_rotation(rng, options.max_angle_deg)
    lighting = sample_lighting(options.lighting, rng, tuple(maps))
    distance = _sample_distance(rng) if options.lighting == "rich" else math.inf
    camera = frame_face(points, rotation, options.size_px, distance=distance)
    camera = _jittered(camera, options.crop_jitter, rng)
    drawn = renderer.render(camera, lighting)
    landmarks = camera.project(points)[:, :2]
    mask = drawn.mask
    hair = scan.strands
    if hair is not None or (options.keep_albedo and options.modality == "pairs"):
        albedo, depth = _unlit(renderer, camera, drawn)
    if hair is not None:
        albedo, depth, mask = under_hair(hair, camera, drawn, albedo, depth)
        lighting = replace(lighting, shadow=1.0)  # as it is lit with its hair
    skin = mask
    if options.mask == "hull":
        mask = mask & hull_mask(landmarks, options.size_px, options.size_px)
    if not mask.any():
        raise FNormalError(f"{scan.name}: view {place[1]} shows nothing; is the mesh a face?")
    normals = drawn.normals * mask[..., None]
    facts: dict[str, Any] = {"landmarks": landmarks, "view": _record(rotation, lighting, distance, seed)}
    if options.modality == "normals":
        return NormalsSample(mask, scan.subject, scan.name, normals, **facts)
    rich = options.lighting == "rich"
    backdrop = random_backdrop(rng, options.size_px) if rich else np.zeros_like(drawn.image)
    if hair is None:
        image = drawn.over(backdrop)
    else:
        image = lit_with_hair(lighting, albedo, depth, skin, drawn.normals, backdrop)
    if options.keep_albedo:
        facts |= {"albedo": albedo, "depth": depth}
    return Pair(mask, scan.subject, scan.name, image, normals, **facts)


def _unlit(renderer: Renderer, camera: Camera, drawn: Render) -> tuple[U8, F32]:
    """Albedo of a view, which goes on for a few pixels beyond the outline, and its depth in pixels."""
    import cv2

    flat = renderer.render(camera, _FLAT)
    cover = np.maximum(flat.alpha[..., None].astype(np.float32) / 255, 1e-3)
    albedo = np.rint(np.clip(flat.image / cover, 0, 255)).astype(np.uint8)
    beyond = np.where(flat.alpha[..., None] > 40, albedo, 0)
    for _ in range(4):
        wider = cv2.dilate(beyond, np.ones((3, 3), np.uint8))
        beyond = np.where(beyond.any(axis=-1, keepdims=True), beyond, wider)
    depth = (drawn.z - drawn.z[drawn.mask].mean()) * drawn.mask * camera.px_per_unit
    return beyond, np.asarray(depth, np.float32)


def _sample_distance(rng: np.random.Generator) -> float:
    """Distance of the eye in sides of the crop; infinite is orthographic."""
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
    rotation: F32, lighting: Lighting, distance: float, seed: tuple[int, ...]
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
