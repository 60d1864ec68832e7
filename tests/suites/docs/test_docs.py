"""docs/: every command on the pages runs, every message quoted is one that is printed, the tables are generated.

`python tests/suites/docs/test_docs.py` writes docs/refusals.md anew.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.app.arguments import parse
from agent.app.commands import COMMANDS, OPTIONS
from agent.core.errors import UserError
from agent.core.options import ROLES, Models
from agent.lab import integrity
from paper.truth.complaints import CODES
from tests.support import ROOT, sampling
from tests.support.published import in_form_of_sae_lens
from tests.support.whole import Script, Whole

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
OTHERS = {"templates.md", "from-a-repository.md"}  # have tests of their own, which build what the pages build
KEYS = {"OPENAI_API_KEY": "sk-none", "ANTHROPIC_API_KEY": "sk-none", "OPENROUTER_API_KEY": "sk-none"}
# CI itself, views without an end, tests/suites/app/test_api.py, gigabytes of packages, tests/suites/slurm
ELSEWHERE = (
    "make setup",
    "--executor slurm",
    "sinfo",
    "squeue",
    "sbatch",
    "--follow",
    "--serve",
    "docs/own_model.py",
    "--setup-saebench",
)
FOREIGN = {"--depth", "--help", "--security-opt"}  # of git, of every command, of docker


def commands():
    for page in PAGES:
        if page.name not in OTHERS:
            for block in BLOCK.findall(page.read_text()):
                yield from (
                    pytest.param(line, id=f"{page.stem}: {line[:60]}")
                    for line in block.splitlines()
                    if line and not any(word in line for word in ELSEWHERE)
                )


@pytest.fixture(scope="module")
def place(tmp_path_factory, stages):
    """A folder as a reader has it: the checkout's launch.py, a finished session in workspace/, ideas beside."""
    folder = tmp_path_factory.mktemp("reader")
    models = Models(**dict.fromkeys(ROLES, "openai/gpt-4o"))
    chosen = {"runs": 1, "baselines": ("topk",), "models": models}
    whole = Whole(folder / "workspace", Script(1), cache=stages.cache, **chosen)
    whole.play()
    for name in ("launch.py", "agent", "paper", "templates", "ideas", "tests", ".venv"):
        (folder / name).symlink_to(ROOT / name)
    in_form_of_sae_lens(folder / "my_sae", 96, 192)
    in_form_of_sae_lens(folder / "my_lm_sae", 64, 192)
    (folder / "my_venue").mkdir()
    (folder / "my_venue" / "preamble.tex").write_text("\\documentclass{article}\n")
    idea = re.search(r"```json\n(.*?)```", (DOCS / "ideas.md").read_text(), re.DOTALL)[1]
    (folder / "slow_start.json").write_text(idea)
    (folder / "my_ideas.json").write_text(idea.replace("slow_start", "my_idea"))
    return folder, whole.paths.root.name


@pytest.mark.parametrize("command", sampling.sample(list(commands()), 16, "commands of the pages"))
def test_a_command_of_the_pages_runs(place, command):
    folder, session = place
    line = command.replace("<session>", session).replace("=...", "=sk-none")
    line = re.sub(r"(?<!\S)\./launch\.py", f"{sys.executable} launch.py", line)
    if "elsewhere" in line:  # cloned to by one line and verified by the next, of which one alone may be tried
        clone = folder / "elsewhere"
        shutil.rmtree(clone, ignore_errors=True)
        if "git clone" not in line:
            subprocess.run(["git", "clone", "-q", folder / "workspace" / session / "repo", clone], check=True)
    if "--generate-ideas" in line:
        line = re.sub(r"--model \S+", "--playback nowhere", line)
    elif "--idea" in line and "--dry-run" not in line:
        line += " --dry-run"
    if "--dry-run" in line:
        line += " --offline"  # the providers' own servers are out of a test's reach
    if "--idea" in line and "--model" not in line and "hierarchical" not in line:
        line += " --model openai/gpt-4o"
    done = subprocess.run(
        line,
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, **KEYS, "EXPERIMENT_RUNNER_WORKSPACE": "workspace"},
    )
    assert "Traceback" not in done.stderr and "usage:" not in done.stderr, done.stderr
    if "--generate-ideas" in line:
        assert "nowhere: no such folder" in done.stderr
    elif "--device cuda" in line and not Path("/dev/nvidiactl").exists():
        assert "no NVIDIA driver on this machine; use --device cpu" in done.stderr
    else:
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_on_the_pages_is_taken():
    for page in PAGES:
        for words in re.findall(r"\./launch\.py ([^`\n]*)", page.read_text()):
            assert parse(shlex.split(words, comments=True)).command, (page.name, words)


def test_every_option_that_the_pages_name_exists():
    ours = {*OPTIONS, *(f"--{name}" for name in COMMANDS)}
    for page in PAGES:
        for option in re.findall(r"`(--[a-z][a-z-]+)", page.read_text()):
            assert option in ours | FOREIGN, (page.name, option)


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)


def test_every_message_that_is_quoted_is_one_of_ours():
    sources = [*ROOT.glob("agent/**/*.py"), *ROOT.glob("paper/**/*.py"), ROOT / "launch.py", ROOT / "setup.sh"]
    text = re.sub(r'"\s*\n\s*f?"', "", "\n".join(p.read_text() for p in sources))
    rows = re.findall(r"^\| (`.*?) \| ", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)
    assert len(rows) > 20
    for message in re.findall(r"`([^`]+)`", " ".join(rows)):
        if message == "Traceback":
            continue
        for part in re.split(r"\.\.\.|\bN\b", message):
            assert part.strip() in text, message


def test_the_python_of_the_page_is_valid_and_its_names_are_public():
    import agent

    code = re.search(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), re.DOTALL)[1]
    compile(code, "python.md", "exec")
    assert set(re.findall(r"`agent\.(\w+)`", (DOCS / "python.md").read_text())) <= set(agent.__all__)
    with pytest.raises(UserError, match="not found"):
        agent.run("no_such_idea", workspace="nowhere")


def test_the_table_of_refusals_is_generated():
    assert (DOCS / "refusals.md").read_text() == refusals(), "run: python tests/suites/docs/test_docs.py"


def refusals() -> str:
    lines = [
        "# Refusals",
        "",
        "Generated by `python tests/suites/docs/test_docs.py`.",
        "",
        "## Of a result",
        "",
        "A refused attempt goes back to the editor with the reasons, never with its metrics. A flag stands in the",
        "record, the notes and the paper's appendix. `make redteam` shows what caught which of the cheats planted.",
        "",
        "| code | does | about |",
        "| --- | --- | --- |",
        *(f"| `{code}` | {does} | {' '.join(about.split())} |" for code, does, about in integrity.catalogue()),
        "",
        "## Of a sentence",
        "",
        "Worst first. A complaint goes back to the writer with its place and its mend; what is left after the",
        "bounded rounds is cut and listed in the appendix.",
        "",
        "| code | what | mend |",
        "| --- | --- | --- |",
        *(f"| `{code}` | {what} | {mend} |" for code, (what, mend) in CODES.items()),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    (DOCS / "refusals.md").write_text(refusals())
