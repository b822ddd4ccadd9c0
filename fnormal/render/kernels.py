"""The software rasteriser's visibility pass, compiled by numba: which face does each sample see?

Sample (column i, row j) of a grid of ``k W x k H`` lies at pixel ``(i + 0.5) / k - 0.5``. ``screen``
holds, for every vertex: sample x and y, a key that is linear on the screen and larger when nearer
(camera z for an orthographic view, magnification for a perspective one), the magnification, and camera z.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """Compile on first use, once a machine: the result is kept beside the file, or in the user's cache."""
    settings = {"nogil": True, "error_model": "numpy"}
    try:
        return cast(Function, numba.njit(cache=True, **settings)(function))
    except RuntimeError:  # nowhere to keep it, as in a read-only container: each process compiles
        return cast(Function, numba.njit(**settings)(function))


SUB = 256  # a GPU's grid: corners are snapped to 1/256 sample, and edges are then exact integers
_LIMIT = np.float32(2**24 / SUB)  # samples; a float32 holds the grid up to there
_TILE = 16  # samples a side; what lies behind a whole tile is skipped


@jit
def project(vertices: Any, turn: Any, center: Any, scale: Any, middle: Any, nearness: Any, pivot: Any) -> Any:
    """Vertices [V, 3] to ``screen`` [V, 5]; ``nearness`` is 1 / distance of the eye, 0 if orthographic."""
    screen = np.empty((len(vertices), 5), np.float32)
    for i in range(len(vertices)):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        cx = turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z
        cy = turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z
        cz = turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z
        depth = np.float32(1) - (cz - pivot) * nearness
        grow = np.float32(1) / depth if depth > np.float32(1e-3) else np.float32(np.nan)  # behind the eye
        screen[i, 0] = (cx - center[0]) * scale * grow + middle[0]
        screen[i, 1] = (center[1] - cy) * scale * grow + middle[1]
        screen[i, 2] = grow if nearness > 0 else cz
        screen[i, 3] = grow
        screen[i, 4] = cz
    return screen


@jit
def snap(screen: Any) -> Any:
    """Corners on the grid of 1/256 sample, and their keys: x, y, key, unused. [V, 4]

    x is NaN where a corner is behind the eye or far off: its faces are left out.
    """
    grid = np.empty((len(screen), 4), np.float32)
    for i in range(len(screen)):
        x, y = screen[i, 0], screen[i, 1]
        near = abs(x) < _LIMIT and abs(y) < _LIMIT
        grid[i, 0] = np.floor(x * np.float32(SUB) + np.float32(0.5)) if near else np.float32(np.nan)
        grid[i, 1] = np.floor(y * np.float32(SUB) + np.float32(0.5))
        grid[i, 2] = screen[i, 2]
        grid[i, 3] = 0
    return grid


@jit
def rasterise(screen: Any, faces: Any, seen: Any, keys: Any) -> None:
    """Which face each sample sees, -1 for none, into ``seen``, and the key there into ``keys``.

    Faces that turn their back come last: most lie behind what is drawn by then. ``faces`` is uint32.
    """
    grid = snap(screen)
    height, width = keys.shape
    seen[:] = -1
    keys[:] = -np.inf
    tiles = np.full(((height + _TILE - 1) // _TILE, (width + _TILE - 1) // _TILE), -np.inf, np.float32)
    order = np.arange(len(faces)).astype(np.uint32)
    n_back = draw(grid, faces, order, len(faces), True, tiles, keys, seen)
    farthest_of_tiles(keys, tiles)
    draw(grid, faces, order, n_back, False, tiles, keys, seen)


@jit
def draw(grid: Any, faces: Any, order: Any, n: int, front: bool, tiles: Any, keys: Any, seen: Any) -> int:
    """Draw the faces ``order[:n]`` that show this side; the others are moved to its start and counted."""
    height, width = keys.shape
    left_out = 0
    flat_keys, flat_seen = keys.reshape(-1), seen.reshape(-1)
    for index in range(n):
        f = order[index]
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        fx, fy, ka = grid[a, 0], grid[a, 1], grid[a, 2]
        gx, gy, kb = grid[b, 0], grid[b, 1], grid[b, 2]
        hx, hy, kc = grid[c, 0], grid[c, 1], grid[c, 2]
        if np.isnan(fx + gx + hx):
            continue
        ax, ay = np.int64(fx), np.int64(fy)
        bx, by = np.int64(gx), np.int64(gy)
        cx, cy = np.int64(hx), np.int64(hy)
        left, right = span(ax, bx, cx, width)
        top, bottom = span(ay, by, cy, height)
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if left > right or top > bottom or area == 0:
            continue
        if (area < 0) != front:  # y points down: a face that looks at the viewer runs clockwise
            order[left_out] = f
            left_out += 1
            continue
        if not front and hidden(tiles, left, right, top, bottom, max(ka, kb, kc)):
            continue
        if front:
            bx, by, kb, cx, cy, kc = cx, cy, kc, bx, by, kb
        x, y = left * SUB, top * SUB
        wa = (bx - x) * (cy - y) - (by - y) * (cx - x)
        wb = (cx - x) * (ay - y) - (cy - y) * (ax - x)
        wc = (ax - x) * (by - y) - (ay - y) * (bx - x)
        inverse = 1.0 / np.float64(abs(area))
        da, db, dc = ka * inverse, kb * inverse, kc * inverse
        key_row = wa * da + wb * db + wc * dc
        key_x = np.float32(SUB * ((by - cy) * da + (cy - ay) * db + (ay - by) * dc))
        key_y = SUB * ((cx - bx) * da + (ax - cx) * db + (bx - ax) * dc)
        start = np.uint64(top * width + left)  # unsigned: no test for indices from the end
        columns = np.uint64(right - left + 1)
        for _ in range(top, bottom + 1):
            ea, eb, ec, key = wa, wb, wc, np.float32(key_row)
            for i in range(start, start + columns):
                # selected, not branched upon: whether a sample is inside is a coin toss to a processor
                old = flat_keys[i]
                take = ((ea | eb | ec) >= 0) & (key > old)
                flat_keys[i] = key if take else old
                flat_seen[i] = np.int32(f) if take else flat_seen[i]
                ea += (by - cy) * SUB
                eb += (cy - ay) * SUB
                ec += (ay - by) * SUB
                key += key_x
            start += np.uint64(width)
            wa += (cx - bx) * SUB
            wb += (ax - cx) * SUB
            wc += (bx - ax) * SUB
            key_row += key_y
    return left_out


@jit
def span(a: Any, b: Any, c: Any, size: int) -> Any:
    """First and last sample of ``size`` between the least and the greatest of three grid coordinates."""
    return max((min(a, b, c) + (SUB - 1)) // SUB, 0), min(max(a, b, c) // SUB, size - 1)


@jit
def farthest_of_tiles(keys: Any, tiles: Any) -> None:
    """The farthest key inside each tile of ``_TILE`` samples a side, into ``tiles``."""
    tiles[:] = np.inf
    for y in range(keys.shape[0]):
        for x in range(keys.shape[1]):
            if keys[y, x] < tiles[y // _TILE, x // _TILE]:
                tiles[y // _TILE, x // _TILE] = keys[y, x]


@jit
def hidden(tiles: Any, left: int, right: int, top: int, bottom: int, key: Any) -> bool:
    """Whether something nearer than ``key`` covers every tile that a box touches."""
    for row in range(top // _TILE, bottom // _TILE + 1):
        for column in range(left // _TILE, right // _TILE + 1):
            if key >= tiles[row, column]:
                return False
    return True


@jit
def fragments(seen: Any, k: int, face: Any, pixel: Any, count: Any, at: Any) -> int:
    """The faces of every pixel: face, pixel, samples it has there, and the middle of those samples.

    A face is shaded once a pixel, at that middle: what it covers is exact, and a smooth shade is its
    own mean. The four arrays are filled from the start; how far is returned.
    """
    height, width = seen.shape[0] // k, seen.shape[1] // k
    ids = np.empty(k * k, np.int32)
    middle = np.float32((k - 1) / 2)
    n = 0
    for row in range(height):
        for column in range(width):
            first = seen[row * k, column * k]
            same = True
            for s in range(k * k):
                ids[s] = seen[row * k + s // k, column * k + s % k]
                same &= ids[s] == first
            if same:
                if first >= 0:
                    face[n], pixel[n], count[n] = first, row * width + column, k * k
                    at[n, 0], at[n, 1] = column * k + middle, row * k + middle
                    n += 1
                continue
            for s in range(k * k):
                if ids[s] < 0:
                    continue
                f, samples, x, y = ids[s], 0, 0, 0
                for t in range(s, k * k):
                    if ids[t] == f:
                        ids[t] = -1
                        samples, x, y = samples + 1, x + t % k, y + t // k
                face[n], pixel[n], count[n] = f, row * width + column, samples
                at[n, 0] = column * k + np.float32(x) / np.float32(samples)
                at[n, 1] = row * k + np.float32(y) / np.float32(samples)
                n += 1
    return n


@jit
def centres(seen: Any, k: int) -> Any:
    """The centre sample of every pixel that sees a face: face, pixel, and where it is."""
    height, width = seen.shape[0] // k, seen.shape[1] // k
    face, pixel = np.empty(height * width, np.int32), np.empty(height * width, np.int32)
    at = np.empty((height * width, 2), np.float32)
    n = 0
    for row in range(height):
        for column in range(width):
            x, y = column * k + k // 2, row * k + k // 2
            if seen[y, x] >= 0:
                face[n], pixel[n], at[n, 0], at[n, 1] = seen[y, x], row * width + column, x, y
                n += 1
    return face[:n], pixel[:n], at[:n]
