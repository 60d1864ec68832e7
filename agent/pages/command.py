"""The commands `page`, which writes one session as an HTML file, and `serve`, which shows all sessions live."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from agent.core.errors import InfrastructureError, UserError
from agent.core.paths import SessionPaths
from agent.core.program import OURS
from agent.pages.reading import PDF
from agent.pages.views.session import Tell
from agent.storage.workspace import Workspace

if TYPE_CHECKING:
    from agent.pages.serving.guard import Gate

PORT = 8765


def page(paths: SessionPaths, out: Path, tell: Tell) -> int:
    """Write a session's page to `out`/NAME.html and print its path; returns the exit status.

    `tell` gives the words of an event.

    Raises:
        UserError: `out` is no folder to write to, or the session's log is empty.
        InfrastructureError: the session's log cannot be read.
    """
    from agent.storage.atomic import write_bytes

    if not out.is_dir():
        raise UserError(f"{out}: no such folder; make it, or name another with --out")
    target = out / f"{paths.root.name}.html"
    data = page_of(paths, tell, _beside(paths, out))
    try:
        write_bytes(target, data)
    except OSError as error:
        raise UserError(f"{target}: {error.strerror}; name another place with --out") from None
    print(f"{target} ({len(data) / 1e6:.1f} MB; open it in any browser; it loads nothing from the network)")
    return 0


def _beside(paths: SessionPaths, out: Path) -> str:
    """The address of the paper's PDF relative to a page in `out`; "" unless it lies below that folder."""
    pdf, here = (paths.repo / PDF).resolve(), out.resolve()
    near = here in pdf.parents and here.is_relative_to(paths.root.parent.resolve())
    return quote(pdf.relative_to(here).as_posix()) if near and pdf.is_file() else ""


def page_of(paths: SessionPaths, tell: Tell, pdf: str = "") -> bytes:
    """A session's page as one file that can be handed on: it has no key and no path of this machine.

    `pdf` is the address of the paper relative to the page; "" without one.
    """
    from agent.pages.reading import gather
    from agent.pages.rendering import session_page
    from agent.pages.views.session import session_view
    from agent.publishing.bundle.secrets import Stripper

    strip = Stripper({paths.root.parent: "[workspace]", **OURS})
    view = session_view(gather(paths), time.time(), tell)
    printed: dict[str, str] = {}
    session_page(view, strip=lambda text: printed.setdefault(text, text), pdf=pdf)  # only to collect the texts
    return session_page(view, strip=strip.texts(printed).__getitem__, pdf=pdf)


def serve(workspace: Workspace, host: str, port: int | None, control: bool, tell: Tell) -> int:
    """Show all sessions in a browser until Ctrl-C; returns the exit status.

    Args:
        host: the address to listen at. If other machines can reach it, readers need a token.
        port: None takes the usual one, or any free one if that is in use.
        control: whether readers with the token may also steer sessions.
        tell: gives the words of an event.

    Raises:
        UserError: the address is not this machine's, or the port is taken.
    """
    import uvicorn

    from agent.pages.serving.control import Control
    from agent.pages.serving.guard import Gate
    from agent.pages.serving.live import Streams
    from agent.pages.serving.site import Site

    listening = _listen(host, port)
    number = listening.getsockname()[1]
    if port is None and number != PORT:
        print(f"Port {PORT} is in use, perhaps by another serve; this one uses {number}.", file=sys.stderr, flush=True)
    closed = not _is_loopback(host)
    gate = Gate(host, number, secrets.token_urlsafe(24) if control or closed else "", closed)
    streams = Streams()
    site = Site(workspace, gate, tell, Control(workspace) if control else None, streams)
    config = uvicorn.Config(
        site.app(),
        log_level="warning",
        access_log=False,  # it would contain the token
        server_header=False,
        lifespan="off",
        limit_concurrency=100,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    streams.stopping = lambda: server.should_exit
    _announce(gate)
    server.run(sockets=[listening])
    return 0


def _announce(gate: Gate) -> None:
    """Print the address of the server, with its token."""
    host = f"[{gate.host}]" if ":" in gate.host else gate.host
    print(f"http://{host}:{gate.port}/{f'?token={gate.token}' if gate.token else ''}", flush=True)
    if gate.closed:
        print("Others on this network can reach this address. The token lets them read; do not pass it on.", flush=True)
    print("Ctrl-C stops this server; the sessions continue.", flush=True)


def _listen(host: str, port: int | None) -> socket.socket:
    """A socket on this port; None takes the usual one, or any free one if that is in use."""
    for number in (PORT, 0) if port is None else (port,):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, number))
            return listening
        except OSError as error:
            listening.close()
            if port is not None or number == 0:
                raise UserError(f"{host}, port {number}: {error.strerror}; choose others with --host, --port") from None
    raise InfrastructureError("no port")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
