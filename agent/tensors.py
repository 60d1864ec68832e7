"""Reads a harvested safetensors file without trusting its header. No pickle, no foreign code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.harvest import Unharvestable, parse_json
from agent.schema import Strict

if TYPE_CHECKING:
    import numpy as np

_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_TENSORS_MAX = 4096


class Tensor(Strict):
    """One entry of the header."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def read_tensors(path: Path, *, max_bytes: int, max_header: int = 1 << 20) -> dict[str, np.ndarray]:
    """All tensors of a harvested safetensors file as finite float32 arrays.

    The header is checked against the file before a byte of data is believed; nothing is unpickled.

    Raises:
        Unharvestable: malformed, of another type, out of bounds, or with values that are not finite.
    """
    import numpy as np

    size = path.stat().st_size
    if size > max_bytes:
        raise Unharvestable(f"{size} bytes; at most {max_bytes} allowed")
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(max_header, size - 8):
            raise Unharvestable(f"a header of {length} bytes; at most {max_header}, within the file, allowed")
        tensors = _header(file.read(length), size - 8 - length)
        found = {}
        for name, tensor in tensors.items():
            file.seek(8 + length + tensor.data_offsets[0])
            raw = file.read(tensor.data_offsets[1] - tensor.data_offsets[0])
            found[name] = _array(raw, tensor)
            if not np.isfinite(found[name]).all():
                raise Unharvestable(f"{name} holds values that are NaN, infinite or beyond float32")
    return found


def _header(data: bytes, space: int) -> dict[str, Tensor]:
    header = parse_json(data, max_bytes=len(data), max_depth=4)
    if not isinstance(header, dict):
        raise Unharvestable("the header is no object")
    header.pop("__metadata__", None)
    if not 0 < len(header) <= _TENSORS_MAX:
        raise Unharvestable(f"{len(header)} tensors; 1 to {_TENSORS_MAX} allowed")
    found = {}
    covered = 0
    for name, entry in header.items():
        found[name] = _entry(name, entry, space)
        covered += found[name].data_offsets[1] - found[name].data_offsets[0]
    if covered > space:
        raise Unharvestable("tensors overlap")
    return found


def _entry(name: str, entry: Any, space: int) -> Tensor:
    try:
        tensor = Tensor.model_validate_json(json.dumps(entry))
    except ValueError:
        raise Unharvestable(f"{name[:60]!r}: a malformed header entry") from None
    start, end = tensor.data_offsets
    count = 1
    for length in tensor.shape:
        count *= length
    if tensor.dtype not in _SIZES:
        raise Unharvestable(f"{name[:60]!r} has type {tensor.dtype[:20]!r}, not one of {', '.join(_SIZES)}")
    if any(length < 0 for length in tensor.shape) or not 0 <= start <= end <= space:
        raise Unharvestable(f"{name[:60]!r} lies outside the file")
    if count * _SIZES[tensor.dtype] != end - start or len(tensor.shape) > 8:
        raise Unharvestable(f"{name[:60]!r}: shape {tensor.shape[:8]} does not fit its {end - start} bytes")
    return tensor


def _array(raw: bytes, tensor: Tensor) -> np.ndarray:
    import numpy as np

    if tensor.dtype == "BF16":  # the upper half of a float32
        values = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        with np.errstate(over="ignore"):
            values = np.frombuffer(raw, f"<f{_SIZES[tensor.dtype]}").astype(np.float32)
    return values.reshape(tensor.shape)
