"""Broken files against every command: seeds of each kind, mutations, a verdict on what became of them.

A command runs in a fork of a process that has imported everything, under limits of time and memory. That
process is one of its own (``python -m tests.fuzz FOLDER PHOTO COUNT SEED``): a fork of one that has
worked with several threads, as that of the tests has, would wait for threads that it does not have.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import trimesh
from PIL import Image

from tests.conftest import write_set
from tests.forks import import_all

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S, LIMIT_BYTES = 10, 6 << 30
REFUSED = ("enhance", "import-weights")  # healthy, but a ball is no face, and four numbers no network
_NUMBERS = (b"-1", b"0", b"nan", b"inf", b"1e999", b"99999999999999999999", b"-99999999", b"0.5", b"", b"x")


@dataclass(frozen=True)
class Seed:
    """A healthy file and the command that reads it; ``{file}`` and ``{out}`` stand in the command."""

    name: str
    command: tuple[str, ...]
    beside: tuple[str, ...] = ()


def fuzz(folder: Path, photo: Path, count: int, seed: int) -> list[str]:
    """What went wrong with healthy seeds and ``count`` broken ones, with what it takes to see it again."""
    command = [sys.executable, "-m", "tests.fuzz", *map(str, (folder, photo, count, seed))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wrong: list[str] = json.loads(done.stdout.splitlines()[-1])
    return wrong


def main(folder: Path, photo: Path, count: int, seed: int) -> None:
    """Print what :func:`fuzz` gives."""
    seeds = _ready_seeds(folder, photo)
    wrong = []
    for chosen in seeds:
        data = (folder / "seeds" / chosen.name).read_bytes()
        if chosen.command[0] not in REFUSED and (told := verdict(chosen, data, folder / "case")):
            wrong.append(f"healthy {chosen.name} {chosen.command[0]}: {told}")
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        chosen = seeds[number % len(seeds)]
        data = mutate((folder / "seeds" / chosen.name).read_bytes(), rng)
        if told := verdict(chosen, data, folder / "case"):
            (folder / f"case-{number}-{chosen.name}").write_bytes(data)
            wrong.append(f"{number} {chosen.name} {chosen.command[0]}: {told}")
    print(json.dumps(wrong))  # noqa: T201


def _ready_seeds(folder: Path, photo: Path) -> list[Seed]:
    """Seeds, and a process that has imported and loaded what else each of its forks would."""
    import torch

    from fnormal.faces.ladder import find_all_faces

    import_all()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    seeds = write_seeds(folder / "seeds", photo)
    assert run(["inspect", str(folder / "seeds" / "pairs.h5")]) == 0
    assert not find_all_faces(np.zeros((64, 64, 3), np.uint8))  # takes every detector
    gc.freeze()  # a collection in a fork would write to, and so copy, what all of them share
    return seeds


def write_seeds(folder: Path, photo: Path) -> list[Seed]:
    """One small file of every kind that a command reads."""
    folder.mkdir(parents=True)
    with Image.open(photo) as picture:
        face = picture.convert("RGB").crop((130, 20, 330, 220))
    face.save(folder / "face.png")
    face.save(folder / "photo.jpg", quality=90)
    face.save(folder / "photo.webp")
    face.save(folder / "photo.bmp")
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = np.stack([95 + 40 * np.cos(angle), 95 + 50 * np.sin(angle)], axis=1)
    np.save(folder / "points.npy", points)
    (folder / "points.json").write_text(json.dumps(points.tolist()))
    lines = "\n".join(f"{x:.3f} {y:.3f}" for x, y in points)
    (folder / "points.pts").write_text(f"version: 1\nn_points: 68\n{{\n{lines}\n}}\n")
    write_set(folder / "pairs.h5", 3, 32)
    _write_meshes(folder)
    _write_maps(folder)
    _write_weights(folder)
    (folder / "layout.toml").write_text(
        'mesh = "*.obj"\nsubject = "^([^/]+)$"\nsubdivide = 1\naxes = "x,y,z"\n'
    )
    face_png = str(folder / "face.png")
    predict = ("predict", face_png, "--landmarks", "{file}", "--out", "{out}")
    whole = ("predict", "{file}", "--no-crop", "--out", "{out}")
    enhance = ("enhance", face_png, "--mesh", "{file}", "--out", "{out}")
    evaluate = ("eval", str(folder / "pairs.h5"), "--predictions", "{folder}")
    seeds = [Seed(name, whole) for name in ("face.png", "photo.jpg", "photo.webp", "photo.bmp")]
    seeds += [Seed(name, predict) for name in ("points.npy", "points.json", "points.pts")]
    seeds += [
        Seed("pairs.h5", ("inspect", "{file}")),
        Seed("pairs.h5", ("eval", "{file}")),
        Seed("pairs.h5", ("merge", "{file}", "--out", "{out}.h5")),
        Seed("pairs.h5", ("train", "--pairs", "{file}", "--arch", "tiny", "--size", "32", "--epochs", "1",
                          "--batch-size", "2", "--out", "{out}")),
        Seed("tiny.safetensors", ("predict", face_png, "--no-crop", "--weights", "{file}", "--out", "{out}")),
        Seed("model.pth", ("import-weights", "{file}", "--out", "{out}.safetensors")),
        Seed("layout.toml", (
            "render-dataset", str(folder / "scans"), "--dataset", "folder", "--layout", "{file}", "--dry-run",
        )),
    ]  # fmt: skip
    meshes = ("mesh.obj", "mesh.ply", "mesh.glb", "mesh.stl", "mesh.off", "mesh.vtk", "ascii.stl")
    seeds += [Seed(name, enhance) for name in meshes]
    seeds += [Seed(name, evaluate) for name in ("000000.png", "000000.npy", "000000.tiff")]
    return seeds


def _write_meshes(folder: Path) -> None:
    ball = trimesh.creation.icosphere(subdivisions=1)
    for suffix in ("obj", "ply", "glb", "stl", "off"):
        ball.export(folder / f"mesh.{suffix}")
    (folder / "ascii.stl").write_text(trimesh.exchange.stl.export_stl_ascii(ball))
    points = "\n".join(" ".join(f"{v:.4f}" for v in row) for row in ball.vertices)
    cells = "\n".join(f"3 {a} {b} {c}" for a, b, c in ball.faces)
    head = "# vtk DataFile Version 3.0\nball\nASCII\nDATASET POLYDATA\n"
    count = len(ball.faces)
    (folder / "mesh.vtk").write_text(
        f"{head}POINTS {len(ball.vertices)} float\n{points}\nPOLYGONS {count} {4 * count}\n{cells}\n"
    )
    (folder / "scans").mkdir()
    shutil.copy(folder / "mesh.obj", folder / "scans" / "mesh.obj")


def _write_maps(folder: Path) -> None:
    import tifffile

    normals = np.tile(np.array([0.0, 0.6, 0.8], np.float32), (32, 32, 1))
    np.save(folder / "000000.npy", normals)
    tifffile.imwrite(folder / "000000.tiff", normals, photometric="rgb")
    code = np.rint((normals + 1) * 32767.5).astype(np.uint16)
    cv2.imwrite(str(folder / "000000.png"), code[..., ::-1])


def _write_weights(folder: Path) -> None:
    import torch

    from fnormal.network.checkpoint import WeightsInfo, save_weights
    from fnormal.network.model import CrossModalNet

    torch.manual_seed(0)
    save_weights(folder / "tiny.safetensors", CrossModalNet("tiny"), WeightsInfo("tiny", size_px=32))
    torch.save({"layer0.0.weight": torch.rand(4, 3, 7, 7)}, folder / "model.pth")


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four changes of bytes, of spans, or of numbers in a text."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, max(1, min(len(changed), 4096 if rng.random() < 0.5 else len(changed)))))
        span = int(rng.integers(1, 64))
        kind = int(rng.integers(0, 8))
        if kind == 0:
            del changed[at:]
        elif kind == 1:
            changed[at : at + span] = bytes(span)
        elif kind == 2:
            changed[at : at + span] = rng.integers(0, 256, span, np.uint8).tobytes()
        elif kind == 3:
            del changed[at : at + span]
        elif kind == 4:
            changed[at:at] = changed[at : at + span] * int(rng.integers(1, 50))
        elif kind == 5:
            changed[at : at + 4] = bytes([255] * 4)
        elif kind == 6 and changed:
            changed[min(at, len(changed) - 1)] ^= 1 << int(rng.integers(0, 8))
        else:
            _change_number(changed, at, rng)
    return bytes(changed)


def _change_number(changed: bytearray, at: int, rng: np.random.Generator) -> None:
    """Replace the next number of a text."""
    digits = b"0123456789.-+e"
    start = next((i for i in range(at, min(len(changed), at + 4000)) if changed[i] in digits), None)
    if start is not None:
        end = start
        while end < len(changed) and changed[end] in digits:
            end += 1
        changed[start:end] = _NUMBERS[int(rng.integers(len(_NUMBERS)))]


def verdict(seed: Seed, data: bytes, folder: Path) -> str:
    """What went wrong when the command read ``data``; empty where it answered as it should."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "in").mkdir(parents=True)
    file, out, told = folder / "in" / seed.name, folder / "out", folder / "told.txt"
    if seed.name.startswith("000000"):
        for number in range(3):
            shutil.copy(
                file.parents[2] / "seeds" / seed.name,
                file.with_name(seed.name.replace("000000", f"{number:06d}")),
            )
    file.write_bytes(data)
    places = {"file": file, "out": out, "folder": file.parent}
    command = [part.format(**places) if "{" in part else part for part in seed.command]
    code, seconds = _in_a_fork(lambda: run(command), told)
    if seconds > LIMIT_S:  # a hang hangs twice; a machine that is busy for a moment does not
        shutil.rmtree(out, ignore_errors=True)
        told.unlink()
        code, seconds = _in_a_fork(lambda: run(command), told)
    text = told.read_text(errors="replace")
    if seconds > LIMIT_S:
        return f"hang of {seconds:.0f} s"
    if code < 0:
        return f"crash by signal {-code}: {text[-300:]}"
    if "Traceback" in text:
        return "traceback: " + text[-600:]
    if code == 1 and "fnormal: " not in text:
        return "silent failure: " + text[-300:]
    if code not in (0, 1):
        return f"exit code {code}: {text[-300:]}"
    left = [p.name for p in folder.rglob("*") if p.name.endswith((".partial", ".lock"))]
    if left:
        return f"left behind: {left}"
    return _nonsense(out) if code == 0 else ""


def _nonsense(out: Path) -> str:
    """Whether what was written is no answer: numbers that are none, or maps of nothing."""
    for path in sorted(out.rglob("*.json")) if out.is_dir() else []:
        if "NaN" in path.read_text() or "Infinity" in path.read_text():
            return f"NaN in {path.name}"
    for path in sorted(out.rglob("*_normals.png")) if out.is_dir() else []:
        if not cv2.imread(str(path), cv2.IMREAD_UNCHANGED).any():
            return f"{path.name} is empty"
    return ""


def run(command: list[str]) -> int:
    """Exit code of a command in this process."""
    from fnormal.cli.app import app

    try:
        app(command)
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def _in_a_fork(work: Callable[[], int], told: Path) -> tuple[int, float]:
    """Exit code (negative: a signal) and seconds of ``work`` in a child with its output in a file."""
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            handle = os.open(told, os.O_CREAT | os.O_WRONLY)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            sys.stdout, sys.stderr = open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LIMIT_S + 2)
            resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), time.monotonic() - started


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
