"""Exported networks give the original's normals."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fnormal.errors import FNormalError
from fnormal.geometry.levels import levelled
from fnormal.geometry.normal_maps import read_normals
from fnormal.geometry.normals import angular_error_deg
from fnormal.geometry.picturefile import read_image
from fnormal.network import levelling, serving
from fnormal.network.checkpoint import WeightsInfo, default_weights, save_weights
from fnormal.network.exported import ImageToNormals, OnnxNetwork, export_onnx, export_torchscript
from fnormal.network.model import CrossModalNet
from fnormal.network.serving import Served, default_twin
from fnormal.prediction.predictor import Predictor
from tests.helpers import run


@pytest.fixture(scope="module")
def model() -> CrossModalNet:
    """A tiny network whose every bias and statistic differs, so that nothing cancels, and that looks."""
    torch.manual_seed(0)
    network = CrossModalNet("tiny").train()
    with torch.no_grad():
        for _ in range(20):
            network.image_to_normals(torch.rand(4, 3, 64, 64) * torch.rand(4, 3, 1, 1))
        for tensor in [*network.parameters(), *network.buffers()]:
            if tensor.dim() > 1:
                tensor.mul_(1 + 0.2 * torch.randn_like(tensor))
            elif tensor.is_floating_point():
                tensor.add_(0.05 * torch.rand_like(tensor))
        one, other = ImageToNormals(network.eval())(
            torch.stack([torch.rand(3, 64, 64), torch.zeros(3, 64, 64)])
        )
    assert angular_error_deg(*(np.moveaxis(n.numpy(), 0, -1) for n in (one, other))).mean() > 1
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
    assert len(stderr.splitlines()) == 1, "nothing of the exporter's"
    maps = []
    for name in ("w.safetensors", "w.onnx"):
        out = tmp_path / name.replace(".", "_")
        code, _, stderr = run("predict", astronaut, "--weights", tmp_path / name, "--out", out)
        assert code == 0, stderr
        maps.append(read_normals(out / "astronaut_normals.png"))
    assert np.array_equal(maps[0][1], maps[1][1])
    assert angular_error_deg(maps[0][0], maps[1][0])[maps[0][1]].max() < 0.05


@given(
    st.integers(0, 99), st.floats(0.02, 1), st.floats(0, 0.6), st.sampled_from([64, 128, 192]),
    st.floats(0, 0.2),
)  # fmt: skip
def test_levels_inside_are_those_outside(
    seed: int, light: float, haze: float, side_px: int, burnt: float
) -> None:
    rng = np.random.default_rng(seed)
    views = rng.uniform(haze, haze + (1 - haze) * light, (2, side_px, side_px, 3)).astype(np.float32)
    views[rng.random(views.shape[:3]) < burnt] = 1
    inside = levelling.levelled(torch.from_numpy(views).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(inside, np.stack([levelled(view) for view in views]), atol=2e-4)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", ["m.onnx", "m.pt"])
def test_an_export_levels_inside(model: CrossModalNet, astronaut: Path, tmp_path: Path, name: str) -> None:
    """It answers a picture as its levelled one, and says that it need not be levelled any more."""
    save_weights(tmp_path / "w.safetensors", model, INFO)
    code, _, stderr = run(
        "export", "--weights", tmp_path / "w.safetensors", "-o", tmp_path / name, "--levels"
    )
    assert code == 0, stderr
    picture = cv2.resize(read_image(astronaut)[20:260, 110:350], (64, 64)).astype(np.float32) / 255 * 0.2
    asked = torch.from_numpy(np.stack([picture, levelled(picture)])).permute(0, 3, 1, 2)
    if name == "m.onnx":
        exported = OnnxNetwork(tmp_path / name)
        found, levels = exported.image_to_normals(asked[:1]), exported.info.levels
    else:
        extra = {"fnormal.json": ""}
        found = torch.jit.load(str(tmp_path / name), _extra_files=extra)(asked[:1])
        levels = json.loads(extra["fnormal.json"])["levels"]
    assert not levels
    with torch.inference_mode():
        wanted, plain = ImageToNormals(model)(asked[1:]), ImageToNormals(model)(asked[:1])
    off_deg, far_deg = (
        angular_error_deg(np.moveaxis(found.detach().numpy(), 1, -1), np.moveaxis(n.numpy(), 1, -1)).mean()
        for n in (wanted, plain)
    )
    assert off_deg < 0.05
    assert far_deg > 10 * off_deg
    again = tmp_path / "again.safetensors"
    save_weights(again, model, replace(INFO, levels=False))
    code, _, stderr = run("export", "--weights", again, "-o", tmp_path / "x.onnx", "--levels")
    assert code == 1
    assert "as they are" in stderr


def test_weights_are_shown_the_pictures_that_they_ask_for(
    model: CrossModalNet, astronaut: Path, tmp_path: Path
) -> None:
    """A darker picture is the same to those that are shown levelled ones, and to no others."""
    picture = read_image(astronaut)
    changed = {}
    for levels in (True, False):
        path = tmp_path / f"{levels}.safetensors"
        save_weights(path, model, replace(INFO, levels=levels))
        predictor = Predictor(path)
        faces = predictor.detect(picture)[:1]
        bright, dark = (predictor.predict(p, faces)[0] for p in (picture, (picture * 0.5).astype(np.uint8)))
        changed[levels] = angular_error_deg(bright.normals, dark.normals)[bright.mask].mean()
    assert changed[True] < 0.3 * changed[False]


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
