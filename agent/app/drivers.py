"""Does the NVIDIA driver serve this torch? Said in one line before a session starts, from texts alone."""

from __future__ import annotations

import re
import subprocess


def mismatch(torch_cuda: str | None, smi: str) -> str:
    """What does not match, and the mend; "" if nothing speaks against it. `smi` is nvidia-smi's table.

    Within one major version of CUDA a driver also serves newer minor versions.
    """
    if torch_cuda is None:
        return ""  # no torch: another library's affair
    if not torch_cuda:
        return (
            "torch is built for the CPU alone, and a CUDA device was asked for: install a CUDA build of torch, or "
            "use --device cpu"
        )
    found = re.search(r"CUDA Version:\s*(\d+)\.(\d+)", smi)
    if found is None:
        return ""
    if int(torch_cuda.split(".")[0]) > int(found[1]):
        return (
            f"torch is built for CUDA {torch_cuda}, the driver serves at most CUDA {found[1]}.{found[2]}: "
            f"install a torch built for CUDA {found[1]}, update the driver, or use --device cpu"
        )
    return ""


def nvidia_smi() -> str:
    """Its table; "" where it does not run."""
    try:
        return subprocess.run(["nvidia-smi"], capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
