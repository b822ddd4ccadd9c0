"""The command line: one thin function a command; no maths, no heavy import at the top."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer

from fnormal import __version__, options
from fnormal.cli import console
from fnormal.cli import data as cli_data
from fnormal.cli import train as cli_train
from fnormal.cli.shared import (
    Device,
    Json,
    Landmarks,
    Threads,
    Weights,
    check_device,
    set_up_torch,
)
from fnormal.options import PredictOptions

app = typer.Typer(
    cls=console.FNormalGroup,
    name="fnormal",
    help="Surface normals of faces: render, train, evaluate, predict, enhance.\n\n"
    "Results go to stdout, everything else to stderr. Normals: x right, y up, z toward the viewer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        console.emit(__version__, as_json=False)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


app.command("render-dataset")(cli_data.render_dataset)
app.command("import-photos")(cli_data.import_photos)
app.command("merge")(cli_data.merge)
app.command("inspect")(cli_data.inspect)
app.command("train")(cli_train.train)
app.command("ablate")(cli_train.ablate)
app.command("eval")(cli_train.evaluate)


@app.command()
def predict(
    inputs: Annotated[list[str], typer.Argument(help="Pictures, folders, or - for stdin.")],
    out: Annotated[str, typer.Option(help="Folder; - sends one normal map to stdout.")],
    weights: Weights = None,
    crop: Annotated[
        bool, typer.Option(help="--no-crop: the pictures are face crops already.")
    ] = PredictOptions.crop,
    faces: Annotated[options.Which, typer.Option(help="The largest face, or all.")] = PredictOptions.faces,
    frame: Annotated[
        str, typer.Option(help="opengl, opencv, directx, or axes like x,-y,z.")
    ] = PredictOptions.frame,
    format: Annotated[options.Format, typer.Option(help="Of the normal maps.")] = PredictOptions.format,
    forehead: Annotated[
        bool, typer.Option(help="Also above the brows, where the paper stops.")
    ] = PredictOptions.forehead,
    scale: Annotated[float, typer.Option(min=1, help="Crop / box of landmarks.")] = PredictOptions.scale,
    landmarks: Landmarks = None,
    device: Device = "cpu",
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Normals of the faces in photos: normal map, mask and JSON for each.

    Example: `fnormal predict face.jpg --out normals/` or `curl -s URL | fnormal predict - --out - > n.png`
    """
    set_up_torch(threads)
    from fnormal.commands import predict as workflow
    from fnormal.prediction.predictor import Predictor

    how = PredictOptions(
        frame=frame, format=format, faces=faces, crop=crop, scale=scale, forehead=forehead,
        landmarks=landmarks,
    )  # fmt: skip
    predictor = Predictor(weights, device=check_device(device))
    if out == "-":
        sys.stdout.buffer.write(workflow.predict_stream(inputs, predictor, how))
        return
    console.follow(workflow.predict(inputs, Path(out), predictor, how), as_json=as_json)


@app.command()
def sheet(
    inputs: Annotated[list[str], typer.Argument(help="Pictures or folders of them, or one HDF5 set.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")],
    weights: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(help="A column each; default: the weights that come with fnormal."),
    ] = None,
    predictions: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(help="Folders of others' normal maps, a column each; see docs/evaluation.md."),
    ] = None,
    frame: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Of the others' maps: opengl, opencv, directx, or axes like x,-y,z."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Samples of a set, evenly spaced.")] = 8,
    size: Annotated[int, typer.Option(min=32, help="Side of a picture on the sheet.")] = 192,
    device: Device = "cpu",
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Image, ours and others side by side, as in Figs. 4 and 8; of a set also truth and errors.

    Example: `fnormal sheet val.h5 --weights a.safetensors --weights b.safetensors --out sheet.png`
    """
    set_up_torch(threads)
    from fnormal.commands import sheet as workflow

    methods = workflow.Methods(weights or [], predictions or [], frame, check_device(device))
    workflow.write_sheet(inputs, out, methods, count=count, size_px=size)
    console.emit(str(out), as_json=as_json)


@app.command()
def enhance(
    photo: Annotated[Path, typer.Argument(help="Picture of a face.")],
    out: Annotated[Path, typer.Option(help="Folder.")],
    mesh: Annotated[Optional[Path], typer.Option(help="Coarse mesh; default: FaceMesh's.")] = None,  # noqa: UP045
    normals: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Normal map of the photo instead of a prediction."),
    ] = None,
    weights: Weights = None,
    landmarks: Landmarks = None,
    device: Device = "cpu",
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Put a photo's normals onto a coarse mesh: GLB, PLY and a before/after picture (Figs. 1, 5).

    Example: `fnormal enhance face.jpg --mesh prn.obj --out enhanced/`
    """
    set_up_torch(threads)
    from fnormal.commands.enhance import enhance_mesh
    from fnormal.prediction.predictor import Predictor

    predictor = Predictor(weights, device=check_device(device))
    steps = enhance_mesh(photo, out, predictor, mesh=mesh, normals=normals, landmarks=landmarks)
    console.follow(steps, as_json=as_json)


@app.command("import-weights")
def import_weights(
    checkpoint: Annotated[Path, typer.Argument(help="The authors' model.pth.")],
    out: Annotated[Path, typer.Option(help="Safetensors file to write.")],
    as_json: Json = False,
) -> None:
    """Turn the authors' model.pth (CC BY-NC 4.0) into a weights file, never unpickling code.

    Example: `fnormal import-weights model.pth --out authors.safetensors`
    """
    from fnormal.network.checkpoint import WeightsInfo, import_authors, save_weights

    model = import_authors(checkpoint)
    save_weights(out, model, WeightsInfo("paper", licence="CC BY-NC 4.0, the authors' release"))
    console.emit(str(out), as_json=as_json)


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="File to write.")],
    weights: Weights = None,
    format: Annotated[options.ExportFormat, typer.Option(help="Of the file.")] = "onnx",
    as_json: Json = False,
) -> None:
    """Image-to-normals for other runtimes: RGB [B, 3, S, S] in [0, 1] to unit normals.

    Example: `fnormal export --out lite.onnx && fnormal predict face.jpg --weights lite.onnx --out normals/`
    """
    from fnormal.network import exported
    from fnormal.network.checkpoint import load_weights

    model, info = load_weights(weights)
    write = exported.export_onnx if format == "onnx" else exported.export_torchscript
    console.say(
        f"{out}: within {write(model, info, out):.4f} degrees of the original, input {info.size_px} px"
    )
    console.emit(str(out), as_json=as_json)


@app.command()
def doctor(as_json: Json = False) -> None:
    """What this machine can do, and how to mend what it cannot.

    Example: `fnormal doctor`
    """
    from fnormal.commands.doctor import examine

    healthy = True
    for finding in examine():
        healthy &= finding.works or not finding.needed
        word = "ok" if finding.works else ("MISSING" if finding.needed else "absent")
        line = "\t".join([word, finding.name, finding.detail, *([finding.remedy] * (not finding.works))])
        console.emit({**asdict(finding)} if as_json else line, as_json=as_json)
    if not healthy:
        raise typer.Exit(1)
