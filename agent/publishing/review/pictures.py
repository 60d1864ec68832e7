"""Draws the pages of a paper that have figures, for a reviewer model that can see. They are drawn in a sandbox."""

from __future__ import annotations

from pathlib import Path

from agent.core.manifest import Limits
from agent.core.protocols import Sandbox
from agent.core.sandboxing import Mount, SandboxSpec
from agent.storage.temporary import TemporaryFolder
from paper.press import printed

LIMITS = Limits(wall_s=60, memory_mb=1024, processes=32, disk_mb=1, files=10, file_mb=1, output_mb=8)
MOST = 6  # pages
DPI = 80
INSIDE = "/review/paper.pdf"
_PNG = b"\x89PNG\r\n"


def pages_with_figures(pdf: Path, sandbox: Sandbox) -> tuple[bytes, ...]:
    """Up to MOST pages with figures as PNG files, in their order. A page that cannot be drawn is left out."""
    try:
        places = printed.read(pdf.read_bytes()).places
    except (OSError, ValueError):
        return ()
    pages = sorted({page for name, page in places.items() if name.startswith("figure.")})
    return tuple(picture for page in pages[:MOST] if (picture := drawn(pdf, page, sandbox)).startswith(_PNG))


def drawn(pdf: Path, page: int, sandbox: Sandbox) -> bytes:
    """One page of a PDF that nobody trusts, as a PNG file; empty where it cannot be drawn."""
    mount = Mount(pdf.resolve(), INSIDE)
    argv = ("pdftoppm", "-png", "-singlefile", "-r", str(DPI), "-f", str(page), "-l", str(page), sandbox.visible(mount))
    spec = SandboxSpec(argv=argv, cwd="/", mounts=(mount,), limits=LIMITS)
    with TemporaryFolder("pictures") as folder:
        out = Path(folder) / "page.png"
        end = sandbox.start(spec, stdout=out, stderr=Path(folder) / "stderr").wait()
        return out.read_bytes() if end.reason == "ok" else b""
