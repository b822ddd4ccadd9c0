"""A terminal: what it shows while a command runs, and Ctrl-C in it."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def on_terminal(
    *arguments: object, columns: int = 80, interrupt: bytes | None = None
) -> tuple[str, int, float]:
    """What a terminal shows, the exit code, and the seconds from Ctrl-C at ``interrupt`` to the end."""
    import fcntl
    import termios

    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", PYTHONPATH=str(ROOT), COLUMNS=str(columns))
        os.execv(sys.executable, [sys.executable, "-m", "fnormal", *map(str, arguments)])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown, pressed = b"", 0.0
    while True:
        if select.select([terminal], [], [], 60)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            shown += data
            if interrupt is not None and not pressed and interrupt in shown:
                os.write(terminal, b"\x03")
                pressed = time.monotonic()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()), code, time.monotonic() - pressed


def test_progress_fits_80_columns_and_shows_what_matters_first(pairs: Path, tmp_path: Path) -> None:
    settings = ("--arch", "tiny", "--size", 64, "--batch-size", 2, "--epochs", 3, "--out", tmp_path / "run")
    shown, code, _ = on_terminal("train", "--pairs", pairs, *settings)
    lines = [line for line in re.split(r"[\r\n]+", shown) if line.startswith("batches")]
    assert code == 0, shown
    assert max(map(len, lines)) <= 80
    assert re.match(r"batches [━╸╺ ]+ 6/6 [\d.]+/s \d\d:\d\d [\d.]+ images/s", lines[-1])


@pytest.mark.parametrize("extra", [(), ("--workers", 2)], ids=["alone", "workers"])
def test_ctrl_c_ends_at_once_with_one_line(
    tmp_path: Path, makehuman: Path, extra: tuple[object, ...]
) -> None:
    shown, code, seconds = on_terminal(
        "render-dataset", makehuman, "--dataset", "anny", "--scans", 500, "--size", 64, "--backend", "soft",
        "--out", tmp_path / "d.h5", *extra, interrupt=b"scans",
    )  # fmt: skip
    assert code == 130
    assert seconds < 2
    assert [line for line in shown.splitlines() if "stopped" in line] == ["fnormal: stopped"]
    assert "Traceback" not in shown
    assert "Warning" not in shown
    assert not list(tmp_path.rglob("*.partial")), "no half file"


def test_ctrl_c_ends_even_where_it_is_swallowed(tmp_path: Path) -> None:
    """A callback of the garbage collector swallows it, and would have gone on for half a minute."""
    code = (
        "import time\nfrom pathlib import Path\nfrom fnormal.cli import interrupt\n"
        "from fnormal.files.writing import atomic\n"
        "class Held:\n    def __del__(self):\n        print('ready', flush=True); time.sleep(30)\n"
        f"with interrupt.taken_over(), atomic(Path({str(tmp_path / 'x')!r})):\n"
        "    held = Held(); del held\n    time.sleep(30)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, stderr = process.communicate(timeout=20)
    assert time.monotonic() - started < 2
    assert process.returncode == 130
    assert stderr == b"fnormal: stopped\n"
    assert not list(tmp_path.iterdir()), "no half file"


def _as_program(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``module.py`` of a folder as a program of its own."""
    return subprocess.run(
        [sys.executable, "-m", "module", *arguments], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}, check=False,
    )  # fmt: skip


def test_ctrl_c_while_a_class_is_made_keeps_the_exit_code(tmp_path: Path) -> None:
    """Dataclasses are text that is executed; after an interrupt in it Python would kill itself."""
    (tmp_path / "module.py").write_text(
        "import sys\nimport fnormal.cli.app\nfrom fnormal import __main__\n"
        "from fnormal.cli import interrupt\n"
        "def app(prog_name):\n    try:\n        with interrupt.taken_over():\n"
        "            exec('import os, signal; os.kill(os.getpid(), signal.SIGINT)')\n"
        "    except KeyboardInterrupt:\n        interrupt.told.set()\n        sys.exit(130)\n"
        "fnormal.cli.app.app = app\n__main__.main()\n"
    )
    done = _as_program(tmp_path)
    assert done.returncode == 130


@pytest.mark.parametrize("name", ["fnormal.cli.app", "typer", "numpy"])
def test_ctrl_c_while_modules_are_imported_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "module.py").write_text(
        "import os, signal, sys\nfrom fnormal import __main__\n"
        "class Press:\n    def find_spec(self, name, *_):\n"
        f"        if name == '{name}':\n            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Press())\n__main__.main()\n"
    )
    done = _as_program(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "fnormal: stopped\n")


def test_a_job_in_the_background_of_a_script_stops_too(tmp_path: Path) -> None:
    """There the shell has its jobs ignore Ctrl-C; but `kill -INT` means it."""
    job = f"{sys.executable} -m fnormal predict - --out {tmp_path} <&3"  # which says nothing
    script = f"exec 3<&0; {job} & sleep 1.5; kill -INT $!; wait $!"
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(["sh", "-c", script], text=True, cwd=ROOT, **pipes) as shell:
        assert shell.wait(timeout=20) == 130
        assert shell.stderr.read() == "fnormal: stopped\n"


def test_a_process_ends_with_the_code_and_the_text_that_it_would_have(tmp_path: Path) -> None:
    """It does not take itself apart, but says all, and runs what libraries have left for the end."""
    (tmp_path / "module.py").write_text(
        "import sys\nimport fnormal.cli.app\nfrom fnormal import __main__\n"
        "def app(prog_name):\n    import atexit, threading, time\n    atexit.register(print, 'library')\n"
        "    threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()\n"
        "    print('said', end=' ')\n    if sys.argv[1] == 'bug':\n        raise ValueError('bug')\n"
        "    sys.exit(None if sys.argv[1] == 'none' else int(sys.argv[1]))\n"
        "fnormal.cli.app.app = app\n__main__.main()\n"
    )
    for how, code in (("none", 0), ("0", 0), ("1", 1), ("3", 3), ("bug", 1)):
        done = _as_program(tmp_path, how)
        assert (done.returncode, done.stdout) == (code, "said thread\nlibrary\n")
        assert ("ValueError: bug" in done.stderr) == (how == "bug")


def test_ctrl_c_in_compiled_code_is_no_bug() -> None:
    """Numba answers with a SystemError where an interrupt falls into what it compiled."""
    code = (
        "import os, signal\nfrom fnormal.cli import interrupt\n"
        "try:\n    with interrupt.taken_over():\n"
        "        try:\n            os.kill(os.getpid(), signal.SIGINT)\n"
        "        except KeyboardInterrupt as error:\n            raise SystemError from error\n"
        "except KeyboardInterrupt:\n    print('stopped')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")
