"""Reads the trained artefact, a safetensors file: decoder and bias, checked. Nothing is unpickled or executed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.sandbox.harvest import one_line

if TYPE_CHECKING:
    import numpy as np

MAX_HEADER = 1 << 20  # bytes; the header of an SAE has a few hundred
LARGEST = 1e6  # no honest decoder weight or bias comes near it
INFERENCE = {"batchtopk": "jumprelu", "matryoshka": "jumprelu"}  # architectures that become another at inference


class BadArtefact(Exception):
    """The artefact cannot be measured; the text is for the agent."""


@dataclass(frozen=True)
class Artefact:
    """A linear decoder, with its rows scaled to unit length."""

    decoder: np.ndarray  # float64 [d_sae, d_out]; d_out is d_in unless there is a setting `d_out` (a transcoder)
    bias: np.ndarray  # float64 [d_out]
    scale: np.ndarray  # float64 [d_sae]: length of each row as it was saved; latents are multiplied by it


def read_artefact(path: Path, settings: dict[str, Any]) -> Artefact:
    """Read W_dec [d_sae, d_out] and b_dec [d_out] from a safetensors file; the settings give the sizes.

    Raises:
        BadArtefact: a tensor is missing, or has the wrong shape, type or value.
    """
    import numpy as np
    from safetensors import SafetensorError, safe_open

    check_header(path)
    try:
        with safe_open(path, framework="numpy") as file:
            names = set(file.keys())
            missing = {"W_dec", "b_dec"} - names
            if missing:
                raise BadArtefact(f"{path.name} lacks {_listed(missing)}; it holds {_listed(names)}")
            W_dec, b_dec = tensor(path, file, "W_dec"), tensor(path, file, "b_dec")
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise BadArtefact(f"{path.name} is not a readable safetensors file: {one_line(str(error), 300)}") from None
    d_sae, d_out = settings.get("d_sae"), settings.get("d_out", settings.get("d_in"))
    _check("W_dec", W_dec, (d_sae, d_out))
    _check("b_dec", b_dec, (d_out,))
    W_dec = W_dec.astype(np.float64)
    scale = np.linalg.norm(W_dec, axis=1)
    unit = W_dec / np.maximum(scale, 1e-12)[:, None]
    return Artefact(decoder=unit, bias=b_dec.astype(np.float64), scale=scale)


@dataclass(frozen=True)
class Stored:
    """The whole file, for a model whose tensors the runner does not interpret."""

    tensors: dict[str, np.ndarray]  # as they were saved; bfloat16 as float32
    dtypes: dict[str, str]  # as safetensors names them: "F32", "BF16", ...
    file_bytes: int


def read_tensors(path: Path) -> Stored:
    """Every tensor of a safetensors file.

    Raises:
        BadArtefact: it is not a safetensors file, or holds no tensor or a value that is not finite.
    """
    import numpy as np
    from safetensors import SafetensorError, safe_open

    check_header(path)
    try:
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
            tensors = {name: tensor(path, file, name) for name in names}
            dtypes = {name: str(file.get_slice(name).get_dtype()) for name in names}
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise BadArtefact(f"{path.name} is not a readable safetensors file: {one_line(str(error), 300)}") from None
    if not tensors:
        raise BadArtefact(f"{path.name} holds no tensor")
    for name, values in tensors.items():
        if not np.isfinite(values).all():
            raise BadArtefact(f"{one_line(name, 60)} holds NaN or infinite values")
    return Stored(tensors, dtypes, path.stat().st_size)


def tensor(path: Path, file: Any, name: str) -> np.ndarray:
    """One tensor of an open safetensors file; bfloat16, which numpy lacks, becomes float32.

    Raises:
        BadArtefact: the tensor has a type that numpy lacks.
    """
    import numpy as np

    kind = file.get_slice(name).get_dtype()
    if kind != "BF16":
        try:
            return file.get_tensor(name)
        except (TypeError, AttributeError):  # numpy lacks the type
            raise BadArtefact(
                f"{one_line(name, 60)} in {path.name} has type {kind}; save it as float32, float16 or bfloat16"
            ) from None
    shape = file.get_slice(name).get_shape()
    with open(path, "rb") as raw:
        length = int.from_bytes(raw.read(8), "little")
        start, end = json.loads(raw.read(length))[name]["data_offsets"]
        raw.seek(8 + length + start)
        upper = np.frombuffer(raw.read(end - start), dtype="<u2")
    return from_bfloat16(upper).reshape(shape)


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    """float32 values of bfloat16 bits (uint16), which are the upper half of a float32; nothing is lost."""
    return (bits.astype("<u4") << 16).view("<f4")


def check_header(path: Path) -> None:
    """Refuse a safetensors file with a large header: safetensors accepts 100 MB, which take many times that memory.

    Raises:
        BadArtefact: the header is longer than that of any model.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER:
        raise BadArtefact(
            f"{path.name} is not a readable safetensors file: a header of {length} bytes; at most "
            f"{MAX_HEADER} are allowed"
        )


def _check(name: str, tensor: np.ndarray, shape: tuple[int | None, ...]) -> None:
    import numpy as np

    wanted = f"[{', '.join('any' if n is None else str(n) for n in shape)}]"
    if tensor.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, tensor.shape, strict=True)):
        raise BadArtefact(f"{name} has shape {list(tensor.shape)}; {wanted} was expected")
    if not np.issubdtype(tensor.dtype, np.floating):
        raise BadArtefact(f"{name} has type {tensor.dtype}; a float type was expected")
    if not np.isfinite(tensor).all():
        raise BadArtefact(f"{name} holds NaN or infinite values")
    if np.abs(tensor).max(initial=0.0) > LARGEST:
        raise BadArtefact(f"{name} holds values beyond {LARGEST:g}")


def _listed(names: set[str]) -> str:
    shown = ", ".join(one_line(name, 60) for name in sorted(names)[:8]) or "nothing"
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
