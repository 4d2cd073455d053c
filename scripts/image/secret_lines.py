"""Find secrets by their place in a text: `NAME=value`, `--password x`, headers, URLs, settings."""

from __future__ import annotations

import base64
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from scripts.image import secret_names
from scripts.image.secret_names import is_secret, is_value

DATA = Path(__file__).with_suffix(".toml")
# a text is looked at up to here, and a line of it: what is longer was not written by hand
MAX_TEXT = 1 << 20
MAX_LINE = 1 << 13
URL_KIND = "credentials in a URL"
# a variable, or several, stand for a password; a "$" alone is a part of one
_VARIABLES = r"(?!(?:\$\w+|\$\{[^}\s]*\})+@|\{|<|%\(|%s|\*+@)"
# brackets around what may be left out, as pip's --help has it; in a URL they are %5B and %5D
# (https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1)
_OPTIONAL = r"(?!\[[^/\s@]*@\])"
PASSWORD = rf"[a-z0-9]://{_OPTIONAL}[^/\s:@\"']*:{_VARIABLES}[^/\s:@\"']+@"
# an index takes a token for the user; these names stand for one that a keyring holds
TOKEN = rf"https?://{_VARIABLES}(?!(?:__token__|oauth2accesstoken|VssSessionToken)@)[^/\s:@\"']+@"
_URL = re.compile(
    rf"{PASSWORD}|(?:\b(?:PIP|UV)_\w*INDEX\w*=|--(?:extra-|default-)?index(?:-url)?[\s=])[\"']?{TOKEN}"
)
# Placeholders that tools write: both words of one login are. alembic's template has user:pass,
# urllib3 username:password@host.com, Python's test_urlparse User:Pass, SQLAlchemy scott:tiger.
# With another user, or another password, it is a finding.
_SAMPLE_LOGIN = re.compile(
    r"://(?:user(?:name)?|usr|login|my_?user|foo|u|scott|dbuser|db_user):(?:pass(?:word|wd)?|pw|pwd|bar|p|secret"
    r"|tiger|dbpass|db_pass\w*|your\w*|x{3,})@\Z",
    re.IGNORECASE,
)
# hosts that nobody can have: https://www.rfc-editor.org/rfc/rfc2606
_SAMPLE_HOST = re.compile(
    r"(?:[\w-]+\.)*(?:example(?:\.(?:com|org|net))?|invalid)(?![\w-]|\.\w)", re.IGNORECASE
)
# The last "@" ends a login: https://url.spec.whatwg.org/#authority-state
_MORE_OF_LOGIN = re.compile(r"[^\s/?#@\"']*@")
# The value is only looked at: it may hold the next assignment, as in "A=b;TOKEN=c".
_ASSIGNED = re.compile(
    r"(?<![\w.-])-{0,2}(?P<name>[A-Za-z_][\w.-]*+)(?:\\?[\"'])?=\\?[\"']?(?=(?P<value>[^\s\"'\\]{1,200}))"
)
# options of commands: value after a blank, or after quotes in JSON and in Go's word lists
_OPTION = re.compile(
    r"(?<![\w-])--?(?P<name>[A-Za-z][\w.-]*+)(?:[\"'],?\s{0,3}[\"']|[\"']?\s{1,3}[\"']?)"
    r"(?=(?P<value>[^\s\"'-][^\s\"']{0,200}))"
)
# fields of headers, JSON and YAML
_NAMED = re.compile(
    r"(?<![\w.-])(?P<name>[A-Za-z_][\w.-]*+)(?:\\?[\"'](?:\s{0,3}:\s{0,3})|:\s{1,3}|:(?=[\"']))"
    r"(?:&\w{1,60}\s{1,3})?\\?(?P<quote>[\"']?)(?=(?P<value>[^\s\"'\\,}\]]{1,200}))"
)
_ELEMENT = re.compile(
    r"<(?P<name>[A-Za-z][\w.-]*+)(?:\s[^<>]{1,200})?>(?P<value>[^<>\s]{1,200})</(?P=name)>"
)
_ATTRIBUTE = re.compile(
    r"(?i)\b(?:key|name)\s*=\s*\"(?P<name>[\w.:-]+)\"\s+value\s*=\s*\"(?P<value>[^\"\s]{1,200})\""
)
# `NAME = value` of files, where blanks may stand around the sign
_SETTING = re.compile(
    r"(?m)^[ \t]*(?:-[ \t]+)?(?:export[ \t]+|set[ \t]+|ENV[ \t]+|ARG[ \t]+"
    r"|\$(?:env:)?|env(?=\[))?[\"'\[]{0,2}"
    r"(?P<name>[A-Za-z_][\w.:-]*+)[\"'\]]{0,2}[ \t]*"
    r"(?:=|:=|=>)[ \t]*[\"']?(?=(?P<value>[^\s\"'][^\s\"']{0,199})[\"']?[ \t,;]*(?:[#;].*)?$)"
)
# a list of variables in a setting of its own: systemd's, supervisord's, uWSGI's, gunicorn's, PHP's
_ENVIRONMENT = re.compile(
    r"(?i)[ \t]*(?:-[ \t]+)?(?:raw_?|pass_?)?env(?:ironment)?s?\b[ \t]*(?:\+?=|:|\[)"
)
# `NAME value`, with a blank: of csh, fish, Apache, nginx, and the old form of Dockerfile's ENV
_BLANK = re.compile(
    r"(?<![\w.-])(?:setenv|SetEnv|set[ \t]+-[a-zA-Z-]+|ENV|(?:fastcgi|uwsgi|scgi)_param)[ \t]+"
    r"(?P<name>[A-Za-z_]\w*+)[ \t]+[\"']?(?=(?P<value>[^\s\"'=][^\s\"']{0,199}))"
)
# comments of settings; "* * * * *" begins a line of a crontab
_COMMENT = re.compile(
    r"\s*(?:#(?!\s{0,3}define\b)|;|//|<!--|\*(?!(?:/\d+)?(?:[ \t]+[\d*/,-]+){4}[ \t]))"
)
# literals without a blank in programs: `db.password = "…"`, `"PASSWORD": "…"`; what follows a word
# in a list is no value where it is the next option: `["--mode=creds", "--output=json"]`
_LITERAL = re.compile(
    r"(?<![\w.-])(?P<name>[A-Za-z_][\w.-]*+)(?:[\"'\]]{0,2}\s{0,3}(?:=>|[=:])|[\"'],(?!\s{0,3}[\"']--))\s{0,3}[rbuf]?\\?([\"'])(?P<value>[^\s\"'\\]{6,200})\\?\2"
)
# declarations with a type, a call or another value first: `let password: &str = "…"`,
# `password := "…"`, `password: SecretStr = Field(default="…")`, `env.PASSWORD || "…"`
_WRAPPED = (
    r"(?:(?:\w+\.)?(?:Field|Secret\w{1,20}|String::from|str|bytes)"
    r"\((?:default\s{0,3}=\s{0,3})?){0,2}"
)
_OR = r"(?:[\w.:$?{}\[\]\"'-]{1,80}(?:\([\"']\w{1,60}[\"']\))?\s{0,3}(?:\|\||\?\?|\bor\b)\s{0,3})?"
_DECLARED = re.compile(
    r"(?<![\w.-])(?P<name>[A-Za-z_][\w.-]*+)(?:\s{0,3}:\s{0,3}[&'\w.\[\]| ]{1,60}?|[\"'\]]{0,2})"
    rf"\s{{0,3}}(?::=|<-|[=:](?!=))\s{{0,3}}{_WRAPPED}{_OR}[rbuf]?"
    r"([\"'`])(?P<value>[^\s\"'`\\]{6,200})\2(?!\s{0,3}\w)"
)
# names and values side by side: `#define PASSWORD "…"`, `set(PASSWORD "…")`, `{password, "…"}`,
# `:password "…"`, `set password …`
_BESIDE = re.compile(
    r"(?:#\s{0,3}define\s{1,9}|\bset\s{0,3}\(?|[{:]|^\s{0,40}|\bparam\s)(?P<name>[A-Za-z_][\w.-]*+)(?:,\s{0,3}|\s{1,9}(?:string\s=\s)?)"
    r"([\"'])(?P<value>[^\s\"'\\]{6,200})\2"
)
# logins and keys that are arguments: what they are is the name of the function
_ARGUMENT = re.compile(
    r"\b(?P<name>(?:auth|basic_auth)\s{0,3}=\s{0,3}\(|(?:HTTP)?(?:Basic|Digest)Auth\(|\.login\()\s{0,3}[\"'][^\"'\n]{1,60}[\"']\s{0,3},\s{0,3}b?[\"'](?P<value>[^\s\"'\\]{6,200})[\"']"
    r"|\b(?P<key>Fernet\(|hmac\.new\(|jwt\.(?:en|de)code\([^\n]{0,120}?,)\s{0,3}b?[\"'](?P<bytes>[^\s\"'\\]{6,200})[\"']"
)
# variables in two parts, as Kubernetes, ECS and Postman have them
_PAIR = re.compile(
    r"(?i)[\"']?\b(?:key|name)[\"']?\s{0,3}:\s{0,3}[\"']?(?P<name>[A-Z_][\w.-]{0,200})[\"']?,?\s{0,80}"
    r"[\"']?\bvalue[\"']?\s{0,3}:\s{0,3}[\"']?(?P<value>[^\s\"']{1,200})"
)
# between two string literals of a program that are one text
_JOINT = re.compile(rb"""(["'])[ \t]*(?:\\?\n[ \t]*)?[+.&]?[ \t]*(?:\\?\n[ \t]*)?[rbuf]?\1""")
_QUOTE = re.compile("[\"'`]")
# in programs such a literal is a name, not a secret
_IDENTIFIER = re.compile(r"[a-z_.:/-]+|[A-Z_]+|[A-Z]?[a-z]+(?:[A-Z][a-z]+)*")


def find_text(text: str) -> Iterator[str]:
    """Yield the kinds of secret in one line of the configuration, not sorted, some twice."""
    if _URL.search(text):
        yield URL_KIND
    yield from _values(text, _ASSIGNED, _OPTION, _BLANK)
    yield from _named(text)
    yield from _listed(text)


def find_setting(text: str) -> Iterator[str]:
    """Yield the kinds in a file of settings or a script of a shell."""
    yield from _values(_without_comments(text[:MAX_TEXT]), _PAIR)
    for line in _lines(text):
        yield from _url(line)
        yield from _values(line, _SETTING, _OPTION, _ELEMENT, _ATTRIBUTE, _BLANK)
        yield from _listed(line)
        yield from _named(line)
        # options, queries, connection strings; attributes; variables
        if re.search(r"[-?&;]\w|^\s*<", line) or _ENVIRONMENT.match(line):
            yield from _values(line, _ASSIGNED)


def find_program(text: str) -> Iterator[str]:
    """Yield the kinds in a program's source, where most names stand for no value of their own."""
    for line in _lines(text):
        yield from _url(line)
        if not _QUOTE.search(line):
            continue
        yield from (
            f'value of "{match["name"]}"'
            for pattern in (_LITERAL, _DECLARED, _BESIDE)
            for match in pattern.finditer(line)
            if is_secret(match["name"], match["value"])
            and not _IDENTIFIER.fullmatch(match["value"])
        )
        yield from _arguments(line)


def _arguments(line: str) -> Iterator[str]:
    """Yield the logins and keys that a line of a program gives to a function."""
    for match in _ARGUMENT.finditer(line):
        value = match["value"] or match["bytes"]
        if is_value(value) and not _IDENTIFIER.fullmatch(value):
            name = (match["name"] or match["key"]).partition("(")[0].strip("= .")
            yield f'argument of "{name}"'


def joined(source: bytes) -> bytes:
    """Return a program with its string literals joined that stand side by side or are added."""
    return _JOINT.sub(b"", source)


def _lines(text: str) -> Iterator[str]:
    """Yield lines that are no comment, and short enough to be written by hand."""
    for line in _without_comments(text[:MAX_TEXT]).splitlines():
        if 3 < len(line) <= MAX_LINE and not _COMMENT.match(line):
            yield line


def _without_comments(text: str) -> str:
    """Return XML without its comments, over several lines; one that does not end stays."""
    parts, at = [], 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin)) >= 0:
        parts.append(text[at:begin])
        at = end + 3
    return "".join([*parts, text[at:]])


def _url(line: str) -> Iterator[str]:
    if "://" in line and any(not _is_sample(match) for match in _URL.finditer(line)):
        yield URL_KIND


def _is_sample(match: re.Match[str]) -> bool:
    """Return whether the login or the host of a URL is one that documentation shows."""
    line, end = match.string, match.end()
    is_known = _SAMPLE_LOGIN.search(match[0]) or _SAMPLE_HOST.match(line, end)
    return bool(is_known) and not _MORE_OF_LOGIN.match(line, end)


def _values(text: str, *patterns: re.Pattern[str]) -> Iterator[str]:
    for pattern in patterns:
        for match in pattern.finditer(text):
            if is_secret(match["name"], match["value"]):
                name = match["name"]
                # java -Dname=value
                before = text[match.start() : match.start("name")]
                cut = before.endswith("-") and name[:1] == "D" and "." in name
                yield f'value of "{name[1:] if cut else name}"'


def _named(text: str) -> Iterator[str]:
    for match in _NAMED.finditer(text):
        # a sentence after "Password:" is not a value
        next_character = (
            text[match.end("value") : match.end("value") + 100].partition("\n")[0].strip()[:1]
        )
        if next_character in (match["quote"], "", "#", "}", ",", '"', "'", "\\") and is_secret(
            match["name"], match["value"]
        ):
            yield f'value of "{match["name"]}"'


def _listed(line: str) -> Iterator[str]:
    for when, name, pattern in _patterns():
        if when in line:
            for match in pattern.finditer(line):
                if is_value(match["value"]) and _opens(name, match["value"]):
                    yield f'value of "{name}"'


def _opens(name: str, value: str) -> bool:
    """Return whether a value can be one of its kind: a registry's is `user:password` in base64."""
    if not name.startswith("auth of"):
        return True
    try:
        user, sign, password = base64.b64decode(value, validate=True).partition(b":")
    except ValueError:
        return len(value) > 20
    return bool(user and sign and password)


def prepare() -> None:
    """Compile the patterns of secret_lines.toml, and of names."""
    _patterns()
    secret_names.prepare()


@cache
def _patterns() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    rows = tomllib.loads(DATA.read_text(encoding="utf-8"))["line"]
    return tuple((row["when"], row["name"], re.compile(row["pattern"])) for row in rows)
