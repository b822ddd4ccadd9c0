"""Wall time of predict against a plain loop over the Python API of another checkout; ratios in one run.

    python -m benchmarks.predict --base CHECKOUT --photo face.png --folder PHOTOS --video clip.mp4

One photo from the shell; a folder of photos; a video. The loop is what a user of the other checkout writes:
read, detect, predict the first face, write the map (this command writes masks and JSON too). Both are
processes of their own, in turn; medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOOP = """
import sys
from pathlib import Path
from fnormal import Predictor
try:
    from fnormal.geometry.normal_maps import write_normals
    from fnormal.geometry.picturefile import find_images, read_image
    listed = lambda folder: find_images(folder).paths
except ImportError:  # before the wings
    from fnormal.images import list_images as listed, read_image, write_normals
predictor, out = Predictor(), Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
def pictures(source):
    if source.suffix == ".mp4":
        import av
        for i, frame in enumerate(av.open(str(source)).decode(video=0)):
            yield f"{i:06d}", frame.to_ndarray(format="rgb24")
    else:
        for path in listed(source):
            yield path.stem, read_image(path)
for name, picture in pictures(Path(sys.argv[1])):
    faces = predictor.detect(picture)[:1]
    for face in predictor.predict(picture, faces):
        write_normals(out / f"{name}.png", face.normals, face.mask, frame="opengl", format="png16", note={})
"""


def seconds(command: list[str], checkout: Path) -> float:
    """Wall time of a command that imports fnormal from a checkout."""
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # modules are compiled once, as where they are installed
    subprocess.run(command, check=True, cwd=checkout, env=environment, capture_output=True)
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flags", default="", help="more flags for this checkout's command")
    options = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    for what in ("photo", "folder", "video"):
        source = getattr(options, what)
        if source is None:
            continue
        times: dict[str, list[float]] = {"base": [], "now": []}
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, "-m", "fnormal", "predict", str(source.resolve()), "--out"]
                loop = [sys.executable, "-c", LOOP, str(source.resolve()), f"{folder}/a"]
                base = [*command, f"{folder}/a"] if what == "photo" else loop
                times["base"].append(seconds(base, options.base.resolve()))
                times["now"].append(seconds([*command, f"{folder}/b", *options.flags.split()], here))
        ratio = statistics.median(n / b for n, b in zip(times["now"], times["base"], strict=True))
        medians = {name: statistics.median(values) for name, values in times.items()}
        print(
            f"{what}\tbase {medians['base']:.2f} s\tnow {medians['now']:.2f} s\tratio {ratio:.3f}", flush=True
        )


if __name__ == "__main__":
    main()
