"""The table of `make hostile`, one test a line: each attack is stopped, and leaves nobody behind."""

import json
import subprocess
import sys

import pytest

from tests.suites.hostile.attack import Row
from tests.suites.hostile.groups import GROUPS
from tests.support import ROOT

NAMES = [(group.name, attack.name) for group in GROUPS for attack in group.sample()]
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The attacks, made once, as a person makes them."""
    out = tmp_path_factory.mktemp("hostile") / "rows.json"
    command = [sys.executable, "-m", "tests.suites.hostile", "--sample", "--json", out]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return run, {(row["group"], row["attack"]): Row(**row) for row in json.loads(out.read_text())}


@pytest.mark.parametrize(("group", "attack"), NAMES, ids=[f"{group}: {attack}" for group, attack in NAMES])
def test_the_attack_is_stopped(done, group, attack):
    row = done[1][(group, attack)]

    assert not row.escaped, row.seen
    assert row.left == 0


@pytest.mark.parametrize("group", [group.name for group in GROUPS])
def test_the_session_goes_on_afterwards(done, group):
    row = done[1][(group, "afterwards: the session goes on")]

    assert not row.escaped, row.seen


def test_the_closing_line_says_the_figures(done, say_at_the_end):
    run, rows = done
    say_at_the_end(f"hostile: {run.stdout.splitlines()[-1]}")
    attacks = len([name for _, name in rows if not name.startswith("afterwards")])

    assert attacks == len(NAMES) + 1 and len(set(NAMES)) == len(NAMES)  # the planted key is looked for as well
    assert sum(len(group.attacks) for group in GROUPS) >= 160
    assert run.stdout.splitlines()[-1] == f"{attacks} attacks, 0 escapes, 0 processes left behind"
    assert run.returncode == 0
