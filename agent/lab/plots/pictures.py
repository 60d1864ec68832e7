"""Decodes a picture in a sandbox to decide whether it may enter the repository and the paper."""

from __future__ import annotations

import sys
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.manifest import Limits
from agent.core.protocols import Sandbox
from agent.core.sandboxing import Exit, Mount, SandboxSpec
from agent.sandbox import harvest
from agent.storage.temporary import TemporaryFolder

LIMITS = Limits(wall_s=30, memory_mb=1024, processes=32, disk_mb=1, files=10, file_mb=1, output_mb=1)
WORKER = Path(__file__).with_name("picture_worker.py")
REFUSED = 3  # exit status of the worker for a picture that is refused


def check(picture: Path, sandbox: Sandbox) -> None:
    """Check a picture's format, dimensions and decoded size, and that a PDF holds nothing that a reader would act on.

    Raises:
        Unharvestable: the picture is refused; the text is for the one who drew it.
        InfrastructureError: the check itself fails.
    """
    end, said = _look(picture, sandbox)
    if end.reason == "ok":
        return
    said = harvest.one_line(said[-600:], 300)
    if end.reason == "exit" and end.code != REFUSED:
        raise InfrastructureError(f"{picture}: the check of pictures does not run: {said or f'exit {end.code}'}")
    why = said if end.reason == "exit" else f"decoding it passes a limit ({end.reason})"
    raise harvest.Unharvestable(f"{picture.name}: {why}")


def _look(picture: Path, sandbox: Sandbox) -> tuple[Exit, str]:
    """Run the worker on a picture; returns how it ended, and its standard error."""
    worker = Mount(WORKER, "/runner/picture_worker.py")
    shown = Mount(picture, f"/picture/{picture.name}")
    argv = (sys.executable, "-P", sandbox.visible(worker), sandbox.visible(shown))
    spec = SandboxSpec(argv=argv, cwd="/", mounts=(worker, shown), limits=LIMITS)
    with TemporaryFolder("picture") as folder:
        out, errors = Path(folder) / "stdout", Path(folder) / "stderr"
        end = sandbox.start(spec, stdout=out, stderr=errors).wait()
        return end, harvest.read_text(errors)
