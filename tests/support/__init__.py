"""What tests share: scripted models, stand-ins that are real classes, small templates and whole sessions."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).parent / "tiny_template"


def until(claim: Callable[[], object], seconds: float = 20.0) -> None:
    """Look again and again until it is so; a failed test when it does not come to be in time."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
