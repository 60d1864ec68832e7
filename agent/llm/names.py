"""Checks the names of models before any is asked, and suggests known names for one that is wrong.

Nothing is sent to a model. A person's own server is asked which models it has.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from http.client import HTTPException
from typing import Any

from agent.core.exchange import Role
from agent.core.wire import Unbearable, unpacked
from agent.llm.providers import is_ollama, load_litellm, provider_of

_ANSWER_S = 2.0
_BYTES = 8 << 20
_NEAR = 3  # how many names are suggested for a wrong one


def check(
    names: Mapping[Role, str] | Mapping[str, str], api_base: str | None = None, *, keys: bool = True
) -> list[tuple[str, str]]:
    """What keeps these models from being asked, as pairs (problem, remedy).

    `names` are by the models' roles. Without `keys` it does not matter whether a provider's key is set.
    """
    found: list[tuple[str, str]] = []
    for model in sorted(set(names.values())):
        roles = ", ".join(role for role, name in names.items() if name == model)
        if provider_of(model) is None:
            found.append(_unknown(model, roles))
        elif is_ollama(model):
            found += _check_ollama(model, api_base)
        elif keys and api_base is None:
            missing = load_litellm().validate_environment(model).get("missing_keys") or []
            found += [
                (
                    f"model {model} ({roles}): the environment variable {name} is not set",
                    f"export {name}=…, or choose another model",
                )
                for name in missing
            ]
    return found


def nearest(model: str, api_base: str | None = None) -> str:
    """A clause with known names that are similar to one that a provider does not know; "" if there are none."""
    provider, _, name = model.rpartition("/") if "/" in model else (provider_of(model) or "", "", model)
    if api_base and (served := served_at(api_base)):
        near = get_close_matches(name, served, _NEAR, 0.4) or served[:_NEAR]
        return f"the server at {api_base} has {_either([f'{provider}/{one}' for one in near])}"
    known = [key for key in _listed() if not provider or key.startswith(f"{provider}/")]
    near = get_close_matches(f"{provider}/{name}" if provider else name, known, _NEAR, 0.6)
    if not near and not provider:
        bare = {key.rpartition("/")[2]: key for key in known}
        near = [bare[one] for one in get_close_matches(name, list(bare), _NEAR, 0.6)]
    return f"the nearest known names are {_either(near)}" if near else ""


def served_at(api_base: str) -> list[str]:
    """The models that an OpenAI-compatible server lists; empty if it lists none or does not answer."""
    base = api_base.rstrip("/")
    key = os.environ.get("OPENAI_API_KEY", "none")
    try:
        body = _fetched(urllib.request.Request(f"{base}/models", headers={"Authorization": f"Bearer {key}"}))
        return sorted({str(entry["id"]) for entry in body["data"]})
    except (OSError, ValueError, KeyError, TypeError, HTTPException, Unbearable):
        return []


def _unknown(model: str, roles: str) -> tuple[str, str]:
    """Why litellm cannot find the provider for a name, and what to write instead."""
    near = nearest(model)
    if "/" in model:
        cause = f"model {model!r} ({roles}): no provider of that name is known"
        form = "write it as provider/model, e.g. anthropic/…, openai/…, openrouter/…, ollama/…"
    else:
        cause = f"model {model!r} ({roles}): it names no provider, and litellm knows no model of this name alone"
        form = f"write it as provider/model, e.g. openai/{model} for a server that speaks OpenAI's protocol"
    return cause, f"{form} ({near})" if near else form


def _listed() -> list[str]:
    """Every chat model of litellm's list, each as provider/model."""
    found = []
    for key, entry in load_litellm().model_cost.items():
        if entry.get("mode") in ("chat", "responses"):
            provider = entry.get("litellm_provider", "")
            found.append(key if key.startswith(f"{provider}/") else f"{provider}/{key}")
    return found


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


def _check_ollama(model: str, api_base: str | None) -> list[tuple[str, str]]:
    base = (api_base or os.environ.get("OLLAMA_API_BASE") or "http://localhost:11434").rstrip("/")
    try:
        known = {str(entry["name"]) for entry in _fetched(urllib.request.Request(f"{base}/api/tags"))["models"]}
    except (OSError, ValueError, KeyError, TypeError, HTTPException, Unbearable):
        return [
            (
                f"model {model}: no ollama server answers at {base}",
                "start it with `ollama serve`, or set OLLAMA_API_BASE to where it runs",
            )
        ]
    name = model.partition("/")[2]
    if not known & {name, f"{name}:latest"}:
        near = get_close_matches(name, sorted(known), _NEAR, 0.4)
        pulled = f"ollama pull {name}" + (f", or name {_either(near)}, which it holds" if near else "")
        return [(f"model {model}: the ollama server at {base} does not hold it", pulled)]
    return []


def _fetched(request: urllib.request.Request) -> Any:
    """A JSON answer of a server, read within bounds on its size and time."""
    with urllib.request.urlopen(request, timeout=_ANSWER_S) as response:
        pieces = iter(lambda: response.read1(1 << 16), b"")
        return json.loads(b"".join(unpacked(pieces, "", _BYTES, time.monotonic() + 2 * _ANSWER_S)))
