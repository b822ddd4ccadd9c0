"""Where networks run: the device, and how many CPU threads."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from fnormal.errors import FNormalError

_NVIDIA = Path("/dev/nvidiactl")  # the driver's; without it torch sees no CUDA GPU


def settled(device: str, threads: int | None) -> str:
    """The device that ``auto`` stands for, without waking torch where no GPU can answer. Args: see below.

    Raises:
        FNormalError: See :func:`set_up`.
    """
    if device == "cpu" or (device == "auto" and sys.platform == "linux" and not _NVIDIA.exists()):
        return "cpu"
    return set_up(device, threads)


def set_up(device: str, threads: int | None) -> str:
    """Prepare torch for a command; the device that ``auto`` stands for, or the one that is named.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: CPU threads; None leaves torch's own number.

    Raises:
        FNormalError: An unknown device, or one that this machine lacks.
    """
    import torch

    from fnormal.network.memory import keep_freed_memory

    keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    match = re.fullmatch(r"cpu|cuda(?::(\d{1,4}))?", device)
    if match is None:
        raise FNormalError(f"unknown --device {device}; use auto, cpu, cuda or cuda:N")
    if device != "cpu" and not torch.cuda.is_available():
        raise FNormalError(f"--device {device}: torch sees no CUDA GPU; use --device cpu")
    if match[1] is not None and int(match[1]) >= torch.cuda.device_count():
        raise FNormalError(
            f"--device {device}: this machine has {torch.cuda.device_count()} GPUs, from cuda:0"
        )
    return device


def multiplies_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 itself, as far as torch tells: x86 alone is asked."""
    import torch

    asked: Callable[[], dict[str, object]] = getattr(torch.cpu, "get_capabilities", dict)  # of torch 2.10
    has = asked()
    return not has.get("avx2") or any(has.get(name) for name in ("avx512_bf16", "amx_bf16"))


def free_cores() -> int:
    """Cores of this process that nobody else uses: a thread without a core of its own slows the others.

    The load of the last minute and what runs at this moment must agree that a core is taken.
    """
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        words = Path("/proc/loadavg").read_text().split()
    except OSError:
        return mine
    taken = min(round(float(words[0])), int(words[3].split("/")[0]) - 1)
    return max(1, mine - max(0, taken))
