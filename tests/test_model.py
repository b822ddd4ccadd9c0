from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from fnormal.config import ABLATIONS, ARCHS
from fnormal.errors import FNormalError
from fnormal.network.authors import import_authors
from fnormal.network.fast import winograd
from fnormal.network.fast.layers import FuseMaxInPlace, WinogradConv2d, accelerate
from fnormal.network.inference import ready_to_run
from fnormal.network.model import CrossModalNet, FuseMax
from tests.authors_network import Reference, random_state


@pytest.fixture(scope="module")
def authors(tmp_path_factory: pytest.TempPathFactory) -> tuple[Reference, CrossModalNet]:
    state = random_state()
    path = tmp_path_factory.mktemp("authors") / "model.pth"
    torch.save(state, path)
    return Reference(state), import_authors(path)


def test_authors_state_dict_has_404_keys() -> None:
    assert len(random_state()) == 404


@pytest.mark.parametrize("name", ["image_to_normals", "image_to_image", "normals_to_normals"])
def test_passes_equal_the_plain_reference(authors: tuple[Reference, CrossModalNet], name: str) -> None:
    reference, model = authors
    torch.manual_seed(1)
    x = torch.rand(2, 3, 96, 64)
    with torch.inference_mode():
        expected, actual = getattr(reference, name)(x), getattr(model, name)(x)
    assert expected.std() > 0.01, "a dead reference proves nothing"
    assert (actual - expected).abs().max() < 1e-5 * max(1.0, float(expected.abs().max()))


def test_a_network_ready_to_run_is_the_same_one(authors: tuple[Reference, CrossModalNet]) -> None:
    _, model = authors
    model = copy.deepcopy(model).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    ready = ready_to_run(model)
    torch.manual_seed(1)
    x = torch.rand(2, 3, 96, 64)
    with torch.inference_mode():
        expected, actual = copy.deepcopy(model).eval().image_to_normals(x), ready.image_to_normals(x)
    assert (actual - expected).abs().max() < 1e-5 * max(1.0, float(expected.abs().max()))
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in ready.image_encoder.modules())
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_parameter_counts_of_the_authors_network() -> None:
    model = CrossModalNet("paper")
    counts = [
        sum(p.numel() for p in part.parameters()) / 1e6
        for part in (model.image_encoder, model.normal_encoder, model.normal_decoder, model.image_decoder)
    ]
    assert counts == pytest.approx([11.22, 11.18, 8.34, 4.50], abs=0.005)


@pytest.mark.parametrize("layer", [FuseMax(), FuseMaxInPlace()])
@pytest.mark.parametrize("learns", [True, False])
def test_fuse_max_touches_the_last_channels_only(layer: FuseMax, learns: bool) -> None:
    decoded, skip = torch.randn(2, 5, 4, 4), torch.randn(2, 2, 4, 4)
    with torch.set_grad_enabled(learns):
        fused = layer(decoded.clone(), skip)
    assert torch.equal(fused[:, :3], decoded[:, :3])
    assert torch.equal(fused[:, 3:], torch.maximum(decoded[:, 3:], skip))


def test_the_gradient_in_place_is_that_of_the_plain_formula() -> None:
    """Rounded, so that many values are equal: there the gradient goes to the decoder alone."""
    leaves = [torch.randn(2, c, 4, 4, dtype=torch.float64).round() for c in (5, 2)]
    grad, gradients = torch.randn(2, 5, 4, 4, dtype=torch.float64), []
    for layer in (FuseMax(), FuseMaxInPlace()):
        decoded, skip = (leaf.clone().requires_grad_() for leaf in leaves)
        layer(decoded * 1, skip).backward(grad)
        gradients.append((decoded.grad, skip.grad))
    for plain, quick in zip(*gradients, strict=True):
        assert torch.equal(plain, quick)
    smooth = [torch.randn(2, c, 4, 4, dtype=torch.float64, requires_grad=True) for c in (5, 2)]
    assert torch.autograd.gradcheck(lambda decoded, skip: FuseMaxInPlace()(decoded * 1, skip), smooth)


def test_accelerating_keeps_weights_keys_and_results() -> None:
    torch.manual_seed(0)
    plain, x = CrossModalNet("paper"), torch.rand(2, 3, 64, 64)
    quick = accelerate(copy.deepcopy(plain))
    assert any(isinstance(part, WinogradConv2d) for part in quick.modules())
    assert list(quick.state_dict()) == list(plain.state_dict())
    for a, b in zip(plain.state_dict().values(), quick.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    for network in (plain, quick):
        network.image_to_normals(x).square().mean().backward()
    for (name, a), (_, b) in zip(plain.named_parameters(), quick.named_parameters(), strict=True):
        if a.grad is not None:
            assert b.grad is not None
            assert float((a.grad - b.grad).norm()) < 1e-3 * float(a.grad.norm()) + 1e-9, name


@pytest.mark.parametrize(("capability", "fast"), [("AVX2", 0), ("AVX512", 1)])
def test_hardly_a_layer_of_the_default_network_is_wide_enough(
    monkeypatch: pytest.MonkeyPatch, capability: str, fast: int
) -> None:
    """Of its layers at the 128 px that it is served at, mirror image included."""
    monkeypatch.setattr(winograd, "_least_widths", lambda: winograd._LEAST_WIDTHS[capability])
    taken = []
    monkeypatch.setattr(winograd, "convolve", lambda x, w, b: taken.append(x) or direct(x, w, b))
    monkeypatch.setattr(winograd, "transform_weights", lambda weight: weight)
    direct = lambda x, w, b: torch.nn.functional.conv2d(x, w, b, padding=1)  # noqa: E731
    with torch.inference_mode():
        ready_to_run(CrossModalNet("lite")).image_to_normals(torch.rand(2, 3, 128, 128))
    assert len(taken) == fast


@pytest.mark.parametrize("change", ["load", "step", "copy"])
def test_changed_weights_are_transformed_anew(change: str) -> None:
    """What an earlier version got wrong: outputs off by a tenth of their size after load_state_dict()."""
    torch.manual_seed(0)
    ready, other, x = (
        ready_to_run(CrossModalNet("paper")), ready_to_run(CrossModalNet("paper")), torch.rand(2, 3, 64, 64)
    )  # fmt: skip
    with torch.inference_mode():
        ready.image_to_normals(x)
    if change == "load":
        ready.load_state_dict(other.state_dict())
    elif change == "step":
        with torch.no_grad():
            for mine, theirs in zip(ready.parameters(), other.parameters(), strict=True):
                mine.add_(theirs - mine)
    else:
        ready = copy.deepcopy(ready)
        ready.load_state_dict(other.state_dict())
    with torch.inference_mode():
        expected, actual = other.image_to_normals(x), ready.image_to_normals(x)
    assert (actual - expected).abs().max() < 1e-4 * float(expected.abs().max())


def test_normal_pass_never_sees_the_image_encoder() -> None:
    model = CrossModalNet("tiny")
    model.normals_to_normals(torch.rand(2, 3, 64, 64)).sum().backward()
    assert all(p.grad is None for p in model.image_encoder.parameters())
    assert all(p.grad is None for p in model.normal_decoder.adapters.parameters())
    assert all(p.grad is not None for p in model.normal_encoder.parameters())


@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.parametrize("arch", ["lite", "tiny", "paper"])
def test_ablations_have_their_branches_and_no_others(arch: str, ablation: str) -> None:
    model, x = CrossModalNet(arch, ablation).eval(), torch.rand(1, 3, 64, 32)
    parts = ABLATIONS[ablation]
    assert model.image_to_normals(x).shape == x.shape
    for present, call in (
        (parts.normal_encoder, model.normals_to_normals),
        (parts.image_decoder, model.image_to_image),
    ):
        if present:
            assert call(x).shape == x.shape
        else:
            with pytest.raises(FNormalError, match=r"Fig\. 6"):
                call(x)


def test_skips_reach_the_normals_except_in_no_skip() -> None:
    """Zeroing the latent leaves the picture's detail in (a), (c), (d) and removes it in (b)."""
    x = torch.rand(1, 3, 64, 64)
    for ablation in ABLATIONS:
        torch.manual_seed(0)
        model = CrossModalNet("tiny", ablation).eval()
        _, skips = model.image_encoder(x)
        latent = torch.zeros(1, ARCHS["tiny"].trunk[3], 2, 2)
        out = [model.normal_decoder(latent, s) for s in (skips, [s * 0 for s in skips])]
        assert torch.equal(*out) == (ablation == "no-skip")


def test_concat_decoder_is_narrower_by_its_skips() -> None:
    """Fig. 3: a standard decoder's processed features have m channels fewer than ours."""
    ours = CrossModalNet("paper").normal_decoder
    standard = CrossModalNet("paper", "plain").normal_decoder
    skips = ARCHS["paper"].skips
    for a, b, skip in zip(
        (ours.latent, *ours.convs[:4]), (standard.latent, *standard.convs[:4]), skips, strict=True
    ):
        assert a[0].out_channels - b[0].out_channels == skip
    assert [c[0].in_channels for c in ours.convs] == [c[0].in_channels for c in standard.convs]


def test_wrong_size_names_the_right_one() -> None:
    with pytest.raises(FNormalError, match="pad to 128x96"):
        CrossModalNet("tiny").image_to_normals(torch.rand(1, 3, 100, 96))


def test_unknown_names_are_refused() -> None:
    for arguments in (("huge",), ("paper", "half")):
        with pytest.raises(FNormalError, match="unknown"):
            CrossModalNet(*arguments)


def test_features_are_latent_then_skips() -> None:
    model = CrossModalNet("lite").eval()
    shapes = [tuple(f.shape[1:]) for f in model.features(torch.rand(1, 3, 64, 64))]
    c1, c2, c3, c4 = ARCHS["lite"].trunk
    assert shapes == [
        (c4, 2, 2), (c3, 4, 4), (c2, 8, 8), (c1, 16, 16), (c1, 32, 32), (ARCHS["lite"].full, 64, 64),
    ]  # fmt: skip


def test_old_checkpoints_without_batch_counts_load(tmp_path: Path) -> None:
    state = {k: v for k, v in random_state().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pth")
    model = import_authors(tmp_path / "old.pth")
    assert model.state_dict()["image_encoder.stem.1.num_batches_tracked"] == 0
