"""How far a mean head in the right pose gets: the baseline that knows the pose and sees no pixel.

python benchmarks/mean_face.py ict_facekit.npz DATA.h5 ...
Every sample needs /view (its rotation); the head is ICT-FaceKit's neutral, framed by its own landmarks.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from fnormal.datasets.hdf5 import Dataset
from fnormal.datasets.sample import Pair
from fnormal.evaluation.metrics import ErrorMeter
from fnormal.geometry.mesh import make_mesh, triangulate
from fnormal.render.backends import open_renderer
from fnormal.render.camera import frame_face
from fnormal.render.lighting import headlight


def main(model_path: Path, *paths: Path) -> None:
    model = np.load(model_path)
    names = [str(n) for n in model["material_names"]]
    skin = np.isin(model["material_of_quad"], [names.index(n) for n in ("M_Face", "M_BackHead")])
    mesh = make_mesh(model["neutral"], triangulate(model["quads"][skin]))
    landmarks = model["neutral"][model["multipie68"]]
    with open_renderer("auto", supersample=1) as renderer:
        renderer.load(mesh)
        for path in paths:
            data, meter = Dataset[Pair](path), ErrorMeter()
            for i in range(len(data)):
                sample = data[i]
                assert sample.view is not None, "rendered sets record their views"
                camera = frame_face(landmarks, sample.view["rotation"], data.size_px)
                drawn = renderer.render(camera, headlight())
                pred = np.where(drawn.mask[..., None], drawn.normals, (0, 0, 1))
                meter.add(pred, sample.normals, sample.mask)
            row = meter.summary()
            print(f"{path.name}\tmean head, right pose\t{row.mean_deg:.2f} +- {row.std_deg:.2f}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
