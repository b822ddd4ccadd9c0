"""One-modality batches (3.3): which samples, in which order, augmented how; a pure function of the seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from fnormal.augment import (
    mirror_image,
    mirror_normals,
    photometric,
    resize_image,
    resize_mask,
    resize_normals,
)
from fnormal.dataset import Dataset, Modality, Sample


@dataclass(frozen=True)
class Batch:
    """Samples of one modality, fnormal's frame.

    Attributes:
        modality: Which of image and normals are there.
        mask: True on the face. bool [B, S, S]
        image: RGB in [0, 1]. [B, 3, S, S]; None for normals-only batches
        normals: Unit. [B, 3, S, S]; None for image-only batches
    """

    modality: Modality
    mask: Tensor
    image: Tensor | None
    normals: Tensor | None

    def to(self, device: torch.device) -> Batch:
        """The batch on ``device``, pictures channels-last."""

        def moved(x: Tensor | None) -> Tensor | None:
            return None if x is None else x.to(device, memory_format=torch.channels_last)

        return Batch(self.modality, self.mask.to(device), moved(self.image), moved(self.normals))


def plan_epoch(
    sizes: Sequence[int], batch_size: int, seed: int, epoch: int
) -> list[tuple[int, npt.NDArray[np.int64]]]:
    """The batches of an epoch: (set, indices) in shuffled order, each of one set, hence one modality.

    Every set is shuffled and cut into whole batches; what is left over waits for another epoch's
    shuffle. A set smaller than a batch gives one batch of what it has.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, epoch]))
    batches = []
    for which, size in enumerate(sizes):
        order = rng.permutation(size)
        whole = size // batch_size * batch_size or size
        batches += [(which, order[i : i + batch_size]) for i in range(0, whole, batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


class EpochBatches(TorchDataset[Batch]):
    """The batches of one epoch, from ``first`` on, as a map-style data set of whole batches."""

    def __init__(
        self, sets: Sequence[Dataset], *, batch_size: int, size_px: int, seed: int, epoch: int,
        first: int = 0, augment: bool = True,
    ) -> None:  # fmt: skip
        self.sets, self.size_px, self.augment = sets, size_px, augment
        self.key = (seed, epoch)
        self.plan = plan_epoch([len(s) for s in sets], batch_size, seed, epoch)[first:]

    def __len__(self) -> int:
        """Batches."""
        return len(self.plan)

    def __getitem__(self, position: int) -> Batch:
        """Batch ``position``."""
        which, indices = self.plan[position]
        source = self.sets[which]
        samples = []
        for index in indices:
            rng = np.random.default_rng(np.random.SeedSequence([*self.key, which, int(index)]))
            samples.append(prepare(source[int(index)], self.size_px, rng if self.augment else None))
        return collate(source.modality, samples)


def prepare(sample: Sample, size_px: int, rng: np.random.Generator | None) -> Sample:
    """Resize a sample and, with ``rng``, mirror it and change its light: float32, image in [0, 1]."""
    mask, normals, image = sample.mask, sample.normals, sample.image
    if normals is not None:
        normals, mask = resize_normals(normals.astype(np.float32), mask, size_px)
    else:
        mask = resize_mask(mask, size_px)
    pixels = None if image is None else resize_image(image.astype(np.float32) / np.float32(255), size_px)
    if rng is not None:
        if rng.random() < 0.5:
            mask = mirror_image(mask)
            normals = None if normals is None else mirror_normals(normals)
            pixels = None if pixels is None else mirror_image(pixels)
        pixels = None if pixels is None else photometric(pixels, rng)
    return Sample(mask, sample.subject, sample.source, pixels, normals)  # type: ignore[arg-type]


def collate(modality: Modality, samples: Sequence[Sample]) -> Batch:
    """Stack prepared samples."""

    def stack(name: str) -> Tensor | None:
        first = getattr(samples[0], name)
        if first is None:
            return None
        return torch.from_numpy(np.stack([getattr(s, name) for s in samples])).permute(0, 3, 1, 2)

    mask = torch.from_numpy(np.stack([s.mask for s in samples]))
    return Batch(modality, mask, stack("image"), stack("normals"))


def loader(batches: EpochBatches, workers: int) -> DataLoader[Batch]:
    """Iterate over ``batches`` in order, read by ``workers`` processes (0: by this one)."""
    return DataLoader(batches, batch_size=None, shuffle=False, num_workers=workers)
