"""Options of the commands that train networks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from typer import Option

from fnormal.config import BATCH_SIZE, CACHE_GB, CROP_SIZE_PX, EPOCHS, LEARNING_RATE, SEED
from fnormal.options.shared import Compute, Output, Seed, TableStyle

Arch: TypeAlias = Literal["paper", "fine", "lite", "tiny"]
Ablation: TypeAlias = Literal["full", "no-skip", "no-normal-encoder", "plain"]
Schedule: TypeAlias = Literal["constant", "one-cycle"]
Optimizer: TypeAlias = Literal["adam", "adamw", "muon"]
Precision: TypeAlias = Literal["fp32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How to train. The defaults are the paper's (section 4.1) wherever it says."""

    epochs: Annotated[int, Option(min=1, max=10**6, help="Passes over all sets.")] = EPOCHS
    batch_size: Annotated[int, Option(min=1, max=65_536, help="Samples a batch.")] = BATCH_SIZE
    learning_rate: Annotated[
        float, Option("--lr", min=0, max=10, help="Learning rate; the peak of one-cycle.")
    ] = LEARNING_RATE
    schedule: Annotated[
        Schedule, Option(help="constant is the paper's; one-cycle warms up and falls to 0.")
    ] = "constant"
    optimizer: Annotated[
        Optimizer, Option(help="adam is the paper's; muon needs fewer images for the same error.")
    ] = "adam"
    arch: Annotated[
        Arch, Option(help="Size: the paper's, lite for CPUs, fine (lite and a 256 px head), tiny for trials.")
    ] = "paper"
    ablation: Annotated[Ablation, Option(help="Network a, b, c or d of Fig. 6.")] = "full"
    size_px: Annotated[
        int, Option("--size", min=32, max=4096, help="Side of the network's input, a multiple of 32.")
    ] = CROP_SIZE_PX
    normal_loss: Annotated[str, Option(help="Loss of the normals; cosine is Eq. 1.")] = "cosine"
    gradient_weight: Annotated[
        float, Option(min=0, max=1000, help="Weight of a loss on differences of neighbours. The paper: 0.")
    ] = 0.0
    cross_modal_every: Annotated[
        int, Option(min=1, max=10**6, help="Run the auto-encoding passes on each k-th paired batch.")
    ] = 1
    augment: Annotated[bool, Option(help="Mirror samples and change their light.")] = True
    hull_share: Annotated[
        float,
        Option(min=0, max=1, help="Share of the samples that count in the hull of their landmarks only."),
    ] = 0.0
    rotate_deg: Annotated[
        float, Option("--rotate", min=0, max=180, help="Turn samples in the picture's plane, in degrees.")
    ] = 0.0
    reframe_share: Annotated[
        float,
        Option(
            "--reframe",
            min=0,
            max=1,
            help="Share of the samples cut anew in a random frame. Above 0, the others get the paper's crop.",
        ),
    ] = 0.0
    relight_share: Annotated[
        float,
        Option("--relight", min=0, max=1, help="Share of the samples with albedo that get a new light."),
    ] = 0.0
    cover: Annotated[
        bool, Option("--cover", help="Draw glasses, a fringe or things before some of the faces.")
    ] = False
    environments: Annotated[
        Path | None, Option(help="Folder of HDR panoramas for --relight. Default: made-up surroundings.")
    ] = None
    confidence_weight: Annotated[
        float,
        Option(min=0, max=1000, help="Weight of learning how far off each pixel is. The paper: 0."),
    ] = 0.0
    consistency_weight: Annotated[
        float,
        Option(
            min=0,
            max=1000,
            help="Images alone: weight of agreeing, in any frame, with the averaged network. Needs --ema.",
        ),
    ] = 0.0
    ema: Annotated[
        float, Option(min=0, max=0.99999, help="Decay of averaged weights, which are kept. 0: no average.")
    ] = 0.0
    mix: Annotated[
        str,
        Option(help="Shares of the sets in an epoch, such as 2,1,0.5. 'size' takes every sample once."),
    ] = "size"
    only: Annotated[
        str | None,
        Option(help="Parts that learn, such as normal-encoder,image-decoder or detail. Default: all."),
    ] = None
    precision: Annotated[Precision, Option(help="fp32, or bf16 autocast.")] = "fp32"
    compile: Annotated[
        bool, Option("--compile", help="torch.compile: a minute to start, and no gain seen yet.")
    ] = False
    save_every: Annotated[
        int, Option(min=1, max=10**9, help="Batches between two checkpoints inside an epoch.")
    ] = 500
    seed: Seed = SEED
    workers: Annotated[
        int, Option(min=0, max=1024, help="Processes that read samples; 0 reads in this one.")
    ] = 0
    cache_gb: Annotated[
        float, Option(min=0, max=100_000, help="Memory for decoded samples, which the readers share.")
    ] = CACHE_GB

    def as_json(self) -> dict[str, Any]:
        """The options as JSON has them."""
        return {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class SetOptions:
    """What to train on."""

    pairs: Annotated[list[Path] | None, Option(help="Sets of images with normals.")] = None
    images: Annotated[list[Path] | None, Option(help="Sets of images alone.")] = None
    normals: Annotated[list[Path] | None, Option(help="Sets of normal maps alone.")] = None


EncoderWeights = Annotated[
    str | None, Option(help="Start the encoders from 'imagenet', or from torchvision's ResNet-18 file.")
]


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train the cross-modal network (section 3.3). Ctrl-C saves; --resume continues exactly.

    Without --pairs, --images and --normals the data sets in ./data are used.

    Example: `fnormal train --pairs ict.h5 --normals anny.h5 --val val.h5 --arch lite --out run`
    """

    sets: SetOptions = field(default_factory=SetOptions)
    val: Annotated[Path | None, Option(help="Pairs to validate on after every epoch.")] = None
    out: Annotated[
        Path | None, Option("--out", "-o", help="Folder of the run. Default: runs/<date>-<arch>.")
    ] = None
    training: TrainOptions = field(default_factory=TrainOptions)
    init: Annotated[Path | None, Option(help="Weights file to start from.")] = None
    encoder_weights: EncoderWeights = None
    resume: Annotated[bool, Option("--resume", help="Continue the run in --out.")] = False
    tensorboard: Annotated[
        bool, Option("--tensorboard", help="Write curves and pictures for TensorBoard into --out.")
    ] = False
    compute: Compute = field(default_factory=Compute)
    output: Output = field(default_factory=Output)


@dataclass(frozen=True, kw_only=True)
class Ablate:
    """Train the four networks of Fig. 6 on the same data and print Fig. 7's table. Repeat to continue.

    Example: `fnormal ablate --pairs ict.h5 --normals anny.h5 --test val.h5 --arch lite --out ablation`
    """

    test: Annotated[list[Path], Option(help="Pairs to compare on, of people who are never trained on.")]
    sets: SetOptions = field(default_factory=SetOptions)
    out: Annotated[Path | None, Option("--out", "-o", help="Folder of the runs. Default: runs/ablation.")] = (
        None
    )
    seeds: Annotated[int, Option(min=1, max=1000, help="Runs of each network, from seed 0 on.")] = 1
    training: TrainOptions = field(
        default_factory=TrainOptions, metadata={"without": ("ablation", "seed", "only")}
    )
    encoder_weights: EncoderWeights = None
    style: TableStyle = "tsv"
    compute: Compute = field(default_factory=Compute)
    output: Output = field(default_factory=Output)
