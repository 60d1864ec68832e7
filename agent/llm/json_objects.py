"""JSON objects out of an answer, also with trailing commas, comments or in Python's spelling; nothing is guessed.

An object that is broken is told of by field and rule. Not here: whether an object has its form (in_words.py).
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

# What begins an object, and not a set in a sentence or a line of code.
_BEGINS = re.compile(r"""\{(?=\s*(?:["'}]|//|/\*|[A-Za-z_]\w*\s*:))""")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|[\"\\/bfnrt'\n]|(.))", re.DOTALL)
_MOST = 200  # beginnings that are tried; an answer of more is no answer
_RULES = {  # of json's messages: what an answer has to look like there
    "Unterminated": "the text has no closing quotation mark",
    "Invalid \\": "a backslash inside a text is written \\\\",
    "Expecting ':'": "a colon belongs between a name and its value",
    "Expecting ','": 'a comma is missing, or a quotation mark inside a text is not written \\"',
    "Expecting property": "a name in quotation marks belongs there",
    "Expecting value": "a value belongs there: a text in quotation marks, a number, true, false, a list or an object",
    "Exceeds": "the number is too long",
}


class BrokenObject(Exception):
    """What is wrong with an object, by field and rule."""


def objects(text: str) -> tuple[list[dict[str, Any]], str]:
    """The outermost objects of a text, in order; and what is wrong with the first that is broken, "" if none is."""
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
        BrokenObject: it is none that can be read for sure.
    """
    try:
        return json.JSONDecoder(strict=False, object_pairs_hook=_once).raw_decode(text, start)
    except json.JSONDecodeError as error:
        problem = _told(text, start, error)
    except BrokenObject:
        raise
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        problem = "an object that is nested or long beyond all sense"
    if end is None:
        raise BrokenObject(problem)
    part = text[start:end]
    if not any(match[1] for match in _ESCAPE.finditer(part)):  # else these would drop the backslash
        for value in _otherwise(part):
            if isinstance(value, dict) and all(isinstance(name, str) for name in value):
                return value, end
    raise BrokenObject(problem)


def _otherwise(part: str) -> Iterator[Any]:
    """What JSON5, and Python, read in it."""
    with suppress(ValueError, RecursionError):
        yield json5.loads(part, strict=False, object_pairs_hook=_once)
    with suppress(ValueError, TypeError, SyntaxError, RecursionError, MemoryError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield ast.literal_eval(part)


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, given in pairs:
        if name in value:
            raise BrokenObject(f"{name}: stands twice in one object")
        value[name] = given
    return value


def _end(text: str, start: int) -> int | None:
    """Behind the bracket that closes the object; None: it is never closed."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if not depth:
            return token.end()
    return None


def _told(text: str, start: int, error: json.JSONDecodeError) -> str:
    where = _path(text, start, error.pos) or "answer"
    if not text.rstrip("`\n\t ").endswith("}") and _end(text, start) is None:
        return f"the answer ends inside {where}: it was cut; send all of it again, and be brief"
    rule = next((rule for said, rule in _RULES.items() if error.msg.startswith(said)), "it is no JSON there")
    return f"{where}: {rule}"


def _path(text: str, start: int, place: int) -> str:
    """The field that a place lies in, as runs.0.label."""
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
