"""The only module that imports aider: one conversation that ends in edited files of a scratch folder.

Its block format and its repair loop are used; its initiative (git, URLs, commands, new files, prompts,
other models, the terminal) is shut off. Importing this takes seconds: agent/llm/editing/coder.py does it when needed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

from aider.coders.base_prompts import CoderPrompts
from aider.coders.editblock_coder import (
    EditBlockCoder,
    do_replace,
    find_original_update_blocks,
    find_similar_lines,
    strip_quoted_wrapping,
)
from aider.exceptions import LiteLLMExceptions
from aider.io import InputOutput
from aider.models import Model

from agent.core.protocols import Reply
from agent.llm.prompting import render

REPAIRS = 3  # further rounds in which the model may mend blocks that did not match
MAX_COMPARED = 60  # lines of a SEARCH that are compared with the file's; the comparison is slow
SIMILAR = 0.45  # share of a SEARCH's lines that must agree before lines of the file are offered in its place
MAX_BLOCK = 10_000  # lines of a block that is matched leniently; time grows with their square
MAX_SEARCHED = 5000  # lines of a file that is searched for similar ones
MAX_COMPLAINTS = 5  # failed blocks of one answer that are explained
MAX_QUOTED = 3000  # characters of a failed block that go back

RawMessages = list[dict[str, str]]
AskRaw = Callable[[RawMessages], Reply]
_REPLY_FAULTS = (ValueError, LookupError, AttributeError)  # what a reply can break in aider's parsing
Block = tuple[str, str, str]  # file, SEARCH, REPLACE
# aider stops at any exception class of litellm that it has no entry for, and newer versions of litellm have some. No
# exception of litellm reaches aider, because models are asked through us: its table of them may as well be empty.
LiteLLMExceptions._load = lambda self, strict=False: None


@dataclass(frozen=True)
class Talk:
    """What was said and what became of it."""

    reply: str  # the last one
    blocks: int  # SEARCH/REPLACE blocks seen in all replies
    forbidden: tuple[str, ...]  # files that a block wanted to change and may not
    failed: str  # what is wrong with the blocks that never matched; empty if all did


class _Through(BaseException):
    """Carries an exception past aider, which swallows each Exception and each Ctrl-C."""

    def __init__(self, cause: BaseException) -> None:
        self.cause = cause


class _Model(Model):
    """aider's model, asked through us: no provider, key, price list or token counter of its own."""

    def __init__(self, ask: AskRaw) -> None:
        super().__init__("experiment-runner", weak_model=False, editor_model=False)
        self.ask = ask
        self.weak_model = self.editor_model = self

    def get_model_info(self, model: str) -> dict[str, Any]:
        return {}

    def validate_environment(self) -> dict[str, Any]:
        return {"keys_in_environment": [], "missing_keys": []}

    def token_count(self, messages: Any) -> int:
        return len(str(messages)) // 4

    def send_completion(
        self, messages: RawMessages, functions: Any, stream: bool, temperature: float | None = None
    ) -> tuple[Any, Any]:
        try:
            reply = self.ask(messages)
        except BaseException as error:  # Ctrl-C and BudgetSpent too
            raise _Through(error) from None
        message = SimpleNamespace(content=reply.text, tool_calls=None, reasoning_content=None)
        answer = SimpleNamespace(choices=[SimpleNamespace(message=message, finish_reason="stop")], usage=None)
        return SimpleNamespace(hexdigest=lambda: ""), answer


class _Terminal(InputOutput):
    """No terminal: says nothing, keeps no history, and the answer to each question is no."""

    def __init__(self) -> None:
        super().__init__(pretty=False, yes=False, fancy_input=False, line_endings="lf")

    def _silent(self, *args: Any, **kwargs: Any) -> None:
        """What aider would print or write to its history."""

    tool_output = tool_error = tool_warning = assistant_output = print = rule = _silent
    ai_output = user_input = append_chat_history = log_llm_history = ring_bell = _silent

    def confirm_ask(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def prompt_ask(self, *args: Any, **kwargs: Any) -> str:
        return "no"

    def offer_url(self, *args: Any, **kwargs: Any) -> bool:
        return False

    def get_input(self, *args: Any, **kwargs: Any) -> str:
        raise EOFError


class _Prompts(CoderPrompts):
    """The system prompt is ours (prompts/coder_system.md.j2); aider's reminders and examples are left out."""

    main_system = "ours"
    files_content_prefix = "These files are yours to change; this is what they say now:\n"
    files_content_assistant_reply = "I will change only these files."
    read_only_files_prefix = "These files are for reading only:\n"
    files_content_gpt_edits_no_repo = "The blocks that matched were applied."


class _Coder(EditBlockCoder):
    """aider's SEARCH/REPLACE coder, strict: exact places, the named file only, nothing silently dropped."""

    gpt_prompts = _Prompts()
    max_reflections = REPAIRS

    def __init__(self, ask: AskRaw, root: Path, editable: list[str], read_only: list[str], briefing: str) -> None:
        super().__init__(
            _Model(ask),
            _Terminal(),
            fnames=[root / name for name in editable],
            use_git=False,
            auto_commits=False,
            dirty_commits=False,
            stream=False,
            map_tokens=0,
            auto_lint=False,
            auto_test=False,
            suggest_shell_commands=False,
            detect_urls=False,
            cache_prompts=False,
            analytics=SimpleNamespace(event=lambda *args, **kwargs: None),
        )
        self.root = str(root)  # aider guesses a common parent, and names files from there
        self.abs_root_path_cache: dict[str, str] = {}
        self.abs_read_only_fnames = sorted(str(root / name) for name in read_only)  # a set has no order
        self.editable = editable
        self.read_only = read_only
        self.briefing = briefing
        self.blocks = 0
        self.forbidden: tuple[str, ...] = ()
        self.failed = ""

    def fmt_system_prompt(self, prompt: str) -> str:
        return render("coder_system", open=self.fence[0], close=self.fence[1]) + self.briefing if prompt else ""

    def get_abs_fnames_content(self) -> Any:
        yield from sorted(super().get_abs_fnames_content())

    def keyboard_interrupt(self) -> None:
        raise _Through(KeyboardInterrupt())

    def summarize_start(self) -> None:
        """No summaries: they would be model calls in another thread."""

    def show_send_output(self, completion: Any) -> None:
        """Nothing is shown. What aider does on the way to showing takes quadratic time over white space."""
        self.partial_response_content = completion.choices[0].message.content

    def calculate_and_show_tokens_and_cost(self, *args: Any, **kwargs: Any) -> None:
        """Counted where the call is recorded."""

    def get_edits(self, mode: str = "update") -> list[Block]:
        names = [*self.editable, *self.read_only]
        try:
            found = list(find_original_update_blocks(self.partial_response_content, self.fence, names))
            blocks = [(self._file(b[0]), b[1], b[2]) for b in found if b[0] is not None]
        except _REPLY_FAULTS as error:
            self._reject(f"A block is malformed; nothing of this answer was applied.\n{_tail(error)}")
        self.blocks += len(blocks)
        self.forbidden = tuple(dict.fromkeys(name for name, _, _ in blocks if name not in self.editable))
        return [] if self.forbidden else blocks

    def apply_edits_dry_run(self, edits: list[Block]) -> list[Block]:
        return edits  # aider's would send a block that does not match on to other files

    def allowed_to_edit(self, path: str) -> bool:
        return path in self.editable

    def apply_edits(self, edits: list[Block], dry_run: bool = False) -> None:
        failed = [(edit, problem) for edit in edits if (problem := self._apply(*edit))]
        if failed:
            complaints = [self._complaint(*edit, problem) for edit, problem in failed[:MAX_COMPLAINTS]]
            more, done = len(failed) - len(complaints), len(edits) - len(failed)
            complaints += [f"{more} more blocks of this answer failed as well."] * bool(more)
            complaints += [f"The other {done} blocks were applied; leave them out."] * bool(done)
            self._reject("\n".join([*complaints, "Send corrected blocks for the failed places only."]))
        if edits:
            self.failed = ""

    def _apply(self, name: str, search: str, new: str) -> str:
        """Apply one block; returns what is wrong with it, or nothing."""
        path = Path(self.root, name)
        content = self.io.read_text(path) or ""
        try:
            changed, problem = _replace(path, content, search, new, self.fence)
            if not problem:
                path.write_bytes(changed.encode())  # encoded first: text that cannot be leaves the file alone
            return problem
        except _REPLY_FAULTS as error:
            return f"cannot be applied ({type(error).__name__})"

    def _complaint(self, name: str, search: str, new: str, problem: str) -> str:
        likely = _similar(search, self.io.read_text(Path(self.root, name)) or "")
        return f"{name}: this block {problem}:\n{_quoted(search, new)}\n{likely}"

    def _file(self, name: str) -> str:
        """The file a block means. Words in the place of a name mean the only file there is to change.

        Raises:
            ValueError: words, and several files.
        """
        plain = str(PurePosixPath(name.strip()))
        if plain in (*self.editable, *self.read_only):
            return plain
        pathlike = "/" in plain or ("." in plain.strip(".") and " " not in plain)
        if not pathlike and len(self.editable) > 1:
            raise ValueError(f"a block names no file; write one of {', '.join(self.editable)} above it")
        return plain if pathlike else self.editable[0]

    def _reject(self, complaint: str) -> None:
        self.failed = complaint
        raise ValueError(complaint)  # aider sends the text of a ValueError back to the model


def converse(
    root: Path, editable: list[str], read_only: list[str], instruction: str, ask: AskRaw, briefing: str
) -> Talk:
    """One instruction, up to REPAIRS rounds of repair. What `ask` raises is raised here."""
    coder = _Coder(ask, root, editable, read_only, briefing)
    try:
        coder.run(with_message=instruction, preproc=False)  # preproc would obey "/run" and fetch URLs
    except _Through as through:
        raise through.cause from None
    return Talk(coder.partial_response_content or "", coder.blocks, coder.forbidden, coder.failed)


def _replace(path: Path, content: str, search: str, new: str, fence: tuple[str, str]) -> tuple[str, str]:
    """(new content, "") or ("", problem). An exact and only place comes first, aider's leniency second."""
    if not strip_quoted_wrapping(search, path, fence).strip():
        return ("", "has an empty SEARCH, but the file is not empty") if content.strip() else (new, "")
    lines, wanted = content.splitlines(keepends=True), search.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    places = [i for i in range(len(lines) - len(wanted) + 1) if lines[i : i + len(wanted)] == wanted]
    if len(places) > 1:
        return "", f"matches {len(places)} places; quote more lines so that it matches one"
    if places:
        return "".join([*lines[: places[0]], new, *lines[places[0] + len(wanted) :]]), ""
    if any(line.strip() == "..." for line in wanted):  # aider would guess, or add the text at the end
        return "", "leaves lines out with '...'; quote every line"
    if search.count("\n") + new.count("\n") > MAX_BLOCK:
        return "", f"does not match the file exactly, and is longer than {MAX_BLOCK} lines; quote fewer"
    changed = do_replace(path, content, search, new, fence)
    return (changed, "") if changed else ("", "does not match the file")


def _similar(search: str, content: str) -> str:
    if not search.strip() or content.count("\n") > MAX_SEARCHED:
        return ""
    head = search.splitlines()[:MAX_COMPARED]
    likely = find_similar_lines("\n".join(head), content, SIMILAR) or "\n".join(
        difflib.get_close_matches(max(head, key=len), content.splitlines(), n=2)
    )
    return f"Did you mean these lines of the file?\n{likely}\n" if likely else ""


def _quoted(search: str, new: str) -> str:
    block = f"<<<<<<< SEARCH\n{search}=======\n{new}>>>>>>> REPLACE"
    return block if len(block) <= MAX_QUOTED else f"{block[:MAX_QUOTED]}\n[... the rest is left out]"


def _tail(error: Exception) -> str:
    """The end of aider's message: it quotes the whole answer up to the fault."""
    text = str(error)
    return text if len(text) <= MAX_QUOTED else "[...] " + text[-MAX_QUOTED:]
