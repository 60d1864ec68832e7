"""`python -m agent.lab.jobs.slurm.look FOLDER DEVICE SANDBOX`: what a node can do, for the command doctor.

It leaves node.json in the folder: the node's name, its Python, and a line for each thing that would stop a training.
"""

from __future__ import annotations

import json
import platform
import socket
import sys
from pathlib import Path

from agent.lab.machine import device_in_words
from agent.sandbox.probe import probe
from agent.storage.atomic import write_text

FILE = "node.json"


def main(argv: list[str]) -> int:
    folder, device, sandbox = argv
    problems = [f"sandbox: {problem}" for problem in (probe() if sandbox == "bwrap" else [])]
    if device.startswith("cuda") and not Path("/dev/nvidiactl").exists():
        problems.append(f"device {device}: there is no NVIDIA driver; ask for another partition or gres with --slurm")
    try:
        import torch  # noqa: F401  # a node with an older C library cannot load what the login node can
    except (ImportError, OSError) as error:
        problems.append(f"Python: torch cannot be imported ({error}); set the checkout up on such a node")
    found = {
        "node": socket.gethostname(),
        "python": platform.python_version(),
        "device": device_in_words(device),
        "problems": problems,
    }
    write_text(Path(folder) / FILE, json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
