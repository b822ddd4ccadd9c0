"""How every command fails: a user's error is one line, a bug keeps its traceback."""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
import warnings
from typing import Any

from typer import BadParameter, Exit
from typer.core import TyperCommand, TyperGroup

from fnormal.cli import interrupt
from fnormal.cli.console import say
from fnormal.errors import STOPPED, FNormalError


class FNormalGroup(TyperGroup):
    """Turns a user's error into one line and exit 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        quiet_libraries()
        try:
            with interrupt.taken_over():
                return super().invoke(ctx)
        except FNormalError as error:
            say(str(error))
            raise Exit(1) from None
        except KeyboardInterrupt:
            say("stopped")
            interrupt.told.set()
            raise Exit(STOPPED) from None
        except BrokenPipeError:  # the reader has gone, as in `| head`: nothing is wrong
            _silence_stdout()
            raise Exit(0) from None
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            _silence_stdout()
            say(f"cannot write to {error.filename or 'stdout'}: no space is left on its device")
            raise Exit(1) from None


def _silence_stdout() -> None:
    """See that nothing is flushed at the end: what is left in the buffer has no place to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_closed_streams() -> None:
    """Give a process without stdin, stdout or stderr empty ones, or the next file takes their place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
            setattr(sys, name, open(number, "w" if number else "r"))  # noqa: SIM115  # for the whole process


def quiet_libraries() -> None:
    """Keep warnings of libraries from users: what matters of them is said in our own words."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())


class FNormalCommand(TyperCommand):
    """Shows its example where something is missing."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line."""
        if any(arg == "" or (arg.startswith("--") and arg.endswith("=")) for arg in args):
            # an empty path would stand for the current folder
            raise BadParameter("an argument is empty; is a shell variable unset?", ctx=ctx)
        try:
            return super().parse_args(ctx, args)
        except BadParameter as error:
            example = re.search(r"Example: `(.+?)`", self.help or "")
            if example is not None and type(error) is not BadParameter:  # a parameter is missing
                error.message = f"Example: {example[1]}"
            raise
