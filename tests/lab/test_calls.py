"""An evaluation that calls a model in its box: what honest models give, and what becomes of those that are not."""

import io
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from agent.app.choices import own_device
from agent.core.manifest import Limits
from agent.core.methods import ModelSpec
from agent.core.record import Job
from agent.core.template import Template, load_template
from agent.lab.measuring import box, frames
from agent.lab.measuring.measure import measure_again, run_training
from agent.lab.measuring.scratch import TrainingPaths
from agent.lab.measuring.verdict import EvaluationFault
from agent.lab.worlds import prepared
from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox

MANIFEST = """
name = "calls"
title = "Calls"
question = "What does a model answer?"
about = "A model that doubles, averages over a graph, and draws."
protected = ["prepare.py", "evaluate.py"]
artefact = "model.safetensors"
default_profile = "tiny"
[model]
name = "Model"
[model.methods.double]
takes = { x = "float32 [n, 3]" }
gives = { y = "float32 [n, 3]", sign = "int64 [n]" }
[model.methods.average]
takes = { nodes = "float32 [n, 3]", edges = "int64 [2, e]" }
gives = { nodes = "float32 [n, 3]" }
[model.methods.draw]
takes = { count = "int64 []", seed = "int64 []" }
gives = { points = "float32 [k, 2]" }
[metrics.error]
label = "error"
better = "lower"
read = "Distance from twice the row, and from the mean of a node and its neighbours."
primary = true
low = 0.0
[metrics.spread]
label = "spread"
better = "higher"
read = "Standard deviation of the points."
distribution = true
low = 0.0
[[baselines]]
name = "first"
label = "First"
file = "experiment.py"
about = "The code that a model starts from."
[profiles.tiny]
about = "A moment."
seeds = [0, 1, 2]
conditions = [{ name = "all", label = "all" }]
settings = { samples = 100, batch = 1 }
"""
PREPARE = """
import numpy as np
def prepare(settings, secret, train_dir, truth_dir):
    draw = np.random.default_rng(secret)
    np.save(train_dir / "x.npy", draw.normal(size=(10, 3)))
    np.save(truth_dir / "x.npy", draw.normal(size=(50, 3)))
"""
EVALUATE = """
import numpy as np
def load_truth(truth_dir, settings):
    return np.load(truth_dir / "x.npy")
def evaluate(model, x, settings):
    doubled, sign = model.double(x)
    error = np.abs(doubled - 2 * x).mean() + (sign != (x[:, 0] > 0)).mean()
    for start in range(0, 40, 10):
        nodes, edges = x[start : start + 10], np.stack([np.arange(9), np.arange(1, 10)])
        wanted = nodes.copy()
        wanted[1:] = (nodes[1:] + nodes[:-1]) / 2
        error += np.abs(model.average(nodes, edges) - wanted).mean()
    return {"error": error, "spread": model.draw(200, 7).std()}
"""
HONEST = {
    "double": "return self.two * x, (x[:, 0] > 0).astype(np.int64)",
    "average": "out = nodes.copy(); out[edges[1]] = (out[edges[1]] + nodes[edges[0]]) / self.two; return out",
    "draw": "return np.random.default_rng(seed).normal(size=(count, 2)) * self.two",
}
EXPERIMENT = """
import argparse, json, os, stat, struct, time
from pathlib import Path
import numpy as np
from safetensors.numpy import load_file, save_file
calls = []
def pipe():
    for fd in range(3, 64):
        try:
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                os.write(fd, b""); return fd
        except OSError: pass
class Model:
    def __init__(self, two): self.two = two
    @classmethod
    def load(cls, path): return cls(load_file(path)["two"][0])
    def double(self, x):
        DOUBLE
    def average(self, nodes, edges):
        AVERAGE
    def draw(self, count, seed):
        DRAW
if __name__ == "__main__":
    parser = argparse.ArgumentParser(); parser.add_argument("--out_dir", type=Path); out = parser.parse_args().out_dir
    task = json.loads(Path("task.json").read_text())
    draw = np.random.default_rng(task["seed"])
    two = 2 * min(1.0, task["samples"] / 100) * (1 + 1e-3 * draw.normal())
    (out / "log.jsonl").write_text('{"step": 1, "loss": 2}\\n{"step": 2, "loss": 1}\\n')
    save_file({"two": np.full(1, two, np.float32)}, out / task["artefact"])
"""


def code(**bodies: str) -> str:
    text = EXPERIMENT
    for name, honest in HONEST.items():
        text = text.replace(f"        {name.upper()}\n", f"        {bodies.get(name, honest)}\n")
    return text


@pytest.fixture(scope="module")
def place():
    """A folder that the sandbox's user may reach: template and data."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "template").mkdir()
    files = {"manifest.toml": MANIFEST, "prepare.py": PREPARE, "evaluate.py": EVALUATE, "experiment.py": code()}
    for name, text in {**files, "plot.py": ""}.items():
        (folder / "template" / name).write_text(text)
    yield folder
    shutil.rmtree(folder)


def job(place: Path, text: str, evaluate: str = EVALUATE, wall_s: float = 60.0) -> Job:
    folder = Path(tempfile.mkdtemp(dir=place))
    folder.chmod(0o755)
    shutil.copytree(place / "template", folder / "template")
    (folder / "template" / "evaluate.py").write_text(evaluate)
    template: Template = load_template(folder / "template")
    profile = template.manifest.profiles["tiny"]
    world = prepared(template, "tiny", profile.settings, 7, place / "cache")
    (folder / "code").mkdir()
    (folder / "code" / "experiment.py").write_text(text)
    small = Limits(wall_s=60.0, memory_mb=700, disk_mb=16, files=50, file_mb=8, output_mb=1)
    return Job(
        key="k",
        run="1",
        kind="experiment",
        attempt=1,
        folder=str(folder / "job"),
        code=str(folder / "code"),
        script="experiment.py",
        template=template.folder,
        train_data=str(world.train),
        truth_data=str(world.truth),
        settings=profile.settings,
        seeds=profile.seeds,
        conditions=profile.conditions,
        limits=small,
        evaluate_limits=small.model_copy(update={"wall_s": wall_s}),
        device="cpu",
        slots=1,
        threads=1,
        sandbox="bwrap",
    )


def trained(place: Path, text: str, **changes):
    wanted = job(place, text, **changes)
    sandbox = BubblewrapSandbox() if shutil.which("bwrap") else NoSandbox()
    return run_training(wanted, 0, wanted.conditions[0], sandbox, lambda: False)


# -------------------------------------------------------------------- honest


def test_an_honest_model_is_measured_by_three_methods_of_several_arrays(place):
    training = trained(place, code())

    assert training.outcome == "measured", training.detail
    assert training.metrics["error"] < 0.05 and training.metrics["spread"] == pytest.approx(2, rel=0.2)
    assert training.findings == ()


def test_an_evaluation_behind_walls_gives_the_same_metrics(place):
    # Its first call is not that of the first method.
    evaluate = EVALUATE.replace("    doubled, sign", "    model.draw(5, 1)\n    doubled, sign")
    wanted = job(place, code(), evaluate=evaluate)
    sandbox, condition = BubblewrapSandbox(), wanted.conditions[0]
    training = run_training(wanted, 0, condition, sandbox, lambda: False)
    kept = TrainingPaths.of(wanted, 0, "all").kept / "model.safetensors"
    for folder in (Path(wanted.truth_data), Path(wanted.truth_data).parent):
        folder.chmod(0o755)
    again = job(place, code(), evaluate=evaluate)

    assert measure_again(again, 0, condition, sandbox, kept, walled=True).metrics == pytest.approx(
        training.metrics, rel=1e-9
    )


TORCH = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
    @classmethod
    def load(cls, path): return cls()
    def half(self, x, scale):
        assert x.dtype == torch.bfloat16 and isinstance(scale, int)
        return self.one * x / scale, torch.arange(len(x), dtype=torch.int32)
"""


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_torch_code_gets_and_gives_tensors_of_the_declared_types(tmp_path, device):
    """Asked for a GPU on a machine without one, it answers on the CPU and says so."""
    (tmp_path / "experiment.py").write_text(TORCH)
    takes, gives = {"x": "bfloat16 [n]", "scale": "int64 []"}, {"y": "bfloat16 [n]", "i": "int64 [n]"}
    spec = ModelSpec.model_validate({"name": "Net", "methods": {"half": {"takes": takes, "gives": gives}}})
    words = (
        box.HERE / "frames.py",
        "none",
        "1",
        device,
        "experiment.Net",
        json.dumps([box.told(spec.called({})["half"])]),
    )
    call = frames.pack(frames.CALL, 0, [np.array([1.0, 3.0], np.float32), np.array(2)])
    command = [sys.executable, "-P", box.HERE / "call_worker.py", *words]
    done = subprocess.run(command, input=call, cwd=tmp_path, capture_output=True, check=True)
    said = io.BytesIO(done.stdout)
    tag, number, shapes = frames.header(said.read(frames.HEAD.size), said.read)
    half, index = frames.arrays(shapes, said.read)

    assert (tag, number, shapes) == (frames.GAVE, 0, [("float32", (2,)), ("int64", (2,))])
    assert half.tolist() == [0.5, 1.5] and index.tolist() == [0, 1]
    assert (b"answers on the CPU, because on cuda" in done.stderr) == (device == "cuda" and own_device() == "cpu")


# -------------------------------------------------------------------- attacks

COUNTS = "calls.append(1); "
FORGED = "os.write(pipe(), struct.pack({shape})); time.sleep(60)"
ATTACKS = {
    "an answer that depends on the calls before": (
        {"average": COUNTS + "return nodes * len(calls)"},
        "does-not-repeat",
        "no state from call to call",
    ),
    "another answer the second time": (
        {"draw": COUNTS + "return np.full((count, 2), len(calls)) * np.arange(2)"},
        "does-not-repeat",
        "the same call of Model.draw",
    ),
    "chance that does not come from the seed": (
        {"draw": "return np.random.default_rng().normal(size=(count, 2))"},
        "does-not-repeat",
        "chance from an argument `seed` only",
    ),
    "the clock": ({"average": "return nodes * (time.time() % 1)"}, "does-not-repeat", "no clock"),
    "statistics over the batch": (
        {"double": "return 2 * x - x.mean(0), (x[:, 0] > 0).astype(int)"},
        "encode-depends-on-batch",
        "gave other y for",
    ),
    "whole numbers that look at their neighbours": (
        {"double": "return 2 * x, (x[:, 0] > x[0, 0]).astype(int)"},
        "encode-depends-on-batch",
        "gave other sign for",
    ),
    "a note left for the next process": (
        {"average": "p = Path('/tmp/note'); n = p.exists(); p.write_text(''); return nodes * n"},
        "does-not-repeat",
        "fresh process",
    ),
    "a note left beside the code": (
        {"draw": "Path('note').write_text('x')"},
        "encode",
        "Read-only file system",
    ),
    "NaN": ({"average": "return nodes * np.nan"}, "encode-not-finite", "Model.average gives NaN or infinite nodes"),
    "another shape": (
        {"average": "return nodes[:, :2]"},
        "encode-shape",
        "gave float32 [10, 2] as `nodes`; float32 [n, 3] was declared, with n = 10",
    ),
    "fewer rows than were sent": ({"average": "return nodes[1:]"}, "encode-shape", "with n = 10"),
    "another kind of number": (
        {"double": "return 2 * x, x[:, 0]"},
        "encode",
        "Model.double gave float32 as `sign`; int64 was declared",
    ),
    "one array where two were declared": ({"double": "return 2 * x"}, "encode", "2 arrays were declared"),
    "an answer larger than memory": ({"draw": "return np.zeros((1 << 28, 2), np.float32)"}, "encode", "limit"),
    "an answer larger than is read": (
        {"draw": FORGED.format(shape="'<4sBBBBQQ', b'GAVE', 2, 1, 10, 2, 1 << 40, 2")},
        "encode-too-much",
        "are allowed in one answer",
    ),
    "an empty answer of endless width": (
        {"draw": FORGED.format(shape="'<4sBBBBQQ', b'GAVE', 2, 1, 10, 2, 0, 1 << 62")},
        "encode-shape",
        "was declared",
    ),
    "a forged type": (
        {"draw": FORGED.format(shape="'<4sBBBBQQ', b'GAVE', 2, 1, 11, 2, 5, 2")},
        "encode-shape",
        "gave float64 [5, 2] as `points`",
    ),
    "a type that there is not": (
        {"draw": FORGED.format(shape="'<4sBBBBQQ', b'GAVE', 2, 1, 99, 2, 5, 2")},
        "encode-malformed",
        "is no frame",
    ),
    "the answer to another method": (
        {"draw": FORGED.format(shape="'<4sBBBBQQ', b'GAVE', 1, 1, 10, 2, 5, 2")},
        "encode-malformed",
        "is no frame",
    ),
    "an endless stream": ({"draw": "while True: os.write(pipe(), b'x' * 4096)"}, "encode-malformed", "is no frame"),
    "a frame that never ends": (
        {"draw": FORGED.format(shape="'<4sBBBBQQ', b'GAVE', 2, 1, 10, 2, 5, 2")},
        "encode",
        "time limit",
    ),
    "sleep": ({"average": "time.sleep(60)"}, "encode", "time limit"),
    "the end of the process": ({"average": "os._exit(0)"}, "encode", "ended before it had answered"),
    "noise on standard error": (
        {"average": "while True: os.write(2, b'x' * 4096)"},
        "encode",
        "printed more than the limit",
    ),
}


@pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap")
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_on_a_call_ends_in_one_clear_finding(place, attack):
    bodies, reason, said = ATTACKS[attack]
    training = trained(place, code(**bodies), wall_s=5.0 if said == "time limit" else 60.0)

    assert training.reason == reason and said in training.detail, (training.reason, training.detail)
    assert training.outcome == ("failed" if reason == "encode" else "refused") and training.metrics == {}


def test_an_evaluation_that_swallows_a_bad_answer_meets_it_again(place):
    swallowing = EVALUATE.replace("    return {", "    try: model.draw(3, 3)\n    except Exception: pass\n    return {")
    bad = "return np.full((count, 2), np.nan if count == 3 else seed) * np.arange(2)"
    training = trained(place, code(draw=bad), evaluate=swallowing)

    assert (training.outcome, training.reason) == ("refused", "encode-not-finite")


# -------------------------------------------------------------------- the floor


@pytest.mark.parametrize(
    ("bodies", "floor"),
    [
        ({"double": "return 0 * x, np.zeros(len(x), int)", "average": "return 0 * nodes"}, False),
        (
            {
                "double": "return 0 * x, np.zeros(len(x), int)",
                "average": "return 0 * nodes",
                "draw": "return np.arange(2.0)[None].repeat(count, 0)",
            },
            True,
        ),
    ],
    ids=["a distribution that was learned", "nothing that was learned"],
)
def test_the_floor_is_a_shuffle_or_for_a_distribution_the_model_after_one_batch(place, bodies, floor):
    training = trained(place, code(**bodies))

    assert training.outcome == "measured", training.detail
    assert [f.code for f in training.findings] == (["at-floor"] if floor else [])


# -------------------------------------------------------------------- what a template may ask


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("model.double(x[:, :2])", r"\[50, 2\] as an argument; x: float32 \[n, 3\] was declared"),
        ("model.double(x, x)", "with 2 arguments, not 1"),
        ("model.draw(0.5, 1)", r"float64 as an argument; count: int64 \[\] was declared"),
        ("model.double(x[:0])", "with no rows"),
    ],
)
def test_a_call_that_no_model_could_answer_is_the_templates_fault(place, call, said):
    with pytest.raises(EvaluationFault, match=said):
        trained(place, code(), evaluate=EVALUATE.replace("    return {", f"    {call}\n    return {{"))


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        ({"f": {"takes": {"x": "float32"}, "gives": {"y": "float32 [n]"}}}, "write a type and a shape"),
        ({"f": {"takes": {"x": "float128 [n]"}, "gives": {"y": "float32 [n]"}}}, "write a type and a shape"),
        ({"f": {"takes": {}, "gives": {"y": "float32 [n]"}}}, "at least one array"),
        ({"f": {"takes": {"x": "int64 [n]"}, "gives": {"y": "int64 [2, n]"}, "rowwise": True}}, "one and the same"),
        ({"f": {"takes": {"x": "int64 [n]"}, "gives": {"y": "int64 [n]"}, "repeats": False}}, "argument `seed`"),
        ({"tensors": {"takes": {"x": "int64 [n]"}, "gives": {"y": "int64 [n]"}}}, "cannot be used as a name"),
    ],
)
def test_a_method_that_cannot_be_held_is_refused_in_the_manifest(methods, said):
    with pytest.raises(ValidationError, match=said):
        ModelSpec.model_validate({"name": "M", "methods": methods})


def test_a_size_from_the_settings_is_no_dimension_of_rows():
    spec = ModelSpec.model_validate({"methods": {"f": {"takes": {"x": "int64 [n]"}, "gives": {"y": "int64 [n]"}}}})
    assert spec.called({})["f"].rowwise and not spec.called({"n": 4})["f"].rowwise
    assert spec.called({"n": 4})["f"].takes[0].dims == (4,)
