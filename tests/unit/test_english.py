"""Phrases and names that native readers stumble over are kept out of code, messages and docs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.support.tracked import present

# phrase → what to write instead
FORBIDDEN = {
    r"(?<!there )\b(?:is|are) none\b(?! of)": 'say what it is: "is not a secret", "is allowed"',
    r"\b(?:is|are) (?:said|told) (?:of|by|before|whether)\b": "name who reports what",
    r"\bmend(?:ed|s)?\b": '"fix"',
    r"\bvanish(?:ed|es)?\b": '"no longer exists"',
    r"(?<!\*)\b[Ss]tands\b(?! (?:in for|out)\b)": '"is" or "has"',
    r"\bthat very\b": '"that"',
    r"\bsays no\b": '"refuses"',
    r"\bthere is no terminal\b": '"stdin is not a terminal"',
    r"\b(?:is|are) no text\b": '"is not text"',
    r"\bno one else's\b": '"unique", "only this test uses it"',
    r"\bnothing of it stays\b": '"and remove it afterwards"',
}
# a predicate's docstring has one opening
OPENINGS = re.compile(r'"""(?:Say|Says|Tell|Tells) whether |"""Whether [a-z]')
# a docstring without a subject
FRAGMENTS = re.compile(r'"""(?:As|Such|Whose) [a-z]')
# the same phrases in a test's name, whose words are joined
TEST_NAMES = re.compile(
    r"def (test_\w*_(?:(?:is|are)_(?:said|told)|mended|vanish(?:es|ed)|stands(?!_in_for)"
    r"|that_is_none)(?:_\w+)?)\("
)
# a comment above a constant, and the words of one that has no subject
ABOVE = re.compile(r"(?:^# .*\n)+(?=[A-Z_]{3,}(?:, [A-Z_]+)*(?::.*)? = )", re.MULTILINE)
FRAGMENT = re.compile(r"# (?:of|what|where|whose|how) ")
# names that say that something is held, not what: a variable, parameter, field or function is
# called image, layer, finding or bytes_left; no file is exempt
HIDING = frozenset(("found", "one", "each", "made", "known", "given", "asked"))
# more of them that scripts/ does without
HIDING_IN_SCRIPTS = HIDING | {
    *("wanted", "said", "told", "left", "rest", "whole", "thing", "things"),
}
# places where a shell script gives a name to a value
_ANY = "|".join(sorted(HIDING))
SHELL_NAME = re.compile(
    rf"(?:^|[\s;(])(?:for ({_ANY}) in\b|({_ANY})\+?="
    rf"|(?:local|read|mapfile)(?: [\w=:/-]+)*? ({_ANY})(?![\w-]))",
    re.MULTILINE,
)
KINDS = ("*.py", "*.sh", "*.md", "*.yaml", "*.yml", "*.hcl", "*.toml", "*Dockerfile*", "Makefile")
# the history of changes quotes what earlier versions said; this file holds the list
EXEMPT = {"CHANGELOG.md", "tests/unit/test_english.py"}


def faults(name: str, text: str) -> list[str]:
    """Return a line for each forbidden phrase in a file's text."""
    lines = []
    for phrase, instead in FORBIDDEN.items():
        for match in re.finditer(phrase, text):
            number = text.count("\n", 0, match.start()) + 1
            lines.append(f'{name}:{number}: "{match[0]}": write {instead}')
    for match in OPENINGS.finditer(text):
        number = text.count("\n", 0, match.start()) + 1
        lines.append(f'{name}:{number}: a predicate\'s docstring begins with "Return whether"')
    for match in FRAGMENTS.finditer(text):
        number = text.count("\n", 0, match.start()) + 1
        lines.append(f"{name}:{number}: a docstring begins with a verb or a noun")
    for match in TEST_NAMES.finditer(text):
        number = text.count("\n", 0, match.start()) + 1
        lines.append(f'{name}:{number}: "{match[1]}": name it as a plain sentence')
    for match in filter(lambda comment: FRAGMENT.match(comment[0]), ABOVE.finditer(text)):
        number = text.count("\n", 0, match.start()) + 1
        lines.append(f"{name}:{number}: begin with the noun that the constant is")
    return lines


def hiding_names(source: str, hiding: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Yield line and name of each definition in a Python source whose name is in `hiding`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case (
                ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
                | ast.arg(arg=name)
                | ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
                | ast.MatchMapping(rest=str(name))
                | ast.alias(asname=str(name))
            ) if name.strip("_") in hiding:
                yield node.lineno, name


def hiding_in_shell(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each variable in a shell script whose name is in HIDING."""
    code = re.sub(r"(?m)(?:^|(?<=\s))#.*", "", source)
    for match in SHELL_NAME.finditer(code):
        yield code.count("\n", 0, match.end()) + 1, next(filter(None, match.groups()))


def hidden(name: str) -> Iterator[str]:
    """Yield a line for each name in a file that does not say what it holds."""
    text = (ROOT / name).read_text()
    hiding = HIDING_IN_SCRIPTS if name.startswith("scripts/") else HIDING
    names = hiding_names(text, hiding) if name.endswith(".py") else hiding_in_shell(text)
    yield from (f'{name}:{line}: "{word}": name what it holds' for line, word in names)


def test_names_say_what_they_hold() -> None:
    files = present("*.py", "*.sh")
    assert len(files) > 700
    assert [line for name in files for line in hidden(name)] == []


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("found=", "found"),
        ("  each=$(list)", "each"),
        ("x=1; known+=(y)", "known"),
        ("for one in *; do :; done", "one"),
        ("local given", "given"),
        ("local name=$1 made=", "made"),
        ("while read -r name asked; do :; done", "asked"),
        ("mapfile -t found < <(list)", "found"),
    ],
)
def test_a_name_in_a_shell_script_that_the_check_must_find(script: str, name: str) -> None:
    assert list(hiding_in_shell(f"true\n{script}\n")) == [(2, name)]


def test_names_in_a_shell_script_that_may_stay() -> None:
    script = "# found=, as for each in x\necho found one\nunfound=1\nlocal known_tags\n"
    assert [name for _, name in hiding_in_shell(script)] == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("found = find()", "found"),
        ("x: int; found: list[str] = []", "found"),
        ("a, (b, *rest) = words", "rest"),
        ("for each in images: pass", "each"),
        ("[one for one in images]", "one"),
        ("{x: made for x, made in pairs}", "made"),
        ("if known := recall(): pass", "known"),
        ("with opened() as whole: pass", "whole"),
        ("try: pass\nexcept OSError as told: pass", "told"),
        ("def find(name, *given): pass", "given"),
        ("def asked(): pass", "asked"),
        ("async def _asked(): pass", "_asked"),
        ("key = lambda each: 1", "each"),
        ("class Plan:\n    wanted: int", "wanted"),
        ("self._left = 7", "_left"),
        ("from x import names as known", "known"),
        ("match x:\n    case {'a': 1, **rest}: pass", "rest"),
        ("match x:\n    case [*things]: pass", "things"),
        ("match x:\n    case str() as said: pass", "said"),
        ("def f():\n    def g(thing): pass", "thing"),
    ],
)
def test_a_name_that_the_check_must_find(source: str, name: str) -> None:
    assert [named for _, named in hiding_names(source, HIDING_IN_SCRIPTS)] == [name]


@pytest.mark.parametrize(
    "source",
    [
        "known_tags = bytes_left = the_rest = 1",
        "found()",
        "row['found'] = answer.known",
        "match x:\n    case _: pass",
        '"""Return what was found in the rest of each one."""',
    ],
)
def test_a_name_that_may_stay(source: str) -> None:
    assert list(hiding_names(source, HIDING_IN_SCRIPTS)) == []


def test_no_file_has_a_forbidden_phrase() -> None:
    files = [name for name in present(*KINDS) if name not in EXEMPT]
    assert len(files) > 300
    assert [line for name in files for line in faults(name, (ROOT / name).read_text())] == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("copyright files are none", 1),
        ("x\nit is told by the engine", 2),
        ("mend it, then run it again", 1),
        ('image vanished "x"', 1),
        ("what stands there", 1),
        ("of that very version", 1),
        ("asks, and there is no terminal", 1),
        ('x\n"""Tell whether it fits."""', 2),
        ('"""Whether it fits."""', 1),
        ('"""Whose change it was."""', 1),
        ("x\n\ndef test_a_full_disk_is_told(tmp_path: Path) -> None:", 3),
        ("def test_a_tag_that_is_none() -> None:", 1),
        ("def test_an_image_stands_twice_in_it() -> None:", 1),
        ("names that are no text", 1),
        ("x\n# of one layer, in bytes\nMAX_LAYER = 7", 2),
        ("# what a layer may hold,\n# in bytes\nMOST: int = 7", 1),
    ],
)
def test_what_the_check_must_find(text: str, line: int) -> None:
    assert [fault.split(":")[:2] for fault in faults("file", text)] == [["file", str(line)]]


@pytest.mark.parametrize(
    "text",
    [
        "a module stands in for it",
        "none of them",
        "where there is none",
        '"""Return whether it fits."""',
        "# bytes of one layer\nMAX_LAYER = 7",
        "recommend and amend",
        "def test_a_module_stands_in_for_it() -> None:",
        "    # of another machine\n    x = 1",
    ],
)
def test_what_is_plain_english(text: str) -> None:
    assert faults("file", text) == []
