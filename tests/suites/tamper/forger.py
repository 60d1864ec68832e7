"""A forger without the key: makes a whole history anew, with ids, trailers, tags, figures and paper that fit together.

Objects are written byte by byte, so that fifty commits take a second. The paper is rendered with the product's code.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from agent.publishing.signatures import FOLDER, Statement, commit_tag
from agent.publishing.verify import rendering
from agent.publishing.verify.subject import read_material
from agent.storage.git_reader import Commit, GitReader
from agent.storage.signing import SigningKey, fingerprint
from paper.evidence.facts import Facts
from paper.pictures.figures import standard_figures
from paper.press.account import FILE as ACCOUNT

Files = dict[str, bytes]
Edit = Callable[[Files, Commit, dict[str, str]], bool]  # files and trailers are changed in place; false: no such commit


class Objects:
    """Writes loose objects into a repository."""

    def __init__(self, meta: Path) -> None:
        self._objects = meta / "objects"

    def store(self, kind: str, data: bytes) -> str:
        whole = f"{kind} {len(data)}\0".encode() + data
        name = hashlib.sha1(whole).hexdigest()
        path = self._objects / name[:2] / name[2:]
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(whole, 1))
        return name

    def tree(self, files: Files) -> str:
        folders: dict[str, Files] = {}
        entries = []
        for name, data in files.items():
            top, slash, rest = name.partition("/")
            if slash:
                folders.setdefault(top, {})[rest] = data
            else:
                entries.append((top, b"100644", self.store("blob", data)))
        entries += [(f"{top}/", b"40000", self.tree(inner)) for top, inner in folders.items()]
        body = [
            mode + b" " + name.rstrip("/").encode() + b"\0" + bytes.fromhex(blob)
            for name, mode, blob in sorted(entries)
        ]
        return self.store("tree", b"".join(body))

    def commit(self, tree: str, parent: str, message: str) -> str:
        who = "experiment-runner <experiment-runner@localhost> 1767225600 +0000"
        above = f"parent {parent}\n" if parent else ""
        return self.store("commit", f"tree {tree}\n{above}author {who}\ncommitter {who}\n\n{message}\n".encode())


class Redone:
    """One history made anew. `sign`: None leaves the signatures as they are, "" strips them, a SigningKey signs all."""

    def __init__(self, clone: Path, edit: Edit, sign: SigningKey | str | None) -> None:
        self._meta = clone / ".git"
        self._old = GitReader(self._meta)
        self._objects, self._edit, self._sign = Objects(self._meta), edit, sign
        self._ids: dict[str, str] = {}  # old -> new, commits and trees
        self._drawn: Files = {}
        self._remade: dict[tuple[str, str], bytes] = {}  # by name and old blob: what it became, also in later commits
        parent = ""
        for commit in self._old.commits:
            parent = self._made(commit, parent)
        for tag, target in self._old.tags.items():
            (self._meta / "refs/tags" / tag).unlink(missing_ok=True)
            if target in self._ids and (sign is None or not tag.startswith("signed/")):
                self._tag(tag, self._ids[target])
        packed = self._meta / "packed-refs"
        if packed.is_file():
            packed.unlink()
        if isinstance(sign, SigningKey):
            self._tag(commit_tag(sign, parent), parent)
        self._point(parent)

    def _tag(self, name: str, commit: str) -> None:
        path = self._meta / "refs/tags" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{commit}\n")

    def _made(self, commit: Commit, parent: str) -> str:
        blobs = self._old.files(commit.id)
        files = {
            name: self._remade.get((name, blob)) or self._renamed(self._old.blob(commit.id, name) or b"")
            for name, blob in blobs.items()
        }
        trailers = dict(commit.trailers)
        changed = {path for _, path in commit.changes}
        if not self._edit(files, commit, trailers):
            return parent
        if any(path.startswith("figures/") for path in files):
            self._draw(files, parent)
        files |= {name: data for name, data in self._drawn.items() if name in files}
        if ACCOUNT in changed:
            self._render(files, parent)
        if "session.json" in changed:
            said = json.loads(files["session.json"]) | {"history": parent}
            if self._sign is not None:
                said["signed_by"] = fingerprint(self._sign.public) if isinstance(self._sign, SigningKey) else ""
            files["session.json"] = json.dumps(said, indent=2).encode() + b"\n"
        self._signatures(files, parent, changed)
        self._remade |= {(name, blobs[name]): data for name, data in files.items() if name in blobs}
        tree = self._objects.tree(files)
        message = f"{commit.subject}\n\n" + "\n".join(f"{key}: {value}" for key, value in trailers.items())
        made = self._objects.commit(tree, parent, message)
        self._ids |= {commit.id: made, commit.tree: tree}
        return made

    def _renamed(self, data: bytes) -> bytes:
        """Every id of an old commit or tree becomes that of the new one."""
        if b"\0" in data:
            return data
        return re.sub(rb"\b[0-9a-f]{40}\b", lambda m: self._ids.get(m[0].decode(), m[0].decode()).encode(), data)

    def _point(self, commit: str) -> GitReader:
        (self._meta / "HEAD").write_text(f"{commit}\n")
        return GitReader(self._meta)

    def _as_it_is(self, files: Files, parent: str) -> GitReader:
        return self._point(self._objects.commit(self._objects.tree(files), parent, "x"))

    def _draw(self, files: Files, parent: str) -> None:
        records = {name for name in files if name.startswith("records/")}
        if self._drawn or ACCOUNT not in files:
            return
        repo = self._as_it_is(files, parent)
        material = read_material(repo, repo.files(repo.head))
        assert records
        with tempfile.TemporaryDirectory() as folder:
            facts = Facts(list(material.records.values()), material.manifest, material.account.profile)
            drawn = {figure.name: figure for figure in standard_figures(facts, Path(folder))}
            for told in (f for f in material.account.figures if f.by == "runner"):
                self._drawn[told.file] = drawn[told.name].file.read_bytes()

    def _render(self, files: Files, parent: str) -> None:
        """The account, paper.tex and what lies beside it, from what these files hold."""
        said = json.loads(files[ACCOUNT])
        said["base"] = parent
        said["records"] = {
            run: hashlib.sha256(files[f"records/{run}.json"]).hexdigest()
            for run in said["records"]
            if f"records/{run}.json" in files
        }
        if self._sign is not None:
            own = [["Signed with key", fingerprint(self._sign.public)]] if isinstance(self._sign, SigningKey) else []
            said["costs"] = [row for row in said["costs"] if row[0] != "Signed with key"] + own
        files[ACCOUNT] = json.dumps(said).encode()
        repo = self._as_it_is(files, parent)
        material = read_material(repo, repo.files(repo.head))
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            for figure in material.account.figures:
                (folder / figure.file).parent.mkdir(parents=True, exist_ok=True)
                (folder / figure.file).write_bytes(files[figure.file])
            sections, library = rendering._sections(repo), rendering._citable(repo)
            rendered = rendering._rendered(repo, material, sections, library, folder)
            made = {name: text.encode() for name, text in rendered.texts.items()}
            made |= {name: source.read_bytes() for name, source in rendered.files.items()}
        files |= {f"paper/{name}": data for name, data in made.items()}
        said["files"] = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(made.items())}
        files[ACCOUNT] = json.dumps(said).encode()

    def _signatures(self, files: Files, parent: str, changed: set[str]) -> None:
        for name in [n for n in files if n.startswith(f"{FOLDER}/")]:
            if self._sign == "":
                del files[name]
            elif isinstance(self._sign, SigningKey) and name in changed:
                said = Statement.model_validate_json(files[name])
                about = {file: hashlib.sha256(files[file]).hexdigest() for file in said.files}
                first = self._ids[self._old.commits[0].id]
                update = {"files": about, "on": parent, "first": first, "key": self._sign.public, "log": "0" * 32}
                files[name] = (
                    said.model_copy(update=update).signed(self._sign).model_dump_json(indent=1).encode() + b"\n"
                )
