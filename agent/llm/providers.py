"""What litellm knows of a model without spending a token: its provider, key and price.

Not here: asking a model (litellm_model.py).
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Mapping
from functools import cache
from http.client import HTTPException
from types import ModuleType
from typing import Any

from agent.core.protocols import Role
from agent.core.wire import Unbearable, transport, unpacked

KEY_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)", re.IGNORECASE)
_KEY_TEXT = re.compile(r"\b(?:sk|pk|hf|gsk|xai|AIza)[-_][A-Za-z0-9_*.-]{6,}|(?<=Bearer )\S+|\bAIza[A-Za-z0-9_-]{10,}")
_OLLAMA_S = 2.0
_OLLAMA_BYTES = 8 << 20


@cache
def load_litellm() -> ModuleType:
    """litellm, offline and quiet: no price list fetched, no .env file read, no telemetry, no advertisement."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_MODE"] = "PRODUCTION"  # otherwise it loads a .env from wherever it is started
    warnings.filterwarnings("ignore", ".*`ReadOnly` qualifier", UserWarning)  # of pydantic, about litellm's own types
    import litellm
    from httpx import Client
    from litellm.llms.custom_httpx.http_handler import get_ssl_configuration

    bounded = transport(verify=get_ssl_configuration())
    litellm.sync_transport = bounded  # of its own clients, and of those that it hands to OpenAI's
    litellm.client_session = Client(transport=bounded, follow_redirects=True)
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = True  # a parameter one provider does not know is no reason to stop
    warnings.filterwarnings("ignore", "Pydantic serializer warnings", UserWarning)  # of odd answers, which are read
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "httpx"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


def listing(model: str) -> Mapping[str, Any] | None:
    """A model's entry in litellm's list of models and prices; None where it has none.

    The name alone decides, not get_model_info: for a name that only looks like one of a family it makes an entry up,
    with a price of 0.
    """
    litellm = load_litellm()
    try:
        return litellm.model_cost.get(litellm.get_model_info(model)["key"])
    except Exception:  # litellm raises a bare Exception for a model it has no entry of
        return None


def price(model: str) -> tuple[float, float] | None:
    """US dollars for one input and one output token; None where nobody says, as for a local server."""
    if is_ollama(model):
        return None
    entry = listing(model) or {}
    into, out = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    return None if into is None or out is None else (float(into), float(out))


def is_ollama(model: str) -> bool:
    return model.startswith(("ollama/", "ollama_chat/"))


def key_variable(model: str) -> str:
    """The environment variable that holds the key of a model's provider."""
    missing = load_litellm().validate_environment(model).get("missing_keys") or []
    if missing:
        return str(missing[0])
    provider = provider_of(model) or model.partition("/")[0]
    return f"{re.sub(r'[^A-Z0-9]', '_', provider.upper())}_API_KEY"


def provider_of(model: str) -> str | None:
    try:
        return str(load_litellm().get_llm_provider(model)[1])
    except Exception:  # BadRequestError of a class that differs between litellm's versions
        return None


def check(names: Mapping[Role, str], api_base: str | None = None) -> list[tuple[str, str]]:
    """What keeps these models from being asked, as (problem, mend). Nothing is sent to a provider."""
    found: list[tuple[str, str]] = []
    for model in sorted(set(names.values())):
        roles = ", ".join(role for role, name in names.items() if name == model)
        if provider_of(model) is None:
            found.append(
                (
                    f"model {model!r} ({roles}): no provider of that name is known",
                    "write it as provider/model, e.g. anthropic/…, openai/…, openrouter/…, ollama/…",
                )
            )
        elif is_ollama(model):
            found += _check_ollama(model, api_base)
        elif api_base is None:
            missing = load_litellm().validate_environment(model).get("missing_keys") or []
            found += [
                (
                    f"model {model} ({roles}): the environment variable {name} is not set",
                    f"export {name}=…, or choose another model",
                )
                for name in missing
            ]
    return found


def _check_ollama(model: str, api_base: str | None) -> list[tuple[str, str]]:
    base = (api_base or os.environ.get("OLLAMA_API_BASE") or "http://localhost:11434").rstrip("/")
    try:
        with urllib.request.urlopen(f"{base}/api/tags", timeout=_OLLAMA_S) as response:
            pieces = iter(lambda: response.read1(1 << 16), b"")
            body = b"".join(unpacked(pieces, "", _OLLAMA_BYTES, time.monotonic() + 2 * _OLLAMA_S))
        known = {str(entry["name"]) for entry in json.loads(body)["models"]}
    except (OSError, ValueError, KeyError, TypeError, HTTPException, Unbearable):
        return [
            (
                f"model {model}: no ollama server answers at {base}",
                "start it with `ollama serve`, or set OLLAMA_API_BASE to where it runs",
            )
        ]
    name = model.partition("/")[2]
    if not known & {name, f"{name}:latest"}:
        return [(f"model {model}: the ollama server at {base} does not hold it", f"ollama pull {name}")]
    return []


def scrub(text: str) -> str:
    """Text without any key: neither one of this process's environment nor what looks like one."""
    for name, value in os.environ.items():
        if len(value) >= 8 and KEY_NAME.search(name):
            text = text.replace(value, "[key]")
    return _KEY_TEXT.sub("[key]", text)
