"""Binary glTF 2.0, written by hand: trimesh drops or renames what matters here."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from fnormal import __version__
from fnormal.images import encode_png, srgb_to_linear
from fnormal.mesh import Mesh

_FLOAT, _UINT = 5126, 5125
_VERTEX_BUFFER, _INDEX_BUFFER = 34962, 34963


def encode_glb(mesh: Mesh, extras: dict[str, Any]) -> bytes:
    """A GLB of one mesh: positions (metres, y up, +z to the viewer), normals, colours or texture.

    Args:
        mesh: Its colours are sRGB and become linear, as glTF wants vertex colours.
        extras: Stored on the scene, such as the matrix back to the photo.
    """
    blob = bytearray()
    views: list[dict[str, Any]] = []
    accessors: list[dict[str, Any]] = []

    def view(data: bytes, target: int | None = None) -> int:
        blob.extend(b"\0" * (-len(blob) % 4))
        views.append({"buffer": 0, "byteOffset": len(blob), "byteLength": len(data)})
        if target is not None:
            views[-1]["target"] = target
        blob.extend(data)
        return len(views) - 1

    def attribute(values: npt.NDArray[Any], **more: Any) -> int:
        data = np.ascontiguousarray(values, np.float32)
        kind = {2: "VEC2", 3: "VEC3", 4: "VEC4"}[data.shape[1]]
        where = view(data.tobytes(), _VERTEX_BUFFER)
        accessors.append(
            {"bufferView": where, "componentType": _FLOAT, "count": len(data), "type": kind, **more}
        )
        return len(accessors) - 1

    low, high = mesh.vertices.min(axis=0).tolist(), mesh.vertices.max(axis=0).tolist()
    attributes = {
        "POSITION": attribute(mesh.vertices, min=low, max=high),
        "NORMAL": attribute(mesh.normals),
    }
    skin: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 0.6}
    document: dict[str, Any] = {}
    if mesh.texture is not None and mesh.uv is not None:
        attributes["TEXCOORD_0"] = attribute(mesh.uv * (1, -1) + (0, 1))  # glTF's v points down
        document["images"] = [{"bufferView": view(encode_png(mesh.texture)), "mimeType": "image/png"}]
        document["samplers"] = [{"wrapS": 33071, "wrapT": 33071}]  # clamp to the edge
        document["textures"] = [{"source": 0, "sampler": 0}]
        skin["baseColorTexture"] = {"index": 0}
    elif mesh.colors is not None:
        attributes["COLOR_0"] = attribute(srgb_to_linear(mesh.colors))
    indices = np.ascontiguousarray(mesh.faces, np.uint32)
    accessors.append({
        "bufferView": view(indices.tobytes(), _INDEX_BUFFER), "componentType": _UINT,
        "count": int(indices.size), "type": "SCALAR",
    })  # fmt: skip
    primitive = {"attributes": attributes, "indices": len(accessors) - 1, "material": 0}
    document |= {
        "asset": {"version": "2.0", "generator": f"fnormal {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0], "extras": extras}],
        "nodes": [{"mesh": 0, "name": "face"}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{"pbrMetallicRoughness": skin, "doubleSided": True}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(blob) + (-len(blob) % 4)}],
    }
    return _container(json.dumps(document).encode(), bytes(blob))


def _container(text: bytes, blob: bytes) -> bytes:
    text += b" " * (-len(text) % 4)
    blob += b"\0" * (-len(blob) % 4)
    body = b"".join(
        len(chunk).to_bytes(4, "little") + name + chunk for name, chunk in ((b"JSON", text), (b"BIN\0", blob))
    )
    return b"glTF" + (2).to_bytes(4, "little") + (12 + len(body)).to_bytes(4, "little") + body
