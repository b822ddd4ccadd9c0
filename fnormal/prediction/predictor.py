"""Photo -> normals of every face, in the photo's own pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fnormal.arrays import F32, U8, Array, Bools
from fnormal.config import CROP_SCALE
from fnormal.errors import FNormalError
from fnormal.faces.crop import Crop, crop_around, holding
from fnormal.faces.detect import FaceBox, roll_deg
from fnormal.faces.given import face_in_box, faces_of
from fnormal.faces.hairline import to_the_hairline
from fnormal.faces.ladder import find_all_faces
from fnormal.faces.masks import Outline, given_mask, seen_mask, with_forehead
from fnormal.geometry.normals import length_of, unit
from fnormal.network.serving import Served, open_runner
from fnormal.prediction.face_normals import FaceNormals, confidence_of
from fnormal.prediction.frames import Frame, carried_back, framed_square, seen, square_of
from fnormal.prediction.inputs import as_bytes, check_range, inside
from fnormal.prediction.whole import (
    chosen,
    is_sure,
    is_tight,
    may_be_inside,
    merged,
    needs_own_frame,
    own_square,
    whole_frame,
)

if TYPE_CHECKING:  # torch takes a second to import
    from fnormal.network.model import CrossModalNet

BATCH = 8  # crops that go through the network together
_UPRIGHT_DEG = 30.0  # up to this turn in the picture's plane the network was trained on common turns


def _is_turned(face: FaceBox) -> bool:
    return abs(roll_deg(face.landmarks)) > _UPRIGHT_DEG


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
        frames = self._frames(picture, faces, scale, forehead)
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
            for frame in self._frames(picture, faces if every else faces[:1], scale, forehead):
                jobs.append((number, frame))
                views += self.seen(picture, frame)
        results: list[list[FaceNormals]] = [[] for _ in pictures]
        means = iter(self.run(views))
        for number, frame in jobs:
            results[number].append(self.finish(frame, means, pictures[number].shape[:2]))
        return results

    def _frames(self, picture: Array, faces: Sequence[FaceBox], scale: float, forehead: bool) -> list[Frame]:
        outline = to_the_hairline(picture) if forehead else seen_mask
        return [self.framed(picture.shape[:2], face, scale, outline) for face in faces]

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
        """The frame of all of a picture [H, W, 3], with that of a face inside which needs one of its own."""
        shape = (picture.shape[0], picture.shape[1])
        frame = whole_frame(shape, self.size_px)
        for face in filter(may_be_inside, self.detect(picture)[:1]):
            own = _is_turned(face) or needs_own_frame(face, max(shape)) or is_tight(face, max(shape))
            inner = self._bare_frame(shape, face) if own else None
            return replace(frame, inner=inner, lit=face if is_sure(face) else None)
        return frame

    def _bare_frame(self, shape: tuple[int, int], face: FaceBox) -> Frame:
        """What the network will see of a face in the paper's crop, all of it inside the mask."""
        everywhere = given_mask(np.ones(shape, bool))
        if _is_turned(face):
            return framed_square(face, square_of(face.landmarks), shape, self.size_px, everywhere)
        crop = crop_around(face.landmarks, *shape, size_px=self.size_px)
        if is_tight(face, crop.side_px):  # the picture is
            return framed_square(face, own_square(face, shape), shape, self.size_px, everywhere)
        return Frame(crop, np.ones((crop.side_px, crop.side_px), bool), face)

    def framed(self, shape: Sequence[int], face: FaceBox, scale: float, outline: Outline) -> Frame:
        """What the network will see of a face: the paper's crop, or an upright view of a turned face.

        In a wider or tighter one it is asked about the paper's crop too, so that its answer is the same.
        """
        height, width = shape
        if not _is_turned(face):
            crop = crop_around(face.landmarks, height, width, scale=scale, size_px=self.size_px)
            if outline is not seen_mask:  # the forehead must not end at the straight edge of the crop
                crop = holding(crop, with_forehead(face.landmarks), height, width)
            corner, side = (crop.x_px, crop.y_px), float(crop.side_px)
            frame = Frame(crop, outline(face.landmarks, crop.side_px, crop.side_px, corner_px=corner), face)
        else:
            square = square_of(face.landmarks, scale)
            frame = framed_square(face, square, (height, width), self.size_px, outline)
            side = square.side
        if needs_own_frame(face, side) or is_tight(face, side):
            return replace(frame, inner=self._bare_frame((height, width), face))
        return frame

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
        return chosen(*parts) if frame.face is None else merged(*parts)

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
