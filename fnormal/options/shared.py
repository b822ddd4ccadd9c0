"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from typer import Option

from fnormal.errors import FNormalError

Style: TypeAlias = Literal["tsv", "csv", "markdown", "latex"]

Seed = Annotated[int, Option(min=0, max=2**31 - 1, help="Everything random follows from this number.")]
Size = Annotated[int, Option("--size", min=32, max=2048, help="Side of a sample in pixels.")]
Axes = Annotated[
    str | None, Option(help="Axes of the source: which of its x, y, z become ours, such as x,-y,z.")
]
Weights = Annotated[Path | None, Option(help="Weights file. Default: the weights that come with fnormal.")]
Landmarks = Annotated[
    Path | None,
    Option(help="68 points to use instead of detection: .npy, .json, .pts, .mat, .txt, or a folder of them."),
]
MapsFrame = Annotated[
    str | None, Option(help="Axes of the given normal maps: opengl, opencv, directx, or axes like x,-y,z.")
]
TableStyle = Annotated[Style, Option("--table", help="Style of the rows on stdout.")]


@dataclass(frozen=True, kw_only=True)
class Output:
    """How a command speaks; every command has these."""

    json: Annotated[bool, Option("--json", help="Print one JSON object a line instead of text.")] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print errors and results, nothing else.")] = False
    debug: Annotated[bool, Option("--debug", help="Show where an error comes from.")] = False


MaxMegapixels = Annotated[
    float, Option(min=1, max=100_000, help="Refuse pictures with more megapixels than this.")
]


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Where networks run."""

    device: Annotated[
        str, Option(help="auto, cpu, cuda or cuda:N. auto takes a CUDA GPU where one answers.")
    ] = "auto"
    threads: Annotated[int | None, Option(min=1, max=1024, help="CPU threads. Default: the free cores.")] = (
        None
    )


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Who does the work."""

    workers: Annotated[int, Option(min=0, max=1024, help="Processes on this machine; 0 is this one.")] = 0
    scheduler: Annotated[
        str | None, Option(help="HOST:PORT of a dask scheduler whose workers do the work.")
    ] = None
    shard: Annotated[str | None, Option(help="i/N: do only each N-th part, for job arrays.")] = None

    def shard_of(self) -> tuple[int, int]:
        """Which parts are ours: (i, N).

        Raises:
            FNormalError: ``shard`` is not of the form i/N with 0 <= i < N.
        """
        if self.shard is None:
            return 0, 1
        parts = self.shard.split("/")
        if len(parts) == 2 and all(p.isdecimal() for p in parts) and int(parts[0]) < int(parts[1]):
            return int(parts[0]), int(parts[1])
        raise FNormalError(f"--shard {self.shard}: give i/N with i from 0 to N-1, such as 0/8")

    def is_shared(self) -> bool:
        """Whether other processes than this one do the work."""
        return self.workers > 1 or self.scheduler is not None


@dataclass(frozen=True, kw_only=True)
class BuildOptions(Sharing):
    """Who makes a data set, and how the work is shared."""

    resume: Annotated[bool, Option("--resume", help="A finished output counts as success.")] = False

    def keeps_shards(self) -> bool:
        """Whether the output points into its shards instead of holding a copy."""
        return self.is_shared() or self.shard is not None
