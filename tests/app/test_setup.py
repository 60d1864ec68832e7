"""setup.sh as somebody without root runs it: Python first, then one line for what is missing, and no dead end."""

import os
import shutil
import subprocess

import pytest

from tests.support import ROOT

PLAIN = [
    "sh",
    "bash",
    "env",
    "dirname",
    "sha256sum",
    "cut",
    "date",
    "sleep",
    "mkdir",
    "cat",
    "tail",
    "chmod",
    "ln",
    "rm",
]
UV = """#!/bin/sh
[ "$1" = --version ] && exit 0
echo "$@" >> uv-was-called
mkdir -p .venv/bin && printf '#!/bin/sh\\n' > .venv/bin/python && chmod +x .venv/bin/python
"""


@pytest.fixture
def place(tmp_path):
    """A checkout's own files of the set-up, and a PATH with next to nothing on it; the user is nobody special."""
    tools, checkout = tmp_path / "bin", tmp_path / "checkout"
    tools.mkdir()
    checkout.mkdir()
    for name in ("setup.sh", "uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, checkout)
    for name in PLAIN:
        (tools / name).symlink_to(shutil.which(name))
    tool(tools, "id", "#!/bin/sh\necho 1000\n")
    tool(tools, "uv", UV)
    return checkout


def tool(folder, name, text):
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def set_up(place):
    environment = {"PATH": str(place.parent / "bin"), "HOME": str(place.parent)}
    return subprocess.run(
        ["sh", place / "setup.sh"], capture_output=True, text=True, env=environment, check=False, timeout=60
    )


def test_without_root_and_tex_the_python_part_is_done_and_the_rest_is_one_line(place):
    tool(place.parent / "bin", "apt-get", "#!/bin/sh\nexit 1\n")
    done = set_up(place)
    assert done.returncode == 0, done.stderr
    assert (place / ".venv" / "ready").is_file()
    said = done.stderr
    assert said.index("GB to download") < said.index("system packages are missing")
    assert "sudo apt-get install -y --no-install-recommends git bubblewrap poppler-utils latexmk chktex texlive" in said
    assert "--no-pdf" in said and "nothing protects your files, keys and network" in said


def test_a_second_time_it_only_looks(place):
    first, second = set_up(place), set_up(place)
    assert (place / "uv-was-called").read_text().count("sync --frozen") == 1
    assert "GB to download" in first.stderr and "GB to download" not in second.stderr
    assert "package manager" in second.stderr  # there is no apt-get


def test_what_fails_is_shown_with_its_last_lines_and_is_tried_again_without_the_system_s_certificates(place):
    tool(
        place.parent / "bin",
        "uv",
        '#!/bin/sh\n[ "$1" = --version ] || { echo "no route: $UV_SYSTEM_CERTS"; exit 2; }\n',
    )
    done = set_up(place)
    assert done.returncode != 0 and not (place / ".venv" / "ready").exists()
    assert [line for line in done.stderr.splitlines() if "no route" in line] == ["no route: 1", "no route: "]


def test_as_root_the_packages_are_installed_after_python(place):
    tools = place.parent / "bin"
    tool(tools, "id", "#!/bin/sh\necho 0\n")
    tool(tools, "apt-get", f'#!/bin/sh\n[ -d .venv ] && echo "$@" >> {place}/apt-was-called\n')
    done = set_up(place)
    assert done.returncode == 0
    called = (place / "apt-was-called").read_text().splitlines()
    assert called[0].startswith("update") and called[1].startswith("install -y --no-install-recommends git bubblewrap")


def test_launch_py_can_be_started_as_it_is():
    assert os.access(ROOT / "launch.py", os.X_OK)
    assert (ROOT / "launch.py").read_text().startswith("#!/usr/bin/env python3\n")
