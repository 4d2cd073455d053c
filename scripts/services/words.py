"""The words that a service's name becomes in files, and their replacement by another's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# suffixes of a name: bake targets and cache mounts of the service
SUFFIXES = "dev|test|target"
# places where a name of one word is a module's: both forms look the same
MODULE_AFTER = r"""(?:(?<=-m )|(?<="-m", ")|(?<=import )|(?<=from )|(?<=src/)(?<!/src/))"""
MODULE_BEFORE = r"(?=\.(?!ya?ml\b)[a-z_]|::)"


@dataclass(frozen=True)
class Words:
    """A name such as "sutra-example" in the forms that files have it in."""

    name: str

    @property
    def module(self) -> str:
        """The name as Python and Rust spell it: "sutra_example"."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """What the service's knobs begin with: "SUTRA_EXAMPLE"."""
        return f"SUTRA_{self.module.removeprefix('sutra_').upper()}"

    @property
    def forms(self) -> tuple[str, ...]:
        """Every form, in one order."""
        return (self.name, self.module, self.variable)


def pattern(form: str) -> re.Pattern[str]:
    """Return a pattern for a form that is a whole word: "api" is not one in "api_key"."""
    if form.isupper():
        return re.compile(rf"(?<!\w){re.escape(form)}(?=_(?:PORT|MEMORY)\b)")
    before, after = r"(?<!\w)(?<!\w-)", rf"(?!\w)(?!-(?!(?:{SUFFIXES})\b)\w)"
    return re.compile(before + re.escape(form) + after)


def renamed(text: str, old: Words, new: Words, numbers: Mapping[int, int] | None = None) -> str:
    """Return `text` with every form of `old` replaced, and whole numbers as `numbers` say."""
    if old.name == old.module:
        word = pattern(old.name).pattern
        text = re.sub(f"{MODULE_AFTER}{word}|{word}{MODULE_BEFORE}", new.module, text)
    for form, other in zip(old.forms, new.forms, strict=True):
        text = pattern(form).sub(other, text)
    for number, replacement in (numbers or {}).items():
        text = re.sub(rf"(?<![\w.]){number}(?!\w|\.\d)", str(replacement), text)
    return text


# places in code where a name of one word is the service and nothing else, by the file's suffix: the
# text before it, the text after it, and whether it is a module's there
CODE = {
    ".py": (
        (r"""^\s*(?:from|import)\s+|-m |"-m", "|src/""", "", True),
        (r"""["'`]""", r"\.[a-z_]", True),
    ),
    ".rs": ((r"(?<!::)", "::", True),),
    ".go": ((r'"', "/", False),),
    **dict.fromkeys((".js", ".mjs", ".cjs", ".ts"), ((r"""["']""", "/", False),)),
}
# files that say how a service is built and what it is: a word that is its name means the service
ABOUT = {"", ".prod", ".toml", ".yaml", ".yml", ".json", ".lock", ".in", ".mod", ".sum", ".md"}
FOLDER = (r"\bpackages/", "", False)


def renamed_in_code(text: str, suffix: str, old: Words, new: Words) -> str:
    """Return a line of code with a name of one word replaced where it must be the service."""
    for before, after, is_module in (*CODE.get(suffix, ()), FOLDER):
        word = re.compile(f"({before}){pattern(old.name).pattern}(?={after})")
        text = word.sub(rf"\g<1>{new.module if is_module else new.name}", text)
    return text


def line_of(text: str, words: Words) -> int:
    """Return the number of the first line that has a form of the name, 0 without one."""
    forms = [form for form in words.forms if form in text]  # a pattern takes 40 times as long
    places = [match.start() for form in forms if (match := pattern(form).search(text))]
    return text.count("\n", 0, min(places)) + 1 if places else 0
