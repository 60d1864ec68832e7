"""One editing conversation through aider, in a scratch folder. No other module imports aider.

Of aider, the block format and the repair loop are used. What it would do by itself (git, URLs, commands, new files,
prompts, other models, the terminal) is switched off. Importing this takes seconds, so coder.py does it when needed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from aider.coders.base_prompts import CoderPrompts
from aider.coders.editblock_coder import (
    EditBlockCoder,
    find_similar_lines,
    replace_most_similar_chunk,
)
from aider.exceptions import LiteLLMExceptions
from aider.io import InputOutput
from aider.models import Model

from agent.core.exchange import Reply
from agent.llm.editing import forms
from agent.llm.editing.applying import Files, is_prose
from agent.llm.editing.blocks import Block, Unreadable, check_fences, read
from agent.llm.editing.matching import stands_in
from agent.llm.editing.naming import Names
from agent.llm.editing.prose import closest
from agent.llm.prompting import render

REPAIRS = 3  # further rounds in which the model may correct blocks that did not match
MAX_COMPARED = 60  # lines of a SEARCH that are compared with the file's, because the comparison is slow
SIMILAR = 0.45  # share of a SEARCH's lines that must agree with lines of the file before these are suggested
MAX_WHOLE = 30_000  # characters of a file that may be sent whole
MISMATCHES = 2  # answers that did not match, after which a file may be sent whole
MAX_SEARCHED = 5000  # lines of a file that is searched for similar ones
MAX_COMPLAINTS = 5  # failed blocks of one answer that are explained
MAX_QUOTED = 3000  # characters of a failed block that go back

RawMessages = list[dict[str, str]]
AskRaw = Callable[[RawMessages], Reply]
# aider refuses to start if litellm has exception classes that it does not know, as newer versions have. Its table of
# them can be empty, because no exception of litellm reaches aider: models are asked through our code.
LiteLLMExceptions._load = lambda self, strict=False: None


@dataclass(frozen=True)
class Talk:
    """The result of a conversation."""

    reply: str  # the last one
    blocks: int  # number of SEARCH/REPLACE blocks in all replies
    forbidden: tuple[str, ...]  # files that a block tried to change and that may not be changed
    failed: str  # what is wrong with the blocks that never matched; empty if all did


class _Through(BaseException):
    """Carries an exception through aider, which catches every Exception and every Ctrl-C."""

    def __init__(self, cause: BaseException) -> None:
        self.cause = cause


class _Model(Model):
    """aider's model, which asks through our code. It has no provider, key, price list or token counter of its own."""

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
    """aider's terminal, which prints nothing, keeps no history, and answers every question with no."""

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
    """aider's SEARCH/REPLACE coder, made strict: exact places, only the named file, and no block silently dropped."""

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
        self.root = str(root)  # else aider names files relative to a common parent that it guesses
        self.abs_root_path_cache: dict[str, str] = {}
        self.abs_read_only_fnames = sorted(str(root / name) for name in read_only)  # a set has no order
        self.briefing = briefing
        self.names = Names(tuple(editable), tuple(read_only))
        self.blocks = 0
        self.mismatches = 0  # number of answers in which a block did not match
        self.files = Files(root, replace_most_similar_chunk)  # the only way in which a file changes
        self.forbidden: tuple[str, ...] = ()
        self.failed = ""

    def fmt_system_prompt(self, prompt: str) -> str:
        return render("coder_system", open=self.fence[0], close=self.fence[1]) + self.briefing if prompt else ""

    def get_abs_fnames_content(self) -> Any:
        yield from sorted(super().get_abs_fnames_content())

    def keyboard_interrupt(self) -> None:
        raise _Through(KeyboardInterrupt())

    def summarize_start(self) -> None:
        """Make no summaries, because they would be model calls in another thread."""

    def show_send_output(self, completion: Any) -> None:
        """Take the answer without showing it; aider's own code takes quadratic time over white space."""
        self.partial_response_content = completion.choices[0].message.content

    def calculate_and_show_tokens_and_cost(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: tokens and cost are counted where the call is recorded."""

    def get_edits(self, mode: str = "update") -> list[Block]:
        """The blocks of the answer; none if any of them is for a file that may not be changed."""
        answer = self.partial_response_content.replace("\r\n", "\n")
        try:
            blocks = read(answer, self.names) or self._in_another_form(answer)
        except Unreadable as problem:
            self._reject(str(problem))
        self.blocks += len(blocks)
        self.forbidden = tuple(dict.fromkeys(b.name for b in blocks if b.name not in self.names.editable))
        return [] if self.forbidden else blocks

    def _in_another_form(self, answer: str) -> list[Block]:
        whole = forms.whole_file(answer, self.names) if self.mismatches >= MISMATCHES else None
        if blocks := [whole] if whole else forms.diff_blocks(answer, self.names):
            return blocks
        if forms.is_foreign(answer):
            raise Unreadable(f"This form is not read; nothing was applied. {forms.form(self.names.editable[0])}")
        check_fences(answer.split("\n"))
        return []

    def apply_edits_dry_run(self, edits: list[Block]) -> list[Block]:
        return edits  # aider's own would try a block that does not match on other files

    def allowed_to_edit(self, path: str) -> bool:
        return path in self.names.editable

    def apply_edits(self, edits: list[Block], dry_run: bool = False) -> None:
        before = [self.files.text(name) for name in self.names.editable]
        if any(edit.exact for edit in edits):
            if not self.files.apply_diff(edits):
                self.mismatches += 1
                asked = forms.form(edits[0].name)
                self._reject(f"The diff does not apply to the letter; nothing of it was applied. {asked}")
        elif failed := [(edit, problem) for edit in edits if (problem := self._apply(edit))]:
            self.mismatches += 1
            self._reject(self._complaints(failed, len(edits) - len(failed)))
        if self.failed and edits and before == [self.files.text(name) for name in self.names.editable]:
            self._reject(self.failed)  # the answer only repeats blocks that are applied already
        if edits:
            self.failed = ""

    def _apply(self, block: Block) -> str:
        return self.files.apply(block, whole=self._may_be_whole(block.name))

    def _may_be_whole(self, name: str) -> bool:
        return self.mismatches >= MISMATCHES and len(self.files.text(name)) <= MAX_WHOLE

    def _complaints(self, failed: list[tuple[Block, str]], done: int) -> str:
        complaints = [self._complaint(block, problem) for block, problem in failed[:MAX_COMPLAINTS]]
        more = len(failed) - len(complaints)
        complaints += [f"{more} more blocks of this answer failed as well."] * bool(more)
        complaints += [f"The other {done} blocks were applied; leave them out."] * bool(done)
        complaints.append("Send corrected blocks for the failed places only.")
        names = dict.fromkeys(block.name for block, _ in failed if self._may_be_whole(block.name))
        complaints += [
            f"Or send {name} whole: one block with an empty SEARCH, and every line of the new file as its REPLACE."
            for name in names
        ]
        return "\n".join(complaints)

    def _complaint(self, block: Block, problem: str) -> str:
        text, prose = self.files.text(block.name), is_prose(block.name)
        search, new = min(block.readings, key=lambda reading: len(reading[0]))
        likely = _similar(search, text, prose)
        if stands_in(text, new, prose):
            likely += "The file holds what REPLACE says already; if that is what you want, leave the block out.\n"
        return f"{block.name}: this block {problem}:\n{_quoted(search, new)}\n{likely}"

    def _reject(self, complaint: str) -> NoReturn:
        self.failed = complaint
        raise ValueError(complaint)  # aider sends the text of a ValueError back to the model


def converse(
    root: Path, editable: list[str], read_only: list[str], instruction: str, ask: AskRaw, briefing: str
) -> Talk:
    """One instruction, with up to REPAIRS rounds of repair. Exceptions of `ask` are raised unchanged."""
    coder = _Coder(ask, root, editable, read_only, briefing)
    try:
        coder.run(with_message=instruction, preproc=False)  # preproc would obey "/run" and fetch URLs
    except _Through as through:
        raise through.cause from None
    return Talk(coder.partial_response_content or "", coder.blocks, coder.forbidden, coder.failed)


def _similar(search: str, text: str, prose: bool) -> str:
    if not search.strip() or text.count("\n") > MAX_SEARCHED:
        return ""
    if prose and (sentence := closest(text, search)):
        return f"Did you mean this sentence of the file?\n{sentence}\n"
    head = search.splitlines()[:MAX_COMPARED]
    likely = find_similar_lines("\n".join(head), text, SIMILAR) or "\n".join(
        difflib.get_close_matches(max(head, key=len), text.splitlines(), n=2)
    )
    return f"Did you mean these lines of the file?\n{likely}\n" if likely else ""


def _quoted(search: str, new: str) -> str:
    block = f"<<<<<<< SEARCH\n{search}=======\n{new}>>>>>>> REPLACE"
    return block if len(block) <= MAX_QUOTED else f"{block[:MAX_QUOTED]}\n[... the rest is left out]"
