"""The commands new-template and check-template."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.errors import UserError
from agent.core.template import load_template
from agent.storage.workspace import Workspace

if TYPE_CHECKING:
    from agent.core.protocols import Sandbox
    from agent.lab.templating.flaw import Flaw

CODE = "its prepare.py, its evaluate.py and its trainings run here, in the sandbox"
PACKAGES = ", and the packages that its adapter.toml names are installed"
ELSEWHERE = "it lies outside of templates/, and --new-template did not make it there"


def new(args: argparse.Namespace, home: Path) -> int:
    from agent.lab.templating.new import new_template

    print(new_template(args.operand, home))
    return 0


def check(args: argparse.Namespace, home: Path, workspace: Workspace) -> int:
    from agent.app.choices import check_device
    from agent.app.names import adapter, template_folder
    from agent.lab.templating.check import check_template, report
    from agent.lab.templating.owned import is_own
    from agent.lab.templating.v1 import is_v1
    from agent.publishing.verify.trust import ask_for_trust, prepare_walled

    device = args.device or "cpu"
    check_device(device)
    folder = template_folder(args.operand, home, "--check-template")
    own = is_own(folder, home)
    if not own:
        ask_for_trust(args.operand, CODE + (PACKAGES if is_v1(folder) else ""), args.trust, ELSEWHERE)
    sandbox = _sandbox(args.unsafe_no_sandbox, own)
    prepare = None if own or is_v1(folder) else prepare_walled(sandbox)  # the adapter's prepare.py is ours
    if is_v1(folder):
        folder = adapter(workspace.root, sandbox.name != "none", device=device, ask=True)(folder)
    flaws = check_template(
        folder, workspace.cache, sandbox, print, profile=args.profile, device=device, prepare=prepare
    )
    return report([*flaws, *unprintable_letters(folder)], print)


def _sandbox(unsafe: bool, own: bool) -> Sandbox:
    """
    Raises:
        UserError: there is none for a template of somebody else.
    """
    from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox
    from agent.sandbox.probe import probe

    problems = [] if unsafe else list(probe())
    if problems and not own:
        raise UserError(f"sandbox: {problems[0]}; nothing of somebody else's template runs without one")
    if problems:
        print(f"  no sandbox here ({problems[0]}): its own code runs without walls")
    return NoSandbox() if unsafe or problems else BubblewrapSandbox()


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
