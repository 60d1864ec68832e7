"""What a case is: an experiment.py, made from the tiny template's by exact edits, and who must catch it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support import TEMPLATE

EXPERIMENT = (TEMPLATE / "experiment.py").read_text()
SAVE = '    train(task, out_dir).save(out_dir / task["artefact"])\n'
ENCODE = "        pre_acts = np.maximum((x - self.b_dec) @ self.W_dec.T, 0)\n"
CHOOSE = (
    "        cut = np.sort(pre_acts, axis=1)[:, -self.l0][:, None]\n"
    "        return np.where(pre_acts >= cut, pre_acts, 0)\n"
)
STEPS = '    steps = task["samples"] // task["batch"]\n'
LOOP = "        for step in range(1, steps + 1):\n"
DIAGNOSTICS = '    (out_dir / "diagnostics.json").write_text(json.dumps({"final_loss": loss}))\n'
MAIN = 'if __name__ == "__main__":\n'
READ_TASK = '    task = json.loads(Path("task.json").read_text())\n'
DRAW = '    draw = np.random.default_rng(task["seed"])\n'
RATE = "RATE = 0.02  # step size\n"
GAINS_NOTHING = "gains-nothing"  # no check is needed: what is decoded and measured, the runner does itself
Edits = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Cheat:
    """`caught` names a finding, or the reason with which a training ended; `said` must stand in its text.

    With gains=False the numbers must in addition be no better than the honest ones.
    """

    name: str
    edits: Edits
    caught: str
    said: str = ""
    seeds: tuple[int, ...] = (0,)
    gains: bool | None = None


@dataclass(frozen=True)
class Honest:
    """An odd run that must not be refused."""

    name: str
    edits: Edits
    seeds: tuple[int, ...] = (0,)


Case = Cheat | Honest


def code_of(case: Case) -> str:
    """The experiment with its edits, each of which must fit exactly once."""
    text = EXPERIMENT
    for old, new in case.edits:
        if text.count(old) != 1:
            raise ValueError(f"{case.name}: {old!r} stands {text.count(old)} times in experiment.py")
        text = text.replace(old, new)
    return text


def at_evaluation(body: str) -> Edits:
    """`body` takes the place of encode's first line, but only where the runner encodes; training stays honest."""
    guard = "        if Path('task.json').exists():\n            return self.honest(x)\n"
    honest = "    def honest(self, x):\n" + ENCODE + CHOOSE + "\n    def save(self, path):\n"
    return (ENCODE, guard + body), ("    def save(self, path):\n", honest)


def before_training(body: str) -> Edits:
    return ((READ_TASK, READ_TASK + body),)


def instead_of_saving(body: str) -> Edits:
    return ((SAVE, body),)


def untrained(body: str) -> Edits:
    """No step is made; `body` stands after the loop, with `draw`, `sae` and `log` at hand."""
    return (STEPS, "    steps, loss = 0, 1.0\n"), (DIAGNOSTICS, body + DIAGNOSTICS)
