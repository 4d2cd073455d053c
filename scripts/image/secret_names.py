"""Decide whether `NAME=value` gives a secret away, by the words of the name and by the value."""

from __future__ import annotations

import itertools
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("secret_words.toml")
# between the words of a name: also where small letters end and a capital begins
_BETWEEN = re.compile(r"[_.:\-]+|(?<=[a-z0-9])(?=[A-Z])")
# a variable or a command of the shell, or several, and what then ends the word
_VARIABLE = re.compile(r"(?:\$\w+|\$\{[^}]*\})+[;,)&|]*$|\$\(|`|\$\{|%\{|\$\[\[")
# a hash of crypt(5) begins like variables
_HASH = re.compile(r"\$(?:1|2[abxy]|5|6|7|y|gy)\$[\w./=$]{20,}")
# paths of hier(7), where secrets are mounted, and of files of keys and settings; base64 may begin
# with "/" too, and has no dot
_PATH = re.compile(
    r"/(?:app|bin|data|dev|etc|home|lib|media|mnt|opt|proc|root|run|secrets|srv|sys|tmp|usr|var"
    r"|vault)(?:/[\w.@+-]+)+/?$"
    r"|(?:/[\w.@+-]+)*/[\w@+-][\w.@+-]*\.(?:key|pem|ce?rt?|p12|pfx|jks|txt|json|ya?ml|toml|ini|conf|env)$"
)


def names_secret(name: str) -> bool:
    """Return whether a variable of that name holds a secret: "DJANGO_SECRET_KEY", not "GPG_KEY".

    The last word that is a secret counts: "TOKEN_COOKIE_SECRET" is one, "CSRF_TOKEN_COOKIE" not.
    """
    words = _words(name)
    at = max(itertools.chain(_ends_of_secrets(words), [-1]))
    if at < 0 or words == ["pwd"]:
        return False
    listed = _data()
    return not any(word in listed["about"] for word in words[at + 1 :]) and not (
        at and words[at - 1] in listed["harmless"] and not words[at].endswith("key")
    )


def is_secret(name: str, value: str) -> bool:
    """Return whether `name` holds a secret and `value` is one.

    None is a path, a variable, a switch, a placeholder, or where a secret is; how many tokens a
    model may use is a number.
    """
    if not names_secret(name) or not is_value(value):
        return False
    return not (value.isdigit() and name.lower().endswith("tokens"))


def is_value(value: str) -> bool:
    """Return whether a value can be a secret, given to a name that holds one."""
    if (_VARIABLE.match(value) and not _HASH.match(value)) or _PATH.match(value):
        return False
    plain = value.strip("\"'`\\;,)")
    return bool(plain) and not _no_values().fullmatch(plain)


def _words(name: str) -> list[str]:
    """Return the words of a name without the number at its end: "PASSWORD1", "TOKEN_2"."""
    return [word.lower() for word in _BETWEEN.split(re.sub(r"[_.-]?\d{1,2}\Z", "", name)) if word]


def _ends_of_secrets(words: list[str]) -> list[int]:
    """Return at which words a secret is named."""
    listed = _data()
    single = [at for at, word in enumerate(words) if _single().fullmatch(word)]
    if listed["publics"] & set(words):  # NEXT_PUBLIC_API_KEY: browsers get it
        return []
    return single + [
        at + 1
        for at, (before, after) in enumerate(itertools.pairwise(words))
        if (before in listed["keys"] and after in ("key", "keys"))
        or (before, after) in listed["pairs"]
    ]


def prepare() -> None:
    """Compile the patterns of secret_words.toml."""
    _single()
    _no_values()


@cache
def _data() -> dict[str, Any]:
    data = tomllib.loads(DATA.read_text(encoding="utf-8"))
    listed: dict[str, Any] = {key: frozenset(data[key]) for key in ("keys", "about", "harmless")}
    listed["pairs"] = frozenset(map(tuple, data["pairs"]))
    listed["publics"] = frozenset(("public", "publishable"))
    return {**data, **listed}


@cache
def _single() -> re.Pattern[str]:
    data = _data()
    return re.compile(rf".*(?:{'|'.join(data['endings'])})s?|{'|'.join(data['words'])}")


@cache
def _no_values() -> re.Pattern[str]:
    values = _data()["values"]
    settings = "|".join(map(re.escape, values["settings"]))
    others = "|".join(f"(?:{pattern})" for pattern in values["placeholders"] + values["references"])
    return re.compile(rf"(?i:{settings})|(?i:{others})", re.DOTALL)
