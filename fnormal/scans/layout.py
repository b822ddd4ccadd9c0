"""Layouts: where a data set keeps its meshes and maps, and what its files do not say of themselves."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from fnormal.errors import FNormalError
from fnormal.files.opening import LAYOUT, read_text
from fnormal.geometry.normals import frame_matrix

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Globs = tuple[str, ...]
MAX_SUBDIVISIONS = 12


@dataclass(frozen=True)
class Layout:
    """What a TOML layout may say; every entry is optional, globs may be one string or a list.

    Globs of pictures are tried in turn, in the mesh's folder, then from the root; ``{stem}`` stands for
    the mesh's name without its suffix.

    Attributes:
        mesh: Globs of the meshes, from the root.
        one_per_subject: Take only the first mesh of each subject, in the order of ``mesh``.
        subject: Regular expression on a mesh's path from the root; its first group names the subject.
        texture: Diffuse albedo; default: the mesh's own, or a picture of its stem.
        specular: Strength of the highlight, 128 is skin's usual.
        normal_map: Bends the shading normals.
        displacement: Grey heights: the mesh is subdivided and moved along its normals.
        albedo_space: ``srgb`` or ``linear``, of ``texture``.
        normal_space: ``tangent`` or ``object``.
        normal_axes: Signed permutation of the map's channels, ``x,-y,z`` where green points down.
        displacement_scale: Mesh units from black to white.
        displacement_middle: Grey of no displacement, 0..1.
        subdivide: Rounds of Loop's rule before the displacement.
        flip_v: The texture's row is v H, not (1 - v) H.
        axes: Signed permutation that takes the mesh's axes to x right, y up, z to the viewer.
        licence: Goes into the files made from the scans.
    """

    mesh: Globs = ("**/*",)
    one_per_subject: bool = False
    subject: str = r"([^/]+)\.[^./]+$"
    texture: Globs = ()
    specular: Globs = ()
    normal_map: Globs = ()
    displacement: Globs = ()
    albedo_space: Literal["srgb", "linear"] = "srgb"
    normal_space: Literal["tangent", "object"] = "tangent"
    normal_axes: str = "x,y,z"
    displacement_scale: float = 1.0
    displacement_middle: float = 0.5
    subdivide: int = 2
    flip_v: bool = False
    axes: str = "x,y,z"
    licence: str = "unknown"


# A GUESS: no public source states file names, containers or codings of ICT-3DRFE (docs/datasets.md).
ICT3DRFE = Layout(
    mesh=("**/*.obj", "**/*.ply"),
    subject=r"^([^/_.]+)",
    texture=("{stem}*diffuse*", "*diffuse*", "{stem}*albedo*", "*albedo*"),
    specular=("{stem}*specular*", "*specular*"),
    normal_map=("{stem}*normal*", "*normal*"),
)
FLORENCE = Layout(
    mesh=tuple(f"subject_*/Model/{side}/obj/*.obj" for side in ("frontal1", "frontal2", "sidel", "sider")),
    one_per_subject=True,
    subject=r"^(subject_\d+)/",
)

_CHOICES = {"albedo_space": ("srgb", "linear"), "normal_space": ("tangent", "object")}
_GLOBS = ("mesh", "texture", "specular", "normal_map", "displacement")


def read_layout(path: Path, base: Layout) -> Layout:
    """Read a layout file over ``base``; what is not understood is refused, so that a typo is not silence.

    Raises:
        FNormalError: Not TOML, an unknown entry, or a value of the wrong kind.
    """
    text = read_text(path, LAYOUT)
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FNormalError(f"{path} is not TOML ({error})") from error
    defaults = {f.name: getattr(base, f.name) for f in fields(Layout)}
    unknown = set(values) - set(defaults)
    if unknown:
        raise FNormalError(
            f"{path} has unknown entries {', '.join(sorted(unknown))}; known: {', '.join(defaults)}"
        )
    for name, value in values.items():
        if name in _GLOBS:
            values[name] = value = _globs(path, name, value)
        kind = float if isinstance(defaults[name], float) else type(defaults[name])
        if not isinstance(value, (int, float) if kind is float else kind):
            raise FNormalError(f"{path}: {name} must be a {kind.__name__}, not {value!r}")
        if value not in _CHOICES.get(name, (value,)):
            raise FNormalError(f"{path}: {name} must be one of {', '.join(_CHOICES[name])}, not {value!r}")
    layout = Layout(**{**defaults, **values})
    if not 0 <= layout.subdivide <= MAX_SUBDIVISIONS:
        raise FNormalError(f"{path}: subdivide must be 0 to {MAX_SUBDIVISIONS}, not {layout.subdivide}")
    if not math.isfinite(layout.displacement_scale) or not math.isfinite(layout.displacement_middle):
        raise FNormalError(f"{path}: the displacement must be given in finite numbers")
    for axes in (layout.axes, layout.normal_axes):
        frame_matrix(axes)
    try:
        groups = re.compile(layout.subject).groups
    except re.error as error:
        raise FNormalError(f"{path}: subject is no regular expression ({error})") from error
    if groups < 1:
        raise FNormalError(f"{path}: subject needs a group in parentheses that names the person")
    return layout


def _globs(path: Path, name: str, value: Any) -> Globs:
    """One glob or a list of them, relative to the root of the scans."""
    globs = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    if not globs or not all(isinstance(g, str) and g and not g.startswith(("/", "~")) for g in globs):
        raise FNormalError(f"{path}: {name} must be a relative glob, or a list of them, not {value!r}")
    if any(".." in g.split("/") for g in globs):
        raise FNormalError(f"{path}: {name} must stay below the folder of the scans, not {value!r}")
    return globs
