"""Explains to the owner of a template why a script failed, from the last lines of its output."""

from __future__ import annotations

import re

_MEANINGS = (
    (r"ModuleNotFoundError|No module named", "name its package under [environment] in {file}"),
    (
        r"cuda|CUDA|NVIDIA|nvidia",
        "the script asks for a GPU, and this run had none: use --device cuda where there is one",
    ),
    (
        r"huggingface\.co|URLError|ConnectionError|Max retries|name resolution|getaddrinfo|download|urlopen",
        "the script fetches something, and a sandbox has no network: fetch it once by hand, put it where the script "
        "looks for it (the template's folder, or beside it), and let the script read it there",
    ),
    (
        r"FileNotFoundError|No such file or directory|FileExistsError|not found in",
        "this file is missing: get the data as the README or the authors say, and put them there",
    ),
    (r"stopped at the time limit", "raise limits.wall_s in {file}"),
    (r"stopped at the memory limit", "raise limits.memory_mb in {file}"),
)


def told(reason: str, detail: str, file: str) -> str:
    """How a run ended, its last error, and what to do about it, in one line.

    `reason` and `detail` are those of a Training; `file` is the file with the template's settings.
    """
    lines = [line.strip() for line in detail.strip().splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(?:Error|Exception|Exit)\b", line)]
    last = " ".join((errors or lines or [reason])[-1].split())[:400]
    said = f"{lines[0] if lines else ''} {last}"
    meaning = next((text.format(file=file) for pattern, text in _MEANINGS if re.search(pattern, said)), "")
    return f"{reason}: {last}{f'; {meaning}' if meaning else ''}"
