"""Networks and methods side by side: ablations, rows, reports, sheets, TensorBoard."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from fnormal.commands.ablate import NAMES, usable
from fnormal.config import ABLATIONS
from fnormal.datasets.hdf5 import Dataset, open_pairs
from fnormal.errors import FNormalError
from fnormal.evaluation.pictures import error_picture, grid
from fnormal.evaluation.predictions import file_predictions
from fnormal.evaluation.report import page
from fnormal.evaluation.scores import score
from fnormal.network.checkpoint import WeightsInfo, save_weights
from fnormal.network.model import CrossModalNet
from fnormal.options.training import TrainOptions
from fnormal.training.batches import parse_mix, plan_epoch
from fnormal.training.loop import train
from fnormal.training.tensorboard import TensorBoard
from tests.conftest import write_set
from tests.helpers import open_sets, run
from tests.test_evaluate import write_maps

TINY = TrainOptions(epochs=1, batch_size=2, arch="tiny", size_px=32)


def weights(path: Path, arch: str = "tiny") -> Path:
    save_weights(path, CrossModalNet(arch), WeightsInfo(arch, size_px=64))
    return path


def test_ablate_trains_four_networks_and_prints_the_table(tmp_path: Path) -> None:
    pairs, test = write_set(tmp_path / "p.h5", 4, 32), write_set(tmp_path / "t.h5", 2, 32, seed=5)
    normals = write_set(tmp_path / "n.h5", 2, 32, "normals")
    arguments = (
        "ablate", "--pairs", pairs, "--normals", normals, "--test", test, "--arch", "tiny", "--size", 32,
        "--epochs", 1, "--batch-size", 2, "--seeds", 2, "--out", tmp_path / "out",
    )  # fmt: skip
    code, stdout, stderr = run(*arguments, "--json")
    assert code == 0, stderr
    rows = [json.loads(line) for line in stdout.splitlines()]
    assert [row["network"] for row in rows] == list(NAMES.values())
    assert {re.sub(r"-\d$", "", p.name) for p in (tmp_path / "out").iterdir()} == set(ABLATIONS)
    for row in rows:
        assert row["mean_deg"] == pytest.approx(np.mean(row["seed_means_deg"]))
        assert len(set(row["seed_means_deg"])) == 2, "seeds differ"
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*/best.safetensors")}
    code, stdout, _ = run(*arguments, "--table", "markdown")
    assert code == 0
    assert "| w/o E_N, D_I (Fig. 6d) |" in stdout
    assert before == {p: p.stat().st_mtime_ns for p in before}, "what is there is not trained again"


def test_ablations_see_the_pairs_equally_often_and_what_they_have_branches_for(tmp_path: Path) -> None:
    sets = open_sets(
        [write_set(tmp_path / "p.h5", 2, 32)],
        [write_set(tmp_path / "i.h5", 2, 32, "images")],
        [write_set(tmp_path / "n.h5", 2, 32, "normals")],
    )
    seen = {name: "".join(data.modality[0] for data in usable(sets, name)) for name in NAMES}
    assert seen == {"full": "pin", "no-skip": "pin", "no-normal-encoder": "pi", "plain": "p"}
    code, _, stderr = run(
        "ablate", "--normals", tmp_path / "n.h5", "--test", tmp_path / "p.h5", "--out", tmp_path
    )
    assert (code, "give --pairs" in stderr) == (1, True)


def test_mix_shares_the_batches_and_size_takes_all_once() -> None:
    plan = plan_epoch([100, 20], 10, seed=1, epoch=0)
    assert Counter(which for which, _ in plan) == {0: 10, 1: 2}
    mixed = plan_epoch([100, 20], 10, seed=1, epoch=0, mix=(1, 2))
    assert Counter(which for which, _ in mixed) == {0: 4, 1: 8}
    small = Counter(int(i) for which, indices in mixed if which == 1 for i in indices)
    assert set(small.values()) == {4}, "the small set goes round evenly"
    large = [int(i) for which, indices in mixed if which == 0 for i in indices]
    assert len(set(large)) == 40


def test_mix_is_checked(tmp_path: Path) -> None:
    sets = open_sets(
        [write_set(tmp_path / "p.h5", 2, 32)], [], [write_set(tmp_path / "n.h5", 2, 32, "normals")]
    )
    assert parse_mix("size", sets) is None
    assert parse_mix("2,0.5", sets) == (2, 0.5)
    for wrong in ("2", "1,2,3", "1,-1", "1,inf", "half"):
        with pytest.raises(FNormalError, match=r"each of p\.h5, n\.h5"):
            parse_mix(wrong, sets)


def test_rows_compare_networks(pairs: Path, tmp_path: Path) -> None:
    names = [weights(tmp_path / name / "best.safetensors") for name in ("one", "two")]
    code, stdout, _ = run("eval", pairs, "--weights", names[0], "--compare", names[0], "--compare", names[1])
    lines = [line.split("\t") for line in stdout.splitlines()]
    assert code == 0
    assert [line[0] for line in lines[:3]] == ["best", "one", "two"]
    assert lines[0][1:] == lines[1][1:] != lines[2][1:]


def test_the_report_needs_nothing_beside_it_and_tells_the_figures(pairs: Path, tmp_path: Path) -> None:
    folder = write_maps(Dataset(pairs), tmp_path / "<mine>", "opengl", tilt_deg=12)
    code, stdout, stderr = run("eval", pairs, "--predictions", folder, "--report", tmp_path / "page")
    assert code == 0, stderr
    assert stdout.splitlines()[-1] == str(tmp_path / "page" / "index.html")
    text = (tmp_path / "page" / "index.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:)", text), "self-contained"
    assert "&lt;mine&gt;" in text
    assert "<mine>" not in text
    mean, std = stdout.split("\t")[1:3]
    assert f"{mean} ± {std}" in text
    assert text.count("data:image/png;base64,") == 2
    assert text.count("<svg") == text.count("</svg>") == 2


def test_best_and_worst_faces_are_the_best_and_the_worst(tmp_path: Path) -> None:
    data = Dataset(write_set(tmp_path / "p.h5", 9, 32))
    folder = write_maps(data, tmp_path / "maps", "opengl")
    for i in range(9):
        path = folder / f"{i:06d}.npy"
        tilt = np.radians(5.0 * i)
        turn = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
        np.save(path, np.load(path) @ turn.T)
    gallery = score(file_predictions(folder, data, None)).gallery
    assert gallery.means_deg == sorted(gallery.means_deg)
    assert [index for _, index, _ in sorted(gallery._worst, reverse=True)] == [8, 7, 6, 5, 4, 3]
    assert [index for _, index, _ in sorted(gallery._best, reverse=True)] == [0, 1, 2, 3, 4, 5]
    assert gallery.pixel_counts.sum() == sum(int(data[i].mask.sum()) for i in range(9))
    scores = score(file_predictions(folder, data, None))
    assert "try --frame" in page("m", "d", {}, scores.breakdown, gallery, "try --frame x")


def test_error_colours_rise_with_the_error_and_are_black_outside() -> None:
    mask = np.ones((1, 4), bool)
    mask[0, 3] = False
    colours = error_picture(np.array([0.0, 20, 90]), mask).astype(int).sum(axis=-1)
    assert colours[0, 0] < colours[0, 1] < colours[0, 2]
    assert colours[0, 3] == 0


def test_a_grid_puts_pictures_where_their_titles_are() -> None:
    red, blue = (np.full((8, 8, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    sheet = grid([[red, blue], [blue, red]], ["a very long title that does not fit", "b"], 40)
    assert sheet.shape[1] == 80
    cells = sheet[-80:].reshape(2, 40, 2, 40, 3)[:, 20, :, 20]
    assert cells.tolist() == [[[255, 0, 0], [0, 0, 255]], [[0, 0, 255], [255, 0, 0]]]


def test_a_sheet_of_a_set_has_every_method(pairs: Path, tmp_path: Path) -> None:
    maps = write_maps(Dataset(pairs), tmp_path / "perfect", "opencv")
    files = [weights(tmp_path / f"{name}.safetensors") for name in "ab"]
    code, stdout, stderr = run(
        "sheet", pairs, "--weights", files[0], "--weights", files[1], "--predictions", maps,
        "--frame", "opencv", "--count", 2, "--size", 64, "--out", tmp_path / "sheet.png",
    )  # fmt: skip
    assert code == 0, stderr
    assert stdout.strip() == str(tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (22 + 2 * 64, 8 * 64, 3)
    truth, perfect, error = (sheet[22 + 64 + 20 :, column * 64 : (column + 1) * 64] for column in (1, 6, 7))
    assert np.abs(truth.astype(int) - perfect).max() <= 1
    assert error.max() < 30, "a perfect map has no error"
    code, _, stderr = run("sheet", pairs, "x.jpg", "--out", tmp_path / "s.png")
    assert (code, "not of both" in stderr) == (1, True)


def test_a_sheet_of_photos_takes_others_maps_by_name(astronaut: Path, tmp_path: Path) -> None:
    assert run("predict", astronaut, "--out", tmp_path / "theirs")[0] == 0
    code, _, stderr = run(
        "sheet", astronaut, "--predictions", tmp_path / "theirs", "--size", 128, "--out", tmp_path / "s.png"
    )
    assert code == 0, stderr
    sheet = np.asarray(Image.open(tmp_path / "s.png")).astype(int)
    assert sheet.shape == (22 + 128, 3 * 128, 3)
    ours, theirs = sheet[22:, 128:256], sheet[22:, 256:]
    assert np.abs(ours - theirs).mean() < 1
    (tmp_path / "empty").mkdir()
    code, _, stderr = run(
        "sheet", astronaut, "--predictions", tmp_path / "empty", "--out", tmp_path / "s2.png"
    )
    assert (code, "has no astronaut_normals" in stderr) == (1, True)


def test_tensorboard_gets_curves_and_pictures(pairs: Path, tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    steps = train(
        [Dataset(pairs)],
        tmp_path / "run",
        TINY,
        val=open_pairs(pairs),
        tensorboard=TensorBoard(tmp_path / "run" / "tensorboard"),
    )
    assert list(steps)
    events = event_accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert {"image_to_normals", "error_deg", "images_per_s", "val_mean_deg"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("error_deg")] == [1, 2]
    assert events.Tags()["images"] == ["validation"]
    assert (events.Images("validation")[0].width, events.Images("validation")[0].height) == (
        4 * 192,
        22 + 4 * 192,
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch's own innards
def test_a_compiled_network_trains_alike(pairs: Path, tmp_path: Path) -> None:
    for name, compiled in (("plain", False), ("compiled", True)):
        list(train([Dataset(pairs)], tmp_path / name, replace(TINY, compile=compiled)))
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("plain", "compiled")]
    for one, other in zip(*logs, strict=True):
        assert json.loads(other) == pytest.approx(json.loads(one), rel=2e-2)


def test_normals_that_are_no_numbers_and_empty_masks_are_named(tmp_path: Path) -> None:
    empty, broken = write_set(tmp_path / "empty.h5", 3, 32), write_set(tmp_path / "nan.h5", 3, 32)
    with h5py.File(empty, "r+") as file:
        file["mask"][1] = 0
    with h5py.File(broken, "r+") as file:
        file["normals"][2, 5, 5, 0] = np.nan
    code, stdout, stderr = run("eval", empty)
    assert (code, stdout) == (1, "")
    assert "the mask of sample 1 (scan1) is empty" in stderr
    for more in ((), ("--arch", "tiny", "--size", 32, "--out", tmp_path / "run")):
        code, _, stderr = run(*(("train", "--pairs") if more else ("eval",)), broken, *more)
        assert code == 1
        assert "nan.h5 has normals that are no numbers in sample 2" in stderr
    assert not (tmp_path / "run" / "last.ckpt").exists()
