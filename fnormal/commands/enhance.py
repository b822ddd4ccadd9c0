"""enhance PHOTO --mesh M or --depth D: the photo's normals on coarse geometry (section 4, Figs. 1, 5, 10)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from fnormal.arrays import U8
from fnormal.enhancement.depthfiles import depth_paths, write_depth
from fnormal.enhancement.depthfiles import describe as describe_depth
from fnormal.enhancement.depthinputs import depth_on_photo
from fnormal.enhancement.depthwork import fuse_face
from fnormal.enhancement.files import Wanted, write_enhanced
from fnormal.enhancement.jobs import Job, jobs_of
from fnormal.enhancement.pipeline import Recipe, doubts, enhance_placed, place, predicted
from fnormal.enhancement.placing import FoundHead, Placed, described, find_heads
from fnormal.enhancement.registration import edges_apart, is_apart
from fnormal.enhancement.viewer import viewer_program
from fnormal.errors import FNormalError
from fnormal.faces.detect import FaceBox
from fnormal.faces.given import parse_box
from fnormal.files.naming import Guard, refuse_existing
from fnormal.files.writing import sweep_folder
from fnormal.geometry.meshfile import read_mesh
from fnormal.geometry.videofile import is_video
from fnormal.options.enhance import Enhance
from fnormal.options.faces import PredictOptions
from fnormal.prediction.face_normals import FaceNormals
from fnormal.prediction.files import Written, doubt, encode_map, result_paths, write_result
from fnormal.prediction.given import given_normals
from fnormal.prediction.opened import open_predictor
from fnormal.prediction.predictor import Predictor
from fnormal.progress import Progress, Result, failure
from fnormal.render.backends import open_renderer
from fnormal.render.drawing import Renderer

_MOST_FACES = 64


def enhance(options: Enhance) -> Iterator[Progress]:
    """Write the normals and the enhanced geometry of each photo; one that fails does not stop the others.

    Raises:
        FNormalError: Options that do not go together; with one photo also no face, a mesh that does not fit,
            or files that are not what they should be.
    """
    _check_options(options)
    out = options.out or Path("enhanced")
    most_px = round(options.max_megapixels * 1e6)
    jobs = jobs_of(options.photos, options.mesh.mesh, options.mesh.mesh_dir, out, most_px)
    depth = options.depth
    given = [options.normals, options.landmarks, options.weights, depth.depth, depth.extrinsics]
    guard = Guard([*given, *(job.photo for job in jobs), *(job.mesh for job in jobs)])
    sweep_folder(out)
    predictor = open_predictor(options.weights, options.compute)
    with open_renderer("soft", supersample=1) as renderer, open_renderer("soft") as painter:
        tools = _Tools(predictor, renderer, painter, guard)
        for done, job in enumerate(jobs, 1):
            failed = ""
            results: tuple[Result, ...] = ()
            try:
                yield from _enhance_one(job, options, tools)
            except FNormalError as error:
                if len(jobs) == 1 and not options.output.json:
                    raise
                failed = str(error)
                results = (failure(job.name, failed),)
            if len(jobs) > 1 or failed:
                note = Path(job.name).name
                yield Progress(
                    done=done, total=len(jobs), unit="photos", note=note, failed=failed, results=results
                )


@dataclass(frozen=True)
class _Tools:
    predictor: Predictor
    renderer: Renderer
    painter: Renderer
    guard: Guard


def _check_options(options: Enhance) -> None:
    one = {
        "--mesh": options.mesh.mesh, "--depth": options.depth.depth, "--normals": options.normals,
        "--box": options.box, "--face": options.face,
    }  # fmt: skip
    if options.landmarks is not None and not options.landmarks.is_dir():
        one["--landmarks"] = options.landmarks
    for name, value in one.items():
        if value is not None and (len(options.photos) > 1 or is_video(options.photos[0])):
            given = f"{len(options.photos)} are" if len(options.photos) > 1 else "a video is"
            raise FNormalError(f"{name} belongs to one photo, and {given} given")
    sources = [options.mesh.mesh, options.mesh.mesh_dir, options.depth.depth]
    if sum(source is not None for source in sources) > 1:
        raise FNormalError("give one of --mesh, --mesh-dir and --depth")
    if sum(value is not None for value in (options.landmarks, options.box, options.face)) > 1:
        raise FNormalError("give one of --landmarks, --box and --face")
    if options.box is not None:
        parse_box(options.box)
    if options.mesh.html:
        viewer_program()  # before anything is written
    if options.depth.depth is not None and (idle := options.mesh.changed()):
        raise FNormalError(f"{', '.join(idle)} belongs to a mesh, and --depth has none; leave it out")
    if options.normals_frame is not None and options.normals is None:
        raise FNormalError("--normals-frame says the axes of --normals; give both")


def _enhance_one(job: Job, options: Enhance, tools: _Tools) -> Iterator[Progress]:
    """Enhance the faces of one photo that its mesh, or its depth map, shows."""
    started = time.monotonic()
    picture = job.read()
    heads = None if job.mesh is None else find_heads(tools.renderer, read_mesh(job.mesh), str(job.mesh))
    if options.depth.depth is not None:
        yield from _fuse_depth(job, options, tools, picture)
        return
    faces, placed, normals_of = _placed(job, options, tools, picture, heads)
    seconds = {"place": round(time.monotonic() - started, 3)}
    for number, one in enumerate(placed, 1):
        stem = job.stem if number == 1 else job.stem.with_name(f"{job.stem.name}-{number}")
        yield from _write_one(job, stem, options, tools, picture, one, normals_of, len(faces), seconds)


def _placed(
    job: Job, options: Enhance, tools: _Tools, picture: U8, heads: Sequence[FoundHead] | None
) -> tuple[list[FaceBox], list[Placed], Callable[[int], FaceNormals]]:
    """Faces, the meshes over them, and the normals of each face.

    The surest faces are tried first; all of the photo only where the mesh fits none of them.
    """
    recipe = _recipe(options)
    trouble: FNormalError | None = None
    tried = 0
    for every in (False, True):
        faces = _faces(job, options, tools.predictor, picture, every=every or options.face is not None)
        if len(faces) == tried:
            break  # a second look has found no further face
        tried = len(faces)

        @lru_cache(maxsize=_MOST_FACES)
        def normals_of(number: int, faces: tuple[FaceBox, ...] = tuple(faces)) -> FaceNormals:
            return _normals_of_face(options, tools, picture, faces[number])

        try:
            return faces, place(tools.renderer, picture, faces, heads, normals_of, recipe), normals_of
        except FNormalError as error:
            trouble = error
    assert trouble is not None, "each round returns or leaves one"
    raise trouble


def _faces(job: Job, options: Enhance, predictor: Predictor, picture: U8, *, every: bool) -> list[FaceBox]:
    box = None if options.box is None else parse_box(options.box)
    faces = predictor.find_faces(picture, job.name, options.landmarks, every=every, box=box)
    if options.face is None:
        return faces[:_MOST_FACES]
    if options.face > len(faces):
        raise FNormalError(f"--face {options.face}: {job.name} shows {len(faces)} faces")
    return [faces[options.face - 1]]


def _normals_of_face(options: Enhance, tools: _Tools, picture: U8, face: FaceBox) -> FaceNormals:
    if options.normals is not None:
        return given_normals(options.normals, picture, face, options.normals_frame)
    return predicted(tools.predictor, picture, face)


def _recipe(options: Enhance) -> Recipe:
    given = options.mesh
    return Recipe(given.mode, given.blend_scale_mm, given.max_shift_mm, given.subdivide, given.frame)


def _write_one(
    job: Job, stem: Path, options: Enhance, tools: _Tools, picture: U8, placed: Placed,
    normals_of: Callable[[int], FaceNormals], n_faces: int, seconds: dict[str, float],
) -> Iterator[Progress]:  # fmt: skip
    """Enhance one face and write it."""
    wanted = Wanted(
        options.mesh.texture, options.mesh.bake, options.mesh.uv_size_px, options.mesh.gif, options.mesh.html
    )
    wanted.check(placed.coarse.base)
    paths = wanted.paths(stem)
    _see_free(options, tools, stem, paths.values())
    normals = normals_of(placed.number - 1)
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:  # the largest file, which is not written before the mesh is there
        encoded = pool.submit(encode_map, normals, PredictOptions())
        enhanced = enhance_placed(tools.renderer, placed, normals, _recipe(options))
    seconds = {**seconds, "enhance": round(time.monotonic() - started, 3)}
    yield Progress(warning=doubt(job.name, placed.face))
    for said in doubts(tools.renderer, placed, enhanced, normals):
        yield Progress(warning=f"{job.name}: {said}")
    yield Progress(
        says=f"{job.name}: face {placed.number}, {described(placed.coarse.alignment)},"
        f" {100 * enhanced.share:.0f} % of the mesh enhanced"
    )
    number = placed.number if options.face is None else options.face
    started = time.monotonic()
    placed = replace(placed, number=number)
    with ThreadPoolExecutor(1) as pool:
        prediction = pool.submit(
            _prediction, stem, normals, Written(job.name, number, n_faces), encoded.result()
        )
        files = dict[str, Path]()
        written = write_enhanced(stem, tools.painter, placed, enhanced, picture, _recipe(options), wanted)
        try:
            yield from _filled(files, written)
        except FNormalError:
            yield prediction.result()
            raise
    yield prediction.result()
    seconds["write"] = round(time.monotonic() - started, 3)
    alignment = placed.coarse.alignment
    record = {
        "ok": True, **job.record(), "mesh": None if job.mesh is None else str(job.mesh),
        "face": number, "faces": n_faces,
        "alignment": "FaceMesh" if alignment is None else alignment.kind,
        "residual_px": None if alignment is None else round(alignment.residual_px, 3),
        "enhanced_share": round(enhanced.share, 4),
    }  # fmt: skip
    yield _told(files, {**record, **_names(files), "seconds": seconds})


def _fuse_depth(job: Job, options: Enhance, tools: _Tools, picture: U8) -> Iterator[Progress]:
    """Fuse the depth map with the normals of the surest face, or of the one that is asked for."""
    assert options.depth.depth is not None, "the caller looked"
    _see_free(options, tools, job.stem, depth_paths(job.stem).values())
    depth, camera, warnings = depth_on_photo(options.depth, picture)
    for said in warnings:
        yield Progress(warning=f"{options.depth.depth}: {said}")
    faces = _faces(job, options, tools.predictor, picture, every=options.face is not None)
    yield Progress(warning=doubt(job.name, faces[0]))
    normals = _normals_of_face(options, tools, picture, faces[0])
    shift = edges_apart(depth, picture, faces[0].box)
    if is_apart(shift, faces[0].box):
        yield Progress(
            warning=f"{options.depth.depth}: its edges lie {shift[0]:+.0f}, {shift[1]:+.0f} pixels (right,"
            " down) from the photo's; is it registered to it?"
        )
    result = fuse_face(depth, camera, normals)
    yield _prediction(job.stem, normals, Written(job.name, options.face or 1, len(faces)))
    told = describe_depth(result)
    notes = {"depth_file": str(options.depth.depth), "edges_apart_px": [round(v, 1) for v in shift]}
    files = dict[str, Path]()
    yield from _filled(files, write_depth(job.stem, result, depth, picture, {**told, **notes}))
    yield Progress(
        says=f"{job.name}: a face at {told['face_distance_m']:.2f} m,"
        f" {100 * told['measured_share']:.0f} % of it measured"
    )
    record = {
        "ok": True, **job.record(), "depth_file": str(options.depth.depth),
        "face": options.face or 1, **told,
    }  # fmt: skip
    yield _told(files, {**record, **_names(files)})


def _see_free(options: Enhance, tools: _Tools, stem: Path, paths: Iterable[Path]) -> None:
    """See that nothing is written over an input, nor by default over anything.

    Raises:
        FNormalError: Something would be.
    """
    outputs = (*paths, *result_paths(stem, PredictOptions().format))
    tools.guard.check(outputs)
    if options.out is None:
        refuse_existing(outputs)


def _prediction(stem: Path, normals: FaceNormals, about: Written, encoded: bytes | None = None) -> Progress:
    """Write the normals as predict does; the line of JSON comes with the geometry."""
    written = write_result(stem, normals, about, PredictOptions(), encoded=encoded)
    return Progress(results=tuple(replace(result, record=None) for result in written))


def _filled(files: dict[str, Path], written: Iterable[tuple[str, Path]]) -> Iterator[Progress]:
    """Take up what is written; where a later file fails, tell those that are on the disk."""
    try:
        files.update(written)
    except FNormalError:
        yield Progress(results=tuple(Result(path) for path in _names(files).values()))
        raise


def _names(files: Mapping[str, Path]) -> dict[str, str]:
    return {kind: str(path) for kind, path in files.items()}


def _told(files: Mapping[str, Path], record: Mapping[str, Any]) -> Progress:
    """The files of a face, and its line of JSON."""
    *first, last = (Result(path) for path in _names(files).values())
    return Progress(results=(*first, replace(last, record=record)))
