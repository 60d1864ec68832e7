"""May a picture that hostile code drew enter the repository and the paper? It is decoded in a sandbox to find out."""

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
REFUSED = 3  # exit status


def check(picture: Path, sandbox: Sandbox) -> None:
    """Formats, dimensions, decoded size, and nothing in a PDF that a reader's program would act on.

    Raises:
        Unharvestable: why it stays out; the text is for whoever drew it.
        InfrastructureError: the check itself does not run.
    """
    worker = Mount(WORKER, "/runner/picture_worker.py")
    end, said = _look(picture, sandbox, worker)
    if end.reason == "ok":
        return
    said = harvest.one_line(said[-600:], 300)
    if end.reason == "exit" and end.code != REFUSED:
        raise InfrastructureError(f"{picture}: the check of pictures does not run: {said or f'exit {end.code}'}")
    why = said if end.reason == "exit" else f"decoding it passes a limit ({end.reason})"
    raise harvest.Unharvestable(f"{picture.name}: {why}")


def _look(picture: Path, sandbox: Sandbox, worker: Mount) -> tuple[Exit, str]:
    """Decode a picture where that can do no harm; how it ended and what was said of it."""
    shown = Mount(picture, f"/picture/{picture.name}")
    argv = (sys.executable, "-P", sandbox.visible(worker), sandbox.visible(shown))
    spec = SandboxSpec(argv=argv, cwd="/", mounts=(worker, shown), limits=LIMITS)
    with TemporaryFolder("picture") as folder:
        out, errors = Path(folder) / "stdout", Path(folder) / "stderr"
        end = sandbox.start(spec, stdout=out, stderr=errors).wait()
        return end, harvest.read_text(errors)
