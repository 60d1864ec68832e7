"""Finds the JSON objects in an answer. JSON5 (trailing commas, comments) and Python's spelling are read as well.

Nothing is guessed: a broken object is reported by field and rule. Not here: whether an object has the requested form
(in_words.py).
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import json5

# The beginning of an object, as opposed to a set in a sentence or a brace in a line of code.
_BEGINS = re.compile(r"""\{(?=\s*(?:["'}]|//|/\*|[A-Za-z_]\w*\s*:))""")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|[\"\\/bfnrt'\n]|(.))", re.DOTALL)
_MOST = 200  # beginnings that are tried; no honest answer has more
_RULES = {  # for the beginnings of json's messages: what is expected at that place
    "Unterminated": "the text has no closing quotation mark",
    "Invalid \\": "a backslash inside a text is written \\\\",
    "Expecting ':'": "a colon belongs between a name and its value",
    "Expecting ','": 'a comma is missing, or a quotation mark inside a text is not written \\"',
    "Expecting property": "a name in quotation marks belongs there",
    "Expecting value": "a value belongs there: a text in quotation marks, a number, true, false, a list or an object",
    "Exceeds": "the number is too long",
}


class BrokenObject(Exception):
    """An object is broken; the text names field and rule."""


def objects(text: str) -> tuple[list[dict[str, Any]], str]:
    """The outermost objects of a text, in order, and what is wrong with the first broken one ("" if none is)."""
    found, wrong, place = [], "", 0
    for _ in range(_MOST):
        begins = _BEGINS.search(text, place)
        if begins is None:
            break
        end = _end(text, begins.start())
        try:
            value, end = _read(text, begins.start(), end)
            found.append(value)
        except BrokenObject as problem:
            wrong = wrong or str(problem)
        if end is None:
            break
        place = end
    return found, wrong


def _read(text: str, start: int, end: int | None) -> tuple[dict[str, Any], int]:
    """The object that begins at `start`, and where it ends.

    Raises:
        BrokenObject: it cannot be read without guessing.
    """
    try:
        return json.JSONDecoder(strict=False, object_pairs_hook=_once).raw_decode(text, start)
    except json.JSONDecodeError as error:
        problem = _told(text, start, error)
    except BrokenObject:
        raise
    except (ValueError, RecursionError):  # a number of thousands of digits, or thousands of brackets
        problem = "an object that is nested or long beyond all sense"
    if end is None:
        raise BrokenObject(problem)
    part = text[start:end]
    # With an unknown escape, both readers would drop the backslash
    if not any(match[1] for match in _ESCAPE.finditer(part)):
        for value in _otherwise(part):
            if isinstance(value, dict) and all(isinstance(name, str) for name in value):
                return value, end
    raise BrokenObject(problem)


def _otherwise(part: str) -> Iterator[Any]:
    """The value that JSON5 reads in a text, and the one that Python does."""
    with suppress(ValueError, RecursionError):
        yield json5.loads(part, strict=False, object_pairs_hook=_once)
    with suppress(ValueError, TypeError, SyntaxError, RecursionError, MemoryError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield ast.literal_eval(part)


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, given in pairs:
        if name in value:
            raise BrokenObject(f"{name}: is given twice in one object")
        value[name] = given
    return value


def _end(text: str, start: int) -> int | None:
    """The position behind the bracket that closes the object; None if it is never closed."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if not depth:
            return token.end()
    return None


def _told(text: str, start: int, error: json.JSONDecodeError) -> str:
    """What is wrong at the place of an error, for the model."""
    where = _path(text, start, error.pos) or "answer"
    if not text.rstrip("`\n\t ").endswith("}") and _end(text, start) is None:
        return f"the answer ends inside {where}: it was cut; send all of it again, and be brief"
    rule = next((rule for said, rule in _RULES.items() if error.msg.startswith(said)), "it is no JSON there")
    return f"{where}: {rule}"


def _path(text: str, start: int, place: int) -> str:
    """The field in which a place lies, e.g. runs.0.label."""
    stack: list[str | int] = []
    name = ""
    for token in _TOKEN.finditer(text, start, place):
        match token[0]:
            case "{":
                stack.append("")
            case "[":
                stack.append(0)
            case "}" | "]":
                stack = stack[:-1]
            case ",":
                if stack:
                    stack[-1] = stack[-1] + 1 if isinstance(stack[-1], int) else ""
            case ":":
                if stack and isinstance(stack[-1], str):
                    stack[-1] = name
            case said:
                name = said.strip('"')
    return ".".join(str(part) for part in stack if part != "")
