"""ICT-3DRFE, BJUT-3D and Florence on fixtures in their layouts; broken scans; maps of a layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fnormal.config import MAX_TRIANGLES, SCAN_SETS
from fnormal.datasets.hdf5 import Dataset
from fnormal.errors import FNormalError
from fnormal.geometry.mesh import Mesh
from fnormal.geometry.meshfile import count_triangles, read_mesh
from fnormal.geometry.normals import angular_error_deg
from fnormal.scans.bjut3d import read_bjut
from fnormal.scans.folder import displaced, to_8_bit, to_normal_map
from fnormal.scans.layout import Layout, read_layout
from tests import heads
from tests.helpers import open_scans, run


@pytest.fixture(scope="module")
def mesh(makehuman: Path) -> Mesh:
    return heads.head_mesh(makehuman)


@pytest.mark.parametrize("dataset", ["ict3drfe", "bjut3d", "florence"])
def test_the_papers_sets_are_rendered_into_the_papers_views(mesh: Mesh, tmp_path: Path, dataset: str) -> None:
    source = tmp_path / "scans"
    if dataset == "ict3drfe":
        heads.write_ict3drfe(source, mesh, "s01", "smile")
    elif dataset == "bjut3d":
        heads.write_bjut(source / "F0001", mesh)
    else:
        heads.write_florence(source, mesh, 7)
    out = tmp_path / "set.h5"
    code, stdout, stderr = run(
        "render-dataset", source, "--dataset", dataset, "--out", out, "--size", 64, "--backend", "soft"
    )
    assert code == 0, stderr
    assert stdout.strip() == str(out)
    data = Dataset(out)
    assert (len(data), data.modality) == (SCAN_SETS[dataset].views, SCAN_SETS[dataset].modality)
    assert set(data.subjects) == {{"ict3drfe": "s01", "bjut3d": "F0001", "florence": "subject_07"}[dataset]}
    assert "agreement" in data.licence
    sample = data[0]
    assert sample.mask.mean() > 0.1
    if dataset != "bjut3d":
        colour = sample.image[sample.mask].mean(axis=0)
        assert colour[0] >= colour[1] >= colour[2], "the texture is skin, not grey"
        assert colour[0] > colour[2] * 1.1 or colour.max() < 5


@pytest.mark.parametrize("dataset", ["ict3drfe", "bjut3d", "florence"])
def test_counts_are_the_papers(tmp_path: Path, dataset: str) -> None:
    """23 x 15, 500 and 53 scans: 8,625, 3,000 and 530 samples."""
    for i in range(SCAN_SETS[dataset].scans):
        if dataset == "ict3drfe":
            heads.write_tiny_ply(tmp_path / f"s{i // 15:02d}" / f"e{i % 15:02d}" / "scan.ply")
        elif dataset == "bjut3d":
            (tmp_path / f"F{i:04d}").write_bytes(b"")
        else:
            path = tmp_path / f"subject_{i + 1:02d}" / "Model" / "frontal1" / "obj" / "110920150402.obj"
            path.parent.mkdir(parents=True)
            path.touch()
    if dataset == "florence":  # a second model of a person is not a second scan
        other = tmp_path / "subject_01" / "Model" / "sidel" / "obj" / "1.obj"
        other.parent.mkdir(parents=True)
        other.touch()
    code, stdout, _ = run(
        "render-dataset", tmp_path, "--dataset", dataset, "--out", tmp_path / "x.h5", "--dry-run", "--json"
    )
    assert code == 0
    assert f'"samples": {SCAN_SETS[dataset].samples}' in stdout
    assert {"ict3drfe": 8625, "bjut3d": 3000, "florence": 530}[dataset] == SCAN_SETS[dataset].samples
    assert not (tmp_path / "x.h5").exists()


def test_a_person_with_several_models_gives_the_first_frontal_one(mesh: Mesh, tmp_path: Path) -> None:
    for side in ("sidel", "frontal2"):
        heads.write_florence(tmp_path, mesh, 3, side)
    reader = open_scans(tmp_path, "florence", scans=None, seed=0)
    assert [name.split("/")[2] for name in reader.names] == ["frontal2"]
    scan = reader.load(0)
    assert np.abs(scan.mesh.vertices.max(axis=0) + scan.mesh.vertices.min(axis=0)).max() < 1e-3, "centred"
    assert scan.mesh.texture is not None, "named by an absolute path of another machine"


@pytest.mark.parametrize("integer", [True, False])
@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("top", [1.0, 255.0])
def test_bjut_is_decided_by_its_values(
    mesh: Mesh, tmp_path: Path, integer: bool, base: int, top: float
) -> None:
    heads.write_bjut(tmp_path / "M0001", mesh, integer=integer, base=base, top=top)
    back = read_bjut(tmp_path / "M0001")
    assert np.array_equal(back.vertices, mesh.vertices)
    assert np.array_equal(back.faces, mesh.faces)
    assert back.colors == pytest.approx(np.tile([0.8, 0.6, 0.5], (len(mesh.vertices), 1)), abs=1e-6)


def test_broken_bjut_files_get_one_line(mesh: Mesh, tmp_path: Path) -> None:
    heads.write_bjut(tmp_path / "good", mesh)
    whole = (tmp_path / "good").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-5])
    (tmp_path / "empty").write_bytes(b"")
    lost = bytearray(whole)
    lost[-4:] = np.array([10**6], "<i4").tobytes()
    (tmp_path / "lost").write_bytes(bytes(lost))
    for name, words in (("cut", "truncated"), ("empty", "truncated"), ("lost", "not there")):
        with pytest.raises(FNormalError, match=words) as caught:
            read_bjut(tmp_path / name)
        assert "\n" not in str(caught.value)
    (tmp_path / "other").mkdir()
    with pytest.raises(FNormalError, match="without a suffix"):
        open_scans(tmp_path / "other", "bjut3d", scans=None, seed=0)


def test_axes_turn_bjut_scans(mesh: Mesh, tmp_path: Path) -> None:
    lying = Mesh(mesh.vertices[:, [0, 2, 1]] * np.float32([1, -1, 1]), mesh.faces, mesh.normals)
    heads.write_bjut(tmp_path / "F1", lying)
    upright = open_scans(tmp_path, "bjut3d", scans=None, seed=0, axes="x,z,-y").load(0).mesh
    middle = (mesh.vertices.max(axis=0) + mesh.vertices.min(axis=0)) / 2
    assert upright.vertices == pytest.approx(mesh.vertices - middle, abs=1e-4)
    assert angular_error_deg(upright.normals, mesh.normals).max() < 0.5


def break_scans(root: Path, mesh: Mesh) -> dict[str, str]:
    """Every kind of broken scan beside a good one; words of the line that each must give."""
    import cv2

    heads.write_textured_obj(root / "good.obj", mesh)
    text = (root / "good.obj").read_text()
    (root / "truncated.obj").write_text(text[: text.index("\nvt ") // 2])
    (root / "lost.obj").write_text(text.replace("v ", "#", 20))
    (root / "nan.obj").write_text("v nan nan nan" + text[text.index("\n") :])
    (root / "faceless.obj").write_text(text[: text.index("\nf ")] + "\n")
    heads.write_textured_obj(root / "missing.obj", mesh, "/home/somebody/skin.png")
    heads.write_textured_obj(root / "outside.obj", mesh, "../../../etc/skin.png")
    heads.write_textured_obj(root / "hollow.obj", mesh, "hollow.png")
    (root / "hollow.png").write_bytes(b"")
    heads.write_textured_obj(root / "huge.obj", mesh, "huge.png")
    cv2.imwrite(str(root / "huge.png"), np.zeros((10_000, 10_000), np.uint8))
    million = "f 1 2 3\n" * 5_000_000
    (root / "millions.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n" + million)
    return {
        "truncated": "no triangles", "lost": "re-export", "nan": "not finite", "faceless": "no triangles",
        "missing": "no skin.png", "outside": "no skin.png", "hollow": "cannot read",
        "huge": "megapixels", "millions": "decimate",
    }  # fmt: skip


def test_broken_scans_get_a_line_each_and_the_rest_is_rendered(mesh: Mesh, tmp_path: Path) -> None:
    root = tmp_path / "scans"
    root.mkdir()
    words = break_scans(root, mesh)
    out = tmp_path / "d.h5"
    code, stdout, stderr = run(
        "render-dataset", root, "--dataset", "folder", "--out", out, "--views", 1, "--size", 64
    )
    assert code == 1
    assert stdout.strip() == str(out)
    assert set(Dataset(out).subjects) == {"good"}
    lines = [line for line in stderr.splitlines() if line.startswith("fnormal: ")]
    assert len(lines) == len(words) + 1, stderr
    for name, word in words.items():
        assert any(f"{name}." in line and word in line for line in lines), (name, stderr)
    assert f"{len(words)} failed" in lines[-1]
    assert len(Dataset(out).failures) == len(words)


def test_faces_are_counted_before_they_are_read(mesh: Mesh, tmp_path: Path) -> None:
    import trimesh

    shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    for suffix in (".obj", ".ply", ".stl", ".off", ".glb"):
        shape.export(tmp_path / f"m{suffix}")
        assert count_triangles(tmp_path / f"m{suffix}") == len(mesh.faces), suffix
    header = f"ply\nformat ascii 1.0\nelement vertex 3\nelement face {MAX_TRIANGLES + 1}\nend_header\n"
    (tmp_path / "big.ply").write_text(header)
    with pytest.raises(FNormalError, match="decimate"):
        read_mesh(tmp_path / "big.ply")


def test_a_layout_attaches_maps(mesh: Mesh, tmp_path: Path) -> None:
    heads.write_textured_obj(tmp_path / "a" / "head.obj", mesh)
    heads.write_picture(tmp_path / "a" / "head_albedo.png", (46, 46, 46))  # linear 0.18
    heads.write_picture(tmp_path / "a" / "head_n.png", (255, 128, 128))
    heads.write_picture(tmp_path / "spec.png", (10, 64, 90))
    (tmp_path / "layout.toml").write_text(
        'mesh = "a/*.obj"\ntexture = "{stem}_albedo.png"\nalbedo_space = "linear"\n'
        'normal_map = ["no.png", "{stem}_n.png"]\nnormal_space = "object"\nnormal_axes = "y,-x,z"\n'
        'specular = "spec.png"\naxes = "x,z,-y"\nsubject = "^(.)/"\n'
    )
    scan = open_scans(tmp_path, "folder", scans=None, seed=0, layout=tmp_path / "layout.toml").load(0)
    assert scan.subject == "a"
    assert scan.mesh.texture[0, 0].tolist() == [118, 118, 118], "sRGB of linear 46 / 255"
    assert (scan.mesh.specular == 64).all()
    # the map says +x; normal_axes (y,-x,z) makes it -y of the mesh; axes (x,z,-y) turn that to +z
    assert scan.mesh.normal_map[0, 0] / 65535 * 2 - 1 == pytest.approx([0, 0, 1], abs=0.01)


def test_deep_pictures_keep_their_bits() -> None:
    deep = np.array([[[65535, 32768, 1]]], np.uint16)
    assert to_8_bit(deep, linear=False).tolist() == [[[255, 128, 0]]]
    code = to_normal_map(np.array([[[32768, 32768, 65535]]], np.uint16), "x,y,z")
    assert np.abs(code.astype(int) - [[[32768, 32768, 65535]]]).max() <= 1


def test_displacement_moves_a_square_by_its_heights() -> None:
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    square = replace(
        Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32), np.tile(np.float32([0, 0, 1]), (4, 1))),
        uv=corners[:, :2].copy(),
    )
    ramp = np.tile(np.linspace(0, 65535, 512).astype(np.uint16)[None, :, None], (512, 1, 3))
    layout = Layout(displacement_scale=0.2, displacement_middle=0.5, subdivide=4)
    bent = displaced(square, ramp, layout, "square")
    inner = (np.abs(bent.uv - 0.5) < 0.45).all(axis=1)
    assert bent.vertices[inner, 2] == pytest.approx(0.2 * (bent.uv[inner, 0] - 0.5), abs=1e-3)
    slope = np.array([-0.2, 0, 1]) / np.linalg.norm([0.2, 1])
    # Loop's rule draws the open border inwards, and with it the coordinates' density
    middle = (np.abs(bent.uv - 0.5) < 0.2).all(axis=1)
    assert angular_error_deg(bent.normals[middle], slope).max() < 3
    with pytest.raises(FNormalError, match="subdivide = 12"):
        displaced(square, ramp, replace(layout, subdivide=12), "square")


def test_bad_layouts_say_what_they_want(tmp_path: Path) -> None:
    for text, words in (
        ("flip_v = 3", "must be a bool"),
        ('albedo_space = "rgb"', "srgb, linear"),
        ('axes = "x,x,z"', "unknown frame"),
        ('subject = "("', "no regular expression"),
        ('subject = "abc"', "needs a group"),
    ):
        (tmp_path / "l.toml").write_text(text + "\n")
        with pytest.raises(FNormalError, match=words):
            read_layout(tmp_path / "l.toml", Layout())
    for dataset, extra in (("anny", {"axes": "x,y,z"}), ("bjut3d", {"layout": tmp_path / "l.toml"})):
        with pytest.raises(FNormalError, match="--"):
            open_scans(tmp_path, dataset, scans=1, seed=0, **extra)
