"""One page that holds an enhanced mesh and a viewer, and works from a folder without network."""

from __future__ import annotations

import base64
import html
import json
from importlib import resources
from string import Template

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.enhancement.blend import blend
from fnormal.enhancement.outfits import Scene, photo_texture
from fnormal.enhancement.transfer import Enhanced
from fnormal.errors import FNormalError
from fnormal.geometry.images import resize_to_fit
from fnormal.geometry.picturefile import encode_jpeg

_PHOTO_PX = 2048
_BUNDLE = "viewer.js"  # three.js (MIT) and viewer/main.js, made by `make viewer`


def encode_page(enhanced: Enhanced, picture: U8, scene: Scene, title: str) -> bytes:
    """The page: coarse, paper and displaced; clay, photo and normals; a light to move.

    Args:
        enhanced: In the photo's pixel frame.
        picture: The photo. [H, W, 3]
        scene: To metres.
        title: Of the page.

    Raises:
        FNormalError: The viewer was not built.
    """
    before, after = scene(enhanced.before), scene(enhanced.after)
    uv, part = photo_texture(enhanced.before.vertices, picture)
    photo = encode_jpeg(resize_to_fit(part, _PHOTO_PX))
    paper = blend(before.normals, enhanced.pred_normals, enhanced.weights)
    low, high = after.vertices.min(axis=0), after.vertices.max(axis=0)
    data = {
        "faces": _text(after.faces.astype("<u4")),
        "uv": _text(uv.astype("<f4")),
        "before": _text(before.vertices.astype("<f4")),
        "after": _text(after.vertices.astype("<f4")),
        "normals": {
            "coarse": _codes(before.normals), "paper": _codes(paper), "displaced": _codes(after.normals),
        },
        "photo": "data:image/jpeg;base64," + base64.b64encode(photo).decode(),
        "middle": ((low + high) / 2).tolist(),
        "size": float((high - low)[:2].max()) * 1.12,
    }  # fmt: skip
    page = Template((resources.files("fnormal") / "data" / "viewer.html").read_text())
    moved = "displaced" if np.any(before.vertices != after.vertices) else "shaded"
    return page.substitute(
        title=html.escape(title), moved=moved, data=json.dumps(data), program=viewer_program()
    ).encode()


def viewer_program() -> str:
    """The bundled viewer.

    Raises:
        FNormalError: It was not built.
    """
    bundle = resources.files("fnormal") / "data" / _BUNDLE
    if not bundle.is_file():
        raise FNormalError(
            "--html needs the bundled viewer: run 'make viewer' in the checkout (it takes npm)"
        )
    return bundle.read_text()


def _codes(normals: F32) -> str:
    return _text(np.rint(normals * 32767).astype("<i2"))


def _text(array: Array) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
