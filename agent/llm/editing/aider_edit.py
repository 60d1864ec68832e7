"""The only module that imports aider: one conversation that ends in edited files of a scratch folder.

Its block format and its repair loop are used; its initiative (git, URLs, commands, new files, prompts,
other models, the terminal) is shut off. Importing this takes seconds: agent/llm/editing/coder.py does it when needed.
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
from aider.io import InputOutput
from aider.models import Model

from agent.core.protocols import Reply
from agent.llm.editing import forms, prose
from agent.llm.editing.blocks import Block, Unreadable, read
from agent.llm.editing.matching import Change, NoPlace, choose, find, stands_in
from agent.llm.editing.naming import Names
from agent.llm.prompting import render

REPAIRS = 3  # further rounds in which the model may mend blocks that did not match
MAX_COMPARED = 60  # lines of a SEARCH that are compared with the file's; the comparison is slow
SIMILAR = 0.45  # share of a SEARCH's lines that must agree before lines of the file are offered in its place
MAX_WHOLE = 30_000  # characters of a file that may be sent whole
MISMATCHES = 2  # answers that did not match, after which a file may be sent whole
MAX_SEARCHED = 5000  # lines of a file that is searched for similar ones
MAX_COMPLAINTS = 5  # failed blocks of one answer that are explained
MAX_QUOTED = 3000  # characters of a failed block that go back

RawMessages = list[dict[str, str]]
AskRaw = Callable[[RawMessages], Reply]
_REPLY_FAULTS = (ValueError, LookupError, AttributeError)  # what a reply can break in aider's replacing
_BOM = "\ufeff"
_PROSE = (".md", ".txt")


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

    def __init__(self, ask: AskRaw, root: Path, editable: list[str], read_only: list[str]) -> None:
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
        self.names = Names(tuple(editable), tuple(read_only))
        self.blocks = 0
        self.mismatches = 0  # answers of which a block did not match
        self.first: dict[str, str] = {}  # what the files said before this conversation changed them
        self.applied: set[Block] = set()
        self.forbidden: tuple[str, ...] = ()
        self.failed = ""

    def fmt_system_prompt(self, prompt: str) -> str:
        return render("coder_system", open=self.fence[0], close=self.fence[1]) if prompt else ""

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
        """What is to be changed; nothing if any of it is in a file that may not be."""
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
        blocks = [whole] if whole else forms.diff_blocks(answer, self.names)
        if not blocks and forms.is_foreign(answer):
            raise Unreadable(f"This form is not read; nothing was applied. {forms.form(self.names.editable[0])}")
        return blocks

    def apply_edits_dry_run(self, edits: list[Block]) -> list[Block]:
        return edits  # aider's would send a block that does not match on to other files

    def allowed_to_edit(self, path: str) -> bool:
        return path in self.names.editable

    def apply_edits(self, edits: list[Block], dry_run: bool = False) -> None:
        before, applied = {edit.name: self._data(edit.name) for edit in edits}, set(self.applied)
        failed = [(edit, problem) for edit in edits if (problem := self._apply(edit))]
        if failed and any(edit.exact for edit in edits):
            for name, data in before.items():
                Path(self.root, name).write_bytes(data)
            self.applied = applied
            self.mismatches += 1
            name = edits[0].name
            self._reject(f"The diff does not apply to the letter; nothing of it was applied. {forms.form(name)}")
        if failed:
            self.mismatches += 1
            self._reject(self._complaints(failed, len(edits) - len(failed)))
        if edits:
            self.failed = ""

    def _apply(self, block: Block) -> str:
        """Apply one block; returns what is wrong with it, or nothing."""
        name, data = block.name, self._data(block.name).decode()
        text = data.removeprefix(_BOM)
        first = self.first.setdefault(name, text)
        if block in self.applied and _stands(block, text):
            return ""
        try:
            change = self._whole(block, text) or choose(text, block, _is_prose(name))
            change = change._replace(new=change.new.replace("\n", _line_end(text)))
            if text != first and _repeats(first, text, change):
                return ""
            changed = _replaced(text, change)
            Path(self.root, name).write_bytes((_BOM * data.startswith(_BOM) + changed).encode())
        except NoPlace as problem:
            return "" if text != first and _is_gone(block, first, text) and _stands(block, text) else str(problem)
        except _REPLY_FAULTS as error:
            return f"cannot be applied ({type(error).__name__})"
        self.applied.add(block)
        return ""

    def _whole(self, block: Block, text: str) -> Change | None:
        """The change of a block with an empty SEARCH into the whole file, once that is offered."""
        new = next((new.removeprefix(_BOM) for search, new in block.readings if not search.strip()), "")
        if not new or not text.strip() or not self._may_be_whole(text):
            return None
        if problem := forms.left_out(text, new):
            raise NoPlace(problem)
        return Change(0, len(text), new)

    def _may_be_whole(self, text: str) -> bool:
        return self.mismatches >= MISMATCHES and len(text) <= MAX_WHOLE

    def _complaints(self, failed: list[tuple[Block, str]], done: int) -> str:
        complaints = [self._complaint(block, problem) for block, problem in failed[:MAX_COMPLAINTS]]
        more = len(failed) - len(complaints)
        complaints += [f"{more} more blocks of this answer failed as well."] * bool(more)
        complaints += [f"The other {done} blocks were applied; leave them out."] * bool(done)
        complaints.append("Send corrected blocks for the failed places only.")
        names = dict.fromkeys(block.name for block, _ in failed if self._may_be_whole(self._data(block.name).decode()))
        complaints += [
            f"Or send {name} whole: one block with an empty SEARCH, and every line of the new file as its REPLACE."
            for name in names
        ]
        return "\n".join(complaints)

    def _complaint(self, block: Block, problem: str) -> str:
        text = self._data(block.name).decode().removeprefix(_BOM)
        search, new = min(block.readings, key=lambda reading: len(reading[0]))
        likely = _similar(search, text, _is_prose(block.name))
        there = stands_in(text, new, _is_prose(block.name))
        likely += (
            "What REPLACE says stands in the file already; if that is what you want, leave the block out.\n" * there
        )
        return f"{block.name}: this block {problem}:\n{_quoted(search, new)}\n{likely}"

    def _data(self, name: str) -> bytes:
        path = Path(self.root, name)
        return path.read_bytes() if path.exists() else b""

    def _reject(self, complaint: str) -> NoReturn:
        self.failed = complaint
        raise ValueError(complaint)  # aider sends the text of a ValueError back to the model


def converse(root: Path, editable: list[str], read_only: list[str], instruction: str, ask: AskRaw) -> Talk:
    """One instruction, up to REPAIRS rounds of repair. What `ask` raises is raised here."""
    coder = _Coder(ask, root, editable, read_only)
    try:
        coder.run(with_message=instruction, preproc=False)  # preproc would obey "/run" and fetch URLs
    except _Through as through:
        raise through.cause from None
    return Talk(coder.partial_response_content or "", coder.blocks, coder.forbidden, coder.failed)


def _replaced(text: str, change: Change) -> str:
    """The text after aider's replacing of one block: of the whole lines that a change lies in.

    Raises:
        NoPlace: nothing would be left, or aider makes something else of it.
    """
    start = text.rfind("\n", 0, change.start) + 1
    end = change.end if text[: change.end].endswith("\n") else (text.find("\n", change.end) + 1 or len(text))
    put = text[start : change.start] + change.new + text[change.end : end]
    wanted = text[:start] + put + text[end:]
    if not wanted.strip():
        raise NoPlace("would leave the file empty")
    if not text:
        return wanted
    made = replace_most_similar_chunk(text, text[start:end], put)
    if made not in (wanted, f"{wanted}\n"):  # aider ends the last line, which is left as it was
        raise NoPlace("cannot be applied for sure: it holds unusual line ends")
    return wanted


def _repeats(first: str, text: str, change: Change) -> bool:
    """Whether a change would only put once more what this conversation has put around its place already."""
    before = change.new.find(text[change.start : change.end])
    there = text[change.start - before : change.start - before + len(change.new)]
    return 0 <= before <= change.start and there == change.new and change.new not in first


def _stands(block: Block, text: str) -> bool:
    """Whether a text says what a block's REPLACE says; for a deletion: no more what its SEARCH says."""
    is_prose = _is_prose(block.name)
    return any(
        stands_in(text, new, is_prose) if new.strip() else not stands_in(text, search, is_prose)
        for search, new in block.readings
    )


def _is_gone(block: Block, first: str, text: str) -> bool:
    """Whether a SEARCH that matched before this conversation's changes was changed by them."""
    is_prose = _is_prose(block.name)
    for search, new in block.readings:
        try:
            find(first, search, new, exact=False, prose=is_prose)
        except NoPlace:
            continue
        return bool(new.strip()) and not stands_in(text, search, is_prose)
    return False


def _line_end(text: str) -> str:
    return "\r\n" if 2 * text.count("\r\n") > text.count("\n") else "\n"


def _is_prose(name: str) -> bool:
    return name.endswith(_PROSE)


def _similar(search: str, text: str, is_prose: bool) -> str:
    if not search.strip() or text.count("\n") > MAX_SEARCHED:
        return ""
    if is_prose and (sentence := prose.closest(text, search)):
        return f"Did you mean this sentence of the file?\n{sentence}\n"
    head = search.splitlines()[:MAX_COMPARED]
    likely = find_similar_lines("\n".join(head), text, SIMILAR) or "\n".join(
        difflib.get_close_matches(max(head, key=len), text.splitlines(), n=2)
    )
    return f"Did you mean these lines of the file?\n{likely}\n" if likely else ""


def _quoted(search: str, new: str) -> str:
    block = f"<<<<<<< SEARCH\n{search}=======\n{new}>>>>>>> REPLACE"
    return block if len(block) <= MAX_QUOTED else f"{block[:MAX_QUOTED]}\n[... the rest is left out]"
