"""What a person sees while a session works: every wait shows that it lives, and nothing falls back or is cut."""

import io
import json
import re

import pytest

from agent.app.console import TerminalConsole
from agent.app.wording import duration, training_words
from agent.core.protocols import Progress


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Screen(io.StringIO):
    """A terminal, or a file; what was drawn on it, a part for each overwriting of the live line."""

    def __init__(self, terminal=True):
        super().__init__()
        self.isatty = lambda: terminal

    def drawn(self):
        return [part for part in self.getvalue().split("\r\x1b[2K") if part]


@pytest.fixture
def clock():
    return Clock()


def console(screen, clock, loudness="normal", width=60):
    return TerminalConsole(screen, clock, loudness, lambda: width)


def test_progress_is_in_words_within_the_terminal_s_width(clock):
    screen = Screen()
    shown = console(screen, clock, width=100)
    shown.progress("run 1 (Tiered)", Progress(0, 3, 0.0, step=1, steps=2343, loss=90.0))
    clock.now = 20.0
    shown.progress("run 1 (Tiered)", Progress(1, 3, 0.5, step=2277, steps=2343, loss=71.234))
    last = screen.drawn()[-1]
    assert "run 1 (Tiered)" in last and "50%" in last
    assert "1 of 3 trained, step 2277/2343, loss 71.2, 0:20 left" in last
    assert "█" in last and len(last) < 100
    for width in (80, 30):
        console(screen, clock, width=width).progress(
            "run 1 (Annealed)", Progress(1, 3, 0.5, step=7, steps=2343, loss=7)
        )
        assert len(screen.drawn()[-1]) < width
    assert "loss 7" in screen.drawn()[-2]


def test_what_is_left_never_grows_while_nothing_gets_further(clock):
    screen = Screen()
    shown = console(screen, clock, width=100)
    lefts = []
    for now, fraction in ((0.0, 0.0), (20.0, 0.5), (30.0, 0.5), (45.0, 0.5)):
        clock.now = now
        shown.progress("run 1", Progress(1, 3, fraction, step=7, steps=9, loss=1.0))
        lefts.append(re.findall(r"(\d:\d\d) left", screen.drawn()[-1]))
    assert lefts == [[], ["0:20"], ["0:10"], []]  # late at last: nobody knows how much


def test_the_bar_never_falls_back_and_measuring_is_a_phase(clock):
    screen = Screen()
    shown = console(screen, clock, width=100)
    for fraction, phase in ((0.6, "training"), (0.2, "measuring")):
        shown.progress("run 1", Progress(2, 3, fraction, phase=phase, step=5, steps=9))
    assert [re.search(r"\d+%", part)[0] for part in screen.drawn()] == ["60%", "60%"]
    assert "measuring" in screen.drawn()[-1] and "step" not in screen.drawn()[-1]
    shown.say("Run 1: training")  # another attempt begins anew
    shown.progress("run 1", Progress(0, 3, 0.1))
    assert "10%" in screen.drawn()[-1]


def test_no_estimate_is_made_of_next_to_nothing():
    assert training_words(Progress(0, 3, 0.0), None) == "0 of 3 trained"
    assert [duration(s) for s in (4, 74, 3674)] == ["0:04", "1:14", "1:01:14"]


def test_a_silent_wait_shows_on_a_terminal_what_goes_on_and_for_how_long(clock):
    screen = Screen()
    shown = console(screen, clock)
    shown.say("Preparing data: tiny")
    shown.beat()
    assert "0:00 Preparing data: tiny\n" in screen.getvalue() and len(screen.drawn()) == 1
    clock.now = 75.0
    shown.beat()
    assert screen.drawn()[-1].strip() == "1:15 Preparing data: tiny"
    shown.say("done")
    assert screen.getvalue().endswith("\r\x1b[2K  1:15 done\n")


def test_without_a_terminal_a_line_every_half_minute_says_that_it_lives(clock):
    screen = Screen(terminal=False)
    shown = console(screen, clock)
    shown.say("Run 1: training")
    for second in range(70):
        clock.now = float(second)
        shown.progress("run 1", Progress(1, 3, 0.5, step=7, steps=9))
        shown.beat()
    lines = screen.getvalue().splitlines()
    assert len(lines) == 3 and "\x1b" not in screen.getvalue()
    assert lines[1] == "  0:30   still at it, for 0:30: run 1: 1 of 3 trained, step 7/9"


def test_long_lines_are_wrapped_on_a_terminal_and_whole_in_a_file(clock):
    words = "  novelty: " + "incremental work " * 20
    for terminal in (True, False):
        screen = Screen(terminal)
        console(screen, clock).say(words)
        lines = screen.getvalue().splitlines()
        assert (max(map(len, lines)) <= 60) == terminal
        assert (len(lines) == 1) != terminal
        assert " ".join(screen.getvalue().split()[1:]) == " ".join(words.split())


def test_commands_to_copy_are_never_broken(clock):
    screen = Screen()
    console(screen, clock).conclude("Go on with: ./launch.py --resume " + "x " * 60)
    assert screen.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    ("loudness", "seen"),
    [("quiet", ["end"]), ("normal", ["line", "end"]), ("verbose", ["line", "tokens", "end"])],
)
def test_quiet_normal_and_verbose_and_the_log_has_every_line(clock, tmp_path, loudness, seen):
    screen = Screen(terminal=False)
    shown = console(screen, clock, loudness)
    shown.keep(tmp_path / "session.log")
    shown.say("line")
    shown.detail("tokens")
    shown.conclude("end")
    assert [said.split()[-1] for said in screen.getvalue().splitlines()] == seen
    kept = (tmp_path / "session.log").read_text().splitlines()
    assert [re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (.*)", said)[1] for said in kept] == ["line", "tokens", "end"]


def test_a_log_that_is_a_link_is_not_followed(clock, tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "session.log").symlink_to(tmp_path / "precious")
    shown = console(Screen(), clock)
    shown.keep(tmp_path / "session.log")
    shown.say("line")
    assert (tmp_path / "precious").read_text() == "mine"


def test_the_signs_of_life_end_with_what_they_are_for(clock):
    screen = Screen()
    shown = console(screen, clock)
    with shown.living():
        shown.say("working")
    assert json.dumps(screen.getvalue()).count("working") == 1
