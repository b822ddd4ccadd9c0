"""Photo -> normals of every face, in the photo's own pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fnormal.arrays import F32, U8, Array, Bools
from fnormal.config import CROP_SCALE
from fnormal.errors import FNormalError
from fnormal.faces.crop import Crop
from fnormal.faces.detect import FaceBox
from fnormal.faces.given import face_in_box, faces_of
from fnormal.faces.hairline import to_the_hairline
from fnormal.faces.ladder import find_all_faces
from fnormal.faces.masks import Outline, seen_mask
from fnormal.geometry.images import as_bytes
from fnormal.geometry.normals import length_of, unit
from fnormal.geometry.plain_border import without_bars
from fnormal.network.serving import Served, open_runner
from fnormal.prediction.face_normals import FaceNormals, confidence_of
from fnormal.prediction.frames import Frame, carried_back, seen
from fnormal.prediction.framing import face_frame, whole_frame
from fnormal.prediction.inputs import check_range, inside
from fnormal.prediction.merging import chosen, may_be_inside, merged

if TYPE_CHECKING:  # torch takes a second to import
    from fnormal.network.model import CrossModalNet

BATCH = 8  # crops that go through the network together


class Predictor:
    """A network with everything around it: detection, crop, range check, un-crop.

    Args:
        weights: A weights file, an ``.onnx`` of :mod:`fnormal.network.exported`, a network, or None for the
            weights that come with fnormal.
        device: Where the network runs.
        landmark_model: dlib's 68-point model, by default searched for.
        size_px: Side of the network's input; by default what the weights were trained on.
        threads: CPU threads; None leaves the runtime's own number.
        mirror: Average with the prediction for the mirror image: 0.3 degrees better, twice the work.
        at_once: How many threads will call :meth:`run` at the same time; they share ``threads`` out.
        fast: Calculate with 8-bit integers where the weights are those that come with fnormal and the CPU
            has instructions for it: less than half the time, answers 0.01 degrees worse in the mean. In a
            video look less often, too, see :class:`fnormal.prediction.video.VideoPredictor`.
    """

    def __init__(
        self,
        weights: Path | str | CrossModalNet | None = None,
        *,
        device: str = "cpu",
        landmark_model: Path | None = None,
        size_px: int | None = None,
        threads: int | None = None,
        mirror: bool = True,
        at_once: int = 1,
        fast: bool = False,
    ) -> None:
        each = None if threads is None else max(1, threads // at_once)
        self.runner, self.at_once = open_runner(weights, device, each, size_px, fast=fast), at_once
        self.fast, self.weights = fast, str(weights) if isinstance(weights, (str, Path)) else None
        self.has_bytes = isinstance(self.runner, Served) and self.runner.is_fast
        self.size_px = size_px or self.runner.size_px
        self.mirror = mirror
        self.on_gpu = device.startswith("cuda")
        self._landmark_model = landmark_model

    def detect(self, picture: U8, *, every: bool = False) -> list[FaceBox]:
        """Faces of an RGB picture [H, W, 3], by score and size, see :func:`find_all_faces`."""
        return find_all_faces(picture, self._landmark_model, every=every)

    def find_faces(
        self,
        picture: U8,
        name: str,
        landmarks: Path | None = None,
        *,
        every: bool = False,
        box: Sequence[float] | None = None,
    ) -> list[FaceBox]:
        """Detected faces, or those of a landmark file, or the one in a box.

        Args:
            picture: RGB. [H, W, 3]
            name: What to call it in the message.
            landmarks: File of 68 points to use instead of detection, or a folder of one for each picture.
            every: Look for all faces, not for the first.
            box: Left, top, right, bottom of the face in pixels, to use instead of detection.

        Raises:
            FNormalError: No face is found.
        """
        if landmarks is not None:
            faces = [inside(face, landmarks, picture) for face in faces_of(name, landmarks)]
        elif box is not None:
            faces = [face_in_box(picture, box, self._landmark_model)]
        else:
            faces = self.detect(picture, every=every)
        if not faces:
            raise FNormalError(
                f"no face found in {name}; give --landmarks, or --no-crop if it already is a face crop"
            )
        return faces

    def predict(
        self,
        picture: Array,
        faces: Sequence[FaceBox] | None = None,
        *,
        scale: float = CROP_SCALE,
        forehead: bool = False,
    ) -> list[FaceNormals]:
        """Normals of every face of a picture.

        Args:
            picture: RGB, uint8 or float in [0, 1]. [H, W, 3]
            faces: Where they are; None to detect them.
            scale: Side of the crop / larger side of the landmarks' box; the paper's is 1.2.
            forehead: Add the forehead up to the hairline to the mask, which in the paper ends at the brows.

        Returns:
            One result a face, in the order of ``faces``; empty where none was found.
        """
        check_range(picture)
        if faces is None:
            faces = self.detect(as_bytes(picture), every=True)
        frames = self.frames(picture, faces, scale, _outline(picture, forehead))
        means = iter(self.run([view for frame in frames for view in self.seen(picture, frame)]))
        return [self.finish(frame, means, picture.shape[:2]) for frame in frames]

    def predict_many(
        self,
        pictures: Sequence[Array],
        *,
        scale: float = CROP_SCALE,
        forehead: bool = False,
        every: bool = False,
    ) -> list[list[FaceNormals]]:
        """Normals of the faces of several pictures, whose crops go through the network together.

        Args:
            pictures: RGB, uint8 or float in [0, 1]. [H, W, 3] each, of any sizes
            scale: As in :meth:`predict`.
            forehead: As in :meth:`predict`.
            every: All faces of each picture, not the first alone.

        Returns:
            For each picture what :meth:`predict` gives: the same arrays but for rounding.
        """
        jobs: list[tuple[int, Frame]] = []
        views: list[F32] = []
        for number, picture in enumerate(pictures):
            check_range(picture)
            faces = self.detect(as_bytes(picture), every=every)
            for frame in self.frames(
                picture, faces if every else faces[:1], scale, _outline(picture, forehead)
            ):
                jobs.append((number, frame))
                views += self.seen(picture, frame)
        results: list[list[FaceNormals]] = [[] for _ in pictures]
        means = iter(self.run(views))
        for number, frame in jobs:
            results[number].append(self.finish(frame, means, pictures[number].shape[:2]))
        return results

    def predict_whole(self, picture: Array) -> FaceNormals:
        """Normals of every pixel of a face crop; a small or turned face in it is framed as trained."""
        check_range(picture)
        frame = self.whole_frame(as_bytes(picture))
        return self.finish(frame, self.run(self.seen(picture, frame)), picture.shape[:2])

    def predict_crop(
        self, picture: Array, crop: Crop, mask: Bools, lit: FaceBox | None = None
    ) -> FaceNormals:
        """Normals of a square of a picture inside a mask of that square, levelled by the light on a face."""
        frame = Frame(crop, mask, None, lit=lit)
        return self.finish(frame, self.run(self.seen(picture, frame)), picture.shape[:2])

    def whole_frame(self, picture: U8) -> Frame:
        """The frame of all of a picture [H, W, 3], with that of a face inside which needs one of its own.

        Plain bars at its sides are left out.
        """
        part = without_bars(picture)
        face = next(filter(may_be_inside, self.detect(np.ascontiguousarray(part.of(picture)))[:1]), None)
        return whole_frame(part, face, self.size_px)

    def frames(
        self,
        picture: Array,
        faces: Sequence[FaceBox],
        scale: float = CROP_SCALE,
        outline: Outline = seen_mask,
    ) -> list[Frame]:
        """What the network will see of faces of a picture [H, W, 3], see :func:`face_frame`.

        Plain bars at its sides are left out.
        """
        if not faces:
            return []
        part = without_bars(picture)
        return [face_frame(part, face, scale, outline, self.size_px) for face in faces]

    def seen(self, picture: Array, frame: Frame) -> list[F32]:
        """What this network sees of a picture [H, W, 3] in a frame, one view a part of it. [S, S, 3]"""
        return seen(picture, frame, levels=self.runner.levels)

    def run(self, images: Sequence[F32], *, once: bool = False) -> list[F32]:
        """Mean predictions [S, S, 3] of what was :func:`seen` [S, S, 3], in batches.

        Args:
            images: What was seen.
            once: Leave the mirror images out, whatever the predictor does.

        Raises:
            FNormalError: The network gives numbers that are none.
        """
        means: list[F32] = []
        for first in range(0, len(images), BATCH):
            found = self.runner.mean(np.stack(images[first : first + BATCH]), mirror=self.mirror and not once)
            if not np.isfinite(found).all():
                raise FNormalError("the network gives normals that are no numbers: its weights are damaged")
            means += list(found)
        return means

    def finish(self, frame: Frame, means: Iterable[F32], shape: Sequence[int]) -> FaceNormals:
        """Mean predictions of what was :func:`seen` in a frame, as many as it takes, back in the picture."""
        parts = [self._finished(part, mean, shape) for part, mean in zip(frame.parts, means, strict=False)]
        if len(parts) == 1:
            return parts[0]
        outer, inner = parts
        share = 0.5 if frame.averaged else 1.0
        return chosen(outer, inner, share) if frame.face is None else merged(outer, inner, share)

    def _finished(self, frame: Frame, mean: F32, shape: Sequence[int]) -> FaceNormals:
        crop, mask = frame.crop, frame.mask
        if frame.to_picture is None:
            part = crop.enlarged(mean)
            corner_px = (crop.x_px, crop.y_px)
        else:
            part, corner_px = (
                carried_back(mean, frame.to_picture, mask.shape, frame.corner_px),
                frame.corner_px,
            )
        lengths = length_of(part)
        confidence = confidence_of(lengths, sure=self.runner.sure) * mask
        normals = unit(part, mask, lengths)
        height, width = shape
        return FaceNormals(
            normals, mask, confidence, crop, frame.face, corner_px, (height, width), frame.turn_deg
        )


def _outline(picture: Array, forehead: bool) -> Outline:
    return to_the_hairline(picture) if forehead else seen_mask
