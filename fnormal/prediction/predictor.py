"""Photo -> normals of every face, in the photo's own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fnormal.arrays import F32, U8, Array, Bools
from fnormal.config import CROP_SCALE, CROP_SIZE_PX
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
    """The normals of one face, full frame, OpenGL axes: x right, y up, z toward the viewer.

    Attributes:
        normals: Unit, 0 outside ``mask``. float32 [H, W, 3]
        mask: The face. bool [H, W]
        confidence: Agreement of the predictions for the crop and for its mirror image: the length
            of their mean, 1 where they are equal; 0 outside ``mask``. float32 [H, W]
        crop: What the network saw.
        face: Box and landmarks, None where the whole picture was taken as a crop.
    """

    normals: F32
    mask: Bools
    confidence: F32
    crop: Crop
    face: FaceBox | None


def mirrored_mean(model: CrossModalNet | OnnxNetwork, image: Tensor) -> Tensor:
    """Mean of the unit predictions for images [B, 3, S, S] and for their mirror images. [B, 3, S, S]"""
    both = model.image_to_normals(torch.cat([image, image.flip(-1)]))  # torch is slow on one image alone
    direct, other = torch.nn.functional.normalize(both, dim=1).chunk(2)
    return (direct + other.flip(-1) * other.new_tensor([-1, 1, 1])[:, None, None]) / 2


def check_range(image: Array) -> F32:
    """An RGB picture as float32 in [0, 1].

    Raises:
        FNormalError: Not [H, W, 3], floats outside [0, 1], or floats that never go below 0.45: those
            were mapped from [0, 1] to [0.5, 1] once too often, a known mistake of re-users.
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise FNormalError(f"the picture is {image.shape}, not [H, W, 3]; convert it to RGB")
    if image.dtype == np.uint8:
        return image.astype(np.float32) / np.float32(255)
    low, high = float(image.min()), float(image.max())
    if not (low >= 0 and high <= 1):
        raise FNormalError(f"float pictures go from 0 to 1, not {low:g} to {high:g}; divide by 255?")
    if low > 0.45:
        raise FNormalError(
            f"no pixel is below 0.45 (smallest {low:g}): was (x + 1) / 2 applied to a picture that"
            " was in [0, 1] already?"
        )
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
        trained_px = CROP_SIZE_PX
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
        pixels = check_range(picture)
        height, width = pixels.shape[:2]
        if faces is None:
            faces = self.detect(np.rint(pixels * 255).astype(np.uint8))
        results = []
        for face in faces:
            crop = crop_around(face.landmarks, height, width, scale=scale, size_px=self.size_px)
            outline = face_mask if forehead else hull_mask
            mask = outline(face.landmarks, height, width)
            results.append(self._predict_crop(pixels, crop, mask, face))
        return results

    def predict_whole(self, picture: Array) -> FaceNormals:
        """Normals of a picture that already is a face crop: its centred square, every pixel."""
        pixels = check_range(picture)
        height, width = pixels.shape[:2]
        crop = whole_picture(height, width, self.size_px)
        return self._predict_crop(pixels, crop, np.ones((height, width), bool), None)

    def _predict_crop(self, pixels: F32, crop: Crop, mask: Bools, face: FaceBox | None) -> FaceNormals:
        height, width = pixels.shape[:2]
        image = torch.from_numpy(crop.cut(pixels)).permute(2, 0, 1)[None].to(self.device)
        with torch.inference_mode():
            mean = mirrored_mean(self.model, image)[0].permute(1, 2, 0).cpu().numpy()
        if not np.isfinite(mean).all():
            raise FNormalError("the network gives normals that are no numbers: its weights are damaged")
        full = crop.paste(mean, height, width)
        mask = mask & crop.paste(np.ones((crop.size_px, crop.size_px), bool), height, width)
        confidence = np.clip(np.linalg.norm(full, axis=-1), 0, 1) * mask
        return FaceNormals(unit(full) * mask[..., None], mask, confidence.astype(np.float32), crop, face)
