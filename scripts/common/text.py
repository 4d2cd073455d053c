"""Text for people: that of others made safe, and numbers with their nouns."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return `text` as one line that no terminal, log or XML reader takes for anything else."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def escaped(text: str) -> str:
    r"""Return what a person wrote as it is, with escapes where it is not printable: "a\n"."""
    return text if text.isprintable() else repr(text)[1:-1]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is one: "1 file", "0 files"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
