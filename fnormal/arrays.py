"""Names for the kinds of arrays that fnormal passes around."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

F32: TypeAlias = npt.NDArray[np.float32]
F64: TypeAlias = npt.NDArray[np.float64]
I32: TypeAlias = npt.NDArray[np.int32]
U8: TypeAlias = npt.NDArray[np.uint8]  # pictures: RGB [H, W, 3]
U16: TypeAlias = npt.NDArray[np.uint16]
Bools: TypeAlias = npt.NDArray[np.bool_]  # masks: True on the face
Floats: TypeAlias = npt.NDArray[np.floating[Any]]  # of any precision
Array: TypeAlias = npt.NDArray[Any]
