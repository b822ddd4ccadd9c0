"""Values that cannot be, in files and in options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from fnormal.cli.app import COMMANDS
from fnormal.cli.signature import parameters
from fnormal.errors import FNormalError
from fnormal.files.opening import LAYOUT, read_npy
from fnormal.geometry.normal_maps import read_normals
from fnormal.network.checkpoint import WeightsInfo, load_weights, save_weights
from fnormal.network.model import CrossModalNet
from tests.conftest import write_set
from tests.helpers import run
from tests.test_hostile import refused


@pytest.mark.parametrize(
    ("name", "value"),
    [("size", 0), ("size", -64), ("size", 20_000), ("size", "64"), ("modality", "pictures"), ("config", "{"),
     ("failures", "3"), ("shards", '["/etc/passwd"]'), ("frame", 7), ("licence", 7), ("version", 2)],
)  # fmt: skip
def test_attributes_of_a_set_are_checked(tmp_path: Path, name: str, value: object) -> None:
    path = write_set(tmp_path / "a.h5", 2, 32)
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value
    assert "a.h5" in refused("inspect", path)


@pytest.mark.parametrize(
    "change",
    [{"size_px": 0}, {"size_px": -64}, {"size_px": 20_000}, {"size_px": "64"}, {"arch": 3}, {"arch": "huge"},
     {"frame": "opencv"}, {"figures": []}, {"more": 1}, {"ablation": None}],
)  # fmt: skip
def test_the_configuration_inside_weights_is_checked(tmp_path: Path, change: dict[str, object]) -> None:
    values = {
        "arch": "tiny",
        "ablation": "full",
        "size_px": 32,
        "frame": "opengl",
        "licence": "",
        "figures": {},
    }
    path = tmp_path / "w.safetensors"
    save_file({"x": np.zeros(1, np.float32)}, path, {"fnormal": json.dumps({**values, **change})})
    with pytest.raises(FNormalError, match=r"w\.safetensors"):
        load_weights(path)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = CrossModalNet("tiny")
    model.normal_decoder.last.weight.data[0, 0] = float("nan")
    save_weights(tmp_path / "w.safetensors", model, WeightsInfo("tiny", size_px=32))
    with pytest.raises(FNormalError, match="no numbers"):
        load_weights(tmp_path / "w.safetensors")


def test_maps_of_nothing_are_refused(tmp_path: Path) -> None:
    for name, values in (
        ("nan", np.full((8, 8, 3), np.nan)),
        ("zero", np.zeros((8, 8, 3))),
        ("text", np.array("x")),
    ):
        np.save(tmp_path / f"{name}.npy", values)
        with pytest.raises(FNormalError, match=name):
            read_normals(tmp_path / f"{name}.npy")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(FNormalError, match="objects"):
        read_npy(tmp_path / "objects.npy", LAYOUT)


# options


@pytest.mark.parametrize(
    "arguments",
    [("predict", "x.png", "--scale", "inf"), ("predict", "x.png", "--threads", 100_000),
     ("train", "--lr", "nan"), ("train", "--rotate", "inf"), ("train", "--cache-gb", "inf"),
     ("train", "--seed", -1), ("train", "--seed", "1e30"), ("train", "--size", -32), ("train", "--size", 0),
     ("sheet", "x.png", "--size", 10**6), ("train", "--ema", "nan"), ("train", "--hull-share", "nan"),
     ("render-dataset", "x", "--dataset", "folder", "--views", 10**12)],
)  # fmt: skip
def test_numbers_out_of_range_are_no_traceback(arguments: tuple[object, ...], tmp_path: Path) -> None:
    code, stdout, stderr = run(*arguments)
    assert code in (1, 2)
    assert stdout == ""
    assert "Traceback" not in stderr


def test_every_numeric_option_has_a_finite_range() -> None:
    for command in COMMANDS:
        for flag in parameters(command.options, command.choices):
            kind, option = get_args(flag.annotation)
            if {int, float} & {kind, *get_args(kind)}:
                assert option.min is not None, f"{command.name} {flag.name}"
                assert option.max is not None, f"{command.name} {flag.name}"


@pytest.mark.parametrize("scheduler", ["nowhere", "a:b", ":1", "a:1:2", "a b:1"])
def test_a_scheduler_without_host_or_port_is_one_line(
    scheduler: str, makehuman: Path, tmp_path: Path
) -> None:
    arguments = ("render-dataset", makehuman, "--dataset", "anny", "--scans", 1, "--out", tmp_path / "d.h5")
    assert "give HOST:PORT" in refused(*arguments, "--scheduler", scheduler)
