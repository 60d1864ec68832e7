"""The commands new-template and check-template."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.errors import UserError
from agent.core.template import load_template
from agent.storage.workspace import Workspace

if TYPE_CHECKING:
    from agent.lab.templating.flaw import Flaw


def new(args: argparse.Namespace, home: Path) -> int:
    from agent.lab.templating.new import new_template

    print(new_template(args.operand, home))
    return 0


def check(args: argparse.Namespace, home: Path, workspace: Workspace) -> int:
    from agent.app.choices import check_device
    from agent.app.names import adapter, template_folder
    from agent.lab.templating.check import check_template, report
    from agent.lab.templating.v1 import is_v1
    from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox
    from agent.sandbox.probe import probe

    device = args.device or "cpu"
    check_device(device)
    folder = template_folder(args.operand, home, "--check-template")
    if is_v1(folder):
        folder = adapter(workspace.root, not args.unsafe_no_sandbox)(folder)
    walls = not args.unsafe_no_sandbox
    if walls and (problems := list(probe())):
        walls = False
        print(f"  no sandbox here ({problems[0]}): its own code runs without walls")
    flaws = check_template(
        folder,
        workspace.cache,
        BubblewrapSandbox() if walls else NoSandbox(),
        print,
        profile=args.profile,
        device=device,
    )
    return report([*flaws, *unprintable_letters(folder)], print)


def unprintable_letters(folder: Path) -> list[Flaw]:
    """Characters of a manifest that a paper prints as their number, since no font here has them."""
    from agent.lab.templating.flaw import Flaw
    from paper.press.glyphs import unprintable

    try:
        words = load_template(folder).manifest.model_dump_json()
    except UserError:  # the check has said so
        return []
    mend = "write it in another way; Han, kana and hangul need Debian's fonts-droid-fallback"
    return [
        Flaw("unprintable", "manifest.toml", f"{name} is in no font that papers have", mend)
        for name in unprintable(words)
    ]
