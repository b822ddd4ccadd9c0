"""export: image-to-normals as ONNX or TorchScript."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fnormal.errors import FNormalError
from fnormal.files.naming import Guard, check_suffix, refuse_existing
from fnormal.network import exported
from fnormal.network.checkpoint import default_weights, load_weights
from fnormal.options.networks import Export, ExportFormat
from fnormal.progress import Progress

_SUFFIXES: dict[ExportFormat, tuple[str, ...]] = {"onnx": (".onnx",), "torchscript": (".pt", ".pth", ".ts")}


def export(options: Export) -> Iterator[Progress]:
    """Write the network for other runtimes.

    Raises:
        FNormalError: The weights cannot be read, a package is missing, or name and format disagree.
    """
    named = options.weights or default_weights()
    format = options.format or _format_of(options.out)
    out = options.out or Path(named.stem + _SUFFIXES[format][0])
    check_suffix(out, _SUFFIXES[format])
    Guard([named]).check([out])
    if options.out is None:
        refuse_existing([out])
    model, info = load_weights(named)
    write = exported.export_onnx if format == "onnx" else exported.export_torchscript
    if options.levels and not info.levels:
        raise FNormalError(f"--levels: {named} is shown pictures as they are; leave it out")
    angle_deg = write(model, info, out, levels=options.levels)
    yield Progress(
        says=f"{out}: within {angle_deg:.4f} degrees of the original, input {info.size_px} px",
        written=(out,),
    )


def _format_of(out: Path | None) -> ExportFormat:
    """What the name says; ONNX where there is none."""
    if out is None:
        return "onnx"
    for format, suffixes in _SUFFIXES.items():
        if out.suffix.lower() in suffixes:
            return format
    known = ", ".join(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)
    raise FNormalError(f"--out {out}: its ending says no format; use one of {known}, or give --format")
