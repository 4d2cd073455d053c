"""How a container starts: its command and its health check."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from scripts.checks.contents.rule import Finding, Rule, Subject, quoted
from scripts.checks.contents.rules_forbidden_files import SHELLS, program

if TYPE_CHECKING:
    from scripts.image.inventory import Entry

# what the engine sets where an image has no PATH; moby, oci/defaults.go
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def command(subject: Subject) -> Iterator[Finding]:
    """Find a command that is missing, in shell form, or that the user cannot execute."""
    if subject.command:
        yield from _problems(subject, "command", subject.command)
    else:
        yield Finding("command", "no command")


def healthcheck(subject: Subject) -> Iterator[Finding]:
    """Find a health check that is missing, in shell form, or not executable."""
    kind, *words = subject.healthcheck or ("NONE",)
    if kind == "NONE" or not words:
        yield Finding("healthcheck", "no HEALTHCHECK")
    elif kind == "CMD-SHELL":
        yield Finding("healthcheck", f"healthcheck is in shell form {quoted(words[0])}")
    else:
        yield from _problems(subject, "healthcheck", words)


def scripts(subject: Subject) -> Iterator[Finding]:
    """Find executable scripts whose interpreter is not there: they can only fail."""
    for entry in subject.contents():
        if entry.script and entry.mode & 0o111 and not _interpreter(subject, entry):
            named = quoted(entry.script)
            yield Finding(entry.path, f"interpreter not found {named}, of {quoted(entry.path)}")


def _interpreter(subject: Subject, entry: Entry) -> bool:
    words = entry.script.split()
    return bool(words) and _is_file(subject.image.resolve(words[0]))


def _problems(subject: Subject, what: str, words: Sequence[str]) -> Iterator[Finding]:
    first = words[0]
    if _is_shell_form(words):
        yield Finding(what, f"{what} is in shell form {quoted(' '.join(words))}")
        return
    found = [entry for place in _places(subject, first) if (entry := subject.image.resolve(place))]
    if not any(_is_file(entry) for entry in found):
        yield Finding(what, f"{what} not found {quoted(first)}")
    elif not any(_runs(subject, entry) for entry in found):
        yield Finding(what, f"{what} is not executable for the image's user {quoted(first)}")


def _is_shell_form(words: Sequence[str]) -> bool:
    """Whether a shell is to read a text: "sh -c", "sh -ec", "bash -o pipefail -c"."""
    names = [program(word) for word in words[:2]]
    options = list(words[2:] if names[0] in ("busybox", "toybox") else words[1:])
    if names[0] not in SHELLS or (names[0] in ("busybox", "toybox") and names[-1] not in SHELLS):
        return False
    while options and options[0][:1] in ("-", "+") and options[0] not in ("-", "--"):
        option = options.pop(0)
        if not option.startswith("--") and "c" in option:
            return True
        if option[1:2] in ("o", "O") or option[-1:] == "o":  # its name follows
            options = options[1:]
    return False


def _places(subject: Subject, name: str) -> list[str]:
    """Return where execve looks for `name`, as paths from the root of the image."""
    if "/" in name:
        return [posixpath.join(subject.folder, name)]
    paths = (subject.environment.get("PATH") or PATH).split(":")
    return [posixpath.join(subject.folder, path, name) for path in paths]


def _is_file(entry: Entry | None) -> bool:
    return entry is not None and entry.kind in ("file", "hardlink")


def _runs(subject: Subject, entry: Entry) -> bool:
    """Whether the image's user may execute a file: by its owner's, group's or others' bit."""
    if not _is_file(entry) or (entry.script and not _interpreter(subject, entry)):
        return False
    uid, _, gid = subject.user.partition(":")
    if uid in ("", "0", "root"):
        return bool(entry.mode & 0o111)
    if uid == str(entry.uid):
        return bool(entry.mode & 0o100)
    return bool(entry.mode & (0o010 if gid == str(entry.gid) else 0o001))


RULES = (
    Rule("command", "ENTRYPOINT and CMD are in exec form, found by PATH, and executable", command),
    Rule("healthcheck", "HEALTHCHECK is in exec form, found by PATH, and executable", healthcheck),
    Rule("scripts", "the interpreter of every executable script is in the image", scripts),
)
