"""Files that hold secrets by their place, and which files are settings or programs of our own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from scripts.image import secret_lines

DATA = Path(__file__).with_suffix(".toml")
SETTING, PROGRAM = "setting", "program"
# bytes of a path that are looked at, from its end: Linux's own limit; and parts, since no tool
# keeps a login deeper
MAX_PATH = 4096
MAX_PARTS = 24
NOTHING = r"(?!)"
# files of packages: they are not our settings, and full of samples
_PACKAGED = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|node_modules|[^/]{1,200}\.(?:dist|egg)-info|lib/python[\d.]+)/"
    r"|^/?(?:usr/(?:share|lib\w*|include|src|libexec|s?bin)|var/lib/(?:dpkg|apt))/"
    # an archive has "lib" and "bin" of its own: its members' paths begin with "/"
    r"|^(?:lib\w*|s?bin|proc|sys)/"
    # files of Debian and Alpine, where a word such as "passwd" names a database or a rule
    r"|^/?etc/(?:nsswitch\.conf|ssl/.*|login\.defs|pam\.(?:conf|d/.*)|(?:add|del)user\.conf|debconf\.conf"
    r"|security/.*|services|protocols|init\.d/.*|X11/.*|fonts/.*|ld\.so\.conf.*|apparmor.*|dpkg/.*)$"
    r"|(?:^|/)[^/]*\.env\.(?:example|sample|template|dist|tmpl|defaults?)$"
    r"|(?:^|/)(?:package(?:-lock)?|composer\.lock|Pipfile\.lock|npm-shrinkwrap|tokenizer(?:_config)?"
    r"|special_tokens_map|vocab|added_tokens)(?:\.json)?$",
    re.DOTALL,
)
_SETTINGS = re.compile(
    r"(?:.*/)?(?:[^/]+\.(?:env|ini|cfg|cnf|conf|config|toml|ya?ml|json5?|jsonc|properties|xml|sh|bash|zsh"
    r"|ksh|service|timer|tfvars|hcl|tf|txt|plist|rc|secrets?|credentials?|local|prod|production|dev"
    r"|staging|sql|dump|http|rest|desktop|nomad|ps1|bat|cmd|bak|old|orig|save|swp|reg|url|webloc|ovpn"
    r"|vars|creds?|users|har|exp|log|ks|hosts|inventory|tcl|fish|csh|nmconnection|socket|mount|override|rdp)"
    r"|\.flaskenv|\.envrc|\.env\.\w+|\.gitconfig|Dockerfile[^/]*|Containerfile|Makefile|Procfile|\.?\w+_history"
    r"|(?:Jenkins|Vagrant|Just|Earth|Tilt|Fast|Brew|Cap|Task)file|\.?(?:conf|config|settings|env|vars)"
    r"|\.?\w*rc|\.(?:bash_)?profile|crontab|cron(?:\.d|tabs)/[^/]+|etc/environment|etc/profile\.d/[^/]+"
    r"|\.?[^/.]*(?:secret|credential|passwor)[^/.]*)",
    re.DOTALL | re.IGNORECASE,
)
_PROGRAMS = re.compile(
    r"(?:.*/)?[^/]+\.(?:py|pyw|pyi|rb|php|pl|pm|lua|[cm]?jsx?|[cm]?tsx?|vue|svelte|java|kts?|go|cs|fs|vb|scala|groovy|gradle"
    r"|exs?|r|ipynb|rs|c|cc|cpp|cxx|hh?|hpp|mm?|swift|dart|[he]rl|edn|clj[cs]?|jl|awk|cmake|bicep|pp|hs|ml|nim|zig|cr)",
    re.DOTALL | re.IGNORECASE,
)
_SHELL = re.compile(rb"#!\s*\S*/(?:env\s+(?:-S\s+)?)?(?:ba|da|k|z|a)?sh\b")


@dataclass(frozen=True)
class Place:
    """Where files are: how they are called, or how their paths end; either may be ""."""

    name_regex: str
    path_regex: str

    @cached_property
    def _name(self) -> re.Pattern[str]:
        return re.compile(self.name_regex or NOTHING, re.DOTALL)

    @cached_property
    def _path(self) -> re.Pattern[str]:
        # a slash to begin with is looked for much faster than "at the beginning, or after one"
        return re.compile(rf"/(?:{self.path_regex or NOTHING})\Z", re.DOTALL)

    def has(self, path: str) -> bool:
        """Return whether a path, with a slash at its beginning, is one of these."""
        name = path[path.rindex("/") + 1 :]
        return bool(self._name.fullmatch(name) or self._path.search(path))

    def prepare(self) -> None:
        """Compile both patterns."""
        self.has("/")


@dataclass(frozen=True)
class Rule:
    """The files of one kind: their place, texts that must be in one, and what the secret is like.

    Few rules are about a file of an image: each is compiled when it is.
    """

    kind: str
    place: Place
    needs: tuple[bytes, ...]
    content: bytes

    @cached_property
    def holds(self) -> Callable[[bytes], object]:
        """What is true of a content with a secret."""
        content = re.compile(self.content)
        # `search` would try again at every byte
        return content.match if rb"\A" in self.content else content.search


def by_place(path: str, head: bytes) -> set[str]:
    """Return the kinds of a file that is called as those are in which tools keep secrets."""
    rules, anywhere = _rules()
    end = "/" + "/".join(path[-MAX_PATH:].rsplit("/", MAX_PARTS)[-MAX_PARTS:])
    if not anywhere.has(end):
        return set()
    return {
        rule.kind
        for rule in rules
        if all(text in head for text in rule.needs) and rule.place.has(end) and rule.holds(head)
    }


def own(path: str, head: bytes) -> str:
    """Return SETTING or PROGRAM for a text of ours, "" for a package's file and for bytes.

    A path that begins with "/" is one of an archive.
    """
    if b"\0" in head[:4096] or _PACKAGED.search(path[:MAX_PATH]):
        return ""
    if _SETTINGS.fullmatch(path):
        return SETTING
    if _PROGRAMS.fullmatch(path):
        return PROGRAM
    if head.startswith(b"#!"):
        return SETTING if _SHELL.match(head) else PROGRAM
    return ""


def is_distribution(path: str) -> bool:
    """Return whether a wheel is a package's file: what is packed in it is no more ours than it."""
    return path.endswith(".whl") and _PACKAGED.search(path[:MAX_PATH]) is not None


def in_text(which: str, head: bytes) -> Iterator[str]:
    """Yield the kinds of secret in a text of ours by what they are called there."""
    text = head[: secret_lines.MAX_TEXT].decode("utf-8", "replace").removeprefix("\ufeff")
    yield from (secret_lines.find_setting if which == SETTING else secret_lines.find_program)(text)


def prepare() -> None:
    """Compile all rules."""
    rules, anywhere = _rules()
    for place in (anywhere, *(rule.place for rule in rules)):
        place.prepare()
    for rule in rules:
        rule.holds(b"")


@cache
def _rules() -> tuple[tuple[Rule, ...], Place]:
    """Return all rules, and the place of any of them."""
    rows = tomllib.loads(DATA.read_text(encoding="utf-8"))["file"]
    urls = {"PASSWORD_IN_URL": secret_lines.PASSWORD, "TOKEN_IN_URL": secret_lines.TOKEN}
    rules = tuple(
        Rule(
            row["kind"],
            Place(row.get("name", ""), row.get("path", "")),
            tuple(text.encode() for text in row.get("needs", [])),
            urls.get(row["content"], row["content"]).encode("latin-1"),
        )
        for row in rows
    )
    names = filter(None, (rule.place.name_regex for rule in rules))
    paths = filter(None, (rule.place.path_regex for rule in rules))
    return rules, Place("|".join(names), "|".join(paths))
