"""Light from all around as nine spherical harmonics: made up, or read from HDR panoramas."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from fnormal.arrays import F64, Bools, Floats
from fnormal.config import MAX_PICTURE_PX
from fnormal.errors import FNormalError
from fnormal.files.opening import PICTURE, check_file, decoding, quiet_stderr
from fnormal.geometry.picturefile import check_picture_size

PANORAMA_SUFFIXES = frozenset({".hdr", ".pic", ".png", ".jpg", ".jpeg", ".tif", ".tiff"})
_RADIANCE_SUFFIXES = frozenset({".hdr", ".pic"})
_HEADER = 1 << 16  # bytes in which a Radiance file says its size
_ROWS, _COLUMNS = 32, 64  # nine harmonics see no more of a panorama
_SUN_DEG = 12.0  # around its brightest cell
_SUN_SHARE = 0.2  # of all the light that must come from there

# Y_lm of degree 0, 1, 2 in the order of `basis`, and the cosine lobe's factor A_l / pi of each
_NORMALISER = np.array(
    [0.282095, 0.488603, 0.488603, 0.488603, 1.092548, 1.092548, 0.315392, 1.092548, 0.546274]
)
_LOBE = np.array([1, 2 / 3, 2 / 3, 2 / 3, 1 / 4, 1 / 4, 1 / 4, 1 / 4, 1 / 4])


def basis(toward: Floats) -> F64:
    """The polynomials 1, y, z, x, xy, yz, 3z^2-1, zx, x^2-y^2 at unit vectors [..., 3]. [..., 9]

    Coefficients of fnormal multiply these, without the harmonics' constants: a shader needs no table.
    """
    x, y, z = np.moveaxis(np.asarray(toward, np.float64), -1, 0)
    return np.stack(
        [np.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], axis=-1
    )  # fmt: skip


def evaluate(toward: Floats, coefficients: Floats) -> F64:
    """Irradiance / pi of surfaces whose normals are ``toward`` [..., 3], never negative. [..., 3]"""
    return np.asarray(np.clip(basis(toward) @ coefficients, 0, None))


def project(toward: Floats, radiance: Floats) -> F64:
    """Coefficients [9, 3] of the irradiance / pi of radiance times solid angle [N, 3] from [N, 3]."""
    weight = _LOBE * _NORMALISER**2
    return np.asarray((basis(toward) * weight).T @ radiance)


def random_environment(rng: np.random.Generator) -> F64:
    """Sky over ground and up to three windows, each tinted. [9, 3]"""
    sky = rng.uniform(0.3, 1.0) * (1 + rng.uniform(-0.2, 0.2, 3))
    ground = rng.uniform(0.05, 0.7) * (1 + rng.uniform(-0.2, 0.2, 3))
    coefficients = np.zeros((9, 3))
    coefficients[0] = (sky + ground) / 2
    coefficients[1] = (sky - ground) / 2 * (2 / 3)
    for _ in range(int(rng.integers(0, 4))):
        toward = rng.normal(size=3)
        toward /= np.linalg.norm(toward)
        power = np.pi * rng.uniform(0.2, 1.5) * (1 + rng.uniform(-0.3, 0.3, 3))
        coefficients += project(toward[None], power[None])
    return coefficients


@dataclass(frozen=True)
class EnvironmentMap:
    """A panorama as radiance times solid angle; its middle column is where the viewer looks from.

    Attributes:
        name: Its file.
        toward: Directions. [N, 3]
        light: [N, 3]
    """

    name: str
    toward: F64
    light: F64

    def irradiance(self, turn_rad: float) -> F64:
        """Coefficients [9, 3] after turning the surroundings about the vertical, scaled to mean 1."""
        return project(self.toward @ _about_vertical(turn_rad).T, self.light) / self._scale

    @cached_property
    def _scale(self) -> float:
        """Mean of the irradiance, which no turn changes."""
        return max(float(project(self.toward, self.light)[0].mean()), 1e-12)

    @cached_property
    def _sun(self) -> tuple[F64, Bools] | None:
        """Where the sun or a lamp stands, and its cells; None where no small part outshines the rest."""
        bright = self.light.mean(axis=1)
        middle = self.toward[bright.argmax()]
        cells = self.toward @ middle > np.cos(np.radians(_SUN_DEG))
        if bright[cells].sum() < _SUN_SHARE * bright.sum():
            return None
        toward = (self.toward[cells] * bright[cells, None]).sum(axis=0)
        return toward / np.linalg.norm(toward), cells

    def sun_and_sky(self, turn_rad: float) -> tuple[F64, F64, F64] | None:
        """The sun apart from the rest, after a turn about the vertical, where there is one.

        Returns:
            Direction to the sun [3], its irradiance / pi across [3], coefficients of the rest [9, 3]; scaled
            as :meth:`irradiance` scales the whole.
        """
        if self._sun is None:
            return None
        turn, (toward, cells) = _about_vertical(turn_rad), self._sun
        rest = project(self.toward[~cells] @ turn.T, self.light[~cells])
        return turn @ toward, self.light[cells].sum(axis=0) / np.pi / self._scale, rest / self._scale


def _about_vertical(turn_rad: float) -> F64:
    cosine, sine = np.cos(turn_rad), np.sin(turn_rad)
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])


def panorama(name: str, radiance: Floats) -> EnvironmentMap:
    """An equirectangular picture [H, W, 3] of linear radiance as an :class:`EnvironmentMap`."""
    import cv2

    small = cv2.resize(np.asarray(radiance, np.float32), (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA)
    latitude = np.pi / 2 - (np.arange(_ROWS) + 0.5) / _ROWS * np.pi
    longitude = (np.arange(_COLUMNS) + 0.5) / _COLUMNS * 2 * np.pi - np.pi
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    toward = np.stack([np.cos(lat) * np.sin(lon), np.sin(lat), np.cos(lat) * np.cos(lon)], axis=-1)
    angle = np.cos(lat) * (np.pi / _ROWS) * (2 * np.pi / _COLUMNS)
    return EnvironmentMap(name, toward.reshape(-1, 3), (small * angle[..., None]).reshape(-1, 3))


def _check_panorama(path: Path) -> None:
    """Look at the size that a file announces before its pixels are unpacked.

    Raises:
        FNormalError: No file, no picture, or too large.
    """
    check_file(path, PICTURE)
    if path.suffix.lower() not in _RADIANCE_SUFFIXES:
        check_picture_size(path, MAX_PICTURE_PX)
        return
    with path.open("rb") as handle:
        size = re.search(rb"[-+][XY] (\d{1,9}) [-+][XY] (\d{1,9})\s", handle.read(_HEADER))
    if size is None or int(size[1]) * int(size[2]) > MAX_PICTURE_PX:
        raise FNormalError(f"{path} is no Radiance picture of up to {MAX_PICTURE_PX / 1e6:.0f} megapixels")


def read_environments(folder: Path) -> list[EnvironmentMap]:
    """Every panorama of a folder: Radiance ``.hdr`` as it is, other pictures through the sRGB curve.

    Raises:
        FNormalError: No folder, nothing in it, or a file that is not a picture twice as wide as high.
    """
    import cv2

    from fnormal.geometry.images import srgb_to_linear

    if not folder.is_dir():
        raise FNormalError(f"no such folder of panoramas: {folder}; check --environments")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in PANORAMA_SUFFIXES)
    if not paths:
        known = ", ".join(sorted(PANORAMA_SUFFIXES))
        raise FNormalError(f"no panoramas in {folder}; looked for {known}")
    maps = []
    for path in paths:
        _check_panorama(path)
        with decoding(path, PICTURE), quiet_stderr():
            raw = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
        if raw is None or raw.shape[1] != 2 * raw.shape[0] or not np.isfinite(raw).all():
            raise FNormalError(f"{path} is no equirectangular panorama; it must be twice as wide as high")
        rgb = raw[..., ::-1]
        if rgb.dtype != np.float32:
            rgb = srgb_to_linear(rgb.astype(np.float32) / np.iinfo(rgb.dtype).max)
        maps.append(panorama(path.name, rgb))
    return maps
