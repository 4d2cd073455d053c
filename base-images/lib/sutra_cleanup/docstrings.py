"""Remove docstrings that nobody reads; keep those that a program shows.

A module that names `__doc__` reads its own. Some libraries build a program's usage, or a tool's
description, from the docstrings of the functions that they get.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module
HAS_DOCSTRING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
# fields in which a statement has others
BODIES = ("body", "orelse", "handlers", "finalbody", "cases")
# libraries that build the usage from docstrings of modules and functions, by their documentation
READ_ALL = {
    "argh",
    "cleo",
    "clize",
    "cmd",
    "cmd2",
    "cyclopts",
    "defopt",
    "docopt",
    "fire",
    "plac",
}
# libraries that show the docstrings of decorated functions: click ("if help is not given, the
# docstring is used"), typer, invoke, the tools of MCP servers
READ_DECORATED = {"asyncclick", "click", "fastmcp", "invoke", "mcp", "rich_click", "typer"}
_MAY_IMPORT = re.compile(rf"\b(?:{'|'.join([*READ_ALL, *READ_DECORATED])})\b".encode())
DECORATORS = {"callback", "command", "group", "prompt", "resource", "task", "tool"}


def drop(module: ast.Module, source: bytes) -> None:
    """Remove the docstrings of a module, its classes and functions, unless they are shown."""
    shown = set(_shown(module, source))
    for node in _definitions(module):
        if node in shown or not _is_text(node.body[:1]):
            continue
        # `pass` keeps the place: a second text would become the docstring, no body may be empty
        alone = len(node.body) == 1 or _is_text(node.body[1:2])
        node.body[:1] = [ast.copy_location(ast.Pass(), node.body[0])] if alone else []


def _definitions(module: ast.Module) -> Iterator[_Documented]:
    """Yield the module, its classes and its functions: statements, never inside of expressions.

    Expressions are most of a tree, and to walk through them took longer than to compile it.
    """
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        for field in BODIES:
            waiting += getattr(node, field, ())
        if isinstance(node, HAS_DOCSTRING):
            yield node


def _shown(module: ast.Module, source: bytes) -> Iterator[ast.AST]:
    """Yield the nodes whose docstrings are read by the module, or by a library that it uses."""
    # most sources name nothing of this, and walking through their trees is slow
    libraries = set(_imported(module)) if _MAY_IMPORT.search(source) else set()
    names_doc = b"__doc__" in source and _names_doc(module)
    if not names_doc and libraries.isdisjoint(READ_ALL | READ_DECORATED):
        return
    for node in _definitions(module):
        reads_own = names_doc and isinstance(node, ast.Module | ast.ClassDef) and _names_doc(node)
        decorated = READ_DECORATED & libraries and _decorators(node) & DECORATORS
        if reads_own or decorated or READ_ALL & libraries:
            yield node


def _names_doc(node: ast.AST) -> bool:
    """Return whether the code uses `__doc__`, as a name or as the text "__doc__"."""
    return any(
        (isinstance(part, ast.Name) and part.id == "__doc__" and isinstance(part.ctx, ast.Load))
        or (isinstance(part, ast.Constant) and part.value == "__doc__")
        for part in ast.walk(node)
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
    for decorator in getattr(node, "decorator_list", []):
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
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
