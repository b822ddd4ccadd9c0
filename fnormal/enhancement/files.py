"""An enhanced mesh as files: GLB, OBJ, PLY, baked normal maps, pictures, and a JSON of how it came about."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from fnormal import __version__
from fnormal.arrays import U8
from fnormal.config import UV_SIZE_PX
from fnormal.enhancement.bake import bake, check_unwrapped
from fnormal.enhancement.figures import before_after, moving_light
from fnormal.enhancement.outfits import (
    describe,
    given_topology,
    glb_of,
    obj_of,
    scene_of,
    with_photo_colors,
)
from fnormal.enhancement.pipeline import Recipe
from fnormal.enhancement.placing import Placed
from fnormal.enhancement.transfer import Enhanced
from fnormal.enhancement.viewer import encode_page
from fnormal.files.writing import write_bytes, write_json
from fnormal.geometry.mesh import Mesh, encode_ply
from fnormal.geometry.normal_maps import encode_normals
from fnormal.geometry.picturefile import write_image
from fnormal.options.enhance import Texture
from fnormal.render.drawing import Renderer


@dataclass(frozen=True)
class Wanted:
    """Which files are written.

    Attributes:
        texture: Colour of the meshes: the photo, or the mesh's own texture where it has one.
        bake: Normal maps in the mesh's own texture coordinates too.
        uv_size_px: Their side.
        gif: A light that moves round before and after.
        html: A page to look at the mesh from all sides.
    """

    texture: Texture = "photo"
    bake: bool = False
    uv_size_px: int = UV_SIZE_PX
    gif: bool = False
    html: bool = False

    def endings(self) -> dict[str, str]:
        """What each file's name ends in, by what it is; the JSON comes last."""
        return {
            "glb": "_enhanced.glb", "obj": "_enhanced.obj", "mtl": "_enhanced.mtl",
            "color": "_enhanced_color.jpg", "ply": "_enhanced.ply",
            **({"tangent": "_tangent_normals.png", "object": "_object_normals.png"} if self.bake else {}),
            "before_after": "_before_after.png",
            **({"gif": "_light.gif"} if self.gif else {}),
            **({"html": "_enhanced.html"} if self.html else {}),
            "enhanced": "_enhanced.json",
        }  # fmt: skip

    def check(self, mesh: Mesh) -> None:
        """See that a mesh allows it, before anything is written.

        Raises:
            FNormalError: Normal maps are to be baked for a mesh without texture coordinates.
        """
        if self.bake:
            check_unwrapped(mesh)

    def paths(self, stem: Path) -> dict[str, Path]:
        """Where each goes."""
        return {kind: stem.with_name(stem.name + ending) for kind, ending in self.endings().items()}


def write_enhanced(
    stem: Path,
    renderer: Renderer,
    placed: Placed,
    enhanced: Enhanced,
    picture: U8,
    recipe: Recipe,
    wanted: Wanted,
) -> Iterator[tuple[str, Path]]:
    """Write the files under ``stem``, one after the other; what each is, and where.

    Raises:
        FNormalError: A file cannot be written, or ``bake`` is wanted of a mesh without texture coordinates.
    """
    paths = wanted.paths(stem)
    scene = scene_of(placed, enhanced, picture)
    about = describe(placed, enhanced, scene, {**asdict(recipe), "texture": wanted.texture})
    if wanted.bake:  # first: it may be refused
        maps = bake(enhanced, wanted.uv_size_px)
        for kind, normals, space in (
            ("tangent", maps.tangent, "tangent: u right, v up, outward"),
            ("object", maps.object, "object: the mesh file's own axes"),
        ):
            note = {"fnormal:space": space}
            write_bytes(
                paths[kind], encode_normals(normals, maps.mask, frame="opengl", format="png16", note=note)
            )
            yield kind, paths[kind]
    with ThreadPoolExecutor(1) as pool:  # the longest there; pictures here: a renderer belongs to its thread
        glb = pool.submit(glb_of, enhanced, picture, scene, wanted.texture, wanted.uv_size_px, about)
        compared = before_after(renderer, picture, enhanced, placed.points)
        given = given_topology(enhanced, picture)
        obj, mtl = obj_of(scene(given), paths["obj"].stem, paths["color"].name)
        ply = encode_ply(scene(with_photo_colors(enhanced.after, picture)))
        write_bytes(paths["glb"], glb.result())
        del glb
        yield "glb", paths["glb"]
        assert given.texture is not None, "it is dressed"
        write_image(paths["color"], given.texture)
        yield "color", paths["color"]
        for kind, data in (("mtl", mtl), ("obj", obj)):
            write_bytes(paths[kind], data)
            yield kind, paths[kind]
        write_bytes(paths["ply"], ply)
        yield "ply", paths["ply"]
    write_image(paths["before_after"], compared)
    yield "before_after", paths["before_after"]
    if wanted.gif:
        write_bytes(paths["gif"], moving_light(renderer, enhanced, placed.points))
        yield "gif", paths["gif"]
    if wanted.html:
        write_bytes(paths["html"], encode_page(enhanced, picture, scene, stem.name))
        yield "html", paths["html"]
    names = {kind: path.name for kind, path in paths.items()}
    shape = {"width_px": picture.shape[1], "height_px": picture.shape[0]}
    write_json(paths["enhanced"], {**about, **shape, "files": names, "fnormal_version": __version__})
    yield "enhanced", paths["enhanced"]
