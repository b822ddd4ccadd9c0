"""The pictures of the README and of docs/gallery.md, by the commands that stand there.

    python scripts/gallery.py PHOTO MESH docs/images

The astronaut (NASA, public domain) and PRNet's canonical mesh made those that are there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

PANEL_PX = 300


def main() -> None:
    """Run the commands, and keep what they wrote small."""
    photo, mesh, out = (Path(name) for name in sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        predicted, made, baked = (Path(folder) / name for name in ("predicted", "made", "baked"))
        run("predict", photo, "--mask", "face", "--side-by-side", "--out", predicted)
        run("enhance", photo, "--gif", "--out", made)
        run("enhance", photo, "--mesh", mesh, "--bake", "--out", baked)
        side_by_side = cv2.imread(str(predicted / f"{photo.stem}_side_by_side.png"))
        sheet = cv2.imread(str(made / f"{photo.stem}_before_after.png"))
        tangent = cv2.imread(str(baked / f"{photo.stem}_tangent_normals.png"), cv2.IMREAD_COLOR)
        shutil.copy(made / f"{photo.stem}_light.gif", out / "light.gif")
    pictures = {"side-by-side": side_by_side, "before-after": sheet, "teaser": teaser(sheet, tangent)}
    for name, picture in pictures.items():
        cv2.imwrite(str(out / f"{name}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])


def run(*arguments: object) -> None:
    """Run a command of fnormal."""
    subprocess.run(["fnormal", *map(str, arguments), "--quiet"], check=True, stdout=sys.stderr)


def teaser(sheet: np.ndarray, tangent: np.ndarray) -> np.ndarray:
    """In a row: photo, normals, a coarse mesh before and after in two views, a map in another mesh's UV."""
    side = sheet.shape[0] // 2
    cells = [
        [sheet[r * side : (r + 1) * side, c * side : (c + 1) * side] for c in range(4)] for r in range(2)
    ]
    panels = [cells[0][0], cells[1][0], cells[0][1], cells[1][1], cells[0][3], cells[1][3], tangent]
    size = (PANEL_PX, PANEL_PX)
    return np.hstack([cv2.resize(panel, size, interpolation=cv2.INTER_AREA) for panel in panels])


if __name__ == "__main__":
    main()
