"""Make text of others safe to show to people."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return `text` as one line that no terminal, log or XML reader takes for anything else."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def escaped(text: str) -> str:
    r"""Return what a person wrote as it is, with escapes where it is not printable: "a\n"."""
    return text if text.isprintable() else repr(text)[1:-1]
