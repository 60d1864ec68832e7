"""The questions about an AI-Scientist v1 folder that only a person can answer, as lines for its adapter.toml.

They are about metrics, the metric that runs are compared by, and missing packages. `--check-template` writes them into
the file, and changes no line that is there already.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import UserError
from agent.core.program import TYPED
from agent.lab.templating.directions import direction
from agent.storage.atomic import write_text

ADAPTER = "adapter.toml"
OPEN = "?"  # stands in the place of an answer
HEAD = f"""\
# What the form of the AI-Scientist does not say of this template. --check-template wrote these lines, partly by names:
# correct them, put an answer in the place of each "{OPEN}", and run the check again.
"""
HOW = f"""\
# better: "higher", "lower", or "target" with target = NUMBER. A number with "{OPEN}" is reported without a direction.
# low = NUMBER and high = NUMBER are bounds that no true value passes.
"""
# Packages whose name is not that of their module.
PACKAGES = {
    "cv2": "opencv-python-headless",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "bs4": "beautifulsoup4",
    "mace": "mace-torch",
    "dotenv": "python-dotenv",
}


class Asked(UserError):
    """A template cannot be used before a person has answered; `draft` holds the questions."""

    def __init__(self, folder: Path, what: str, draft: Draft) -> None:
        super().__init__(f"{folder}: {what}; {TYPED} --check-template {folder} writes the questions into {ADAPTER}")
        self.folder, self.what, self.draft = folder, what, draft


@dataclass(frozen=True)
class Draft:
    """Lines for adapter.toml: `first` go before its first table, `last` to its end."""

    first: str = ""
    last: str = ""

    def text(self, before: str) -> str:
        """The file with these lines added to what stood there."""
        return "\n".join(part for part in ("" if before else HEAD, self.first, before, self.last) if part)


def write(asked: Asked) -> UserError:
    """Write the questions into the folder's adapter.toml; returns an error that says so in one line."""
    path = asked.folder / ADAPTER
    before = path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    try:
        write_text(path, asked.draft.text(before))
    except OSError as error:
        lines = asked.draft.text(before)
        return UserError(
            f"{asked.folder}: {asked.what}; {path} cannot be written ({error.strerror}); put there:\n{lines}"
        )
    added = asked.draft != Draft()
    done = f"added what is asked to the lines of {path}" if before else f"wrote {path} for you"
    what = f"{done}: go through it" if added else f"answer what {path} asks"
    return UserError(f"{asked.folder}: {asked.what}; {what}, then run the same command again")


def of_packages(missing: Mapping[str, Sequence[str]], requirements: bool) -> Draft:
    """Lines about missing modules; `requirements`: the folder has a requirements.txt.

    `missing` maps each module to the places that import it.
    """
    where = "".join(f"# {module} is imported by {', '.join(places[:3])}\n" for module, places in missing.items())
    named = "requirements.txt" if requirements else sorted(PACKAGES.get(name, name) for name in missing)
    return Draft(
        last=f"{where}# A package may be called otherwise than its module: check each name before it is installed.\n"
        f"[environment]\nrequirements = {json.dumps(named)}\n"
        "extend = true  # on top of the runner's own packages (torch, numpy, matplotlib, ...)\n"
    )


def of_metrics(reported: Mapping[str, str], *, known: bool, primary: bool) -> Draft:
    """Lines about the reported numbers: their better direction, and which one runs are compared by.

    Args:
        reported: each number, and its name without the data set that it ends in.
        known: the file says the directions already.
        primary: the file asks already which one runs are compared by.
    """
    names: dict[str, list[str]] = {}
    for name, base in reported.items():
        names.setdefault(base, []).append(name)
    tables = ""
    for base, some in names.items():
        of = f"  # of {', '.join(some)}" if len(some) > 1 else ""
        tables += f'\n[metrics.{base}]{of}\nbetter = "{direction(base) or OPEN}"\n'
    choice = textwrap.fill(", ".join(reported), 118, initial_indent="# ", subsequent_indent="# ")
    first = f'primary = "{OPEN}"  # runs are compared by this number, one of:\n{choice}\n'
    return Draft("" if primary else first, "" if known else HOW + tables)
