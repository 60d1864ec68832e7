"""Several sessions in one command: side by side, within one bound on money, and none harmed by another."""

import json
import os
import signal
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.app import arguments, many
from agent.app.fleet import Many, One, share
from agent.app.many import of_ideas
from agent.core.errors import UserError
from agent.storage.workspace import Workspace
from tests.support import TEMPLATE
from tests.support.fake_provider import FakeProvider, reply
from tests.support.launched import answer, launch

# Stands for launch.py: what a session does is in its idea's name.
SESSION = """
import pathlib, signal, sys, time
what, place = sys.argv[2].split("-")[0], pathlib.Path(sys.argv[sys.argv.index("--place") + 1])
print("  0:00 Session", "20260101_000000_" + sys.argv[2], flush=True)
print("  Watch it    somehow", flush=True)
there = place / sys.argv[2]
there.write_text(" ".join(sys.argv))
if what == "bad":
    sys.exit("it cannot be done")
if what == "meets":
    until = time.monotonic() + 60
    while len(list(place.glob("meets-*"))) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    sys.exit(0 if len(list(place.glob("meets-*"))) == 2 else 3)
if what == "waits":
    def stop(number, frame):
        print("Stopped. It says how to go on", flush=True)
        sys.exit(130)
    signal.signal(signal.SIGINT, stop)
    print("It waits", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def fleet(tmp_path):
    (tmp_path / "session.py").write_text(SESSION)
    (tmp_path / "met").mkdir()
    said = []

    def made(*names, **given):
        launcher = (sys.executable, str(tmp_path / "session.py"))
        options = ("--place", str(tmp_path / "met"))
        return Many(of_ideas(names), Workspace(tmp_path), options, launcher=launcher, say=said.append, **given)

    return made, said


def test_a_session_that_fails_harms_no_other_and_the_status_is_the_worst(fleet, capsys):
    made, said = fleet
    assert made("good-1", "bad-1", "good-2").run() == 1

    assert "bad-1: it cannot be done" in said and "good-2: ended" in said
    assert "good-1: Session 20260101_000000_good-1" in said
    assert not [text for text in said if "somehow" in text]  # where to look at each: --status tells
    table = capsys.readouterr().out
    assert [row.split()[0] for row in table.splitlines()] == ["idea", "good-1", "bad-1", "good-2"]
    assert said[-1].startswith("2 of 3 ended as asked; $0.00 in all")


def test_sessions_run_side_by_side_as_many_as_were_asked_for(fleet):
    made, _ = fleet
    assert made("meets-1", "meets-2", parallel=2).run() == 0


def test_ctrl_c_stops_all_in_order_and_starts_no_more(fleet, tmp_path):
    made, said = fleet
    fleet_ = made("waits-1", "waits-2", "good-1", parallel=2)

    def press():
        while sum("It waits" in text for text in list(said)) < 2:
            pass
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    assert fleet_.run() == 130
    assert sum("Stopped. It says how" in text for text in said) == 2
    assert not (tmp_path / "met/good-1").exists() and fleet_.sessions[2].status is None


def test_each_session_gets_its_part_of_the_money_and_what_one_leaves(fleet, tmp_path):
    made, said = fleet
    fleet_ = made("good-1", "good-2", "good-3", total=9.0, each=4.0)
    assert fleet_.run() == 0
    typed = [(tmp_path / "met" / one.label).read_text() for one in fleet_.sessions]
    assert [words.split("--max-usd ")[1].split()[0] for words in typed] == ["3.000000", "4.000000", "4.000000"]


MONEY = st.floats(0, 100)


@given(MONEY, st.lists(st.tuples(st.sampled_from("wre"), MONEY, st.floats(0, 1)), min_size=1, max_size=8))
def test_the_parts_never_pass_the_total_in_sum(total, drawn):
    sessions = [One("first", ())]
    for state, cap, part in drawn:
        status = 0 if state == "e" else None
        process = None if state == "w" else object()
        cap = cap if state != "w" else None
        sessions.append(One(state, (), cap=cap, spent=part * (cap or 0), status=status, process=process))
    claimed = sum(s.cap if s.process and s.status is None else s.spent for s in sessions)
    for one in sessions:
        if one.process is None:
            one.cap = share(total, sessions, one)
            one.process = object()
    assert sum(s.spent if s.status == 0 else s.cap for s in sessions) <= max(total, claimed) + 1e-6


def test_the_options_of_all_are_typed_again_for_each():
    typed = ["run", "a", "b", "--model", "m", "--price", "1,2.5", "--no-pdf", "--allow", "x y", "--allow", "z"]
    args = arguments.parse([*typed, "--parallel", "2", "--max-usd", "3", "--max-usd-total", "5", "--runs", "2"])
    again = arguments.parse(["run", "a", *many.common_words(args)])

    for name, value in vars(args).items():
        if name not in ("operands", "operand", "idea", *many.OWN):
            assert getattr(again, name) == value, name
    assert again.slots is None and again.max_usd is None and again.parallel is None


def test_the_bound_on_all_bounds_a_session_that_is_alone(tmp_path, idea):
    words = ("--template", TEMPLATE, "--model", "openai/gpt-4o", "--no-pdf", "--api-base", "http://127.0.0.1:9")
    done = launch("run", idea, *words, "--max-usd-total", "0", "--workspace", tmp_path / "ws", OPENAI_API_KEY="sk-x")
    assert done.returncode == 4 and "go on with a higher bound" in done.stdout


def test_a_mistyped_idea_starts_nothing(tmp_path):
    done = launch("run", "hierarchical_sae", "hierarchical_sea", "--workspace", tmp_path / "ws")
    assert done.returncode == 2 and "did you mean hierarchical_sae?" in done.stderr
    assert not (tmp_path / "ws").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "grouped_latents", "hierarchical_sae", "--parallel", "0"), "--parallel 0: give 1 to 256"),
        (("run", "grouped_latents", "hierarchical_sae", "--max-usd-total", "0"), "--max-usd-total 0: give more than 0"),
        (("resume", "all"), "resume all: no session in "),
        (("--ideas", "none.json"), "none.json: no such file"),
        (("status", "a"), "launch.py status: one word too many: a"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, words, said):
    done = launch(*words, "--workspace", tmp_path / "ws")
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1


def test_two_ideas_of_a_file_are_run_and_resume_all_goes_on_with_both(tmp_path, idea):
    one = json.loads(idea.read_text())
    one = one[0] if isinstance(one, list) else one
    (tmp_path / "two.json").write_text(json.dumps([{**one, "Name": "first"}, {**one, "Name": "second"}]))
    words = ("--template", TEMPLATE, "--model", "openai/gpt-4o", "--runs", "1", "--no-pdf", "--stop-after", "plan")
    with FakeProvider(lambda request: reply(answer(request))) as provider:
        base = ("--workspace", tmp_path / "ws", "--parallel", "2")
        done = launch(
            *("--ideas", tmp_path / "two.json", *words, *base, "--api-base", provider.url), OPENAI_API_KEY="sk-x"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "first: Stopped after plan" in done.stdout and "2 of 2 ended as asked" in done.stdout
        on = launch("resume", "all", *base, "--stop-after", "runs", OPENAI_API_KEY="sk-x")
    assert on.returncode == 0 and on.stdout.count("Stopped after runs") == 2, on.stdout + on.stderr
    assert "stopped" not in on.stderr


def test_a_total_below_nothing_is_refused_before_anything_starts():
    with pytest.raises(UserError, match="max-usd-total -1"):
        args = arguments.parse(["run", "a", "b", "--max-usd-total", "-1"])
        many.run_all([], args, Workspace("/nowhere"), "normal")
