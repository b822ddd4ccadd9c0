"""Which head of a mesh file is which face of the photo: all pairs are tried, residuals and forms decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from fnormal.arrays import F32
from fnormal.enhancement.align import MAX_RESIDUAL, Alignment, align, refitted, written_where_it_lies
from fnormal.errors import FNormalError
from fnormal.faces.detect import FaceBox

_LOOKS = 8  # pairs that are laid over the photo exactly, before one is chosen
_CLEAR = 0.05  # lead in agreement from which a face is believed to be the right one of several
_LEAST_AGREEMENT = 0.3
_LOOSE = 0.15  # residual of landmarks up to which forms are asked,
_SURE_AGREEMENT = 0.7  # and how well they must agree beyond what landmarks alone may leave,
_FARTHEST = 0.1  # and how far off the landmarks the forms may then be
_ONE_OF_SEVERAL = 0.8  # agreement with the right face of several: others reach it hardly ever
_EXACT = 0.6  # agreement of a mesh written in the photo's pixels, where it lies; others lie elsewhere
_NEARLY = 0.25  # residual in the frame of another head of the file, up to which a face may be meant
_MIRRORED = 0.03  # lead in agreement from which a frame is believed to be mirrored; not to be: twice it
_JAW, _BROWS, _NOSE = range(16, -1, -1), range(26, 16, -1), [*range(27, 31), *range(35, 30, -1)]
_EYES = [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
_MOUTH = [*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
MIRROR_68 = np.array([*_JAW, *_BROWS, *_NOSE, *_EYES, *_MOUTH])  # dlib's points seen in a mirror


@dataclass(frozen=True)
class MeshPoints:
    """The 68 points of one head.

    Attributes:
        xyz: In the file's frame. [68, 3]
        is_known: By the mesh's topology; else found on renders, where left and right change places if the
            file's frame is mirrored.
        is_outward: Whether the faces are wound outward if the file's frame is not mirrored.
    """

    xyz: F32
    is_known: bool
    is_outward: bool = True


@dataclass(frozen=True, eq=False)
class Pair:
    """A head and the face that it lies over.

    Attributes:
        head: Number of the head in the file, from 0.
        face: Number of the face in the photo, from 0.
        alignment: How.
        points: The head's points, left and right as the alignment takes them. [68, 3]
        mirrored: Whether left and right of points that were found changed places.
        agreement: Of the fine forms, see :func:`fnormal.enhancement.register.register`; 0 if not looked at.
        may_be_mirrored: Whether the mirror image of the mesh would fit as well.
    """

    head: int
    face: int
    alignment: Alignment
    points: F32
    mirrored: bool = False
    agreement: float = 0.0
    may_be_mirrored: bool = False


def match(
    heads: Sequence[MeshPoints],
    faces: Sequence[FaceBox],
    height_px: int,
    look: Callable[[Pair], Pair],
    compare: Callable[[Pair], Pair],
    frame: str | None = None,
) -> list[Pair]:
    """The pairs of heads and faces that belong together, each head and face at most once.

    What was written in the photo's own pixels is believed as it is, as are several heads that lie over
    several faces in one frame. A free pose fits many faces: there the fine forms of the mesh must agree with
    one face's predicted normals clearly better than with any other's.

    Args:
        heads: Points of each head.
        faces: Of the photo.
        height_px: Rows of the photo.
        look: Lays a pair exactly over the photo and measures its agreement.
        compare: Measures the agreement of a pair where it lies.
        frame: See :func:`fnormal.enhancement.align.align`.

    Raises:
        FNormalError: No head fits any face, or it cannot be told which one.
    """
    found, trouble = list[Pair](), None
    for i, j, points, mirrored in _tries(heads, faces):
        try:
            alignment = align(points, faces[j].landmarks, height_px, frame, _LOOSE)
        except FNormalError as error:
            trouble = trouble or error
            continue
        found.append(Pair(i, j, alignment, points, mirrored))
    if not found:
        raise trouble or FNormalError("there is no face to lay the mesh over; give --landmarks")
    layouts = [_layout(pair, heads, faces, height_px) for pair in found]
    best = max(layouts, key=_rank)
    if best[0].alignment.is_written:
        return best
    exact = None if frame else _exactly_written(heads, faces, height_px, compare)
    if exact is not None:
        return _layout(exact, heads, faces, height_px)
    if len(best) > 1:
        twins = [one for one in layouts if one[0].mirrored != best[0].mirrored and len(one) == len(best)]
        looked = [[look(pair) for pair in one] for one in (best, *sorted(twins, key=_rank)[-1:])]
        chosen = _right_handed(looked, heads)
    else:
        chosen = _clearest(found, heads, look)
    # others may be meant: of several one is chosen, or a file of several lies over some of the faces alone
    others = len(chosen) == 1 < len(faces) * len(heads) or len(chosen) < min(len(faces), len(heads))
    return [_believed(look(pair), others) for pair in chosen]  # from where it came to lie


def _tries(heads: Sequence[MeshPoints], faces: Sequence[FaceBox]) -> Iterator[tuple[int, int, F32, bool]]:
    """Every head with every face: their numbers, the head's points, and whether those are mirrored."""
    for (i, head), j in product(enumerate(heads), range(len(faces))):
        yield i, j, head.xyz, False
        if not head.is_known:
            yield i, j, head.xyz[MIRROR_68], True


def _exactly_written(
    heads: Sequence[MeshPoints], faces: Sequence[FaceBox], height_px: int, compare: Callable[[Pair], Pair]
) -> Pair | None:
    """The pair of a mesh in the photo's own pixels whose landmarks are too far off to say so."""
    pairs = []
    for i, j, points, mirrored in _tries(heads, faces):
        fit = written_where_it_lies(points, faces[j].landmarks, height_px)
        if fit is not None and fit.residual <= _LOOSE:
            pairs.append(Pair(i, j, fit, points, mirrored))
    nearest = sorted(pairs, key=lambda pair: pair.alignment.residual)[:_LOOKS]
    best = max(map(compare, nearest), key=lambda pair: pair.agreement, default=None)
    return best if best is not None and best.agreement >= _EXACT else None


def _believed(pair: Pair, others: bool) -> Pair:
    """The pair, if landmarks or forms speak for it; where others may be meant, forms must.

    Raises:
        FNormalError: The landmarks are too far off for what the forms agree by.
    """
    fit = pair.alignment
    least = _ONE_OF_SEVERAL if others else _LEAST_AGREEMENT
    if fit.residual > MAX_RESIDUAL:
        least = max(least, _SURE_AGREEMENT)
    if pair.agreement < least or fit.residual > _FARTHEST:
        raise FNormalError(
            f"the mesh does not fit the face: the best alignment ({fit.kind}) leaves"
            f" {fit.residual_px:.1f} px, {100 * fit.residual:.1f} % of the face, and the forms agree by"
            f" {pair.agreement:.2f}; give this photo's own mesh"
        )
    return pair


def _clearest(found: Sequence[Pair], heads: Sequence[MeshPoints], look: Callable[[Pair], Pair]) -> list[Pair]:
    """The one pair whose forms agree best.

    Raises:
        FNormalError: Another head or face agrees nearly as well, or none agrees.
    """
    nearest = sorted(found, key=lambda pair: pair.alignment.residual)[:_LOOKS]
    looked = [look(pair) for pair in nearest]
    best = max(looked, key=lambda pair: pair.agreement)
    same = [pair for pair in looked if (pair.head, pair.face) == (best.head, best.face)]
    others = [pair for pair in looked if (pair.head, pair.face) != (best.head, best.face)]
    rival = max(others, key=lambda pair: pair.agreement, default=None)
    if rival is not None and rival.agreement > best.agreement - _CLEAR:
        what = (
            f"face {best.face + 1} or face {rival.face + 1} of the photo" if best.head == rival.head
            else f"head {best.head + 1} or head {rival.head + 1} of the file"
        )  # fmt: skip
        raise FNormalError(
            f"it cannot be told whether the mesh is {what}: their forms agree by {best.agreement:.2f} and"
            f" {rival.agreement:.2f}; choose a face by --face N, or give one head, in the photo's pixels"
        )
    straight = [pair for pair in same if not pair.mirrored][:1]
    mirrored = [pair for pair in same if pair.mirrored][:1]
    return _right_handed([one for one in (straight, mirrored) if one], heads)


def _right_handed(layouts: Sequence[list[Pair]], heads: Sequence[MeshPoints]) -> list[Pair]:
    """Of pairs of heads as they are and of their mirror images those that are meant.

    A face and its mirror image hardly differ: without a clear lead in agreement the winding decides, and then
    the pairs say that it did.

    Raises:
        FNormalError: Neither forms nor winding tell.
    """
    if len(layouts) < 2:
        return layouts[0]
    mirrored, straight = sorted(layouts, key=lambda pairs: not pairs[0].mirrored)
    lead = float(
        np.mean([pair.agreement for pair in mirrored]) - np.mean([pair.agreement for pair in straight])
    )
    if lead > _MIRRORED:
        return mirrored
    if lead < -2 * _MIRRORED:
        return straight
    if lead < -_MIRRORED or all(heads[pair.head].is_outward for pair in straight):
        return [replace(pair, may_be_mirrored=True) for pair in straight]
    raise FNormalError(
        "it cannot be told whether the mesh is in a mirrored frame or wound inward: the face is nearly"
        " symmetric; say its axes by --frame, such as x,y,z or x,-y,z"
    )


def _layout(first: Pair, heads: Sequence[MeshPoints], faces: Sequence[FaceBox], height_px: int) -> list[Pair]:
    """What the frame of one pair makes of the whole file: the pairs whose heads then lie over a face.

    One head's frame is not exact, and far from it the less: so heads are first laid over the faces they come
    nearest to, then all of them together give the frame that has to fit.
    """
    pairs = [first]
    for i, head in enumerate(heads):
        points = head.xyz[MIRROR_68] if first.mirrored and not head.is_known else head.xyz
        taken = {pair.face for pair in pairs}
        fits = [
            Pair(i, j, first.alignment.measured(points, face.landmarks, height_px), points, first.mirrored)
            for j, face in enumerate(faces)
            if i != first.head and j not in taken
        ]
        nearest = min(fits, key=lambda pair: pair.alignment.residual, default=None)
        if nearest is not None and nearest.alignment.residual <= _NEARLY:
            pairs.append(nearest)
    if len(pairs) > 1 and not first.alignment.is_written:
        pairs = _together(pairs, faces, height_px)
    kept = [pair for pair in pairs if pair.alignment.residual <= MAX_RESIDUAL]
    return sorted(kept if first in kept or len(kept) > 1 else [first], key=lambda pair: pair.face)


def _together(pairs: Sequence[Pair], faces: Sequence[FaceBox], height_px: int) -> list[Pair]:
    """The same pairs in the one frame that fits all their points best, each then by itself."""
    points = np.concatenate([pair.points for pair in pairs])
    landmarks = np.concatenate([faces[pair.face].landmarks for pair in pairs])
    shared = refitted(pairs[0].alignment, points, landmarks, height_px)
    measured = [
        replace(pair, alignment=shared.measured(pair.points, faces[pair.face].landmarks, height_px))
        for pair in pairs
    ]
    if any(pair.alignment.residual > MAX_RESIDUAL for pair in measured):
        return [pairs[0]]
    return [
        replace(pair, alignment=refitted(pair.alignment, pair.points, faces[pair.face].landmarks, height_px))
        for pair in measured
    ]


def _rank(pairs: list[Pair]) -> tuple[bool, int, float]:
    residual = float(np.mean([pair.alignment.residual for pair in pairs]))
    return pairs[0].alignment.is_written, len(pairs), -residual
