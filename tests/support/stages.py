"""Sessions that stand before a kind of action. Each is played once in a run of tests, and tests continue copies of it.

The workers of pytest-xdist share them through a folder of the run: the first that needs one plays it, others wait.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from agent.actions import perform
from agent.session.policy import Action, next_action
from tests.support.scripted import Answer
from tests.support.whole import Script, Whole, in_known_worlds


@dataclass(frozen=True)
class Stages:
    """`folder` is the same for all workers of a run."""

    folder: Path

    @property
    def cache(self) -> Path:
        """A cache with worlds and baselines of the tiny template, which all sessions share."""
        made = self.folder / "cache"
        made.mkdir(exist_ok=True)
        in_known_worlds(made)
        return made

    def before(self, kind: type[Action] | None, **chosen: object) -> Path:
        """The workspace of a session with these options whose next action is of this kind; None: a finished session.

        Tests share it, so they copy it before they change anything.
        """
        named = kind.__name__ if kind else "Finished"
        digest = hashlib.sha256(repr(sorted(chosen.items())).encode()).hexdigest()[:8]
        root = self.folder / f"{named}-{digest}"
        done = root.with_suffix(".done")
        with FileLock(root.with_suffix(".lock")):
            if not done.exists():
                shutil.rmtree(root, ignore_errors=True)
                self._play(root, kind or type(None), chosen)
                done.touch()
        return root

    def _play(self, root: Path, kind: type, chosen: dict[str, object]) -> None:
        whole = Whole(root, cache=self.cache, **chosen)
        root.chmod(0o755)
        with whole.tools() as tools:
            while not isinstance(action := next_action(tools.session), kind):
                tools.journal.append(perform(action, tools))

    def copied(
        self,
        root: Path,
        kind: type[Action] | None,
        answers: Mapping[tuple[str, int] | str, Answer] | None = None,
        **chosen: object,
    ) -> Whole:
        """A copy of such a session in a workspace of its own, which a test may continue with these answers."""
        shutil.copytree(self.before(kind, **chosen), root, symlinks=True, dirs_exist_ok=True)
        whole = Whole(root, **chosen)
        whole.model.script = Script(whole.options.runs, answers)
        return whole
