"""Videos from the shell: whole after a kill, streams, files, options."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from fnormal.cli.app import app
from fnormal.geometry.normal_maps import frame_stated, read_normals
from fnormal.geometry.videofile import count_frames, open_video
from fnormal.network.checkpoint import default_weights
from tests import forks
from tests.helpers import placed

av = pytest.importorskip("av")
ROOT = Path(__file__).resolve().parents[1]


def write_video(path: Path, frames: list[np.ndarray]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "10"}
        for frame in frames:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"))
            )
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def clip(portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(path, [placed(portrait, 240 + 3 * t if t != 7 else 2000, 200, t) for t in range(14)])
    return path


def test_a_video_becomes_numbered_maps_and_lines(clip: Path, tmp_path: Path) -> None:
    assert count_frames(str(clip)) == 14
    done = CliRunner().invoke(app, ["predict", str(clip), "-o", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame"] for line in lines] == list(range(14))
    missing = [line["frame"] for line in lines if not line["ok"]]
    assert 7 in missing
    assert len(missing) <= 5
    assert (tmp_path / "clip.jsonl").read_text().count("\n") == 14
    normals, mask = read_normals(Path(lines[0]["normals"]))
    assert normals.shape == (360, 480, 3)
    assert mask.mean() > 0.05
    assert "flicker" in done.stderr
    frames = tmp_path / "frames"
    frames.mkdir()
    for i, frame in enumerate(open_video(str(clip), 10**7).frames):
        cv2.imwrite(str(frames / f"{i:03d}.png"), frame[..., ::-1])
    again = CliRunner().invoke(app, ["predict", str(frames), "--video", "-o", str(tmp_path / "b"), "--quiet"])
    assert again.exit_code == 0
    other, _ = read_normals(tmp_path / "b" / "frames" / "000000_normals.png")
    np.testing.assert_array_equal(other, normals)


def test_a_killed_video_ends_like_a_whole_one(clip: Path, tmp_path: Path) -> None:
    def arguments(out: Path) -> list[str]:
        return ["predict", str(clip), "-o", str(out), "-q", "--threads", "1"]

    forks.run(arguments(tmp_path / "whole")).check_returncode()
    command = [sys.executable, "-m", "fnormal", *arguments(tmp_path / "cut")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    while len(list((tmp_path / "cut").rglob("*_mask.png"))) < 3:
        assert process.poll() is None
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "cut" / "clip.jsonl").exists()
    forks.run(arguments(tmp_path / "cut")).check_returncode()
    names = sorted(p.relative_to(tmp_path / "whole") for p in (tmp_path / "whole").rglob("*.png"))
    assert names == sorted(p.relative_to(tmp_path / "cut") for p in (tmp_path / "cut").rglob("*.png"))
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()
    assert [p.name for p in (tmp_path / "cut").iterdir() if p.is_file()] == ["clip.jsonl"]


@pytest.mark.slow
@pytest.mark.parametrize("smooth", ["0", "0.5"])
def test_a_video_killed_at_any_file_ends_like_a_whole_one(clip: Path, tmp_path: Path, smooth: str) -> None:
    """Files come whole and in order, so a kill leaves some first ones of them: every such start is tried."""

    def predict(out: Path) -> list[Path]:
        command = ["predict", str(clip), "-o", str(out), "-q", "--smooth", smooth]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.stderr
        return sorted(out.rglob("*.*"))

    whole = predict(tmp_path / "whole")
    frames = [path for path in whole if path.suffix == ".png"]
    frames.sort(key=lambda path: (path.name[:6], path.name.endswith("_mask.png")))  # as they are written
    assert len(frames) > 15
    about = tmp_path / "whole" / "clip" / "video.json"
    for count in range(len(frames)):
        cut, left = tmp_path / f"cut{count}", []
        for path in [about, *frames[:count]]:
            there = cut / path.relative_to(tmp_path / "whole")
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(path.read_bytes())
            left.append((there, there.stat().st_mtime_ns))
        again = predict(cut)
        kept = [path for path, written in left if path.stat().st_mtime_ns == written]
        if smooth == "0":  # whatever is mixed in depends on all frames before
            assert len(kept) >= 1 + count // 2 * 2  # a frame has two files
        assert [p.relative_to(cut) for p in again] == [p.relative_to(tmp_path / "whole") for p in whole]
        for a, b in zip(whole, again, strict=True):
            if a.suffix == ".png":
                assert a.read_bytes() == b.read_bytes(), (count, a.name)


def test_what_is_no_video_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 100)
    write_video(tmp_path / "empty.mp4", [np.full((64, 64, 3), 100, np.uint8)] * 3)
    for name, words in (("bad.mp4", "no video that FFmpeg reads"), ("empty.mp4", "no face found")):
        done = CliRunner().invoke(app, ["predict", str(tmp_path / name), "-o", str(tmp_path / "out")])
        assert done.exit_code == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def piped(data: bytes, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "fnormal", "predict", "-", "--video", "--threads", "1"]
    return subprocess.run(
        [*command, *map(str, arguments)], input=data, capture_output=True, check=False, timeout=120
    )


def test_streams_go_through_a_pipe_and_are_what_the_file_gives(portrait: np.ndarray, tmp_path: Path) -> None:
    """As in ``ffmpeg -i a.mp4 -f image2pipe - | fnormal predict - --video --out - | ffmpeg ...``."""
    pictures = [placed(portrait, 240 + 3 * t, 200, t) for t in range(3)]
    pictures.insert(1, np.zeros_like(pictures[0]))  # no face: the count must stay
    folder = tmp_path / "frames"
    folder.mkdir()
    for i, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{i}.png"), picture[..., ::-1])
    pngs = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    raw = b"".join(picture.tobytes() for picture in pictures)
    height, width = pictures[0].shape[:2]
    by_png, by_raw = piped(pngs, "--out", "-"), piped(raw, "--raw", f"{width}x{height}", "--out", "-")
    assert by_png.returncode == 0, by_png.stderr
    assert by_png.stdout == by_raw.stdout
    maps = [b"\x89PNG" + part for part in by_png.stdout.split(b"\x89PNG")[1:]]
    assert len(maps) == len(pictures)
    run = CliRunner().invoke(
        app, ["predict", str(folder), "--video", "-o", str(tmp_path / "n.mkv"), "--threads", "1"]
    )
    assert run.exit_code == 0, run.stderr
    told = [json.loads(line) for line in (tmp_path / "n.jsonl").read_text().splitlines()]
    assert [line["ok"] for line in told] == [True, False, True, True]
    with av.open(str(tmp_path / "n.mkv")) as container:
        assert {k.lower(): v for k, v in container.metadata.items()}["fnormal:frame"] == "opengl"
        lossless = [frame.to_ndarray(format="rgb48le") for frame in container.decode(video=0)]
    for picture, png in zip(lossless, maps, strict=True):
        np.testing.assert_array_equal(picture, cv2.imdecode(np.frombuffer(png, np.uint8), -1)[..., ::-1])
    assert lossless[0].any()
    assert not lossless[1].any()


@pytest.mark.parametrize(
    ("data", "arguments", "says"),
    [
        (b"", ["--out", "-"], "no video"),
        (b"nothing of a video" * 99, ["--out", "x.mkv"], "image2pipe"),
        (b"\0" * 99, ["--raw", "640", "--out", "-"], "WIDTHxHEIGHT"),
        (b"\0" * 640 * 480 * 3, ["--raw", "640x480", "--out", "x.mkv"], "no face"),
    ],
)
def test_streams_that_hold_no_faces_are_one_line(
    data: bytes, arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = piped(data, *arguments)
    assert done.returncode == 1
    assert says in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_a_folder_holds_maps_of_one_kind(clip: Path, tmp_path: Path) -> None:
    """What is done is not done again, unless it was asked for otherwise."""

    def maps(*flags: str) -> dict[str, tuple[int, str]]:
        command = ["predict", str(clip), "-o", str(tmp_path), "--smooth", "0", "--quiet", *flags]
        assert CliRunner().invoke(app, command).exit_code == 0
        paths = sorted((tmp_path / "clip").glob("*_normals.png"))
        assert len(paths) > 8
        return {p.name: (p.stat().st_mtime_ns, frame_stated(p) or "") for p in paths}

    first = maps()
    assert {frame for _, frame in first.values()} == {"opengl"}
    assert maps() == first
    (tmp_path / "clip" / "000003_normals.png").unlink()
    assert [name for name, was in maps().items() if was != first[name]] == ["000003_normals.png"]
    other = maps("--frame", "opencv")
    assert {frame for _, frame in other.values()} == {"opencv"}
    assert maps("--frame", "opencv") == other
    weights = tmp_path / "mine.safetensors"
    shutil.copy(default_weights(), weights)
    mine = maps("--weights", str(weights))
    assert maps("--weights", str(weights)) == mine
    os.utime(weights, ns=(0, 0))  # trained on, under the same name
    assert not mine.items() & maps("--weights", str(weights)).items()


def test_a_video_takes_the_options_of_pictures_or_refuses_them(clip: Path, tmp_path: Path) -> None:
    def told(*flags: str, out: Path = tmp_path / "n") -> tuple[int, str, list[dict[str, object]]]:
        done = CliRunner().invoke(app, ["predict", str(clip), "-o", str(out), "--json", *flags])
        return done.exit_code, done.stderr, [json.loads(line) for line in done.stdout.splitlines()]

    assert told()[0] == 0
    code, stderr, lines = told("--overlay", "--side-by-side", "--confidence", "--crop-only")
    assert code == 0, stderr
    seen = [line for line in lines if line["ok"]]
    assert len(seen) > 8
    for line in seen:  # those of the first run have no overlay: they are done again
        normals, mask = read_normals(Path(str(line["normals"])))
        assert normals.shape[:2] != (360, 480)
        assert mask.any()
        crop = line["crop"]
        assert isinstance(crop, dict)
        assert max(normals.shape[:2]) >= crop["side_px"]
        for name in ("mask", "confidence", "overlay", "side_by_side"):
            picture = cv2.imread(str(line[name]), cv2.IMREAD_UNCHANGED)
            assert picture.shape[:2] == {"overlay": (360, 480)}.get(name, picture.shape[:2])
            assert picture.any()
    for flags, words in (
        (("--box", "1,2,99,99"), "is for pictures"), (("--no-crop",), "is for pictures"),
        (("--faces", "2"), "is for pictures"), (("--min-score", "0.5"), "is for pictures"),
        (("--landmarks", "x.npy"), "is for pictures"),
    ):  # fmt: skip
        code, stderr, _ = told(*flags, out=tmp_path / "o")
        assert code == 1
        assert words in stderr
        assert not (tmp_path / "o").exists()
    code, stderr, _ = told("--overlay", "--crop-only", out=tmp_path / "n.mkv")
    assert (code, "give a folder" in stderr) == (1, True)
    assert not (tmp_path / "n.mkv").exists()
