"""What people look at: normals and errors as colours, and labelled grids of pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fnormal.arrays import U8, Array, Bools, Floats
from fnormal.datasets.sample import Pair
from fnormal.geometry.images import resize_image
from fnormal.geometry.normals import encode_rgb, unit

ERROR_MOST_DEG = 45.0  # the brightest colour of an error map
_LABEL_PX = 22


def normals_picture(normals: Floats, mask: Bools) -> U8:
    """Normals of any length, fnormal's frame, in the usual colours; black outside. uint8 [H, W, 3]"""
    return np.asarray(encode_rgb(unit(normals.astype(np.float32)), mask, 8), np.uint8)


def error_picture(errors_deg: Array, mask: Bools) -> U8:
    """Errors of the masked pixels [K], row by row, from dark (0) to bright (45 degrees or more)."""
    import cv2

    share = np.zeros(mask.shape, np.uint8)
    share[mask] = np.rint(255 * np.clip(errors_deg / ERROR_MOST_DEG, 0, 1))
    colours = cv2.applyColorMap(share, cv2.COLORMAP_INFERNO)[..., ::-1]
    return np.asarray(colours * mask[..., None], np.uint8)


def sample_pictures(sample: Pair, pred: Floats, errors_deg: Array) -> list[U8]:
    """Image, true normals, predicted normals and their error, see :data:`SAMPLE_TITLES`."""
    return [
        sample.image, normals_picture(sample.normals.astype(np.float32), sample.mask),
        normals_picture(pred, sample.mask), error_picture(errors_deg, sample.mask),
    ]  # fmt: skip


SAMPLE_TITLES = ("image", "truth", "predicted", f"error, 0 to {ERROR_MOST_DEG:g} degrees")


def grid(rows: Sequence[Sequence[U8]], titles: Sequence[str], size_px: int, notes: Sequence[str] = ()) -> U8:
    """Pictures in rows, each ``size_px`` square, a title over each column, a note on each row's first.

    Args:
        rows: Square pictures, as many in each row as there are titles.
        titles: Titles of the columns; long ones are cut.
        size_px: Side of a picture.
        notes: One a row, or none.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = len(rows) * size_px + _LABEL_PX, len(titles) * size_px
    sheet = Image.new("RGB", (width, height), "white")
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            small = Image.fromarray(resize_image(picture, size_px))
            sheet.paste(small, (j * size_px, _LABEL_PX + i * size_px))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for j, title in enumerate(titles):
        while title and draw.textlength(title, font) > size_px - 6:
            title = title[:-1]
        draw.text((j * size_px + 3, 3), title, "black", font)
    for i, note in enumerate(notes):
        at = (4, _LABEL_PX + i * size_px + 2)
        draw.text(at, note, "white", font, stroke_width=2, stroke_fill="black")
    return np.asarray(sheet)
