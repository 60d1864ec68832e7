"""docs/clusters.md is followed on a real Slurm: the commands of its walk-through, and what goes wrong, in one line."""

import re
import subprocess
import sys

import pytest

from tests.suites.slurm.conftest import SMALL
from tests.support import ROOT

PAGE = (ROOT / "docs" / "clusters.md").read_text()
COMMANDS = re.findall(r"^\./launch\.py (.*--executor slurm.*)$", PAGE, re.MULTILINE)


def launched(tmp_path, words):
    command = [sys.executable, "launch.py", "--workspace", str(tmp_path), *words.split()]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_the_commands_of_the_page_do_what_it_says(slurm, tmp_path):
    doctor, dry_run, session = COMMANDS
    assert session.replace(" --no-pdf", " --dry-run") == dry_run
    looked = launched(tmp_path, doctor.replace("mem=2G", "mem=500M") + " --offline --no-pdf")
    dry = launched(tmp_path, dry_run + " --offline --no-pdf")

    assert re.search(
        rf"^cluster +Slurm \(partition=main,mem=500M\): node {slurm.node} answers: Python", looked.stdout, re.M
    )
    assert looked.returncode == 0 and "all well" in looked.stdout, looked.stdout + looked.stderr
    for line in ("#SBATCH --partition=main", "#SBATCH --mem=2G", "#SBATCH --time=30", "#SBATCH --array=0-2%3"):
        assert line in dry.stdout.splitlines()
    assert not list(tmp_path.glob("*"))


@pytest.mark.parametrize(
    ("asked", "said"), [("partition=nowhere", "invalid partition specified: nowhere"), ("mem=900G", "Memory spec")]
)
def test_what_the_cluster_refuses_is_said_by_doctor(slurm, tmp_path, asked, said):
    done = launched(tmp_path, f"doctor --offline --no-pdf --executor slurm --slurm {asked}")

    assert done.returncode == 2
    assert re.search(rf"^problem +Slurm refuses the job: .*{said}.*with --slurm$", done.stdout, re.M), done.stdout


def test_a_session_on_the_cluster_measures_its_runs(slurm, whole):
    it = whole(
        runs=1, baselines=("topk",), stop_after="runs", executor="slurm", slurm={**SMALL, "mem": "300M"}, slots=2
    )

    session = it.play()

    assert [run.phase for run in session.runs.values()] == ["measured"] * len(session.runs)
    assert len(list(it.paths.runs.glob("*/*/slurm/submission.json"))) == len(session.runs)
