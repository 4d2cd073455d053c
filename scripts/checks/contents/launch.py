"""Find what a launcher starts by its arguments: env, an init such as tini, Python."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Sequence

from scripts.checks.contents.known_programs import program

# execvp's search path without a PATH, as behind `env -i`; glibc, _CS_PATH
BARE = "/bin:/usr/bin"
# an init for containers: options, those with a value, then the program
INITS = {"tini": "-p -e", "dumb-init": "-r --rewrite", "catatonit": "", "docker-init": "-p -e"}
# python(1)'s options whose value is the next word
_PYTHON_VALUES = ("-X", "-W", "--check-hash-based-pycs")
# options without a value, then the one that ends them: "-Bm" of "-Bm app"
_PYTHON_LAST = re.compile("-[bBdEiIOPqRsStuvVx?]*([cm])(.*)", re.DOTALL)


def init_target(words: Sequence[str]) -> list[str]:
    """Return the command that an init starts ("tini -g -- x" → "x"), () if it is no init."""
    name = program(words[0])
    if name not in INITS:
        return []
    words_left = list(words[1:])
    while words_left and words_left[0].startswith("-"):
        option = words_left.pop(0)
        if option == "--":
            break
        if option in INITS[name].split():
            words_left = words_left[1:]
    return words_left


def python_target(words: Sequence[str]) -> tuple[str, str]:
    """Return what Python runs: ("script", "main.py"), ("module", "app.server"), or ("", "")."""
    if program(words[0]) not in ("python", "pypy"):
        return "", ""
    words_left = list(words[1:])
    while words_left and words_left[0].startswith("-") and words_left[0] != "-":
        option = words_left.pop(0)
        if option in _PYTHON_VALUES:
            words_left = words_left[1:]
        elif flag := _PYTHON_LAST.fullmatch(option):
            module = flag[2] or "".join(words_left[:1])
            return ("module", module) if flag[1] == "m" else ("", "")
    return ("script", words_left[0]) if words_left and words_left[0] != "-" else ("", "")


def is_env(name: str) -> bool:
    """Return whether a word is coreutils' or busybox' `env`."""
    return posixpath.basename(name) == "env"


def env_target(words: Sequence[str], path: str) -> tuple[list[str], str]:
    """Return the words that `env` with these arguments starts, and the PATH it looks in.

    coreutils, env(1): options, then assignments, then the program. `-S` splits its text
    as a shell does; without it a text with blanks is one name.
    """
    words_left, options = list(words), True
    while words_left:
        word = words_left.pop(0)
        if options and word in ("-", "-i", "--ignore-environment"):
            path = BARE
        elif options and word == "--":
            options = False
        elif options and word in ("-u", "-C", "-a", "--unset", "--chdir", "--argv0"):
            words_left = words_left[1:]
        elif options and (
            split := re.fullmatch(r"(-[0iv]*)S(.*)|--split-string=?(.*)", word, re.S)
        ):
            path = BARE if "i" in (split[1] or "") else path
            text = (split[2] or split[3] or "").strip() or (words_left.pop(0) if words_left else "")
            words_left = [*_words(text), *words_left]
        elif options and word.startswith("-"):
            path = BARE if re.fullmatch("-[0v]*i[0iv]*", word) else path
        elif "=" in word.lstrip("="):
            name, _, value = word.partition("=")
            path, options = (value if name == "PATH" else path), False
        else:
            return [word, *words_left], path
    return [], path


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote without its end: env refuses it
        return []
