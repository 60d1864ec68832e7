"""A file that a docstring or a comment names is there: the text moves with the files."""

import ast
import io
import re
import tokenize

import pytest

from tests.support import ROOT

NAMED = re.compile(r"[\w./-]*\b[\w-]+\.py\b|\b(?:agent|paper)(?:/\w+)+(?![\w/]|\.\w)")
ELSEWHERE = re.compile(r"(code|protected)/|paper/style$")  # keys of a record's hashes; a folder of a session's own
THERE = [path.name for path in ROOT.glob("*.py")]
for top in ("agent", "paper", "templates", "tests"):
    THERE += [path.relative_to(ROOT).as_posix() for path in (ROOT / top).rglob("*")]


def prose(source):
    """Docstrings and comments of a module."""
    yield from (t.string for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type == tokenize.COMMENT)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node, clean=False) or ""


def is_there(name):
    return ELSEWHERE.match(name) or any(f"/{path}".endswith(f"/{name}") for path in THERE)


@pytest.mark.parametrize("house", ["agent", "paper"])
def test_every_file_that_a_docstring_or_a_comment_names_exists(house):
    lost = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in (ROOT / house).rglob("*.py")
        for text in prose(path.read_text(encoding="utf-8"))
        for name in NAMED.findall(text)
        if not is_there(name)
    }

    assert not lost
