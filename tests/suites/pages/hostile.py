"""Fifty texts that would do something if they were not taken as text, and a session with one in every place."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from agent.core.paths import SessionPaths
from tests.support.frozen import commit, finished

DONE = "window.__pwned=1"
STRINGS = (
    f"<script>{DONE}</script>",
    f"</script><script>{DONE}</script>",
    f"<img src=x onerror={DONE}>",
    f'"><img src=x onerror="{DONE}">',
    f"'><svg onload={DONE}>",
    f"<svg><script>{DONE}</script></svg>",
    f"<svg/onload={DONE}>",
    f"</title><script>{DONE}</script>",
    f"</style><script>{DONE}</script>",
    f"</textarea><script>{DONE}</script>",
    f"</pre></details></main><script>{DONE}</script>",
    f"<iframe src=javascript:{DONE}></iframe>",
    f"<iframe srcdoc='<script>parent.{DONE}</script>'></iframe>",
    f"<object data='data:text/html,<script>{DONE}</script>'></object>",
    "<embed src=https://evil.example/x.swf>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<form action=https://evil.example/><button>Go</button></form>",
    "<style>*{display:none}</style>",
    "<p style='position:fixed;inset:0;background:red'>over all</p>",
    f"<a href=javascript:{DONE}>click</a>",
    f"javascript:{DONE}//",
    f"data:text/html,<script>{DONE}</script>",
    f'" autofocus onfocus="{DONE}" x="',
    f"' onmouseover='{DONE}' x='",
    f"` onmouseover={DONE} `",
    f'" style="animation-name:x" onanimationstart="{DONE}',
    f"<details open ontoggle={DONE}>",
    f"<video><source onerror={DONE}></video>",
    f"<body onload={DONE}>",
    f"<input autofocus onfocus={DONE}>",
    f"<math><mi xlink:href='javascript:{DONE}'>x</mi></math>",
    f"<template><script>{DONE}</script></template>",
    f"<noscript><p title='</noscript><img src=x onerror={DONE}>'>",
    f"<!--><img src=x onerror={DONE}>-->",
    f"<![CDATA[><script>{DONE}</script>]]>",
    f"&lt;script&gt;{DONE}&lt;/script&gt;",
    f"&#60;script&#62;{DONE}",
    f"\\u003cscript\\u003e{DONE}\\u003c/script\\u003e",
    "{{ 7 * 191 }} {% raw %} ${7*191} #{7*191}",
    "{{ self.__init__.__globals__ }}",
    f"\u2028;{DONE}//\u2029",
    "\u202etxt.elif\u2066 turned around \u2069",
    "\x1b]0;title\x07\x1b[2J cleared",
    "zero\u200bwidth\ufeff and \ud83d half a pair".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    "<" * 3000,
    f"<a href='data:text/html;base64,PHNjcmlwdD4='>{'x' * 40}</a>",
    "' OR 1=1; DROP TABLE runs; --",
    "<marquee>../../../../etc/passwd</marquee>",
)
# What a model, a person or a work of the literature may have written, wherever it stands in a log, call or record.
_KEYS = """
Title Experiment Abstract why label change hypothesis about text feedback interpretation caption description reason
detail summary strengths weaknesses questions limitations agreed disputed advice quote sentence content reply checked
query searched queries
"""
WORDS = frozenset(_KEYS.split())
SHORT = {"label": 40, "query": 200, "searched": 200, "queries": 200, "why": 800, "reason": 800}


def planted(folder: Path, text: str) -> SessionPaths:
    """A finished session with this text in every place where words of others stand: log, calls, records, code, logs,
    paper, literature."""
    paths = SessionPaths(finished(folder))
    for path in paths.calls.glob("*.json"):
        path.write_text(json.dumps(_sown(json.loads(path.read_text()), text)))
    _code(paths, text)
    hashes = {path.stem: _record(path, text) for path in (paths.repo / "records").glob("*.json")}
    for section in (paths.repo / "paper/sections").glob("*.md"):
        section.write_text(f"{section.read_text()}\n\n{text}\n")
    for log in paths.runs.glob("*/attempt-*/trainings/*/train.stdout.txt"):
        log.write_text(text)
    paths.feedback.write_text(text)
    commit(paths.repo)
    lines = []
    for line in paths.events.read_text().splitlines():
        event = _sown(json.loads(line), text)
        if event.get("type") == "run_measured":
            event["record_sha256"] = hashes[event["run"]]
        lines.append(json.dumps(event))
    paths.events.write_text("\n".join(lines) + "\n")
    return paths


def _sown(value: Any, text: str, key: str = "") -> Any:
    if isinstance(value, str):
        return _fitting(value, text, key) if key in WORDS and value else value
    if isinstance(value, dict):
        return {name: _sown(item, text, name) for name, item in value.items()}
    return [_sown(item, text, key) for item in value] if isinstance(value, list) else value


def _fitting(value: str, text: str, key: str) -> str:
    """The text in the place of a short word, behind a longer one."""
    most = SHORT.get(key, 1900)
    return text[:most] if len(text) >= most else f"{value[: most - len(text) - 1]} {text}"


def _code(paths: SessionPaths, text: str) -> None:
    """Code that a model wrote, with the text in it."""
    path = paths.repo / "experiment.py"
    one_line = re.sub(r"[\r\n]", " ", text)
    path.write_text(f"{path.read_text()}\n# {one_line}\n")
    commit(paths.repo)


def _record(path: Path, text: str) -> str:
    record = _sown(json.loads(path.read_text()), text)
    if record["run"] == "1":
        head = (path.parents[1] / ".git/refs/heads").glob("*")
        record["commit"] = next(head).read_text().strip()
        record["findings"] = [{"code": "planted", "grade": "flag", "text": text}]
    data = json.dumps(record).encode()
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
