"""An outline of code for a prompt: each public class and function by its signature, with a line of its docstring."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

FIRST_PAGE = "__init__.py"
MOST = 24_000  # characters


def outline(files: Mapping[str, str]) -> str:
    """The docstring of a library's `__init__.py`, and the signatures of what the library offers, by module.

    `files` maps file names to source; source that does not parse is left out. The outline has those modules from which
    `__init__.py` imports: all their classes, because a subclass has to know what it overrides, and the functions that
    `__all__` names. Without an `__init__.py`, it has everything public.
    """
    texts = {name: tree for name, text in sorted(files.items()) if (tree := _parsed(text)) is not None}
    first = next((name for name in texts if PurePosixPath(name).name == FIRST_PAGE), None)
    offered, imported = (_offered(texts[first]), _imported(texts[first])) if first else (None, None)
    said = [ast.get_docstring(texts[first]) or ""] if first else []
    for name, tree in texts.items():
        known = imported is None or PurePosixPath(name).stem in imported
        if name != first and known and (lines := list(_module(tree, offered))):
            said.append("\n".join([f"{name}:", *lines]))
    return "\n\n".join(text for text in said if text)[:MOST]


def map_of(code: Mapping[str, str], others: Iterable[str]) -> str:
    """An outline of a repository's other files: signatures of the Python `code`, by file, and the names of `others`."""
    said = []
    for name, text in sorted(code.items()):
        tree = _parsed(text)
        about = (ast.get_docstring(tree) or "").partition("\n")[0].strip() if tree else "does not parse"
        said.append("\n".join([f"{name}: {about}".rstrip(": "), *(_module(tree, None) if tree else ())]))
    rest = sorted(others)
    said += [f"Other files: {', '.join(rest)}"] if rest else []
    return "\n".join(said)[:MOST]


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _offered(first: ast.Module) -> frozenset[str] | None:
    """The names in `__all__`; None if the module has none."""
    for node in first.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            elements = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else []
            return frozenset(e.value for e in elements if isinstance(e, ast.Constant) and isinstance(e.value, str))
    return None


def _imported(first: ast.Module) -> frozenset[str] | None:
    """The last parts of the names of modules in `from MODULE import`; None if there are none."""
    modules = {(node.module or "").rpartition(".")[2] for node in first.body if isinstance(node, ast.ImportFrom)}
    return frozenset(modules) or None


def _module(tree: ast.Module, offered: frozenset[str] | None) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            bases = ", ".join(ast.unparse(base) for base in node.bases)
            yield f"  class {node.name}({bases}){_line(node)}"
            if fields := [
                n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
            ]:
                yield f"    fields: {', '.join(fields)}"
            yield from (f"    {line}" for method in node.body for line in _function(method, of_class=True))
        elif offered is None or getattr(node, "name", "") in offered:
            yield from (f"  {line}" for line in _function(node))


def _function(node: ast.stmt, of_class: bool = False) -> Iterator[str]:
    if not isinstance(node, ast.FunctionDef) or (node.name.startswith("_") and node.name != "__init__"):
        return
    arguments = node.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        argument.annotation = None  # shorter; the docstring describes it
    if of_class and arguments.args and arguments.args[0].arg in ("self", "cls"):
        del arguments.args[0]
    called = any(isinstance(d, ast.Name) and d.id.endswith("property") for d in node.decorator_list)
    yield f"{node.name} (a property){_line(node)}" if called else f"{node.name}({ast.unparse(arguments)}){_line(node)}"


def _line(node: ast.ClassDef | ast.FunctionDef) -> str:
    """The first line of a docstring."""
    text = (ast.get_docstring(node) or "").partition("\n")[0].strip()
    return f": {text}" if text else ""
