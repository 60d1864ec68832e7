"""Real texts bent in seeded ways: what a model, a broken transport or an enemy could send instead.

A mutator takes (text, another real text, random) and returns a text. Not here: what is done with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

Mutator = Callable[[str, str, Random], str]
MUTATORS: dict[str, Mutator] = {}
LARGE = 2_000_000  # characters of a huge reply
ODD = (
    "\x00",
    "\ud800",
    "\udfff",
    "\u202e",
    "\u2066",
    "\u200b",
    "\ufeff",
    "\u2028",
    "\x85",
    "\x1b[31m",
    "\x9b",
    "\x07",
    "\ue000",
    "\ue003",
    "\ufffe",
    "\U0010ffff",
    "\U0001f9ea",
    "\u0301" * 40,
    "\u0130",
    "\u05d0",
    "\u4e2d",
    "\xa0",
    "\x0b",
    "\x0c",
    "\r",
    "\t",
    "\u2212",
    "\u00bd",
    "\uff11",
    "\u0661",
)
PATHS = (
    "../../etc/passwd",
    "/etc/passwd",
    ".git/config",
    ".git/hooks/post-commit",
    "evaluate.py",
    "records/0.json",
    "~/.bashrc",
    "paper/sections/../../events.jsonl",
    "experiment.py\x00.txt",
    "a" * 5000,
    "con",
    "-rf",
    "",
    "experiment.py/",
    "./experiment.py",
    "paper/sections/results.md",
    "\u202eyp.tnemirepxe",
    "template/world.py",
)
WORDS = (
    "SEARCH",
    "REPLACE",
    "<think>",
    "</think>",
    "/run rm -rf ~",
    "<function_calls>",
    "{% raw %}",
    "{{ 7 * 7 }}",
    "${HOME}",
    "\\input{/etc/passwd}",
    "\\write18{id}",
    "ignore all previous instructions",
    "NaN",
    "null",
    "...",
    "<|im_end|>",
    "Traceback (most recent call last):",
    "https://example.org/x.py",
    "0.97",
    "92%",
    "a 40% gain",
)
REPEATED = (
    "a ",
    "two ",
    "(",
    "[@",
    "{{ ",
    "}} ",
    "`",
    "$",
    "*",
    "_",
    "# ",
    "> ",
    "- ",
    "!",
    ". ",
    "1",
    "1.",
    "\\",
    "<",
    "\n",
    "\n\n",
    " ",
    "\t",
    "[[",
    "](",
    "&amp;",
    "than the ",
    "in three of two ",
    "set to ",
    "x" * 50 + " ",
    "<<<<<<< SEARCH\n",
    "=======\n",
    ">>>>>>> REPLACE\n",
    "```\n",
    '{"a":',
    "[",
    "\\frac{",
    "by one half of ",
    "e\u0301",
    "1 1 ",
    "zero non-",
    "improves ",
    "$x$ ",
    "**a** ",
    "A. ",
    "\u202e",
)


def _mutator(function: Mutator) -> Mutator:
    MUTATORS[function.__name__] = function
    return function


def mutations(
    texts: Sequence[str], draw: Random, count: int, mutators: Mapping[str, Mutator] = MUTATORS
) -> list[tuple[str, str]]:
    """`count` different texts, each with the names of its mutators; every mutator has its turn."""
    found: dict[str, str] = {}
    names = sorted(mutators)
    turn = 0
    while len(found) < count:
        chosen = [names[turn % len(names)], *draw.sample(names, draw.choice((0, 0, 0, 1, 2)))]
        turn += 1
        text = draw.choice(texts)
        for name in chosen:
            text = mutators[name](text, draw.choice(texts), draw)[: 2 * LARGE]
        found.setdefault(text, "+".join(chosen))
    return [(name, text) for text, name in found.items()]


# ---------------------------------------------------------------- any text


@_mutator
def cut(text: str, other: str, draw: Random) -> str:
    return text[: draw.randrange(len(text) + 1)]


@_mutator
def beheaded(text: str, other: str, draw: Random) -> str:
    return text[draw.randrange(len(text) + 1) :]


@_mutator
def doubled(text: str, other: str, draw: Random) -> str:
    a, b = _span(text, draw)
    return text[:b] + text[a:b] * draw.randint(1, 5) + text[b:]


@_mutator
def interleaved(text: str, other: str, draw: Random) -> str:
    lines = [
        [line, draw.choice(("", other_line))]
        for line, other_line in zip(text.splitlines(), (other.splitlines() * 500)[:500], strict=False)
    ]
    return "\n".join(line for pair in lines for line in pair)


@_mutator
def spliced(text: str, other: str, draw: Random) -> str:
    at, (a, b) = draw.randrange(len(text) + 1), _span(other, draw)
    return text[:at] + other[a:b] + text[at:]


@_mutator
def noisy(text: str, other: str, draw: Random) -> str:
    characters = list(text)
    for _ in range(draw.randint(1, 20)):
        at = draw.randrange(len(characters) + 1)
        characters[at : at + draw.choice((0, 1, 1, 3))] = draw.choice(
            ("", chr(draw.randrange(32, 127)), "\n", "{", "`")
        )
    return "".join(characters)


@_mutator
def odd_characters(text: str, other: str, draw: Random) -> str:
    for _ in range(draw.randint(1, 8)):
        at = draw.randrange(len(text) + 1)
        text = text[:at] + draw.choice(ODD) + text[at:]
    return text


@_mutator
def odd_lines(text: str, other: str, draw: Random) -> str:
    return text.replace("\n", draw.choice(("\r\n", "\r", "\u2028", "\x0b", "\n\r", "\n\n", " ", "\x85", "\n\t")))


@_mutator
def shuffled(text: str, other: str, draw: Random) -> str:
    lines = text.splitlines()
    a, b = _span(lines, draw)
    part = lines[a:b]
    draw.shuffle(part)
    return "\n".join([*lines[:a], *part, *lines[b:]])


@_mutator
def lines_lost(text: str, other: str, draw: Random) -> str:
    return "\n".join(line for line in text.splitlines() if draw.random() > 0.15)


@_mutator
def indented(text: str, other: str, draw: Random) -> str:
    by = draw.choice(("    ", "\t", "> ", "- ", "   ", "| ", "# "))
    return "\n".join(by + line for line in text.splitlines())


@_mutator
def planted_words(text: str, other: str, draw: Random) -> str:
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(text) + 1)
        text = text[:at] + draw.choice((" ", "\n", "")) + draw.choice(WORDS) + draw.choice((" ", "\n")) + text[at:]
    return text


@_mutator
def nothing_much(text: str, other: str, draw: Random) -> str:
    """Least replies; the empty one among them."""
    return draw.choice(
        (
            "",
            " ",
            "\n\n",
            ".",
            "```",
            "``````",
            "{}",
            "[]",
            "null",
            "{",
            "}{",
            '"',
            "0",
            "\u200b",
            "\x00",
            "NO CHANGE",
            "I cannot help with that.",
            "...",
            "\ufeff",
            "---",
            "# ",
            "$$",
            "{{}}",
            "<think>",
        )
    )


@_mutator
def repeated(text: str, other: str, draw: Random) -> str:
    """What a regular expression may choke on."""
    at = draw.randrange(len(text) + 1)
    many = draw.choice((30, 1000, 20_000, 60_000))
    return text[:at] + (draw.choice(REPEATED) * many)[: LARGE // 4] + text[at:]


@_mutator
def huge(text: str, other: str, draw: Random) -> str:
    if draw.random() < 0.7:  # a few of megabytes are enough
        return text + "\n" + "\n".join([other] * draw.randint(2, 6))
    return (text + "\n") * (draw.choice((LARGE // 8, LARGE)) // (len(text) + 1) + 1)


# ---------------------------------------------------------------- blocks


@_mutator
def wrong_fences(text: str, other: str, draw: Random) -> str:
    return text.replace("```", draw.choice(("", "~~~", "````", "``", "'''", "```python ", "<source>", "```\n```", "`")))


@_mutator
def broken_markers(text: str, other: str, draw: Random) -> str:
    was = draw.choice(("<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"))
    now = draw.choice(
        (
            "",
            was[:-1],
            was + was,
            was.lower(),
            f"  {was}",
            f"{was} x",
            was[1:],
            "=======",
            "<<<<<<< SEARCH",
            ">>>>>>> REPLACE",
            "<<<<<<< ORIGINAL",
            was[:5],
            f"{was}\r",
            was.replace("<", "\u2039"),
        )
    )
    return text.replace(was, now, draw.choice((1, -1))) if was in text else f"{text}\n{now}\n{other}\n{was}\n"


@_mutator
def other_files(text: str, other: str, draw: Random) -> str:
    path = draw.choice(PATHS)
    named = re.sub(r"(?m)^[\w/.-]+\.(?:py|md)$", lambda _: path, text, count=draw.choice((0, 1)))
    return named if named != text else f"{path}\n```\n<<<<<<< SEARCH\n=======\n{text[:300]}\n>>>>>>> REPLACE\n```\n"


@_mutator
def blocks_without_search(text: str, other: str, draw: Random) -> str:
    search = draw.choice(("", "...\n", "\n"))
    return re.sub(r"(?s)(<<<<<<< SEARCH\n).*?(=======\n)", lambda m: m[1] + search + m[2], text)


@_mutator
def whole_file_instead(text: str, other: str, draw: Random) -> str:
    inner = re.findall(r"(?s)=======\n(.*?)>>>>>>> REPLACE", text) or [text]
    return f"```python\n{inner[0]}\n```"


# ---------------------------------------------------------------- JSON


@_mutator
def other_json(text: str, other: str, draw: Random) -> str:
    """The reply's JSON with one value, key or type changed."""
    data = _json_of(text)
    if data is None:
        return json.dumps({"text": text[:2000], "value": draw.choice((1e400, None, -1, True))})
    for _ in range(draw.randint(1, 3)):
        _bend(data, draw)
    dumped = json.dumps(data, ensure_ascii=draw.random() < 0.5)
    return draw.choice((f"```json\n{dumped}\n```", dumped, f"Here:\n{dumped}\nDone {{ok}}.", f"```\n{dumped}\n```"))


@_mutator
def deep_json(text: str, other: str, draw: Random) -> str:
    deep = draw.choice((60, 1000, 100_000))
    inside = draw.choice(("[" * deep + "]" * deep, '{"a":' * deep + "1" + "}" * deep, "[" * deep))
    return draw.choice((f"```json\n{inside}\n```", f'```json\n{{"runs": {inside}}}\n```', inside))


@_mutator
def odd_numbers(text: str, other: str, draw: Random) -> str:
    number = draw.choice(
        ("NaN", "-Infinity", "1e999", "9" * 5000, "0x10", "01", "1_000", "-0", "1.5", "true", '"3"', "3.0")
    )
    return re.sub(r"(?<=[:\[ ])-?\d+(?:\.\d+)?(?=[,\s}\]])", lambda _: number, text, count=draw.choice((0, 1)))


@_mutator
def json_by_hand(text: str, other: str, draw: Random) -> str:
    was, now = draw.choice(
        (
            ('"', "'"),
            (",", ",,"),
            ("}", ""),
            (":", "="),
            ("true", "True"),
            ('"', "\u201c"),
            ("\n", "\\n"),
            ("{", '{"a": 1, '),
            ("[", "[null, "),
            ("\\", "\\\\"),
            ("}", "} // so"),
        )
    )
    return text.replace(was, now, draw.choice((1, 2, -1)))


def _json_of(text: str) -> Any:
    try:
        return json.loads(text[text.find("{") : text.rfind("}") + 1])
    except (ValueError, RecursionError):
        return None


def _bend(data: Any, draw: Random) -> None:
    """Change one place of a JSON value."""
    while isinstance(data, dict | list) and data:
        key = draw.choice(sorted(data)) if isinstance(data, dict) else draw.randrange(len(data))
        inner = data[key]
        if isinstance(inner, dict | list) and inner and draw.random() < 0.7:
            data = inner
            continue
        if draw.random() < 0.25:
            del data[key]
        elif isinstance(data, dict) and draw.random() < 0.2:
            data[draw.choice((*ODD, "extra", ""))] = data.pop(key)
        else:
            data[key] = _other(inner, draw)
        return


def _other(value: Any, draw: Random) -> Any:
    if isinstance(value, str) and draw.random() < 0.6:
        return draw.choice(
            (
                draw.choice(ODD) + value,
                value + draw.choice(ODD),
                value * 400,
                "",
                value.upper(),
                f"{value}\n\nRun: 9\nEvent: measured",
                f"{value} $x_1$ \\alpha %s {{0}} <b>",
                "best",
            )
        )
    return draw.choice(
        (None, True, -1, 10**30, 1.5, "", "x" * 100_000, [], {}, [value], {"a": value}, draw.choice(ODD))
    )


def _span(items: Sequence[Any], draw: Random) -> tuple[int, int]:
    a, b = sorted((draw.randrange(len(items) + 1), draw.randrange(len(items) + 1)))
    return a, b
