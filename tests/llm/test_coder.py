"""agent.llm.editing.coder through the real aider: an edit is whole, of the named files, or refused with a reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.core.errors import BudgetSpent, InfrastructureError
from agent.core.exchange import EditResult
from agent.llm.calls import RecordedCalls
from agent.llm.editing.applying import Files
from agent.llm.editing.blocks import Block
from agent.llm.editing.coder import MAX_DETAIL, AiderCoder
from agent.llm.litellm_model import LiteLLMModel
from tests.support import ROOT
from tests.support.fake_provider import FakeProvider, error, reply
from tests.support.scripted import Script, ScriptedModel

STEP = "run-1.edit-1"
CODE = "import torch\n\nd_sae = 512\n\n\ndef loss(x, x_hat):\n    return ((x - x_hat) ** 2).mean()\n"
FILES = {"experiment.py": CODE, "evaluate.py": "def evaluate(z):\n    return z\n", "notes.txt": "no notes\n"}


def block(search: str, new: str, file: str = "experiment.py") -> str:
    return f"I change it.\n\n{file}\n```python\n<<<<<<< SEARCH\n{search}=======\n{new}>>>>>>> REPLACE\n```\n"


class Desk:
    """A session's folder, a coder over a scripted model, and what came of one edit."""

    def __init__(self, tmp_path: Path, files: dict[str, str] | None = None) -> None:
        self.folder = tmp_path / "repo"
        self.calls = tmp_path / "calls"
        for name, text in (files or FILES).items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        self.before = self.texts()
        self.model = ScriptedModel([])

    def texts(self) -> dict[str, str]:
        return {p.relative_to(self.folder).as_posix(): p.read_text() for p in self.folder.rglob("*") if p.is_file()}

    def edit(
        self,
        script: Script,
        editable: tuple[str, ...] = ("experiment.py",),
        read_only: tuple[str, ...] = ("evaluate.py",),
        instruction: str = "Set d_sae to 1024.",
    ) -> EditResult:
        self.model = ScriptedModel(script)
        recorded = RecordedCalls(self.model, self.calls, lambda record: None, lambda *ahead: None)
        return AiderCoder(recorded.ask).edit(
            self.folder, editable, instruction, step=STEP, role="editor", read_only=read_only
        )

    def changed(self) -> dict[str, str]:
        now = self.texts()
        names = {*now, *self.before}
        return {name: now.get(name, "(gone)") for name in names if now.get(name) != self.before.get(name)}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_matching_block_changes_the_file(desk: Desk):
    result = desk.edit([block("d_sae = 512\n", "d_sae = 1024\n")])

    assert (result.changed, result.refused) == (("experiment.py",), "")
    assert result.reply.startswith("I change it.")
    assert desk.changed() == {"experiment.py": CODE.replace("512", "1024")}


def test_the_model_sees_the_files_and_the_instruction_once(desk: Desk):
    desk.edit([block("d_sae = 512\n", "d_sae = 1024\n")])
    prompt = desk.model.prompt(STEP)

    assert [m.role for m in desk.model.history[0][1]] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert prompt.count("d_sae = 512") == 1
    assert prompt.count("def evaluate(z)") == 1
    assert prompt.count("Set d_sae to 1024.") == 1
    assert "no notes" not in prompt
    assert prompt.count("Rules for a block") == 1


def test_a_block_that_does_not_match_is_answered_with_similar_lines_and_mended(desk: Desk):
    wrong = block("def loss(x, xhat):\n    return ((x - x_hat) ** 2).mean()\n", "def loss(x, x_hat):\n    return 0\n")
    right = block("    return ((x - x_hat) ** 2).mean()\n", "    return 0\n")
    result = desk.edit([wrong, right])

    assert result.changed == ("experiment.py",)
    assert desk.model.asked == [(STEP, 1), (STEP, 2)]
    assert "does not match the file" in desk.model.prompt(STEP, 2)
    assert "Did you mean these lines of the file?" in desk.model.prompt(STEP, 2)
    assert "def loss(x, x_hat):" in desk.model.prompt(STEP, 2)


def test_a_block_that_never_matches_is_a_mismatch_and_nothing_of_the_edit_is_kept(desk: Desk):
    half = block("d_sae = 512\n", "d_sae = 1024\n") + block("nowhere = 1\n", "nowhere = 2\n")
    result = desk.edit([half, *[block("nowhere = 1\n", "nowhere = 2\n")] * 3])

    assert (result.changed, result.refused) == ((), "mismatch")
    assert "nowhere = 1" in result.detail
    assert len(desk.model.history) == 4
    assert "The other 1 blocks were applied" in desk.model.prompt(STEP, 2)
    assert desk.changed() == {}


def test_giving_up_after_a_mismatch_is_still_a_mismatch(desk: Desk):
    result = desk.edit([block("nowhere = 1\n", "nowhere = 2\n"), "It is fine as it is."])

    assert result.refused == "mismatch"


def test_an_answer_without_a_block_is_refused(desk: Desk):
    result = desk.edit(["You should set d_sae to 1024:\n```python\nd_sae = 1024\n```\n"])

    assert result.refused == "no-block"
    assert "```python" in result.reply
    assert desk.changed() == {}


def test_a_block_that_changes_nothing_is_refused(desk: Desk):
    assert desk.edit([block("d_sae = 512\n", "d_sae = 512\n")]).refused == "no-change"


@pytest.mark.parametrize(
    "file",
    ["evaluate.py", "notes.txt", "helpers.py", "../outside.py", "/etc/hostname", "sub/experiment.md", ".git/config"],
)
def test_a_block_for_another_file_is_refused_and_so_is_all_else_in_the_answer(desk: Desk, file: str):
    good = block("d_sae = 512\n", "d_sae = 1024\n")
    result = desk.edit([good + block("def evaluate(z):\n", "def evaluate(z, cheat=1):\n", file)])

    assert result.refused == "forbidden-file"
    assert file in result.detail
    assert desk.changed() == {}
    assert len(desk.model.history) == 1


@pytest.mark.parametrize("file", ["evaluate.py", "new.py"])
def test_a_whole_new_file_is_refused(desk: Desk, file: str):
    result = desk.edit([block("", "print('all metrics are 1')\n", file)])

    assert result.refused == "forbidden-file"
    assert desk.changed() == {}


def test_a_block_for_a_shown_file_is_not_tried_on_the_editable_one(desk: Desk):
    """aider would: `evaluate.py` does not hold these lines, `experiment.py` does."""
    assert desk.edit([block("d_sae = 512\n", "d_sae = 1\n", "evaluate.py")]).refused == "forbidden-file"


def test_a_read_only_name_close_to_the_editable_one_stays_itself(tmp_path: Path):
    desk = Desk(tmp_path, {"experiment.py": CODE, "experiment_0.py": CODE})
    result = desk.edit([block("d_sae = 512\n", "d_sae = 1\n", "experiment_0.py")], read_only=("experiment_0.py",))

    assert result.refused == "forbidden-file"


def test_of_several_matching_places_none_is_changed_until_the_model_says_which(tmp_path: Path):
    desk = Desk(tmp_path, {"experiment.py": "k = 1\nx = 2\nk = 1\ny = 3\n"})
    result = desk.edit([block("k = 1\n", "k = 8\n"), block("k = 1\ny = 3\n", "k = 8\ny = 3\n")], read_only=())

    assert "matches 2 places" in desk.model.prompt(STEP, 2)
    assert result.changed == ("experiment.py",)
    assert desk.changed() == {"experiment.py": "k = 1\nx = 2\nk = 8\ny = 3\n"}


def test_a_first_line_that_ends_with_the_file_s_name_is_not_lost(tmp_path: Path):
    desk = Desk(tmp_path, {"experiment.py": "# this is experiment.py\nk = 1\n"})
    desk.edit([block("# this is experiment.py\nk = 1\n", "k = 8\n")], read_only=())

    assert desk.changed() == {"experiment.py": "k = 8\n"}


def test_an_empty_search_does_not_append_to_a_file_that_says_something(desk: Desk):
    result = desk.edit([block("", CODE.replace("512", "1024")), block("d_sae = 512\n", "d_sae = 1024\n")])

    assert "has an empty SEARCH, but the file is not empty" in desk.model.prompt(STEP, 2)
    assert result.changed == ("experiment.py",)
    assert desk.changed() == {"experiment.py": CODE.replace("512", "1024")}


def test_after_two_mismatches_the_whole_file_is_offered_and_taken(desk: Desk):
    miss, whole = block("nowhere = 1\n", "x\n"), CODE.replace("512", "1024")
    result = desk.edit([miss, miss, f"experiment.py\n```python\n{whole}```\n"])

    assert "whole" not in desk.model.history[1][1][-1].content
    assert "Or send experiment.py whole" in desk.model.history[2][1][-1].content
    assert (result.changed, desk.changed()) == (("experiment.py",), {"experiment.py": whole})


def test_a_part_of_a_file_is_not_taken_for_the_whole(desk: Desk):
    miss, part = block("nowhere = 1\n", "x\n"), "experiment.py\n```python\nd_sae = 1024\n```\n"
    result = desk.edit([miss, miss, part, part])

    assert result.refused == "mismatch"
    assert "has 1 lines where the file has 4" in result.detail
    assert desk.changed() == {}


def test_a_cut_answer_is_applied_in_no_part_and_asked_for_again(desk: Desk):
    good = block("d_sae = 512\n", "d_sae = 1024\n")
    result = desk.edit([good + "experiment.py\n```\n<<<<<<< SEARCH\nimport torch\n=======\nimport", good])

    said = desk.model.history[1][1]
    assert "seems to be cut. Nothing of this answer was applied" in said[-1].content
    assert f"\n{CODE}" in said[3].content  # the file as it is shown again
    assert result.changed == ("experiment.py",)


def test_blocks_that_are_sent_again_after_a_partial_failure_are_no_mismatch(desk: Desk):
    insert = block("import torch\n", "import math\nimport torch\n")
    wrong, right = block("d_sae = 511\n", "d_sae = 8\n"), block("d_sae = 512\n", "d_sae = 8\n")
    result = desk.edit([insert + wrong, insert + right])

    assert len(desk.model.history) == 2
    assert (result.refused, desk.changed()) == ("", {"experiment.py": "import math\n" + CODE.replace("512", "8")})


def test_a_sentence_of_a_paragraph_is_changed_inside_its_line_or_the_closest_is_named(tmp_path: Path):
    desk = Desk(tmp_path, {"results.md": "# Results\n\nThe run is better. It took an hour. We stop here.\n"})
    wrong, right = block("It took one hour.\n", "", "results.md"), block("It took an hour.\n", "", "results.md")
    desk.edit([wrong, right], ("results.md",), ())

    assert "Did you mean this sentence of the file?\nIt took an hour." in desk.model.prompt(STEP, 2)
    assert desk.changed() == {"results.md": "# Results\n\nThe run is better. We stop here.\n"}


def test_of_several_files_words_name_the_one_that_may_be_changed(desk: Desk):
    said = "As `evaluate.py` wants it, in `notes.txt`:"
    result = desk.edit([block("no notes\n", "notes\n", said)], ("experiment.py", "notes.txt"))

    assert result.changed == ("notes.txt",)


def test_an_empty_or_missing_section_is_filled_by_an_empty_search(tmp_path: Path):
    desk = Desk(tmp_path, {"sections/method.md": "", "sections/results.md": "# Results\n\n```\ncode\n```\n"})
    result = desk.edit(
        [block("", "# Method\n\n$x = 1$\n", "sections/method.md") + block("", "New.\n", "sections/outlook.md")],
        ("sections/method.md", "sections/outlook.md"),
        ("sections/results.md",),
    )

    assert result.changed == ("sections/method.md", "sections/outlook.md")
    assert desk.changed() == {"sections/method.md": "# Method\n\n$x = 1$\n", "sections/outlook.md": "New.\n"}


def test_markdown_with_fences_is_edited_inside_longer_fences(tmp_path: Path):
    desk = Desk(tmp_path, {"results.md": "# Results\n\n```\ncode\n```\nold words\n"})
    answer = (
        "results.md\n````markdown\n<<<<<<< SEARCH\n```\nold words\n=======\n```\nnew words\n>>>>>>> REPLACE\n````\n"
    )
    result = desk.edit([answer], ("results.md",), ())

    assert result.changed == ("results.md",)
    assert "The fence is ```` and ````." in desk.model.prompt(STEP)
    assert desk.changed() == {"results.md": "# Results\n\n```\ncode\n```\nnew words\n"}


def test_deleting_lines_and_several_blocks_work(desk: Desk):
    result = desk.edit([block("import torch\n\n", "") + block("d_sae = 512\n", "d_sae = 1024\nk = 8\n")])

    assert result.refused == ""
    assert desk.changed() == {"experiment.py": CODE.replace("import torch\n\n", "").replace("512", "1024\nk = 8")}


def test_shell_commands_urls_and_slash_commands_are_only_words(desk: Desk, tmp_path: Path):
    marker = tmp_path / "ran"
    answer = f"```bash\ntouch {marker}\n```\nSee https://127.0.0.1:9/x and add notes.txt to the chat.\n" + block(
        "d_sae = 512\n", "d_sae = 1024\n"
    )
    result = desk.edit([answer], instruction=f"/run touch {marker} https://127.0.0.1:9/page")

    assert result.changed == ("experiment.py",)
    assert not marker.exists()
    assert "/run touch" in desk.model.history[0][1][-1].content
    assert len(desk.model.history) == 1


@pytest.mark.parametrize(
    "failure",
    [InfrastructureError("no key"), BudgetSpent("--max-usd 1"), KeyboardInterrupt(), SystemExit(3), ValueError("bug")],
    ids=lambda failure: type(failure).__name__,
)
@pytest.mark.parametrize("place", [0, 1])
def test_what_the_model_raises_comes_through_aider_unchanged(desk: Desk, failure: BaseException, place: int):
    script = [block("nowhere\n", "x\n")] * place + [failure]
    with pytest.raises(type(failure)) as caught:
        desk.edit(script)

    assert caught.value is failure
    assert desk.changed() == {}


def test_an_empty_answer_is_an_error_and_never_an_edit(desk: Desk):
    with pytest.raises(InfrastructureError, match="an empty answer"):
        desk.edit([" "])


def test_a_repeated_edit_replays_its_calls_and_ends_the_same(desk: Desk):
    script = [block("nowhere\n", "x\n"), block("d_sae = 512\n", "d_sae = 1024\n")]
    first = desk.edit(script)
    (desk.folder / "experiment.py").write_text(CODE)

    assert desk.edit([]) == first
    assert desk.model.history == []
    assert desk.changed() == {"experiment.py": CODE.replace("512", "1024")}


@pytest.mark.parametrize(
    "answer",
    [
        "<<<<<<< SEARCH\n",
        "experiment.py\n```\n<<<<<<< SEARCH\nd_sae = 512\n",
        "<<<<<<< SEARCH\n=======\n>>>>>>> REPLACE\n",
        ">>>>>>> REPLACE\n=======\n<<<<<<< SEARCH\n",
        "experiment.py\n<<<<<<< SEARCH\n```\n=======\n```\n>>>>>>> REPLACE\n",
        "\x00\x1b[31m" + block("\x00", "\x00"),
        block("...\n", "...\nx\n"),
        block("x" * 300_000 + "\n", "y\n"),
        "".join(block(f"line {n}\n", f"other {n}\n") for n in range(400)),
        "experiment.py\n<<<<<<< SEARCH\n" * 3000,
    ],
    ids=range(10),
)
def test_a_malformed_answer_is_refused_with_a_bounded_reason(desk: Desk, answer: str):
    result = desk.edit([answer] * 4)

    assert result.refused in {"no-block", "mismatch"}
    assert 0 < len(result.detail) < MAX_DETAIL + 100
    assert desk.changed() == {}
    assert all(len(messages[-1].content) < 20_000 for _, messages in desk.model.history)


def test_words_in_the_place_of_a_name_mean_the_only_file(desk: Desk):
    assert desk.edit([block("d_sae = 512\n", "d_sae = 1\n", "Here is the change:")]).changed == ("experiment.py",)


def test_words_in_the_place_of_a_name_are_asked_about_when_there_are_several_files(desk: Desk):
    result = desk.edit(
        [block("d_sae = 512\n", "d_sae = 1\n", "Here it is:"), block("d_sae = 512\n", "d_sae = 1\n")],
        ("experiment.py", "notes.txt"),
    )

    assert "write one of experiment.py, notes.txt above it" in desk.model.prompt(STEP, 2)
    assert result.changed == ("experiment.py",)


def test_a_symlink_is_neither_shown_nor_edited(desk: Desk, tmp_path: Path):
    (tmp_path / "secret").write_text("secret")
    (desk.folder / "link.py").symlink_to(tmp_path / "secret")

    for editable, read_only in ((("link.py",), ()), (("experiment.py",), ("link.py",)), (("../secret",), ())):
        with pytest.raises(InfrastructureError, match=r"symlink|not a path inside"):
            desk.edit(["never asked"], editable, read_only)
    assert desk.model.history == []


def test_a_key_that_is_refused_stops_the_edit_over_http(desk: Desk):
    with FakeProvider([error(401, "bad key")]) as provider:
        model = LiteLLMModel({"editor": "openai/gpt-4o"}, timeout_s=5, api_base=provider.url, notify=str)
        calls = RecordedCalls(model, desk.calls, lambda record: None, lambda *ahead: None)
        with pytest.raises(InfrastructureError, match="OPENAI_API_KEY"):
            AiderCoder(calls.ask).edit(desk.folder, ["experiment.py"], "Go.", step=STEP, role="editor")

    assert len(provider.history) == 1
    assert desk.changed() == {}


def test_an_edit_over_http_waits_out_faults_and_mends_a_block(desk: Desk):
    said: list[str] = []
    script = [
        error(529, "overloaded"),
        reply(block("nowhere\n", "x\n")),
        reply(""),
        reply(block("d_sae = 512\n", "d_sae = 1024\n")),
    ]
    with FakeProvider(script) as provider:
        model = LiteLLMModel(
            {"editor": "openai/gpt-4o"},
            timeout_s=5,
            api_base=provider.url,
            notify=said.append,
            sleep=lambda seconds: None,
        )
        calls = RecordedCalls(model, desk.calls, lambda record: None, lambda *ahead: None)
        result = AiderCoder(calls.ask).edit(desk.folder, ["experiment.py"], "Go.", step=STEP, role="editor")

    assert result.changed == ("experiment.py",)
    assert len(provider.history) == 4
    assert len(said) == 2
    assert sorted(path.name for path in desk.calls.iterdir()) == [f"{STEP}.1.json", f"{STEP}.2.json"]


def test_aider_prints_nothing_leaves_no_trace_and_needs_no_home(tmp_path: Path):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    (work / "experiment.py").write_text(CODE)
    (work / ".env").write_text("PLANTED=1\n")
    code = (
        "import os, sys\nbefore = dict(os.environ)\nfrom pathlib import Path\n"
        "from agent.llm.editing.coder import AiderCoder\n"
        "from agent.core.protocols import Reply\nassert 'aider' not in sys.modules\n"
        f"script = [{block('nowhere', 'x')!r}, {block('d_sae = 512' + chr(10), 'd_sae = 1' + chr(10))!r}]\n"
        "result = AiderCoder(lambda step, role, messages: Reply(script.pop(0), 'm')).edit(\n"
        "    Path.cwd(), ['experiment.py'], 'see https://example.org', step='s', role='editor')\n"
        "assert result.changed == ('experiment.py',), result\n"
        "added = {k for k in os.environ if os.environ[k] != before.get(k)}\n"
        "assert not added & {'OR_SITE_URL', 'OR_APP_NAME', 'PLANTED'}, added\n"
    )
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(home), "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=work, capture_output=True, text=True, timeout=60, check=False, env=env
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(home.iterdir()) == []
    assert sorted(p.name for p in work.iterdir()) == [".env", "experiment.py"]


FORMS = {
    "a block": [block("d_sae = 512\n", "d_sae = 1024\n")],
    "an indented block": ["1. So:\n   <<<<<<< SEARCH\n   d_sae = 512\n   =======\n   d_sae = 1\n   >>>>>>> REPLACE\n"],
    "a diff": ["--- a/experiment.py\n+++ b/experiment.py\n@@ -3 +3 @@\n-d_sae = 512\n+d_sae = 1024\n"],
    "a whole file": [block("no\n", "x\n")] * 2 + [f"experiment.py\n```python\n{CODE.replace('512', '1024')}```\n"],
}


@pytest.mark.parametrize("script", FORMS.values(), ids=FORMS)
def test_every_change_reaches_a_file_through_aiders_replacing_of_a_block(desk: Desk, script: list[str]):
    from aider.coders.editblock_coder import replace_most_similar_chunk

    through: list[object] = []
    sys.setprofile(lambda frame, event, arg: through.append(frame.f_code) if event == "return" else None)
    try:
        result = desk.edit(script)
    finally:
        sys.setprofile(None)

    assert result.changed == ("experiment.py",)
    assert through.count(replace_most_similar_chunk.__code__) == 1


@pytest.mark.parametrize("search, whole", [("d_sae = 512\n", False), ("", True)])
def test_a_change_is_what_the_replacing_makes_of_it_or_none(desk: Desk, search: str, whole: bool):
    for made in (None, "something else\n"):
        files = Files(desk.folder, lambda text, old, new, made=made: made)
        new = CODE.replace("512", "1024") if whole else "d_sae = 1024\n"

        assert "cannot be applied for sure" in files.apply(Block("experiment.py", ((search, new),)), whole=whole)
        assert desk.changed() == {}


def test_only_one_module_imports_aider():
    sources = {path.name: path.read_text() for path in ROOT.glob("agent/**/*.py")}

    assert [n for n, text in sources.items() if "import aider\n" in text or "from aider" in text] == ["aider_edit.py"]
