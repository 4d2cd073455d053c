"""How a container starts: its command, its health check, and the scripts that it may call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from scripts.checks.contents.execution import NO_FORMAT, Execution
from scripts.checks.contents.known_programs import program, sections_of
from scripts.checks.contents.launch import env_target, init_target, is_env
from scripts.checks.contents.rule import Finding, Rule, Subject, quoted

SHELLS = sections_of("shells")["any"]
# paths where every executable file is a program, or looks like one
_PROGRAM = re.compile(r"(?:.*/)?s?bin/[^/]+|.*\.sh", re.DOTALL)


def command(subject: Subject) -> Iterator[Finding]:
    """Find a command that is missing, in shell form, or that the user cannot start."""
    yield from _folder(subject)
    if subject.command:
        yield from _problems(subject, "command", subject.command)
    else:
        yield Finding("command", "no command")


def healthcheck(subject: Subject) -> Iterator[Finding]:
    """Find a health check that is missing, in shell form, or that cannot start."""
    kind, *words = subject.healthcheck or ("NONE",)
    if kind == "NONE" or not words:
        yield Finding("healthcheck", "no HEALTHCHECK")
    elif kind == "CMD-SHELL":
        yield Finding("healthcheck", f"healthcheck is in shell form {quoted(words[0])}")
    else:
        yield from _problems(subject, "healthcheck", words)


def scripts(subject: Subject) -> Iterator[Finding]:
    """Find what may be executed and can only fail: by its interpreter, or for want of one."""
    execution = Execution(subject)
    for entry in subject.contents():
        if not entry.mode & 0o111:
            continue
        if entry.script:
            if broken := execution.script(entry):
                yield Finding(entry.path, f"{broken.of('interpreter')}, of {quoted(entry.path)}")
        elif entry.elf is None and _PROGRAM.fullmatch(entry.path):
            yield Finding(entry.path, f"{NO_FORMAT.removeprefix('is ')} {quoted(entry.path)}")


def _folder(subject: Subject) -> Iterator[Finding]:
    """Find a WORKDIR in which no container can start."""
    folder = subject.folder
    place = subject.image.walk(folder)
    if not folder.startswith("/"):
        yield Finding("workdir", f"working folder is not an absolute path {quoted(folder)}")
    elif not place or place[-1] not in subject.image.folders:
        yield Finding("workdir", f"working folder not found {quoted(folder)}")
    elif Execution(subject).access.closed(f"{folder}/any"):
        yield Finding("workdir", f"working folder is closed to the image's user {quoted(folder)}")


def _problems(subject: Subject, what: str, words: Sequence[str]) -> Iterator[Finding]:
    first = words[0]
    if _is_shell_form(words):
        yield Finding(what, f"{what} is in shell form {quoted(' '.join(words))}")
        return
    broken = Execution(subject).command(words)
    if broken and broken.is_own:
        yield Finding(what, broken.of(what))
    elif broken:
        yield Finding(what, f"{what} cannot start {quoted(first)}: {broken.of(broken.role)}")


def _is_shell_form(words: Sequence[str]) -> bool:
    """Return whether a shell is to read a text: "sh -c", "sh -ec", "bash -o pipefail -c"."""
    words = init_target(words) or words
    if is_env(words[0]):
        words = env_target(words[1:], "")[0] or words
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


RULES = (
    Rule(
        "command",
        "ENTRYPOINT and CMD are in exec form, found by PATH, and the image's user can start them "
        "in WORKDIR",
        command,
    ),
    Rule(
        "healthcheck",
        "HEALTHCHECK is in exec form, found by PATH, and the image's user can start it",
        healthcheck,
    ),
    Rule(
        "scripts",
        "every executable script names an interpreter, or one behind `env`, that is in the image "
        "and can start; what is executable in a `bin` folder is a program or a script",
        scripts,
    ),
)
