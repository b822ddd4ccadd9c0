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
from fnormal.errors import FNormalError

Arch = Literal["paper", "lite", "tiny"]
Ablation = Literal["full", "no-skip", "no-normal-encoder", "plain"]
Schedule = Literal["constant", "one-cycle"]
Optimizer = Literal["adam", "adamw", "muon"]
Precision = Literal["fp32", "bf16"]
NormalLoss = Literal["cosine", "angle"]
RenderedModality = Literal["pairs", "normals"]
Lighting = Literal["paper", "rich"]
Backend = Literal["auto", "gl", "soft"]
Mask = Literal["hull", "surface"]
Split = Literal["train", "test", "all"]
ExportFormat = Literal["onnx", "torchscript"]
Style = Literal["tsv", "csv", "markdown", "latex"]
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
        lighting: ``paper`` (4.2) or ``rich`` (several lights, surroundings, a cast shadow, a highlight,
            exposure, a colour cast, a near camera, a backdrop).
        mask: ``hull`` of the landmarks (4.1), or the whole visible ``surface``.
        backend: ``gl`` (pyrender), ``soft`` (no system package), or ``auto``: ``gl`` where a GPU answers.
        environments: Folder of HDR panoramas for ``rich``; without, surroundings are made up.
        crop_jitter: 0 for the paper's crop; 0.3 draws its scale from 1.2 to 1.2 x 1.3, and shifts it.
        seed: Sample (scan, view) depends on ``(seed, scan, view)`` alone.
    """

    modality: RenderedModality = "pairs"
    views: int = VIEWS
    max_angle_deg: float = MAX_ANGLE_DEG
    size_px: int = CROP_SIZE_PX
    lighting: Lighting = "paper"
    mask: Mask = "hull"
    backend: Backend = "auto"
    environments: Path | None = None
    crop_jitter: float = 0.0
    seed: int = SEED


@dataclass(frozen=True)
class PhotoOptions:
    """Which photos to take, and how.

    Attributes:
        split: Part of the people, where a set has a split.
        limit: At most so many photos or sessions; None is the set's own number.
        axes: Signed permutation that takes the normals' axes to ours; None is the set's usual one.
        lights: File of the lights' angles, where the set does not tell them.
        size_px: Side of a sample.
        seed: Of the split.
    """

    split: Split = "all"
    limit: int | None = None
    axes: str | None = None
    lights: Path | None = None
    size_px: int = CROP_SIZE_PX
    seed: int = SEED


@dataclass(frozen=True)
class ProduceOptions:
    """Who makes a data set.

    Attributes:
        workers: Processes of this machine; 0 or 1 is this one alone.
        scheduler: ``HOST:PORT`` of a dask scheduler whose workers to use instead.
        shard: ``i/N``: make only each N-th shard from the i-th (0 .. N-1), for job arrays.
        resume: A finished output is success, not an error.
    """

    workers: int = 0
    scheduler: str | None = None
    shard: str | None = None
    resume: bool = False

    def shard_of(self) -> tuple[int, int]:
        """Which shards are ours: (i, N).

        Raises:
            FNormalError: ``shard`` is not of the form i/N with 0 <= i < N.
        """
        if self.shard is None:
            return 0, 1
        parts = self.shard.split("/")
        if len(parts) == 2 and all(p.isdecimal() for p in parts) and int(parts[0]) < int(parts[1]):
            return int(parts[0]), int(parts[1])
        raise FNormalError(f"--shard {self.shard}: give i/N with i from 0 to N-1, such as 0/8")

    def keeps_shards(self) -> bool:
        """Whether the output points into its shards instead of holding a copy."""
        return self.workers > 1 or self.scheduler is not None or self.shard is not None


@dataclass(frozen=True)
class TrainOptions:
    """How to train; the defaults are the paper's (4.1) where it says.

    Attributes:
        epochs: Passes over all sets.
        batch_size: Samples a batch.
        learning_rate: Of Adam; with ``one-cycle`` the peak.
        schedule: ``constant`` (the paper's) or ``one-cycle``.
        optimizer: ``adam`` (the paper's), ``adamw``, or ``muon`` (fewer images for the same error).
        arch: Name in ``config.ARCHS``.
        ablation: Name in ``config.ABLATIONS``.
        size_px: Side of the network's input, a multiple of 32.
        normal_loss: ``cosine`` is Eq. 1, which grows with the square of an error; ``angle`` grows with the
            error itself, as what is reported does.
        gradient_weight: Of the loss on normal differences; 0 is the paper.
        cross_modal_every: 1 trains the auto-encoding passes on every paired batch, as the paper; k
            on every k-th, which costs less where the budget is small.
        augment: Mirror and change the light of samples.
        hull_share: With ``augment``, share of the samples that count inside the hull of their landmarks
            (4.1) alone: most of a ``surface`` mask is scalp, neck and ears.
        rotate_deg: With ``augment``, also turn samples in the picture's plane by up to +- this.
        ema: Decay of a moving average of the weights, which is validated and kept; 0 keeps the last.
        mix: Shares of the sets in an epoch's batches, such as ``2,1,0.5``, in the order pairs, images,
            normals; ``size`` takes every sample once.
        precision: ``fp32`` or ``bf16`` autocast.
        compile: Let torch.compile fuse the network: a minute to start, and no gain seen yet.
        save_every: Batches between two checkpoints inside an epoch: what a killed run loses.
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
    normal_loss: NormalLoss = "cosine"
    gradient_weight: float = 0.0
    cross_modal_every: int = 1
    augment: bool = True
    hull_share: float = 0.0
    rotate_deg: float = 0.0
    ema: float = 0.0
    mix: str = "size"
    precision: Precision = "fp32"
    compile: bool = False
    save_every: int = 500
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
