"""A face, its predicted normals and its coarse mesh -> an enhanced mesh: the steps in the order they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from fnormal.arrays import U8
from fnormal.config import BLEND_SCALE_MM, ENHANCE_CROP_SCALE, MAX_SHIFT_MM
from fnormal.enhancement.placing import FoundHead, Placed, find_heads, place_default, place_heads
from fnormal.enhancement.reconcile import reconciled_with_mesh
from fnormal.enhancement.register import is_as_fine
from fnormal.enhancement.transfer import Enhanced, append_normals, displace, sight_of
from fnormal.errors import FNormalError
from fnormal.faces.detect import FaceBox
from fnormal.geometry.mesh import Mesh
from fnormal.geometry.normals import likely_frame
from fnormal.options.enhance import Mode
from fnormal.prediction.face_normals import FaceNormals
from fnormal.render.backends import open_renderer
from fnormal.render.drawing import Renderer

if TYPE_CHECKING:
    from fnormal.prediction.predictor import Predictor

_LEAST_COVERED = 0.4  # share of the face's hull that a mesh laid right covers
_LEAST_AGREEING, _DOUBTFUL_AGREEING = 0.1, 0.35  # share of the visible vertices that take the prediction
_CLEAR_DEG = 8.0  # by how much other axes of a normal map must fit the mesh better, to be named


@dataclass(frozen=True)
class Recipe:
    """What is done to a mesh.

    Attributes:
        mode: ``shade`` appends normals, as the paper does; ``displace`` moves the vertices too.
        blend_scale_mm: Forms wider than this stay the mesh's own.
        max_shift_mm: No vertex moves farther.
        rounds: How often the mesh is subdivided; None for as often as the network sees.
        frame: The mesh's axes where they are known, see :func:`fnormal.enhancement.align.align`.
    """

    mode: Mode = "displace"
    blend_scale_mm: float = BLEND_SCALE_MM
    max_shift_mm: float = MAX_SHIFT_MM
    rounds: int | None = None
    frame: str | None = None


def place(
    renderer: Renderer, picture: U8, faces: Sequence[FaceBox], heads: Sequence[FoundHead] | None,
    normals_of: Callable[[int], FaceNormals], recipe: Recipe,
) -> list[Placed]:  # fmt: skip
    """The coarse meshes of a photo's faces: the given mesh's heads, or FaceMesh of the first face.

    Raises:
        FNormalError: The mesh fits no face, or several.
    """
    if heads is None:
        return [place_default(picture, faces[0], 1, recipe.rounds)]
    height_px = picture.shape[0]
    return place_heads(
        renderer, heads, faces, height_px, normals_of, frame=recipe.frame, rounds=recipe.rounds
    )


def predicted(predictor: Predictor, picture: U8, face: FaceBox) -> FaceNormals:
    """The normals of a face as they go onto geometry: in a wider crop than the paper's, forehead included."""
    return predictor.predict(picture, [face], scale=ENHANCE_CROP_SCALE, forehead=True)[0]


def enhance_placed(renderer: Renderer, placed: Placed, normals: FaceNormals, recipe: Recipe) -> Enhanced:
    """A coarse mesh with the photo's normals, its vertices moved or not.

    ``shade`` takes the prediction as it is, as the paper does. ``displace`` takes its fine forms, and of its
    wide ones a share alone, as the mesh knows them too: on heads whose shape is known the result errs less
    than either (benchmarks/enhance.py).

    Raises:
        FNormalError: The mesh hardly lies over the face, or its normals contradict the photo's.
    """
    coarse, scale = placed.coarse, placed.px_per_mm
    sight = sight_of(renderer, coarse, normals)
    enhanced = append_normals(sight, coarse, normals, scale)
    if enhanced.covered < _LEAST_COVERED:
        raise FNormalError(
            f"the mesh covers {100 * enhanced.covered:.0f} % of the face, at least"
            f" {100 * _LEAST_COVERED:.0f} % are needed; give the mesh of a whole face"
        )
    if enhanced.agreeing < _LEAST_AGREEING:
        raise FNormalError(_contradiction(enhanced))
    if recipe.mode == "shade":
        return enhanced
    reconciled = reconciled_with_mesh(renderer, coarse.fine, normals, scale)
    appended = append_normals(sight, coarse, reconciled, scale)
    return displace(appended, recipe.blend_scale_mm, recipe.max_shift_mm)


def doubts(renderer: Renderer, placed: Placed, enhanced: Enhanced, normals: FaceNormals) -> Iterator[str]:
    """What the user should know of a result."""
    if is_as_fine(renderer, placed.coarse.base, normals):
        yield (
            "the mesh shows the photo's fine forms already, and as strongly: it may know more than the photo"
            " tells, and lose by it; compare before and after"
        )
    if said := placed.doubt():
        yield said
    if enhanced.agreeing < _DOUBTFUL_AGREEING:
        yield (
            f"only {100 * enhanced.agreeing:.0f} % of the visible vertices take the photo's normals, which"
            " contradict the mesh elsewhere; look at the result"
        )
    if said := placed.other_expression():
        yield said


def _contradiction(enhanced: Enhanced) -> str:
    """Why hardly any vertex takes a normal of the map, and what may help."""
    shown = enhanced.seen > 0.5
    share = f"only {100 * enhanced.agreeing:.1f} % of the visible vertices agree with the normal map"
    if shown.any():
        frame, there, here = likely_frame(enhanced.pred_normals[shown], enhanced.before.normals[shown])
        if there < here - _CLEAR_DEG:
            return (
                f"{share}: its axes seem to be {frame}, {there:.0f} degrees from the mesh instead of"
                f" {here:.0f}; give --normals-frame {frame}"
            )
    return f"{share}; is it this photo's map, and this face's mesh?"


def enhance(
    picture: U8,
    mesh: Mesh | None = None,
    *,
    predictor: Predictor | None = None,
    face: FaceBox | None = None,
    recipe: Recipe | None = None,
) -> Enhanced:
    """The normals that a photo shows, on a coarse mesh of the face (section 4, Figs. 1 and 5).

    Args:
        picture: RGB. uint8 [H, W, 3]
        mesh: In any frame, see :func:`fnormal.geometry.meshfile.read_mesh`; None for MediaPipe's FaceMesh.
        predictor: Finds faces and predicts normals; None for the weights that come with fnormal.
        face: Which face; None to try all.
        recipe: What is done.

    Returns:
        The first face that the mesh fits, in the photo's pixel frame: x right, y up from the bottom row,
        z toward the viewer, pixels. ``after.vertices`` [V, 3], ``after.normals`` [V, 3], ``weights`` [V].

    Raises:
        FNormalError: There is no face, or the mesh does not fit it.
    """
    from fnormal.prediction.predictor import Predictor

    predictor = predictor or Predictor()
    faces = [face] if face is not None else predictor.find_faces(picture, "the picture", None)
    recipe = recipe or Recipe()

    @lru_cache
    def normals_of(number: int) -> FaceNormals:
        return predicted(predictor, picture, faces[number])

    with open_renderer("soft", supersample=1) as renderer:
        heads = None if mesh is None else find_heads(renderer, mesh, "the mesh")
        placed = place(renderer, picture, faces, heads, normals_of, recipe)[0]
        return enhance_placed(renderer, placed, normals_of(placed.number - 1), recipe)
