"""A flaw of a template, which is printed as one line, and a template's Python file as the checks read it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import UserError


@dataclass(frozen=True)
class Flaw:
    """What makes a template's results unbelievable, and how to repair it."""

    code: str  # stable, e.g. "few-seeds"
    where: str  # file, or file:line, relative to the template
    text: str
    mend: str
    for_measured: bool = False  # the template reports its own numbers; this is no flaw, but a step towards measured

    def __str__(self) -> str:
        return f"{self.code:<22} {self.where}: {self.text}; {self.mend}"


@dataclass(frozen=True)
class Source:
    """One Python file of a template, parsed."""

    name: str
    tree: ast.Module

    def strings(self) -> Iterator[tuple[str, int]]:
        """Every string except docstrings, with its line."""
        docs = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                yield node.value, node.lineno

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call, with its dotted name as it is written."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node

    def looked_up(self) -> Iterator[tuple[str, int]]:
        """Every name that is looked up as `settings["name"]` or `settings.get("name")`, with its line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Subscript):
                key: ast.expr | None = node.slice
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
                key = node.args[0] if node.args else None
            else:
                continue
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, node.lineno

    def imports(self, outermost: bool = False) -> Iterator[tuple[str, int]]:
        """Every imported module with its line, except where the code catches a failing import.

        `outermost`: leave out imports inside functions, which do not run when the file is imported.
        """
        for node in _walk(self.tree, outermost):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module, node.lineno

    def function(self, name: str) -> ast.FunctionDef | None:
        """The function of this name at the top level of the file."""
        return next((n for n in self.tree.body if isinstance(n, ast.FunctionDef) and n.name == name), None)

    def defines(self, name: str) -> bool:
        """Whether a function or method of this name stands anywhere in the file."""
        return any(
            isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name == name for n in ast.walk(self.tree)
        )

    def class_(self, name: str) -> ast.ClassDef | None:
        """The class of this name at the top level of the file."""
        return next((n for n in self.tree.body if isinstance(n, ast.ClassDef) and n.name == name), None)

    def named(self) -> set[str]:
        """The names that `from` imports and assignments bind anywhere in the file."""
        bound = {
            alias.asname or alias.name
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        return bound | {n.id for n in ast.walk(self.tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}

    def mentions(self, word: str) -> bool:
        """Whether a name or a string of the code contains this word; docstrings do not count."""
        names = {n.id for n in ast.walk(self.tree) if isinstance(n, ast.Name)}
        names |= {n.attr for n in ast.walk(self.tree) if isinstance(n, ast.Attribute)}
        return any(word in name for name in names) or any(word in text for text, _ in self.strings())

    def at(self, line: int) -> str:
        return f"{self.name}:{line}"


def _walk(node: ast.AST, outermost: bool) -> Iterator[ast.AST]:
    """Every node, except in the body of a `try` that catches a failing import, and with `outermost` in functions."""
    yield node
    for name, value in ast.iter_fields(node):
        if isinstance(node, ast.Try) and name == "body" and any(map(_catches_import, node.handlers)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and outermost:
                continue
            if isinstance(child, ast.AST):
                yield from _walk(child, outermost)


def _catches_import(handler: ast.ExceptHandler) -> bool:
    caught = ast.unparse(handler.type) if handler.type else "Exception"
    return any(word in caught for word in ("ImportError", "ModuleNotFoundError", "Exception"))


def read_source(folder: Path, name: str) -> Source:
    """Parse one Python file of a template.

    Raises:
        UserError: it is missing or does not parse.
    """
    try:
        return Source(name, ast.parse((folder / name).read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise UserError(f"{folder / name}: {error.strerror}") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        raise UserError(f"{folder / name}{f':{line}' if line else ''}: does not parse: {error}") from None
