"""May a picture that hostile code drew enter the repository and the paper? It is decoded in a sandbox to find out."""

from __future__ import annotations

import sys
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.manifest import Limits
from agent.core.protocols import Exit, Mount, Sandbox, SandboxSpec
from agent.sandbox import harvest
from agent.storage.temporary import TemporaryFolder

LIMITS = Limits(wall_s=30, memory_mb=1024, processes=32, disk_mb=1, files=10, file_mb=1, output_mb=1)
WORKER = Path(__file__).with_name("picture_worker.py")
REFUSED = 3  # exit status
MAX_TEXT = 100_000  # characters


def check(picture: Path, sandbox: Sandbox) -> None:
    """Formats, dimensions, decoded size, and nothing in a PDF that a reader's program would act on.

    Raises:
        Unharvestable: why it stays out; the text is for whoever drew it.
        InfrastructureError: the check itself does not run.
    """
    worker = Mount(WORKER, "/runner/picture_worker.py")
    end, _, said = _look(picture, sandbox, (sys.executable, "-P", sandbox.visible(worker)), worker)
    if end.reason == "ok":
        return
    said = harvest.one_line(said[-600:], 300)
    if end.reason == "exit" and end.code != REFUSED:
        raise InfrastructureError(f"{picture}: the check of pictures does not run: {said or f'exit {end.code}'}")
    why = said if end.reason == "exit" else f"decoding it passes a limit ({end.reason})"
    raise harvest.Unharvestable(f"{picture.name}: {why}")


def text(pdf: Path, sandbox: Sandbox) -> str:
    """The words on its first page; nothing if it cannot be read."""
    return _look(pdf, sandbox, ("pdftotext", "-q", "-l", "1"), after=("-",))[1][:MAX_TEXT]


def _look(
    picture: Path, sandbox: Sandbox, command: tuple[str, ...], *mounts: Mount, after: tuple[str, ...] = ()
) -> tuple[Exit, str, str]:
    """Run a command on a picture where it can do no harm; how it ended and what it said."""
    shown = Mount(picture, f"/picture/{picture.name}")
    spec = SandboxSpec(argv=(*command, sandbox.visible(shown), *after), cwd="/", mounts=(*mounts, shown), limits=LIMITS)
    with TemporaryFolder("picture") as folder:
        out, errors = Path(folder) / "stdout", Path(folder) / "stderr"
        end = sandbox.start(spec, stdout=out, stderr=errors).wait()
        return end, harvest.read_text(out), harvest.read_text(errors)
