"""Keeps keys, the name of this machine and its owner's paths out of an archive.

Texts of the session's log and of its calls are rewritten. The repository cannot be rewritten, because each commit names
the one before by its hash; so no archive is made if the repository holds a key.
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from agent.llm.providers import KEY_NAME, scrub

# Forms of keys that cannot occur in prose or code by chance.
_CERTAIN = re.compile(
    r"\bsk-[A-Za-z0-9_-]{20,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bAIza[A-Za-z0-9_-]{30,}|\bhf_[A-Za-z0-9]{30,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
)
_IN_URL = re.compile(r"(?<=://)[^\s/@:]+:[^\s/@]+(?=@)")
_HEADER = re.compile(r"(?i)\b(authorization|x-api-key|api-key)(\W{1,4})((?:bearer|basic)\s+)?[^\s\"',}]{8,}")


class Stripper:
    """Rewrites texts. `places`: folders of this machine, and the name that takes the place of each."""

    def __init__(self, places: dict[Path, str]) -> None:
        home = {Path.home(): "~"} if Path.home() != Path("/") else {}
        longest = sorted({**places, **home}.items(), key=lambda item: -len(str(item[0])))
        self._places = [(str(path), name) for path, name in longest]
        self._host = socket.gethostname()

    def text(self, text: str) -> str:
        """The text with names in the place of keys, folders and the host's name."""
        text = _HEADER.sub(r"\1\2[key]", _IN_URL.sub("[key]", _CERTAIN.sub("[key]", scrub(text))))
        for path, name in self._places:
            text = re.sub(re.escape(path) + r"(?![\w-])", name, text)
        return re.sub(rf"\b{re.escape(self._host)}\b", "[host]", text) if len(self._host) > 3 else text

    def texts(self, texts: Iterable[str]) -> dict[str, str]:
        """`text` for many texts, by the original. All are rewritten as one, which takes a tenth of the time."""
        given = list(dict.fromkeys(texts))
        between = "\n\0\0\0\0\0\0\n"  # no pattern of a key matches over it
        found = self.text(between.join(given)).split(between)
        if len(found) != len(given):  # a text holds the separator itself
            found = list(map(self.text, given))
        return dict(zip(given, found, strict=True))

    def json_line(self, line: str) -> str:
        """One JSON value with every string in it rewritten; a line that is not JSON is rewritten as text."""
        try:
            value = json.loads(line)
        except ValueError:
            return self.text(line)
        return json.dumps(self._each(value), ensure_ascii=False)

    def _each(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): "[host]" if key == "host" else self._each(item) for key, item in value.items()}
        return [self._each(item) for item in value] if isinstance(value, list) else value


def keys_in(blobs: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    """The names of the files that hold a key of this process's environment, or a text that can only be a key."""
    own = [value.encode() for name, value in os.environ.items() if len(value) >= 8 and KEY_NAME.search(name)]
    for name, data in blobs:
        if any(value in data for value in own) or _CERTAIN.search(data.decode("utf-8", "replace")):
            yield name
