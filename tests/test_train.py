from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fnormal.config import ABLATIONS
from fnormal.datasets.batch import NormalsBatch
from fnormal.datasets.hdf5 import Dataset, DatasetWriter, open_pairs
from fnormal.errors import FNormalError
from fnormal.evaluation.scores import baseline_errors, network_errors
from fnormal.network.checkpoint import WeightsInfo, load_weights
from fnormal.options.training import TrainOptions
from fnormal.training.loop import train
from fnormal.training.trainer import Trainer, learning_rate
from tests.conftest import write_set
from tests.helpers import open_sets
from tests.test_augment import face_sample

TINY = TrainOptions(epochs=2, batch_size=2, arch="tiny", size_px=64, learning_rate=1e-3)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(sets: list[Dataset], out: Path, options: TrainOptions, **more: object) -> list[object]:
    return list(train(sets, out, options, **more))  # type: ignore[arg-type]


@pytest.fixture
def three_sets(tmp_path: Path) -> list[Dataset]:
    return open_sets(
        [write_set(tmp_path / "p.h5", 6, 64)],
        [write_set(tmp_path / "i.h5", 4, 64, "images", 1)],
        [write_set(tmp_path / "n.h5", 4, 64, "normals", 2)],
    )


def test_a_tiny_network_overfits_four_pairs(pairs: Path) -> None:
    options = replace(TINY, batch_size=4, learning_rate=4e-3, schedule="one-cycle", cross_modal_every=50)
    trainer = Trainer(replace(options, augment=False), [Dataset(pairs)], None)
    batch, steps = trainer.batches()[0], 450
    for step in range(steps):
        trainer.iterate(batch, step / steps)
    info = WeightsInfo(options.arch, size_px=options.size_px)
    errors = network_errors(trainer.model.eval(), info, Dataset(pairs), batch_size=4)
    free = baseline_errors(Dataset(pairs))["constant normal"]
    assert errors.mean_deg < 5
    assert free.mean_deg > 20, "the task is not trivial"


def test_an_interrupted_run_resumes_exactly(three_sets: list[Dataset], tmp_path: Path) -> None:
    options = replace(TINY, ema=0.9, rotate_deg=20)
    run(three_sets, tmp_path / "whole", options)
    steps = train(three_sets, tmp_path / "cut", options)
    for count, _ in enumerate(steps, 1):
        if count == 4:
            os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(KeyboardInterrupt):
                next(steps)
            break
    assert not (tmp_path / "cut" / "best.safetensors").exists()
    run(three_sets, tmp_path / "cut", options, resume=True)
    whole, cut = (torch.load(tmp_path / name / "last.ckpt", weights_only=True) for name in ("whole", "cut"))
    assert all(torch.equal(whole["model"][k], cut["model"][k]) for k in whole["model"])
    assert all(torch.equal(whole["average"][k], cut["average"][k]) for k in whole["average"])
    ours, theirs = whole["optimizer"]["state"], cut["optimizer"]["state"]
    assert all(torch.equal(ours[i]["exp_avg"], theirs[i]["exp_avg"]) for i in ours)


def test_the_average_is_what_is_validated_and_kept(three_sets: list[Dataset], tmp_path: Path) -> None:
    """With decay d the average after one step is d times the start plus (1 - d) times the step's result."""
    trainer = Trainer(replace(TINY, ema=0.75), three_sets, None)
    batch = trainer.batches()[0]
    trainer.iterate(batch, 0.0)  # the average starts at the first update's weights
    start = {k: v.clone() for k, v in trainer.result.state_dict().items()}
    trainer.paired_steps = 1  # of pairs the second iteration alone, so that one update follows
    trainer.options = replace(trainer.options, cross_modal_every=10)
    trainer.iterate(batch, 0.0)
    now, kept = trainer.model.state_dict(), trainer.result.state_dict()
    name = "normal_decoder.last.weight" if isinstance(batch, NormalsBatch) else "image_decoder.last.weight"
    assert torch.allclose(kept[name], 0.75 * start[name] + 0.25 * now[name], atol=1e-6)
    assert not torch.equal(kept[name], now[name])


def test_one_modality_a_batch_and_its_passes(three_sets: list[Dataset], tmp_path: Path) -> None:
    """Section 3.3: what each kind of batch trains, read from the log."""
    run(three_sets, tmp_path / "run", TINY)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    kinds = [frozenset(set(line) - {"epoch", "step", "error_deg"}) for line in lines if "step" in line]
    assert kinds.count(frozenset({"normals_to_normals", "image_to_normals"})) == 2 * 3
    assert kinds.count(frozenset({"image_to_image"})) == 2 * 2
    assert kinds.count(frozenset({"normals_to_normals"})) == 2 * 2


def test_which_weights_each_batch_moves(three_sets: list[Dataset]) -> None:
    moved: dict[str, set[str]] = {}
    for data in three_sets:
        trainer = Trainer(TINY, [data], None)
        before = {k: v.clone() for k, v in trainer.model.named_parameters()}
        trainer.iterate(trainer.batches()[0], 0.0)
        moved[data.modality] = {
            k.split(".")[0] for k, v in trainer.model.named_parameters() if not torch.equal(v, before[k])
        }
    everything = {"image_encoder", "normal_encoder", "normal_decoder", "image_decoder"}
    assert moved == {
        "pairs": everything,
        "images": {"image_encoder", "image_decoder"},
        "normals": {"normal_encoder", "normal_decoder"},
    }


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_every_ablation_trains(pairs: Path, tmp_path: Path, ablation: str) -> None:
    run([Dataset(pairs)], tmp_path / "run", replace(TINY, epochs=1, ablation=ablation), val=open_pairs(pairs))
    _, info = load_weights(tmp_path / "run" / "best.safetensors")
    assert info.ablation == ablation
    assert 0 < info.figures["val"]["mean_deg"] < 180


def test_defaults_are_the_papers() -> None:
    o = TrainOptions()
    assert (o.epochs, o.learning_rate, o.optimizer, o.schedule) == (40, 1e-4, "adam", "constant")
    assert (o.arch, o.ablation, o.size_px, o.cross_modal_every) == ("paper", "full", 256, 1)
    assert o.gradient_weight == 0
    assert {learning_rate(o, p) for p in (0, 0.5, 0.99)} == {1e-4}


def test_one_cycle_rises_and_falls() -> None:
    o = replace(TINY, schedule="one-cycle", learning_rate=1.0)
    rates = [learning_rate(o, p) for p in np.linspace(0, 1, 101)]
    assert rates[0] == pytest.approx(0.05)
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert np.argmax(rates) == 8


def test_resuming_needs_the_same_settings(three_sets: list[Dataset], tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(three_sets, out, replace(TINY, epochs=1))
    with pytest.raises(FNormalError, match="holds a run already"):
        run(three_sets, out, TINY)
    with pytest.raises(FNormalError, match="another batch_size: 2, not 3"):
        run(three_sets, out, replace(TINY, epochs=1, batch_size=3), resume=True)
    with pytest.raises(FNormalError, match="nothing to resume"):
        run(three_sets, tmp_path / "none", TINY, resume=True)
    good = (out / "last.ckpt").read_bytes()
    (out / "last.ckpt").write_bytes(good[:1000])
    with pytest.raises(FNormalError, match="damaged"):
        run(three_sets, out, replace(TINY, epochs=1), resume=True)


def test_a_loss_that_is_not_finite_stops_with_a_sentence(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(FNormalError, match="lower --lr"):
        run([Dataset(pairs)], tmp_path / "run", replace(TINY, learning_rate=1e30, epochs=9))


def test_sets_of_the_wrong_modality_are_refused(pairs: Path, tmp_path: Path) -> None:
    normals = write_set(tmp_path / "n.h5", 2, 64, "normals")
    with pytest.raises(FNormalError, match="give it as --normals"):
        open_sets([normals], [], [])
    with pytest.raises(FNormalError, match="nothing to train on"):
        open_sets([], [], [])
    with pytest.raises(FNormalError, match="needs image/normal pairs"):
        open_pairs(normals)
    with pytest.raises(FNormalError, match="no multiple of 32"):
        Trainer(replace(TINY, size_px=50), open_sets([pairs], [], []), None)


def test_init_takes_weights_and_refuses_another_network(pairs: Path, tmp_path: Path) -> None:
    run([Dataset(pairs)], tmp_path / "a", replace(TINY, epochs=1))
    best = tmp_path / "a" / "best.safetensors"
    trainer = Trainer(TINY, open_sets([pairs], [], []), best)
    saved = load_weights(best)[0].state_dict()
    assert all(torch.equal(v, saved[k]) for k, v in trainer.model.state_dict().items())
    with pytest.raises(FNormalError, match="set --arch and --ablation"):
        Trainer(replace(TINY, ablation="plain"), open_sets([pairs], [], []), best)


def test_a_run_counts_where_its_options_say(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "faces.h5", "pairs", 64, config={}, licence="test")
    writer.append([face_sample(), face_sample()])
    writer.finish()

    def area(share: float) -> float:
        options = replace(TINY, hull_share=share)
        return float(
            Trainer(options, [Dataset(tmp_path / "faces.h5")], None).batches()[0].mask.float().mean()
        )

    assert area(0) == 1
    assert area(1) == pytest.approx(np.pi / 16, rel=0.06)


def test_the_normal_loss_of_a_run_is_its_options(pairs: Path) -> None:
    found = {}
    for kind in ("cosine", "angle"):
        trainer = Trainer(replace(TINY, normal_loss=kind), [Dataset(pairs)], None)  # type: ignore[arg-type]
        found[kind] = trainer.iterate(trainer.batches()[0], 0.5)["normals_to_normals"]
    # 1 - cos is half the square of the distance of unit vectors: E[d^2] / 2 >= E[d]^2 / 2
    assert found["angle"] ** 2 / 2 <= found["cosine"] + 1e-4
    assert found["angle"] > found["cosine"]


READ_BESIDE_OPENCV = """
import sys
from pathlib import Path
import cv2
import numpy as np
from fnormal.datasets.hdf5 import Dataset
from fnormal.training.batches import EpochBatches, ResizedSamples, loader
cv2.setNumThreads(4)
cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.float32), (0, 0), 5)
batches = EpochBatches([ResizedSamples(Dataset(Path(sys.argv[1])), 32)], batch_size=2, seed=1, epoch=0)
print(len(list(loader(batches, 1))))
"""


def test_readers_do_not_wait_for_the_threads_of_their_parent(tmp_path: Path) -> None:
    """OpenCV's threads, at work in validation, are not there in a process that is forked after it."""
    command = [sys.executable, "-c", READ_BESIDE_OPENCV, str(write_set(tmp_path / "pairs.h5", 4, 32))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout == "2\n", done.stderr
