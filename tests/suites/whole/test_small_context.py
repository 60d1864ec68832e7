"""A model that holds eight thousand tokens gets a small session through to its paper: a section at a time."""

from agent.core.writing import WRITING_ORDER
from agent.session.policy import MakePlan
from tests.support.whole import Script, options

EIGHT_K, ANSWER = 8192, 1000


class Small:
    """Answers what fits; remembers what did not."""

    def __init__(self) -> None:
        self.script, self.refused = Script(1), []

    def __call__(self, messages, call):
        if sum(len(message.content) for message in messages) // 4 + ANSWER > EIGHT_K:
            self.refused.append(call.step)
        return self.script(messages, call)


def test_a_session_in_a_small_context_writes_section_by_section(tmp_path, stages):
    it = stages.copied(tmp_path, MakePlan, runs=1)
    it.model.script = model = Small()
    session = it.play(changed=options(runs=1, context=EIGHT_K))
    assert session.finished and session.compiled.ok and model.refused == []
    asked = [step for step, _ in it.model.asked]
    for pass_ in ("write", "polish"):
        assert [s for s in asked if s.startswith(f"paper.{pass_}")] == [
            f"paper.{pass_}-{name}" for name in WRITING_ORDER
        ]
    assert set(session.sections) == set(WRITING_ORDER)
