"""The options of bubblewrap, the filter, and what this machine is told when the sandbox does not work."""

import os
import tempfile
from pathlib import Path

import pytest

from agent.core.manifest import Limits
from agent.core.sandboxing import Mount, SandboxSpec
from agent.sandbox import bwrap, seccomp
from agent.sandbox.boxes import BubblewrapSandbox
from agent.sandbox.probe import APPARMOR_REMEDY, CONTAINER_REMEDY, USERNS_REMEDY, limits_report, probe, remedy_for
from tests.support.sandbox_box import WALLS, Box


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


# ---------------------------------------------------------------- the options, and this machine


def options(**how):
    spec = SandboxSpec(argv=("true",), cwd="/w", mounts=(), limits=Limits(), **how)
    before, after = bwrap.options(spec, as_root=True, version=(0, 8, 0))
    return " ".join(before), " ".join(after)


def test_a_gpu_brings_its_devices_before_dev_is_closed_and_nothing_else_of_the_host():
    before, _ = options(gpu=True)

    assert before.index("--dev-bind-try /dev/nvidia0 /dev/nvidia0") < before.index("--remount-ro /dev")
    for name in ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset", "nvidia-caps"):
        assert f"--dev-bind-try /dev/{name} /dev/{name}" in before
    assert "--ro-bind-try /sys /sys" in before
    assert "nvidia" not in options()[0] and "/sys /sys" not in options()[0].replace("/proc/sys", "")


def test_latex_gets_its_trees_and_strict_settings():
    before, after = options(latex=True)

    assert "--ro-bind-try /etc/texmf /etc/texmf" in before
    assert "--setenv openin_any p" in after and "--setenv shell_escape f" in after
    assert "texmf" not in " ".join(options())


def test_only_an_asked_for_network_is_shared():
    assert "--unshare-net" in options()[0]
    assert "--unshare-net" not in options(network=True)[0]


def test_an_older_bubblewrap_gets_no_option_it_does_not_know():
    spec = SandboxSpec(argv=("true",), cwd="/w", mounts=(), limits=Limits())
    before, _ = bwrap.options(spec, as_root=False, version=(0, 6, 1))

    assert "--size" not in before and "--disable-userns" not in before


def test_latex_runs_and_cannot_read_outside(box):
    source = r"\documentclass{article}\begin{document}x\input{/etc/alternatives/README}\end{document}"
    (box.out / "a.tex").write_text(source.replace(r"\input{/etc/alternatives/README}", ""))
    (box.out / "b.tex").write_text(source)
    ends = []
    for name in ("a", "b"):
        spec = SandboxSpec(
            argv=("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", name),
            cwd="/w",
            mounts=(Mount(box.out, "/w", writable=True),),
            limits=Limits(wall_s=60),
            latex=True,
        )
        ends.append(WALLS.start(spec, stdout=box.folder / "stdout", stderr=box.folder / "stderr").wait().reason)

    assert ends == ["ok", "exit"]
    assert "not readable" in box.said or "openin_any" in box.said or "not found" in box.said


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_whole_instructions_whose_jumps_stay_inside(machine):
    data = seccomp.filter_bytes(machine=machine)
    steps = [(int.from_bytes(data[i : i + 2], "little"), data[i + 2], data[i + 3]) for i in range(0, len(data), 8)]

    assert len(data) % 8 == 0 and 100 < len(steps) < 4096
    assert all(i + 1 + max(yes, no) < len(steps) for i, (code, yes, no) in enumerate(steps) if code & 7 == 5)
    assert steps[-1][0] == 6


def test_an_unknown_machine_has_no_filter_rather_than_a_wrong_one():
    assert seccomp.filter_bytes(machine="riscv64") is None


def test_this_machine_passes_the_probe_and_says_what_enforces_what():
    assert probe() == []
    assert {"wall time", "memory", "processes", "disk", "files", "output"} <= set(limits_report())


def test_without_bubblewrap_the_probe_says_how_to_install_it(tmp_path):
    (problem,) = probe(BubblewrapSandbox(str(tmp_path / "bwrap")))

    assert problem.count("install") == 1 and "conda install -c conda-forge bubblewrap" in problem


def test_a_bubblewrap_that_cannot_work_is_an_infrastructure_error():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # the dropped uid must reach it
        broken = Path(folder) / "bwrap"
        broken.write_text(
            '#!/bin/sh\n[ "$1" = --version ] && echo bubblewrap 0.8.0 && exit\n'
            "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1\n"
        )
        broken.chmod(0o755)
        (problem,) = probe(BubblewrapSandbox(str(broken)))

    assert "setting up uid map" in problem


def test_each_kind_of_host_has_its_remedy(tmp_path):
    on, off, absent = tmp_path / "on", tmp_path / "off", tmp_path / "absent"
    on.write_text("1\n")
    off.write_text("0\n")
    said = "bwrap: setting up uid map: Permission denied"

    assert remedy_for(said, apparmor=on, userns=(on,), containers=(absent,)) == APPARMOR_REMEDY
    assert remedy_for(said, apparmor=on, userns=(on,), containers=(on,)) == CONTAINER_REMEDY
    assert remedy_for(said, apparmor=absent, userns=(off,), containers=(absent,)) == USERNS_REMEDY
