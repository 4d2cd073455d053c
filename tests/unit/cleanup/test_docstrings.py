from __future__ import annotations

import ast

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
