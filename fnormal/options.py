"""The options of the workflows, with their defaults, once; light enough for the command line to import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fnormal.config import (
    BATCH_SIZE,
    CACHE_GB,
    CROP_SCALE,
    CROP_SIZE_PX,
    EPOCHS,
    FRAME,
    LEARNING_RATE,
    MAX_ANGLE_DEG,
    SEED,
    VIEWS,
)

Arch = Literal["paper", "lite", "tiny"]
Ablation = Literal["full", "no-skip", "no-normal-encoder", "plain"]
Schedule = Literal["constant", "one-cycle"]
Optimizer = Literal["adam", "adamw"]
Precision = Literal["fp32", "bf16"]
RenderedModality = Literal["pairs", "normals"]
Lighting = Literal["paper", "rich"]
Mask = Literal["hull", "surface"]
Which = Literal["first", "all"]
Format = Literal["png16", "png8", "npy", "tiff"]


@dataclass(frozen=True)
class RenderOptions:
    """How the views of a scan are drawn.

    Attributes:
        modality: ``pairs`` or ``normals`` (no image is stored).
        views: Of each scan.
        max_angle_deg: Rotation about a random axis, uniform in +- this.
        size_px: Side of a sample.
        lighting: ``paper`` (4.2) or ``rich`` (several lights, ambient, a backdrop).
        mask: ``hull`` of the landmarks (4.1), or the whole visible ``surface``.
        crop_jitter: 0 for the paper's crop; 0.3 draws its scale from 1.2 to 1.2 x 1.3, and shifts it.
        seed: Sample (scan, view) depends on ``(seed, scan, view)`` alone.
    """

    modality: RenderedModality = "pairs"
    views: int = VIEWS
    max_angle_deg: float = MAX_ANGLE_DEG
    size_px: int = CROP_SIZE_PX
    lighting: Lighting = "paper"
    mask: Mask = "hull"
    crop_jitter: float = 0.0
    seed: int = SEED


@dataclass(frozen=True)
class TrainOptions:
    """How to train; the defaults are the paper's (4.1) where it says.

    Attributes:
        epochs: Passes over all sets.
        batch_size: Samples a batch.
        learning_rate: Of Adam; with ``one-cycle`` the peak.
        schedule: ``constant`` (the paper's) or ``one-cycle``.
        optimizer: ``adam`` (the paper's) or ``adamw``.
        arch: Name in ``config.ARCHS``.
        ablation: Name in ``config.ABLATIONS``.
        size_px: Side of the network's input, a multiple of 32.
        gradient_weight: Of the loss on normal differences; 0 is the paper.
        cross_modal_every: 1 trains the auto-encoding passes on every paired batch, as the paper; k
            on every k-th, which costs less where the budget is small.
        augment: Mirror and change the light of samples.
        precision: ``fp32`` or ``bf16`` autocast.
        seed: Of initialisation, order and augmentation.
        workers: Processes that read samples; 0 reads in this one.
        cache_gb: Memory for decoded samples, used where this process reads.
        device: ``cpu`` or ``cuda``.
    """

    epochs: int = EPOCHS
    batch_size: int = BATCH_SIZE
    learning_rate: float = LEARNING_RATE
    schedule: Schedule = "constant"
    optimizer: Optimizer = "adam"
    arch: Arch = "paper"
    ablation: Ablation = "full"
    size_px: int = CROP_SIZE_PX
    gradient_weight: float = 0.0
    cross_modal_every: int = 1
    augment: bool = True
    precision: Precision = "fp32"
    seed: int = SEED
    workers: int = 0
    cache_gb: float = CACHE_GB
    device: str = "cpu"


@dataclass(frozen=True)
class PredictOptions:
    """What to write.

    Attributes:
        frame: Frame of the normal maps.
        format: One of ``images.NORMAL_FORMATS``.
        faces: The largest face of each picture, or all of them.
        crop: False where pictures already are face crops.
        scale: Side of the crop / larger side of the landmarks' box.
        forehead: Include the forehead, which the paper's mask leaves out.
        landmarks: File of 68 points to use instead of detection (one picture only).
    """

    frame: str = FRAME
    format: Format = "png16"
    faces: Which = "first"
    crop: bool = True
    scale: float = CROP_SCALE
    forehead: bool = False
    landmarks: Path | None = None
