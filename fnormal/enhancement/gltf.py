"""Binary glTF 2.0, written by hand: trimesh drops or renames what matters here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnormal import __version__
from fnormal.arrays import F32, Array, Bools
from fnormal.geometry.images import srgb_to_linear
from fnormal.geometry.mesh import Mesh, vertex_tangents
from fnormal.geometry.normals import encode_rgb
from fnormal.geometry.picturefile import encode_jpeg
from fnormal.geometry.pngfile import encode_png

_FLOAT, _UINT = 5126, 5125
_VERTEX_BUFFER, _INDEX_BUFFER = 34962, 34963
_CLAMP = 33071  # to the edge
_JPEG_PX = 1 << 18  # textures of more pixels are photos, and large as PNG


class _Buffer:
    """The binary chunk, and the JSON entries that point into it."""

    def __init__(self) -> None:
        self.blob = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes at a multiple of four; the number of their buffer view."""
        self.blob.extend(b"\0" * (-len(self.blob) % 4))
        entry = {"buffer": 0, "byteOffset": len(self.blob), "byteLength": len(data)}
        self.views.append(entry if target is None else {**entry, "target": target})
        self.blob.extend(data)
        return len(self.views) - 1

    def attribute(self, values: Array, **bounds: Any) -> int:
        """Append float vectors [V, 2..4]; the number of their accessor."""
        data = np.ascontiguousarray(values, np.float32)
        kind = {2: "VEC2", 3: "VEC3", 4: "VEC4"}[data.shape[1]]
        view = self.view(data.tobytes(), _VERTEX_BUFFER)
        return self._accessor(view, _FLOAT, len(data), kind, **bounds)

    def indices(self, faces: Array) -> int:
        """Append triangles [F, 3]; the number of their accessor."""
        data = np.ascontiguousarray(faces, np.uint32)
        return self._accessor(self.view(data.tobytes(), _INDEX_BUFFER), _UINT, data.size, "SCALAR")

    def _accessor(self, view: int, component: int, count: int, kind: str, **bounds: Any) -> int:
        entry = {"bufferView": view, "componentType": component, "count": int(count), "type": kind}
        self.accessors.append({**entry, **bounds})
        return len(self.accessors) - 1


@dataclass(frozen=True)
class Extras:
    """What a GLB may hold besides the mesh.

    Attributes:
        notes: Stored on the scene, such as the matrix back to the photo.
        normal_map: Tangent-space normals over the vertex normals, green up. [H, W, 3]
        hidden: Faces that the photo does not show: they get neither texture nor normal map. bool [F]
        lens: glTF's entry of a camera that shows the mesh as the photo does,
        eye: and where it stands, in metres.
    """

    notes: dict[str, Any]
    normal_map: F32 | None = None
    hidden: Bools | None = None
    lens: dict[str, Any] | None = None
    eye: tuple[float, float, float] = (0.0, 0.0, 0.0)


def encode_glb(mesh: Mesh, extras: Extras) -> bytes:
    """A GLB of one mesh: positions (metres, y up, +z to the viewer), normals, colours or textures.

    A normal map comes with explicit tangents, whose texture space is that of our arrays, v up: what a reader
    computes by itself may differ.

    Args:
        mesh: Its colours are sRGB and become linear, as glTF wants vertex colours.
        extras: See there.
    """
    buffer = _Buffer()
    low, high = mesh.vertices.min(axis=0).tolist(), mesh.vertices.max(axis=0).tolist()
    bare = {
        "POSITION": buffer.attribute(mesh.vertices, min=low, max=high),
        "NORMAL": buffer.attribute(mesh.normals),
    }
    attributes = dict(bare)
    skin: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 0.6}
    material: dict[str, Any] = {"name": "face", "pbrMetallicRoughness": skin, "doubleSided": True}
    images = _Images(buffer)
    if mesh.texture is not None and mesh.uv is not None:
        attributes["TEXCOORD_0"] = buffer.attribute(mesh.uv * (1, -1) + (0, 1))  # glTF's v points down
        small = mesh.texture.shape[0] * mesh.texture.shape[1] < _JPEG_PX
        data, kind = (encode_png, "image/png") if small else (encode_jpeg, "image/jpeg")
        skin["baseColorTexture"] = images.add(data(mesh.texture), kind)
        if extras.normal_map is not None:
            attributes["TANGENT"] = buffer.attribute(vertex_tangents(mesh))
            code = encode_rgb(extras.normal_map, np.ones(extras.normal_map.shape[:2], bool))
            material["normalTexture"] = images.add(encode_png(code), "image/png")
    elif mesh.colors is not None:
        attributes["COLOR_0"] = buffer.attribute(srgb_to_linear(mesh.colors))
    hidden = np.zeros(len(mesh.faces), bool) if extras.hidden is None else extras.hidden
    primitives = [{"attributes": attributes, "indices": buffer.indices(mesh.faces[~hidden]), "material": 0}]
    materials = [material]
    if hidden.any():
        color = [1.0] * 3 if mesh.texture is None else srgb_to_linear(np.median(mesh.texture, (0, 1)) / 255)
        factor = [round(float(c), 4) for c in color] + [1.0]
        plain = {"metallicFactor": 0.0, "roughnessFactor": 0.6, "baseColorFactor": factor}
        materials.append({"name": "unseen", "pbrMetallicRoughness": plain, "doubleSided": True})
        own = bare if mesh.texture is not None else attributes
        primitives.append({"attributes": own, "indices": buffer.indices(mesh.faces[hidden]), "material": 1})
    document = {
        "asset": {"version": "2.0", "generator": f"fnormal {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0], "extras": extras.notes}],
        "nodes": [{"mesh": 0, "name": "face"}],
        "meshes": [{"primitives": primitives}],
        "materials": materials,
        **images.entries(),
        **_camera_entries(extras),
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.blob) + (-len(buffer.blob) % 4)}],
    }
    if "cameras" in document:
        document["nodes"].append(document.pop("camera_node"))
        document["scenes"][0]["nodes"].append(1)
    return _container(json.dumps(document).encode(), bytes(buffer.blob))


class _Images:
    """Pictures in the binary chunk, and the entries that name them."""

    def __init__(self, buffer: _Buffer) -> None:
        self._buffer = buffer
        self._images: list[dict[str, Any]] = []

    def add(self, data: bytes, kind: str) -> dict[str, int]:
        """A picture as a texture."""
        self._images.append({"bufferView": self._buffer.view(data), "mimeType": kind})
        return {"index": len(self._images) - 1}

    def entries(self) -> dict[str, Any]:
        """For the document; nothing without pictures."""
        if not self._images:
            return {}
        return {
            "images": self._images,
            "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": _CLAMP, "wrapT": _CLAMP}],
            "textures": [{"source": k, "sampler": 0} for k in range(len(self._images))],
        }


def _camera_entries(extras: Extras) -> dict[str, Any]:
    if extras.lens is None:
        return {}
    return {
        "cameras": [{"name": "photo", **extras.lens}],
        "camera_node": {"camera": 0, "name": "photo", "translation": list(extras.eye)},
    }


def orthographic(half_width: float, half_height: float) -> dict[str, Any]:
    """A lens without perspective, by its halves in metres."""
    sizes = {"xmag": half_width, "ymag": half_height, "znear": 0.01, "zfar": 10.0}
    return {"type": "orthographic", "orthographic": sizes}


def perspective(height_over_focal: float, aspect: float) -> dict[str, Any]:
    """A pinhole lens, by its picture's height / focal length, and width / height."""
    angle = 2 * float(np.arctan(height_over_focal / 2))
    return {
        "type": "perspective",
        "perspective": {"yfov": angle, "aspectRatio": aspect, "znear": 0.01, "zfar": 20.0},
    }


def _container(text: bytes, blob: bytes) -> bytes:
    text += b" " * (-len(text) % 4)
    blob += b"\0" * (-len(blob) % 4)
    body = b"".join(
        len(chunk).to_bytes(4, "little") + name + chunk for name, chunk in ((b"JSON", text), (b"BIN\0", blob))
    )
    return b"glTF" + (2).to_bytes(4, "little") + (12 + len(body)).to_bytes(4, "little") + body
