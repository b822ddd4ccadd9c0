"""Views of heads with hair: what hides the skin leaves the mask, and is lit and casts shadows with it."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F32, U8, Bools
from fnormal.render.camera import Camera
from fnormal.render.drawing import Render
from fnormal.render.lighting import Lighting
from fnormal.render.relight import Lamps, over_backdrop, relit, to_codes, whole_scene
from fnormal.render.strands import draw_strands
from fnormal.scans.scan import Strands

_RADIUS_RAD = 0.03  # half the angle that a light of a rendered view fills
_NOTHING_PX = 1e-3  # depth of what covers and happens to lie at the mean: 0 means that nothing is there


def under_hair(
    strands: Strands, camera: Camera, drawn: Render, albedo: U8, depth_px: F32
) -> tuple[U8, F32, Bools]:
    """Albedo and depth of a view with its hair, and the mask of the skin that is left.

    Args:
        strands: In the frame of the mesh.
        camera: The one of the view.
        drawn: The head without hair.
        albedo: Of the head, sRGB. [H, W, 3]
        depth_px: Of the head: camera z in pixels, 0 at its mean. [H, W]
    """
    hair = draw_strands(strands, camera, drawn.mask, drawn.z)
    # behind strands that stand off the head there is nothing to blend with
    share = np.where(drawn.mask, hair.share, hair.share > 0)[..., None]
    albedo = np.rint((1 - share) * albedo + share * hair.rgb).astype(np.uint8)
    level = drawn.z[drawn.mask].mean()
    nearer = (np.where(hair.hides, hair.z, level) - level) * camera.px_per_unit
    nearer = np.where(np.abs(nearer) < _NOTHING_PX, _NOTHING_PX, nearer)
    depth_px = np.where(hair.hides, nearer, depth_px).astype(np.float32)
    return albedo, depth_px, drawn.mask & ~hair.hides


def lit_with_hair(
    lighting: Lighting, albedo: U8, depth_px: F32, skin: Bools, normals: F32, backdrop: U8
) -> U8:
    """The picture of a view with hair, in its light; every light casts shadows. [H, W, 3]

    Args:
        lighting: Of the view.
        albedo: Of :func:`under_hair`. [H, W, 3]
        depth_px: Of the same. [H, W]
        skin: Of the same. [H, W]
        normals: Of the head. [H, W, 3]
        backdrop: What is behind. [H, W, 3]
    """
    at = np.concatenate([lighting.directions, np.zeros((len(lighting.directions), 1))], axis=1)
    lamps = Lamps(
        at.astype(np.float32), lighting.intensities, np.full(len(at), _RADIUS_RAD, np.float32),
        lighting.environment, lighting.ambient, lighting.specular, lighting.roughness,
    )  # fmt: skip
    shaded, scene = whole_scene(normals * skin[..., None], depth_px, skin)
    light = relit(albedo, shaded, depth_px, scene, lamps)
    return over_backdrop(to_codes(light * lighting.gain), scene, backdrop)
