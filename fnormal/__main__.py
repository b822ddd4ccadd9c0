"""The command line as a process of its own, from its first instant to its last."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from types import FrameType

from fnormal.errors import STOPPED


def main() -> None:
    """Run the command line, and leave.

    Ctrl-C is one line from the start, while modules are imported, too. At the end, when files are closed and
    threads have ended, the process does not take itself apart: that takes a tenth of a second, a sixth of the
    time of one photo.
    """
    code = 1  # of an error that is none of the user's, whose traceback Python prints

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    atexit.register(leave)  # the first one runs after those of all libraries
    signal.signal(signal.SIGINT, _stop)
    from fnormal.cli.app import app

    try:
        app(prog_name="fnormal")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        raise


def _stop(signum: int, frame: FrameType | None) -> None:
    """End where nothing has begun, or everything is done."""
    del signum, frame
    os.write(2, b"fnormal: stopped\n")
    os._exit(STOPPED)


if __name__ == "__main__":  # dask's workers import this file again
    main()
