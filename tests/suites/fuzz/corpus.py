"""Real texts to bend: the replies of all shipped recordings, and the paper of the tests."""

from __future__ import annotations

from tests.support import ROOT


def recorded() -> list[str]:
    """Every recorded reply of every template."""
    return [
        path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "templates").glob("*/playback/*/*.md"))
        if path.name != "README.md"
    ]
