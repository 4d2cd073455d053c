"""Docstrings: dropped where nobody reads them, kept where a program shows them.

A module that names `__doc__` reads its own. Some libraries make a program's usage, or the
description of a tool, from the docstrings of what they are given.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

HAS_DOCSTRING = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module
# their documentation: usage is what the docstring of a module or function says
READ_ALL = {
    "argh", "cleo", "clize", "cmd", "cmd2", "cyclopts", "defopt", "docopt", "fire", "plac",
}  # fmt: skip
# "if help is not given, the docstring is used": click's documentation, Command; typer's;
# invoke's, "Task"; the tools of MCP servers
READ_DECORATED = {"asyncclick", "click", "fastmcp", "invoke", "mcp", "rich_click", "typer"}
_MAY_SHOW = re.compile("|".join(["__doc__", *READ_ALL, *READ_DECORATED]).encode())
DECORATORS = {"callback", "command", "group", "prompt", "resource", "task", "tool"}


def drop(module: ast.Module, source: bytes) -> None:
    """Take out the docstrings of a module, its classes and functions, but those that are shown."""
    # most sources name none of it, and to walk through them takes long
    shown = set(_shown(module)) if _MAY_SHOW.search(source) else set()
    for node in ast.walk(module):
        if not isinstance(node, HAS_DOCSTRING) or node in shown or not _is_text(node.body[:1]):
            continue
        # a text that follows would become the docstring, and a body is never empty
        alone = len(node.body) == 1 or _is_text(node.body[1:2])
        node.body[:1] = [ast.copy_location(ast.Pass(), node.body[0])] if alone else []


def _shown(module: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes whose docstrings are read by the module, or by a library that it uses."""
    libraries = set(_imported(module))
    for node in ast.walk(module):
        if not isinstance(node, HAS_DOCSTRING):
            continue
        reads_own = isinstance(node, ast.Module | ast.ClassDef) and _names_doc(node)
        decorated = READ_DECORATED & libraries and _decorators(node) & DECORATORS
        if reads_own or decorated or READ_ALL & libraries:
            yield node


def _names_doc(node: ast.AST) -> bool:
    """Return whether the code uses `__doc__`, as a name or as the text "__doc__"."""
    return any(
        (isinstance(each, ast.Name) and each.id == "__doc__" and isinstance(each.ctx, ast.Load))
        or (isinstance(each, ast.Constant) and each.value == "__doc__")
        for each in ast.walk(node)
    )


def _imported(module: ast.Module) -> Iterator[str]:
    """Yield the top-level packages that a module imports anywhere."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _decorators(node: ast.AST) -> set[str]:
    """Return the last names of a definition's decorators: {"command"} of `@app.command()`."""
    names = set()
    for each in getattr(node, "decorator_list", []):
        call = each.func if isinstance(each, ast.Call) else each
        names.add(getattr(call, "attr", getattr(call, "id", "")))
    return names


def _is_text(statements: list[ast.stmt]) -> bool:
    """Return whether the first statement is a text and nothing else."""
    return any(
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
        for first in statements
    )
