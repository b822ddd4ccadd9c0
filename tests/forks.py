"""Commands as processes of their own that begin at once: forks of one that has imported everything.

A process that imports torch takes two to five seconds to begin, which are most of what a command takes on
small input. What a command imports, how it begins and how it is interrupted is tested with real ones.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
_LARGEST = 1 << 20


def run(
    arguments: Sequence[object], *, stdin: bytes | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """``fnormal ARGUMENTS`` as :func:`subprocess.run` gives it, with its output captured."""
    request = {
        "arguments": [str(a) for a in arguments], "env": {**os.environ, **(env or {})}, "cwd": os.getcwd()
    }  # fmt: skip
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin or b"")
        given.seek(0)
        place = _server()
        files = [file.fileno() for file in (given, out, err)]
        socket.send_fds(place, [json.dumps(request).encode()], files)
        answer = place.recv(64)
        assert answer, "the process that forks has ended"
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess(request["arguments"], int(answer), out.read(), err.read())


@functools.cache
def _server() -> socket.socket:
    """The way to a process that forks at request. It ends when this one does."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.forks", str(there.fileno())]
    process = subprocess.Popen(command, cwd=ROOT, pass_fds=[there.fileno()])
    there.close()

    def end() -> None:
        here.close()
        process.wait()

    atexit.register(end)
    return here


def import_all() -> None:
    """Import what takes the time."""
    import torch._dynamo  # noqa: F401 - what torch's optimizers import

    import fnormal.commands.ablate
    import fnormal.commands.enhance
    import fnormal.commands.predict
    import fnormal.commands.render_dataset
    import fnormal.commands.train  # noqa: F401


def _serve(place: socket.socket) -> None:
    import_all()
    gc.freeze()  # a collection in a fork would write to, and so copy, what all of them share
    while True:
        data, files, _, _ = socket.recv_fds(place, _LARGEST, 3)
        if not data:
            return
        pid = os.fork()
        if pid == 0:
            place.close()
            _become(json.loads(data), files)
        for file in files:
            os.close(file)
        _, status = os.waitpid(pid, 0)
        place.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: dict[str, Any], files: list[int]) -> NoReturn:
    """Be the command: with its files, folder, environment and arguments, and its end as ``main`` has it."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["fnormal", *request["arguments"]]
    from fnormal.cli.app import app

    code = 1
    try:
        app(prog_name="fnormal")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
