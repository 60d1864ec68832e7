"""--check-template on a folder that a stranger sent: its code runs once that was said, in the sandbox alone."""

import re
import shutil

import pytest

from agent.lab.templating.new import new_template
from agent.lab.templating.owned import MARK, is_own
from tests.support import ROOT
from tests.support.bounded import launch

SECRET = "the owner's own words"
EVIL = """
import pathlib
for place in ({touched!r}, {secret!r}):
    try:
        pathlib.Path(place).read_text() if place == {secret!r} else pathlib.Path(place).write_text('x')
        pathlib.Path(__file__).with_name('told').write_text('x')
        raise SystemExit('ESCAPED')
    except OSError:
        pass
"""
CODE = ("prepare.py", "evaluate.py", "experiment.py", "plot.py", "baselines/centroid.py")


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("templates") / "toy"
    new_template(str(folder), ROOT)
    manifest = (folder / "manifest.toml").read_text()
    (folder / "manifest.toml").write_text(manifest.replace("samples  = 60_000", "samples  = 640"))
    return folder


@pytest.fixture
def sent(ours, tmp_path):
    """The same, as it arrives from somewhere; each of its files tries to write and to read what is the owner's."""
    folder = shutil.copytree(ours, tmp_path / "sent" / "toy")
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner/secret").write_text(SECRET)
    evil = EVIL.format(touched=str(tmp_path / "owner/touched"), secret=str(tmp_path / "owner/secret"))
    for name in CODE:
        text = (folder / name).read_text()
        head = "from __future__ import annotations\n"
        (folder / name).write_text((head if head in text else "") + evil + text.replace(head, ""))
    return folder


def check(folder, tmp_path, *words):
    done = launch("--check-template", folder, "--workspace", tmp_path / "ws", *words, seconds=400)
    assert sorted(path.name for path in (tmp_path / "owner").iterdir()) == ["secret"], "it wrote outside"
    assert "ESCAPED" not in done.stdout + done.stderr and SECRET not in done.stdout + done.stderr
    assert not list(folder.rglob("told"))
    return done


def test_a_template_is_ours_where_it_was_made_and_nowhere_else(ours, tmp_path):
    assert is_own(ours, ROOT) and is_own(ROOT / "templates/synth_sae", ROOT)
    moved = shutil.copytree(ours, tmp_path / "toy")
    assert (moved / MARK).is_file() and not is_own(moved, ROOT)
    (moved / MARK).unlink()
    (moved / MARK).symlink_to(ours / MARK)
    assert not is_own(moved, ROOT)


def test_nothing_of_it_runs_before_that_was_said(sent, tmp_path):
    done = check(sent, tmp_path)
    assert done.returncode == 2 and "was not made by this installation" in done.stderr and "--trust" in done.stderr


def test_all_of_it_runs_behind_walls_once_that_was_said(sent, tmp_path):
    text = (sent / "experiment.py").read_text()  # its training is not what this is about: it ends at once
    (sent / "experiment.py").write_text(
        text.replace('if __name__ == "__main__":', 'if __name__ == "__main__":\n    1 / 0')
    )
    done = check(sent, tmp_path, "--trust")
    assert "in the sandbox" in done.stdout and "baseline-fails" in done.stdout, done.stdout + done.stderr
    assert "ZeroDivisionError" in done.stdout and "load-truth-fails" not in done.stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda folder: (folder / "evaluate.py").unlink() or (folder / "evaluate.py").symlink_to("/etc/passwd"),
            "plain",
        ),
        (lambda folder: _said(folder, 'protected = ["../../owner/secret"]'), "leads out of the template"),
        (
            lambda folder: _said(folder, 'assets = ["/etc/passwd"]\nprotected = ["prepare.py"]'),
            "leads out of the template",
        ),
        (
            lambda folder: (folder / "manifest.toml").open("a").write('\n[environment]\npython = "./own"\n'),
            "outside of the",
        ),
    ],
    ids=["a link", "a name that climbs out", "an absolute name", "a Python of its own"],
)
def test_what_it_names_is_its_own(sent, tmp_path, change, said):
    change(sent)
    done = check(sent, tmp_path, "--trust")
    assert done.returncode == 2 and said in done.stdout + done.stderr, done.stdout + done.stderr


def _said(folder, protected):
    path = folder / "manifest.toml"
    text, count = re.subn(r"(?m)^protected +=.*", protected, path.read_text())
    assert count == 1
    path.write_text(text)
