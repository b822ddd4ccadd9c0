"""import-weights: the authors' model.pth -> a weights file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fnormal.files.naming import Guard, check_suffix, refuse_existing
from fnormal.network.authors import import_authors
from fnormal.network.checkpoint import WeightsInfo, save_weights
from fnormal.options.networks import ImportWeights
from fnormal.progress import Progress


def import_weights(options: ImportWeights) -> Iterator[Progress]:
    """Convert the authors' checkpoint.

    Raises:
        FNormalError: It is not theirs, or needs its pickles run.
    """
    out = options.out or Path(f"{options.checkpoint.stem}.safetensors")
    check_suffix(out, (".safetensors",))
    Guard([options.checkpoint]).check([out])
    if options.out is None:
        refuse_existing([out])
    model = import_authors(options.checkpoint)
    # shown pictures as they are, as its authors trained it
    info = WeightsInfo("paper", licence="CC BY-NC 4.0, the authors' release", levels=False)
    save_weights(out, model, info)
    yield Progress(written=(out,))
