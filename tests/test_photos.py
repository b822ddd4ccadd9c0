"""import-photos: every reader on fixtures in its layout, the crop and mask of photos, photometric stereo."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fnormal.config import CELEBA_HQ_IMAGES
from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.photo_samples import check_axes, crop_photo
from fnormal.datasets.sample import Pair
from fnormal.errors import FNormalError
from fnormal.geometry.normals import angular_error_deg, to_frame, unit
from fnormal.geometry.picturefile import read_image
from fnormal.options.data import PhotoOptions
from tests.helpers import open_photos, run


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
