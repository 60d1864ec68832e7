"""A provider's structured output: an answer's form goes with the request where litellm says that the model takes it."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from pydantic import BaseModel

from agent.llm.providers import is_ollama, load_litellm

_REFUSAL = re.compile(r"response.?format|schema|structured|grammar|output.?format", re.IGNORECASE)


def response_format(model: str, form: type[BaseModel] | None) -> dict[str, Any]:
    """The option of a request that asks for the form; nothing where there is none, or the model does not know it."""
    if form is None or not _takes_a_form(model):
        return {}
    # not strict: a strict schema may say neither how long a text is nor what may be left out
    schema = {"name": form.__name__, "schema": form.model_json_schema(), "strict": False}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def refuses_form(error: Exception) -> bool:
    """Whether a provider does not accept a request because of the form that it asks for."""
    return getattr(error, "status_code", None) in (400, 422) and bool(_REFUSAL.search(str(error)))


@cache
def _takes_a_form(model: str) -> bool:
    if is_ollama(model):  # litellm would ask the server
        return False
    try:
        return bool(load_litellm().supports_response_schema(model))
    except Exception:  # a bare Exception: the model is on no list
        return False
