"""Render a GLB of fnormal in Blender through the photo's camera; keep the normals that Cycles shades with.

    python examples/blender_normals.py face_enhanced.glb normals.exr --width 512 --height 512
    python examples/blender_normals.py face_enhanced.glb normals.exr --mesh mine.obj --map tangent_normals.png

Runs where ``import bpy`` does: ``pip install bpy``, or ``blender -b -P examples/blender_normals.py -- ...``.
With ``--mesh`` the GLB's face gives place to your untouched mesh under the map that ``--bake`` wrote. The
pass is in Blender's axes: fnormal's x, y, z are its x, z, -y.
"""

from __future__ import annotations

import argparse
import sys

import bpy


def main() -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("glb")
    parser.add_argument("out")
    parser.add_argument("--mesh", help="OBJ with texture coordinates, in the place of the GLB's face")
    parser.add_argument("--map", help="tangent-space normal map of that mesh")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--height", type=int, default=512)
    options = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else None)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=options.glb)
    if options.mesh:
        replace_face(options.mesh, options.map)
    render(options)


def replace_face(mesh: str, normal_map: str) -> None:
    """Put a mesh under its normal map where the GLB's face is."""
    for face in [o for o in bpy.context.scene.objects if o.type == "MESH"]:
        bpy.data.objects.remove(face)
    bpy.ops.wm.obj_import(filepath=mesh)
    (face,) = (o for o in bpy.context.scene.objects if o.type == "MESH")
    material = bpy.data.materials.new("face")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    picture, bump = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeNormalMap")
    picture.image = bpy.data.images.load(normal_map)
    picture.image.colorspace_settings.name = "Non-Color"
    links.new(picture.outputs["Color"], bump.inputs["Color"])
    links.new(bump.outputs["Normal"], nodes["Principled BSDF"].inputs["Normal"])
    face.data.materials.clear()
    face.data.materials.append(material)


def render(options: argparse.Namespace) -> None:
    """Write the pass of normals."""
    scene = bpy.context.scene
    scene.camera = next(o for o in scene.objects if o.type == "CAMERA")
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 16, False
    scene.render.resolution_x, scene.render.resolution_y = options.width, options.height
    scene.view_layers[0].use_pass_normal = True
    if hasattr(scene.render.image_settings, "media_type"):  # Blender 5
        scene.render.image_settings.media_type = "MULTI_LAYER_IMAGE"
    scene.render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    scene.render.filepath = options.out
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    main()
