"""What --status prints of sessions that continue one another."""

import json

from agent.app.status import show_status
from agent.core.ideas import Idea
from agent.core.paths import SessionPaths
from agent.session import events as ev
from agent.storage.log import EventLog
from agent.storage.workspace import Workspace
from tests.support.whole import IDEA, options


def started(workspace, name, usd, **chosen):
    paths = SessionPaths(workspace / name)
    paths.root.mkdir()
    log = EventLog(paths.events)
    log.append(ev.SessionStarted(at=0.0, session=name, idea=Idea(**IDEA), options=options(runs=2, **chosen)))
    spent = {"tokens_in": 600, "tokens_out": 400, "cost_usd": usd}
    log.append(ev.TryWasted(at=1.0, step="plan", ordinal=1, role="planner", model="m", reason="r", **spent))
    log.close()


def test_a_chain_stands_together_with_its_sum_and_a_lone_session_has_none(tmp_path, capsys):
    started(tmp_path, "1_first", 1.0)
    started(tmp_path, "2_lone", 5.0)
    started(tmp_path, "3_second", 2.5, after="1_first")

    show_status(Workspace(tmp_path))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    order = [next(i for i, line in enumerate(lines) if name in line) for name in ("2_lone", "1_first", "3_second")]
    assert order == sorted(order)
    (sums,) = [line for line in lines if "= a chain of 2" in line]
    assert "0 of 4" in sums and "$3.50" in sums and "2.0k" in sums
    assert lines.index(sums) == order[-1] + 1

    show_status(Workspace(tmp_path), as_json=True)
    told = json.loads(capsys.readouterr().out)["sessions"]
    assert [one["after"] for one in told] == ["", "", "1_first"]
