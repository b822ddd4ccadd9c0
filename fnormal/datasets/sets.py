"""Finding and opening the data sets that a training run or a measurement asks for."""

from __future__ import annotations

from pathlib import Path

from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import SAMPLE_TYPES, Sample
from fnormal.errors import FNormalError
from fnormal.options.training import SetOptions

_VALIDATION = "val"  # begins the names of sets that are kept for validation


def open_sets(options: SetOptions) -> list[Dataset[Sample]]:
    """Open training sets, pairs first, and check that each is what its flag says.

    Raises:
        FNormalError: None is named, or one holds another modality.
    """
    sets = []
    for modality in SAMPLE_TYPES:
        for path in getattr(options, modality) or []:
            data = Dataset[Sample](path)
            if data.modality != modality:
                raise FNormalError(f"{path} holds {data.modality}: give it as --{data.modality}")
            sets.append(data)
    if not sets:
        raise FNormalError("there is nothing to train on: give --pairs, and maybe --images and --normals")
    return sets


def sets_in(folder: Path) -> tuple[SetOptions, Path | None]:
    """The data sets of a folder by their modality, and the set of pairs whose name begins with ``val``.

    Raises:
        FNormalError: There is none; the message says how to make one.
    """
    paths: dict[str, list[Path]] = {modality: [] for modality in SAMPLE_TYPES}
    validation = None
    for path in sorted(folder.glob("*.h5")):
        modality = Dataset[Sample](path).modality
        if modality == "pairs" and path.name.startswith(_VALIDATION):
            validation = path
        else:
            paths[modality].append(path)
    if not any(paths.values()):
        raise FNormalError(
            f"there are no data sets in {folder}/: make one, such as by"
            " 'fnormal render-dataset auto --dataset ict-facekit', or name yours with --pairs"
        )
    return SetOptions(**paths), validation
