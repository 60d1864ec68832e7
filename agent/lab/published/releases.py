"""Fetches autoencoders by name: those that SAELens lists, and those of a repository on the Hugging Face hub.

They are fetched once and kept in the cache. sae_lens itself fetches and converts them, in a process of its own because
it takes seconds to load; the folder that it saves is then read like any other. Called as `python -m
agent.lab.published.releases RELEASE FOLDER`.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock

from agent.core.errors import InfrastructureError, UserError
from agent.core.nearest import did_you_mean
from agent.lab.worlds import without_tokens
from agent.storage.temporary import TemporaryFolder

KINDS = {2: UserError, 3: InfrastructureError}  # exit statuses of the process
# Names of exceptions of requests, httpx and huggingface_hub. One error of httpx is known by its text only.
UNKNOWN = {"RepositoryNotFoundError", "RevisionNotFoundError", "RemoteEntryNotFoundError", "HFValidationError"}
UNREACHABLE = {"ConnectionError", "TransportError", "Timeout", "LocalEntryNotFoundError", "HfHubHTTPError"}
CLOSED = "client has been closed"


def is_release(name: str) -> bool:
    """Whether a name is no path here, and has the form of a release: "release/id" or "owner/repository/folder"."""
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[\w.=+-]+)+/?", name) is not None and not Path(name).exists()


def fetched(name: str, cache: Path, say: Callable[[str], None]) -> Path:
    """The folder of a release in SAELens's layout, fetched if the cache does not hold it.

    Raises:
        UserError: the release is not known, or not accessible.
        InfrastructureError: the hub cannot be reached.
    """
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    folder = cache / "published" / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)[-80:]}-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            say(f"fetching {name}")
            with TemporaryFolder("release", folder.parent) as scratch:
                _fetch(name, Path(scratch) / "sae")
                os.replace(Path(scratch) / "sae", folder)
    return folder


def _fetch(name: str, folder: Path) -> None:
    command = [sys.executable, "-m", "agent.lab.published.releases", name, str(folder)]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[3],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        raise KINDS.get(done.returncode, InfrastructureError)(f"{name}: {without_tokens(last)[-400:]}")


# ---------------------------------------------------------------- in the process of its own


def split(name: str, releases: Mapping[str, Mapping[str, str]]) -> tuple[str, str]:
    """The release and the autoencoder's id in a name.

    `releases` maps each release that SAELens lists to its ids. Any other name is read as owner/repository/folder.

    Raises:
        UserError: a listed release has no such id, or the name has fewer than three parts.
    """
    parts = name.strip("/").split("/")
    first, rest = parts[0], "/".join(parts[1:])
    if first in releases:
        if rest not in releases[first]:
            some = ", ".join(list(releases[first])[:3])
            raise UserError(
                f"release {first} has no {rest}{did_you_mean(rest, releases[first]) or f'; it has {some} ...'}"
            )
        return first, rest
    if len(parts) < 3:
        meant = did_you_mean(first, releases) or "; a release is named release/id, a repository owner/repository/folder"
        raise UserError(f"neither a file nor a folder here, nor a release that SAELens lists{meant}")
    return "/".join(parts[:2]), "/".join(parts[2:])


def in_a_line(error: BaseException) -> tuple[int, str]:
    """The exit status and an error message for an exception of sae_lens or of the hub's client."""
    chain: list[BaseException] = []
    seen: BaseException | None = error
    while seen is not None and len(chain) < 12:
        chain.append(seen)
        seen = seen.__cause__ or seen.__context__
    kinds = {kind.__name__ for one in chain for kind in type(one).__mro__}
    if isinstance(error, UserError):
        return 2, str(error)
    if "GatedRepoError" in kinds:
        return 2, "is gated: accept its licence on its page at huggingface.co, then set HF_TOKEN"
    if kinds & UNKNOWN:
        return 2, "the Hugging Face hub does not know it, or it is private and HF_TOKEN is not set"
    if kinds & UNREACHABLE or any(CLOSED in str(one) for one in chain):
        return 3, "not in the Hugging Face cache, and the hub cannot be reached; connect once, or name a folder"
    return 2, f"sae_lens cannot load it: {type(error).__name__}: {' '.join(str(error).split())[:300]}"


def main(name: str, folder: str) -> int:
    warnings.simplefilter("ignore")
    try:
        from sae_lens import SAE
        from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

        listed = {release: found.saes_map for release, found in get_pretrained_saes_directory().items()}
        release, sae_id = split(name, listed)
        SAE.from_pretrained(release, sae_id, device="cpu").save_model(folder)
    except Exception as error:
        code, line = in_a_line(error)
        print(" ".join(line.split()), file=sys.stderr)
        return code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
