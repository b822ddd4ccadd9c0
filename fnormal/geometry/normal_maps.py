"""Normal maps: files <-> arrays in fnormal's frame; the one place where axes are flipped."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.arrays import F32, Array, Bools, Floats
from fnormal.config import FRAME
from fnormal.errors import FNormalError
from fnormal.files.opening import (
    NORMAL_MAP,
    check_file,
    decoding,
    read_matlab,
    read_npy,
    read_npz,
)
from fnormal.files.writing import write_bytes
from fnormal.geometry import normals as nm
from fnormal.geometry.normal_layouts import as_vectors, map_of, three_channels
from fnormal.geometry.picturefile import read_unchanged
from fnormal.geometry.pngfile import encode_png

NORMAL_FORMATS = {"png16": ".png", "png8": ".png", "npy": ".npy", "tiff": ".tiff", "exr": ".exr"}
MAP_SUFFIXES = (".png", ".npy", ".npz", ".mat", ".tif", ".tiff", ".exr", ".webp")


def list_maps(inputs: Sequence[Path]) -> list[Path]:
    """Normal maps of files and folders, sorted inside a folder; masks that lie beside them are left out.

    Raises:
        FNormalError: A folder without any.
    """
    paths = list[Path]()
    for path in inputs:
        if not path.is_dir():
            paths.append(path)
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in MAP_SUFFIXES and p.is_file())
        named = [p for p in inside if "norm" in p.stem.lower()] or inside
        if not named:
            raise FNormalError(f"{path} holds no normal maps; looked for {', '.join(MAP_SUFFIXES)}")
        paths += named
    return paths


def write_normals(
    path: Path, normals: Floats, mask: Bools, *, frame: str, format: str, note: dict[str, str]
) -> None:
    """Write a normal map; its suffix should be that of ``NORMAL_FORMATS[format]``. See encode_normals()."""
    write_bytes(path, encode_normals(normals, mask, frame=frame, format=format, note=note))


def encode_normals(
    normals: Floats,
    mask: Bools,
    *,
    frame: str,
    format: str,
    note: dict[str, str],
    placed: Callable[[Array], Array] = lambda part: part,
) -> bytes:
    """A normal map in ``frame`` as the bytes of its file; a PNG carries the frame and ``note`` as text.

    Args:
        normals: Unit normals in fnormal's frame. [H, W, 3]
        mask: True on the face; 0 is written elsewhere. [H, W]
        frame: Frame of the file, see :func:`fnormal.geometry.normals.frame_matrix`.
        format: A name in ``NORMAL_FORMATS``; ``npy``, ``tiff`` and ``exr`` are float32.
        note: More text for the PNG, such as the crop box.
        placed: Puts the encoded part [H, W, 3] into a larger picture.

    Raises:
        FNormalError: An unknown format or frame.
    """
    turned = nm.to_frame(normals, frame)
    if format in ("png16", "png8"):
        bits = 16 if format == "png16" else 8
        text = {**stated(frame), **note}
        return encode_png(placed(nm.encode_rgb(turned, mask, bits)), text)
    encoders: dict[str, Callable[[F32], bytes]] = {
        "npy": encode_npy,
        "tiff": _encode_tiff,
        "exr": partial(_encode_exr, frame=frame),
    }
    if format not in encoders:
        raise FNormalError(f"unknown format '{format}': use {', '.join(NORMAL_FORMATS)}")
    turned[~mask] = 0
    return encoders[format](np.ascontiguousarray(placed(turned)))


def stated(frame: str) -> dict[str, str]:
    """What a file of normals says of itself."""
    return {"fnormal:frame": frame, "fnormal:space": "camera"}


def encode_npy(array: Array) -> bytes:
    """An array as the bytes of an NPY file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _encode_exr(array: F32, *, frame: str) -> bytes:
    """Float32 [H, W, 3] as the bytes of an EXR that states its frame.

    Raises:
        FNormalError: OpenEXR is not installed.
    """
    OpenEXR = _openexr("--format exr")
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **stated(frame)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.exr"  # it writes to names alone
        OpenEXR.File(header, {"RGB": array}).write(str(path))
        return path.read_bytes()


def _openexr(what: object) -> Any:
    try:
        import OpenEXR
    except ImportError as error:
        raise FNormalError(f"{what} needs OpenEXR: pip install 'fnormal[exr]'") from error
    return OpenEXR


def _encode_tiff(array: F32) -> bytes:
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, photometric="rgb")
    return buffer.getvalue()


def read_normals(path: Path, frame: str | None = None) -> tuple[F32, Bools]:
    """Read anybody's normal map into fnormal's frame.

    Args:
        path: PNG or WebP (8 or 16 bit), NPY, NPZ, MAT, float TIFF or EXR; channels first or last, coded as
            vectors, to 0..1 or to 0..255.
        frame: Frame of the file; by default what the PNG says of itself, else ``opengl``.

    Returns:
        Unit normals [H, W, 3], 0 outside the mask, and the mask [H, W].

    Raises:
        FNormalError: Missing, unreadable, a JPEG (up to 7 degrees wrong), or no normals.
    """
    return decoded(read_raw(path), path, frame)


def decoded(raw: Array, path: Path, frame: str | None = None) -> tuple[F32, Bools]:
    """What :func:`read_normals` makes of the numbers of a file that are read already."""
    frame = frame or frame_stated(path)
    if raw.dtype in (np.uint8, np.uint16):
        value, mask = nm.decode_rgb(raw)
    else:
        found = as_vectors(raw)
        if found is None:
            raise FNormalError(
                f"{path} holds numbers that are no normals in any coding (vectors, 0..1, 0..255); is it a"
                f" depth map? {NORMAL_MAP.remedy}"
            )
        vectors, mask, _ = found
        value = nm.unit(vectors)
    if not mask.any():
        raise FNormalError(f"{path} holds no normals: every pixel is 0 or no number; {NORMAL_MAP.remedy}")
    return nm.from_frame(value, frame or FRAME), mask


def read_raw(path: Path) -> Array:
    """The numbers of a normal map as they are in the file, three channels last. [H, W, 3]

    Raises:
        FNormalError: Missing, unreadable, a JPEG, or not three channels.
    """
    check_file(path, NORMAL_MAP)
    suffix = path.suffix.lower()
    if suffix in (".jpg", ".jpeg"):
        raise FNormalError(f"{path} is a JPEG, which bends normals by up to 7 degrees; use PNG")
    raw: Array | None
    with decoding(path, NORMAL_MAP):
        if suffix == ".npy":
            raw = three_channels(read_npy(path, NORMAL_MAP))
        elif suffix == ".npz":
            raw = map_of(read_npz(path, NORMAL_MAP))
        elif suffix == ".mat":
            raw = map_of(read_matlab(path, NORMAL_MAP))
        elif suffix in (".tif", ".tiff"):
            raw = three_channels(_read_tiff(path))
        elif suffix == ".exr":
            raw = _read_exr(path)
        else:
            raw = _read_picture(path)
    if raw is None:
        raise FNormalError(f"{path} is not a three-channel normal map; {NORMAL_MAP.remedy}")
    return raw


def _read_picture(path: Path) -> Array | None:
    raw = read_unchanged(path)
    if raw is None or raw.ndim != 3 or raw.shape[2] < 3:
        return None
    return np.asarray(raw[..., 2::-1])


def _read_exr(path: Path) -> Array | None:
    """R, G, B of an EXR.

    Raises:
        FNormalError: OpenEXR is not installed.
    """
    with _openexr(path).File(str(path), separate_channels=True) as file:
        channels = {name.split(".")[-1].upper(): part.pixels for name, part in file.channels().items()}
    names = "RGB" if set("RGB") <= set(channels) else "XYZ"
    if not set(names) <= set(channels):
        return None
    return np.stack([np.asarray(channels[name], np.float32) for name in names], axis=-1)


def _read_tiff(path: Path) -> Array:
    import tifffile

    with tifffile.TiffFile(path) as file:
        announced = max((page.nbytes for page in file.pages[:1]), default=0)
        if announced > NORMAL_MAP.most_bytes:
            raise FNormalError(f"{path} unpacks to {announced / 1e9:.0f} GB, too much; {NORMAL_MAP.remedy}")
        return np.asarray(file.pages[0].asarray())


def frame_stated(path: Path) -> str | None:
    """The frame that a map says it is in, which PNG and EXR files of fnormal do."""
    if path.suffix.lower() == ".exr":
        return _exr_frame(path)
    return png_frame(path) if path.suffix.lower() == ".png" else None


def _exr_frame(path: Path) -> str | None:
    check_file(path, NORMAL_MAP)
    with decoding(path, NORMAL_MAP), _openexr(path).File(str(path), header_only=True) as file:
        value = file.header().get("fnormal:frame")
    return value if isinstance(value, str) else None


def png_frame(path: Path) -> str | None:
    """The frame that a PNG says it is in, else None.

    Raises:
        FNormalError: It is not a picture.
    """
    from PIL import Image

    check_file(path, NORMAL_MAP)
    with decoding(path, NORMAL_MAP), Image.open(path) as picture:
        value = picture.info.get("fnormal:frame")
    return value if isinstance(value, str) else None
