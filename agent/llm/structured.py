"""Structured output: sends the form of the answer with a request if litellm says that the model supports it."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from agent.llm.providers import supports

_REFUSAL = re.compile(r"response.?format|schema|structured|grammar|output.?format", re.IGNORECASE)


def response_format(model: str, form: type[BaseModel] | None) -> dict[str, Any]:
    """The option that asks for the form; empty if there is no form, or if the model does not support it."""
    if form is None or not supports(model, "response_schema"):
        return {}
    # Not strict, because a strict schema can neither bound the length of a text nor have optional fields.
    schema = {"name": form.__name__, "schema": form.model_json_schema(), "strict": False}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def refuses_form(error: Exception) -> bool:
    """Whether a provider refuses a request because of the form in it."""
    return getattr(error, "status_code", None) in (400, 422) and bool(_REFUSAL.search(str(error)))
