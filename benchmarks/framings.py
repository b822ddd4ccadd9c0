"""Errors of a network on rendered pairs as the frame around the face and the transfer of the picture change.

    python -m benchmarks.framings WEIGHTS [WEIGHTS ...] --data val_hard.h5 [--data lps.h5] [--by light]

Frames are cut out of the stored crop, so that the truth stays the same: the paper's crop; a tight one from
brows to chin; the tight one grey and in linear pixels; a black border around the picture; a shift; a turn;
the face alone, cut out on black and on white.
`--by` splits the first by light, yaw, mouth or skin tone; it may be given more than once. The last columns
tell what is left of the error when the least sure 10, 20 and 30 % of the pixels are dropped, beside the best
possible.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from fnormal.arrays import F32, Array, Bools
from fnormal.datasets.hdf5 import open_pairs
from fnormal.datasets.sample import Pair
from fnormal.faces.detect import eyes_of
from fnormal.geometry.images import resize_image, srgb_to_linear
from fnormal.geometry.normals import angular_error_deg
from fnormal.geometry.showing import shown
from fnormal.network.checkpoint import load_weights
from fnormal.network.inference import ready_to_run
from fnormal.network.torch_runner import mirrored_mean
from fnormal.training.augment import rotate_in_plane

View = tuple[Any, Any, Any]  # picture in 0..1, normals, mask
DROPPED = (0.1, 0.2, 0.3)


def paper(sample: Pair) -> View:
    return sample.image.astype(np.float32) / 255, sample.normals.astype(np.float32), sample.mask


def tight(sample: Pair) -> View:
    """From brows to chin, as crops of photometric-stereo sets are."""
    assert sample.landmarks is not None
    low, high = sample.landmarks.min(axis=0), sample.landmarks.max(axis=0)
    low[1] = sample.landmarks[17:27, 1].min()
    side = int(0.95 * max(high - low))
    whole = sample.mask.shape[0]
    x, y = (max(0, min(int(c - side / 2), whole - side)) for c in (low + high) / 2)
    image, normals, mask = paper(sample)
    rows, columns = slice(y, y + side), slice(x, x + side)
    return image[rows, columns], normals[rows, columns], mask[rows, columns]


def tight_linear(sample: Pair) -> View:
    image, normals, mask = tight(sample)
    return linear_grey(image), normals, mask


def linear_grey(image: F32) -> F32:
    """A picture [H, W, 3] as sensors see it."""
    return np.repeat(srgb_to_linear(image).mean(-1, keepdims=True), 3, -1)


def bordered(sample: Pair) -> View:
    return in_black(paper(sample), sample.mask.shape[0] * 48 // 256)


def in_black(view: View, pad: int) -> View:
    """A view in a black frame of so many pixels."""
    image, normals, mask = view
    grow = ((pad, pad), (pad, pad))
    return np.pad(image, (*grow, (0, 0))), np.pad(normals, (*grow, (0, 0))), np.pad(mask, grow)


def shifted(sample: Pair) -> View:
    side = sample.mask.shape[0]
    move = np.array([[1, 0, 0.12 * side], [0, 1, -0.12 * side]], np.float32)
    image, normals, mask = paper(sample)
    image = cv2.warpAffine(image, move, (side, side), borderMode=cv2.BORDER_REPLICATE)
    normals = cv2.warpAffine(normals, move, (side, side), flags=cv2.INTER_NEAREST)
    return (
        image,
        normals,
        cv2.warpAffine(mask.astype(np.uint8), move, (side, side), flags=cv2.INTER_NEAREST) > 0,
    )


def turned(sample: Pair) -> View:
    image, normals, mask = rotate_in_plane(sample.image, sample.normals.astype(np.float32), sample.mask, 20.0)
    assert image is not None
    assert normals is not None
    return image.astype(np.float32) / 255, normals, mask


def alone(sample: Pair, grey: float) -> View:
    """What is in the mask, on one grey, as masked data sets have it."""
    image, normals, mask = paper(sample)
    return before(image, mask, grey), normals, mask


def before(image: Array, front: Bools, grey: float) -> Array:
    """What is in front [S, S] of a picture [S, S, 3], before one grey."""
    return np.where(front[..., None], image, np.float32(grey))


FRAMES: dict[str, Callable[[Pair], View]] = {
    "paper": paper, "tight": tight, "tight grey linear": tight_linear, "black border": bordered,
    "shift 12 %": shifted, "turn 20": turned, "alone on black": partial(alone, grey=0.0),
    "alone on white": partial(alone, grey=1.0),
}  # fmt: skip


def light_angle(sample: Pair) -> str:
    assert sample.view is not None
    toward = sample.view["light_direction"][0]
    return f"light {int(np.degrees(np.arccos(np.clip(toward[2], -1, 1))) // 25) * 25:d}+"


def yaw(sample: Pair) -> str:
    assert sample.view is not None
    turn = sample.view["rotation"]
    return f"yaw {int(abs(np.degrees(np.arctan2(turn[0, 2], turn[2, 2]))) // 15) * 15:d}+"


def mouth(sample: Pair) -> str:
    """The expression, as far as 68 points tell it: how far the mouth is open, in distances of the eyes."""
    assert sample.landmarks is not None
    points = sample.landmarks
    right, left = eyes_of(points)
    gap = np.linalg.norm(points[[61, 62, 63]] - points[[67, 66, 65]], axis=1).mean()
    share = gap / np.linalg.norm(left - right)
    return "mouth closed" if share < 0.06 else "mouth open" if share < 0.25 else "mouth wide open"


def tone(sample: Pair) -> str:
    """The skin: CIE lightness of the albedo's median, of sets with --keep-albedo."""
    if sample.albedo is None:
        return "tone unknown"
    inside = np.median(sample.albedo[sample.mask], axis=0).astype(np.uint8)
    light = float(cv2.cvtColor(inside[None, None], cv2.COLOR_RGB2Lab)[0, 0, 0]) * 100 / 255
    return f"tone L {int(light // 20) * 20}+"


GROUPS: dict[str, Callable[[Pair], str]] = {
    "light": light_angle, "yaw": yaw, "mouth": mouth, "tone": tone,
}  # fmt: skip


class Network:
    """What is measured: the mean of picture and mirror image, as predict has it."""

    def __init__(self, weights: str) -> None:
        model, info = load_weights(weights)
        self.model, self.size_px, self.sure = ready_to_run(model), info.size_px, info.sure

    def __call__(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Errors and confidences of the pixels in the mask."""
        image, normals, mask = view
        face = resize_image(mask.astype(np.uint8), self.size_px) > 0
        x = torch.from_numpy(shown(resize_image(image, self.size_px), face)).permute(2, 0, 1)[None]
        with torch.inference_mode():
            mean = mirrored_mean(self.model, x, raw=self.sure)[0].permute(1, 2, 0).numpy()
        pred = resize_image(mean, mask.shape[0], cubic=True)
        return angular_error_deg(pred, normals)[mask], np.linalg.norm(pred, axis=-1)[mask]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", nargs="+")
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--by", choices=GROUPS, action="append", default=[])
    options = parser.parse_args()
    torch.set_num_threads(1)
    for path in options.data:
        data = open_pairs(path)
        for weights in options.weights:
            network, frames = Network(weights), defaultdict(list)
            groups, left = defaultdict(list), defaultdict(list)
            for i in range(len(data)):
                sample = data.sample(i, unlit=data.unlit)
                for name, cut in FRAMES.items():
                    errors, sure = network(cut(sample))
                    frames[name].append(errors.mean())
                    if name == "paper":
                        for group in options.by:
                            groups[GROUPS[group](sample)].append(errors.mean())
                        ranked, best = errors[np.argsort(-sure)], np.sort(errors)
                        for share in DROPPED:
                            kept = int(len(ranked) * (1 - share))
                            left[f"-{share:.0%}"].append(ranked[:kept].mean())
                            left[f"-{share:.0%} oracle"].append(best[:kept].mean())
            counted = {f"{name} ({len(groups[name])})": groups[name] for name in sorted(groups)}
            parts = {**frames, **counted, **left}
            cells = "\t".join(f"{name} {np.mean(values):.2f}" for name, values in parts.items())
            print(f"{path.name}\t{Path(weights).stem}\t{cells}", flush=True)


if __name__ == "__main__":
    main()
