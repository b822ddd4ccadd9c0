"""The same truths on a GPU; `pytest -m cuda` where there is one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fnormal.datasets.hdf5 import Dataset, open_pairs
from fnormal.geometry.normals import angular_error_deg
from fnormal.network.inference import ready_to_run
from fnormal.network.model import CrossModalNet
from fnormal.options.training import TrainOptions
from fnormal.training.loop import train
from fnormal.training.trainer import Trainer

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU"),
]
TINY = TrainOptions(epochs=2, batch_size=2, arch="tiny", size_px=64, learning_rate=1e-3)


@pytest.mark.parametrize("passes", ["image_to_normals", "normals_to_normals", "image_to_image"])
def test_passes_are_those_of_the_cpu(passes: str) -> None:
    torch.manual_seed(0)
    model, x = CrossModalNet("lite").eval(), torch.rand(2, 3, 128, 128)
    with torch.inference_mode():
        expected = getattr(model, passes)(x)
        actual = getattr(ready_to_run(model).cuda(), passes)(x.cuda()).cpu()
    assert (actual - expected).abs().max() < 2e-3 * float(expected.abs().max()), "TF32 is allowed to convolve"


def test_gradients_are_those_of_the_cpu(pairs: Path) -> None:
    found = []
    for device in ("cpu", "cuda"):
        trainer = Trainer(replace(TINY, gradient_weight=0.3), [Dataset(pairs)], None, device=device)
        trainer.paired_steps, trainer.options = 1, replace(trainer.options, cross_modal_every=2)
        trainer.iterate(trainer.batches()[0], 0.5)
        grads = [p.grad.flatten().cpu() for p in trainer.model.parameters() if p.grad is not None]
        found.append(torch.cat(grads))
    cosine = torch.nn.functional.cosine_similarity(*found, dim=0)
    assert cosine > 0.999


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "muon"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_resumes_and_its_weights_run_on_the_cpu(
    pairs: Path, tmp_path: Path, optimizer: str, precision: str
) -> None:
    options = replace(TINY, optimizer=optimizer, precision=precision)  # type: ignore[arg-type]
    first = train([Dataset(pairs)], tmp_path / "run", options, val=open_pairs(pairs))
    for _ in range(4):  # two batches, the validation, a batch of the second epoch
        next(first)
    first.close()
    assert (tmp_path / "run" / "last.ckpt").is_file(), "an epoch leaves a checkpoint"
    steps = list(train([Dataset(pairs)], tmp_path / "run", options, val=open_pairs(pairs), resume=True))
    assert steps[-1].written[0].is_file()


def test_bf16_changes_predictions_little() -> None:
    torch.manual_seed(0)
    model, x = CrossModalNet("lite").eval().cuda(), torch.rand(1, 3, 128, 128).cuda()
    with torch.inference_mode():
        exact = model.image_to_normals(x)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            rough = model.image_to_normals(x)
    as_arrays = [np.moveaxis(n.float().cpu().numpy(), 1, -1) for n in (exact, rough)]
    assert angular_error_deg(*as_arrays).mean() < 1
