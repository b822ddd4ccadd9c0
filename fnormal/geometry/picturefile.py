"""Picture files: found, looked at before they are unpacked, read, written."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from fnormal.arrays import U8, Array
from fnormal.config import MAX_PICTURE_PX
from fnormal.errors import FNormalError
from fnormal.files.naming import check_suffix
from fnormal.files.opening import PICTURE, check_file, decoding, quiet_stderr
from fnormal.files.pipes import is_stream, open_stream
from fnormal.files.writing import write_bytes
from fnormal.geometry.pngfile import encode_png

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".heif", ".avif"}
)
_HEIF_SUFFIXES = frozenset({".heic", ".heif", ".avif"})
WRITTEN_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})


def read_image(path: Path | str, *, most_px: int = MAX_PICTURE_PX) -> U8:
    """Read a picture, ``-`` for standard input, or a pipe, as RGB [H, W, 3], EXIF rotation applied.

    Grey of 16 bits or in floats is scaled to 8 bits. HEIC and AVIF need the package pillow-heif.

    Raises:
        FNormalError: There is no such file, it is not a picture, or has more than ``most_px`` pixels.
    """
    from PIL import ImageOps

    with _opened(path) as picture:
        _check_size(path, picture.size, most_px)
        ImageOps.exif_transpose(picture, in_place=True)
        if picture.mode.startswith(("I", "F")):
            return _grey_to_rgb(np.asarray(picture), path)
        # a copy less where there is nothing to convert: of 100 megapixels each takes 300 MB
        return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def check_picture_size(path: Path, most_px: int) -> None:
    """Look at a picture's header before its pixels are unpacked.

    Raises:
        FNormalError: Not a picture, or of more than ``most_px`` pixels.
    """
    with _opened(path) as picture:
        _check_size(path, picture.size, most_px)


@contextmanager
def _opened(path: Path | str) -> Iterator[Any]:
    """A picture of Pillow's whose header has been read; what is wrong with it is one line."""
    from PIL import Image, UnidentifiedImageError

    source: IO[bytes] | Path
    if is_stream(path):
        source = io.BytesIO(open_stream(path, PICTURE).read(PICTURE.most_bytes))
    else:
        source = check_file(Path(path), PICTURE)
        if source.suffix.lower() in _HEIF_SUFFIXES:
            _register_heif()
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # we look ourselves
    try:
        with warnings.catch_warnings(), decoding(path, PICTURE):
            warnings.simplefilter("ignore")
            try:
                picture = Image.open(source)
            except UnidentifiedImageError as error:
                raise FNormalError(f"cannot read {path} as a picture; {_remedy(path)}") from error
            with picture:
                yield picture
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _remedy(path: Path | str) -> str:
    heif = Path(path).suffix.lower() in _HEIF_SUFFIXES
    return f"pip install 'fnormal[heic]', or {PICTURE.remedy}" if heif else PICTURE.remedy


def _check_size(path: Path | str, size: tuple[int, int], most_px: int) -> None:
    width, height = size
    if width * height > most_px:
        raise FNormalError(
            f"{path} has {width * height / 1e6:.0f} megapixels, over {most_px / 1e6:.0f}; shrink it, or allow"
            " more with --max-megapixels where a command has it"
        )


def _register_heif() -> None:
    """Let Pillow read HEIC, and AVIF where it cannot by itself, if the plugin is installed."""
    try:
        import pillow_heif
    except ImportError:
        return
    pillow_heif.register_heif_opener()


def _grey_to_rgb(grey: Array, path: Path | str) -> U8:
    """Deep grey [H, W] as 8-bit RGB [H, W, 3]; Pillow would cut off what is brighter than 255."""
    top = 65535.0 if np.issubdtype(grey.dtype, np.integer) else 1.0
    values = grey.astype(np.float64)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > top:
        raise FNormalError(f"{path} has grey values outside 0 to {top:g}; convert it to 8 or 16 bits")
    return np.repeat(np.rint(values * (255 / top)).astype(np.uint8)[..., None], 3, axis=-1)


@dataclass(frozen=True)
class Listing:
    """The pictures of a folder, sorted, and a line about what was left out; empty where nothing was."""

    paths: list[Path]
    skipped: str


def find_images(path: Path, unwanted: Callable[[Path], bool] = lambda path: False) -> Listing:
    """Pictures named by ``path``: itself, or every picture under a folder.

    Args:
        path: A picture or a folder.
        unwanted: Says which pictures to leave out.

    Raises:
        FNormalError: The folder has none.
    """
    if not path.is_dir():
        return Listing([path], "")
    entries = [p for p in path.rglob("*") if not p.name.startswith(".")]
    files = sorted(p for p in entries if p.is_file())
    gone = [p for p in entries if p.suffix.lower() in IMAGE_SUFFIXES and not p.is_file() and not p.is_dir()]
    pictures = [p for p in files if p.suffix.lower() in IMAGE_SUFFIXES]
    wanted = [p for p in pictures if not unwanted(p)]
    if not wanted:
        raise FNormalError(f"no pictures in {path}; looked for {', '.join(sorted(IMAGE_SUFFIXES))}")
    others = Counter(p.suffix.lower() or "no ending" for p in files if p not in set(pictures))
    notes = [f"{count} {ending}" for ending, count in others.most_common()]
    if len(wanted) < len(pictures):
        notes.insert(0, f"{len(pictures) - len(wanted)} results of fnormal")
    notes += [f"{len(gone)} pipes, devices or broken links ({gone[0].name})"] if gone else []
    return Listing(wanted, f"{path}: left out {', '.join(notes)}" if notes else "")


def read_unchanged(path: Path) -> Array | None:
    """A picture's numbers as they are in the file, B, G, R where it has colours; None where it is none.

    Raises:
        FNormalError: It has too many pixels.
    """
    import cv2

    check_picture_size(path, MAX_PICTURE_PX)
    with quiet_stderr():
        raw: Array | None = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return raw


def encode_jpeg(pixels: U8) -> bytes:
    """RGB pixels [H, W, 3] as JPEG of quality 95."""
    return _encode(".jpg", pixels)


def _encode(ending: str, pixels: Array) -> bytes:
    import cv2

    order = pixels if pixels.ndim == 2 else pixels[..., ::-1]  # OpenCV writes B, G, R
    done, data = cv2.imencode(ending, np.ascontiguousarray(order))
    if not done:
        raise RuntimeError(f"OpenCV could not encode {pixels.shape} {pixels.dtype} as {ending}")
    return bytes(data.tobytes())


def check_picture_name(path: Path) -> None:
    """See that a picture can be written under this name.

    Raises:
        FNormalError: Its ending is not one of ``WRITTEN_SUFFIXES``.
    """
    check_suffix(path, WRITTEN_SUFFIXES)


def write_image(path: Path, pixels: Array) -> None:
    """Write uint8 or uint16 pixels [H, W] or [H, W, 3] in the format that the name's ending says.

    Raises:
        FNormalError: Another ending, or the file cannot be written.
    """
    check_picture_name(path)
    ending = path.suffix.lower()
    write_bytes(path, encode_png(pixels) if ending == ".png" else _encode(ending, pixels))
