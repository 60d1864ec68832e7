"""A session from Python with a model of one's own: run it with `PYTHONPATH=. .venv/bin/python docs/own_model.py`."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from agent import Call, Message, Reply, run

RECORDING = Path("templates/synth_sae/playback/hierarchical_sae")


class MyModel:
    """Anything with `complete`: here the shipped words, in the place of a server of one's own."""

    name = "my-model"

    def complete(self, messages: Sequence[Message], call: Call) -> Reply:
        text = (RECORDING / f"{call.step}.{call.ordinal}.md").read_text()
        return Reply(text=text, model=self.name, tokens_in=sum(len(m.content) for m in messages) // 4)


if __name__ == "__main__":
    outcome = run(
        "hierarchical_sae",
        workspace="workspace",
        model=MyModel(),
        baselines=("topk", "matryoshka"),
        runs=7,
        literature="offline",
        stop_after="plan",
    )
    for record in outcome.records:
        print(record.label, "F1", fmean(training.metrics["f1"] for training in record.trainings))
    print("go on with: ./launch.py --resume", outcome.folder.name, "--model ...")
