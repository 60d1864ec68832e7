"""Makes a git directory of our own for a stranger's repository, with the repository's branches, tags and objects.

Nothing else of the repository is read: no configuration, no hook, no alternates, no grafts. Its objects stay where they
are, after a check that every one of them is a plain file.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from agent.storage import foreign
from agent.storage.foreign import Foreign, Missing

MOST_OBJECTS = 1_000_000  # files below objects/
MOST_REFS = 10_000
LARGEST_REF = 4096
LARGEST_PACKED = 8 << 20
_ID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_REF = re.compile(r"refs/(?:heads|tags)/[\w.][\w.+@/-]{0,200}\Z")
_OBJECT = re.compile(r"[0-9a-f]{2}/(?:[0-9a-f]{38}|[0-9a-f]{62}|tmp_obj_\w+)\Z")
_PACK = re.compile(r"(?:pack|info)/[\w.-]+\Z")
_CONFIG = "[core]\n\trepositoryformatversion = {version}\n\tbare = true\n"


def adopt(git_dir: Path, own: Path) -> Path:
    """Make `own` a git directory with the refs of `git_dir`; return the folder of the objects of `git_dir`.

    Raises:
        Foreign: the repository contains something that a plain one does not; the text says what.
    """
    if not stat.S_ISDIR(os.lstat(git_dir).st_mode):
        raise Foreign(f"{git_dir.name} is not a folder: it names a repository elsewhere; verify that one itself")
    for name in ("commondir", "objects/info/alternates", "objects/info/http-alternates"):
        if os.path.lexists(git_dir / name):
            raise Foreign(f"{name}: its objects lie elsewhere; give a whole clone")
    objects = git_dir / "objects"
    if objects.is_symlink() or not objects.is_dir():
        raise Foreign("objects: no folder")
    for name, _ in foreign.walk(objects, MOST_OBJECTS):
        if not _OBJECT.match(name) and not _PACK.match(name):
            raise Foreign(f"objects/{name[:80]!r}: not a name that git gives")
    refs = _refs(git_dir)
    head = _head(git_dir, refs)
    _write(own, refs, head)
    return objects


def _refs(git_dir: Path) -> dict[str, str]:
    """The commit ids of branches and tags, by their full names."""
    found = {}
    try:
        packed = foreign.read(git_dir, "packed-refs", LARGEST_PACKED).decode("utf-8", "replace")
    except Missing:
        packed = ""
    for line in packed.splitlines():
        name, _, ref = line.partition(" ")
        if _ID.match(name) and _is_ref(ref):
            found[ref] = name
    for kind in ("heads", "tags"):
        folder = git_dir / "refs" / kind
        if folder.is_symlink() or not folder.is_dir():
            continue
        for name, _ in foreign.walk(folder, MOST_REFS):
            ref, text = f"refs/{kind}/{name}", _text(git_dir, f"refs/{kind}/{name}")
            if _is_ref(ref) and _ID.match(text):
                found[ref] = text
    if len(found) > MOST_REFS:
        raise Foreign(f"more than {MOST_REFS} branches and tags")
    return found


def _is_ref(name: str) -> bool:
    return bool(_REF.match(name)) and ".." not in name and not name.endswith((".lock", ".", "/")) and "//" not in name


def _head(git_dir: Path, refs: dict[str, str]) -> str:
    text = _text(git_dir, "HEAD")
    if text.startswith("ref:"):
        return refs.get(text.removeprefix("ref:").strip(), "")  # "": a branch without a commit
    if not _ID.match(text):
        raise Foreign("HEAD: names no commit")
    return text


def _text(git_dir: Path, name: str) -> str:
    try:
        return foreign.read(git_dir, name, LARGEST_REF).decode("ascii", "replace").strip()
    except Foreign as problem:
        raise Foreign(f"{name}: {problem}") from None


def _write(own: Path, refs: dict[str, str], head: str) -> None:
    (own / "objects").mkdir(parents=True)
    (own / "refs").mkdir()
    long = len(head) == 64
    config = _CONFIG.format(version=int(long)) + ("[extensions]\n\tobjectformat = sha256\n" if long else "")
    (own / "config").write_text(config)
    (own / "HEAD").write_text(f"{head or 'ref: refs/heads/none'}\n")
    (own / "packed-refs").write_text("".join(f"{refs[ref]} {ref}\n" for ref in sorted(refs)))
