from __future__ import annotations

import ast
import re

import pytest
from sutra_cleanup import docstrings


def kept(source: str) -> list[str]:
    """Return the docstrings that are left of a module."""
    parsed = ast.parse(source)
    docstrings.drop(parsed, source.encode())
    nodes = (node for node in ast.walk(parsed) if isinstance(node, docstrings.HAS_DOCSTRING))
    return [text for node in nodes if (text := ast.get_docstring(node))]


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ('"""m"""\ndef f():\n    """f"""\n', []),
        ('"""m"""\ndef f():\n    """f"""\nprint(__doc__)\n', ["m"]),
        ('"""m"""\ndef f():\n    """f"""\n    return __doc__.split()\n', ["m"]),
        ('"""m"""\nx = globals()["__doc__"]\n', ["m"]),
        ('"""m"""\n__doc__ = "other"\n', []),
        ('"""m"""\nx = f.__doc__\n', []),
        ('"""m"""\nclass C:\n    """c"""\n    use = __doc__\n', ["m", "c"]),
        ('"""m"""\nfrom docopt import docopt\ndef f():\n    """f"""\n', ["m", "f"]),
        ('"""m"""\nimport fire\ndef f():\n    """f"""\n', ["m", "f"]),
        ('import click\n@click.command()\ndef f():\n    """f"""\ndef g():\n    """g"""\n', ["f"]),
        ('import typer\n@app.command\nasync def f():\n    """f"""\n', ["f"]),
        ('@app.command\ndef f():\n    """f"""\n', []),
        ('import clicks\n@app.command\ndef f():\n    """f"""\n', []),
        ('from .click import x\n@app.command\ndef f():\n    """f"""\n', []),
    ],
)
def test_what_a_program_shows_stays(source: str, texts: list[str]) -> None:
    assert kept(source) == texts


@pytest.mark.parametrize(
    "statement",
    [
        "def f():\n {}",
        "async def f():\n {}",
        "class C:\n {}",
        "if a:\n {}",
        "if a:\n pass\nelif b:\n {}",
        "if a:\n pass\nelse:\n {}",
        "for a in b:\n {}",
        "for a in b:\n pass\nelse:\n {}",
        "async def f():\n async for a in b:\n  {}",
        "while a:\n {}",
        "while a:\n pass\nelse:\n {}",
        "with a:\n {}",
        "async def f():\n async with a:\n  {}",
        "try:\n {}\nfinally:\n pass",
        "try:\n pass\nexcept E:\n {}",
        "try:\n pass\nexcept* E:\n {}",
        "try:\n pass\nexcept E:\n pass\nelse:\n {}",
        "try:\n pass\nfinally:\n {}",
        "match a:\n case 1:\n  {}",
    ],
)
def test_a_function_in_any_statement_loses_its_docstring(statement: str) -> None:
    assert kept(statement.format("def g(): 'g'")) == []


def test_every_list_of_statements_is_walked_through() -> None:
    """A Python with another kind of statement brings a field that `drop` must look into."""
    nodes = [value for value in vars(ast).values() if isinstance(value, type)]
    texts = [node.__doc__ or "" for node in nodes if issubclass(node, ast.AST)]
    fields = {
        field
        for text in texts
        for field in re.findall(r"(?:stmt|excepthandler|match_case)\* (\w+)", text)
    }
    assert fields == set(docstrings.BODIES)
