"""Training of some parts alone: what is named learns, all else stays bit for bit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fnormal.datasets.hdf5 import Dataset
from fnormal.errors import FNormalError
from fnormal.network.checkpoint import WeightsInfo, load_weights, save_weights
from fnormal.network.model import CrossModalNet
from fnormal.options.training import TrainOptions
from fnormal.training.loop import train
from tests.conftest import write_set
from tests.helpers import open_sets

SMALL = TrainOptions(epochs=1, batch_size=2, arch="tiny", size_px=64, learning_rate=1e-3, ema=0.5)
ALL = {"image_encoder", "normal_encoder", "normal_decoder", "image_decoder", "detail"}


def changed_parts(sets: list[Dataset], tmp_path: Path, options: TrainOptions, **more: object) -> set[str]:
    """First names of what a run changed in the weights, buffers and all."""
    torch.manual_seed(3)
    model, start, out = CrossModalNet(options.arch), tmp_path / "start.safetensors", tmp_path / "run"
    save_weights(start, model, WeightsInfo(options.arch, size_px=options.size_px))
    list(train(sets, out, options, init=start, **more))  # type: ignore[arg-type]
    after = load_weights(out / "best.safetensors")[0].state_dict()
    before = load_weights(start)[0].state_dict()
    return {name.split(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize(
    ("only", "passes"),
    [
        ("image-encoder", {"image_to_normals"}),
        ("normal-encoder", {"normals_to_normals"}),
        ("image-decoder", {"image_to_image"}),
        ("normal-decoder", {"normals_to_normals", "image_to_normals"}),
        ("normal-encoder, image-decoder", {"normals_to_normals", "image_to_image"}),
    ],
)
def test_what_is_named_learns_and_nothing_else(
    pairs: Path, tmp_path: Path, only: str, passes: set[str]
) -> None:
    options = replace(SMALL, only=only, optimizer="muon")
    moved = changed_parts([Dataset(pairs)], tmp_path, options)
    assert moved == {word.strip().replace("-", "_") for word in only.split(",")}
    first = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[0])
    assert set(first) - {"epoch", "step", "error_deg"} == passes


def test_the_detail_head_learns_alone(pairs: Path, tmp_path: Path) -> None:
    options = replace(SMALL, arch="fine", only="detail", optimizer="muon")
    assert changed_parts([Dataset(pairs)], tmp_path, options) == {"detail"}


def test_without_names_everything_learns(pairs: Path, tmp_path: Path) -> None:
    assert changed_parts([Dataset(pairs)], tmp_path, SMALL) == ALL - {"detail"}


def test_parts_that_learn_nothing_are_refused(pairs: Path, tmp_path: Path) -> None:
    images, normals = (write_set(tmp_path / f"{kind}.h5", 2, 64, kind) for kind in ("images", "normals"))
    with pytest.raises(
        FNormalError, match="no 'detail'; use image-encoder, normal-encoder, normal-decoder, image-decoder"
    ):
        changed_parts([Dataset(pairs)], tmp_path, replace(SMALL, only="detail"))
    with pytest.raises(FNormalError, match="no ''"):
        changed_parts([Dataset(pairs)], tmp_path, replace(SMALL, only=""))
    for sets, only in (([images], "normal-encoder"), ([normals], "image-decoder")):
        with pytest.raises(FNormalError, match=f"--only {only} learns nothing from (images|normals) alone"):
            changed_parts(
                [*open_sets([pairs], [], []), *map(Dataset, sets)], tmp_path, replace(SMALL, only=only)
            )
    with pytest.raises(FNormalError, match="leaves image-to-normals as it is; leave --val out"):
        changed_parts([Dataset(pairs)], tmp_path, replace(SMALL, only="image-decoder"), val=Dataset(pairs))
    with pytest.raises(FNormalError, match="the 'plain' network learns nothing from images alone"):
        list(train([Dataset(images)], tmp_path / "plain", replace(SMALL, ablation="plain", ema=0)))
