"""The commands that train and measure networks: train, ablate, eval."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer

from fnormal import config, options
from fnormal.cli import console
from fnormal.cli.shared import (
    Ablation,
    Augment,
    BatchSize,
    CacheGb,
    Compile,
    CrossModalEvery,
    Device,
    Ema,
    EncoderWeights,
    Epochs,
    GoOn,
    GradientWeight,
    HullShare,
    Images,
    InitWeights,
    InputSize,
    Json,
    LearningRate,
    Mix,
    Normals,
    Pairs,
    Readers,
    Rotate,
    SaveEvery,
    Seed,
    TensorBoard,
    Threads,
    Weights,
    check_device,
    set_up_torch,
)
from fnormal.options import TrainOptions


def train(
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    pairs: Pairs = None,
    images: Images = None,
    normals: Normals = None,
    val: Annotated[Optional[Path], typer.Option(help="Pairs to validate on.")] = None,  # noqa: UP045
    epochs: Epochs = TrainOptions.epochs,
    batch_size: BatchSize = TrainOptions.batch_size,
    lr: LearningRate = TrainOptions.learning_rate,
    schedule: options.Schedule = TrainOptions.schedule,
    optimizer: options.Optimizer = TrainOptions.optimizer,
    arch: options.Arch = TrainOptions.arch,
    ablation: Ablation = TrainOptions.ablation,
    size: InputSize = TrainOptions.size_px,
    normal_loss: options.NormalLoss = TrainOptions.normal_loss,
    gradient_weight: GradientWeight = TrainOptions.gradient_weight,
    cross_modal_every: CrossModalEvery = TrainOptions.cross_modal_every,
    augment: Augment = TrainOptions.augment,
    hull_share: HullShare = TrainOptions.hull_share,
    rotate: Rotate = TrainOptions.rotate_deg,
    ema: Ema = TrainOptions.ema,
    mix: Mix = TrainOptions.mix,
    init: InitWeights = None,
    encoder_weights: EncoderWeights = None,
    resume: GoOn = False,
    save_every: SaveEvery = TrainOptions.save_every,
    tensorboard: TensorBoard = False,
    precision: options.Precision = TrainOptions.precision,
    compile: Compile = TrainOptions.compile,
    seed: Seed = TrainOptions.seed,
    workers: Readers = TrainOptions.workers,
    cache_gb: CacheGb = TrainOptions.cache_gb,
    device: Device = TrainOptions.device,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Train the cross-modal network (section 3.3); Ctrl-C saves, --resume goes on exactly.

    Example: `fnormal train --pairs ict.h5 --normals anny.h5 --val val.h5 --arch lite --out run`, or the
    same on two GPUs: `torchrun --nproc-per-node 2 -m fnormal train --device cuda ...`
    """
    set_up_torch(threads)
    from fnormal.commands import train as workflow
    from fnormal.training import parallel
    from fnormal.training.tensorboard import Board

    how = TrainOptions(
        epochs=epochs, batch_size=batch_size, learning_rate=lr, schedule=schedule, optimizer=optimizer,
        arch=arch, ablation=ablation, size_px=size, normal_loss=normal_loss, gradient_weight=gradient_weight,
        cross_modal_every=cross_modal_every, augment=augment, hull_share=hull_share, rotate_deg=rotate,
        ema=ema, mix=mix, precision=precision, compile=compile, save_every=save_every, seed=seed,
        workers=workers, cache_gb=cache_gb, device=parallel.start(check_device(device)),
    )  # fmt: skip
    sets = workflow.open_sets(pairs or [], images or [], normals or [])
    board = Board(out / "tensorboard") if tensorboard and parallel.rank() == 0 else None
    steps = workflow.train(
        sets, out, how, val=val, init=init, encoder_weights=encoder_weights, resume=resume, board=board
    )
    console.follow(steps, as_json=as_json, quiet=parallel.rank() > 0)
    parallel.stop()


def ablate(
    out: Annotated[Path, typer.Option(help="Folder of the runs.")],
    test: Annotated[list[Path], typer.Option(help="Pairs to compare on, of people never trained on.")],
    pairs: Pairs = None,
    images: Images = None,
    normals: Normals = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each network.")] = 1,
    epochs: Epochs = TrainOptions.epochs,
    batch_size: BatchSize = TrainOptions.batch_size,
    lr: LearningRate = TrainOptions.learning_rate,
    schedule: options.Schedule = TrainOptions.schedule,
    optimizer: options.Optimizer = TrainOptions.optimizer,
    arch: options.Arch = TrainOptions.arch,
    size: InputSize = TrainOptions.size_px,
    gradient_weight: GradientWeight = TrainOptions.gradient_weight,
    cross_modal_every: CrossModalEvery = TrainOptions.cross_modal_every,
    encoder_weights: EncoderWeights = None,
    style: Annotated[options.Style, typer.Option("--table", help="Of the rows on stdout.")] = "tsv",
    precision: options.Precision = TrainOptions.precision,
    cache_gb: CacheGb = TrainOptions.cache_gb,
    device: Device = TrainOptions.device,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Train the four networks of Fig. 6 on the same data and print Fig. 7's table; again goes on.

    Example: `fnormal ablate --pairs ict.h5 --normals anny.h5 --test val.h5 --arch lite --out ablation`
    """
    set_up_torch(threads)
    from fnormal.commands import ablate as workflow
    from fnormal.commands.evaluate import table_lines
    from fnormal.commands.train import open_sets

    how = TrainOptions(
        epochs=epochs, batch_size=batch_size, learning_rate=lr, schedule=schedule, optimizer=optimizer,
        arch=arch, size_px=size, gradient_weight=gradient_weight, cross_modal_every=cross_modal_every,
        precision=precision, cache_gb=cache_gb, device=check_device(device),
    )  # fmt: skip
    sets = open_sets(pairs or [], images or [], normals or [])
    workflow.check_sets(sets, test)
    console.follow(workflow.train_all(sets, out, how, seeds, encoder_weights))
    for path in test:
        results = workflow.compare(out, path, seeds, batch_size, how.device)
        console.print_table(str(path), {name: result.mean for name, result in results.items()})
        for name, result in results.items():
            console.say(f"{path.name}: {name}: mean of each seed {result.seeds_text()}")
        if as_json:
            for name, result in results.items():
                console.emit({"data": str(path), "network": name, **result.as_dict()}, as_json=True)
            continue
        for line in table_lines({name: result.mean for name, result in results.items()}, style):
            console.emit(line, as_json=False)


def evaluate(
    data: Annotated[Path, typer.Argument(help="HDF5 set of pairs.")],
    weights: Weights = None,
    predictions: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder of any method's normal maps, 000000.png and so on."),
    ] = None,
    compare: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(help="Weights files that get a row each."),
    ] = None,
    frame: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Of the maps: opengl, opencv, directx, or axes like x,-y,z."),
    ] = None,
    mirror: Annotated[bool, typer.Option(help="Average with the mirrored image's prediction.")] = False,
    style: Annotated[options.Style, typer.Option("--table", help="Of the rows on stdout.")] = "tsv",
    report: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for index.html: error maps, best and worst faces, histograms."),
    ] = None,
    batch_size: BatchSize = config.BATCH_SIZE,
    device: Device = "cpu",
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Angular errors as in Tables 1 and 2, by region, pose and light, beside what costs nothing.

    Example: `fnormal eval florence.h5 --predictions dsine/ --frame opencv --table latex --report page/`
    """
    set_up_torch(threads)
    from fnormal.commands import evaluate as workflow

    found, how = workflow.open_pairs(data), workflow.Run(batch_size, mirror, check_device(device))
    if predictions is not None:
        name, scores = workflow.evaluate_files(found, predictions, frame)
    else:
        name, scores = workflow.evaluate(found, weights, how)
    rows = {name: scores.summary, **workflow.compare_weights(found, compare or [], how)}
    rows |= workflow.baseline_errors(found)
    console.print_table(str(data), rows)
    console.print_groups(name, scores.breakdown.groups())
    if scores.advice:
        console.warn(scores.advice)
    if report is not None:
        console.say(f"report: {workflow.write_report(report, name, data, rows, scores)}")
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
