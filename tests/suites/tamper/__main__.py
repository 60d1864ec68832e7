"""Tries every kind of tampering and prints what --verify says; exit status 1 if one passes without a word."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import UserError
from agent.publishing.verify.audits import closing
from agent.publishing.verify.command import examine, find
from agent.publishing.verify.rendering import Makers
from agent.publishing.verify.subject import Report
from agent.storage.signing import SigningKey, own_signer
from agent.storage.workspace import Workspace
from paper.evidence.facts import record_sha256
from paper.pictures.figures import standard_figures
from tests.suites.tamper.kinds import KINDS, Kind, Place
from tests.support.frozen import git
from tests.support.whole import Script, Whole

NOWHERE = Workspace(Path("/nonexistent"))


@dataclass(frozen=True)
class Row:
    kind: str
    found: str  # what was said; "" for a tampering that passed without a word

    @property
    def passed(self) -> bool:
        return not self.found


class Stage:
    """One session, signed; each attack gets a clone and a copy of its own."""

    def __init__(self, root: Path) -> None:
        self.root, self._drawn = root, {}
        script = Script(2, {"run-1.edit-1": "I would rather not."})
        self.whole = Whole(root / "workspace", script, runs=2, attempts=1, baselines=("topk",))
        assert self.whole.play().finished
        self.forger = _another_key()

    def place(self, number: int) -> Place:
        folder = self.root / f"attack-{number}"
        shutil.copytree(self.whole.paths.root, folder / "session", ignore=shutil.ignore_patterns("runs", "scratch"))
        git(folder, "clone", "-q", "--no-hardlinks", folder / "session/repo", folder / "clone")
        return Place(folder / "clone", folder / "session", own_signer(), self.forger)

    def said(self, path: Path) -> tuple[list[str], str]:
        """Problems, and the closing sentence."""
        report = Report()
        try:
            signed = examine(find(str(path), NOWHERE), report, Makers(lambda folder: None, self._draw))
        except UserError as error:
            return [str(error)], ""
        return [f"{p.where}: {p.what}" for p in report.problems], closing(signed)

    def _draw(self, facts, folder):
        key = tuple(map(record_sha256, facts.records)) + (repr(facts.manifest),)
        if key not in self._drawn:
            self._drawn[key] = standard_figures(facts, self.root / f"drawn-{len(self._drawn)}")
        return self._drawn[key]


def _another_key() -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return SigningKey(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def tried(stage: Stage, number: int, kind: Kind) -> Row:
    """One kind: NOT VERIFIED, or named in the closing sentence."""
    problems, last = stage.said(kind.attack(stage.place(number)))
    if kind.named:
        return Row(kind.name, f"not covered, and said: {kind.named}" if not problems and kind.named in last else "")
    return Row(kind.name, f"NOT VERIFIED: {problems[0]}" if problems else "")


def rows(stage: Stage, kinds: tuple[Kind, ...] = KINDS) -> Iterator[Row]:
    for number, kind in enumerate(kinds):
        yield tried(stage, number, kind)


def main() -> int:
    only = " ".join(sys.argv[1:])  # kinds whose name holds this
    with tempfile.TemporaryDirectory(prefix="tamper-") as folder:
        stage, found = Stage(Path(folder)), []
        for row in rows(stage, tuple(kind for kind in KINDS if only in kind.name)):
            found.append(row)
            print(f"{'PASSED ' if row.passed else ''}{row.kind} | {row.found[:160]}", flush=True)
    passed = sum(row.passed for row in found)
    print(f"{len(found)} kinds of tampering, {passed} passed without a word")
    return 1 if passed else 0


if __name__ == "__main__":
    sys.exit(main())
