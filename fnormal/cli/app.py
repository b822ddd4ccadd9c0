"""The commands: one row each. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import inspect
import pkgutil
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from fnormal import __version__
from fnormal.cli.console import Follower
from fnormal.cli.group import FNormalCommand, FNormalGroup, open_closed_streams
from fnormal.cli.signature import Choices, gather, parameters
from fnormal.errors import FNormalError
from fnormal.options.data import ImportPhotos, Inspect, Merge, RenderDataset, Unwrap
from fnormal.options.enhance import Enhance
from fnormal.options.faces import Predict, Sheet
from fnormal.options.maps import Check, Convert
from fnormal.options.networks import Doctor, Evaluate, Export, ImportWeights
from fnormal.options.training import Ablate, Train
from fnormal.readers import PHOTOS, SCANS
from fnormal.training import NORMAL_LOSSES


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: What a user types.
        options: Dataclass of its flags; its docstring is the help.
        workflow: ``module:function`` that takes the options and yields :class:`fnormal.progress.Progress`.
        choices: Names that a field takes, where a table of fnormal holds them.
    """

    name: str
    options: type[Any]
    workflow: str
    choices: Choices = field(default_factory=dict)


COMMANDS = (
    Command(
        "render-dataset", RenderDataset, "fnormal.commands.render_dataset:render_dataset", {"dataset": SCANS}
    ),
    Command(
        "import-photos", ImportPhotos, "fnormal.commands.import_photos:import_photos", {"dataset": PHOTOS}
    ),
    Command("unwrap", Unwrap, "fnormal.commands.unwrap:unwrap"),
    Command("merge", Merge, "fnormal.commands.merge:merge"),
    Command("inspect", Inspect, "fnormal.commands.inspect:inspect"),
    Command("train", Train, "fnormal.commands.train:train", {"normal_loss": NORMAL_LOSSES}),
    Command("ablate", Ablate, "fnormal.commands.ablate:ablate", {"normal_loss": NORMAL_LOSSES}),
    Command("eval", Evaluate, "fnormal.commands.evaluate:evaluate"),
    Command("predict", Predict, "fnormal.commands.predict:predict"),
    Command("enhance", Enhance, "fnormal.commands.enhance:enhance"),
    Command("convert", Convert, "fnormal.commands.convert:convert"),
    Command("check", Check, "fnormal.commands.check:check"),
    Command("sheet", Sheet, "fnormal.commands.sheet:sheet"),
    Command("import-weights", ImportWeights, "fnormal.commands.import_weights:import_weights"),
    Command("export", Export, "fnormal.commands.export:export"),
    Command("doctor", Doctor, "fnormal.commands.doctor:doctor"),
)


def build_app(commands: Sequence[Command] = COMMANDS) -> typer.Typer:
    """The command line of ``commands``."""
    on_terminal = sys.stdout.isatty() and sys.stderr.isatty()
    built = typer.Typer(
        cls=FNormalGroup,
        name="fnormal",
        help="Surface normals of faces: render, train, evaluate, predict, enhance.\n\n"
        "Results go to stdout, everything else to stderr. Normals: x right, y up, z toward the viewer.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown" if on_terminal else None,  # no boxes in a pipe
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    built.callback()(_main)
    for command in commands:
        built.command(command.name, cls=FNormalCommand)(_callback(command))
    return built


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)  # noqa: T201
        raise typer.Exit


def _main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


def _callback(command: Command) -> Callable[..., None]:
    """The function that Typer calls: it runs the workflow and prints what that tells."""

    def run(**typed: Any) -> None:
        options = gather(command.options, typed)
        workflow = pkgutil.resolve_name(command.workflow)
        follower = Follower(as_json=options.output.json, quiet=options.output.quiet)
        try:
            follower.follow(workflow(options))
        except FNormalError as error:
            if options.output.debug:
                traceback.print_exception(error)
            raise

    flags = parameters(command.options, command.choices)
    run.__signature__ = inspect.Signature(flags)  # type: ignore[attr-defined]
    run.__annotations__ = {flag.name: flag.annotation for flag in flags}
    run.__doc__ = command.options.__doc__
    return run


open_closed_streams()
app = build_app()
