"""What a sandbox must see has modes of its own: the umask of whoever started the program says nothing about it."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.support import ROOT

PROGRAM = """
import os, sys
from pathlib import Path
os.umask(0o{umask:o})
sys.path.insert(0, {root!r})
from tests.support.whole import Whole, Script
session = Whole(Path({folder!r}), Script(1), runs=1, baselines=("topk",), stop_after="runs").play()
print(*[run.phase for run in session.runs.values()], *[f for run in session.runs.values() for f in run.failures])
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a sandbox a user of its own")
@pytest.mark.parametrize("umask", [0o027, 0o077])
def test_a_session_trains_under_a_strict_umask_from_a_checkout_nobody_else_can_read(tmp_path, umask):
    home = tmp_path / "private"
    home.mkdir(mode=0o700)
    for name in ("agent", "paper", "tests/support", "templates"):
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    (home / "tests/__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", home)  # says the version
    subprocess.run(["chmod", "-R", "go-rwx", home], check=True)
    code = PROGRAM.format(umask=umask, root=str(home), folder=str(home / "workspace"))

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=home, check=False)

    assert done.stdout.split() == ["measured", "measured"], done.stdout + done.stderr[-2000:]
