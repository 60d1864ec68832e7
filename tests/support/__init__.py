"""What tests share: scripted models, stand-ins that are real classes, small templates and whole sessions."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).parent / "tiny_template"


def until(claim: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits until the claim holds; fails the test if it does not in time."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, f"still false after {seconds:g} s"
        time.sleep(0.02)
