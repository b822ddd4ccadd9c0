"""What one training run is: its state, and the iterations of one batch (section 3.3)."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fnormal.config import ARCHS
from fnormal.datasets.batch import Batch, ImageBatch, NormalsBatch, PairBatch, collate
from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.resize import resize_sample
from fnormal.datasets.sample import Sample
from fnormal.errors import FNormalError
from fnormal.files.opening import CHECKPOINT, check_file, decoding
from fnormal.files.writing import write_bytes
from fnormal.network.authors import load_imagenet
from fnormal.network.checkpoint import load_weights
from fnormal.network.fast.layers import accelerate
from fnormal.network.model import CrossModalNet
from fnormal.network.vectors import length
from fnormal.options.training import TrainOptions
from fnormal.render.environment import read_environments
from fnormal.training import parallel
from fnormal.training.batches import EpochBatches, ResizedSamples, parse_mix, share_memory
from fnormal.training.consistency import ConsistencyBatch, consistency_loss
from fnormal.training.losses import confidence_loss, gradient_loss, image_loss, mean_error_deg, normal_loss
from fnormal.training.optimizer import learning_rate, make_optimizer
from fnormal.training.parts import check_sets, freeze_others, learning_passes

# a resumed run may differ in these
_FREE_TO_CHANGE = {"epochs", "workers", "cache_gb", "precision", "compile", "save_every"}


class Trainer:
    """The state of a run: everything that :meth:`save` writes and an exact resume needs."""

    def __init__(
        self, options: TrainOptions, sets: Sequence[Dataset[Sample]], init: Path | None,
        encoder_weights: str | None = None, device: str = "cpu",
    ) -> None:  # fmt: skip
        stride_px = ARCHS[options.arch].stride_px
        if options.size_px % stride_px:
            raise FNormalError(
                f"--size {options.size_px} is no multiple of {stride_px}, as --arch {options.arch} needs"
            )
        smallest = min([options.batch_size, *(len(s) for s in sets)])
        if smallest < parallel.world():
            raise FNormalError(
                f"{parallel.world()} processes cannot share a batch of {smallest}; start fewer of them"
            )
        self.mix = parse_mix(options.mix, sets)
        torch.manual_seed(options.seed)
        self.options = options
        whole = options.augment and max(options.reframe_share, options.relight_share) > 0
        self.sets = [
            ResizedSamples(
                s, options.size_px, unlit=options.augment and options.relight_share > 0,
                whole=whole or (s.modality == "images" and options.consistency_weight > 0),
            )
            for s in sets
        ]  # fmt: skip
        share_memory(self.sets, int(options.cache_gb * 2**30))
        if options.consistency_weight and not options.ema:
            raise FNormalError("--consistency-weight compares with averaged weights: set --ema, such as 0.99")
        self.maps = () if options.environments is None else read_environments(options.environments)
        self.model = CrossModalNet(options.arch, options.ablation)
        accelerate(self.model)
        if init is not None:
            self._start_from(init)
        elif encoder_weights is not None:
            load_imagenet(self.model, encoder_weights)
        freeze_others(self.model, options.only)
        self.learning = learning_passes(self.model)
        check_sets(sets, self.learning, options)
        self.device = torch.device(device)
        self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.passes = self._ready_passes()
        self.optimizer = make_optimizer(self.model, options)
        self.average: AveragedModel | None = None
        if options.ema:
            decay = get_ema_multi_avg_fn(options.ema)  # type: ignore[no-untyped-call]
            self.average = AveragedModel(self.model, multi_avg_fn=decay, use_buffers=True)
        self.epoch = self.step = self.paired_steps = 0  # step counts inside the epoch
        self.best_deg = math.inf

    def _ready_passes(self) -> Callable[..., Any]:
        """The network's passes by name, compiled or shared with other processes where that is asked."""
        passes: nn.Module = self.model
        if parallel.world() > 1:
            passes = parallel.synced(self.model, self.device.type)
        if self.options.compile:
            for part in self.model.children():
                part.compile()
        return passes

    def _start_from(self, init: Path) -> None:
        model, info = load_weights(init)
        trunk, wanted = (replace(a, name="", detail=0) for a in (model.arch, self.model.arch))
        if (
            trunk != wanted
            or info.ablation != self.options.ablation
            or model.arch.detail > self.model.arch.detail
        ):
            raise FNormalError(
                f"{init} is a {info.arch}/{info.ablation} network, not"
                f" {self.options.arch}/{self.options.ablation}; set --arch and --ablation"
            )
        self.model.load_state_dict({**self.model.state_dict(), **model.state_dict()})
        learns_length = self.options.confidence_weight > 0 and not info.sure
        if learns_length or model.arch.detail < self.model.arch.detail:
            self._level()

    @torch.no_grad()
    def _level(self) -> None:
        """Scale raw normals to a mean length of 1; so far it said nothing. Directions stay."""
        pairs = [s for s in self.sets if s.source.modality == "pairs"]
        if not pairs:
            return
        samples = [resize_sample(pairs[0][i], self.options.size_px) for i in pairs[0].source.spread(16)]
        batch = collate("pairs", samples).to(torch.device("cpu"))
        assert isinstance(batch, PairBatch)
        self.model.eval()
        mean = length(self.model.image_to_normals(batch.image))[batch.mask].mean()
        last = self.model.normal_decoder.last
        for part in (last.weight, last.bias):
            if part is not None:
                part /= mean

    @property
    def result(self) -> CrossModalNet:
        """What is validated and kept: the moving average of the weights where there is one."""
        if self.average is None:
            return self.model
        return cast(CrossModalNet, self.average.module)

    def batches(self) -> EpochBatches:
        """What is left of the current epoch."""
        o = self.options
        return EpochBatches(
            self.sets, batch_size=o.batch_size, seed=o.seed, epoch=self.epoch, first=self.step,
            augment=o.augment, hull_share=o.hull_share, rotate_deg=o.rotate_deg,
            reframe_share=o.reframe_share, relight_share=o.relight_share, cover=o.cover,
            two_frames=o.consistency_weight > 0, maps=self.maps, mix=self.mix,
            share=(parallel.rank(), parallel.world()),
        )  # fmt: skip

    def iterate(self, batch: Batch, progress: float) -> dict[str, float]:
        """The iterations of one batch (3.3); ``progress`` in [0, 1) sets the learning rate.

        Returns:
            Losses by pass, and ``error_deg`` of the image-to-normals pass.
        """
        batch = batch.to(self.device)
        rate = learning_rate(self.options, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if isinstance(batch, PairBatch):
            return self._iterate_pairs(batch)
        if isinstance(batch, ConsistencyBatch):
            return self._iterate_two_frames(batch)
        if isinstance(batch, ImageBatch):
            return {"image_to_image": self._auto_encode_image(batch)}
        assert isinstance(batch, NormalsBatch)
        return {"normals_to_normals": self._auto_encode_normals(batch)}

    def _iterate_two_frames(self, batch: ConsistencyBatch) -> dict[str, float]:
        """Image-to-normals in a random frame against the averaged network in the paper's crop."""
        with self._precision():
            raw = self.passes("image_to_normals", batch.image)
            loss = self.options.consistency_weight * consistency_loss(raw, batch, self.result)
        return {"consistency": self._update(loss)}

    def _iterate_pairs(self, batch: PairBatch) -> dict[str, float]:
        """Normals-to-normals, then image-to-normals plus image-to-image (3.3)."""
        auto = self.paired_steps % self.options.cross_modal_every == 0
        self.paired_steps += 1
        values: dict[str, float] = {}
        if auto and "normals_to_normals" in self.learning:
            values["normals_to_normals"] = self._auto_encode_normals(batch)
        image_to_image = auto and "image_to_image" in self.learning
        if "image_to_normals" not in self.learning:
            if image_to_image:
                values["image_to_image"] = self._auto_encode_image(batch)
            return values
        batch = replace(batch, normals=batch.normals.contiguous())  # sums over planes are quicker
        with self._precision():
            loss, raw = self._paired_loss(batch, image_to_image=image_to_image)
            error_deg = mean_error_deg(raw, batch.normals, batch.mask)
        values["error_deg"] = _mean_over_processes(error_deg)
        values["image_to_normals"] = self._update(loss)
        return values

    def _auto_encode_image(self, batch: ImageBatch) -> float:
        with self._precision():
            loss = image_loss(self.passes("image_to_image", batch.image), batch.image, batch.mask)
        return self._update(loss)

    def _auto_encode_normals(self, batch: NormalsBatch) -> float:
        with self._precision():
            raw = self.passes("normals_to_normals", batch.normals)
            loss = normal_loss(raw, batch.normals, batch.mask, self.options.normal_loss)
        return self._update(loss)

    def _paired_loss(self, batch: PairBatch, *, image_to_image: bool) -> tuple[Tensor, Tensor]:
        """Image-to-normals plus image-to-image, summed with equal weights (3.3); and the raw normals."""
        if image_to_image:
            raw, pred_image = self.passes("image_to_both", batch.image)
        else:
            raw = self.passes("image_to_normals", batch.image)
        raw = raw.float().contiguous()
        loss = normal_loss(raw, batch.normals, batch.mask, self.options.normal_loss)
        if image_to_image:
            loss = loss + image_loss(pred_image, batch.image, batch.mask)
        if self.options.gradient_weight:
            loss = loss + self.options.gradient_weight * gradient_loss(raw, batch.normals, batch.mask)
        if self.options.confidence_weight:
            sure = confidence_loss(raw, batch.normals, batch.mask)
            loss = loss + self.options.confidence_weight * sure
        return loss, raw

    def _precision(self) -> torch.autocast:
        bf16 = self.options.precision == "bf16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=bf16)

    def _update(self, loss: Tensor) -> float:
        """One optimiser step on the loss; a loss that is not finite stops the run."""
        value = _mean_over_processes(loss)
        if not math.isfinite(value):
            raise FNormalError(
                f"the loss became {value} in epoch {self.epoch + 1}; lower --lr and --resume from the"
                " last checkpoint"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)  # far above the usual norm of ~0.5
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return value

    def save(self, path: Path) -> None:
        """Write everything a resume needs, whole or not at all."""
        state = {
            "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch, "step": self.step, "paired_steps": self.paired_steps,
            "average": None if self.average is None else self.average.state_dict(),
            "best_deg": self.best_deg, "options": json.dumps(_comparable(self.options, self.sets)),
        }  # fmt: skip
        buffer = io.BytesIO()  # torch's own writer dies of a full disk with an error of its innards
        torch.save(state, buffer)
        write_bytes(path, buffer.getvalue())

    def load(self, path: Path) -> None:
        """Go on from :meth:`save`'s file.

        Raises:
            FNormalError: No such file, damaged, or of a run with other settings.
        """
        if not path.is_file():
            raise FNormalError(f"nothing to resume: {path} does not exist; leave --resume out")
        check_file(path, CHECKPOINT)
        with decoding(path, CHECKPOINT):
            state = torch.load(path, map_location=self.device, weights_only=True)
            was, now = json.loads(state["options"]), _comparable(self.options, self.sets)
        was = {**TrainOptions().as_json(), **was}  # older than an option: trained with its default
        changed = sorted(k for k in now if was.get(k) != now[k])
        if changed:
            raise FNormalError(
                f"{path} was trained with another {changed[0]}: {was.get(changed[0])}, not"
                f" {now[changed[0]]}; use the same settings or another --out"
            )
        with decoding(path, CHECKPOINT):
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            self.epoch, self.step = int(state["epoch"]), int(state["step"])
            self.paired_steps, self.best_deg = int(state["paired_steps"]), float(state["best_deg"])
        if not all(bool(torch.isfinite(value).all()) for value in self.model.state_dict().values()):
            raise FNormalError(f"{path} holds weights that are no numbers; {CHECKPOINT.remedy}")


def _mean_over_processes(value: Tensor) -> float:
    return float(parallel.total(value.detach())) / parallel.world()


def _comparable(options: TrainOptions, sets: Sequence[ResizedSamples]) -> dict[str, Any]:
    settings = {k: v for k, v in options.as_json().items() if k not in _FREE_TO_CHANGE}
    return {**settings, "sets": [[s.source.path.name, len(s)] for s in sets]}
