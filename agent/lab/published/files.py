"""Reads single files of a published autoencoder, which may be hostile, within bounds. Runs inside the sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.lab.measuring.artefact import BadArtefact, check_header, read_tensors
from agent.lab.published.forms import Unreadable
from agent.sandbox.harvest import Unharvestable, one_line, parse_json

if TYPE_CHECKING:
    import numpy as np

LARGEST_CONFIG = 4 << 20  # bytes


def json_object(path: Path) -> dict[str, Any]:
    """
    Raises:
        Unreadable: the file holds no JSON object.
    """
    try:
        value = parse_json(path.read_bytes(), max_bytes=LARGEST_CONFIG)
    except Unharvestable as problem:
        raise Unreadable(f"{path.name}: {problem}") from None
    if not isinstance(value, dict):
        raise Unreadable(f"{path.name}: no JSON object")
    return value


def safetensors(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """The tensors of a safetensors file, and the architecture that its metadata name ("" if none).

    Raises:
        Unreadable: it cannot be read.
    """
    from safetensors import safe_open

    try:
        check_header(path)
        tensors = read_tensors(path).tensors
        with safe_open(path, framework="numpy") as file:
            return tensors, (file.metadata() or {}).get("architecture", "")
    except BadArtefact as bad:
        raise Unreadable(str(bad)) from None


def unpickled(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file that torch.save wrote. torch itself refuses a pickle that holds anything else.

    Raises:
        Unreadable: it cannot be read, or is no dictionary of tensors.
    """
    import torch

    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zipfile and torch raise many kinds
        why = "it asks for more than tensors, which could run code" if "eights" in str(error) else said(error)
        raise Unreadable(f"{path.name} is not read: {why}") from None
    if not isinstance(saved, dict) or not all(isinstance(value, torch.Tensor) for value in saved.values()):
        raise Unreadable(f"{path.name} is no dictionary of tensors")
    return {str(name): value.float().numpy() for name, value in saved.items()}


def said(error: BaseException) -> str:
    """An exception in one short line."""
    return one_line(str(error), 160) or type(error).__name__
