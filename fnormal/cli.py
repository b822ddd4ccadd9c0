"""The command line: one thin function a command; no maths, no heavy import at the top."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer

from fnormal import __version__, cli_data, config, console, options
from fnormal.cli_options import (
    Device,
    EncoderWeights,
    Json,
    Landmarks,
    Seed,
    Threads,
    Weights,
    check_device,
    set_threads,
)
from fnormal.options import PredictOptions, TrainOptions

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


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    pairs: Annotated[Optional[list[Path]], typer.Option(help="Image/normal sets.")] = None,  # noqa: UP045
    images: Annotated[Optional[list[Path]], typer.Option(help="Image-only sets.")] = None,  # noqa: UP045
    normals: Annotated[Optional[list[Path]], typer.Option(help="Normals-only sets.")] = None,  # noqa: UP045
    val: Annotated[Optional[Path], typer.Option(help="Pairs to validate on.")] = None,  # noqa: UP045
    epochs: Annotated[int, typer.Option(min=1)] = TrainOptions.epochs,
    batch_size: Annotated[int, typer.Option(min=1)] = TrainOptions.batch_size,
    lr: Annotated[
        float, typer.Option(help="Learning rate; the peak of one-cycle.")
    ] = TrainOptions.learning_rate,
    schedule: options.Schedule = TrainOptions.schedule,
    optimizer: options.Optimizer = TrainOptions.optimizer,
    arch: options.Arch = TrainOptions.arch,
    ablation: Annotated[options.Ablation, typer.Option(help="Fig. 6: a, b, c, d.")] = TrainOptions.ablation,
    size: Annotated[int, typer.Option(help="Side of the input, a multiple of 32.")] = TrainOptions.size_px,
    gradient_weight: Annotated[
        float, typer.Option(min=0, help="Of a loss on detail; 0: the paper.")
    ] = TrainOptions.gradient_weight,
    cross_modal_every: Annotated[
        int, typer.Option(min=1, help="Auto-encode each k-th paired batch.")
    ] = TrainOptions.cross_modal_every,
    augment: Annotated[bool, typer.Option(help="Mirror and relight samples.")] = TrainOptions.augment,
    rotate: Annotated[
        float, typer.Option(min=0, help="Turn samples in the plane, degrees.")
    ] = TrainOptions.rotate_deg,
    ema: Annotated[
        float, typer.Option(min=0, max=0.99999, help="Decay of averaged weights; 0: none.")
    ] = TrainOptions.ema,
    init: Annotated[Optional[Path], typer.Option(help="Weights to start from.")] = None,  # noqa: UP045
    encoder_weights: EncoderWeights = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    precision: options.Precision = TrainOptions.precision,
    seed: Seed = TrainOptions.seed,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read samples.")] = TrainOptions.workers,
    cache_gb: Annotated[
        float, typer.Option(min=0, help="Memory for decoded samples.")
    ] = TrainOptions.cache_gb,
    device: Device = TrainOptions.device,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Train the cross-modal network (section 3.3); Ctrl-C saves, --resume goes on exactly.

    Example: `fnormal train --pairs ict.h5 --normals anny.h5 --val val.h5 --arch lite --out run`
    """
    set_threads(threads)
    from fnormal.commands import train as workflow

    how = TrainOptions(
        epochs=epochs, batch_size=batch_size, learning_rate=lr, schedule=schedule, optimizer=optimizer,
        arch=arch, ablation=ablation, size_px=size, gradient_weight=gradient_weight,
        cross_modal_every=cross_modal_every, augment=augment, rotate_deg=rotate, ema=ema,
        precision=precision, seed=seed, workers=workers, cache_gb=cache_gb, device=check_device(device),
    )  # fmt: skip
    sets = workflow.open_sets(pairs or [], images or [], normals or [])
    steps = workflow.train(sets, out, how, val=val, init=init, encoder_weights=encoder_weights, resume=resume)
    console.follow(steps, as_json=as_json)


@app.command("eval")
def evaluate(
    data: Annotated[Path, typer.Argument(help="HDF5 set of pairs.")],
    weights: Weights = None,
    predictions: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder of any method's normal maps, 000000.png and so on."),
    ] = None,
    frame: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Of the maps: opengl, opencv, directx, or axes like x,-y,z."),
    ] = None,
    mirror: Annotated[bool, typer.Option(help="Average with the mirrored image's prediction.")] = False,
    style: Annotated[options.Style, typer.Option("--table", help="Of the rows on stdout.")] = "tsv",
    batch_size: Annotated[int, typer.Option(min=1)] = config.BATCH_SIZE,
    device: Device = "cpu",
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Angular errors as in Tables 1 and 2, by region, pose and light, beside what costs nothing.

    Example: `fnormal eval florence.h5 --predictions dsine/ --frame opencv --table latex`
    """
    set_threads(threads)
    from fnormal.commands import evaluate as workflow

    if predictions is not None:
        name, scores = workflow.evaluate_files(data, predictions, frame)
    else:
        name, scores = workflow.evaluate(
            data, weights, batch_size=batch_size, mirror=mirror, device=check_device(device)
        )
    rows = {name: scores.summary, **workflow.baseline_errors(workflow.open_pairs(data))}
    console.print_table(str(data), rows)
    console.print_groups(name, scores.breakdown.groups())
    if scores.advice:
        console.warn(scores.advice)
    if not as_json:
        for line in workflow.table_lines(rows, style):
            console.emit(line, as_json=False)
        return
    for method, row in rows.items():
        record = {"method": method, "data": str(data), **row.as_dict()}
        if method == name:
            record["interval_deg"] = scores.breakdown.interval_deg()
            record["groups"] = [asdict(group) for group in scores.breakdown.groups()]
            record["subjects"] = scores.breakdown.subjects()
        console.emit(record, as_json=True)


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
    set_threads(threads)
    from fnormal.commands import predict as workflow
    from fnormal.predictor import Predictor

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
    set_threads(threads)
    from fnormal.commands.enhance_mesh import enhance_mesh
    from fnormal.predictor import Predictor

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
    from fnormal.checkpoint import WeightsInfo, import_authors, save_weights

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
    from fnormal import exported
    from fnormal.checkpoint import load_weights

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
