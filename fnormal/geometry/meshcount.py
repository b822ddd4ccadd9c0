"""Triangles that a mesh file announces, counted before any array is made."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from fnormal.geometry.vtkfile import count_vtk

_CHUNK = 1 << 24
_HEADER = 1 << 16


def count_triangles(path: Path) -> int:
    """Faces that a file announces, without reading it into a mesh; 0 where it does not say."""
    suffix = path.suffix.lower()
    with path.open("rb") as handle:
        start = handle.read(_HEADER)
        handle.seek(0)
        if suffix == ".obj":
            return _count_lines(handle, rb"(?:^|[\r\n])[ \t]*f[ \t]")
        if suffix == ".ply":
            match = re.search(rb"element\s+face\s+(\d{1,15})", start.split(b"end_header")[0])
            return int(match[1]) if match else 0
        if suffix == ".stl":
            if start.lstrip()[:5].lower() == b"solid" and b"facet" in start:
                return _count_lines(handle, rb"endfacet")
            return int.from_bytes(start[80:84], "little")
        if suffix == ".off":
            words = re.sub(rb"#[^\r\n]*", b"", start).split()
            return int(words[2]) if len(words) > 2 and words[2].isdigit() and len(words[2]) < 16 else 0
        if suffix == ".vtk":
            return count_vtk(handle.read())
        if suffix == ".glb":
            return _count_gltf(handle.read(20 + min(int.from_bytes(start[12:16], "little"), 1 << 28))[20:])
        if suffix == ".gltf":
            return _count_gltf(handle.read())
    return 0


def _count_lines(handle: Any, pattern: bytes) -> int:
    """Matches in a file, a piece at a time."""
    counter, total, last = re.compile(pattern), 0, b"\n"
    while chunk := handle.read(_CHUNK):
        text = last + chunk
        total += sum(1 for match in counter.finditer(text) if match.end() > len(last))
        last = text[-16:]
    return total


def _count_gltf(text: bytes) -> int:
    """Of the primitives of a glTF; what is broken is for the reader to say."""
    try:
        tree = json.loads(text)
        shapes = [shape for mesh in tree.get("meshes", []) for shape in mesh["primitives"]]
        accessors, total = tree["accessors"], 0
        for shape in shapes:
            which = shape.get("indices", shape["attributes"]["POSITION"])
            total += int(accessors[which]["count"]) // 3
        return total
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return 0
