"""The loop and its parts: an idea goes in, a session with a paper comes out.

`from agent import run, resume` starts sessions from Python; agent/app/api.py says how.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.app.api import Outcome as Outcome
    from agent.app.api import resume as resume
    from agent.app.api import run as run

_PUBLIC = {
    "run": "agent.app.api",
    "resume": "agent.app.api",
    "Outcome": "agent.app.api",
    "read_ideas": "agent.core.ideas",
    "Idea": "agent.core.ideas",
    "Options": "agent.core.options",
    "Call": "agent.core.protocols",
    "Message": "agent.core.protocols",
    "Console": "agent.session.tools",
    "record_playback": "agent.llm.playback",
    "Model": "agent.core.protocols",
    "Reply": "agent.core.protocols",
    "Runner": "agent.core.protocols",
    "Sandbox": "agent.core.protocols",
    "UserError": "agent.core.errors",
    "InfrastructureError": "agent.core.errors",
    "BudgetSpent": "agent.core.errors",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    """Public names load when they are asked for: `import agent` stays instant."""
    from importlib import import_module

    if name not in _PUBLIC:
        raise AttributeError(f"module 'agent' has no attribute {name!r}; public are {', '.join(_PUBLIC)}")
    return getattr(import_module(_PUBLIC[name]), name)
