"""Renders views as HTML: one file with style, script and pictures inside, and a policy against any other script.

Every text of a model, a log or an idea is escaped (jinja2's autoescape), and characters that would reverse the order of
letters are shown as their codes. Only this module and `drawing` make markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from agent.core.numbers import counted
from agent.core.program import TYPED
from agent.core.visible import visible
from agent.pages.views.features import FeaturesView
from agent.pages.views.index import IndexRow
from agent.pages.views.maths import formula, typeset
from agent.pages.views.session import SessionView

HERE = Path(__file__).parent
Strip = Callable[[str], str]


@dataclass(frozen=True)
class Serving:
    """What a page needs to know of the server that sends it."""

    token: str = ""  # for a reader who may also control sessions
    answer: str = ""  # what the last command printed
    seen: str = ""  # the name of the session's state that the page shows


def session_page(view: SessionView, serving: Serving | None = None, strip: Strip = str, pdf: str = "") -> bytes:
    """The page of one session.

    Args:
        serving: of the server that sends it; None for a file of its own.
        strip: rewrites each text before it is printed, so that a file to hand on has no key and no local path.
        pdf: the address of the paper relative to a file of its own; "" without one.
    """
    return _page("session.html.j2", serving, strip, view=view, title=view.title, pdf="paper.pdf" if serving else pdf)


def index_page(rows: tuple[IndexRow, ...], closed: list[str], serving: Serving | None = None) -> bytes:
    """The table of all sessions. `closed`: names of folders that this user may not read."""
    return _page("index.html.j2", serving, str, rows=rows, closed=closed, typed=TYPED, title="Sessions")


def call_page(step: str, messages: list[tuple[str, str]], reply: str, serving: Serving | None = None) -> bytes:
    """One exchange with a model, unshortened; `messages` are pairs of role and text."""
    return _page("call.html.j2", serving, str, step=step, messages=messages, reply=reply, title=step)


def features_page(view: FeaturesView) -> bytes:
    """The latents of one autoencoder, as a file of its own."""
    return _page("features.html.j2", None, str, view=view, title=view.title)


def problem_page(title: str, text: str) -> bytes:
    """A page with one line that says what is wrong."""
    return _page("problem.html.j2", Serving(), str, text=text, title=title)


def policy(served: bool) -> str:
    """The Content-Security-Policy: only our own style and script, by their hashes, and pictures inside the page."""
    parts = [
        "default-src 'none'",
        f"style-src '{_hash('pages.css')}'",
        f"script-src '{_hash('pages.js')}'",
        "img-src data:",
        "base-uri 'none'",
    ]
    if served:
        return "; ".join([*parts, "connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'"])
    return "; ".join([*parts, "form-action 'none'"])


# ---------------------------------------------------------------- inside


def _page(template: str, serving: Serving | None, strip: Strip, **given: Any) -> bytes:
    text = (
        _environment(strip)
        .get_template(template)
        .render(
            serving=serving,
            policy=policy(serving is not None),
            css=Markup(_asset("pages.css")),  # ours: nothing of a session is in it
            js=Markup(_asset("pages.js")),
            **given,
        )
    )
    return text.encode("utf-8")


@cache
def _asset(name: str) -> str:
    return (HERE / "assets" / name).read_text(encoding="utf-8")


@cache
def _hash(name: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(_asset(name).encode()).digest()).decode()


def _environment(strip: Strip) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: _shown(value, strip),
    )
    environment.filters |= {
        "embedded": _embedded,
        "sized": _sized,
        "download": lambda text: _download(strip(text)),
        "json_block": lambda text: _json_block(strip(text)),
        "slug": slug,
        "formula": formula,
        "typeset": typeset,
        "counted": counted,
        "zip": lambda one, other: zip(one, other, strict=False),
        "spaced": lambda text: text.replace("_", " "),
    }
    return environment


def _shown(value: object, strip: Strip) -> object:
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return visible(strip(value))


def slug(text: str) -> str:
    """A text as part of an anchor: every other character than a letter or digit becomes a hyphen."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in text)


def _embedded(data: bytes) -> str:
    """A PNG picture as a data: address."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _sized(data: bytes) -> Markup:
    """Width and height of a PNG picture as attributes, so that the page does not move while it loads."""
    width, height = (int.from_bytes(data[at : at + 4]) for at in (16, 20))
    return Markup(f' width="{width}" height="{height}"')  # two numbers


def _download(text: str) -> str:
    return f"data:text/csv;base64,{base64.b64encode(text.encode()).decode()}"


def _json_block(text: str) -> Markup:
    """JSON for a <script> element that is not run, escaped so that nothing in it can end the element."""
    safe = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(safe.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))
