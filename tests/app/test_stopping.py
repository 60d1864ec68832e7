"""A session from another terminal: its name comes first, --status knows its training, --stop ends both."""

import pytest

from agent.app.console import TerminalConsole
from agent.app.follow import follow
from agent.app.standing import standing
from agent.app.stopping import stop
from agent.core.errors import UserError
from agent.lab.jobs.local import LocalRunner
from agent.storage.workspace import Workspace
from tests.support import until
from tests.support.fake_provider import FakeProvider, reply
from tests.support.launched import answer, endless, launch, start, supervisor_of


def test_a_session_is_found_watched_and_stopped_from_another_terminal(tmp_path, idea, capsys):
    workspace = Workspace(tmp_path / "ws")

    def stopped():
        status = stop(workspace.find("tiny"), LocalRunner(), TerminalConsole())
        assert status == 0
        return capsys.readouterr().out

    with FakeProvider(lambda request: reply(answer(request))) as provider:
        child = start(tmp_path, idea, endless(tmp_path), provider)
        name = child.stdout.readline().split("Session ")[1].strip()
        assert f"--follow {name} --workspace" in child.stdout.readline()
        until(lambda: supervisor_of(tmp_path) is not None, seconds=60)
        paths = workspace.find("tiny")
        assert paths.root.name == name and standing(paths).state == "running"
        said = stopped()
        assert f"Stopped {name}" in said and "continues in the background" in said
        assert child.wait(timeout=30) == 130
    assert standing(paths).state == "training"
    assert "stopped, a training" in " ".join(launch("--status", "--workspace", workspace.root).stdout.split())
    assert "Ended the training of run 0" in stopped()
    assert standing(paths).state == "stopped"
    with pytest.raises(UserError, match="neither it nor a training of it runs"):
        stopped()
    assert follow(paths) == 0
    watched = capsys.readouterr().out.splitlines()
    assert watched[0].endswith(f"session {name}") and watched[-1].endswith(f"{name} is stopped at stage baselines")
    assert f"Session {name}" in paths.log.read_text()
