"""What hostile code leaves behind is copied, or refused with a reason; never followed, never believed."""

import hashlib
import os
import socket

import pytest

from agent.sandbox.harvest import (
    Unharvestable,
    clean,
    copy_files,
    dumps,
    listing,
    parse_json,
    read_bytes,
    read_tail,
    tail,
)
from agent.sandbox.harvest import read_text as read_log

MB = 1 << 20


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def harvested(out, name, max_bytes=1000, max_total=MB):
    return copy_files(out, out.parent / "kept", {name: max_bytes}, max_total=max_total)


# ---------------------------------------------------------------- files


def test_named_files_are_copied_with_their_hash(out, tmp_path):
    (out / "figures").mkdir()
    (out / "figures" / "a.png").write_bytes(b"picture")
    (out / "other").write_bytes(b"not asked for")
    found = harvested(out, "figures/a.png")

    assert found.sha256 == {"figures/a.png": hashlib.sha256(b"picture").hexdigest()}
    copy = tmp_path / "kept" / "figures" / "a.png"
    assert copy.read_bytes() == b"picture" and copy.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in (tmp_path / "kept").iterdir()] == ["figures"]


def plant_link(out):
    (out / "x").symlink_to("/etc/passwd")


def plant_fifo(out):
    os.mkfifo(out / "x")


def plant_hard_link(out):
    (out / "y").write_text("y")
    os.link(out / "y", out / "x")


def plant_folder(out):
    (out / "x").mkdir()


def plant_socket(out):
    here = os.getcwd()
    os.chdir(out)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("x")
    os.chdir(here)


def plant_sparse(out):
    with open(out / "x", "wb") as file:
        file.truncate(1 << 40)


def plant_nothing(out):
    pass


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        (plant_link, "not a plain file"),
        (plant_fifo, "not a plain file"),
        (plant_hard_link, "hard link"),
        (plant_folder, "not a plain file"),
        (plant_socket, "not a plain file"),
        (plant_sparse, "too large"),
        (plant_nothing, "missing"),
    ],
)
def test_what_is_no_plain_bounded_file_stays_out(out, tmp_path, plant, reason):
    plant(out)
    found = harvested(out, "x")

    assert found.sha256 == {} and reason in found.problems["x"]
    assert not (tmp_path / "kept").exists()


def test_a_linked_folder_on_the_way_is_not_followed(out, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_text("secret")
    (out / "figures").symlink_to(tmp_path / "elsewhere")

    assert "not a plain file" in harvested(out, "figures/x").problems["figures/x"]


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", ".git/config", "a/../b", "a//b", "", "a\nb", "\x1b[2J", "x/.git", "-rf", "a" * 200]
)
def test_odd_names_stay_out(out, name):
    (out / "x").write_text("x")

    assert harvested(out, name).problems[name] == "a name with odd characters"


def test_a_folder_that_is_gone_or_replaced_holds_nothing(out, tmp_path):
    out.rmdir()
    assert harvested(out, "x").problems == {"x": "missing"}

    out.symlink_to(tmp_path)
    assert "not a plain file" in harvested(out, "x").problems["x"]


def test_the_total_is_bounded(out, tmp_path):
    for name in "abc":
        (out / name).write_bytes(bytes(400))
    found = copy_files(out, tmp_path / "kept", dict.fromkeys("abc", 500), max_total=1000)

    assert set(found.sha256) == {"a", "b"} and "too large" in found.problems["c"]


def test_a_file_that_a_person_cannot_open_is_a_problem_not_a_crash(out):
    (out / "x").write_text("x")
    (out / "x").chmod(0)

    found = harvested(out, "x")

    assert set(found.sha256 if os.getuid() == 0 else found.problems) == {"x"}


def test_a_listing_holds_plain_files_with_plain_names(out):
    for name in ("b.png", "a.png", "c.txt", "bad\n.png", ".hidden.png"):
        (out / name).write_text("x")
    (out / "link.png").symlink_to("a.png")
    (out / "folder.png").mkdir()

    assert listing(out, [".png"]) == ["a.png", "b.png"]


def test_reading_in_place_is_as_careful(out):
    (out / "x").write_text("0123456789")

    assert read_bytes(out, "x", 10) == b"0123456789" and read_tail(out, "x", 3) == b"789"
    with pytest.raises(Unharvestable, match="too large"):
        read_bytes(out, "x", 9)
    os.mkfifo(out / "pipe")
    with pytest.raises(Unharvestable):
        read_tail(out, "pipe", 3)


# ---------------------------------------------------------------- JSON


def test_honest_json_passes():
    value = {"f1": 0.5, "list": [1, "two", None, True], "brackets": '[[[[[[[[[[[[[[[[[[[[[["[['}

    assert parse_json(dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"f1": NaN}', "NaN"),
        (b'{"f1": -Infinity}', "-Infinity"),
        (b'{"f1": 1e999}', "beyond"),
        (b"[" * 50 + b"]" * 50, "deeper"),
        (b"[" * 500_000, "deeper"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not JSON"),
        (b"\xff", "not JSON"),
        (b"", "not JSON"),
        (b'"' + b"x" * (2 << 20) + b'"', "at most"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1} {}', "not JSON"),
    ],
)
def test_hostile_json_is_refused_with_its_reason(data, reason):
    with pytest.raises(Unharvestable, match=reason):
        parse_json(data)


def test_we_write_no_nan():
    with pytest.raises(ValueError):
        dumps({"f1": float("nan")})


# ---------------------------------------------------------------- text


def test_a_log_loses_colours_controls_and_progress_bars():
    text = (
        "\x1b[31mred\x1b[0m \x1b]0;title\x07plain\n"
        "  10%|#         | 1/10 [00:01<00:09,  1.0it/s]\r 100%|##########| 10/10 [00:10<00:00,  1.0it/s]\n"
        "37it [00:02, 18.2it/s]\nstep 1\rstep 2\rstep 3\nbell\x07 \u202eback\u200b\n\n\n\n\nend\r\n"
    )

    assert clean(text) == "red plain\nstep 3\nbell back\n\nend"


def test_ordinary_lines_survive_cleaning():
    text = "loss 0.5 at 10% of steps\n\tindented | a | b |\nacc 3/10\nError: 100% of rows [x] differ"

    assert clean(text) == text


def test_the_end_of_the_traceback_survives():
    noise = "warning: something\n" * 500
    trace = 'Traceback (most recent call last):\n  File "experiment.py", line 3, in <module>\nValueError: d_sae'
    shown = tail(noise + trace, 400)

    assert len(shown) <= 400 and shown.endswith(trace)
    assert f"{len(noise)} characters dropped" in shown


def test_of_a_long_traceback_head_and_end_survive():
    trace = "Traceback (most recent call last):\n" + "  File x\n" * 1000 + "RecursionError: too deep"
    shown = tail("noise\n" + trace, 400)

    assert len(shown) <= 400
    assert shown.startswith("Traceback") and shown.endswith("RecursionError: too deep") and "dropped" in shown


def test_a_short_text_stays_as_it_is():
    assert tail("short", 100) == "short"


def test_a_huge_log_is_read_in_bounds(tmp_path):
    (tmp_path / "log").write_bytes(b"start\n" + b"x" * (5 * MB) + b"\nValueError: end\n\xff")
    text = read_log(tmp_path / "log", max_bytes=10_000)

    assert len(text) < 10_200
    assert text.startswith("start") and "ValueError: end" in text and "bytes dropped" in text
    assert read_log(tmp_path / "absent") == ""
