"""A training that is killed under the real runner goes on from what it saved; nobody else's checkpoint is taken."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from agent.core.record import JobResult
from agent.lab.jobs.local import LocalRunner
from agent.lab.jobs.paths import JobPaths, Supervisor
from agent.lab.measuring.checkpoints import FOLDER, Checkpoints, Note, got_further
from agent.lab.worlds import prepared
from tests.support import until
from tests.support.checkpointed import STEPS, artefact, job, log, note, tiny_world
from tests.support.tiny import SETTINGS, TINY

RUNNER = LocalRunner()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return tiny_world(tmp_path_factory.mktemp("cache"))


def finished(job) -> JobResult:
    until(lambda: RUNNER.state(job) != "running", seconds=120)
    return RUNNER.result(job)


def killed(job) -> None:
    """kill -9 of the supervisor in the middle of a training that has saved itself."""
    RUNNER.submit(job)
    until(lambda: got_further(job), seconds=120)
    owner = Supervisor.model_validate_json(JobPaths.of(job).supervisor.read_bytes())
    os.kill(owner.pid, signal.SIGKILL)
    until(lambda: RUNNER.state(job) == "lost")


@pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap")
def test_a_training_killed_twice_leaves_the_artefact_of_an_undisturbed_one(tmp_path, world):
    first = job(tmp_path / "first", world)
    killed(first)
    seen = note(first)
    again = job(tmp_path / "again", world, key="k2", earlier=(first.folder,))
    killed(again)
    assert not Path(first.folder, FOLDER, "k2-seed0").exists() and note(again).cpu_s > seen.cpu_s
    before = note(again)
    RUNNER.submit(again)  # the same job, as a session submits it that was stopped meanwhile
    resumed = finished(again).trainings[0]
    whole = job(tmp_path / "whole", world, key="k3")
    RUNNER.submit(whole)
    undisturbed = finished(whole).trainings[0]

    assert resumed.outcome == undisturbed.outcome == "measured", resumed.detail
    assert artefact(again) == artefact(whole)
    assert resumed.artefact_sha256 == undisturbed.artefact_sha256 and resumed.metrics == undisturbed.metrics
    assert log(again) == log(whole) and resumed.curves["step"][0] < resumed.curves["step"][-1] == STEPS
    assert resumed.wall_s > before.wall_s and resumed.cpu_s > before.cpu_s
    assert resumed.wall_s > 0.8 * STEPS * 0.006  # the pauses of all three processes
    until(lambda: not Path(again.folder, FOLDER).exists())


def taken(folder: Path, world, **changes) -> Checkpoints:
    """The checkpoint of a training that ended by itself, as a loss would have left it."""
    made = job(folder, world, **changes)
    place = Checkpoints.of(made, 0, "k2")
    place.begin("this training")
    (place.offered / "state").write_bytes(b"parameters")
    place.look(_Running())
    return place


class _Running:
    def used(self):
        from agent.core.sandboxing import Used

        return Used(3.0, 2.0, 10.0)


def test_a_checkpoint_is_handed_back_with_its_cost_to_the_same_training_alone(tmp_path, world):
    place = taken(tmp_path / "a", world)
    kept = place.begin("this training")

    assert kept is not None and kept.read_bytes() == b"parameters"
    assert (place.before.wall_s, place.before.cpu_s, place.before.peak_memory_mb) == (3.0, 2.0, 10.0)
    assert place.begin("another one") is None and place.before.wall_s == 0
    assert place.begin("this training") is None, "what another training found is gone"


@pytest.mark.parametrize("harm", ["changed", "swapped", "torn note", "other file"])
def test_a_damaged_or_planted_checkpoint_is_not_taken(tmp_path, world, harm):
    place = taken(tmp_path / "a", world)
    told = Note.model_validate_json(place.note.read_bytes())
    state = place.root / told.sha256
    if harm == "changed":
        state.write_bytes(b"Parameters")
    elif harm == "swapped":
        state.unlink()
        state.symlink_to("/etc/passwd")
    elif harm == "torn note":
        place.note.write_text(place.note.read_text()[:40])
    else:
        (place.root / "state").write_bytes(b"planted")
        place.note.write_text(told.model_copy(update={"sha256": "state"}).model_dump_json())

    assert place.begin("this training") is None
    assert sorted(path.name for path in place.root.iterdir()) == ["offered"]


@pytest.mark.parametrize("form", ["link", "folder", "too large", "two names"])
def test_what_is_no_plain_file_within_its_bound_replaces_no_checkpoint(tmp_path, world, form):
    place = taken(tmp_path / "a", world)
    saved = place.offered / "state"
    if form == "link":
        saved.symlink_to("/etc/passwd")
    elif form == "folder":
        saved.mkdir()
    elif form == "too large":
        with open(saved, "wb") as file:
            file.truncate(place.most_bytes + 1)
    else:
        (place.offered / "other").write_bytes(b"x")
        saved.hardlink_to(place.offered / "other")
    place._looked = 0.0
    place.look(_Running())

    assert not os.path.lexists(saved)
    kept = place.begin("this training")
    assert kept is not None and kept.read_bytes() == b"parameters"


def test_another_attempt_code_seed_setting_or_data_is_another_training(tmp_path, world):
    from agent.lab.measuring.checkpoints import identity_of

    made = job(tmp_path / "a", world)
    folder, code, task = world.train.parent, {"experiment.py": "1"}, {"seed": 0, "lr": 0.1}
    mine = identity_of(made, folder, code, task)
    other = prepared(TINY, "tiny", SETTINGS, 8, tmp_path / "cache")
    changed = [
        identity_of(made.model_copy(update={"attempt": 2}), folder, code, task),
        identity_of(made.model_copy(update={"run": "2"}), folder, code, task),
        identity_of(made, folder, {"experiment.py": "2"}, task),
        identity_of(made, folder, code, {**task, "seed": 1}),
        identity_of(made, folder, code, {**task, "lr": 0.2}),
        identity_of(made, other.train.parent, code, task),
    ]
    again = made.model_copy(update={"folder": "elsewhere", "key": "other", "earlier": ("x",), "slots": 2})

    assert mine == identity_of(again, folder, code, task)
    assert len({mine, *changed}) == 7
    assert json.loads(json.dumps(task)) == task
