"""One-modality batches (3.3): which samples, in which order, augmented how; a pure function of the seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from fnormal.arrays import F32, Bools
from fnormal.datasets.hdf5 import BYTES_A_PIXEL, Dataset, Modality, Sample
from fnormal.errors import FNormalError
from fnormal.faces.masks import hull_mask
from fnormal.geometry.images import resize_image, resize_points
from fnormal.training.augment import (
    mirror_image,
    mirror_normals,
    photometric,
    resize_mask,
    resize_normals,
    rotate_in_plane,
)


@dataclass(frozen=True)
class Batch:
    """Samples of one modality, fnormal's frame; as they are stored until :meth:`to` brings them to a device.

    Attributes:
        modality: Which of image and normals are there.
        mask: True on the face. bool [B, S, S]
        image: RGB, uint8, on its device float32 in [0, 1]. [B, 3, S, S]; None for normals-only batches
        normals: Unit, float16, on their device float32. [B, 3, S, S]; None for image-only batches
    """

    modality: Modality
    mask: Tensor
    image: Tensor | None
    normals: Tensor | None

    def to(self, device: torch.device) -> Batch:
        """The batch on ``device``, single precision, pictures channels-last."""

        def moved(x: Tensor | None) -> Tensor | None:
            if x is None:
                return None
            there = x.to(device, memory_format=torch.channels_last)
            if x.dtype == torch.uint8:
                return there.float() * (1 / 255)
            return there.float() if x.dtype == torch.float16 else there

        return Batch(self.modality, self.mask.to(device), moved(self.image), moved(self.normals))


def parse_mix(mix: str, sets: Sequence[Dataset]) -> tuple[float, ...] | None:
    """Shares of the sets from ``2,1,0.5``; None for ``size``.

    Raises:
        FNormalError: Not one number above 0 a set.
    """
    if mix == "size":
        return None
    try:
        shares = tuple(float(part) for part in mix.split(","))
    except ValueError:
        shares = ()
    if len(shares) != len(sets) or not all(0 < share < math.inf for share in shares):
        names = ", ".join(s.path.name for s in sets)
        raise FNormalError(f"--mix {mix}: give 'size', or a number above 0 for each of {names}")
    return shares


def plan_epoch(
    sizes: Sequence[int], batch_size: int, seed: int, epoch: int, mix: Sequence[float] | None = None
) -> list[tuple[int, npt.NDArray[np.int64]]]:
    """The batches of an epoch: (set, indices) in shuffled order, each of one set, hence one modality.

    Every set is shuffled and cut into whole batches; what is left over waits for another epoch's
    shuffle. A set smaller than a batch gives one batch of what it has. With ``mix`` the number of
    batches stays, and the sets share them in these proportions: a small set is shuffled and cut again
    and again, a large one is not used up.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, epoch]))
    counts = [max(1, size // batch_size) for size in sizes]
    if mix is not None:
        ends = np.rint(sum(counts) * np.cumsum(mix) / np.sum(mix)).astype(int)
        counts = np.diff(ends, prepend=0).tolist()
    batches = []
    for which, (size, count) in enumerate(zip(sizes, counts, strict=True)):
        mine: list[npt.NDArray[np.int64]] = []
        while len(mine) < count:
            order = rng.permutation(size)
            whole = size // batch_size * batch_size or size
            mine += [order[i : i + batch_size] for i in range(0, whole, batch_size)]
        batches += [(which, indices) for indices in mine[:count]]
    return [batches[i] for i in rng.permutation(len(batches))]


class ResizedSamples:
    """Samples of a data set at the network's size, kept in memory as long as ``cache_bytes`` lasts.

    Decoding and shrinking a 256-pixel sample costs as much as a training step of a small network.
    """

    def __init__(self, source: Dataset, size_px: int, cache_bytes: int) -> None:
        self.source, self.size_px = source, size_px
        self._cache: dict[int, Sample] = {}
        self._room = cache_bytes // (size_px * size_px * BYTES_A_PIXEL)

    def __len__(self) -> int:
        """Samples."""
        return len(self.source)

    def __getitem__(self, index: int) -> Sample:
        """Sample ``index``: image uint8, normals float16."""
        if index in self._cache:
            return self._cache[index]
        small = resize_sample(self.source.sample(index, view=False), self.size_px)
        if len(self._cache) < self._room:
            self._cache[index] = small
        return small


class EpochBatches(TorchDataset[Batch]):
    """The batches of one epoch, from ``first`` on, as a map-style data set of whole batches.

    ``share`` is (i, N): of N processes that share every batch, this one takes each N-th sample from
    the i-th.
    """

    def __init__(
        self, sets: Sequence[ResizedSamples], *, batch_size: int, seed: int, epoch: int,
        first: int = 0, augment: bool = True, hull_share: float = 0.0, rotate_deg: float = 0.0,
        mix: Sequence[float] | None = None, share: tuple[int, int] = (0, 1),
    ) -> None:  # fmt: skip
        self.sets, self.augment, self.key = sets, augment, (seed, epoch)
        self.hull_share, self.rotate_deg, self.first, self.share = hull_share, rotate_deg, first, share
        self.plan = plan_epoch([len(s) for s in sets], batch_size, seed, epoch, mix)[first:]

    def __len__(self) -> int:
        """Batches."""
        return len(self.plan)

    def __getitem__(self, position: int) -> Batch:
        """Batch ``position``; what chance does to a sample depends on its place in the epoch alone."""
        which, indices = self.plan[position]
        own, processes = self.share
        samples = []
        for place in range(own, len(indices), processes):
            sample = self.sets[which][int(indices[place])]
            if self.augment:
                key = np.random.SeedSequence([*self.key, self.first + position, place])
                rng = np.random.default_rng(key)
                sample = augment_sample(sample, rng, self.rotate_deg, self.hull_share)
            samples.append(sample)
        return collate(self.sets[which].source.modality, samples)


def resize_sample(sample: Sample, size_px: int) -> Sample:
    """A sample at another size; normals are never blended with the background."""
    mask, normals, image, points = sample.mask, sample.normals, sample.image, sample.landmarks
    side = mask.shape[0]
    if side == size_px:
        return sample
    if normals is not None:
        small, mask = resize_normals(normals.astype(np.float32), mask, size_px)
        normals = small.astype(np.float16)
    else:
        mask = resize_mask(mask, size_px)
    image = None if image is None else resize_image(image, size_px)
    if points is not None:
        points = resize_points(points, size_px / side)
    return replace(sample, mask=mask, normals=normals, image=image, landmarks=points)


def augment_sample(
    sample: Sample, rng: np.random.Generator, rotate_deg: float = 0.0, hull_share: float = 0.0
) -> Sample:
    """Mirror a sample half of the time, turn it by up to +- ``rotate_deg``, change its picture's light.

    A share of them keeps the part of the mask inside the hull of the landmarks, where those are known.
    The result has no landmarks.
    """
    mask, normals, image = sample.mask, sample.normals, sample.image
    if hull_share and rng.random() < hull_share:
        mask = _inside_hull(mask, sample.landmarks)
    if rng.random() < 0.5:
        mask = mirror_image(mask)
        normals = None if normals is None else mirror_normals(normals)
        image = None if image is None else mirror_image(image)
    if rotate_deg:
        angle_deg = rng.uniform(-rotate_deg, rotate_deg)
        image, normals, mask = rotate_in_plane(image, normals, mask, angle_deg)
    if image is not None:
        image = photometric(image, rng)
    return replace(sample, mask=mask, normals=normals, image=image, landmarks=None)


def _inside_hull(mask: Bools, points: F32 | None) -> Bools:
    """The part of a mask in the hull; all of it where landmarks are unknown or lie elsewhere."""
    if points is None or not np.isfinite(points).all():
        return mask
    inside = mask & hull_mask(points, *mask.shape)
    return inside if inside.any() else mask


def collate(modality: Modality, samples: Sequence[Sample]) -> Batch:
    """Stack samples, as they are stored: a quarter and a half of single precision's bytes on their way."""

    def stack(name: str) -> Tensor | None:
        if getattr(samples[0], name) is None:
            return None
        return torch.from_numpy(np.stack([getattr(s, name) for s in samples])).permute(0, 3, 1, 2)

    mask = torch.from_numpy(np.stack([s.mask for s in samples]))
    return Batch(modality, mask, stack("image"), stack("normals"))


def loader(batches: EpochBatches, workers: int) -> DataLoader[Batch]:
    """Iterate over ``batches`` in order, read by ``workers`` processes (0: by this one)."""
    return DataLoader(
        batches, batch_size=None, shuffle=False, num_workers=workers, worker_init_fn=_on_one_core
    )


def _on_one_core(worker: int) -> None:
    """Readers share the machine: OpenCV would start a thread a core in each of them."""
    import cv2

    del worker
    cv2.setNumThreads(1)
