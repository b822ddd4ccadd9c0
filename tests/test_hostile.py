"""Files and options that once made a command fail: each kind is one line, exit 1, and leaves nothing."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import threading
import time
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from fnormal.datasets.hdf5 import Dataset
from fnormal.errors import FNormalError
from fnormal.files.opening import LAYOUT, MESH, PICTURE, check_file, decoding, read_npz
from fnormal.geometry.meshfile import read_mesh
from fnormal.geometry.normal_maps import read_normals
from fnormal.geometry.picturefile import read_image
from fnormal.photos.photoface import read_lights
from tests.conftest import SHARED, write_set
from tests.helpers import run

ROOT = Path(__file__).resolve().parents[1]


HOSTILE = sorted(p for p in (SHARED / "hostile").glob("*") if p.suffix != ".md") if SHARED.is_dir() else []


def refused(*arguments: object) -> str:
    """What a command says that must fail with exit 1, in lines of its own and without results."""
    code, stdout, stderr = run(*arguments)
    assert (code, stdout) == (1, ""), (arguments, stdout, stderr)
    assert all(line.startswith("fnormal: ") for line in stderr.splitlines()), stderr
    assert stderr.count("\n") <= 2
    return stderr


def commands_for(path: Path, photo: Path, out: Path) -> list[tuple[object, ...]]:
    """The commands that the README beside the hostile files names for a file."""
    if path.suffix in (".npy", ".pts"):
        return [("predict", photo, "--landmarks", path, "--out", out)]
    if path.suffix in (".vtk", ".glb", ".obj"):
        return [("enhance", photo, "--mesh", path, "--out", out)]
    if path.suffix == ".h5":
        train = ("train", "--pairs", path, "--arch", "tiny", "--size", 32, "--epochs", 1, "--out", out)
        return [("inspect", path), ("eval", path), ("merge", path, "--out", f"{out}.h5"), train]
    if path.suffix == ".onnx":
        return [("predict", photo, "--weights", path, "--out", out)]
    if path.suffix == ".toml":
        scans = SHARED / "lee_perry_smith"
        return [("render-dataset", scans, "--dataset", "folder", "--layout", path, "--out", f"{out}.h5")]
    return [("predict", path, "--out", out)]


@pytest.mark.parametrize("path", [p for p in HOSTILE if p.suffix != ".mat"], ids=lambda p: p.name)
def test_every_hostile_file_is_refused(path: Path, astronaut: Path, tmp_path: Path) -> None:
    for command in commands_for(path, astronaut, tmp_path / "out"):
        told = refused(*command)
        assert path.name in told or "weights are damaged" in told
    assert not [p for p in tmp_path.rglob("*") if p.is_file()], "nothing half-written"


def test_a_hostile_map_costs_its_photo_alone(astronaut: Path, tmp_path: Path, shared_data: Path) -> None:
    for name in ("images", "normals"):
        (tmp_path / "set" / name).mkdir(parents=True)
    for stem in ("bad", "good"):
        shutil.copy(astronaut, tmp_path / "set" / "images" / f"{stem}.png")
    shutil.copy(shared_data / "hostile" / "corrupt_norms.mat", tmp_path / "set" / "normals" / "bad.mat")
    np.save(tmp_path / "set" / "normals" / "good.npy", np.tile(np.float32([0, 0, 1]), (512, 512, 1)))
    code, stdout, stderr = run(
        "import-photos", tmp_path / "set", "--dataset", "folder", "--out", tmp_path / "s.h5"
    )
    assert (code, stdout.strip()) == (1, str(tmp_path / "s.h5"))
    assert "bad.mat" in stderr
    assert len(Dataset(tmp_path / "s.h5")) == 1


# what is no file


def test_pipes_devices_folders_and_loops_are_no_files(tmp_path: Path, astronaut: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "folder.png").mkdir()
    for path in ("pipe.png", "loop.png", "folder.png", "x" * 300 + ".png"):
        with pytest.raises(FNormalError) as told:
            check_file(tmp_path / path, PICTURE)
        assert len(str(told.value)) < 400
    for device in ("/dev/zero", "/dev/stdin"):
        with pytest.raises(FNormalError, match="not a file"):
            check_file(Path(device), LAYOUT)
    assert "a pipe or a device" in refused(
        "predict", astronaut, "--landmarks", "/dev/zero", "--out", tmp_path / "o"
    )
    assert "a pipe or a device" in refused("predict", tmp_path / "pipe.png", "--out", tmp_path / "o")


def test_a_pipe_that_is_named_is_read(tmp_path: Path, astronaut: Path) -> None:
    """As ``<(command)`` is, and as a file of the same bytes; a writer may come late, and write slowly."""
    data, pipe = astronaut.read_bytes(), tmp_path / "pipe.png"
    os.mkfifo(pipe)

    def write() -> None:
        time.sleep(0.5)
        with pipe.open("wb") as handle:
            for start in range(0, len(data), 100_000):
                handle.write(data[start : start + 100_000])
                handle.flush()
                time.sleep(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    code, stdout, stderr = run("predict", pipe, "--out", tmp_path / "piped", "--format", "npy", "--json")
    writer.join()
    assert code == 0, stderr
    assert json.loads(stdout)["input"] == str(pipe)
    run("predict", astronaut, "--out", tmp_path / "file", "--format", "npy")
    piped, filed = tmp_path / "piped/pipe_normals.npy", tmp_path / "file/astronaut_normals.npy"
    assert np.array_equal(np.load(piped), np.load(filed))


def test_a_pipe_in_a_folder_does_not_hold_up_the_others(tmp_path: Path, astronaut: Path) -> None:
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in" / "a.png")
    shutil.copy(astronaut, tmp_path / "in" / "b.png")
    code, stdout, _ = run("predict", tmp_path / "in", "--out", tmp_path / "out")
    assert (code, len(stdout.split())) == (0, 3)


def test_files_over_the_size_of_their_kind_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "layout.toml"
    with path.open("wb") as handle:
        handle.truncate(LAYOUT.most_bytes + 1)
    with pytest.raises(FNormalError, match="too much for a layout"):
        check_file(path, LAYOUT)


def test_decoding_names_broken_bytes_and_lets_bugs_through(tmp_path: Path) -> None:
    for error in (zlib.error("x"), struct.error("x"), KeyError("x"), MemoryError(), zipfile.BadZipFile("x")):
        with pytest.raises(FNormalError, match="cannot read f as a mesh"), decoding("f", MESH):
            raise error
    with pytest.raises(NameError), decoding("f", MESH):
        raise NameError("a bug")
    with pytest.raises(KeyboardInterrupt), decoding("f", MESH):
        raise KeyboardInterrupt


# bombs


def png_with(chunk: bytes, body: bytes, size: tuple[int, int] = (8, 8)) -> bytes:
    """A PNG of ``size`` whose pixels are not there, with one more chunk."""

    def packed(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = packed(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    pixels = packed(b"IDAT", zlib.compress(b"\0" * (size[1] * (3 * size[0] + 1)) if size[0] < 100 else b"\0"))
    return b"\x89PNG\r\n\x1a\n" + header + packed(chunk, body) + pixels + packed(b"IEND", b"")


def test_bombs_are_refused_or_passed_over(tmp_path: Path) -> None:
    bomb = zlib.compress(b"\0" * 200_000_000)
    path = tmp_path / "a.png"
    path.write_bytes(png_with(b"zTXt", b"k\0\0" + bomb))
    with pytest.raises(FNormalError, match=r"a\.png"):
        read_image(path)
    path.write_bytes(png_with(b"tEXt", b"k\0v", (60_000, 60_000)))
    with pytest.raises(FNormalError, match="megapixels"):
        read_image(path)
    with pytest.raises(FNormalError, match="megapixels"):
        read_normals(path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**9,)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header.getvalue() + b"\0" * 1000)
    with pytest.raises(FNormalError, match="holds less"):
        read_npz(tmp_path / "a.npz", LAYOUT)


@pytest.mark.parametrize("kind", ["obj", "cr.obj", "ply", "ascii.stl", "stl", "off", "vtk", "gltf"])
def test_triangles_are_counted_before_they_are_read(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trimesh

    monkeypatch.setattr("fnormal.geometry.meshfile.MAX_TRIANGLES", 100)
    monkeypatch.setattr(trimesh, "load", lambda *a, **k: pytest.fail("it was read"))
    monkeypatch.setattr("fnormal.geometry.meshfile.read_vtk", lambda path: pytest.fail("it was read"))
    ball = trimesh.creation.icosphere(subdivisions=2)
    path = tmp_path / f"m.{kind}"
    if kind == "vtk":
        cells = "\n".join(f"3 {a} {b} {c}" for a, b, c in ball.faces)
        path.write_text(f"ASCII\nPOINTS 162 float\n0 0 0\nPOLYGONS 320 1280\n{cells}\n")
    elif kind == "ascii.stl":
        path.write_text(trimesh.exchange.stl.export_stl_ascii(ball))
    elif kind == "gltf":
        accessors = [{"count": 162}, {"count": 960}]
        primitive = {"attributes": {"POSITION": 0}, "indices": 1}
        path.write_text(json.dumps({"meshes": [{"primitives": [primitive]}], "accessors": accessors}))
    else:
        ball.export(path, file_type=kind.split(".")[-1])
        if kind == "cr.obj":
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))
    with pytest.raises(FNormalError, match="320 faces, over 100"):
        read_mesh(path)


def test_a_matlab_script_of_a_megabyte_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "LightSource.m"
    for text in ("1" * 900_000, "a(" * 400_000, "zen = [" + "1 " * 300_000, "=" * 900_000):
        path.write_text(text)
        with pytest.raises(FNormalError):
            read_lights(path)


# schemas


def test_hdf5_stays_in_its_file(tmp_path: Path) -> None:
    """Another file's bytes must not come in through links, external storage or foreign sources."""
    secret = write_set(tmp_path / "secret.h5", 3, 32)

    def broken(name: str) -> Path:
        return write_set(tmp_path / f"{name}.h5", 3, 32, seed=1)

    with h5py.File(broken("external"), "r+") as file:
        del file["image"]
        file["image"] = h5py.ExternalLink(str(secret), "/image")
    with h5py.File(broken("soft"), "r+") as file:
        del file["mask"]
        file["mask"] = h5py.SoftLink("/image")
    with h5py.File(broken("storage"), "r+") as file:
        del file["image"]
        file.create_dataset("image", (3, 32, 32, 3), "u1", external=[(str(secret), 0, 9216)])
    sources = {"virtual": str(secret), "upward": "../secret.h5", "itself": ".", "listed": "listed.h5"}
    for name, source in sources.items():
        with h5py.File(broken(name), "r+") as file:
            del file["image"]
            layout = h5py.VirtualLayout((3, 32, 32, 3), "u1")
            layout[:] = h5py.VirtualSource(source, "image", (3, 32, 32, 3))
            file.create_virtual_dataset("image", layout)
            if name in ("upward", "listed"):
                file.attrs["shards"] = json.dumps([source])
    with h5py.File(broken("unwritten"), "r+") as file:
        for array in file:
            file[array].resize(5, axis=0)
    for name in ("external", "soft", "storage", "unwritten", *sources):
        with pytest.raises(FNormalError, match=f"{name}\\.h5"):
            Dataset(tmp_path / f"{name}.h5")


def test_a_panorama_that_announces_too_much_is_not_unpacked(tmp_path: Path, makehuman: Path) -> None:
    (tmp_path / "a.hdr").write_bytes(
        b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 60000 +X 120000\n" + b"x" * 99
    )
    arguments = ("render-dataset", makehuman, "--dataset", "anny", "--lighting", "rich", "--scans", 1)
    assert "a.hdr" in refused(*arguments, "--environments", tmp_path, "--out", tmp_path / "d.h5")
