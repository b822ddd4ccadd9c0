"""Photometric stereo and sets with normals: exact on four lights, right on a rendered session."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from fnormal.config import PHOTOFACE_TEST_SUBJECTS, PHOTOFACE_TRAIN_SUBJECTS
from fnormal.datasets.hdf5 import Dataset
from fnormal.errors import FNormalError
from fnormal.geometry.images import linear_to_srgb, srgb_to_linear
from fnormal.geometry.normal_maps import write_normals
from fnormal.geometry.normals import angular_error_deg
from fnormal.options.data import PhotoOptions
from fnormal.photos.photoface import read_lights, read_metadata, read_sn, split_people
from fnormal.photos.stereo import directions, photometric_stereo
from fnormal.render.backends import open_renderer
from fnormal.render.camera import frame_face
from fnormal.render.lighting import Lighting
from tests import heads
from tests.helpers import open_photos, run

ZENITH, AZIMUTH = np.float32([40, 40, 40, 40]), np.float32([45, 135, 225, 315])
SIDE = 256


@pytest.fixture(scope="module")
def session(makehuman: Path) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Four lit photos of a head in linear light, with attached and cast shadows; its normals and mask."""
    mesh = heads.head_mesh(makehuman)
    camera = frame_face(mesh.vertices, np.eye(3, dtype=np.float32), SIDE, 1.05)
    with open_renderer("soft") as renderer:
        renderer.load(mesh)
        photos = []
        for toward in directions(ZENITH, AZIMUTH):
            light = Lighting(
                toward[None], np.full((1, 3), 0.9, np.float32), np.zeros(3, np.float32), shadow=1.0
            )
            drawn = renderer.render(camera, light)
            linear = srgb_to_linear(drawn.image.astype(np.float32) / 255)
            photos.append(np.rint(255 * linear).astype(np.uint8))
    return photos, drawn.normals, drawn.mask


def write_session(root: Path, session: tuple[list[np.ndarray], np.ndarray, np.ndarray], who: str) -> Path:
    """Photoface's layout without Matlab's output."""
    photos, _, _ = session
    folder = root / who / "2008-02-13_14-25-00"
    folder.mkdir(parents=True)
    for i, photo in enumerate(photos):
        cv2.imwrite(str(folder / f"im{i}.bmp"), photo[..., ::-1])
    zenith, azimuth = (" ".join(f"{v:.1f}" for v in row) for row in (ZENITH, AZIMUTH))
    (folder / "LightSource.m").write_text(
        f"% the four lights\nZenith = [{zenith}];\nAzimuth = [{azimuth}];\n"
    )
    points = "\n".join(f"{60 + 10 * i}, {80 + 7 * i}" for i in range(11))
    (folder / "metadata.txt").write_text(points)
    (folder / "metadataII.txt").write_text("M, 0, 1, 1, 3, 0, neutral, none\n")
    return folder


def add_matlab(folder: Path, normals: np.ndarray, *, y_down: bool = True, pz: bool = False) -> None:
    x, y, z = np.moveaxis(normals, -1, 0)
    parts = {"px": x, "py": -y if y_down else y} | ({"pz": z} if pz else {})
    savemat(folder / "sn.mat", parts)


@pytest.mark.parametrize(("noise", "most_deg"), [(0.0, 1.2), (0.01, 5.0)])
def test_stereo_finds_the_normals_of_a_rendered_face(
    session: tuple[list[np.ndarray], np.ndarray, np.ndarray], noise: float, most_deg: float
) -> None:
    photos, truth, mask = session
    rng = np.random.default_rng(0)
    grey = np.stack([p.mean(axis=-1) / 255 for p in photos]).astype(np.float32)
    grey = np.clip(grey + rng.normal(0, noise, grey.shape), 0, 1).astype(np.float32)
    normals, albedo, known = photometric_stereo(grey, directions(ZENITH, AZIMUTH))
    inside = known & mask
    error = angular_error_deg(normals, truth)[inside]
    assert inside.sum() > 0.6 * mask.sum(), "most of a face is lit by three lights"
    assert error.mean() < most_deg
    assert not normals[~known].any()
    assert np.std(albedo[inside]) < 0.25 * albedo[inside].mean(), "one grey skin"
    # the naive solution over all four photos, shadows and all
    naive = np.linalg.pinv(directions(ZENITH, AZIMUTH)) @ grey.reshape(4, -1)
    naive_error = angular_error_deg(naive.T.reshape(SIDE, SIDE, 3), truth)[inside]
    assert error.mean() < naive_error.mean()


def test_stereo_is_exact_where_four_lights_reach() -> None:
    rng = np.random.default_rng(1)
    lights = directions(np.float32([30, 30, 30, 20]), AZIMUTH)
    normals = np.concatenate([rng.uniform(-0.3, 0.3, (40, 50, 2)), np.ones((40, 50, 1))], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    shade = 0.8 * np.clip(np.einsum("hwc,lc->lhw", normals, lights), 0, None).astype(np.float32)
    found, albedo, known = photometric_stereo(shade, lights)
    assert known.all()
    assert angular_error_deg(found, normals).max() < 0.01
    assert albedo == pytest.approx(np.full((40, 50), 0.8), abs=1e-4)
    # a highlight in one photo of four is left out
    shiny = shade.copy()
    shiny[2, 10:20, 10:20] = np.minimum(shiny[2, 10:20, 10:20] + 0.35, 0.98)
    assert angular_error_deg(photometric_stereo(shiny, lights)[0], normals).mean() < 0.7
    encoded = linear_to_srgb(shade)
    found = photometric_stereo(encoded, lights, linear=False)[0]
    assert angular_error_deg(found, normals).max() < 0.01


@pytest.mark.parametrize("matlab", ["none", "px py", "px py pz"])
def test_photoface_sessions_become_four_pairs(
    session: tuple[list[np.ndarray], np.ndarray, np.ndarray], tmp_path: Path, matlab: str
) -> None:
    _, truth, _ = session
    folder = write_session(tmp_path / "PhotofaceDB", session, "1001")
    if matlab != "none":
        add_matlab(folder, truth, pz="pz" in matlab)
    out = tmp_path / "photoface.h5"
    code, stdout, stderr = run(
        "import-photos", tmp_path / "PhotofaceDB", "--dataset", "photoface", "--out", out
    )
    assert code == 0, stderr
    assert stdout.strip() == str(out)
    data = Dataset(out)
    assert (len(data), data.modality, set(data.subjects)) == (4, "pairs", {"1001"})
    assert data.sources[2] == "1001/2008-02-13_14-25-00/im2.bmp"
    first, other = data[0], data[3]
    assert np.array_equal(first.normals, other.normals)
    assert not np.array_equal(first.image, other.image)
    assert first.landmarks.shape == (68, 2)
    assert np.ptp(first.landmarks, axis=0).max() == pytest.approx(256 / 1.2, abs=6), "the crop of 4.1"
    rows, columns = np.nonzero(first.mask)
    upper = rows < np.median(rows)
    assert (
        first.normals[rows[upper], columns[upper], 1].mean()
        > first.normals[rows[~upper], columns[~upper], 1].mean()
    )
    assert np.linalg.norm(first.normals.astype(float), axis=-1)[first.mask] == pytest.approx(1, abs=2e-3)


def test_the_axes_of_normals_are_looked_at(
    session: tuple[list[np.ndarray], np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    folder = write_session(tmp_path / "db", session, "1001")
    add_matlab(folder, session[1], y_down=False)
    code, _, stderr = run(
        "import-photos", tmp_path / "db", "--dataset", "photoface", "--out", tmp_path / "x.h5"
    )
    assert code == 1
    assert "flip y by --axes" in stderr
    code, _, stderr = run(
        "import-photos", tmp_path / "db", "--dataset", "photoface", "--out", tmp_path / "x.h5",
        "--axes", "x,y,z",
    )  # fmt: skip
    assert code == 0, stderr
    code, _, stderr = run(
        "import-photos", tmp_path / "db", "--dataset", "photoface", "--out", tmp_path / "y.h5",
        "--axes", "x,y,-z",
    )  # fmt: skip
    assert code == 1
    assert "away from the viewer" in stderr


def test_the_split_is_by_person_seeded_and_of_the_papers_size() -> None:
    people = [f"{i:04d}" for i in range(PHOTOFACE_TRAIN_SUBJECTS + PHOTOFACE_TEST_SUBJECTS)]
    train, test = split_people(people, "train", 0), split_people(people, "test", 0)
    assert (len(train), len(test)) == (353, 100)
    assert sorted(train + test) == people
    assert split_people(people, "test", 0) == test
    assert split_people(people, "test", 1) != test


def test_metadata_is_read_whatever_separates_it(tmp_path: Path) -> None:
    (tmp_path / "metadata.txt").write_text("\n".join(f"{i}.5\t{2 * i}" for i in range(11)))
    (tmp_path / "metadataII.txt").write_text("F\n1\n0\n3\n2\n0\nsmile\nhat\n")
    meta = read_metadata(tmp_path)
    assert meta.points.tolist() == [[i + 0.5, 2 * i] for i in range(11)]
    assert (meta.attributes["sex"], meta.attributes["pose"], meta.attributes["extras"]) == ("F", "3", "hat")
    (tmp_path / "metadata.txt").write_text("1 2 3")
    assert read_metadata(tmp_path).points is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.csv", "zenith,azimuth\n40,45\n40,135\n40,225\n40,315\n"),
        ("l.json", '{"zenith": [40, 40, 40, 40], "azimuth": [45, 135, 225, 315]}'),
        ("a.m", "zenith = [40 40 40 40]; % degrees\nazimuth = [45,135,225,315];"),
        ("b.m", "".join(f"Zen({i})=40;\nAz({i})={45 + 90 * (i - 1)};\n" for i in range(1, 5))),
        ("c.m", "L = [40 45; 40 135; 40 225; 40 315]"),
        ("d.m", "zen = [0.6981 0.6981 0.6981 0.6981]; az = [0.7854 2.3562 3.927 5.4978];"),
    ],
)
def test_lights_are_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    if name == "c.m":
        text = text.replace("L = ", "")
        (tmp_path / name).write_text(text)
    assert read_lights(tmp_path / name) == pytest.approx(directions(ZENITH, AZIMUTH), abs=1e-3)


def test_lights_that_cannot_be_read_ask_for_a_file(tmp_path: Path) -> None:
    for name, text in (("l.m", "call_something(3)"), ("l.json", "{}"), ("l.csv", "1,2\n3,4\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(FNormalError, match="--lights"):
            read_lights(tmp_path / name)
    with pytest.raises(FNormalError, match="missing"):
        read_lights(tmp_path / "none.m")


def test_broken_sessions_fail_alone(
    session: tuple[list[np.ndarray], np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    root = tmp_path / "db"
    write_session(root, session, "1001")
    (write_session(root, session, "1002") / "im3.bmp").unlink()
    savemat(write_session(root, session, "1003") / "sn.mat", {"nx": np.zeros((4, 4))})
    (write_session(root, session, "1004") / "sn.mat").write_bytes(b"MATLAB 5.0 no")
    add_matlab(write_session(root, session, "1005"), session[1][:100])
    code, _, stderr = run("import-photos", root, "--dataset", "photoface", "--out", tmp_path / "x.h5")
    assert code == 1
    for words in ("3 .bmp photos", "lacks px, py", "as a Matlab file", "sn.mat is (100, 256)"):
        assert words in stderr
    assert set(Dataset(tmp_path / "x.h5").subjects) == {"1001"}


def test_sn_has_unit_length_and_knows_its_outside(tmp_path: Path) -> None:
    x = np.array([[0.6, 0.9, np.nan]])
    savemat(tmp_path / "sn.mat", {"px": x, "py": np.array([[0, 0.9, 0]])})
    normals = read_sn(tmp_path / "sn.mat")
    assert normals[0, 0] == pytest.approx([0.6, 0, 0.8])
    assert not normals[0, 1].any(), "longer than one is no slope"


@pytest.mark.parametrize("kind", ["mat", "npy", "png"])
def test_folders_with_normal_maps_are_pairs(
    session: tuple[list[np.ndarray], np.ndarray, np.ndarray], tmp_path: Path, kind: str
) -> None:
    photos, truth, mask = session
    for name in ("images", "normals"):
        (tmp_path / "set" / name / "sub").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "set/images/sub/face.png"), np.max(photos, axis=0)[..., ::-1])
    target = tmp_path / "set/normals/sub" / f"face.{kind}"
    if kind == "mat":
        savemat(target, {"norms": truth * 3, "cert": mask.astype(np.uint8)})
    elif kind == "npy":
        np.save(target, truth)
    else:
        write_normals(target, truth, mask, frame="opencv", format="png16", note={})
    out = tmp_path / "pairs.h5"
    code, _, stderr = run("import-photos", tmp_path / "set", "--dataset", "folder", "--out", out)
    assert code == 0, stderr
    sample = Dataset(out)[0]
    # back into the photo by the landmarks' crop: the same normals
    faces = open_photos(tmp_path / "set", "folder", PhotoOptions()).load(0)[0]
    assert (
        angular_error_deg(faces.normals, truth)[mask & (np.linalg.norm(faces.normals, axis=-1) > 0)].max()
        < 0.1
    )
    assert sample.mask.mean() > 0.3
    (tmp_path / "set/images/sub/alone.png").write_bytes((tmp_path / "set/images/sub/face.png").read_bytes())
    code, _, stderr = run(
        "import-photos", tmp_path / "set", "--dataset", "folder", "--out", tmp_path / "y.h5"
    )
    assert code == 1
    assert "has no normal map" in stderr
