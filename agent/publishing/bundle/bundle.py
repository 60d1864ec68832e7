"""Makes one archive of a session: paper, LaTeX, figures with their data, records, review, repository and log.

Files of the repository are taken from its last commit, not from the work tree. The same session gives the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from agent.core.errors import UserError
from agent.core.paths import SessionPaths
from agent.core.program import OURS
from agent.llm.prompting import render
from agent.publishing.bundle.secrets import Stripper, keys_in
from agent.publishing.bundle.tables import figure_csv
from agent.publishing.verify.subject import Material, Unreadable, committed, read_material
from agent.session.session import Session
from agent.storage import foreign
from agent.storage.git_reader import BrokenRepository, GitReader
from agent.storage.locks import reading_lock
from agent.storage.temporary import TemporaryFolder
from agent.storage.workspace import Workspace, read_session
from paper.press.compile import INPUTS, compile_pdf


def bundle(name: str, workspace: Workspace, out: Path, page: Callable[[SessionPaths], bytes]) -> int:
    """Write the archive into the folder `out` and print its path; returns the exit status.

    `page` makes the session's page for a browser.

    Raises:
        UserError: no such session, no paper yet, a key in its repository, or `out` cannot be written to.
        InfrastructureError: git or TeX does not run.
    """
    paths = workspace.find(name)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: {error.strerror}; name another folder with --out") from None
    with reading_lock(paths.lock):
        session = read_session(paths)
        members = _members(paths, workspace, session, page)
    target = out / f"{paths.root.name}.tar.gz"
    try:
        _write(target, paths.root.name, members, int(session.last_at))
    except OSError as error:
        raise UserError(f"{target}: {error.strerror}; name another place with --out") from None
    print(f"{target} ({target.stat().st_size / 1e6:.1f} MB, {len(members)} files; its README.txt explains each part)")
    return 0


def _members(
    paths: SessionPaths, workspace: Workspace, session: Session, page: Callable[[SessionPaths], bytes]
) -> dict[str, bytes]:
    """Every file of the archive by its name inside it."""
    repo = GitReader(paths.repo / ".git")
    try:
        files = repo.files(repo.head)
        if "paper/paper.tex" not in files:
            raise UserError(f"{paths.root.name}: has no paper yet; go on with --resume {paths.root.name}")
        material = read_material(repo, files)
        if held := list(keys_in(repo.all_blobs())):
            raise UserError(
                f"{paths.root.name}: its repository holds what looks like a key, in {', '.join(held[:3])}: "
                "no archive is made; replace the key at its provider"
            )
        members = _committed(repo, files)
        members |= _figures(repo, material)
        members["repository.bundle"] = repo.bundle()
    except (BrokenRepository, Unreadable) as broken:
        raise UserError(f"{paths.root.name}: {broken}; see --verify {paths.root.name}") from None
    bbl = _bibliography(members)
    members |= {"tex/paper.bbl": bbl} if bbl else {}
    members |= _log(paths, Stripper({workspace.root: "[workspace]", **OURS}))
    members["page.html"] = page(paths)
    readme = render(
        "handover_readme",
        session=session,
        folder=paths.root.name,
        members=sorted(members),
        bbl=bool(bbl),
        finished=session.finished,
        head=repo.head,
    )
    members["verify.sh"] = render("handover_verify").encode()
    members["README.txt"] = readme.encode()
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(members.items()))
    return members | {"SHA256SUMS": sums.encode()}


def _committed(repo: GitReader, files: dict[str, str]) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    for name in files:
        path = PurePosixPath(name)
        if path.parts[0] in ("records", "review") or name == "notes.txt":
            members[name] = committed(repo, name)
        elif name == "paper/paper.pdf":
            members["paper.pdf"] = committed(repo, name)
        elif str(path.parent) == "paper" and path.suffix in INPUTS:
            members[f"tex/{path.name}"] = committed(repo, name)
    return members


def _figures(repo: GitReader, material: Material) -> dict[str, bytes]:
    records, members = list(material.records.values()), {}
    for figure in material.account.figures:
        members[f"figures/{figure.name}{PurePosixPath(figure.file).suffix}"] = repo.blob(repo.head, figure.file) or b""
        members[f"figures/{figure.name}.csv"] = figure_csv(figure, records, material.manifest).encode()
    return members


def _bibliography(members: dict[str, bytes]) -> bytes | None:
    """paper.bbl, for servers that do not run BibTeX (arXiv); None without TeX, sandbox or citations."""
    from agent.sandbox.boxes import BubblewrapSandbox
    from agent.sandbox.probe import probe

    if shutil.which("latexmk") is None or probe():
        return None
    with TemporaryFolder("bundle") as scratch:
        folder = Path(scratch)
        for name, data in members.items():
            if name.startswith("tex/"):
                (folder / name.removeprefix("tex/")).write_bytes(data)
        compile_pdf(folder, BubblewrapSandbox())
        bbl = folder / "paper.bbl"
        return bbl.read_bytes() if bbl.is_file() else None


def _log(paths: SessionPaths, strip: Stripper) -> dict[str, bytes]:
    """The session's log and its exchanges with models, without keys and places of this machine."""
    root = paths.root.resolve()
    lines = foreign.read(root, paths.events.name, foreign.LONGEST_LOG).decode("utf-8").splitlines()
    members = {"session/events.jsonl": "".join(strip.json_line(line) + "\n" for line in lines).encode()}
    for name in foreign.names(paths.calls, ".json"):
        text = foreign.read(root, f"{paths.calls.name}/{name}").decode("utf-8")
        members[f"session/calls/{name}"] = (strip.json_line(text) + "\n").encode()
    return members


def _write(target: Path, folder: str, members: dict[str, bytes], at: int) -> None:
    """Write a tar.gz whose bytes depend only on the names and contents of its members and on the time `at`."""
    from agent.storage.atomic import write_bytes

    raw = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, data in sorted(members.items()):
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size, info.mtime, info.mode = len(data), at, 0o755 if name.endswith(".sh") else 0o644
            tar.addfile(info, io.BytesIO(data))
    write_bytes(target, raw.getvalue())
