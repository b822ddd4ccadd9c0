"""Binary glTF 2.0, written by hand: trimesh drops or renames what matters here."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from fnormal import __version__
from fnormal.arrays import Array
from fnormal.geometry.images import srgb_to_linear
from fnormal.geometry.mesh import Mesh
from fnormal.geometry.picturefile import encode_png

_FLOAT, _UINT = 5126, 5125
_VERTEX_BUFFER, _INDEX_BUFFER = 34962, 34963
_CLAMP = 33071  # to the edge


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


def encode_glb(mesh: Mesh, extras: dict[str, Any]) -> bytes:
    """A GLB of one mesh: positions (metres, y up, +z to the viewer), normals, colours or texture.

    Args:
        mesh: Its colours are sRGB and become linear, as glTF wants vertex colours.
        extras: Stored on the scene, such as the matrix back to the photo.
    """
    buffer = _Buffer()
    low, high = mesh.vertices.min(axis=0).tolist(), mesh.vertices.max(axis=0).tolist()
    attributes = {
        "POSITION": buffer.attribute(mesh.vertices, min=low, max=high),
        "NORMAL": buffer.attribute(mesh.normals),
    }
    skin: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 0.6}
    document: dict[str, Any] = {}
    if mesh.texture is not None and mesh.uv is not None:
        attributes["TEXCOORD_0"] = buffer.attribute(mesh.uv * (1, -1) + (0, 1))  # glTF's v points down
        view = buffer.view(encode_png(mesh.texture))
        document["images"] = [{"bufferView": view, "mimeType": "image/png"}]
        document["samplers"] = [{"wrapS": _CLAMP, "wrapT": _CLAMP}]
        document["textures"] = [{"source": 0, "sampler": 0}]
        skin["baseColorTexture"] = {"index": 0}
    elif mesh.colors is not None:
        attributes["COLOR_0"] = buffer.attribute(srgb_to_linear(mesh.colors))
    primitive = {"attributes": attributes, "indices": buffer.indices(mesh.faces), "material": 0}
    document |= {
        "asset": {"version": "2.0", "generator": f"fnormal {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0], "extras": extras}],
        "nodes": [{"mesh": 0, "name": "face"}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{"pbrMetallicRoughness": skin, "doubleSided": True}],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.blob) + (-len(buffer.blob) % 4)}],
    }
    return _container(json.dumps(document).encode(), bytes(buffer.blob))


def _container(text: bytes, blob: bytes) -> bytes:
    text += b" " * (-len(text) % 4)
    blob += b"\0" * (-len(blob) % 4)
    body = b"".join(
        len(chunk).to_bytes(4, "little") + name + chunk for name, chunk in ((b"JSON", text), (b"BIN\0", blob))
    )
    return b"glTF" + (2).to_bytes(4, "little") + (12 + len(body)).to_bytes(4, "little") + body
