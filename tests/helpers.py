"""Short ways to what the commands do, for tests that need more than one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from typer.testing import CliRunner

from fnormal.cli.app import app
from fnormal.commands.render_dataset import RenderRecipe, settled
from fnormal.datasets import sets
from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import Sample
from fnormal.options.data import PhotoOptions, RenderOptions, ScanOptions
from fnormal.options.training import SetOptions
from fnormal.progress import Progress
from fnormal.readers import PHOTOS, SCANS, open_reader


def run(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command in this process; what it raises is raised here too."""
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def open_scans(
    source: Path | None, dataset: str, *, scans: int | None, seed: int, layout: Path | None = None,
    axes: str | None = None,
) -> Any:  # fmt: skip
    given = {"scans": scans, "seed": seed, "layout": layout, "axes": axes}
    return open_reader(SCANS, dataset, source, given)


def open_photos(source: Path, dataset: str, options: PhotoOptions) -> Any:
    given = {name: value for name, value in asdict(options).items() if name not in ("size_px", "scale")}
    return open_reader(PHOTOS, dataset, source, given)


def open_sets(
    pairs: Sequence[Path], images: Sequence[Path], normals: Sequence[Path]
) -> list[Dataset[Sample]]:
    return sets.open_sets(SetOptions(pairs=list(pairs), images=list(images), normals=list(normals)))


def render_recipe(
    source: Path | None, dataset: str, scans: int | None, options: RenderOptions, **more: Any
) -> RenderRecipe:
    return RenderRecipe(source, dataset, ScanOptions(scans=scans, **more), settled(dataset, options))


def nothing(options: Any) -> Iterator[Progress]:
    """A workflow that does nothing."""
    yield from ()


def placed(portrait: np.ndarray, x: float, y: float, turn_deg: float = 0, scale: float = 1) -> np.ndarray:
    """A frame [360, 480, 3] with the middle of the portrait at (x, y)."""
    matrix = cv2.getRotationMatrix2D((240, 240), turn_deg, scale)
    matrix[:, 2] += x - 240, y - 240
    return cv2.warpAffine(portrait, matrix, (480, 360), borderValue=(90, 100, 110))
