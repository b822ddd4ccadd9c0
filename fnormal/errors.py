"""The one exception that means: the user can fix this; and how a stopped command ends."""

from __future__ import annotations

STOPPED = 130  # exit code after Ctrl-C


class FNormalError(Exception):
    """Bad input: the message says what is wrong, where, and how to fix it, in one line.

    The command line prints the message to stderr and exits 1. Anything else that escapes is a bug
    and keeps its traceback.
    """
