"""agent.llm.editing.lint: what would fail at run time for a name or a syntax is found before it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.errors import InfrastructureError
from agent.llm.editing.lint import MAX_ERRORS, LintError, lint


def _lint(tmp_path: Path, source: str | bytes) -> tuple[LintError, ...]:
    path = tmp_path / "experiment.py"
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    return lint(path)


def test_clean_code_has_no_errors_whatever_its_style(tmp_path: Path):
    assert _lint(tmp_path, "import os\nx=1;y = '%s' % x\nif x == None : print( y )\n") == ()


def test_an_undefined_name_is_shown_with_the_lines_around_it(tmp_path: Path):
    errors = _lint(tmp_path, "import math\n\n\ndef loss(x):\n    return math.sqrt(x) + l1\n\n\nprint(loss(2))\n")

    assert [(e.line, e.code, e.text) for e in errors] == [(5, "F821", "undefined name 'l1'")]
    assert errors[0].around.splitlines() == [
        "  2 |",
        "  3 |",
        "  4 | def loss(x):",
        "> 5 |     return math.sqrt(x) + l1",
        "  6 |",
        "  7 |",
        "  8 | print(loss(2))",
    ]


def test_a_syntax_error_is_named_with_its_line(tmp_path: Path):
    (error,) = _lint(tmp_path, "x = 1\nif x\n    y = 2\n")

    assert (error.line, error.code) == (2, "E999")
    assert "expected ':'" in error.text
    assert "> 2 | if x" in error.around


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("x = 1\ndef f():\n    print(x)\n    x = 2\n    return x\n", "F823"),
        ("def f(a, a):\n    return a\n", "E999"),
        ("class A:\n    from os import *\n", "E999"),
        ("break\n", "E999"),
        ("for i in range(2):\n    pass\nelse:\n    continue\n", "E999"),
        ("class A:\n    yield 1\n", "E999"),
        ("return 1\n", "E999"),
        ("\tx = 1\n  y = 2\n", "E999"),
        ("def f():\n    from math import *\n", "E999"),
    ],
)
def test_code_that_cannot_run_is_refused(tmp_path: Path, source: str, code: str):
    assert code in {error.code for error in _lint(tmp_path, source)}


def test_noqa_and_a_configuration_file_silence_nothing(tmp_path: Path):
    (tmp_path / ".flake8").write_text("[flake8]\nignore = F821\n")
    (tmp_path / "setup.cfg").write_text("[flake8]\nexclude = experiment.py\n")

    assert [e.code for e in _lint(tmp_path, "# flake8: noqa\nprint(nowhere)  # noqa\n")] == ["F821"]


def test_a_linter_of_the_agent_s_own_is_not_used_and_the_file_is_not_run(tmp_path: Path):
    for name in ("flake8.py", "pyflakes.py", "sitecustomize.py"):
        (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")

    errors = _lint(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')\nprint(nowhere)\n")

    assert [e.code for e in errors] == ["F821"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "source",
    [
        b"x = 1\x00\n",
        b"\xff\xfe\x00bad",
        b"# coding: nonsense\nx = 1\n",
        b"x = " + b"(" * 5000 + b")" * 5000,
        b"x = " + b"-" * 200_000 + b"1\n",
        b"\xe9 = 1\n",
        b"\x0c\x1b[31mx = (\n",
    ],
    ids=["null", "utf16", "coding", "parentheses", "minuses", "latin1", "control"],
)
def test_whatever_a_model_writes_is_an_answer_and_no_crash(tmp_path: Path, source: bytes):
    errors = _lint(tmp_path, source)

    assert errors
    assert all(e.code in {"E999", "E902"} and len(e.around) < 3000 for e in errors)


def test_many_errors_are_bounded_and_in_order(tmp_path: Path):
    errors = _lint(tmp_path, "".join(f"print(name_{n})\n" for n in range(100)))

    assert [e.line for e in errors] == list(range(1, MAX_ERRORS + 1))


def test_a_missing_file_is_infrastructure(tmp_path: Path):
    with pytest.raises(InfrastructureError, match=r"gone\.py: No such file"):
        lint(tmp_path / "gone.py")
