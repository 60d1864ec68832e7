"""The literature services: where they are, how often they may be asked, and whose keys they take.

The only place that names their addresses; tests hand in others.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from agent.core.program import version

USER_AGENT = f"experiment-runner/{version()}"
# What the person may set; none is needed.
S2_KEY, OPENALEX_KEY, OPENALEX_MAIL = "S2_API_KEY", "OPENALEX_API_KEY", "OPENALEX_MAILTO"


@dataclass(frozen=True)
class Service:
    """One service. `interval_s` lies between two requests of this machine, whichever process sends them."""

    name: str
    url: str
    interval_s: float
    key: str = ""
    mail: str = ""


def services(environment: Mapping[str, str] = os.environ) -> tuple[Service, ...]:
    """All services, those that know us first: without a key a request shares a pool with all the world."""
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
