"""Takes the files of a repository that become part of a template: plain files within bounds, and no secrets.

A folder is only read; a git URL is cloned, and nothing of it is run. Not here: what is made of the files
(from_repository.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.core.errors import UserError
from agent.storage import foreign
from agent.storage.cache import size_text
from agent.storage.clone import URL, cloned, without_password
from agent.storage.temporary import TemporaryFolder

MOST_FILES = 1000
LARGEST = 5_000_000  # bytes of one file
MOST_BYTES = 32_000_000  # of all files: they are committed with every session
MOST_SEEN = 200_000  # files and folders that are looked through
SHOWN = 12  # names in one line about files that were left out
# Folders with installed packages, or with files that a run left.
FOLDERS = {"__pycache__", "node_modules", "venv", "env", "wandb", "mlruns", "lightning_logs", "site-packages"}
SECRET = re.compile(
    r"(?i)\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk)$|^(?:id_(?:rsa|dsa|ecdsa|ed25519)|netrc|htpasswd)$|"
    r"^(?:credentials?|secrets?|service[_-]?account|kaggle|passwords?|api[_-]?keys?)\b[^/]*\.(?:json|ya?ml|toml|ini|txt|cfg|env|py)$|"
    r"\.env$"
)
Keys = Callable[[Iterable[tuple[str, bytes]]], Iterator[str]]  # names of the files that hold a key


@dataclass
class Taken:
    """The files that were taken from a repository, and those that were not."""

    origin: str  # the folder, or the URL without a password and with the commit
    files: dict[str, bytes] = field(default_factory=dict)  # content by name
    left_out: dict[str, str] = field(default_factory=dict)  # reason by name

    def told(self) -> list[str]:
        """Lines for a person about the files that were left out, one for each reason."""
        by_reason: dict[str, list[str]] = {}
        for name, why in self.left_out.items():
            by_reason.setdefault(why, []).append(name)
        lines = []
        for why, names in by_reason.items():
            shown = ", ".join(names[:SHOWN])
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            lines.append(f"left out ({why}): {shown}{more}")
        return lines


def take(given: str, keys_in: Keys) -> Taken:
    """Take the files of a folder or of a git URL; `keys_in` names those that hold a key.

    Raises:
        UserError: it is neither, cannot be read, or has no file that may be taken.
    """
    if Path(given).is_dir():
        taken = _from_folder(Path(given).resolve())
    elif URL.fullmatch(given):
        taken = _from_url(given)
    else:
        raise UserError(f"--from {given}: neither a folder nor a URL that git knows (https://, ssh://, git@host:)")
    for name in list(keys_in(taken.files.items())):
        del taken.files[name]
        taken.left_out[name] = "holds a key"
    if not taken.files:
        raise UserError(f"--from {given}: no file in it may be taken; {'; '.join(taken.told()) or 'it is empty'}")
    return taken


def _from_folder(folder: Path) -> Taken:
    taken = Taken(str(folder))
    sizes: dict[str, int] = {}
    for name, size in _walk(folder, taken):
        if _wanted(name, size, taken):
            sizes[name] = size
    for name in _within_bounds(sizes, taken):
        try:
            taken.files[name] = foreign.read(folder, name, LARGEST)
        except foreign.Foreign as problem:
            taken.left_out[name] = str(problem)
    return taken


def _from_url(url: str) -> Taken:
    with TemporaryFolder("clone") as scratch:
        try:
            clone = cloned(url, Path(scratch) / "git", LARGEST)
            taken = Taken(f"{without_password(url)} at commit {clone.commit[:12]}")
            blobs = {}
            for blob in clone.files():
                if not blob.plain:
                    taken.left_out[blob.name] = "a link, or another repository"
                elif _wanted(blob.name, LARGEST + 1 if blob.size is None else blob.size, taken):
                    blobs[blob.name] = blob
            for name in _within_bounds({name: blob.size or 0 for name, blob in blobs.items()}, taken):
                taken.files[name] = clone.read(blobs[name])
        except UserError as error:
            raise UserError(f"--from {without_password(url)}: {error}") from None
    return taken


def _walk(folder: Path, taken: Taken) -> Iterator[tuple[str, int]]:
    """Names and sizes of the plain files below a folder.

    Links are not followed, and folders of which nothing is taken are not entered; both are noted in `taken`.
    """
    waiting, seen = [""], 0
    while waiting:
        top = waiting.pop()
        try:
            entries = sorted((folder / top).iterdir())
        except OSError as error:
            taken.left_out[top] = error.strerror or "cannot be read"
            continue
        seen += len(entries)
        if seen > MOST_SEEN:
            raise UserError(f"--from {folder}: more than {MOST_SEEN} files; name a folder with less in it")
        for path in entries:
            name = f"{top}{path.name}"
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                taken.left_out[name] = "a link, or no plain file"
            elif path.is_file():
                yield name, path.stat().st_size
            elif why := _not_entered(path.name) or ("an environment" if (path / "pyvenv.cfg").exists() else ""):
                taken.left_out[f"{name}/"] = why
            else:
                waiting.append(f"{name}/")


def _not_entered(folder: str) -> str:
    """The reason why nothing in a folder of this name is taken; "" if there is none."""
    if folder.startswith("."):
        return "hidden"
    return "what a run or an installation left" if folder in FOLDERS or folder.endswith(".egg-info") else ""


def _wanted(name: str, size: int, taken: Taken) -> bool:
    """Whether a file may be taken, judged by its name and size; if not, the reason is noted in `taken`."""
    *folders, last = name.split("/")
    why = next((why for part in folders if (why := _not_entered(part))), "")
    if last.startswith("."):
        why = "may hold a secret" if SECRET.search(last) or last.startswith(".env") else why or "hidden"
    elif SECRET.search(last):
        why = "may hold a secret"
    elif last.endswith((".pyc", ".pyo", ".so", ".o")):
        why = why or "what a run or an installation left"
    elif not foreign.is_plain(name):
        why = why or "an odd name"
    elif size > LARGEST:
        why, name = why or f"larger than {size_text(LARGEST)}", f"{name} ({size_text(size)})"
    if why:
        taken.left_out[name] = why
    return not why


def _within_bounds(sizes: dict[str, int], taken: Taken) -> list[str]:
    """The names of as many files as the bounds allow, smaller ones preferred; in alphabetical order."""
    kept: list[str] = []
    total = 0
    for name in sorted(sizes, key=lambda name: (sizes[name], name)):
        if len(kept) == MOST_FILES or total + sizes[name] > MOST_BYTES:
            taken.left_out[name] = f"beyond {MOST_FILES} files or {size_text(MOST_BYTES)} together"
            continue
        kept.append(name)
        total += sizes[name]
    return sorted(kept)
