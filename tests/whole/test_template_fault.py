"""A failure whose cause lies in the template costs no attempt: the code from before the edit is asked for evidence."""

import shutil

import pytest

from agent.actions import at_fault
from agent.core.errors import InfrastructureError
from agent.core.record import Training
from agent.session import events as ev
from agent.storage.log import EventLog
from tests.support import TEMPLATE
from tests.support.whole import Script, Whole, block

CHOSEN = {"runs": 1, "attempts": 1, "baselines": ("topk",), "stop_after": "runs"}
EVALUATE = "def evaluate("
SAVE = '        save_file({"W_dec": self.W_dec, "b_dec": self.b_dec, "l0": np.array([self.l0])}, path)'


class Breaking(Script):
    """Does everything right, and `breaks` something while the first edit is asked for."""

    def __init__(self, breaks):
        super().__init__(1)
        self.breaks = breaks

    def __call__(self, messages, call):
        if call.step == "run-1.edit-1":
            self.breaks()
        return super().__call__(messages, call)


def failures(it):
    return [e for e in EventLog(it.paths.events).read() if isinstance(e, ev.AttemptFailed)]


def test_an_evaluation_that_fails_for_the_code_before_the_edit_too_is_no_attempt(tmp_path, stages):
    template = shutil.copytree(TEMPLATE, tmp_path / "own")
    file = template / "evaluate.py"
    whole = file.read_text()
    assert whole.count(EVALUATE) == 1
    broken = whole.replace(EVALUATE, "def evaluate(*given):\n    raise KeyError('labels')\n\n\ndef once(")
    script = Breaking(lambda: file.write_text(broken))
    it = Whole(tmp_path / "ws", script, cache=stages.cache, template=str(template), **CHOSEN)
    with pytest.raises(InfrastructureError, match="(?s)run 1: the template is at fault.*no attempt is counted") as stop:
        it.play()
    assert "KeyError('labels')" in str(stop.value) and str(template) in str(stop.value)
    assert [(f.stage, f.reason) for f in failures(it)] == [("runner", "template")]

    file.write_text(whole)
    session = it.play()

    assert session.experiments[0].phase == "measured"
    assert [key for key in it.model.asked if key[0].startswith("run-1.edit")] == [("run-1.edit-1", 1)]


def test_an_artefact_that_the_evaluation_cannot_measure_costs_an_attempt_as_before(tmp_path, stages):
    template = shutil.copytree(TEMPLATE, tmp_path / "own")
    picky = "def evaluate(x, z, x_hat, decoder, truth) -> dict[str, float]:\n"
    text = (template / "evaluate.py").read_text()
    assert picky in text
    (template / "evaluate.py").write_text(text.replace(picky, f"{picky}    assert z.nnz > 1.5 * len(x)\n"))
    sparser = block("experiment.py", SAVE, SAVE.replace("[self.l0]", "[1]"))
    script = Script(1, {"run-1.edit-1": sparser})
    it = Whole(tmp_path / "ws", script, cache=stages.cache, template=str(template), **CHOSEN)

    session = it.play()

    assert [(f.stage, f.reason) for f in failures(it)] == [("integrity", "evaluate")]
    assert session.experiments[0].phase == "failed"
    assert any("is it the template?" in line for line in it.console.lines)


TRACE = """the process exited with status 1
Traceback (most recent call last):
  File "/w/experiment.py", line 9, in <module>
    {line}
  File "{deeper}", line 3, in f
    x = y
{error}"""
BEFORE = {"experiment.py": "import numpy\nrows = load(path)\n"}


@pytest.mark.parametrize(
    ("line", "deeper", "error", "asked"),
    [
        ("rows = load(path)", "/w/data.py", "TypeError: no", True),  # a protected file raises
        ("rows = load(path)", "/usr/lib/python3/os.py", "FileNotFoundError: rows.npy", True),  # a line of before
        ("rows = load(path)", "/usr/lib/python3/os.py", "ValueError: shapes", False),
        ("rows = load(other)", "/usr/lib/python3/os.py", "FileNotFoundError: other", False),  # the edit's own line
    ],
)
def test_what_the_code_before_the_edit_is_asked_about(line, deeper, error, asked):
    detail = TRACE.format(line=line, deeper=deeper, error=error)
    bad = Training(seed=0, condition="all", outcome="failed", reason="exit", detail=detail)
    assert at_fault.suspected(bad, BEFORE, "/own", command=False) is asked
