"""Arguments and checks that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from fnormal import options
from fnormal.network.memory import keep_freed_memory

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of text.")]
Seed = Annotated[int, typer.Option(help="Everything random follows from it.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
Threads = Annotated[Optional[int], typer.Option(min=1, help="CPU threads; default: all.")]  # noqa: UP045
Weights = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="Weights file; default: those that come with fnormal."),
]
Layout = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="TOML file that says where meshes and maps are."),
]
Landmarks = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="68 points (.npy, .json, .pts) instead of detection."),
]
EncoderWeights = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="imagenet, or a ResNet-18 file of torchvision's."),
]
Out = Annotated[Path, typer.Option(help="HDF5 file to write.")]
Axes = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="Axes of the source: which of its x, y, z are ours, such as x,-y,z."),
]
Workers = Annotated[int, typer.Option(min=0, help="Processes on this machine.")]
Scheduler = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="HOST:PORT of a dask scheduler."),
]
Shard = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="i/N: only each N-th shard, for job arrays."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Finished output is success, not an error.")]

Pairs = Annotated[Optional[list[Path]], typer.Option(help="Image/normal sets.")]  # noqa: UP045
Images = Annotated[Optional[list[Path]], typer.Option(help="Image-only sets.")]  # noqa: UP045
Normals = Annotated[Optional[list[Path]], typer.Option(help="Normals-only sets.")]  # noqa: UP045
Epochs = Annotated[int, typer.Option(min=1)]
BatchSize = Annotated[int, typer.Option(min=1)]
LearningRate = Annotated[float, typer.Option(help="Learning rate; the peak of one-cycle.")]
InputSize = Annotated[int, typer.Option(help="Side of the input, a multiple of 32.")]
GradientWeight = Annotated[float, typer.Option(min=0, help="Of a loss on detail; 0: the paper.")]
CrossModalEvery = Annotated[int, typer.Option(min=1, help="Auto-encode each k-th paired batch.")]
Mix = Annotated[str, typer.Option(help="Shares of the sets, such as 2,1,0.5; size: every sample once.")]
InitWeights = Annotated[Optional[Path], typer.Option(help="Weights to start from.")]  # noqa: UP045
Ablation = Annotated[options.Ablation, typer.Option(help="Fig. 6: a, b, c, d.")]
Augment = Annotated[bool, typer.Option(help="Mirror and relight samples.")]
HullShare = Annotated[float, typer.Option(min=0, max=1, help="Samples that count in the hull only.")]
Rotate = Annotated[float, typer.Option(min=0, help="Turn samples in the plane, degrees.")]
Ema = Annotated[float, typer.Option(min=0, max=0.99999, help="Decay of averaged weights; 0: none.")]
GoOn = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")]
SaveEvery = Annotated[int, typer.Option(min=1, help="Batches between checkpoints inside an epoch.")]
TensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Curves and pictures for TensorBoard, in --out.")
]
Compile = Annotated[
    bool, typer.Option("--compile", help="torch.compile: a minute to start, and no gain seen yet.")
]
Readers = Annotated[int, typer.Option(min=0, help="Processes that read samples.")]
CacheGb = Annotated[float, typer.Option(min=0, help="Memory for decoded samples.")]


def set_up_torch(threads: int | None) -> None:
    """Let torch use so many threads, None leaves it all, and keep the memory that it frees."""
    import torch

    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)


def check_device(name: str) -> str:
    """A device that torch has.

    Raises:
        FNormalError: It has none of that name.
    """
    import torch

    from fnormal.errors import FNormalError

    if name.startswith("cuda") and not torch.cuda.is_available():
        raise FNormalError(f"--device {name}: torch sees no CUDA GPU; use --device cpu")
    try:
        return str(torch.device(name))
    except RuntimeError as error:
        raise FNormalError(f"unknown --device {name}; use cpu, cuda or cuda:N") from error
