"""Plays recorded replies as a protocols.Model: each (step, ordinal) always gets the same text, whatever was asked.

The reply is the constant text of the file `<step>.<ordinal>.md`; nothing in it is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from agent.core.errors import InfrastructureError, UserError
from agent.core.exchange import Call, Message, Reply
from agent.llm.calls import read_call
from agent.storage import foreign
from agent.storage.atomic import write_text

_NAME = re.compile(r"(?P<step>.+)\.(?P<ordinal>[1-9][0-9]*)\.md\Z")


class PlaybackModel:
    """Plays the replies of a folder. They cost nothing; tokens are estimated as a quarter of the characters."""

    name = "playback"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def complete(self, messages: Sequence[Message], call: Call) -> Reply:
        """The recorded reply.

        Raises:
            InfrastructureError: there is none for this call.
        """
        path = self.folder / f"{call.step}.{call.ordinal}.md"
        try:
            text = foreign.read(self.folder.resolve(), path.name).decode("utf-8")
        except foreign.Missing:
            raise InfrastructureError(
                f"playback: no reply for step {call.step}, call {call.ordinal} ({call.role}): {path} does not "
                "exist; the session took a way that was not recorded. Record this reply, or use a real model."
            ) from None
        except (foreign.Foreign, UnicodeDecodeError) as error:
            raise InfrastructureError(f"playback: {path} cannot be read: {error}") from None
        if not text.strip():
            raise InfrastructureError(f"playback: {path} is empty; step {call.step} needs a reply")
        return Reply(
            text=text,
            model=self.name,
            tokens_in=_tokens(*(m.content for m in messages)),
            tokens_out=_tokens(text),
            cost_usd=0.0,
        )

    def leftover(self, used: set[tuple[str, int]]) -> list[str]:
        """The names of replies that were not asked for, misnamed files included. A complete playback leaves none."""
        over = []
        for path in sorted(self.folder.glob("*.md")):
            match = _NAME.match(path.name)
            if path.name != "README.md" and (not match or (match["step"], int(match["ordinal"])) not in used):
                over.append(path.name)
        return over


def record_playback(calls_folder: str | Path, target: str | Path) -> int:
    """Turn a session's calls into a folder of replies that can be played; return their number.

    Steps ".typeset" are left out: they repair page breaks of one machine, and a playback never asks for them.

    Raises:
        UserError: there are no calls, or the target contains replies already.
    """
    calls_folder, target = Path(calls_folder), Path(target)
    records = [read_call(path) for path in sorted(calls_folder.glob("*.json"))]
    if not records:
        raise UserError(f"{calls_folder}: no recorded calls; give the calls/ folder of a session")
    if any(target.glob("*.md")):
        raise UserError(f"{target}: holds replies already; give an empty or a new folder")
    target.mkdir(parents=True, exist_ok=True)
    asked = [record for record in records if not record.step.endswith(".typeset")]
    for record in asked:
        write_text(target / f"{record.step}.{record.ordinal}.md", record.reply)
    return len(asked)


def _tokens(*texts: str) -> int:
    return sum(len(text) for text in texts) // 4
