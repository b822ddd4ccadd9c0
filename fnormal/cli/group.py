"""How every command fails: a user's error is one line, a bug keeps its traceback."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from typer import BadParameter, Exit
from typer.core import TyperCommand, TyperGroup

from fnormal.cli import interrupt
from fnormal.cli.console import say
from fnormal.errors import FNormalError


class FNormalGroup(TyperGroup):
    """Turns a user's error into one line and exit 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            with interrupt.taken_over():
                return super().invoke(ctx)
        except FNormalError as error:
            say(str(error))
            raise Exit(1) from None
        except KeyboardInterrupt:
            say("stopped")
            raise Exit(interrupt.EXIT_CODE) from None
        except BrokenPipeError:
            # the reader has gone, as in `| head`: nothing is wrong, and nothing may be flushed at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Exit(0) from None


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
