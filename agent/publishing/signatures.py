"""Signed statements in a session's repository: about each record, each paper and the session's end, one file each.

A statement names by sha256 the files that its commit adds, the parent of that commit (and with it the whole history),
and the newest line of the session's log. Anybody who has the repository can check it (verify/signed.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from agent.core.protocols import Signer
from agent.core.schema import Strict
from agent.session.tools import Tools
from agent.storage.atomic import write_text
from agent.storage.signing import fingerprint, holds

FOLDER = "signatures"
RECORDS = f"{FOLDER}/records"
PAPER, END = f"{FOLDER}/paper.json", f"{FOLDER}/session.json"
SIGNED_COMMIT = "signed"  # the beginning of the tag that signs a session's last commit
PURPOSE, COMMIT = "statement", "commit"


class Statement(Strict):
    """One signed statement."""

    session: str  # the session's name
    first: str  # the session's first commit, which no other session has
    on: str  # the parent of the commit that adds the statement
    files: dict[str, str]  # sha256 by path
    lines: int  # number of lines of the session's log
    log: str  # hash of the last of these lines
    key: str  # public, in hex
    signature: str = ""

    @property
    def text(self) -> bytes:
        """The bytes that are signed."""
        return json.dumps(self.model_dump(exclude={"signature"}), sort_keys=True, separators=(",", ":")).encode()

    @property
    def holds(self) -> bool:
        """Whether the owner of the key signed this."""
        return holds(self.key, self.signature, PURPOSE, self.text)

    def signed(self, signer: Signer) -> Statement:
        """The same statement with the signer's signature."""
        return self.model_copy(update={"signature": signer.sign(PURPOSE, self.text)})


_KIND = (
    "ed25519-"  # stands before the signature, because one in 64 begins with a hyphen, which a name of a tag must not
)


def commit_tag(signer: Signer, commit: str) -> str:
    """The name of the tag that signs a session's last commit. It is a tag because a commit cannot contain its own
    id."""
    return f"{SIGNED_COMMIT}/{signer.public}/{_KIND}{signer.sign(COMMIT, commit.encode())}"


def signs_commit(tag: str, commit: str) -> str:
    """The public key whose owner signed this commit by this tag; "" if the tag signs nothing or another commit."""
    kind, _, rest = tag.partition("/")
    key, _, signature = rest.partition("/")
    signature = signature.removeprefix(_KIND)
    return key if kind == SIGNED_COMMIT and holds(key, signature, COMMIT, commit.encode()) else ""


def record_statement(run: str) -> str:
    """The path of the statement about a run's record."""
    return f"{RECORDS}/{run}.json"


def commit_signed(
    tools: Tools, statement: str, about: Sequence[str], files: Sequence[str], subject: str, trailers: dict[str, str]
) -> str:
    """Commit `files` together with a signed statement about some of them (`about`); returns the commit.

    If an earlier, interrupted process made this commit already, it is found by its trailers, and its own statement is
    restored, because the one written here names a later line of the log.
    """
    repo, on = tools.paths.repo, tools.versions.base(trailers)
    lines, log = tools.journal.log.head()
    said = Statement(
        session=tools.session.session,
        first=tools.session.first_commit or "",
        on=on,
        files={name: hashlib.sha256((repo / name).read_bytes()).hexdigest() for name in about},
        lines=lines,
        log=log,
        key=tools.signer.public,
    ).signed(tools.signer)
    write_text(repo / statement, said.model_dump_json(indent=1) + "\n")
    commit = tools.versions.commit([*files, statement], subject, trailers)
    tools.versions.restore(commit, [statement])
    return commit


def signers(repo: Path, own: str) -> str:
    """The fingerprints of all keys that signed statements in a work tree and of our own, for paper and session.json."""
    keys = [Statement.model_validate_json(path.read_bytes()).key for path in sorted((repo / FOLDER).rglob("*.json"))]
    return ", ".join(sorted({fingerprint(key) for key in (*keys, own)}))
