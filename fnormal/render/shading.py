"""The software rasteriser's deferred shading, compiled by numba: flat loops over fragments.

The twin of ``shaders/targets.frag``: change both. A fragment is a face at a sample position; arrays of
``N`` fragments go from stage to stage. Everything is float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fnormal.render.kernels import jit

F0 = np.float32(0.028)  # reflectance of skin seen head on
_TINY = np.float32(1e-12)
_ZERO, _HALF, _ONE, _TWO, _FOUR = (np.float32(v) for v in (0, 0.5, 1, 2, 4))
_NINTH = np.float32(1 / 9)


@jit
def interpolate(screen: Any, faces: Any, view: Any, face: Any, at: Any, table: Any) -> Any:
    """Camera-frame positions [N, 3] and perspective-correct vertex values [N, C] of fragments.

    ``table`` [V, C] holds all that is wanted of a vertex, side by side: one walk through memory.
    """
    columns = table.shape[1]
    position, values = np.empty((len(face), 3), np.float32), np.empty((len(face), columns), np.float32)
    for i in range(len(face)):
        a, b, c = faces[face[i], 0], faces[face[i], 1], faces[face[i], 2]
        x, y = at[i, 0], at[i, 1]
        ax, ay = np.float64(screen[a, 0] - x), np.float64(screen[a, 1] - y)
        bx, by = np.float64(screen[b, 0] - x), np.float64(screen[b, 1] - y)
        cx, cy = np.float64(screen[c, 0] - x), np.float64(screen[c, 1] - y)
        wa, wb, wc = bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx
        # the magnification is linear on the screen; a corner counts by its own
        ga, gb, gc = wa * screen[a, 3], wb * screen[b, 3], wc * screen[c, 3]
        inverse = 1 / (ga + gb + gc)
        per_unit = view[2] * np.float32((ga + gb + gc) / (wa + wb + wc))
        ta, tb, tc = np.float32(ga * inverse), np.float32(gb * inverse), np.float32(gc * inverse)
        position[i, 0] = view[0] + (x - view[3]) / per_unit
        position[i, 1] = view[1] - (y - view[4]) / per_unit
        position[i, 2] = ta * screen[a, 4] + tb * screen[b, 4] + tc * screen[c, 4]
        for k in range(columns):
            values[i, k] = ta * table[a, k] + tb * table[b, k] + tc * table[c, k]
    return position, values


@jit
def lookup(picture: Any, uv: Any, scale: Any) -> Any:
    """Bilinear values of a texture [H, W, C], repeated at its border, times ``scale``. [N, C]"""
    height, width, channels = picture.shape
    out = np.empty((len(uv), channels), np.float32)
    for i in range(len(uv)):
        x = uv[i, 0] * np.float32(width) - _HALF
        y = (_ONE - uv[i, 1]) * np.float32(height) - _HALF
        column, row = int(np.floor(x)), int(np.floor(y))
        fx, fy = x - np.float32(column), y - np.float32(row)
        top, bottom, left, right = row % height, (row + 1) % height, column % width, (column + 1) % width
        for k in range(channels):
            upper = np.float32(picture[top, left, k]) * (_ONE - fx) + np.float32(picture[top, right, k]) * fx
            lower = np.float32(picture[bottom, left, k]) * (_ONE - fx)
            lower += np.float32(picture[bottom, right, k]) * fx
            out[i, k] = (upper * (_ONE - fy) + lower * fy) * scale
    return out


@jit
def bend(normals: Any, tangents: Any, bumps: Any) -> Any:
    """Tangent-space normals ``bumps`` [N, 3] in the mesh's frame, around ``normals`` of any length."""
    out = np.empty((len(normals), 3), np.float32)
    for i in range(len(normals)):
        x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
        inverse = _ONE / (np.sqrt(x * x + y * y + z * z) + _TINY)
        x, y, z = x * inverse, y * inverse, z * inverse
        tx, ty, tz = tangents[i, 0], tangents[i, 1], tangents[i, 2]
        along = tx * x + ty * y + tz * z
        tx, ty, tz = tx - along * x, ty - along * y, tz - along * z
        inverse = _ONE / (np.sqrt(tx * tx + ty * ty + tz * tz) + _TINY)
        tx, ty, tz = tx * inverse, ty * inverse, tz * inverse
        p, r = bumps[i, 0], bumps[i, 2]
        q = bumps[i, 1] * (_ONE if tangents[i, 3] > 0 else -_ONE)
        out[i, 0] = p * tx + q * (y * tz - z * ty) + r * x
        out[i, 1] = p * ty + q * (z * tx - x * tz) + r * y
        out[i, 2] = p * tz + q * (x * ty - y * tx) + r * z
    return out


@jit
def rotate(vectors: Any, turn: Any) -> Any:
    """Turn vectors [N, 3 or more] into the camera frame and make them unit. [N, 3]"""
    out = np.empty((len(vectors), 3), np.float32)
    for i in range(len(vectors)):
        x, y, z = vectors[i, 0], vectors[i, 1], vectors[i, 2]
        rx = turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z
        ry = turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z
        rz = turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z
        inverse = _ONE / (np.sqrt(rx * rx + ry * ry + rz * rz) + _TINY)
        out[i, 0], out[i, 1], out[i, 2] = rx * inverse, ry * inverse, rz * inverse
    return out


@jit
def sights(position: Any, eye: Any) -> Any:
    """Unit vectors to the eye [N, 3]; ``eye[3]`` is 0 where it is infinitely far."""
    out = np.empty_like(position)
    for i in range(len(position)):
        x, y, z = _ZERO, _ZERO, _ONE
        if eye[3] > 0:
            x, y, z = eye[0] - position[i, 0], eye[1] - position[i, 1], eye[2] - position[i, 2]
        inverse = _ONE / (np.sqrt(x * x + y * y + z * z) + _TINY)
        out[i, 0], out[i, 1], out[i, 2] = x * inverse, y * inverse, z * inverse
    return out


@jit
def lay_out(normals: Any, position: Any, views: Any, pixel: Any, n_pixels: int) -> Any:
    """Normal and camera z of pixels [P, 4], and which of them show a front [P]: an inside shows none."""
    out, front = np.zeros((n_pixels, 4), np.float32), np.zeros(n_pixels, np.bool_)
    for i in range(len(pixel)):
        facing = _ZERO
        for k in range(3):
            facing += normals[i, k] * views[i, k]
        if facing > _ZERO:
            front[pixel[i]] = True
            for k in range(3):
                out[pixel[i], k] = normals[i, k]
            out[pixel[i], 3] = position[i, 2]
    return out, front


@jit
def around(normals: Any, ambient: Any, environment: Any) -> Any:
    """Ambient and environment light on normals, never negative. [N, 3]"""
    e = environment
    out = np.empty((len(normals), 3), np.float32)
    for i in range(len(normals)):
        x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
        xy, yz, xz, zz, xx = x * y, y * z, x * z, np.float32(3) * z * z - _ONE, x * x - y * y
        for k in range(3):
            value = e[0, k] + e[1, k] * y + e[2, k] * z + e[3, k] * x
            value += e[4, k] * xy + e[5, k] * yz + e[6, k] * zz + e[7, k] * xz + e[8, k] * xx
            out[i, k] = ambient[k] + max(value, _ZERO)
    return out


@jit
def reach(position: Any, normals: Any, keys: Any, turn: Any, frame: Any, shadow: Any) -> Any:
    """Share of the first light at positions [N]: 3 x 3 looks at its map; frame is centre, scale, bias.

    The looks start off the surface by the bias, so that a slanted surface does not shade itself.
    """
    side = keys.shape[0]
    out = np.empty(len(position), np.float32)
    start = np.float32(side) * _HALF
    for i in range(len(position)):
        x = position[i, 0] + frame[3] * normals[i, 0]
        y = position[i, 1] + frame[3] * normals[i, 1]
        z = position[i, 2] + frame[3] * normals[i, 2]
        lx = turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z
        ly = turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z
        lz = turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z + frame[3]
        column = int(np.floor((lx - frame[0]) * frame[2] + start))
        row = int(np.floor((frame[1] - ly) * frame[2] + start))
        clear = 0
        for m in range(row - 1, row + 2):
            for n in range(column - 1, column + 2):
                outside = m < 0 or m >= side or n < 0 or n >= side
                clear += outside or lz >= keys[m, n]
        out[i] = _ONE - shadow * (_ONE - np.float32(clear) * _NINTH)
    return out


@jit
def highlights(normals: Any, views: Any, light: Any, rough: Any) -> Any:
    """GGX highlight of a light [3] times its cosine, as a share of a white surface's shade. [N]"""
    out = np.zeros(len(normals), np.float32)
    a2 = rough * rough * rough * rough
    k = rough * rough * _HALF
    for i in range(len(normals)):
        nx, ny, nz = normals[i, 0], normals[i, 1], normals[i, 2]
        vx, vy, vz = views[i, 0], views[i, 1], views[i, 2]
        cosine = nx * light[0] + ny * light[1] + nz * light[2]
        if cosine <= _ZERO:
            continue
        hx, hy, hz = light[0] + vx, light[1] + vy, light[2] + vz
        inverse = _ONE / (np.sqrt(hx * hx + hy * hy + hz * hz) + _TINY)
        nh = max((nx * hx + ny * hy + nz * hz) * inverse, _ZERO)
        m = _ONE - max((vx * hx + vy * hy + vz * hz) * inverse, _ZERO)
        nv = max(nx * vx + ny * vy + nz * vz, np.float32(0.05))
        d = nh * nh * (a2 - _ONE) + _ONE
        visible = _ONE / ((cosine * (_ONE - k) + k) * (nv * (_ONE - k) + k) * _FOUR)
        fresnel = F0 + (_ONE - F0) * m * m * m * m * m
        out[i] = cosine * a2 / (d * d) * visible * fresnel  # pi of the lobe and of the light cancel
    return out


@jit
def add_light(total: Any, normals: Any, albedo: Any, light: Any, rgb: Any, share: Any, shine: Any) -> None:
    """Add a directional light to ``total`` [N, 3]; ``share`` [N] or [1] of it arrives, plus a highlight."""
    for i in range(len(normals)):
        cosine = normals[i, 0] * light[0] + normals[i, 1] * light[1] + normals[i, 2] * light[2]
        if cosine > _ZERO:
            arrives = share[i] if len(share) > 1 else share[0]
            gloss = shine[i] if len(shine) > 1 else shine[0]
            for k in range(3):
                total[i, k] += rgb[k] * arrives * (albedo[i, k] * cosine + gloss)


@jit
def resolve(
    linear: Any, gain: Any, to_srgb: Any, pixel: Any, count: Any, n_pixels: int, n_samples: int
) -> Any:
    """Mean sRGB of each pixel's samples, nothing counting as black, and its coverage. uint8 [P, 4]"""
    sums = np.zeros((n_pixels, 4), np.float32)
    top = np.float32(len(to_srgb) - 1)
    for i in range(len(pixel)):
        share = np.float32(count[i]) / np.float32(n_samples)
        for k in range(3):
            value = min(max(linear[i, k] * gain[k], _ZERO), _ONE)
            sums[pixel[i], k] += share * to_srgb[int(value * top + _HALF)]
        sums[pixel[i], 3] += share * np.float32(255)
    out = np.empty((n_pixels, 4), np.uint8)
    for i in range(n_pixels):
        for k in range(4):
            out[i, k] = np.uint8(min(sums[i, k] + _HALF, np.float32(255)))
    return out
