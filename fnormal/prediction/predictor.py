"""Photo -> normals of every face, in the photo's own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fnormal.arrays import F32, U8, Array, Bools
from fnormal.config import CROP_SCALE, CROP_SIZE_PX, UNIT_ERROR_DEG
from fnormal.errors import FNormalError
from fnormal.faces.crop import Crop, crop_around, whole_picture
from fnormal.faces.detect import FaceBox, detect_faces, read_landmarks
from fnormal.faces.masks import face_mask, hull_mask
from fnormal.geometry.normals import unit
from fnormal.network.checkpoint import load_weights
from fnormal.network.exported import OnnxNetwork
from fnormal.network.inference import ready_to_run
from fnormal.network.model import CrossModalNet


@dataclass(frozen=True)
class FaceNormals:
    """The normals of one face, OpenGL axes: x right, y up, z toward the viewer.

    Only the part of the picture that the network saw is kept; ``normals``, ``mask`` and ``confidence`` give
    it in the full frame. In a picture of 100 megapixels that takes 1.6 GB.

    Attributes:
        part_normals: Unit, 0 outside the mask. float32 [h, w, 3]
        part_mask: The face. bool [h, w]
        part_confidence: See :attr:`confidence`. float32 [h, w]
        crop: What the network saw.
        face: Box and landmarks, None where the whole picture was taken as a crop.
        corner_px: Left column and top row of the part in the picture.
        frame_px: Rows and columns of the picture; None where the part is all of it.
    """

    part_normals: F32
    part_mask: Bools
    part_confidence: F32
    crop: Crop
    face: FaceBox | None
    corner_px: tuple[int, int] = (0, 0)
    frame_px: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        height, width = self.part_mask.shape if self.frame_px is None else self.frame_px
        return height, width

    @property
    def normals(self) -> F32:
        """Unit normals in the full frame, 0 outside the mask. float32 [H, W, 3]"""
        return np.asarray(self.whole(self.part_normals))

    @property
    def mask(self) -> Bools:
        """The face in the full frame. bool [H, W]"""
        return np.asarray(self.whole(self.part_mask))

    @property
    def confidence(self) -> F32:
        """Cosine of the error that the network expects, in the full frame, 0 outside the mask. float32 [H, W]

        The network's length of a normal tells it, where it was trained to (``train --confidence-weight``).
        Other networks only tell how far the predictions for the crop and its mirror image agree.
        """
        return np.asarray(self.whole(self.part_confidence))

    def whole(self, part: Array) -> Array:
        """An array of the part [h, w, ...] in the full frame [H, W, ...], 0 around it."""
        if self.frame_px is None:
            return part
        frame = np.zeros((*self.frame_px, *part.shape[2:]), part.dtype)
        (x, y), (height, width) = self.corner_px, part.shape[:2]
        frame[y : y + height, x : x + width] = part
        return frame


def mirrored_mean(model: CrossModalNet | OnnxNetwork, image: Tensor, *, raw: bool = False) -> Tensor:
    """Mean of the predictions for images [B, 3, S, S] and for their mirror images. [B, 3, S, S]

    Of unit normals, or of ``raw`` ones, of which the surer counts more.
    """
    both = model.image_to_normals(torch.cat([image, image.flip(-1)]))  # torch is slow on one image alone
    direct, other = (both if raw else torch.nn.functional.normalize(both, dim=1)).chunk(2)
    return (direct + other.flip(-1) * other.new_tensor([-1, 1, 1])[:, None, None]) / 2


def _confidence(length: F32, *, sure: bool) -> F32:
    """What the length of a mean prediction [h, w] says, 0..1."""
    if sure:
        expected_deg = UNIT_ERROR_DEG / np.maximum(length, UNIT_ERROR_DEG / 90)
        length = np.cos(np.radians(expected_deg))
    return np.asarray(np.clip(length, 0, 1), np.float32)


def check_range(image: Array) -> None:
    """See that a picture is RGB, of bytes or of floats in [0, 1].

    Raises:
        FNormalError: Not [H, W, 3], floats outside [0, 1], or floats that never go below 0.45: those
            were mapped from [0, 1] to [0.5, 1] once too often, a known mistake of re-users.
    """
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise FNormalError(f"the picture is {image.shape}, not [H, W, 3]; convert it to RGB")
    if image.dtype == np.uint8:
        return
    low, high = float(image.min()), float(image.max())
    if not (low >= 0 and high <= 1):
        raise FNormalError(f"float pictures go from 0 to 1, not {low:g} to {high:g}; divide by 255?")
    if low > 0.45:
        raise FNormalError(
            f"no pixel is below 0.45 (smallest {low:g}): was (x + 1) / 2 applied to a picture that"
            " was in [0, 1] already?"
        )


def _in_unit_range(image: Array) -> F32:
    """Bytes or floats as float32 in [0, 1]."""
    if image.dtype == np.uint8:
        return image.astype(np.float32) / np.float32(255)
    return image.astype(np.float32)


def _inside(face: FaceBox, path: Path, picture: U8) -> FaceBox:
    """A face from a file, most of whose points must lie in the picture.

    Raises:
        FNormalError: They do not.
    """
    height, width = picture.shape[:2]
    inside = ((face.landmarks >= 0) & (face.landmarks < (width, height))).all(axis=1).mean()
    if inside < 0.5:
        raise FNormalError(
            f"{path}: only {inside:.0%} of the points lie in the picture of {width}x{height} pixels;"
            " give the points in this picture's pixels"
        )
    return face


class Predictor:
    """A network with everything around it: detection, crop, range check, un-crop.

    Args:
        weights: A weights file, an ``.onnx`` of :mod:`fnormal.network.exported`, a network, or None for the
            weights that come with fnormal.
        device: Where the network runs.
        landmark_model: dlib's 68-point model, by default searched for.
        size_px: Side of the network's input; by default what the weights were trained on.
    """

    def __init__(
        self,
        weights: Path | str | CrossModalNet | None = None,
        *,
        device: str = "cpu",
        landmark_model: Path | None = None,
        size_px: int | None = None,
    ) -> None:
        trained_px, self._sure = CROP_SIZE_PX, False
        self.device = torch.device(device)
        self.model: CrossModalNet | OnnxNetwork
        if isinstance(weights, CrossModalNet):
            self.model = ready_to_run(weights).to(self.device)
        elif str(weights).endswith(".onnx"):
            self.model = OnnxNetwork(Path(str(weights)))
            trained_px = self.model.info.size_px
        else:
            model, info = load_weights(weights)
            self.model, trained_px = ready_to_run(model).to(self.device), info.size_px
            self._sure = info.sure
        self.size_px = size_px or trained_px
        self._landmark_model = landmark_model

    def detect(self, picture: U8) -> list[FaceBox]:
        """Faces of an RGB picture [H, W, 3], largest first."""
        return detect_faces(picture, self._landmark_model)

    def find_faces(self, picture: U8, name: str, landmarks: Path | None = None) -> list[FaceBox]:
        """Detected faces, or the one of a landmark file.

        Args:
            picture: RGB. [H, W, 3]
            name: What to call it in the message.
            landmarks: File of 68 points to use instead of detection.

        Raises:
            FNormalError: No face is found.
        """
        faces = (
            [_inside(read_landmarks(landmarks), landmarks, picture)] if landmarks else self.detect(picture)
        )
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
            forehead: Add the forehead to the mask, which in the paper ends at the brows.

        Returns:
            One result a face, in the order of ``faces``; empty where none was found.
        """
        check_range(picture)
        height, width = picture.shape[:2]
        if faces is None:
            pixels = picture if picture.dtype == np.uint8 else np.rint(picture * 255).astype(np.uint8)
            faces = self.detect(pixels)
        results = []
        for face in faces:
            crop = crop_around(face.landmarks, height, width, scale=scale, size_px=self.size_px)
            outline = face_mask if forehead else hull_mask
            mask = outline(face.landmarks, crop.side_px, crop.side_px, corner_px=(crop.x_px, crop.y_px))
            results.append(self._predict_crop(picture, crop, mask, face))
        return results

    def predict_whole(self, picture: Array) -> FaceNormals:
        """Normals of a picture that already is a face crop: its centred square, every pixel."""
        check_range(picture)
        crop = whole_picture(picture.shape[0], picture.shape[1], self.size_px)
        return self._predict_crop(picture, crop, np.ones((crop.side_px, crop.side_px), bool), None)

    def _predict_crop(self, picture: Array, crop: Crop, mask: Bools, face: FaceBox | None) -> FaceNormals:
        """Normals in the square of a crop, inside a mask of that square."""
        rows, columns = slice(crop.y_px, crop.y_px + crop.side_px), slice(crop.x_px, crop.x_px + crop.side_px)
        square = replace(crop, x_px=0, y_px=0)
        pixels = square.cut(_in_unit_range(picture[rows, columns]))
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(self.device)
        with torch.inference_mode():
            mean = mirrored_mean(self.model, image, raw=self._sure)[0].permute(1, 2, 0).cpu().numpy()
        if not np.isfinite(mean).all():
            raise FNormalError("the network gives normals that are no numbers: its weights are damaged")
        part = square.paste(mean, crop.side_px, crop.side_px)
        confidence = _confidence(np.linalg.norm(part, axis=-1), sure=self._sure) * mask
        normals, height, width = unit(part) * mask[..., None], *picture.shape[:2]
        corner_px, frame_px = (crop.x_px, crop.y_px), (height, width)
        return FaceNormals(normals, mask, confidence, crop, face, corner_px, frame_px)
