"""Adds pictures to a request if litellm says that the model can see; other models are sent the text alone."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from agent.core.exchange import Pictures
from agent.llm.prompting import render
from agent.llm.providers import supports


def shown_to(model: str, pictures: Pictures) -> Sequence[bytes]:
    """The pictures to send to this model. They are made only if it can see."""
    return pictures() if supports(model, "vision") else ()


def with_pictures(said: list[dict[str, Any]], pictures: Sequence[bytes]) -> list[dict[str, Any]]:
    """The messages with a sentence about the pictures, and the PNG files, at the end of the last one."""
    if not pictures:
        return said
    content = said[-1]["content"]
    words = content if isinstance(content, list) else [_words(content)]
    parts = [*words, _words(render("pictures", count=len(pictures))), *map(_picture, pictures)]
    return [*said[:-1], {**said[-1], "content": parts}]


def _words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _picture(png: bytes) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(png).decode()}"}}
