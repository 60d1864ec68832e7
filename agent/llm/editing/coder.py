"""protocols.Coder through aider. An edit is made in a scratch copy, and is taken over as a whole or not at all.

Not here: aider itself (aider_edit.py).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from agent.core.errors import InfrastructureError, mend
from agent.core.exchange import EditResult, Message, Role
from agent.core.protocols import Ask
from agent.llm.answers import head_and_tail
from agent.llm.providers import load_litellm
from agent.storage.atomic import write_bytes
from agent.storage.temporary import TemporaryFolder

if TYPE_CHECKING:
    from agent.llm.editing.aider_edit import Talk

MAX_ECHO = 30_000  # characters of its own answer that a model is sent again
MAX_DETAIL = 6000  # characters of a refusal's detail, for the next prompt


@cache
def _aider() -> ModuleType:
    """The module aider_edit. It is imported at first use, because aider takes seconds to import."""
    before = {name: os.environ.get(name) for name in ("OR_SITE_URL", "OR_APP_NAME")}
    load_litellm()
    from agent.llm.editing import aider_edit

    for name, value in before.items():  # else requests to openrouter would be sent in aider's name
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    return aider_edit


class AiderCoder:
    """Makes SEARCH/REPLACE edits through aider, which reaches models only by `ask`."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask

    def warm(self) -> None:
        """Import aider, and litellm with it."""
        _aider()

    def edit(
        self,
        folder: Path,
        editable: Sequence[str],
        instruction: str,
        *,
        step: str,
        role: Role,
        read_only: Sequence[str] = (),
        briefing: str = "",
    ) -> EditResult:
        """Let the model change the `editable` files of `folder`. Either all of its edit is taken, or none.

        Exceptions of `ask` are raised unchanged, and the files are then as before.

        Raises:
            InfrastructureError: a named file is not an ordinary text file inside the folder.
        """
        before = {name: _read(folder, name, missing=b"") for name in editable}
        shown = {name: _read(folder, name) for name in read_only if name not in before}
        with TemporaryFolder("edit") as scratch:
            root = Path(scratch).resolve()
            for name, data in {**before, **shown}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(data)
            talk = _aider().converse(
                root,
                list(before),
                list(shown),
                instruction,
                lambda messages: self.ask(step, role, [_message(**m) for m in messages]),
                briefing,
            )
            after = _read_all(root)
        return _settle(folder, before, shown, after, talk)


def _settle(
    folder: Path, before: dict[str, bytes], shown: dict[str, bytes], after: dict[str, bytes], talk: Talk
) -> EditResult:
    """The result of the conversation. If it counts as an edit, the changed files are written back."""

    def refuse(code: str, detail: str) -> EditResult:
        return EditResult((), code, head_and_tail(detail, MAX_DETAIL), talk.reply)

    foreign = sorted(
        {
            *talk.forbidden,
            *(name for name in {*after, *shown} if name not in before and after.get(name) != shown.get(name)),
        }
    )
    if foreign:
        return refuse(
            "forbidden-file",
            f"you tried to change {', '.join(foreign)}; only {', '.join(before)} may be changed. Nothing was applied.",
        )
    if talk.failed:
        return refuse("mismatch", talk.failed)
    if not talk.blocks:
        return refuse("no-block", "the answer held no SEARCH/REPLACE block, so nothing was changed.")
    changed = tuple(name for name in before if after.get(name, b"") != before[name])
    if not changed:
        return refuse("no-change", "the blocks matched, but the files are the same as before.")
    for name in changed:
        try:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_bytes(folder / name, after[name])
        except OSError as error:
            raise InfrastructureError(f"{folder / name}: {mend(error)}") from None
    return EditResult(changed, reply=talk.reply)


def _message(role: Literal["system", "user", "assistant"], content: str) -> Message:
    """A message to the model. Of its own answers, long ones are reduced to head and tail."""
    return Message(role, head_and_tail(content, MAX_ECHO) if role == "assistant" else content)


def _read(folder: Path, name: str, missing: bytes | None = None) -> bytes:
    path, parts = folder / name, PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise InfrastructureError(f"{name!r}: not a path inside {folder}")
    if any(folder.joinpath(*parts[:n]).is_symlink() for n in range(1, len(parts) + 1)):
        raise InfrastructureError(f"{path}: a symlink; only ordinary files can be edited")
    try:
        data = path.read_bytes()
        data.decode("utf-8")
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise InfrastructureError(f"{path}: not found, so it cannot be shown to the model") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InfrastructureError(f"{path}: not a readable UTF-8 text file ({error})") from None
    return data


def _read_all(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in root.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
