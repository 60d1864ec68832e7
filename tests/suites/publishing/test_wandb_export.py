"""launch.py --export wandb, without a network: what Weights & Biases would be sent is read back from its files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.app.cli import COMMANDS
from agent.core.paths import SessionPaths
from tests.support import ROOT
from tests.support.frozen import finished


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    paths = SessionPaths(finished(folder))
    words = ["--export", "wandb", "--offline", "--session", paths.root, "--out", folder, "--project", "saes"]
    done = subprocess.run(
        [sys.executable, ROOT / "launch.py", *map(str, words)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return paths, done.stdout, sorted((folder / "wandb").glob("offline-run-*/*.wandb"))


def written(file: Path):
    """The entries of a file that wandb wrote: seven bytes, then LevelDB's log of pieces in blocks of 32 KB."""
    from wandb.proto import wandb_internal_pb2

    data, at, whole, found = file.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # all of an entry, or its last piece
            entry = wandb_internal_pb2.Record()
            entry.ParseFromString(whole)
            found.append(entry)
            whole = b""
    return found


def trainings(paths):
    for path in sorted((paths.repo / "records").glob("*.json")):
        record = json.loads(path.read_text())
        for training in record["trainings"]:
            yield record, training


def test_each_measured_training_is_a_run_of_the_sessions_group(exported):
    paths, said, files = exported
    runs = [next(e.run for e in written(file) if e.WhichOneof("record_type") == "run") for file in files]

    assert len(runs) == len(list(trainings(paths)))
    assert {run.run_group for run in runs} == {paths.root.name}
    assert {run.project for run in runs} == {"saes"}
    assert f"{len(runs)} trainings" in said and "wandb sync" in said


def test_what_the_runner_measured_is_the_summary_and_curves_are_marked_as_self_reported(exported):
    paths, _, files = exported
    (record, training), *_ = [(r, t) for r, t in trainings(paths) if r["run"] == "1"]
    (file,) = [f for f in files if f.stem.endswith(f"-1-{training['condition']}-{training['seed']}")]
    entries = written(file)
    summary = {
        "/".join(item.nested_key) or item.key: json.loads(item.value_json)
        for e in entries
        for item in (e.summary.update if e.WhichOneof("record_type") == "summary" else ())
    }
    keys = {
        "/".join(item.nested_key) or item.key
        for e in entries
        for item in (e.history.item if e.WhichOneof("record_type") == "history" else ())
    }

    assert {k: summary[k] for k in training["metrics"]} == training["metrics"]
    assert {k for k in keys if not k.startswith("_")} == {
        f"self-reported/{name}" for name in training["curves"] if name not in ("step", "steps", "samples")
    }


def test_the_model_is_referred_to_and_stays_where_it_lies(exported):
    paths, _, files = exported
    (artefact,) = [e.artifact for e in written(files[0]) if e.WhichOneof("record_type") == "artifact"]

    referred = {entry.ref for entry in artefact.manifest.contents}
    assert any(ref.startswith(f"file://{paths.root}/runs/") and ref.endswith("sae.safetensors") for ref in referred)
    assert len(json.loads(artefact.metadata)["sha256"]) == 64
    assert not list(files[0].parent.rglob("*.safetensors"))


def test_nothing_of_the_machine_is_sent(exported):
    _, _, files = exported
    entries = written(files[0])
    (run,) = [e.run for e in entries if e.WhichOneof("record_type") == "run"]

    assert run.host == "experiment-runner"
    assert not {"stats", "output", "output_raw", "environment"} & {e.WhichOneof("record_type") for e in entries}
    assert not [f.path for e in entries if e.WhichOneof("record_type") == "files" for f in e.files.files]


def test_no_other_export_is_known(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "launch.py", "export", "elsewhere"], capture_output=True, text=True, timeout=60
    )

    assert "export" in COMMANDS
    assert done.returncode == 2
    assert "name wandb" in done.stderr
