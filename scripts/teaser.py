"""The picture at the head of the README: photo, normals, a coarse mesh before and after, a map in its own UV.

    python scripts/teaser.py PHOTO MESH docs/images/teaser.jpg

The astronaut (NASA, public domain) and PRNet's canonical mesh make the one that is there.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

SIDE = 300


def main() -> None:
    """Run the commands of the README, and lay what they wrote side by side."""
    photo, mesh, out = (Path(name) for name in sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        made, baked = Path(folder) / "made", Path(folder) / "baked"
        enhance = ["fnormal", "enhance", str(photo), "--quiet", "--out"]
        subprocess.run([*enhance, str(made)], check=True, stdout=sys.stderr)
        subprocess.run([*enhance, str(baked), "--mesh", str(mesh), "--bake"], check=True, stdout=sys.stderr)
        sheet = cv2.imread(str(made / f"{photo.stem}_before_after.png"))
        tangent = cv2.imread(str(baked / f"{photo.stem}_tangent_normals.png"), cv2.IMREAD_COLOR)
    side = sheet.shape[0] // 2
    cells = [
        [sheet[r * side : (r + 1) * side, c * side : (c + 1) * side] for c in range(4)] for r in range(2)
    ]
    panels = [cells[0][0], cells[1][0], cells[0][1], cells[1][1], cells[0][3], cells[1][3], tangent]
    small = [cv2.resize(panel, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for panel in panels]
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), np.hstack(small), [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(out)  # noqa: T201


if __name__ == "__main__":
    main()
