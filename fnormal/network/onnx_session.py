"""ONNX Runtime, opened in one place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fnormal.errors import FNormalError
from fnormal.files.opening import WEIGHTS, check_file, decoding, quiet_stderr

INSTALL = "pip install 'fnormal[onnx]'"


def open_session(path: Path, *, threads: int | None = None) -> Any:
    """An ONNX file in ONNX Runtime on the CPU.

    Its threads do not spin between calls: what decodes and writes pictures beside it needs the cores.

    Args:
        path: The file.
        threads: CPU threads; None leaves ONNX Runtime's own number.

    Raises:
        FNormalError: ONNX Runtime is not installed, or the file is missing or damaged.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise FNormalError(f"{path} needs ONNX Runtime: {INSTALL}") from error
    check_file(path, WEIGHTS)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its warnings are of its innards
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    with decoding(path, WEIGHTS), quiet_stderr():
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
