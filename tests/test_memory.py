from __future__ import annotations

import platform
import subprocess
import sys

import pytest

COUNT = """
import resource, sys
import numpy as np
from fnormal.network.memory import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
for round in range(6):
    if round == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(1 << 24, np.float32)  # 64 MiB: 16384 pages
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's alone")
def test_kept_memory_has_no_faults() -> None:
    faults = {}
    for how in ("keep", "plain"):
        done = subprocess.run([sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=True)
        faults[how] = int(done.stdout)
    assert faults["keep"] < 500
    assert faults["plain"] > 20 * faults["keep"], "the test sees faults"
