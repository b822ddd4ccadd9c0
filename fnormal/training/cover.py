"""What covers a face: glasses, a fringe, things before it, drawn onto a sample; or all but it is gone.

The rule of fnormal's training sets: what is thin and lies on the skin (brows, stubble, the frame of glasses,
clear lenses) keeps the skin's normal; what is thick and hides it (dark lenses, hair in strands, hands,
microphones) is outside the mask.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fnormal.arrays import F32, U8, Array, Bools
from fnormal.datasets.sample import Pair
from fnormal.faces.detect import eyes_of
from fnormal.faces.masks import hull_mask

_GLASSES, _FRINGE, _THING = 0.16, 0.12, 0.12  # shares of the samples
_DARK_LENS = 0.25  # of the glasses
_CUT_OUT_SHARE = 0.1  # of the samples: the face alone on one colour, as masked data sets have it
_BLACK, _WHITE = 0.6, 0.2  # shares of these; the others are grey
_TEMPLES = (0, 16)
_BROWS = slice(17, 27)


def cover(pair: Pair, rng: np.random.Generator) -> Pair:
    """The pair with some of its face covered; its landmarks are known."""
    assert pair.landmarks is not None, "the caller looked"
    image, mask = pair.image, pair.mask
    if rng.random() < _GLASSES:
        image, mask = draw_glasses(image, mask, pair.landmarks, rng)
    if rng.random() < _FRINGE:
        image, mask = draw_fringe(image, mask, pair.landmarks, rng)
    if rng.random() < _THING:
        image, mask = draw_thing(image, mask, pair.landmarks, rng)
    image, mask = some_cut_out(image, mask, pair.landmarks, rng)
    if mask is pair.mask and image is pair.image:
        return pair
    normals = pair.normals * mask[..., None]
    return replace(pair, image=image, mask=mask, normals=normals)


def some_cut_out(image: U8, mask: Bools, points: F32, rng: np.random.Generator) -> tuple[U8, Bools]:
    """A share of the faces :func:`cut_out`, the others as they are."""
    return cut_out(image, mask, points, rng) if rng.random() < _CUT_OUT_SHARE else (image, mask)


def cut_out(image: U8, mask: Bools, points: F32, rng: np.random.Generator) -> tuple[U8, Bools]:
    """The face alone, along about the hull of its points, some with the forehead, on one colour."""
    low, high = points.min(axis=0), points.max(axis=0)
    raised = points.copy()
    raised[_BROWS, 1] -= rng.uniform(0, 0.35) * float((high - low).max())
    outline = (low + high) / 2 + rng.uniform(0.97, 1.15) * (raised - (low + high) / 2)
    inside = hull_mask(outline, *mask.shape)
    if rng.random() < 0.5:
        inside &= mask  # without hair and what is seen beside the cheeks
    kind = rng.random()
    grey = 0 if kind < _BLACK else 255 if kind < _BLACK + _WHITE else int(rng.integers(256))
    return np.where(inside[..., None], image, np.uint8(grey)), mask & inside


def _light_of(image: U8, mask: Bools) -> float:
    """About how bright the scene is, 0..1."""
    inside = image[mask][::29]
    return float(np.clip(inside.mean() / 150, 0.15, 1.3)) if inside.size else 0.6


def _color(rng: np.random.Generator, light: float, top: int = 230) -> Array:
    color = rng.uniform(5, top, 3) * rng.random() + rng.uniform(0, 40)
    return np.clip(color * light, 0, 255)


def _blend(image: U8, share: Array, color: Array) -> U8:
    """A colour over a picture where ``share`` [S, S] says how much."""
    mixed = image + share[..., None] * (color - image)
    return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)


def draw_glasses(image: U8, mask: Bools, points: F32, rng: np.random.Generator) -> tuple[U8, Bools]:
    """A frame before both eyes with its shadow, with clear, shining or dark lenses."""
    import cv2

    centres = eyes_of(points)
    along = centres[1] - centres[0]
    distance = float(np.linalg.norm(along))
    if distance < 8:  # a profile: the glasses would lie edge on
        return image, mask
    angle = float(np.degrees(np.arctan2(along[1], along[0])))
    axes = (distance * rng.uniform(0.30, 0.46), distance * rng.uniform(0.22, 0.38))
    thick = max(1, round(distance * rng.uniform(0.015, 0.07)))
    power = rng.uniform(2, 5)  # from ellipses to rounded rectangles
    turn = np.linspace(0, 2 * np.pi, 40)
    cosine, sine = np.cos(turn), np.sin(turn)
    ring = np.stack([np.sign(cosine) * np.abs(cosine) ** (2 / power) * axes[0],
                     np.sign(sine) * np.abs(sine) ** (2 / power) * axes[1]], axis=1)  # fmt: skip
    radians = np.radians(angle)
    ring = ring @ np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    frame, lens = np.zeros(mask.shape, np.uint8), np.zeros(mask.shape, np.uint8)
    rings = [np.rint(ring + centre).astype(np.int32) for centre in centres]
    for outline, temple in zip(rings, _TEMPLES, strict=True):
        cv2.fillPoly(lens, [outline], 255)
        cv2.polylines(frame, [outline], True, 255, thick, cv2.LINE_AA)
        outer = outline[np.argmin(np.linalg.norm(outline - points[temple], axis=1))]
        cv2.line(frame, outer.tolist(), np.rint(points[temple]).astype(int).tolist(), 255, thick, cv2.LINE_AA)
    inner = [rings[0][np.argmax(rings[0] @ along)], rings[1][np.argmin(rings[1] @ along)]]
    cv2.line(frame, inner[0].tolist(), inner[1].tolist(), 255, thick, cv2.LINE_AA)
    light = _light_of(image, mask)
    shift = np.array([[1, 0, rng.uniform(-0.06, 0.06) * distance], [0, 1, rng.uniform(0, 0.1) * distance]])
    shadow = cv2.GaussianBlur(
        cv2.warpAffine(frame, shift, mask.shape[::-1]), (0, 0), max(0.6, 0.03 * distance)
    )
    image = _blend(image, shadow.astype(np.float32) / 255 * np.float32(rng.uniform(0, 0.6)), np.zeros(3))
    inside = np.asarray(lens / 255, np.float32)
    if rng.random() < _DARK_LENS:
        image = _tinted(image, inside, rng, light)
        mask = mask & (lens == 0)
    gleam = cv2.GaussianBlur(rng.random((6, 6)).astype(np.float32), (0, 0), 1)
    gleam = cv2.resize(gleam, mask.shape[::-1], interpolation=cv2.INTER_CUBIC)
    strength = np.float32(rng.uniform(0, 0.5)) * np.clip(gleam - 0.4, 0, 1)
    image = _blend(image, strength * inside, np.full(3, 235.0 * min(light, 1.0)))
    return _blend(image, frame.astype(np.float32) / 255, _color(rng, light)), mask


def _tinted(image: U8, lens: F32, rng: np.random.Generator, light: float) -> U8:
    """Lenses [S, S] that hide the eyes: black, brown or coloured, often lighter toward their lower edge."""
    rows = np.flatnonzero(lens.any(axis=1))
    if not len(rows):
        return image
    down = np.clip((np.arange(len(lens)) - rows[0]) / max(np.ptp(rows), 1), 0, 1)
    thin = rng.uniform(0, 0.3) if rng.random() < 0.5 else 0.0
    share = (0.97 - rng.uniform(0, 0.12) - thin * down).astype(np.float32)
    color = rng.uniform(0, 1, 3) ** 2 * 150 if rng.random() < 0.4 else rng.uniform(5, 45) * np.ones(3)
    return _blend(image, lens * share[:, None], color * light)


def draw_fringe(image: U8, mask: Bools, points: F32, rng: np.random.Generator) -> tuple[U8, Bools]:
    """Strands that hang from above, or beside the face; where they lie close the mask ends."""
    import cv2

    low, high = points.min(axis=0), points.max(axis=0)
    size = float((high - low).max())
    brow = points[_BROWS].mean(axis=0)
    color, light = _color(rng, 1.0, 150), _light_of(image, mask)
    covered, drawn = np.zeros(mask.shape, np.uint8), image.copy()
    left, right = np.sort(rng.uniform(low[0] - 0.15 * size, high[0] + 0.15 * size, 2))
    length = size * rng.uniform(0.25, 0.6)
    sway = rng.uniform(-0.4, 0.4) * size
    for _ in range(int(rng.integers(60, 260))):
        x = rng.uniform(left, right)
        start = np.array([x + rng.normal(0, 0.03) * size, brow[1] - rng.uniform(0.4, 0.7) * size])
        end = np.array([x + sway + rng.normal(0, 0.06) * size, start[1] + length * rng.uniform(0.6, 1.2)])
        bend = (start + end) / 2 + rng.normal(0, 0.04, 2) * size
        t = np.linspace(0, 1, 10)[:, None]
        curve = np.rint((1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end).astype(np.int32)
        shade = np.clip(color * light * np.exp(rng.normal(0, 0.35)), 0, 255).tolist()
        thick = max(1, round(size * 0.006))
        cv2.polylines(drawn, [curve], False, shade, thick, cv2.LINE_AA)
        cv2.polylines(covered, [curve], False, 255, thick)
    dense = cv2.GaussianBlur(covered.astype(np.float32) / 255, (0, 0), 0.012 * size) > 0.3
    return drawn, mask & ~dense


def draw_thing(image: U8, mask: Bools, points: F32, rng: np.random.Generator) -> tuple[U8, Bools]:
    """Something smooth before the face, mostly at its edge: a hand, a microphone, a scarf."""
    import cv2

    low, high = points.min(axis=0), points.max(axis=0)
    size, middle = float((high - low).max()), (low + high) / 2
    angle = rng.uniform(-0.2 * np.pi, 1.2 * np.pi)  # from below and beside rather than from above
    centre = middle + size * rng.uniform(0.35, 0.75) * np.array([np.cos(angle), np.sin(angle)])
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.ones(len(turn))
    for k in range(2, 6):
        radius += rng.normal(0, 0.12) * np.cos(k * turn + rng.uniform(0, 2 * np.pi))
    radius *= size * rng.uniform(0.12, 0.35)
    stretch = np.array([rng.uniform(0.5, 1), 1])
    outline = centre + radius[:, None] * stretch * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(filled, [np.rint(outline).astype(np.int32)], 255, cv2.LINE_AA)
    inside = cv2.distanceTransform((filled > 127).astype(np.uint8), cv2.DIST_L2, 3)
    round_ = np.clip(inside / (0.15 * size), 0, 1)[..., None] ** 0.5
    skin = image[mask].mean(axis=0) if mask.any() else np.full(3, 120.0)
    color = skin * rng.uniform(0.7, 1.2) if rng.random() < 0.4 else _color(rng, _light_of(image, mask))
    noise = cv2.resize(
        rng.random((12, 12, 3)).astype(np.float32), mask.shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    shaded = color * (0.45 + 0.55 * round_) * (0.85 + 0.3 * noise)
    shadow = cv2.GaussianBlur(filled, (0, 0), max(0.8, 0.04 * size)).astype(np.float32) / 255
    image = _blend(image, shadow * np.float32(rng.uniform(0, 0.5)), np.zeros(3))
    return _blend(image, filled.astype(np.float32) / 255, shaded), mask & (filled < 127)
