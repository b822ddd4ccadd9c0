"""One-modality batches (3.3): which samples, in which order, augmented how; a pure function of the seed."""

from __future__ import annotations

import math
import signal
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from fnormal.datasets.batch import Batch, collate
from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.resize import resize_sample
from fnormal.datasets.sample import BYTES_A_PIXEL, UNLIT_BYTES_A_PIXEL, ImageSample, Pair, Sample
from fnormal.errors import FNormalError
from fnormal.render.environment import EnvironmentMap
from fnormal.training.augment import as_shown, augment_sample
from fnormal.training.cache import SampleCache, slot_bytes
from fnormal.training.consistency import ConsistencyBatch, consistency_batch, two_frames
from fnormal.training.cover import cover as cover_face
from fnormal.training.framing import frame_usual, reframe
from fnormal.training.relight import relight

_LIT_PX = 1.6  # side of what is lit for each pixel of the network: the paper's crop of a wide sample is sharp


def parse_mix(mix: str, sets: Sequence[Dataset[Sample]]) -> tuple[float, ...] | None:
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
    """Samples of a data set at the network's size, or ``whole``; see also :func:`share_memory`.

    Decoding and shrinking a 256-pixel sample costs as much as a training step of a small network; so does
    lighting a sample that is much larger than what the network is shown of it.
    """

    def __init__(
        self, source: Dataset[Sample], size_px: int, *, whole: bool = False, unlit: bool = False
    ) -> None:
        self.source, self.size_px, self._unlit = source, size_px, unlit and source.unlit
        self._side_px = source.size_px if whole else size_px
        if self._unlit:
            self._side_px = min(self._side_px, round(_LIT_PX * size_px))
        bytes_a_pixel = BYTES_A_PIXEL + UNLIT_BYTES_A_PIXEL * self._unlit
        self.picture_bytes = self._side_px * self._side_px * bytes_a_pixel
        self.cache = SampleCache(0, 0)

    def __len__(self) -> int:
        """Samples."""
        return len(self.source)

    def __getitem__(self, index: int) -> Sample:
        """Sample ``index``: image uint8, normals float16."""
        kept = self.cache.get(index)
        if kept is not None:
            return kept
        stored = self.source.sample(index, view=False, unlit=self._unlit)
        small = resize_sample(stored, self._side_px)
        self.cache.put(index, small)
        return small


def share_memory(sets: Sequence[ResizedSamples], total_bytes: int) -> None:
    """Let sets keep what they decode in ``total_bytes``, each the same share of its samples."""
    wanted = sum(len(s) * slot_bytes(s.picture_bytes) for s in sets)
    for s in sets:
        s.cache = SampleCache(min(len(s), len(s) * total_bytes // wanted), s.picture_bytes)


class EpochBatches(TorchDataset[Batch]):
    """The batches of one epoch, from ``first`` on, as a map-style data set of whole batches.

    ``share`` is (i, N): of N processes that share every batch, this one takes each N-th sample from
    the i-th.
    """

    def __init__(
        self, sets: Sequence[ResizedSamples], *, batch_size: int, seed: int, epoch: int,
        first: int = 0, augment: bool = True, hull_share: float = 0.0, rotate_deg: float = 0.0,
        reframe_share: float = 0.0, relight_share: float = 0.0, cover: bool = False, two_frames: bool = False,
        maps: Sequence[EnvironmentMap] = (), mix: Sequence[float] | None = None,
        share: tuple[int, int] = (0, 1),
    ) -> None:  # fmt: skip
        self.sets, self.augment, self.key, self.reframe_share = sets, augment, (seed, epoch), reframe_share
        self.relight_share, self.two_frames, self.maps, self.cover = relight_share, two_frames, maps, cover
        self.hull_share, self.rotate_deg, self.first, self.share = hull_share, rotate_deg, first, share
        self.plan = plan_epoch([len(s) for s in sets], batch_size, seed, epoch, mix)[first:]

    def __len__(self) -> int:
        """Batches."""
        return len(self.plan)

    def __getitem__(self, position: int) -> Batch:
        """Batch ``position``; what chance does to a sample depends on its place in the epoch alone."""
        which, indices = self.plan[position]
        own, processes = self.share
        modality = self.sets[which].source.modality
        if modality == "images" and self.two_frames:
            return self._in_two_frames(position)
        samples = []
        for place in range(own, len(indices), processes):
            sample = self.sets[which][int(indices[place])]
            if self.augment:
                rng = self._rng(position, place)
                if self.relight_share:
                    sample = self._lit(sample, rng)
                if self.cover and isinstance(sample, Pair) and sample.known_landmarks is not None:
                    sample = cover_face(sample, rng)
                if self.reframe_share or self.relight_share:
                    sample = self._framed(sample, self.sets[which].size_px, rng)
                sample = augment_sample(sample, rng, self.rotate_deg, self.hull_share)
            if isinstance(sample, ImageSample):
                sample = replace(sample, image=as_shown(sample.image))
            samples.append(sample)
        return collate(modality, samples)

    def _rng(self, position: int, place: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([*self.key, self.first + position, place]))

    def _in_two_frames(self, position: int) -> ConsistencyBatch:
        """A batch of pictures alone for the consistency loss."""
        which, indices = self.plan[position]
        own, processes = self.share
        pairs = []
        for place in range(own, len(indices), processes):
            sample = self.sets[which][int(indices[place])]
            assert isinstance(sample, ImageSample), "a set of images"
            if sample.known_landmarks is None:
                raise FNormalError(
                    f"{self.sets[which].source.path} lacks landmarks, which --consistency-weight needs;"
                    " import it again"
                )
            pairs.append(
                two_frames(sample, self.sets[which].size_px, self._rng(position, place), cover=self.cover)
            )
        return consistency_batch(pairs)

    def _lit(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """A sample in a new light, or in its own."""
        if isinstance(sample, Pair) and sample.albedo is not None and rng.random() < self.relight_share:
            return relight(sample, rng, self.maps)
        return sample

    def _framed(self, sample: Sample, size_px: int, rng: np.random.Generator) -> Sample:
        """A sample in a random frame or in the paper's crop; without landmarks or new frames in its own."""
        if self.reframe_share and sample.known_landmarks is not None:
            cut_anew = reframe if rng.random() < self.reframe_share else frame_usual
            cut = cut_anew(sample, size_px, rng)
            if cut.mask.any():
                return cut
        return resize_sample(sample, size_px)


def loader(batches: EpochBatches, workers: int) -> DataLoader[Batch]:
    """Iterate over ``batches`` in order, read by ``workers`` processes (0: by this one).

    OpenCV would start a thread a core in each of them. It is told here: a process that was forked from one
    whose threads were at work waits for them for ever.
    """
    import cv2

    if workers:
        cv2.setNumThreads(1)
    return DataLoader(
        batches, batch_size=None, shuffle=False, num_workers=workers, worker_init_fn=_start_worker
    )


def _start_worker(worker: int) -> None:
    """Readers leave it to the first process to stop in order.

    A scheduler's signal goes to every process of a job: a reader that died of it would take the batch and the
    checkpoint of that moment with it.
    """
    del worker
    for which in (signal.SIGTERM, signal.SIGINT):
        signal.signal(which, signal.SIG_IGN)
