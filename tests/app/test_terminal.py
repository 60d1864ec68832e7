"""What launch.py prints arrives as words on any terminal, pipe or file; where it cannot arrive, that is one line."""

import os
import subprocess
import sys

import pytest

from agent.app.console import TerminalConsole
from agent.app.terminal import Terminal
from agent.core.protocols import Progress
from agent.core.visible import line, visible
from tests.support import ROOT

BAD = {
    "a colour": ("\x1b[31mred", r"\x1b[31mred"),
    "the title of the window": ("\x1b]0;yours\x07", r"\x1b]0;yours\x07"),
    "a link, which shows other words than its address": ("\x1b]8;;http://a\x1b\\b", r"\x1b]8;;http://a\x1b\b"),
    "the clipboard": ("\x1b]52;c;cm0=\x07", r"\x1b]52;c;cm0=\x07"),
    "a C1 control": ("\x9b2J", r"\x9b2J"),
    "a line that is written over": ("NOT VERIFIED\rverified", r"NOT VERIFIED\rverified"),
    "letters from right to left": ("gpj.\u202egnp.exe", r"gpj.\u202egnp.exe"),
    "isolated letters": ("\u2066x\u2069", r"\u2066x\u2069"),
    "a letter without width": ("pay\u200bpal", r"pay\u200bpal"),
    "a byte that is no letter": ("\udcff", r"\udcff"),
    "another end of a line": ("a\u2028b\x85c", r"a\u2028b\x85c"),
}
PLAIN = "F1 0.51 ± 0.02, naïve → 3 × 4\u00a0…"


def typed(*words, before="", after="", **environment):
    """launch.py from a shell, with more before and after it; its exit status, and what came out."""
    command = f"{before} {sys.executable} {ROOT / 'launch.py'} {' '.join(map(str, words))} {after}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, env={**os.environ, **environment}, timeout=120
    )
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr, done.stderr.decode()
    return done


@pytest.mark.parametrize("text,shown", BAD.values(), ids=BAD)
def test_what_a_terminal_would_obey_is_shown_and_the_rest_stays(tmp_path, text, shown):
    assert visible(f"{PLAIN}{text}\n\tx") == f"{PLAIN}{shown}\n\tx"
    assert line(f"a\n{text}") == rf"a\n{shown}"
    with open(tmp_path / "out", "wb") as file, Terminal(file, encoding="utf-8") as out:
        print(text, file=out)
    assert (tmp_path / "out").read_text() == f"{shown}\n"


@pytest.mark.parametrize("text", [text for text, _ in BAD.values()], ids=BAD)
def test_the_console_says_it_without_control_characters_and_draws_its_own(tmp_path, text):
    with open(tmp_path / "out", "wb") as file, _OnTerminal(file, encoding="utf-8") as out:
        console = TerminalConsole(out, clock=lambda: 0.0)
        console.progress(text, Progress(done=1, total=2, fraction=0.5))
        console.say(text)
    drawn = (tmp_path / "out").read_bytes().decode().replace("\r\x1b[2K", "")
    assert drawn == visible(drawn) and drawn.count("\n") == len(text.splitlines())


def test_who_is_waited_for_is_drawn_on_a_terminal_and_nothing_of_it_stays(tmp_path):
    for kind in (_OnTerminal, Terminal):
        with open(tmp_path / "out", "wb") as file, kind(file, encoding="utf-8") as out:
            console = TerminalConsole(out, clock=lambda: 0.0)
            console.waiting("openai/gpt-4o: 0 s")
            console.waiting("openai/gpt-4o: 1 s")
            console.waiting("")
            console.say("planned")
        drawn = (tmp_path / "out").read_bytes().decode()
        assert [part for part in drawn.split("\r\x1b[2K") if part] == (
            ["       openai/gpt-4o: 0 s", "       openai/gpt-4o: 1 s", "  0:00 planned\n"]
            if kind is _OnTerminal
            else ["  0:00 planned\n"]
        )


class _OnTerminal(Terminal):
    def isatty(self):
        return True


def test_a_name_with_a_line_in_it_is_one_line_of_complaint():
    done = typed("--resume", r"$'last\nlaunch.py: all is well\e[8m'")
    assert done.returncode == 2
    assert rb"last\nlaunch.py: all is well\x1b[8m" in done.stderr and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("command", ["--list", "--help"])
def test_a_reader_who_has_seen_enough_ends_it_without_a_word(command):
    done = typed(command, after="| true")
    assert done.stderr == b"" and done.returncode in (0, 130)  # 0: it was quicker than `true`


def test_closed_streams_are_no_fault_and_a_full_disk_is_one_line():
    assert typed("--list", after=">&-").returncode == 0
    assert typed("--status", after=">&- 2>&- <&-").returncode == 0
    done = typed("--help", after="> /dev/full")
    assert done.returncode == 3 and done.stderr.count(b"\n") == 1 and b"make room" in done.stderr


def test_no_file_that_is_opened_later_stands_in_for_a_closed_stdout():
    done = program("import sys; print(open('/dev/zero').fileno() > 2, file=sys.stderr)", after=">&-")
    assert done.stderr == b"True\n"


@pytest.mark.parametrize(
    "environment", ["PYTHONIOENCODING=ascii", "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0"], ids=["asked", "locale"]
)
def test_a_terminal_that_knows_ascii_alone_gets_plain_signs(environment):
    done = program(f"print({ascii(PLAIN)})", before=f"export {environment};")
    assert done.stdout.startswith(rb"F1 0.51 +- 0.02, na\xefve -> 3 x 4"), done.stderr
    assert done.stdout.isascii()


def program(text, before="", after=""):
    """A program that prints as launch.py does."""
    text = f"from agent.app import terminal; terminal.prepare(); {text}"
    command = f'{before} {sys.executable} -c "{text}" {after}'
    return subprocess.run(["bash", "-c", command], capture_output=True, cwd=ROOT, timeout=60)


def test_modules_on_pythonpath_or_in_the_folder_do_not_stand_in_for_pythons_and_ours(tmp_path):
    for name in ("json", "argparse", "tomllib", "agent", "rich", "pydantic"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    done = typed("--list", before=f"cd {tmp_path};", PYTHONPATH=str(tmp_path), PYTHONSAFEPATH="1")
    assert done.returncode == 0 and b"shadowed" not in done.stderr, done.stderr
