"""From command-line arguments to Options; every default is decided here, once."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from agent.core.errors import UserError
from agent.core.ideas import Idea, find_idea
from agent.core.options import Models, Options
from agent.core.template import Template, load_template

DEFAULT_CACHE_GB = 50.0
ROLES = ("planner", "editor", "writer", "reviewer")


def template(name: str, home: Path, adapt: Callable[[Path], Path] | None = None) -> Template:
    """A template by name among the project's own, or by its folder; `adapt` makes one of another system's folder."""
    from agent.lab.templating.v1 import is_v1

    folder = template_folder(name, home)
    return load_template(adapt(folder) if adapt and is_v1(folder) else folder)


def idea(args: argparse.Namespace, home: Path) -> Idea:
    """The idea by its name, among those that lie in the template's folder too, or by its file."""
    from agent.lab.templating.v1 import ideas

    own = ideas(template_folder(args.template, home)) if args.template else []
    return next((one for one in own if one.Name == args.idea), None) or find_idea(args.idea, home / "ideas")


def adapter(workspace: Path, walls: bool = True) -> Callable[[Path], Path]:
    """Makes a template of an AI-Scientist v1 folder, in the workspace."""

    def make(folder: Path) -> Path:
        from agent.lab.templating.adapt import adapt
        from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox

        return adapt(folder, workspace, BubblewrapSandbox if walls else NoSandbox, print)

    return make


def template_folder(name: str, home: Path, option: str = "--template") -> Path:
    """Where a template lies, by its name among the project's own or by its folder."""
    folder = home / "templates" / name
    if not folder.is_dir():
        folder = Path(name)
    if not folder.is_dir():
        there = ", ".join(sorted(p.parent.name for p in (home / "templates").glob("*/manifest.toml")))
        raise UserError(f"{option} {name}: not found; there are {there}, or give a folder")
    return folder.resolve()


def load(chosen: Options) -> Template:
    """The template of a session, with the metrics of its profile."""
    from agent.lab.saebench.catalogue import at_profile

    return at_profile(load_template(Path(chosen.template)), chosen.profile)


def options(args: argparse.Namespace, home: Path, idea: Idea | None) -> Options:
    """The options of a new session.

    Raises:
        UserError: a value is out of range, or no model is chosen and no recording is there.
    """
    workspace = Path(args.workspace).resolve() if args.workspace else home / "workspace"
    chosen = template(args.template or "synth_sae", home, adapter(workspace, not args.unsafe_no_sandbox))
    manifest = chosen.manifest
    profile = args.profile or manifest.default_profile
    if profile not in manifest.profiles:
        raise UserError(f"--profile {profile}: {manifest.name} has {', '.join(manifest.profiles)}")
    models, playback = _models(args, chosen, idea)
    slots, threads = cores(args.slots)
    return checked(
        template=chosen.folder,
        profile=profile,
        models=models,
        playback=playback,
        runs=5 if args.runs is None else args.runs,
        attempts=4 if args.attempts is None else args.attempts,
        baselines=_baselines(args.baselines, chosen),
        device=args.device or own_device(),
        slots=slots,
        threads=threads,
        sandbox="none" if args.unsafe_no_sandbox else "bwrap",
        network=args.allow_network,
        stop_after=args.stop_after,
        pdf=not args.no_pdf,
        max_usd=args.max_usd,
        max_tokens=args.max_tokens,
        hours=args.hours,
        allow=tuple(args.allow or ()),
        skip_novelty=args.skip_novelty,
        literature=args.literature or "auto",
        paper_style=_paper_style(args.paper_style),
        reviews=3 if args.reviews is None else args.reviews,
        improve=args.improve or 0,
        cache_gb=DEFAULT_CACHE_GB if args.cache_gb is None else args.cache_gb,
    )


def changed(before: Options, args: argparse.Namespace) -> Options:
    """The options of a resumed session: as before, but for what was typed now.

    Raises:
        UserError: a value is out of range, or changes what the session is about.
    """
    for name in ("template", "profile", "baselines"):
        if getattr(args, name):
            raise UserError(f"--{name} cannot change within a session; start a new one")
    update = {
        name: getattr(args, name)
        for name in (
            "runs",
            "attempts",
            "device",
            "slots",
            "max_usd",
            "max_tokens",
            "hours",
            "reviews",
            "improve",
            "cache_gb",
        )
        if getattr(args, name) is not None
    }
    if args.literature:
        update["literature"] = args.literature
    if args.skip_novelty:
        update["skip_novelty"] = True
    update["stop_after"] = args.stop_after  # asked for once: a plain resume goes on
    if args.no_pdf:
        update["pdf"] = False
    if args.allow:
        update["allow"] = tuple(dict.fromkeys([*before.allow, *args.allow]))
    if args.paper_style:
        update["paper_style"] = _paper_style(args.paper_style)
    if args.unsafe_no_sandbox:
        update["sandbox"] = "none"
    if args.allow_network:
        update["network"] = True
    names = before.models.names()
    if args.model:
        names = dict.fromkeys(ROLES, args.model)
    names |= {role: getattr(args, role) for role in ROLES if getattr(args, role)}
    if args.playback:
        update["playback"] = str(Path(args.playback).resolve())
    elif names != before.models.names():
        if "playback" in names.values():
            raise UserError("this session is played back: name a model for every role, e.g. --model MODEL")
        update["playback"] = None
    return checked(**{**before.__dict__, **update, "models": Models(**names)})


def _paper_style(folder: str | None) -> str | None:
    """Looked at now, so that hours of training do not end at a missing file."""
    if folder is None:
        return None
    from paper.press.venue import read_style

    if left := read_style(Path(folder)).left_out:
        print(f"--paper-style {folder}: what its template.tex holds besides places and headings is left out: {left}")
    return str(Path(folder).resolve())


def checked(**values: object) -> Options:
    """Options of these values.

    Raises:
        UserError: one is out of range.
    """
    try:
        return Options(**values)
    except ValidationError as error:
        first = error.errors()[0]
        flag = str(first["loc"][0]).replace("_", "-")
        raise UserError(f"--{flag}: {first['msg'].lower()}, found {first['input']}") from None


def _models(args: argparse.Namespace, chosen: Template, idea: Idea | None) -> tuple[Models, str | None]:
    named = {role: getattr(args, role) or args.model for role in ROLES}
    if any(named.values()) and not args.playback:
        missing = [role for role, name in named.items() if not name]
        if missing:
            raise UserError(f"no model for {', '.join(missing)}: name them, or one for all with --model MODEL")
        return Models(**named), None
    if any(named.values()):
        raise UserError("--playback and --model do not go together")
    shipped = Path(chosen.folder) / "playback" / (idea.Name if idea else "")
    folder = Path(args.playback) if args.playback else shipped
    if idea is not None and not folder.is_dir():
        recorded = ", ".join(sorted(p.name for p in shipped.parent.glob("*"))) or "none"
        what = (
            f"--playback {folder}: no such folder"
            if args.playback
            else (f"no model is chosen and idea {idea.Name} has no shipped recording (there is: {recorded})")
        )
        raise UserError(f"{what}; name a model, e.g. --model anthropic/claude-sonnet-4-5")
    return Models(**dict.fromkeys(ROLES, "playback")), str(folder.resolve())


def _baselines(text: str | None, chosen: Template) -> tuple[str, ...]:
    names = [b.name for b in chosen.manifest.baselines]
    if not text:
        return tuple(names[:2])
    if text == "all":
        return tuple(names)
    wanted = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted:
        raise UserError(f"--baselines {text}: {chosen.manifest.name} has {', '.join(names)}, or all")
    if wanted[0] != names[0]:
        raise UserError(f"--baselines {text}: the first must be {names[0]}, the code that the agent starts from")
    return wanted


def cores(slots: int | None = None) -> tuple[int, int]:
    """(trainings side by side, threads of each): one thread each measured fastest for small models on CPU."""
    there = len(os.sched_getaffinity(0))
    side_by_side = slots or there
    return side_by_side, max(1, there // side_by_side)


def own_device() -> str:
    """cuda where there is one. Asked of the driver's device files: importing torch takes seconds."""
    return "cuda" if Path("/dev/nvidiactl").exists() else "cpu"
