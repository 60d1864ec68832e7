"""The README says what is true: its options are those of --help, its files are there."""

import re
import subprocess
import sys

from tests.support import ROOT

README = (ROOT / "README.md").read_text()


def test_the_options_are_those_of_help():
    done = subprocess.run(
        [sys.executable, ROOT / "launch.py", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "118", "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.strip() in README, "run: python tests/docs/test_readme.py"


def test_linked_files_are_there():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_option_typed_in_an_example_exists():
    options = set(
        re.findall(
            r"--[a-z][a-z-]+",
            subprocess.run(
                [sys.executable, ROOT / "launch.py", "--help"], capture_output=True, text=True, check=True
            ).stdout,
        )
    )
    for line in re.findall(r"python launch\.py (.*)", README):
        assert set(re.findall(r"--[a-z][a-z-]+", line)) <= options, line


def write_help() -> None:
    """Put the current --help into the README."""
    done = subprocess.run(
        [sys.executable, ROOT / "launch.py", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "118", "PATH": "/usr/bin:/bin"},
    )
    text = re.sub(
        r"(## Options\n\n```\n).*?(\n```)", lambda m: m[1] + done.stdout.strip() + m[2], README, flags=re.DOTALL
    )
    (ROOT / "README.md").write_text(text)


if __name__ == "__main__":
    write_help()
