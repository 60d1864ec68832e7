"""What a person chose for a session, settled: what was given, else what the template and this machine suggest.

Everything else that is left out has its default from Options (core/options.py), which this page does not repeat.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from agent.core.errors import UserError
from agent.core.given import place_given, read_given, toml_given
from agent.core.ideas import Idea
from agent.core.manifest import Profile
from agent.core.nearest import did_you_mean
from agent.core.options import ROLES, Models, Options
from agent.core.slurm import wants_gpu
from agent.core.template import Template
from agent.lab.jobs.inventory import ALL, gpu_count

FIXED = ("template", "profile", "baselines", "executor", "after")  # what a session is about
SLOTS_PER_CORE = 8
RECORDED_WITH = "session.toml"  # of a recording's folder: the options that its words depend on
_SWITCHES = {"no_pdf": ("pdf", False), "allow_network": ("network", True), "unsafe_no_sandbox": ("sandbox", "none")}


def typed(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of Options that were typed, and no others; `models` holds the roles that have a name."""
    given = {name: getattr(args, name, None) for name in Options.model_fields}
    found = {name: value for name, value in given.items() if value is not None and value is not False}
    found |= {field: value for switch, (field, value) in _SWITCHES.items() if getattr(args, switch)}
    if named := {role: name for role in ROLES if (name := getattr(args, role) or args.model)}:
        found["models"] = named
    return found


def new_options(template: Template, idea: Idea | None, chosen: Mapping[str, Any]) -> Options:
    """The options of a new session; `chosen` holds fields of Options, `models` perhaps not all roles.

    Raises:
        UserError: a value is out of range, or no model is chosen and no recording is there.
    """
    chosen = _checked(chosen)
    manifest = template.manifest
    profile = chosen.get("profile", manifest.default_profile)
    if profile not in manifest.profiles:
        meant = did_you_mean(profile, manifest.profiles)
        raise UserError(f"--profile {profile}: {manifest.name} has {', '.join(manifest.profiles)}{meant}")
    models, playback = _players(chosen, template, idea)
    recorded = _recorded(playback)
    if chosen.get("executor") == "slurm":
        suggested = _on_a_cluster(manifest.profiles[profile], chosen.get("slurm") or {})
    else:
        device = chosen.get("device") or own_device()
        # on a GPU one: each training holds a copy of the language model while it is measured
        own = None if device == "cpu" else gpu_count(chosen.get("gpus", ALL))
        slots, threads = cores(chosen.get("slots") or own)
        suggested = {"device": device, "slots": slots, "threads": threads, "slurm": {}}
        chosen.pop("slurm", None)  # a default for other sessions
    settled = {
        "template": template.folder,
        "profile": profile,
        "models": models,
        "playback": playback,
        "baselines": _baselines(chosen.get("baselines") or recorded.get("baselines"), template, profile),
    }
    return _options({**suggested, **recorded, **chosen, **settled})


def changed_options(before: Options, chosen: Mapping[str, Any]) -> Options:
    """The options of a session that goes on: as before, but for what is chosen now.

    Raises:
        UserError: a value is out of range, or changes what the session is about.
    """
    for name in FIXED:
        if name in chosen:
            raise UserError(f"--{name} cannot change within a session; start a new one")
    chosen = _checked({"executor": before.executor, "device": before.device, **chosen})
    if chosen.get("slurm") and before.executor != "slurm":
        raise UserError("--slurm: this session runs without Slurm (--executor local)")
    values = {**before.__dict__, "stop_after": None, **chosen}  # a stop is asked for once: a plain resume goes on
    values["allow"] = (*before.allow, *(text for text in chosen.get("allow") or () if text not in before.allow))
    names = before.models.names() | dict(chosen.get("models") or {})
    if "playback" not in chosen and names != before.models.names():
        if "playback" in names.values():
            raise UserError("this session is played back: name a model for every role, e.g. --model MODEL")
        values["playback"] = None
    return _options({**values, "models": Models(**names)})


def value(name: str, given: Any) -> Any:
    """One field of Options alone: what is given, or its default.

    Raises:
        UserError: it is out of range.
    """
    field = Options.model_fields[name]
    if given is None:
        return field.default
    try:
        return TypeAdapter(Annotated[field.annotation, field]).validate_python(given, strict=True)
    except ValidationError as error:
        raise _refused(name, error) from None


def check_device(device: str) -> None:
    """Raises UserError for what names no device."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UserError(f"--device {device}: give cpu, cuda, or cuda:N with the number of a GPU")


def cores(slots: int | None = None) -> tuple[int, int]:
    """(trainings side by side, threads of each): one thread each measured fastest for small models on CPU."""
    there = len(os.sched_getaffinity(0))
    side_by_side = slots or there
    return side_by_side, max(1, there // side_by_side)


def own_device() -> str:
    """cuda where there is one. Asked of the driver's device files: importing torch takes seconds."""
    return "cuda" if Path("/dev/nvidiactl").exists() else "cpu"


# ---------------------------------------------------------------- inside


def _options(values: Mapping[str, Any]) -> Options:
    if values.get("playback") and (values.get("branches") or 1) != 1:
        raise UserError("--branches: a recording plays one run after the other; name a model with --model MODEL")
    try:
        return Options(**values)
    except ValidationError as error:
        raise _refused(str(error.errors()[0]["loc"][0]), error) from None


def _refused(name: str, error: ValidationError) -> UserError:
    """One line that says what may be given."""
    first = error.errors()[0]
    least, most = (
        next((getattr(rule, side) for rule in Options.model_fields[name].metadata if hasattr(rule, side)), None)
        for side in ("ge", "le")
    )
    mend = first["msg"].lower()
    if first["type"] in ("greater_than_equal", "less_than_equal"):
        mend = f"give {least} or more" if most is None else f"give {least} to {most}"
    return UserError(f"--{name.replace('_', '-')} {first['input']}: {mend}")


def _checked(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The same in the types of Options, with folders that hold from anywhere."""
    if isinstance(device := chosen.get("device"), str):
        check_device(device)
    most = SLOTS_PER_CORE * cores()[0]
    local = chosen.get("executor") != "slurm"
    chosen = {**chosen, **_of_gpus(chosen)} if local else chosen
    if local and isinstance(slots := chosen.get("slots"), int) and not 1 <= slots <= most:
        raise UserError(f"--slots {slots}: give 1 to {most}, which is {SLOTS_PER_CORE} for each CPU core here")
    if chosen.get("playback") and chosen.get("models"):
        raise UserError("--playback and --model do not go together")
    settled: dict[str, Callable[[Any], Any]] = {"allow": tuple, "playback": _recording, "paper_style": _paper_style}
    return {name: settled[name](given) if name in settled and given else given for name, given in chosen.items()}


def _of_gpus(chosen: Mapping[str, Any]) -> dict[str, str]:
    """cuda:1 is the GPU of that number and no other: a training sees its own as the only one."""
    device, gpus = chosen.get("device") or own_device(), chosen.get("gpus") or ALL
    number = device.partition(":")[2]
    if gpus != ALL and (device == "cpu" or number not in ("", gpus)):
        raise UserError(f"--gpus {gpus}: trainings run on {device}; say --device cuda with it")
    return {"device": "cuda", "gpus": number} if number else {}


def _on_a_cluster(profile: Profile, asked: Mapping[str, str]) -> dict[str, Any]:
    """All trainings of a run at once, as far as the queue lets them; a GPU where one is asked for."""
    cpus = asked.get("cpus-per-task", "")
    seeds = max(len(profile.seeds), profile.confirm_seeds)
    return {
        "device": "cuda" if wants_gpu(asked) else "cpu",
        "slots": seeds * len(profile.conditions),
        "threads": int(cpus) if cpus.isdecimal() and int(cpus) else 1,
    }


def _recording(folder: str) -> str:
    return str(place_given(folder, "--playback"))


def _paper_style(folder: str) -> str:
    """Looked at now, so that hours of training do not end at a missing file."""
    from paper.press.venue import read_style

    if left := read_style(Path(folder)).left_out:
        print(f"--paper-style {folder}: what its template.tex holds besides places and headings is left out: {left}")
    return str(Path(folder).resolve())


def _players(chosen: Mapping[str, Any], template: Template, idea: Idea | None) -> tuple[Models, str | None]:
    """Who plays the roles: models, or a recording by its folder."""
    named, playback = dict(chosen.get("models") or {}), chosen.get("playback")
    if named:
        if missing := [role for role in ROLES if role not in named]:
            raise UserError(f"no model for {', '.join(missing)}: name them, or one for all with --model MODEL")
        return Models(**named), None
    if chosen.get("after") and not playback:
        raise UserError("--after: a shipped recording knows no other session; name a model with --model MODEL")
    shipped = Path(template.folder) / "playback" / (idea.Name if idea else "")
    folder = Path(playback) if playback else shipped
    if idea is not None and not folder.is_dir():
        recorded = ", ".join(sorted(p.name for p in shipped.parent.glob("*"))) or "none"
        what = (
            f"--playback {folder}: no such folder"
            if playback
            else f"no model is chosen and idea {idea.Name} has no shipped recording (there is: {recorded})"
        )
        raise UserError(
            f"{what}; name a model, e.g. --model anthropic/claude-sonnet-4-5, or a folder of answers with --playback"
        )
    return Models(**dict.fromkeys(ROLES, "playback")), str(folder.resolve())


def _recorded(playback: str | None) -> dict[str, Any]:
    """The number of runs and the baselines that a recorded session was made with, where its folder says so; its words
    speak of these."""
    path = Path(playback or "", RECORDED_WITH)
    if not playback or not path.is_file():
        return {}
    given = toml_given(read_given(path), str(path))
    if not given.keys() <= {"runs", "baselines"} or not isinstance(given.get("baselines", ""), str):
        raise UserError(f'{path}: it holds lines such as runs = 5 and baselines = "topk,standard"')
    return given


def _baselines(wanted: str | Sequence[str] | None, template: Template, profile: str) -> tuple[str, ...]:
    """The names of the baselines: of a text such as "topk,gated" or "all", or of the names; else the profile's own."""
    names = [b.name for b in template.manifest.baselines]
    if not wanted:
        return template.manifest.profiles[profile].baselines or tuple(names)
    if wanted == "all":
        return tuple(names)
    split = wanted.split(",") if isinstance(wanted, str) else wanted
    given = tuple(part.strip() for part in split if part.strip())
    text = ",".join(split)
    if not given or not set(given) <= set(names):
        unknown = next((name for name in given if name not in names), "")
        meant = did_you_mean(unknown, names) if unknown else ""
        raise UserError(f"--baselines {text}: {template.manifest.name} has {', '.join(names)}, or all{meant}")
    if twice := next((name for name in given if given.count(name) > 1), None):
        raise UserError(f"--baselines {text}: {twice} is named twice; name each once")
    if given[0] != names[0]:
        raise UserError(f"--baselines {text}: the first must be {names[0]}, the code that the agent starts from")
    return given
