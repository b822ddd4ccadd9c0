"""Exported networks give the original's normals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fnormal.errors import FNormalError
from fnormal.geometry.normal_maps import read_normals
from fnormal.geometry.normals import angular_error_deg
from fnormal.geometry.picturefile import read_image
from fnormal.network import serving
from fnormal.network.checkpoint import WeightsInfo, default_weights, save_weights
from fnormal.network.exported import ImageToNormals, OnnxNetwork, export_onnx, export_torchscript
from fnormal.network.model import CrossModalNet
from fnormal.network.serving import Served, default_twin
from fnormal.prediction.predictor import Predictor
from tests.test_readers import run


@pytest.fixture(scope="module")
def model() -> CrossModalNet:
    """A tiny network whose every bias and statistic is random, so that nothing cancels."""
    torch.manual_seed(0)
    network = CrossModalNet("tiny").eval()
    with torch.no_grad():
        for tensor in [*network.parameters(), *network.buffers()]:
            if tensor.is_floating_point():
                tensor.add_(0.05 * torch.rand_like(tensor))
    return network


INFO = WeightsInfo("tiny", size_px=64, licence="test")


def test_onnx_takes_any_batch_and_gives_the_same_normals(model: CrossModalNet, tmp_path: Path) -> None:
    assert export_onnx(model, INFO, tmp_path / "m.onnx") < 0.01
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    exported = OnnxNetwork(tmp_path / "m.onnx")
    assert exported.info == INFO
    for count in (1, 3):
        images = torch.rand(count, 3, 64, 64)
        with torch.inference_mode():
            ours = ImageToNormals(model)(images).numpy()
        theirs = exported.image_to_normals(images).numpy()
        assert angular_error_deg(np.moveaxis(ours, 1, -1), np.moveaxis(theirs, 1, -1)).max() < 0.01
        assert np.linalg.norm(theirs, axis=1) == pytest.approx(1, abs=1e-5)


def test_the_export_holds_the_used_path_alone(model: CrossModalNet, tmp_path: Path) -> None:
    export_onnx(model, INFO, tmp_path / "m.onnx")
    used = sum(p.numel() for part in (model.image_encoder, model.normal_decoder) for p in part.parameters())
    size = (tmp_path / "m.onnx").stat().st_size
    assert size < 4 * used * 1.1 + 300_000
    assert used < 0.7 * sum(p.numel() for p in model.parameters())


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_gives_the_same_normals_and_says_its_frame(model: CrossModalNet, tmp_path: Path) -> None:
    assert export_torchscript(model, INFO, tmp_path / "m.pt") < 0.01
    extra = {"fnormal.json": ""}
    torch.jit.load(str(tmp_path / "m.pt"), _extra_files=extra)
    assert json.loads(extra["fnormal.json"])["frame"] == "opengl"


def test_the_command_line_predicts_with_an_export(
    model: CrossModalNet, astronaut: Path, tmp_path: Path
) -> None:
    save_weights(tmp_path / "w.safetensors", model, INFO)
    code, stdout, stderr = run(
        "export", "--weights", tmp_path / "w.safetensors", "--out", tmp_path / "w.onnx"
    )
    assert code == 0, stderr
    assert stdout.strip() == str(tmp_path / "w.onnx")
    assert "degrees of the original" in stderr
    maps = []
    for name in ("w.safetensors", "w.onnx"):
        out = tmp_path / name.replace(".", "_")
        code, _, stderr = run("predict", astronaut, "--weights", tmp_path / name, "--out", out)
        assert code == 0, stderr
        maps.append(read_normals(out / "astronaut_normals.png"))
    assert np.array_equal(maps[0][1], maps[1][1])
    assert angular_error_deg(maps[0][0], maps[1][0])[maps[0][1]].max() < 0.05


def test_other_onnx_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnx
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])
    other = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["image"], ["y"])], "g", [value], [other])
    stranger = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(stranger, tmp_path / "x.onnx")
    (tmp_path / "bad.onnx").write_text("no")
    for name, words in (("x", "not written by"), ("bad", "cannot read"), ("none", "no such weights")):
        with pytest.raises(FNormalError, match=words):
            OnnxNetwork(tmp_path / f"{name}.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FNormalError, match=r"fnormal\[onnx\]"):
        OnnxNetwork(tmp_path / "x.onnx")


def test_the_fast_twin_is_near_and_exact_elsewhere(astronaut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of 8 bits are not seen: the answers differ slowly over the face, and by less than a degree."""
    if default_twin(fast=True) is None:
        pytest.skip("no ONNX twin or no ONNX Runtime here")
    picture = read_image(astronaut)
    (exact,) = Predictor().predict(picture)
    if serving.multiplies_bytes():
        served = Predictor(fast=True)
        assert served.has_bytes
        (fast,) = served.predict(picture)
        off_deg = angular_error_deg(fast.normals, exact.normals)[exact.mask]
        assert 0 < off_deg.mean() < 1
        assert off_deg.max() < 8
        rough = [np.linalg.norm(np.diff(n.normals, axis=1), axis=-1)[:, :-1] for n in (fast, exact)]
        inside = exact.mask[:, 2:] & exact.mask[:, :-2]
        assert rough[0][inside].mean() == pytest.approx(rough[1][inside].mean(), rel=0.03)
        assert np.abs(fast.confidence - exact.confidence)[exact.mask].mean() < 0.02
    monkeypatch.setattr(serving, "multiplies_bytes", lambda: False)
    (same,) = Predictor(fast=True).predict(picture)
    np.testing.assert_array_equal(same.normals, exact.normals)


def test_fast_in_vain_is_told(astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "multiplies_bytes", lambda: False)
    code, stdout, stderr = run("predict", astronaut, "--fast", "-o", tmp_path)
    assert code == 0
    assert stdout
    assert "VNNI" in stderr
    assert "VNNI" not in run("predict", astronaut, "--exact", "-o", tmp_path)[2]


def test_the_twin_of_the_default_weights_gives_their_normals(astronaut: Path, tmp_path: Path) -> None:
    """What ONNX Runtime serves is what torch computes, and without torch."""
    twin = default_twin()
    if twin is None:
        pytest.skip("no ONNX twin or no ONNX Runtime here")
    picture = read_image(astronaut)
    served, torched = Predictor(), Predictor(default_weights())
    assert isinstance(served.runner, Served)
    (one,), (other,) = served.predict(picture), torched.predict(picture)
    np.testing.assert_array_equal(one.mask, other.mask)
    assert angular_error_deg(one.normals, other.normals)[one.mask].max() < 0.05
    assert np.abs(one.confidence - other.confidence).max() < 1e-3
    code = (
        "import sys; from fnormal.cli.app import app\n"
        "try: app(['predict', sys.argv[1], '-o', sys.argv[2], '-q'])\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(astronaut), str(tmp_path)], capture_output=True, text=True,
        check=True, cwd=Path(__file__).resolve().parents[1],
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "False"
