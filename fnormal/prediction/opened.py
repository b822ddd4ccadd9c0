"""The predictor that a command's options ask for."""

from __future__ import annotations

from pathlib import Path

from fnormal.network.device import free_cores, settled
from fnormal.options.shared import Compute
from fnormal.prediction.predictor import Predictor


def open_predictor(
    weights: Path | None, compute: Compute, *, mirror: bool = True, many: bool = False, fast: bool = False
) -> Predictor:
    """The predictor that a command's options ask for, on the free cores unless they say how many.

    With ``many`` pictures to come, two go through the network at a time on a CPU: the threads of one would
    wait for each other at the end of every layer. What OpenCV does beside it takes half of the threads.
    """
    threads = compute.threads or free_cores()
    device = settled(compute.device, threads)
    if many:
        import cv2

        cv2.setNumThreads(max(1, threads // 2))
    at_once = min(2, threads) if many and device == "cpu" else 1
    return Predictor(weights, device=device, threads=threads, mirror=mirror, at_once=at_once, fast=fast)
