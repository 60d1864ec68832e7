"""The measurement pipeline against honest, broken and cheating experiments (tiny template: no torch)."""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from agent.core.errors import InfrastructureError
from agent.core.record import World
from agent.lab.measuring import selfreport
from agent.lab.measuring.artefact import BadArtefact, read_artefact, read_tensors
from agent.lab.measuring.contents import check_no_data
from agent.lab.measuring.measure import job_facts, run_training
from agent.lab.measuring.scratch import TrainingPaths
from agent.lab.measuring.verdict import Stopped
from agent.lab.worlds import prepared
from agent.sandbox.boxes import BubblewrapSandbox, NoSandbox
from tests.support.tiny import ENCODE, SAVE, SETTINGS, TINY, edited, job_of


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Prepared data and an honest training to compare with; one world for all tests."""
    return prepared(TINY, "tiny", SETTINGS, 7, tmp_path_factory.mktemp("cache"))


def trained(folder: Path, world, *edits: tuple[str, str], seed: int = 0, **changes):
    job = job_of(folder, world, edited(*edits), **changes)
    return run_training(job, seed, job.conditions[0], NoSandbox(), lambda: False)


# -------------------------------------------------------------------- honest


def test_an_honest_training_is_measured_and_its_own_numbers_stay_apart(tmp_path, world):
    training = trained(tmp_path, world)

    assert training.outcome == "measured", training.detail
    assert set(training.metrics) == {"score", "error", "l0"}
    assert training.metrics["l0"] == pytest.approx(2, abs=0.2)
    assert training.diagnostics.keys() == {"final_loss"}
    assert training.declared == {"steps": 200, "samples": 12_800}
    assert training.curves["step"][-1] == 200 and len(training.curves["loss"]) == len(training.curves["step"])
    assert re.fullmatch("[0-9a-f]{64}", training.artefact_sha256)
    assert training.wall_s > 0 and training.findings == ()


def test_a_diagnostic_under_a_misleading_name_is_dropped_and_flagged(tmp_path, world):
    said = '{"final_loss": loss, "score": 0.99, "p_value_vs_topk": 0.001}'
    training = trained(tmp_path, world, ('{"final_loss": loss}', said))

    assert training.diagnostics.keys() == {"final_loss"}
    assert [(f.code, f.grade) for f in training.findings] == [("claims-a-metric", "flag")] * 2


def test_a_repeated_training_starts_afresh_and_gives_the_same_metrics(tmp_path, world):
    job = job_of(tmp_path, world)
    first = run_training(job, 1, job.conditions[0], NoSandbox(), lambda: False)
    second = run_training(job, 1, job.conditions[0], NoSandbox(), lambda: False)

    assert second.metrics == first.metrics and second.artefact_sha256 == first.artefact_sha256


def test_a_baseline_is_trained_in_the_place_of_the_experiment(tmp_path, world):
    job = job_of(tmp_path, world, code="raise SystemExit('not me')", script="baselines/rows.py", run="0.rows")
    training = run_training(job, 0, job.conditions[0], NoSandbox(), lambda: False)

    assert training.outcome == "measured", training.detail


@pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap")
def test_in_the_sandbox_code_and_data_are_read_only_and_the_truth_is_out_of_sight(world):
    look = SAVE + (
        "    seen = {'truth': Path(TRUTH).exists(), 'session': Path(JOB).exists()}\n"
        "    for name, place in (('code', 'x'), ('data', Path(task['data']) / 'x')):\n"
        "        try:\n"
        "            Path(place).write_text('x')\n"
        "            seen[name] = True\n"
        "        except OSError:\n"
        "            seen[name] = False\n"
        "    (out_dir / 'diagnostics.json').write_text(json.dumps({k: int(v) for k, v in seen.items()}))\n"
    )
    folder = Path(tempfile.mkdtemp())
    data = folder / "data"
    try:
        folder.chmod(0o755)  # the sandbox's user must reach its mounts
        shutil.copytree(world.train.parent, data)
        look = look.replace("TRUTH", repr(str(data / "truth"))).replace("JOB", repr(str(folder / "job.json")))
        job = job_of(
            folder, world, edited((SAVE, look)), train_data=str(data / "train"), truth_data=str(data / "truth")
        )
        (folder / "job.json").write_text("{}")
        training = run_training(job, 0, job.conditions[0], BubblewrapSandbox(), lambda: False)
    finally:
        shutil.rmtree(folder)

    assert training.outcome == "measured", training.detail
    assert training.diagnostics == {"truth": 0, "session": 0, "code": 0, "data": 0}


def test_scaled_decoder_rows_change_no_metric(tmp_path, world):
    """W_dec x 3 with latents / 3 is the same autoencoder."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = trained(tmp_path / "a", world)
    scaled = trained(
        tmp_path / "b",
        world,
        ('save_file({"W_dec": self.W_dec,', 'save_file({"W_dec": 3 * self.W_dec,'),
        ('return cls(state["W_dec"], state', 'return cls(state["W_dec"] / 3, state'),
        (
            "return np.where(pre_acts >= cut, pre_acts, 0)",
            "return np.where(pre_acts >= cut, pre_acts, 0) / (1 if Path('task.json').exists() else 3)",
        ),
    )

    assert scaled.metrics == pytest.approx(plain.metrics, rel=1e-5)


# -------------------------------------------------------------------- failing


def test_an_exception_goes_back_as_a_traceback_without_progress_bars_and_colours(tmp_path, world):
    noise = (
        "    import sys\n"
        "    sys.stderr.write('\\x1b[31m' + ''.join(f'\\r {i}%|###  | {i}/100 [00:01<00:09, 9.1it/s]' "
        "for i in range(100)) + '\\n')\n"
        "    raise ValueError('shapes (3,) and (4,) differ')\n"
    )
    training = trained(tmp_path, world, (SAVE, noise))

    assert (training.outcome, training.reason) == ("failed", "exit")
    assert "Traceback" in training.detail and "shapes (3,) and (4,) differ" in training.detail
    assert "it/s" not in training.detail and "\x1b" not in training.detail
    assert len(training.detail) <= 1500 and training.metrics == {}


def test_a_training_past_its_time_is_stopped_and_says_so(tmp_path, world):
    limits = TINY.manifest.profiles["tiny"].limits.model_copy(update={"wall_s": 0.5})
    training = trained(tmp_path, world, (SAVE, "    while True:\n        pass\n"), limits=limits)

    assert (training.outcome, training.reason) == ("failed", "timeout")


def test_a_cancelled_training_is_cancelled(tmp_path, world):
    job = job_of(tmp_path, world, edited((SAVE, "    while True:\n        pass\n")))
    training = run_training(job, 0, job.conditions[0], NoSandbox(), lambda: True)

    assert training.outcome == "cancelled"


# -------------------------------------------------------------------- attacks on the artefact


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("    train(task, out_dir)\n", "missing"),
        (
            "    save_file({'W_dec': np.zeros((6, 7), np.float32), 'b_dec': np.zeros(8, np.float32)}, "
            "out_dir / task['artefact'])\n",
            "[6, 8] was expected",
        ),
        (
            "    save_file({'W_dec': np.full((6, 8), np.nan, np.float32), 'b_dec': np.zeros(8, np.float32)}, "
            "out_dir / task['artefact'])\n",
            "NaN",
        ),
        (
            "    save_file({'W_dec': np.zeros((6, 8), np.int64), 'b_dec': np.zeros(8, np.float32)}, "
            "out_dir / task['artefact'])\n",
            "float",
        ),
        ("    save_file({'other': np.zeros(3)}, out_dir / task['artefact'])\n", "lacks W_dec, b_dec"),
        ("    (out_dir / task['artefact']).write_bytes(b'\\x00' * 100)\n", "safetensors"),
        (
            "    train(task, out_dir).save(out_dir / 'real')\n    (out_dir / task['artefact']).symlink_to('real')\n",
            "not a plain file",
        ),
        (
            "    train(task, out_dir)\n    import shutil\n    shutil.rmtree(out_dir)\n    out_dir.symlink_to('/etc')\n",
            "missing",
        ),
    ],
    ids=["missing", "shape", "nan", "integers", "names", "garbage", "symlink", "folder"],
)
def test_an_artefact_that_cannot_be_measured_is_refused_with_a_reason(tmp_path, world, how, said):
    training = trained(tmp_path, world, (SAVE, how))

    assert (training.outcome, training.reason) == ("refused", "artefact")
    assert said in training.detail and training.metrics == {}


# -------------------------------------------------------------------- attacks on encode


@pytest.mark.parametrize(
    ("encode", "outcome", "reason"),
    [
        ("        pre_acts = np.maximum((x - x.mean(0)) @ self.W_dec.T, 0)\n", "refused", "encode-depends-on-batch"),
        ("        pre_acts = np.random.default_rng().random((len(x), 6))\n", "refused", "encode-depends-on-batch"),
        (
            "        self.seen = getattr(self, 'seen', 0) + len(x)\n"
            "        pre_acts = np.maximum((x - self.b_dec) @ self.W_dec.T, 0) * (1 + self.seen)\n",
            "refused",
            "encode-depends-on-batch",
        ),
        (
            ENCODE + "        pre_acts[0, 0] = np.nan\n        return pre_acts * (np.arange(6) < 2)\n",
            "refused",
            "encode-not-finite",
        ),
        ("        return np.ones((len(x), 6))\n", "refused", "encode-dense"),
        ("        return np.ones((len(x), 7)) * (np.arange(7) < 2)\n", "refused", "encode-shape"),
        ("        return np.ones(3)\n", "failed", "encode"),
        ("        raise SystemExit(0)\n", "failed", "encode"),
        (
            "        import os\n        for fd in range(3, 20):\n            try:\n"
            "                os.write(fd, b'LATS' * 100)\n            except OSError:\n                pass\n" + ENCODE,
            "refused",
            "encode-malformed",
        ),
    ],
    ids=["batch", "random", "state", "nan", "dense", "width", "shape", "exit", "forged"],
)
def test_latents_that_are_no_function_of_their_row_are_refused(tmp_path, world, encode, outcome, reason):
    guard = "        if Path('task.json').exists():\n            return self.plain(x)\n"
    plain = (
        "    def plain(self, x):\n"
        + ENCODE
        + "        cut = np.sort(pre_acts, axis=1)[:, -self.l0][:, None]\n"
        + "        return np.where(pre_acts >= cut, pre_acts, 0)\n\n    def save(self, path):\n"
    )
    training = trained(tmp_path, world, (ENCODE, guard + encode), ("    def save(self, path):\n", plain))

    assert (training.outcome, training.reason) == (outcome, reason), training.detail
    assert training.metrics == {}


def test_printing_in_encode_does_no_harm(tmp_path, world):
    training = trained(tmp_path, world, (ENCODE, "        print('LATS' * 1000)\n" + ENCODE))

    assert training.outcome == "measured", training.detail


def test_an_encode_that_hangs_meets_its_own_limit(tmp_path, world):
    limits = TINY.manifest.profiles["tiny"].evaluate_limits.model_copy(update={"wall_s": 0.7})
    hang = "        while not Path('task.json').exists():\n            pass\n" + ENCODE
    training = trained(tmp_path, world, (ENCODE, hang), evaluate_limits=limits)

    assert (training.outcome, training.reason) == ("failed", "encode")
    assert "time limit" in training.detail


# -------------------------------------------------------------------- attacks on the reports


def test_odd_lines_and_numbers_are_dropped_and_said(tmp_path, world):
    lies = SAVE + (
        "    with open(out_dir / 'log.jsonl', 'a') as log:\n"
        "        log.write('{\"step\": NaN, \"loss\": 1}\\n' + '[' * 9999 + '\\n' + 'x' * 99999 + '\\n')\n"
        '    (out_dir / \'diagnostics.json\').write_text(\'{"fine": 1, "Not A Name": 2, "list": [3]}\')\n'
    )
    training = trained(tmp_path, world, (SAVE, lies))

    assert training.outcome == "measured" and training.diagnostics == {"fine": 1.0}
    assert training.curves["step"][-1] == 200
    assert {f.code: f.text[0] for f in training.findings} == {"log-lines-dropped": "3", "diagnostics-dropped": "2"}


def test_a_written_metric_file_changes_nothing(tmp_path, world):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    lies = SAVE + '    (out_dir / \'final_info.json\').write_text(\'{"score": 1.0, "error": 0.0, "l0": 2.0}\')\n'

    assert trained(tmp_path / "a", world, (SAVE, lies)).metrics == trained(tmp_path / "b", world).metrics


def test_curves_are_thinned_to_both_ends():
    lines = [f'{{"step": {i}, "steps": 1000, "samples": {10 * i}, "loss": {1 / i}}}' for i in range(1, 1001)]
    curves, declared, dropped = selfreport.curves(lines)

    assert len(curves["step"]) == 200 and (curves["step"][0], curves["step"][-1]) == (1, 1000)
    assert declared == {"steps": 1000, "samples": 10_000} and dropped == 0


@pytest.mark.parametrize(
    ("value", "means"),
    [
        ({"world": {"means": {"score_mean": 0.5, "error": 2}, "stderrs": {}}}, {"score": 0.5, "error": 2.0}),
        ({"k2": {"means": {"score": 1}}, "k1": {"means": {"score": 0}}}, {"score": 1.0}),
        ({"a": {"means": {"score": 1}}, "b": {"means": {"score": 0}}}, {"score_a": 1.0, "score_b": 0.0}),
        ({"score": 0.5, "error": "low", "other": True}, {"score": 0.5}),
        (
            {"data": {"means": {"train": {"Loss": 1}, "acc": {"mean": 0.9, "stderr": 0.1}}}},
            {"train_loss": 1.0, "acc": 0.9},
        ),
        ({"data": {"means": 0.25}}, {"data": 0.25}),
        ({"data": {"acc": 0.9}}, {"acc": 0.9}),
        (
            {"data": {"means": {"acc": 0.9}, "final_info_dict": {"acc": [0.8, 1.0]}}, "took": 3},
            {"acc": 0.9, "took": 3.0},
        ),
        ({"data": {"means": {"acc": [0.9]}}}, {}),
        ([1, 2], {}),
    ],
)
def test_a_self_reported_result_is_read_in_every_form(value, means):
    assert selfreport.final_info(value, "k2").means == means


def test_standard_errors_go_by_the_name_of_their_metric():
    said = selfreport.final_info({"d": {"means": {"acc_mean": 1}, "stderrs": {"acc_stderr": 0.5}}})
    assert said.stderrs == {"acc": 0.5}


# -------------------------------------------------------------------- templates that measure themselves


def self_reporting(folder: Path) -> Path:
    """The tiny template, measuring itself."""
    shutil.copytree(TINY.folder, folder)
    text = (folder / "manifest.toml").read_text().replace("max_l0 ", "measured = false\nmax_l0 ")
    (folder / "manifest.toml").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("report", "outcome", "reason"),
    [
        ('{"tiny": {"means": {"score": 0.5, "error": 0.1, "l0": 2.0}}}', "measured", ""),
        ('{"score": 0.5, "error": 0.1}', "refused", "missing-metric"),
        ('{"score": 0.5, "error": NaN, "l0": 2}', "measured", ""),
        ('{"score": NaN, "error": 0.1, "l0": 2}', "refused", "metric-not-finite"),
        ('{"score": 1.5, "error": 0.1, "l0": 2}', "refused", "impossible-value"),
        ("", "refused", "missing-metric"),
    ],
)
def test_a_self_reporting_template_needs_every_metric(tmp_path, world, report, outcome, reason):
    code = (
        f"import sys, pathlib\nout = pathlib.Path(sys.argv[1].split('=')[1])\nif {report!r}:\n"
        f"    (out / 'final_info.json').write_text({report!r})\n"
    )
    job = job_of(tmp_path, world, code, template=str(self_reporting(tmp_path / "template")))
    training = run_training(job, 0, job.conditions[0], NoSandbox(), lambda: False)

    assert (training.outcome, training.reason) == (outcome, reason), training.detail
    assert bool(training.metrics) == (outcome == "measured")


# -------------------------------------------------------------------- facts


def test_facts_name_the_code_the_data_and_what_is_protected(tmp_path, world):
    device, versions, hashes = job_facts(job_of(tmp_path, world))

    assert device.startswith("cpu: ") and {"python", "numpy", "torch", "sae-lens"} <= versions.keys()
    assert {
        "code/experiment.py",
        "data/train/activations.npy",
        "data/truth/x.npy",
        "protected/evaluate.py",
        "protected/manifest.toml",
    } <= hashes.keys()


def test_changed_data_stops_the_session(tmp_path, world):
    shutil.copytree(world.train.parent, tmp_path / "data")
    with open(tmp_path / "data" / "truth" / "x.npy", "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    job = job_of(tmp_path, world, train_data=str(tmp_path / "data/train"), truth_data=str(tmp_path / "data/truth"))

    with pytest.raises(InfrastructureError, match="truth/x.npy: not the file that was prepared"):
        job_facts(job)


@pytest.mark.parametrize(
    ("code", "harm"),
    [
        ((), "truth/x.npy is gone"),
        ((), "truth/x.npy is not the file"),
        ((), "is built again"),
        ((SAVE, "    raise SystemExit(1)"), "is gone"),
    ],
)
def test_data_that_are_lost_or_damaged_under_a_training_are_its_reason_however_it_ends(tmp_path, code, harm):
    world = prepared(TINY, "tiny", SETTINGS, 7, tmp_path / "cache")
    folder, job = world.train.parent, job_of(tmp_path / "job", world, edited(code) if code else None)
    done = iter([HARM[harm]])

    def cancelled():
        next(done, lambda folder: None)(folder)
        return False

    training = run_training(job, 0, job.conditions[0], BubblewrapSandbox(), cancelled)

    assert (training.outcome, training.reason, training.metrics) == ("failed", "data", {})
    assert str(folder) in training.detail and harm in training.detail


def test_the_world_of_a_seed_is_watched_also_where_it_is_a_further_one(tmp_path, world):
    further = prepared(TINY, "tiny", SETTINGS, 8, tmp_path / "cache")
    worlds = (World(train_data=str(further.train), truth_data=str(further.truth)),)
    job = job_of(tmp_path / "job", world, seeds=(0, 1), worlds=worlds)
    done = iter([HARM["truth/x.npy is not the file"]])

    def cancelled():
        next(done, lambda folder: None)(further.train.parent)
        return False

    training = run_training(job, 1, job.conditions[0], BubblewrapSandbox(), cancelled)

    assert (training.outcome, training.reason, training.metrics) == ("failed", "data", {})
    assert str(further.train.parent) in training.detail


def _another(folder):
    shutil.rmtree(folder)
    prepared(TINY, "tiny", SETTINGS, 7, folder.parents[1])


HARM = {
    "truth/x.npy is gone": lambda folder: (folder / "truth/x.npy").unlink(),
    "truth/x.npy is not the file": lambda folder: (folder / "truth/x.npy").write_bytes(b"!"),
    "is gone": shutil.rmtree,
    "is built again": _another,
}


def test_the_training_sees_python_files_only_and_none_that_is_protected(tmp_path, world):
    job = job_of(tmp_path, world)
    (tmp_path / "code" / "notes.txt").write_text("secret plan")
    (tmp_path / "code" / ".git").mkdir()
    (tmp_path / "code" / ".git" / "hook.py").write_text("")
    (tmp_path / "code" / "link.py").symlink_to("/etc/passwd")
    run_training(job, 0, job.conditions[0], NoSandbox(), lambda: False)
    paths = TrainingPaths.of(job, 0, job.conditions[0].name)

    seen = sorted(p.relative_to(paths.code).as_posix() for p in paths.code.rglob("*") if p.is_file())
    assert seen == ["baselines/rows.py", "experiment.py", "task.json"]
    assert not paths.out.exists() and (paths.kept / "sae.safetensors").is_file()


def test_a_decoder_row_of_zeros_silences_its_latent(tmp_path):
    W_dec = np.array([[0, 0], [3, 4]], dtype=np.float32)
    save_file({"W_dec": W_dec, "b_dec": np.zeros(2, np.float32)}, tmp_path / "a")
    artefact = read_artefact(tmp_path / "a", {"d_sae": 2, "d_in": 2})

    assert artefact.scale.tolist() == [0, 5] and artefact.decoder.tolist() == [[0, 0], [0.6, 0.8]]
    with pytest.raises(BadArtefact, match=r"\[2, 3\] was expected"):
        read_artefact(tmp_path / "a", {"d_sae": 2, "d_in": 3})


def saved_as_bfloat16(path, tensors):
    """A safetensors file as torch saves it, without torch."""
    import struct

    import numpy as np

    header, data = {}, b""
    for name, values in tensors.items():
        raw = (np.asarray(values, "<f4").view("<u4") >> 16).astype("<u2").tobytes()
        header[name] = {
            "dtype": "BF16",
            "shape": list(np.shape(values)),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_an_artefact_in_bfloat16_is_measured_as_the_numbers_that_it_holds(tmp_path):
    saved_as_bfloat16(tmp_path / "a", {"b_dec": [0.5, -2.0], "W_dec": [[0, 1], [3, 4], [-1.5, 0]]})
    artefact = read_artefact(tmp_path / "a", {"d_sae": 3, "d_in": 2})

    assert artefact.bias.tolist() == [0.5, -2.0] and artefact.scale.tolist() == [1, 5, 1.5]
    assert artefact.decoder.tolist() == [[0, 1], [0.6, 0.8], [-1, 0]]
    assert read_tensors(tmp_path / "a").tensors["W_dec"].tolist() == [[0, 1], [3, 4], [-1.5, 0]]


def test_a_bfloat16_artefact_with_a_value_that_is_not_finite_is_refused(tmp_path):
    saved_as_bfloat16(tmp_path / "a", {"b_dec": [0.5, float("nan")], "W_dec": [[0, 1]]})

    with pytest.raises(BadArtefact, match="b_dec holds NaN"):
        read_artefact(tmp_path / "a", {"d_sae": 1, "d_in": 2})


def test_torchs_own_bfloat16_file_is_read_as_torch_reads_it(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    W_dec = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    save_file({"W_dec": W_dec, "b_dec": torch.zeros(3, dtype=torch.bfloat16)}, tmp_path / "a")

    assert read_tensors(tmp_path / "a").tensors["W_dec"].tolist() == W_dec.double().tolist()


def test_a_type_that_cannot_be_measured_is_named_and_what_can(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    eight = torch.ones(2, 2).to(torch.float8_e4m3fn)
    save_file({"W_dec": eight, "b_dec": torch.zeros(2)}, tmp_path / "a")

    with pytest.raises(BadArtefact, match=r"W_dec in a has type F8_E4M3; save it as float32, float16 or bfloat16"):
        read_artefact(tmp_path / "a", {"d_sae": 2, "d_in": 2})


def test_a_training_that_saves_bfloat16_is_measured(tmp_path, world):
    torch = pytest.importorskip("torch")
    assert torch
    training = trained(
        tmp_path,
        world,
        (
            '        save_file({"W_dec": self.W_dec, "b_dec": self.b_dec, "l0": np.array([self.l0])}, path)\n',
            "        import torch\n        from safetensors.torch import save_file as save\n"
            "        half = {k: torch.from_numpy(getattr(self, k)).bfloat16() for k in ('W_dec', 'b_dec')}\n"
            "        save({**half, 'l0': torch.tensor([self.l0])}, path)\n",
        ),
        (
            "        state = load_file(path)\n",
            "        from safetensors.torch import load_file as load\n"
            "        state = {k: v.float().numpy() for k, v in load(path).items()}\n",
        ),
    )

    assert training.outcome == "measured", training.detail


def test_training_rows_in_an_artefact_are_found_behind_a_file_of_objects(tmp_path):
    rows = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    (tmp_path / "train").mkdir()
    np.save(tmp_path / "train/a_words.npy", np.array([["a word"], [1.0]], dtype=object))
    np.save(tmp_path / "train/x.npy", rows)
    save_file({"W_dec": np.eye(4, dtype=np.float32), "memory": 3 * rows[:40]}, tmp_path / "sae.safetensors")
    bench = SimpleNamespace(job=SimpleNamespace(train_data=str(tmp_path / "train")))

    with pytest.raises(Stopped, match="40 of 40"):
        check_no_data(bench, tmp_path / "sae.safetensors")
