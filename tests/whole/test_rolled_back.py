"""A log that was rolled back by hand goes on to its end: what was measured since is found in the repository."""

import shutil
import subprocess

import pytest

from agent.core.errors import InfrastructureError
from agent.storage.log import EventLog
from tests.support.whole import Script, Whole


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    whole = Whole(tmp_path_factory.mktemp("ws"), Script(1), runs=1, baselines=("topk",), stop_after="runs")
    whole.play()
    return whole


def copied(played, tmp_path):
    shutil.copytree(played.workspace.root, tmp_path / "ws")
    return Whole(tmp_path / "ws", Script(1), runs=1, baselines=("topk",), stop_after="runs")


def lines(whole):
    return whole.paths.events.read_bytes().splitlines(keepends=True)


def cut_before(whole, kind, run):
    """Keep the lines before an event of a run, and lose what its training left."""
    events = list(EventLog(whole.paths.events).read())
    place = next(i for i, e in enumerate(events) if e.type == kind and e.run == run)
    whole.paths.events.write_bytes(b"".join(lines(whole)[:place]))
    shutil.rmtree(whole.paths.runs / run)


@pytest.mark.parametrize(("kind", "run"), [("run_measured", "1"), ("run_submitted", "1"), ("run_measured", "0")])
def test_a_log_rolled_back_to_before_a_measurement_takes_the_committed_record(played, tmp_path, kind, run):
    whole = copied(played, tmp_path)
    records = {p.name: p.read_bytes() for p in (whole.paths.repo / "records").iterdir()}
    head, wanted = whole.log(), len(lines(whole))
    cut_before(whole, kind, run)
    shutil.rmtree(whole.workspace.cache / "baselines")  # else run 0 is taken from there
    assert len(lines(whole)) < wanted

    whole.play()

    assert {p.name: p.read_bytes() for p in (whole.paths.repo / "records").iterdir()} == records
    assert whole.log() == head and not list((whole.paths.runs / run).glob("*/trainings"))
    assert any(f"run {run} was measured before" in line for line in whole.console.lines)
    done = subprocess.run(["git", "status", "--porcelain"], cwd=whole.paths.repo, capture_output=True, text=True)
    assert done.stdout == ""


@pytest.mark.parametrize("change", ["deleted", "changed", "swapped", "unchained"])
def test_a_line_removed_or_changed_in_the_middle_is_found_with_its_number(played, tmp_path, change):
    whole = copied(played, tmp_path)
    before = lines(whole)
    after = {
        "deleted": before[:6] + before[7:],
        "changed": [*before[:5], before[5].replace(b'"at":1', b'"at":2', 1), *before[6:]],
        "swapped": [*before[:6], before[7], before[6], *before[8:]],
        "unchained": [*before[:6], before[6].partition(b',"before"')[0] + b"}\n", *before[7:]],
    }[change]
    whole.paths.events.write_bytes(b"".join(after))

    with pytest.raises(InfrastructureError, match="line 7: does not follow line 6.*keep the 6 lines before it"):
        whole.play()

    whole.paths.events.write_bytes(b"".join(before[:5]))  # the advice, taken
    whole.play()
    assert list(EventLog(whole.paths.events).read())


@pytest.mark.parametrize("change", [shutil.rmtree, lambda folder: folder.rename(folder.with_name("elsewhere"))])
def test_a_session_that_is_taken_away_while_a_model_is_asked_stops_and_is_not_made_anew(tmp_path, change):
    def script(messages, call):
        if call.step == "plan":  # before, baselines are trained
            change(whole.paths.root)
        return Script(1)(messages, call)

    whole = Whole(tmp_path, script, runs=1, baselines=("topk",))
    with pytest.raises(InfrastructureError, match="was removed; the reply cannot be kept"):
        whole.play()
    assert not whole.paths.root.exists()
