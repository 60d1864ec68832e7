"""What litellm knows about a model without asking it: its provider, key and price.

Not here: asking a model (litellm_model.py), and what is wrong with a name (names.py).
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, Literal

from agent.core.wire import transport

KEY_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)", re.IGNORECASE)
_KEY_TEXT = re.compile(r"\b(?:sk|pk|hf|gsk|xai|AIza)[-_][A-Za-z0-9_*.-]{6,}|(?<=Bearer )\S+|\bAIza[A-Za-z0-9_-]{10,}")


@cache
def load_litellm() -> ModuleType:
    """The module litellm, set up so that it fetches no price list, reads no .env file, and reports nothing."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_MODE"] = "PRODUCTION"  # otherwise it loads a .env from wherever it is started
    warnings.filterwarnings("ignore", ".*`ReadOnly` qualifier", UserWarning)  # pydantic's, about types of litellm
    import litellm
    from httpx import Client
    from litellm.llms.custom_httpx.http_handler import get_ssl_configuration

    bounded = transport(verify=get_ssl_configuration())
    litellm.sync_transport = bounded  # for its own clients, and for those that it gives to OpenAI's library
    litellm.client_session = Client(transport=bounded, follow_redirects=True)
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = True  # leaves parameters out that a provider does not know
    # About odd answers, which are read all the same
    warnings.filterwarnings("ignore", "Pydantic serializer warnings", UserWarning)
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "httpx"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


def listing(model: str) -> Mapping[str, Any] | None:
    """A model's entry in litellm's list of models and prices; None if it has none.

    The list is read by name. get_model_info would make up an entry with a price of 0 for a name that only resembles
    those of a family.
    """
    litellm = load_litellm()
    try:
        return litellm.model_cost.get(litellm.get_model_info(model)["key"])
    except Exception:  # litellm raises a bare Exception for a model it has no entry of
        return None


@dataclass(frozen=True)
class Stated:
    """What a person states about the models that litellm's list does not have; None: nothing is stated."""

    price: tuple[float, float] | None = None  # US dollars for a million tokens in, and out
    max_output: int | None = None  # tokens of one answer
    context: int | None = None  # tokens that a request and its answer may have together


UNSTATED = Stated()


def is_listed(model: str) -> bool:
    """Whether litellm's list applies to a model. It does not to ollama's, whose owner sets their limits."""
    return not is_ollama(model) and listing(model) is not None


def price(model: str, stated: Stated = UNSTATED) -> tuple[float, float] | None:
    """US dollars for one input token and one output token; None if that is not known, as for a local server."""
    if is_ollama(model):
        return None
    entry = listing(model) or {}
    into, out = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if into is not None and out is not None:
        return float(into), float(out)
    return (stated.price[0] / 1e6, stated.price[1] / 1e6) if stated.price else None


def cached_price(model: str, otherwise: float) -> float:
    """US dollars for one input token that the provider reads from its cache."""
    found = (listing(model) or {}).get("cache_read_input_token_cost")
    return otherwise if found is None else float(found)


def is_priced(model: str, stated: Stated = UNSTATED) -> bool:
    """Whether a bound on money can be kept.

    Openrouter states its charge with each answer, and ollama charges nothing.
    """
    return is_ollama(model) or model.startswith("openrouter/") or price(model, stated) is not None


def is_ollama(model: str) -> bool:
    return model.startswith(("ollama/", "ollama_chat/"))


@cache
def supports(model: str, ability: Literal["vision", "response_schema"]) -> bool:
    """Whether litellm knows that a model has an ability; false for a model of ollama, whose server it would ask."""
    try:
        return not is_ollama(model) and bool(getattr(load_litellm(), f"supports_{ability}")(model))
    except Exception:  # litellm raises a bare Exception for a model it has no entry of
        return False


def asked_as(model: str) -> str:
    """The name under which litellm asks a model.

    With the prefix ollama/ it would take a cut answer for a finished one.
    """
    return f"ollama_chat/{model.removeprefix('ollama/')}" if model.startswith("ollama/") else model


def key_variable(model: str) -> str:
    """The environment variable that has the key of a model's provider."""
    missing = load_litellm().validate_environment(model).get("missing_keys") or []
    if missing:
        return str(missing[0])
    provider = provider_of(model) or model.partition("/")[0]
    return f"{re.sub(r'[^A-Z0-9]', '_', provider.upper())}_API_KEY"


def provider_of(model: str) -> str | None:
    """The provider that litellm asks for a model; None if it knows none."""
    try:
        return str(load_litellm().get_llm_provider(model)[1])
    except Exception:  # BadRequestError of a class that differs between litellm's versions
        return None


def scrub(text: str) -> str:
    """The text with each key replaced: those in this process's environment, and whatever looks like one."""
    for name, value in os.environ.items():
        if len(value) >= 8 and KEY_NAME.search(name):
            text = text.replace(value, "[key]")
    return _KEY_TEXT.sub("[key]", text)
