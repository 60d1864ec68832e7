"""The [command] of a manifest: a template that trains by a command line, as a researcher's repository does."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from pydantic import model_validator

from agent.core.schema import Strict

# What the runner fills in besides the settings. The command also gets each value as an environment variable.
GIVEN = {
    "seed": "SEED",  # the training's seed, a whole number
    "out": "OUT_DIR",  # an empty folder for what the training leaves
    "data": "DATA_DIR",  # the folder that prepare.py wrote, read-only
    "device": "DEVICE",  # cpu, cuda or cuda:1
    "threads": "THREADS",  # how many threads a training may use
    "condition": "CONDITION",  # the condition's name
}
_PLACE = re.compile(r"(?<![$\\])\{([a-z_][a-z0-9_]*)\}")
_RESULT_PART = re.compile(r"(?!\.\.?\Z)[A-Za-z0-9_*?][A-Za-z0-9_.+=@ *?-]{0,127}")
_FOLDER_PART = re.compile(r"(?!\.\.?\Z)[A-Za-z0-9_][A-Za-z0-9_.+=@ -]{0,127}")
FORMS = (".json", ".jsonl", ".csv", ".tsv")


class CommandSpec(Strict):
    """The command, the folder of the template in which it runs, and the file that holds its results."""

    run: str  # a line for bash; {seed}, {out}, {data} and names of settings are filled in
    folder: str = ""  # "": the template's own folder
    results: str = "{out}/final_info.json"  # relative to `folder`; * and ? match what changes from run to run

    @model_validator(mode="after")
    def _can_be_run(self) -> CommandSpec:
        if not self.run.strip() or "\n" in self.run or "\0" in self.run:
            raise ValueError("command.run: give one line, e.g. python train.py --seed {seed}")
        if self.folder and not all(_FOLDER_PART.fullmatch(part) for part in self.folder.split("/")):
            raise ValueError(f"command.folder = {self.folder!r}: give a folder of the template by its plain name")
        parts = self.results.removeprefix("{out}/").replace("{seed}", "0").split("/")
        if not all(_RESULT_PART.fullmatch(part) for part in parts):
            raise ValueError(
                f"command.results = {self.results!r}: give a path below command.folder, or below {{out}}, e.g. "
                "runs/*/metrics.csv"
            )
        if not self.results.endswith(FORMS) and "tfevents" not in self.results:
            raise ValueError(
                f"command.results = {self.results!r}: it is none of {', '.join(FORMS)} and events.out.tfevents.*"
            )
        return self

    def places(self) -> set[str]:
        """The names that stand in braces in the command line."""
        return set(_PLACE.findall(self.run))

    def filled(self, values: Mapping[str, object]) -> str:
        """The line for bash; each value is quoted, so that it is one word of the line."""
        return _PLACE.sub(lambda match: shlex.quote(_text(values[match[1]])), self.run)

    @property
    def in_out(self) -> bool:
        """Whether the results lie in the folder {out}."""
        return self.results.startswith("{out}/")

    def pattern(self, seed: int) -> str:
        """The path pattern of one training's results, relative to {out} if they lie there, else to the folder."""
        return self.results.removeprefix("{out}/").replace("{seed}", str(seed))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
