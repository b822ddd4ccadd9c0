"""Videos: followed through motion, turns and absence; whole after a kill; steady on a panned still."""

from __future__ import annotations

import json
import os
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
from fnormal.faces.detect import FaceBox
from fnormal.geometry.normal_maps import read_normals
from fnormal.geometry.picturefile import read_image
from fnormal.geometry.videofile import count_frames, open_video
from fnormal.prediction import tracking
from fnormal.prediction.frames import Square, square_of
from fnormal.prediction.predictor import Predictor
from fnormal.prediction.tracking import FaceTracker, FollowingSquare
from fnormal.prediction.video import VideoPredictor
from fnormal.readers import SCANS, open_reader
from fnormal.render.soft import SoftRenderer
from tests.test_ladder import drawn, off_profile

av = pytest.importorskip("av")
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def portrait(astronaut: Path) -> np.ndarray:
    """The astronaut's head, large. [480, 480, 3]"""
    return cv2.resize(read_image(astronaut)[20:260, 110:350], (480, 480), interpolation=cv2.INTER_CUBIC)


def placed(portrait: np.ndarray, x: float, y: float, turn_deg: float = 0, scale: float = 1) -> np.ndarray:
    """A frame [360, 480, 3] with the middle of the portrait at (x, y)."""
    matrix = cv2.getRotationMatrix2D((240, 240), turn_deg, scale)
    matrix[:, 2] += x - 240, y - 240
    return cv2.warpAffine(portrait, matrix, (480, 360), borderValue=(90, 100, 110))


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


@pytest.mark.parametrize("fast", [False, True])
def test_a_panned_still_is_steady(portrait: np.ndarray, fast: bool) -> None:
    frames = [placed(portrait, 240 + 60 * np.sin(t / 20), 200 + 20 * np.cos(t / 17)) for t in range(30)]
    for smooth, most_deg in ((0.0, 1.0), (0.5, 0.4)):
        video = VideoPredictor(Predictor(fast=fast), scale=1.2, smooth=smooth)
        found = [f.flicker_deg for f in video.follow(frames)]
        assert found[0] is None
        assert np.mean([f for f in found if f is not None]) < most_deg


def test_points_follow_without_a_jump_and_come_back(portrait: np.ndarray) -> None:
    """It moves, turns by 60 degrees, leaves to the right, is away, and returns."""
    ways = [(240 + 2 * t, 200, 2 * t, 1.0) for t in range(30)]
    ways += [(300 + 25 * t, 200, 60, 1.0) for t in range(16)]
    ways += [(900, 200, 0, 1.0)] * 8
    ways += [(240, 200, 0, 0.8)] * 8
    tracker, found = FaceTracker(), []
    for way in ways:
        found.append(tracker.follow(placed(portrait, *way)))
    assert all(face is not None for face in found[:32])
    assert all(face is None for face in found[46:54])
    assert found[-1] is not None, "it is found again"
    assert found[-1].landmarks[:, 0].mean() == pytest.approx(240, abs=60)
    for way, before, after in zip(ways[1:30], found[:29], found[1:30], strict=True):
        assert isinstance(before, FaceBox)
        assert isinstance(after, FaceBox)
        step = np.linalg.norm(after.landmarks - before.landmarks, axis=1).max()
        assert step < 14, way  # 2 pixels and 2 degrees a frame move no point further


def test_a_head_that_turns_keeps_its_points(shared_data: Path) -> None:
    settings = {"scans": 3, "seed": 4711}
    reader = open_reader(SCANS, "ict-facekit", shared_data / "ict_facekit/ict_facekit.npz", settings)
    far, steps = list[float](), list[float]()
    with SoftRenderer() as renderer:
        for i in range(3):
            tracker, scan, before = FaceTracker(), reader.load(i), np.zeros((68, 2))
            for yaw_deg in range(0, 80, 4):
                picture, truth = drawn(renderer, scan, yaw_deg)
                face = tracker.follow(picture)
                assert face is not None
                away, before = face.landmarks - truth - before, face.landmarks - truth
                steps += [np.linalg.norm(away, axis=1).mean() / np.ptp(truth, axis=0).max()] * (yaw_deg > 0)
                far += [off_profile(face, truth)] * (yaw_deg > 55)
    assert np.mean(far) < 0.13, "0.17 by FaceMesh alone"
    assert max(steps) < 0.06, (
        "one network takes over from the other without a jump; FaceMesh alone makes some of 0.11"
    )


def test_profiles_that_facemesh_does_not_know_are_followed(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees some heads from the side and some not; a wall where the head was is not followed."""
    scan = open_reader(
        SCANS, "ict-facekit", shared_data / "ict_facekit/ict_facekit.npz", {"scans": 4, "seed": 4711}
    ).load(3)
    tracker = FaceTracker()
    monkeypatch.setattr(tracking, "followed_468", lambda picture, before: (before, 0.0))
    nowhere = np.random.default_rng(0).uniform(100, 300, (468, 2)).astype(np.float32)
    monkeypatch.setattr(tracking, "landmarks_468", lambda *_: (nowhere, 0.0))
    with SoftRenderer() as renderer:
        for yaw_deg in (80, 77, 74, 71, 68):
            picture, truth = drawn(renderer, scan, yaw_deg)
            face = tracker.follow(picture)
            assert face is not None
            assert off_profile(face, truth) < 0.25
            assert tracker.is_new == (yaw_deg == 80)
    assert tracker.follow(np.full_like(picture, 120)) is None


def test_squares_damp_jitter_and_keep_up() -> None:
    rng = np.random.default_rng(0)
    follower = FollowingSquare()
    still = Square(np.array([100.0, 100.0]), 200.0, 0.0)
    noisy, steady = [], []
    for _ in range(200):
        wanted = Square(still.middle + rng.normal(0, 1, 2), 200.0, 0.0)
        noisy.append(wanted.middle)
        steady.append(follower.next(wanted, anew=False).middle)
    assert np.diff(steady, axis=0).std() < 0.6 * np.diff(noisy, axis=0).std()
    for t in range(20):  # 10 pixels a frame
        wanted = Square(np.array([100.0 + 10 * t, 100.0]), 200.0, 0.0)
        got = follower.next(wanted, anew=False)
    assert abs(got.middle[0] - wanted.middle[0]) < 0.06 * 200
    assert abs(Square(still.middle, 200, 170).toward(Square(still.middle, 200, -170), 0.5).turn_deg) == 180


def test_the_square_of_points_is_the_papers_crop() -> None:
    points = np.random.default_rng(0).uniform(100, 200, (68, 2)).astype(np.float32)
    points[36:42], points[42:48] = (120, 140), (180, 140)
    points[6:11], points[17:27] = (150, 200), (150, 100)
    square = square_of(points)
    assert square.side == pytest.approx(1.2 * np.ptp(points, axis=0).max(), rel=1e-5)
    corners = (
        np.array([[-0.5, -0.5], [255.5, 255.5]]) @ square.to_picture(256)[:, :2].T
        + square.to_picture(256)[:, 2]
    )
    np.testing.assert_allclose(corners[1] - corners[0], square.side, rtol=1e-6)


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
    def command(out: Path) -> list[str]:
        return [sys.executable, "-m", "fnormal", "predict", str(clip), "-o", str(out), "-q", "--threads", "1"]

    subprocess.run(command(tmp_path / "whole"), check=True, cwd=ROOT, capture_output=True)
    process = subprocess.Popen(command(tmp_path / "cut"), cwd=ROOT, stdout=subprocess.DEVNULL)
    while len(list((tmp_path / "cut").rglob("*_mask.png"))) < 3:
        assert process.poll() is None
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "cut" / "clip.jsonl").exists()
    subprocess.run(command(tmp_path / "cut"), check=True, cwd=ROOT, capture_output=True)
    names = sorted(p.relative_to(tmp_path / "whole") for p in (tmp_path / "whole").rglob("*.png"))
    assert names == sorted(p.relative_to(tmp_path / "cut") for p in (tmp_path / "cut").rglob("*.png"))
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()
    assert [p.name for p in (tmp_path / "cut").iterdir() if p.is_file()] == ["clip.jsonl"]


@pytest.mark.slow
def test_a_video_killed_at_any_file_ends_like_a_whole_one(clip: Path, tmp_path: Path) -> None:
    """Files come whole and in order, so a kill leaves some first ones of them: every such start is tried."""

    def predict(out: Path) -> list[Path]:
        done = CliRunner().invoke(app, ["predict", str(clip), "-o", str(out), "-q"])
        assert done.exit_code == 0, done.stderr
        return sorted(out.rglob("*.*"))

    whole = predict(tmp_path / "whole")
    frames = [path for path in whole if path.suffix == ".png"]
    frames.sort(key=lambda path: (path.name[:6], path.name.endswith("_mask.png")))  # as they are written
    assert len(frames) > 15
    for count in range(len(frames)):
        cut = tmp_path / f"cut{count}"
        for path in frames[:count]:
            there = cut / path.relative_to(tmp_path / "whole")
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(path.read_bytes())
        again = predict(cut)
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
