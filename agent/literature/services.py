"""The literature services: their addresses, how often they may be asked, and which keys they take.

No other module has their addresses; tests hand in others.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from agent.core.program import version

USER_AGENT = f"experiment-runner/{version()}"
# Environment variables that the person may set; none is necessary.
S2_KEY, OPENALEX_KEY, OPENALEX_MAIL = "S2_API_KEY", "OPENALEX_API_KEY", "OPENALEX_MAILTO"


@dataclass(frozen=True)
class Service:
    """One service. `interval_s` is the least time between two requests, of whichever process of the workspace."""

    name: str
    url: str
    interval_s: float
    key: str = ""
    mail: str = ""


def services(environment: Mapping[str, str] = os.environ) -> tuple[Service, ...]:
    """All services, those with a key first, because requests without one share a limit with all other users."""
    found = (
        Service("semantic_scholar", "https://api.semanticscholar.org", 1.1, environment.get(S2_KEY, "")),
        Service(
            "openalex",
            "https://api.openalex.org",
            0.2,
            environment.get(OPENALEX_KEY, ""),
            environment.get(OPENALEX_MAIL, ""),
        ),
        Service("arxiv", "https://export.arxiv.org", 3.1),
    )
    return tuple(sorted(found, key=lambda s: not s.key))
