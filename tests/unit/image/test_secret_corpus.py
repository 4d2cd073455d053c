"""Count how many of the corpus' secrets are found, and how many harmless texts are taken for one.

The counts are printed (`pytest -s`); before the formats were data: 21 of 88 tokens, 6 of 88 in a
program, 100 of 140 lines, 25 of 75 files found, and 58 of 240 harmless ones taken for secrets.
Of the corpus as it is, the rules of 2026-11-26 18:00 found 155 of 199 tokens, 243 of 292 lines
and 162 of 233 files, and took 2 of 369 harmless ones for secrets.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping

import pytest

from scripts.image import secret_files, secret_lines, secret_scan
from tests.conftest import ROOT
from tests.unit.image import secret_commands, secret_places, secret_tokens
from tests.unit.image import secret_corpus as corpus

# texts that must be whole, also in a program: it begins like a word, or like what is before it
TEXT_ALONE = {"crates.io", "Discord", "Airtable", "Fly.io", "Mailchimp", "Replicate"}
TEXT_ALONE |= secret_tokens.TEXT_ALONE
TOKENS = corpus.TOKENS | secret_tokens.TOKENS
SECRET_LINES = corpus.SECRET_LINES + secret_commands.SECRET_LINES
HARMLESS_LINES = corpus.HARMLESS_LINES + secret_commands.HARMLESS_LINES
SECRET_FILES = corpus.SECRET_FILES + secret_places.SECRET_FILES
HARMLESS_FILES = corpus.HARMLESS_FILES + secret_places.HARMLESS_FILES


def _in_file(path: str, content: str | bytes) -> tuple[str, ...]:
    data = content.encode() if isinstance(content, str) else content
    kinds = secret_scan.find(path, data)
    return tuple(kind for kind in kinds if not kind.startswith(secret_scan.CERTIFICATE))


def _count(what: str, kinds_of: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Print how many were found, and return the missed ones."""
    hits = [name for name, kinds in kinds_of.items() if kinds]
    print(f"{what}: {len(hits)} of {len(kinds_of)} are secrets by our rules")
    return sorted(kinds_of.keys() - set(hits))


def test_the_corpus_is_large_enough() -> None:
    counts = len(TOKENS), len(SECRET_LINES), len(SECRET_FILES)
    harmless = len(HARMLESS_LINES) + len(HARMLESS_FILES)
    assert (*counts, harmless) == (199, 292, 233, 369)
    assert (
        "of {}\ntokens, {} lines and {} files with one all are found, and none of {} harmless ones"
    ).format(*counts, harmless) in (ROOT / "docs/verification.md").read_text()


def test_every_token_is_found_in_a_line_and_in_a_file() -> None:
    tokens = TOKENS.items()
    lines = {name: secret_scan.find_text(f"X={token}") for name, token in tokens}
    files = {name: _in_file("app/x.txt", f'key = "{token}"\n') for name, token in tokens}
    assert _count("tokens in a line", lines) == []
    assert _count("tokens in a file", files) == []


def test_tokens_are_found_in_a_program_whose_strings_touch_each_other() -> None:
    kinds_of = {
        name: _in_file("app/x", b"\x7fELF\0\0" + b"\0" * 64 + f"some{token}text".encode())
        for name, token in TOKENS.items()
    }
    assert set(_count("tokens in a program", kinds_of)) == TEXT_ALONE


def test_every_secret_line_is_found_and_no_harmless_one() -> None:
    secret = {line: secret_scan.find_text(line) for line in SECRET_LINES}
    harmless = {line: secret_scan.find_text(line) for line in HARMLESS_LINES}
    assert _count("lines with a secret", secret) == []
    assert _count("harmless lines", harmless) == sorted(harmless)


def test_every_secret_file_is_found_and_no_harmless_one() -> None:
    secret = _files(SECRET_FILES)
    harmless = _files(HARMLESS_FILES)
    assert _count("files with a secret", secret) == []
    assert _count("harmless files", harmless) == sorted(harmless)


def _files(rows: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    return {f"{path}: {text}": _in_file(path, text) for path, text in rows}


@pytest.mark.parametrize("line", SECRET_LINES)
def test_what_is_found_is_named_and_never_shown(line: str) -> None:
    value = line.partition("=")[2]
    assert not any(value and value in kind for kind in secret_scan.find_text(line))


# two runs of blanks that can meet, or one that begins at every line's start: quadratic time
ENDLESS = re.compile(
    r"\\s[*+](?:.\?|\[[^\]]*\]\?|\(\?:[^)]*\)\?)*\\s[*+]|\(\?\w*m\w*\)(?:.*\|)?\^\\s[*+]", re.DOTALL
)


def test_no_pattern_takes_quadratic_time_for_blanks() -> None:
    """Blanks took 0.5 s a line of 8 KiB, and 110 s or no end in a file of 1 MiB."""
    assert ENDLESS.search(r"password\s*=?\s+'")
    assert ENDLESS.search(r"(?m)^\s*\w+=")
    rows = tomllib.loads(secret_files.DATA.read_text())["file"]
    patterns = [pattern.pattern for _, _, pattern in secret_lines._patterns()]
    assert not [
        text for text in (*patterns, *(row["content"] for row in rows)) if ENDLESS.search(text)
    ]


def test_names_of_files_are_of_no_folder_and_paths_of_some() -> None:
    """A name is held against the last part of a path alone; what has a slash is never met there."""
    rows = tomllib.loads(secret_files.DATA.read_text())["file"]
    for row in rows:
        assert set(row) <= {"kind", "name", "path", "needs", "content", "source"}, row
        assert row.get("name") or row.get("path"), row
        assert "/" not in re.sub(r"\[\^[^\]]*\]", "", row.get("name", "")), row["name"]
        assert "/" in re.sub(r"\[\^[^\]]*\]", "", row.get("path", "/")), row["path"]


@pytest.mark.parametrize(
    ("path", "is_there"),
    [
        ("/id.key", True),
        ("/a/b/id.key", True),
        ("/deep/in/git/credentials", True),
        ("/git/credentials", True),
        ("/credentials", False),
        ("/git/credentials/x", False),
        ("/forgit/credentials", False),
        ("/id.key/x", False),
        ("/", False),
    ],
)
def test_a_place_is_the_name_or_the_end_of_a_path(path: str, is_there: bool) -> None:
    place = secret_files.Place(r"[^/]+\.key", "git/credentials")
    assert place.has(path) is is_there
    assert not secret_files.Place("", "").has(path)


@pytest.mark.parametrize("text", ["\n", " ", "A\n", "password" + " " * 1000 + "#"])
@pytest.mark.parametrize("path", ["app/.env", "root/.my.cnf"])
def test_a_file_of_a_mebibyte_without_a_secret_ends(path: str, text: str) -> None:
    assert _in_file(path, text * (secret_lines.MAX_TEXT // len(text))) == ()
