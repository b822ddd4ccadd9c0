"""Data files inside installed packages, found without importing them."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def package_path(package: str, *parts: str) -> Path | None:
    """A file or folder inside an installed package, found without importing it; None if it is missing."""
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(place, *parts)).exists():
            return path
    return None
