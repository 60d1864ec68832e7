"""Finds what would stop a session before it costs a token. Not here: what a session will take (estimate.py)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent.app import saebench
from agent.core.errors import UserError
from agent.core.options import Options
from agent.core.template import Template
from agent.lab.jobs.inventory import ALL, Gpu, of_this_machine
from agent.storage.workspace import Workspace

if TYPE_CHECKING:
    from agent.app.assemble import System

FREE_GB = 2.0  # disk without which no session starts
SLURM = ("sbatch", "squeue", "scancel", "scontrol")
TEX = ("latexmk", "pdflatex", "bibtex")


def complaints(
    options: Options, template: Template, system: System, workspace: Workspace, *, keys: bool = True
) -> list[str]:
    """One line for each thing that would stop the session: what it is, and how to fix it.

    Without `keys` a provider's missing key is none of them.
    """
    found = [*_model(options, system, keys), *_sandbox(options)]
    if options.pdf:
        missing = [tool for tool in TEX if shutil.which(tool) is None]
        if missing:
            found.append(
                f"TeX: {', '.join(missing)} not found; install with: sudo apt-get install texlive-latex-extra "
                "texlive-fonts-recommended latexmk (or add --no-pdf)"
            )
    place = existing(workspace.root)
    if not os.access(place, os.W_OK | os.X_OK):
        found.append(f"disk: this user may not write to {place}; choose another place with --workspace")
    free = shutil.disk_usage(place).free / 1e9
    if free < FREE_GB:
        found.append(
            f"disk: {free:.1f} GB free at {workspace.root}; {FREE_GB:g} GB are needed: make room, or choose "
            "another place with --workspace"
        )
    if options.executor == "slurm":
        found += _slurm()
    elif options.device.startswith("cuda") and not Path("/dev/nvidiactl").exists():
        found.append(f"device {options.device}: no NVIDIA driver on this machine; use --device cpu")
    elif options.device.startswith("cuda"):
        found += _hidden_gpus(options.gpus, of_this_machine(gpus=True).gpus)
    found += _environment(options, template, workspace)
    found += saebench.complaints(template.manifest.profiles[options.profile], options, workspace.cache)
    if template.manifest.network and not options.network:
        found.append(
            f"template {template.manifest.name}: asks for network inside the sandbox; allow it with --allow-network"
        )
    return found


def _model(options: Options, system: System, keys: bool) -> list[str]:
    if options.playback:
        folder = Path(options.playback)
        if not any(folder.rglob("*.md")):
            return [f"playback {folder}: holds no replies; name a folder with a recording, or a model with --model"]
        return []
    from agent.llm.litellm_model import LiteLLMModel
    from agent.llm.names import check

    if not isinstance(system.model, LiteLLMModel):  # a caller's own
        return []
    found = check(options.models.names(), options.api_base, keys=keys)
    if options.fallback:  # it may be asked at another server
        found += check({"fallback": options.fallback}, system.model.base_of(options.fallback), keys=keys)
    return [*(f"{problem}; {mend}" for problem, mend in found), *_unpriced(options)]


def asked(options: Options, system: System) -> list[str]:
    """Sends each model one tiny request; returns one line for each that does not answer. A recording is not asked."""
    from agent.llm.litellm_model import LiteLLMModel

    if options.playback or not isinstance(system.model, LiteLLMModel):
        return []
    return [told for name in models_of(options) if (told := system.model.try_out(name))]


def models_of(options: Options) -> list[str]:
    """The name of every model that may be asked, each once."""
    return sorted({*options.models.names().values(), *([options.fallback] if options.fallback else [])})


def _unpriced(options: Options) -> list[str]:
    """A complaint if --max-usd is set and the price of a model is not known, since the bound could not hold."""
    from agent.app.assemble import stated_of
    from agent.llm.providers import is_priced

    names = [name for name in models_of(options) if not is_priced(name, stated_of(options))]
    if options.max_usd is None or not names:
        return []
    return [
        f"--max-usd: the price of {', '.join(names)} is not known, so the bound would not hold; state it with "
        "--price IN,OUT (US dollars for a million tokens), or use --max-tokens"
    ]


def _slurm() -> list[str]:
    missing = [tool for tool in SLURM if shutil.which(tool) is None]
    if not missing:
        return []
    return [f"Slurm: {', '.join(missing)} not found here; start on a login node, or use --executor local"]


def _hidden_gpus(gpus: str, there: Sequence[Gpu]) -> list[str]:
    """A complaint if --gpus names GPUs that this machine does not have or does not show to this user."""
    names = [gpu.name for gpu in there]
    missing = [] if gpus == ALL else [name for name in gpus.split(",") if name not in names]
    if not missing:
        return []
    return [f"--gpus {gpus}: GPU {', '.join(missing)} is not visible here; there is {', '.join(names) or 'none'}"]


def _sandbox(options: Options) -> list[str]:
    if options.sandbox == "none":
        return []
    from agent.sandbox.probe import probe

    return [f"sandbox: {problem} (or accept the risk with --unsafe-no-sandbox)" for problem in probe()]


def _environment(options: Options, template: Template, workspace: Workspace) -> list[str]:
    """Builds the template's own Python, if it has one; a complaint if that fails or its torch cannot use the GPU."""
    from agent.lab.environment_probe import cuda_of_torch
    from agent.lab.environments import environment_of

    try:
        own = environment_of(template, workspace.cache, print)
    except UserError as error:
        return [str(error)]
    if not options.device.startswith("cuda") or options.executor == "slurm":  # the driver is on the nodes
        return []
    text = mismatch(own.cuda if own else cuda_of_torch(), nvidia_smi())
    return [f"device {options.device}: {text}"] if text else []


def mismatch(torch_cuda: str | None, smi: str) -> str:
    """Why the NVIDIA driver does not support this torch, and how to fix it; "" if nothing is known to be wrong.

    Args:
        torch_cuda: the CUDA version that torch was built for; "" for a CPU build, None if there is no torch.
        smi: the table that nvidia-smi prints. Within one major version of CUDA a driver supports all minor versions.
    """
    if torch_cuda is None:
        return ""  # another library uses the GPU, and checks it
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
    """What nvidia-smi prints; "" if it does not run."""
    try:
        return subprocess.run(["nvidia-smi"], capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def existing(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    while not path.exists():
        path = path.parent
    return path
