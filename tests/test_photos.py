"""import-photos: every reader on fixtures in its layout, the crop and mask of photos, photometric stereo."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from fnormal.config import CELEBA_HQ_IMAGES, PHOTOFACE_TEST_SUBJECTS, PHOTOFACE_TRAIN_SUBJECTS
from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.photo_samples import check_axes, crop_photo
from fnormal.datasets.sample import Pair
from fnormal.errors import FNormalError
from fnormal.geometry.images import linear_to_srgb, srgb_to_linear
from fnormal.geometry.normal_maps import write_normals
from fnormal.geometry.normals import angular_error_deg, to_frame, unit
from fnormal.geometry.picturefile import read_image
from fnormal.options.data import PhotoOptions
from fnormal.photos.photoface import read_lights, read_metadata, read_sn, split_people
from fnormal.photos.stereo import directions, photometric_stereo
from fnormal.render.backends import open_renderer
from fnormal.render.camera import frame_face
from fnormal.render.lighting import Lighting
from tests import heads
from tests.helpers import open_photos
from tests.test_readers import run

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


def test_photos_alone_are_cropped_and_masked(astronaut: Path, tmp_path: Path) -> None:
    folder = tmp_path / "celeba" / "nested"
    folder.mkdir(parents=True)
    (folder / "00001.png").write_bytes(astronaut.read_bytes())
    cv2.imwrite(str(folder / "00002.jpg"), np.zeros((200, 200, 3), np.uint8))
    out = tmp_path / "images.h5"
    code, stdout, stderr = run(
        "import-photos", tmp_path / "celeba", "--dataset", "celeba-hq", "--out", out, "--size", 128
    )
    assert code == 1, "one has no face"
    assert stdout.strip() == str(out)
    assert "nested/00002.jpg: no face found" in stderr
    data = Dataset(out)
    assert (len(data), data.modality, data.size_px) == (1, "images", 128)
    assert data[0].image[data[0].mask].mean() > 60
    reader = open_photos(tmp_path / "celeba", "celeba-hq", PhotoOptions())
    assert len(reader.names) == 2
    assert CELEBA_HQ_IMAGES == 5000


def test_300w_takes_its_points(astronaut: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(astronaut.read_bytes())
    (tmp_path / "b.png").write_bytes(astronaut.read_bytes())
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = np.stack([225 + 40 * np.cos(angle), 115 + 50 * np.sin(angle)], axis=1)
    lines = "\n".join(f"{x + 1:.4f} {y + 1:.4f}" for x, y in points)
    (tmp_path / "a.pts").write_text(f"version: 1\nn_points:  68\n{{\n{lines}\n}}\n")
    code, _, stderr = run("import-photos", tmp_path, "--dataset", "300w", "--out", tmp_path / "w.h5")
    assert code == 1
    assert "b.pts" in stderr
    sample = Dataset(tmp_path / "w.h5")[0]
    scale = 256 / round(100 * 1.2)
    assert np.ptp(sample.landmarks[:, 1]) == pytest.approx(100 * scale, abs=0.1)
    assert sample.mask.sum() == pytest.approx(np.pi * 40 * 50 * scale**2, rel=0.03)


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


def test_options_that_a_set_has_no_use_for_are_refused(tmp_path: Path) -> None:
    for dataset, options in (("folder", PhotoOptions(split="test")), ("300w", PhotoOptions(lights=tmp_path))):
        with pytest.raises(FNormalError, match="has no use for --"):
            open_photos(tmp_path, dataset, options)
    with pytest.raises(FNormalError, match="no sessions"):
        open_photos(tmp_path, "photoface", PhotoOptions())
    with pytest.raises(FNormalError, match="unknown data set"):
        open_photos(tmp_path, "flickr", PhotoOptions())


def test_inspect_tells_what_a_set_holds(tmp_path: Path, pairs: Path) -> None:
    sheet = tmp_path / "sheet.png"
    code, stdout, _ = run("inspect", pairs, "--json", "--sheet", sheet)
    assert code == 0
    facts, written = (json.loads(line) for line in stdout.splitlines())
    assert (facts["modality"], facts["samples"], facts["subjects"], facts["size_px"]) == ("pairs", 4, 4, 64)
    assert facts["frame"] == "opengl"
    assert facts["unit_error"] < 1e-3
    assert written == {"path": str(sheet)}
    data = Dataset(pairs)
    first = cv2.resize(data[0].image, (128, 128), interpolation=cv2.INTER_LINEAR)
    assert np.abs(read_image(sheet)[:128, :128].astype(int) - first).max() <= 1


def test_doctor_finds_what_the_tests_need() -> None:
    code, stdout, _ = run("doctor", "--json")
    findings = {line["name"]: line for line in map(json.loads, stdout.splitlines())}
    assert code == 0, stdout
    for name in ("soft renderer", "landmark model", "dlib", "torch", "opencv", "hdf5"):
        assert findings[name]["works"], findings[name]
    assert all(line["remedy"] for line in findings.values() if not line["works"])


def test_doctor_names_a_remedy_and_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FNORMAL_LANDMARKS", "/nowhere/model.dat")
    code, stdout, _ = run("doctor")
    assert code == 1
    line = next(line for line in stdout.splitlines() if "landmark model" in line)
    assert line.startswith("MISSING")
    assert "libdlib-data" in line


def test_synthhumans_faces_become_pairs(astronaut: Path, tmp_path: Path) -> None:
    """In the layout of its README: bodies are left out, alpha cuts the normals, wrong axes are told."""
    exr = pytest.importorskip("OpenEXR")
    photo = read_image(astronaut)
    row, column = np.mgrid[:512, :512]
    flat = np.stack([(column - 220) / 90, (115 - row) / 90], axis=-1) * 0.6
    z = np.sqrt(np.clip(1 - (flat**2).sum(axis=-1), 0.01, 1))
    normals = unit(np.concatenate([flat, z[..., None]], axis=-1).astype(np.float32))
    folder = tmp_path / "part_0"
    folder.mkdir()
    for number, axes in ((0, "x,y,z"), (98_040, "x,y,z")):
        name = f"{number:07d}"
        cv2.imwrite(str(folder / f"rgb_{name}.png"), photo[..., ::-1])
        cv2.imwrite(str(folder / f"alpha_{name}.png"), np.where(row < 300, 255, 0).astype(np.uint8))
        channels = {c: to_frame(normals, axes)[..., i].copy() for i, c in enumerate("XYZ")}
        exr.File({"type": exr.scanlineimage}, channels).write(str(folder / f"normal_{name}.exr"))
    reader = open_photos(tmp_path, "synthhuman", PhotoOptions())
    assert list(reader.names) == ["0000000"]
    (read,) = reader.load(0)
    assert read.normals is not None
    assert angular_error_deg(read.normals, normals)[:300].max() < 0.1
    assert not read.normals[300:].any()
    sample = crop_photo(read, 96)
    assert isinstance(sample, Pair)
    check_axes(reader, 96)
    with pytest.raises(FNormalError, match="flip y"):
        check_axes(open_photos(tmp_path, "synthhuman", PhotoOptions(axes="x,-y,z")), 96)
    with pytest.raises(FNormalError, match="unpack SynthHuman"):
        open_photos(astronaut.parent, "synthhuman", PhotoOptions())
