"""Files that hold secrets by their place, and which files are settings or programs of our own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from scripts.image import secret_lines

# kind, how a path ends, texts that must be in the file, and what finds the secret there
Rule = tuple[str, re.Pattern[str], list[bytes], Callable[[bytes], object]]

DATA = Path(__file__).with_suffix(".toml")
SETTING, PROGRAM = "setting", "program"
# bytes of a path that are looked at, from its end: Linux's own limit; and parts, since no tool
# keeps a login deeper
MAX_PATH = 4096
MAX_PARTS = 24
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


def by_place(path: str, head: bytes) -> set[str]:
    """Return the kinds of a file that is called as those are in which tools keep secrets."""
    rules, any_path = _rules()
    end = "/".join(path[-MAX_PATH:].rsplit("/", MAX_PARTS)[-MAX_PARTS:])
    if not any_path.search(end):
        return set()
    return {
        kind
        for kind, name, needs, holds in rules
        if name.search(end) and all(text in head for text in needs) and holds(head)
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


@cache
def _rules() -> tuple[list[Rule], re.Pattern[str]]:
    """Return all rules, and one pattern for the paths that they are about."""
    rows = tomllib.loads(DATA.read_text(encoding="utf-8"))["file"]
    urls = {"PASSWORD_IN_URL": secret_lines.PASSWORD, "TOKEN_IN_URL": secret_lines.TOKEN}
    rules: list[Rule] = []
    for row in rows:
        content: re.Pattern[bytes] = re.compile(
            urls.get(row["content"], row["content"]).encode("latin-1")
        )
        # `search` would try again at every byte
        holds = content.match if rb"\A" in content.pattern else content.search
        needs = [text.encode() for text in row.get("needs", [])]
        rules.append((row["kind"], _ending([row["path"]]), needs, holds))
    return rules, _ending([row["path"] for row in rows])


def _ending(paths: list[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:^|/)(?:{'|'.join(paths)})\Z", re.DOTALL)
