from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fnormal.errors import FNormalError
from fnormal.network.authors import authors_name, import_authors, load_imagenet
from fnormal.network.checkpoint import WeightsInfo, load_weights, save_weights
from fnormal.network.model import CrossModalNet
from tests.authors_network import random_state


def test_weights_round_trip_with_their_description(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = CrossModalNet("tiny", "no-normal-encoder").eval()
    info = WeightsInfo("tiny", "no-normal-encoder", 96, licence="mine", figures={"val": 12.5})
    save_weights(tmp_path / "w.safetensors", model, info)
    back, said = load_weights(tmp_path / "w.safetensors")
    assert said == info
    assert not back.training
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(back.image_to_normals(x), model.image_to_normals(x))
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_half_precision_costs_little(tmp_path: Path) -> None:
    model = CrossModalNet("tiny").eval()
    save_weights(tmp_path / "h.safetensors", model, WeightsInfo("tiny"), half=True)
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        a, b = (m.image_to_normals(x) for m in (model, load_weights(tmp_path / "h.safetensors")[0]))
    cosine = torch.cosine_similarity(a, b, dim=1).clamp(max=1)
    assert float(torch.rad2deg(torch.acos(cosine)).mean()) < 0.2


def test_wrong_files_are_refused_in_one_line(tmp_path: Path) -> None:
    good = tmp_path / "good.safetensors"
    save_weights(good, CrossModalNet("tiny"), WeightsInfo("tiny"))
    truncated = tmp_path / "truncated.safetensors"
    truncated.write_bytes(good.read_bytes()[:-1000])
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, foreign)
    other = tmp_path / "other.safetensors"
    save_weights(other, CrossModalNet("tiny", "plain"), WeightsInfo("tiny", "full"))
    framed = tmp_path / "framed.safetensors"
    save_weights(framed, CrossModalNet("tiny"), WeightsInfo("tiny", frame="opencv"))
    for path, message in (
        (framed, "frame 'opencv'"),
        (tmp_path / "none", "no such weights"),
        (truncated, "not a readable safetensors"),
        (foreign, "no configuration inside"),
        (other, "does not fit"),
    ):
        with pytest.raises(FNormalError, match=message) as caught:
            load_weights(path)
        assert "\n" not in str(caught.value)


def test_pickles_with_code_are_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "boom",))  # type: ignore[return-value]

    path = tmp_path / "model.pth"
    path.write_bytes(pickle.dumps({"layer0.0.weight": Bomb()}))
    with pytest.raises(FNormalError, match="weights_only"):
        import_authors(path)
    torch.save({"model": Bomb()}, path)
    with pytest.raises(FNormalError, match="weights_only"):
        import_authors(path)
    assert not (tmp_path / "boom").exists()


def test_import_is_strict(tmp_path: Path) -> None:
    state = random_state()
    del state["conv_up2.0.bias"]
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(FNormalError, match=r"the first is normal_decoder\.convs\.1\.0\.bias"):
        import_authors(tmp_path / "a.pth")
    torch.save({"model": {"x": torch.zeros(1)}}, tmp_path / "b.pth")
    with pytest.raises(FNormalError, match="no state dict"):
        import_authors(tmp_path / "b.pth")
    torch.save({"encoder.weight": torch.zeros(1)}, tmp_path / "c.pth")
    with pytest.raises(FNormalError, match="no tensor of the authors"):
        import_authors(tmp_path / "c.pth")


def test_names_map_one_to_one_onto_the_model() -> None:
    ours = [authors_name(key) for key in random_state()]
    used = [name for name in ours if name is not None]
    assert len(used) == 278
    assert sorted(used) == sorted(CrossModalNet("paper").state_dict())


def torchvision_names(model: CrossModalNet) -> dict[str, torch.Tensor]:
    """A ResNet-18 under torchvision's names, of the shapes of the image encoder's trunk."""
    state = {}
    for key, value in model.image_encoder.state_dict().items():
        if key.startswith("full."):
            continue
        name = key.replace("stem.0.", "conv1.").replace("stem.1.", "bn1.").replace("stage", "layer")
        state[name] = torch.rand_like(value.float())
    return {**state, "fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}


def test_both_encoders_start_from_imagenet(tmp_path: Path) -> None:
    model = CrossModalNet("paper")
    state = torchvision_names(model)
    assert len(state) == 122, "torchvision's ResNet-18 has so many tensors"
    torch.save(state, tmp_path / "resnet18.pth")
    load_imagenet(model, str(tmp_path / "resnet18.pth"))
    assert model.normal_encoder is not None
    for encoder in (model.image_encoder, model.normal_encoder):
        assert torch.equal(encoder.stem[0].weight, state["conv1.weight"])
        assert torch.equal(encoder.stage3[0].downsample[0].weight, state["layer3.0.downsample.0.weight"])
        assert torch.equal(encoder.stage4[1].bn2.running_var, state["layer4.1.bn2.running_var"])


def test_other_files_are_no_imagenet_weights(tmp_path: Path) -> None:
    model = CrossModalNet("paper")
    state = torchvision_names(model)
    del state["layer2.0.conv1.weight"]
    torch.save(state, tmp_path / "less.pth")
    torch.save({**state, "layer2.0.conv1.weight": torch.zeros(3, 3)}, tmp_path / "shape.pth")
    (tmp_path / "text.pth").write_text("no")
    for name, words in (
        ("less", "lacks or adds"), ("shape", "other shapes"),
        ("text", "fetch them again"), ("none", "no such"),
    ):  # fmt: skip
        with pytest.raises(FNormalError, match=words):
            load_imagenet(model, str(tmp_path / f"{name}.pth"))
    with pytest.raises(FNormalError, match="--arch paper alone"):
        load_imagenet(CrossModalNet("tiny"), "imagenet")
