"""Everything that can be known before the first token: what is missing, and what it will take."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent.app import saebench
from agent.app.console import compact
from agent.core.errors import UserError
from agent.core.options import Options
from agent.core.template import Template
from agent.core.writing import WRITING_ORDER
from agent.lab.saebench.environment import described
from agent.storage.cache import summary
from agent.storage.workspace import Workspace

if TYPE_CHECKING:
    from agent.app.assemble import System

FREE_GB = 2.0
TEX = ("latexmk", "pdflatex", "bibtex")
# What a session of this kind took, per call, in sessions that were measured; an estimate, not a promise.
TOKENS_IN, TOKENS_OUT = 6000, 900


def complaints(options: Options, template: Template, system: System, workspace: Path) -> list[str]:
    """One line for each thing that would stop the session: what, and how to mend it. All at once."""
    found = [*_model(options, system), *_sandbox(options)]
    if options.pdf:
        missing = [tool for tool in TEX if shutil.which(tool) is None]
        if missing:
            found.append(
                f"TeX: {', '.join(missing)} not found; install with: sudo apt-get install texlive-latex-extra "
                "texlive-fonts-recommended latexmk (or add --no-pdf)"
            )
    free = shutil.disk_usage(_existing(workspace)).free / 1e9
    if free < FREE_GB:
        found.append(
            f"disk: {free:.1f} GB free at {workspace}; {FREE_GB:g} GB are needed: make room, or choose "
            "another place with --workspace"
        )
    if options.device.startswith("cuda") and not Path("/dev/nvidiactl").exists():
        found.append(f"device {options.device}: no NVIDIA driver on this machine; use --device cpu")
    found += _environment(options, template, workspace)
    found += saebench.complaints(template.manifest.profiles[options.profile], options, Workspace(workspace).cache)
    if template.manifest.network and not options.network:
        found.append(
            f"template {template.manifest.name}: asks for network inside the sandbox; allow it with --allow-network"
        )
    return found


def estimate(options: Options, template: Template, system: System, cache: Path) -> str:
    """Calls, tokens, cost where the price is known, and trainings: lines for the console."""
    calls = _calls(options)
    profile = template.manifest.profiles[options.profile]
    seeds = (len(options.baselines) + options.runs) * len(profile.seeds) + 2 * profile.confirm_seeds
    trainings = seeds * len(profile.conditions)
    lines = [
        f"Estimate: about {calls} model calls, {compact(calls * (TOKENS_IN + TOKENS_OUT))} tokens, "
        f"{_price(options, calls)}; {trainings} trainings, {options.slots} side by side on {options.device}"
    ]
    lines.append(
        f"  of the calls {_judging(options)} judge the paper (--reviews {options.reviews}, --improve {options.improve})"
    )
    known = sorted((cache / "baselines").glob(f"{Path(options.template).name}-*.json"))
    if known:
        from agent.core.record import JobResult

        wall = JobResult.model_validate_json(known[-1].read_text()).wall_s
        lines.append(
            f"  a run trains for about {wall:.0f} s here (as a cached baseline did): "
            f"{options.runs * wall / 60:.0f} min for {options.runs} runs"
        )
    else:
        lines.append("  training time is not known yet: no baseline has run on this machine")
    return "\n".join(lines + saebench.announced(profile))


def report(found: list[str], options: Options, system: System, cache: Path) -> int:
    """--doctor: what holds here, what does not, and which limit is enforced by what."""
    from agent.sandbox.probe import limits_report

    print(f"python         {sys.version.split()[0]} ({sys.executable})")
    print(f"models         {', '.join(sorted(set(options.models.names().values())))}")
    print(f"sandbox        {system.sandbox.name}")
    for limit, means in limits_report().items():
        print(f"  {limit:<13}{means}")
    print(f"device         {options.device}, {options.slots} trainings side by side, {options.threads} thread(s) each")
    print(f"cache          {summary(cache)}, at most {options.cache_gb:g} GB")
    print(f"sae-bench      {described(cache)}")
    for complaint in found:
        print(f"mend           {complaint}")
    print("all well" if not found else f"{len(found)} to mend")
    return 2 if found else 0


def _calls(options: Options) -> int:
    writing = 3 * len(WRITING_ORDER) + 4
    literature = 3 + 1 + len(WRITING_ORDER) + (0 if options.skip_novelty else 2)
    return 1 + options.runs * 4 + writing + literature + 2 + _judging(options)


def _judging(options: Options) -> int:
    """The evidence reviewer, two sections mended, the ensemble and its chair; each revision writes and is reviewed."""
    again = options.improve * (len(WRITING_ORDER) + options.reviews + 1)
    return 1 + 2 + options.reviews + 1 + again


def _price(options: Options, calls: int) -> str:
    if options.playback:
        return "played back at no cost"
    from agent.llm.providers import price

    names = list(options.models.names().values())
    prices = [price(name) for name in names]
    if None in prices:
        return f"price of {names[prices.index(None)]} not known"
    each = [TOKENS_IN * p[0] + TOKENS_OUT * p[1] for p in prices]
    return f"about ${calls * sum(each) / len(each):.2f}"


def _model(options: Options, system: System) -> list[str]:
    if options.playback:
        folder = Path(options.playback)
        if not any(folder.rglob("*.md")):
            return [f"playback {folder}: holds no replies; name a folder with a recording, or a model with --model"]
        return []
    from agent.llm.litellm_model import LiteLLMModel
    from agent.llm.providers import check

    if not isinstance(system.model, LiteLLMModel):  # a caller's own
        return []
    found = [f"{problem}; {mend}" for problem, mend in check(options.models.names(), system.api_base)]
    return [*found, *_unpriced(options)]


def _unpriced(options: Options) -> list[str]:
    """A bound on money holds only for models whose price is known; one of ollama's costs none."""
    from agent.llm.providers import is_ollama, price

    names = sorted({name for name in options.models.names().values() if not is_ollama(name) and price(name) is None})
    if options.max_usd is None or not names:
        return []
    return [f"--max-usd: the price of {', '.join(names)} is not known, so the bound would not hold; use --max-tokens"]


def _sandbox(options: Options) -> list[str]:
    if options.sandbox == "none":
        return []
    from agent.sandbox.probe import probe

    return [f"sandbox: {problem} (or accept the risk with --unsafe-no-sandbox)" for problem in probe()]


def _environment(options: Options, template: Template, workspace: Path) -> list[str]:
    """The template's own Python is built here: what cannot be had is known before the first token."""
    from agent.app.drivers import mismatch, nvidia_smi
    from agent.lab.environment_probe import cuda_of_torch
    from agent.lab.environments import environment_of

    try:
        own = environment_of(template, Workspace(workspace).cache, print)
    except UserError as error:
        return [str(error)]
    if not options.device.startswith("cuda"):
        return []
    text = mismatch(own.cuda if own else cuda_of_torch(), nvidia_smi())
    return [f"device {options.device}: {text}"] if text else []


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
