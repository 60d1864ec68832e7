"""Results that somebody's own command wrote: every form is read, and nothing hostile gets further."""

import json
import struct

import pytest

from agent.core.command import CommandSpec
from agent.core.manifest import Manifest
from agent.lab.measuring import results, tfevents
from agent.lab.measuring.scratch import TrainingPaths
from agent.sandbox.harvest import Unharvestable
from tests.support.tiny import TINY


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def part(number: int, data: bytes) -> bytes:
    """A field that is a message, a string or bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def record(message: bytes) -> bytes:
    return struct.pack("<Q", len(message)) + b"\0\0\0\0" + message + b"\0\0\0\0"


def event(step: int, *values: bytes) -> bytes:
    summary = part(5, b"".join(part(1, value) for value in values)) if values else part(3, b"brain.Event:2")
    return record(b"\x09" + struct.pack("<d", 1.5) + b"\x10" + varint(step) + summary)


def simple(tag: str, number: float) -> bytes:
    return part(1, tag.encode()) + b"\x15" + struct.pack("<f", number)


def tensor(tag: str, number: float) -> bytes:
    """As TensorFlow 2 writes a scalar: a float tensor by its bytes."""
    return part(1, tag.encode()) + part(8, b"\x08\x01" + part(2, b"") + part(4, struct.pack("<f", number)))


EVENTS = event(0) + event(0, simple("val/acc", 0.25)) + event(1, simple("val/acc", 0.5), tensor("loss", 2.0))


def test_the_scalars_of_tensorboard_are_read_in_the_order_of_their_steps():
    later = event(3, simple("val/acc", 0.75)) + event(2, simple("val/acc", 0.625))
    assert tfevents.scalars([EVENTS, later]) == {"val/acc": [0.25, 0.5, 0.625, 0.75], "loss": [2.0]}


def test_a_picture_and_a_record_that_was_cut_are_stepped_over():
    picture = event(1, part(1, b"shown") + part(4, b"\x08\x01"))
    assert tfevents.scalars([EVENTS + picture + event(2, simple("loss", 1.0))[:-9]])["loss"] == [2.0]


@pytest.mark.parametrize(
    "data",
    [b"no events at all, only words", struct.pack("<Q", 1 << 63) + bytes(40), record(b"\xff" * 20)],
    ids=["words", "a length beyond the file", "no message"],
)
def test_what_is_no_event_file_is_refused_in_one_line(data):
    with pytest.raises(Unharvestable, match="not a file of TensorBoard's events"):
        tfevents.scalars([data])


@pytest.mark.parametrize(
    ("name", "text", "means"),
    [
        ("final_info.json", '{"rings": {"means": {"acc": 0.9}}}', {"acc": 0.9}),
        ("metrics.json", '{"test": {"acc": 0.9}, "loss": 1}', {"test_acc": 0.9, "loss": 1}),
        ("history.json", '{"loss": [3, 2], "acc": [0.1, 0.2]}', {"loss": 2, "acc": 0.2}),
        ("log.json", '[{"epoch": 1, "loss": 3}, {"epoch": 2, "loss": 2, "val_acc": 0.5}]', {"loss": 2, "val_acc": 0.5}),
        ("log.jsonl", '{"loss": 3}\n\n{"loss": 2}\n', {"loss": 2}),
        ("metrics.csv", "epoch,Val Loss,note\n1,3.0,a\n2,2.0,b\n", {"val_loss": 2}),
        (
            "metrics.csv",
            "\ufeffstep,train_loss,val_loss\n1,3.0,\n2,2.5,2.0\n3,2.25,\n",
            {"train_loss": 2.25, "val_loss": 2},
        ),
        ("metrics.tsv", "loss\tacc\n1\t0.5\n", {"loss": 1, "acc": 0.5}),
    ],
)
def test_each_form_gives_its_last_numbers(name, text, means):
    assert results.read_file(name, text.encode()).means == means


def test_a_column_is_a_curve_where_all_its_numbers_are_finite():
    said = results.read_file("m.csv", b"loss,acc\n3,nan\n2,0.5\n")
    assert said.curves == {"loss": (3.0, 2.0)}


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("m.csv", b"loss,loss\n1,2\n", "a name of its own"),
        ("m.csv", b'loss\n"1\n', "not a table"),
        ("m.csv", b"\xff\xfe", "not a table in UTF-8"),
        ("m.json", b"[1, 2]", "no objects"),
        ("m.json", b"[" * 100_000, "nested deeper"),
        ("m.jsonl", b'{"a": 1}\n{', "not JSON"),
    ],
)
def test_what_is_not_of_its_form_is_refused_in_one_line(name, data, said):
    with pytest.raises(Unharvestable, match=said):
        results.read_file(name, data)


def with_results(pattern: str) -> Manifest:
    raw = json.loads(TINY.manifest.model_dump_json())
    values = {**raw, "measured": False, "command": {"run": "python train.py", "folder": "code", "results": pattern}}
    return Manifest.model_validate_json(json.dumps(values))


@pytest.fixture
def paths(tmp_path):
    made = TrainingPaths(tmp_path, "run_0")
    (made.code / "code/runs/a").mkdir(parents=True)
    made.out.mkdir()
    return made


def test_old_results_of_a_repository_are_gone_before_it_runs_and_others_stay(paths):
    work = paths.code / "code"
    (work / "runs/a/metrics.csv").write_text("acc\n0.99\n")
    (work / "runs/metrics.csv").write_text("acc\n0.99\n")
    results.clear(with_results("runs/*/metrics.csv"), paths, 0)
    assert not (work / "runs/a/metrics.csv").exists() and (work / "runs/metrics.csv").exists()


def test_results_are_found_by_their_pattern_and_links_are_not_followed(paths, tmp_path):
    manifest = with_results("runs/*/seed{seed}.json")
    work = paths.code / "code"
    (tmp_path / "secret.json").write_text('{"acc": 1}')
    (work / "runs/b").symlink_to(work / "runs/a")
    (work / "runs/a/seed2.json").symlink_to(tmp_path / "secret.json")
    results.keep(manifest, paths, 2)
    with pytest.raises(Unharvestable, match="no file that may be read"):
        results.read(paths.kept, manifest, "all")
    (work / "runs/a/seed2.json").unlink()
    (work / "runs/a/seed2.json").write_text('{"acc": 0.5}')
    results.keep(manifest, paths, 2)
    assert results.read(paths.kept, manifest, "all").means == {"acc": 0.5}


def test_a_folder_that_the_command_replaced_by_a_link_gives_no_results(paths, tmp_path):
    (tmp_path / "elsewhere/runs/a").mkdir(parents=True)
    (tmp_path / "elsewhere/runs/a/metrics.csv").write_text("acc\n1\n")
    (paths.code / "code").rename(paths.code / "moved")
    (paths.code / "code").symlink_to(tmp_path / "elsewhere")
    results.keep(with_results("runs/*/metrics.csv"), paths, 0)
    with pytest.raises(Unharvestable, match="no file that may be read"):
        results.read(paths.kept, with_results("runs/*/metrics.csv"), "all")


def test_results_that_are_several_files_are_refused_by_their_names(paths):
    for name in ("b", "c"):
        (paths.out / f"{name}.json").write_text('{"acc": 1}')
    results.keep(with_results("{out}/*.json"), paths, 0)
    with pytest.raises(Unharvestable, match=r"2 files are there \(run_0/b.json, run_0/c.json\); name one"):
        results.read(paths.kept, with_results("{out}/*.json"), "all")


@pytest.mark.parametrize("folder", ["../up", "/etc", "a/../b", "co*de", ".git"])
def test_a_folder_of_a_command_that_leads_elsewhere_is_refused_in_the_manifest(folder):
    with pytest.raises(ValueError, match="command.folder"):
        CommandSpec(run="python train.py", folder=folder)


@pytest.mark.parametrize("pattern", ["../up.json", "/etc/x.json", "runs/.hidden.csv", "a.txt", "a//b.csv"])
def test_a_place_of_results_that_leads_elsewhere_is_refused_in_the_manifest(pattern):
    with pytest.raises(ValueError, match="command.results"):
        with_results(pattern)


def test_a_place_in_a_command_that_nothing_fills_is_refused_in_the_manifest():
    raw = json.loads(TINY.manifest.model_dump_json())
    values = {**raw, "measured": False, "command": {"run": "python train.py --seed {sed} --home ${HOME}"}}
    with pytest.raises(ValueError, match=r"\{sed\} is neither a setting of profile"):
        Manifest.model_validate_json(json.dumps(values))


def test_values_enter_a_command_as_single_words():
    spec = with_results("a.csv").command.model_copy(update={"run": "train {data} --on={fast} ${seed}"})
    assert spec.filled({"data": "a b; rm", "fast": True}) == "train 'a b; rm' --on=true ${seed}"
