"""Writes values as TOML, on one line each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def toml_value(value: Any) -> str:
    """A mapping, list, string, number or truth value as an inline TOML value."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{toml_text(key)} = {toml_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return toml_text(value) if isinstance(value, str) else json.dumps(value)


def toml_text(text: str) -> str:
    """A TOML basic string, which has JSON's escapes, and one for the character DEL besides."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
