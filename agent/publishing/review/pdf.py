"""Reads the words of a PDF that nobody vouches for: in a sandbox, from which only bounded plain text comes out."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from agent.core.errors import InfrastructureError
from agent.core.manifest import Limits
from agent.core.protocols import Sandbox
from agent.core.sandboxing import Mount, SandboxSpec
from agent.sandbox import harvest
from agent.storage.temporary import TemporaryFolder

LIMITS = Limits(wall_s=60, memory_mb=1024, processes=32, disk_mb=1, files=10, file_mb=1, output_mb=4)
WORKER = Path(__file__).with_name("pdf_worker.py")
MAX_BYTES = 64 << 20
MAX_CHARACTERS = 80_000
REFUSED = 3  # exit status
INSIDE = "/review/paper.pdf"


class UnreadablePdf(Exception):
    """The PDF cannot be read; the message is one line for a person."""


def read_words(pdf: Path, sandbox: Sandbox) -> str:
    """The text of a PDF without control characters, of at most about MAX_CHARACTERS characters.

    Raises:
        UnreadablePdf: it is no file, no PDF or has no text, or reading it exceeds a limit.
        InfrastructureError: the reader itself does not run.
    """
    _plain_file(pdf)
    worker, paper = Mount(WORKER, "/runner/pdf_worker.py"), Mount(pdf.resolve(), INSIDE)
    argv = (sys.executable, "-P", sandbox.visible(worker), sandbox.visible(paper), str(MAX_CHARACTERS))
    spec = SandboxSpec(argv=argv, cwd="/", mounts=(worker, paper), limits=LIMITS)
    with TemporaryFolder("review") as folder:
        out, errors = Path(folder) / "stdout", Path(folder) / "stderr"
        end = sandbox.start(spec, stdout=out, stderr=errors).wait()
        text, said = harvest.read_text(out), harvest.one_line(harvest.read_text(errors)[-600:], 300)
    if end.reason == "ok" and text.strip():
        return text
    if end.reason == "exit" and end.code != REFUSED:
        raise InfrastructureError(f"{pdf}: the reader of PDFs does not run: {said or f'exit {end.code}'}")
    raise UnreadablePdf(
        said
        if end.reason == "exit"
        else "it holds no text"
        if end.reason == "ok"
        else f"reading it passes a limit ({end.reason})"
    )


def _plain_file(pdf: Path) -> None:
    try:
        found = os.stat(pdf)
    except OSError as error:
        raise UnreadablePdf((error.strerror or str(error)).lower()) from None
    if not stat.S_ISREG(found.st_mode):
        raise UnreadablePdf("not a file")
    if found.st_size > MAX_BYTES:
        raise UnreadablePdf(f"{found.st_size >> 20} MB; at most {MAX_BYTES >> 20} MB are read")
