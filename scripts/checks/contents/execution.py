"""Decide whether a container can start a program, by repeating execve's steps on an image.

A file that the user may execute is a program (ELF), or a script whose first line names
one, which may again be a script (fs/binfmt_script.c, fs/exec.c). `env` looks for what
it starts in PATH, as a shell does.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scripts.checks.contents.access import READ, RUN, Access
from scripts.checks.contents.launch import env_target, init_target, is_env, python_target
from scripts.checks.contents.rule import Subject, quoted
from scripts.image.inventory import Entry

# PATH that the engine sets if an image has none; moby, oci/defaults.go
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# scripts that name scripts: Linux follows five
MAX_CHAIN = 5
# interpreters that do not take the one argument of a "#!" line apart, as perl and ruby do
SPLIT = re.compile(
    r".*/(?:python|pypy|sh|bash|dash|ash|ksh|mksh|zsh|busybox|node)[\d.]*", re.DOTALL
)
CANNOT = "is not executable for the image's user"
NO_FORMAT = 'is neither a program nor a script that begins with "#!"'


@dataclass(frozen=True)
class Broken:
    """Why a file cannot be started: `what` of `name`, which another file may ask for."""

    name: str
    what: str  # "not found", or a constant of this module
    is_own: bool = True  # of the file itself; else of an interpreter or what env starts
    role: str = "interpreter"  # of what is not the file itself

    def of(self, role: str) -> str:
        """Return a line for people: `role` is "command", "interpreter" or the like."""
        return f"{role} {self.what} {quoted(self.name)}"


class Execution:
    """The programs of one image, as its user starts them."""

    def __init__(self, subject: Subject) -> None:
        self._subject, self._image = subject, subject.image
        self.access = Access(subject)
        self._path = subject.environment.get("PATH") or PATH

    def command(self, words: Sequence[str]) -> Broken | None:
        """Return why a container that starts with `words` fails at once, or None.

        What an init or `env` is asked to start must start, too, and what Python runs be there.
        """
        path, is_own = self._path, True
        for _ in range(MAX_CHAIN):
            if broken := self._called(words[0], path, 0):
                return replace(broken, is_own=is_own and broken.is_own)
            if is_env(words[0]):
                words, path = env_target(words[1:], path)
                if not words:
                    return Broken("env", "has nothing to start", is_own=False)
            elif behind := init_target(words):
                words = behind
            else:
                return self._of_python(words)
            is_own = False
        return None

    def _of_python(self, words: Sequence[str]) -> Broken | None:
        """Return why Python does not find the script or the module that it is to run."""
        kind, name = python_target(words)
        if kind == "script":
            place = posixpath.join(self._subject.folder, name)
            if (self._image.walk(place) or [""])[-1] in self._image.folders:
                return None
            if self._image.resolve(place) is None:
                return Broken(name, "not found", is_own=False, role=kind)
            if not self.access.reads(place):
                return Broken(name, "is closed to the image's user", is_own=False, role=kind)
        if kind == "module" and not self._has_module(name.partition(".")[0]):
            return Broken(name, "not found", is_own=False, role=kind)
        return None

    def _has_module(self, name: str) -> bool:
        """Return whether a module may be anywhere: sys.path has many sources, and zip files."""
        there = re.compile(rf"(?:.*/)?(?:{re.escape(name)}(?:/.*|\.pyc?|[^/]*\.so)|[^/]+\.zip)")
        return any(map(there.fullmatch, self._image.files))

    def script(self, entry: Entry, depth: int = 0) -> Broken | None:
        """Return why a script cannot start: by its first line, of which `entry.script` is it."""
        if "\r" in entry.script:
            return Broken(entry.script, "with a carriage return", is_own=False)
        name, *argument = re.split(r"[ \t\0]+", entry.script, maxsplit=1)
        if not name.startswith("/"):
            return Broken(name, "is not an absolute path", is_own=False)
        if depth >= MAX_CHAIN:
            return Broken(name, "is one script too many", is_own=False)
        if argument and SPLIT.match(name) and re.match(r"-[^\Wc]*[ \t]+\S", argument[0]):
            return Broken(entry.script, "takes all that follows as one option", is_own=False)
        if broken := self.file(name, depth + 1):
            shown = entry.script if broken.is_own else broken.name
            return Broken(shown, broken.what, is_own=False)
        if not is_env(name):
            return None
        # all that follows the name is one argument; the script's own path is the next one
        words = [*(argument and [argument[0].strip()]), f"/{entry.path}"]
        return self._behind_env([word for word in words if word], depth + 1)

    def file(self, path: str, depth: int = 0) -> Broken | None:
        """Return why execve of `path` fails, or None; relative ones begin in WORKDIR."""
        place = posixpath.join(self._subject.folder, path)
        entry = self._image.resolve(place)
        if not (entry and entry.kind in ("file", "hardlink")):
            return Broken(path, "not found")
        if folder := self.access.closed(place):
            return Broken(path, f"is in a folder closed to the image's user {quoted(folder)}:")
        if not self.access.may(entry, RUN):
            return Broken(path, CANNOT)
        if entry.elf:
            return None
        if not entry.script:
            return Broken(path, NO_FORMAT)
        if not self.access.may(entry, READ):  # the interpreter opens it
            return Broken(path, "is not readable for the image's user")
        return self.script(entry, depth)

    def _called(self, name: str, path: str, depth: int) -> Broken | None:
        """Return why `name`, looked for in `path` as execvp does, cannot start."""
        if "/" in name or not name:
            return self.file(name, depth) if name else Broken(name, "not found")
        places = [posixpath.join(folder or ".", name) for folder in path.split(":")]
        reasons = [self._own(place) for place in places]
        if None in reasons:
            broken = self.file(places[reasons.index(None)], depth)
            return replace(broken, name=name) if broken and broken.is_own else broken
        problems = (reason.what for reason in reasons if reason and reason.what != "not found")
        return Broken(name, next(problems, "not found"))

    def _own(self, place: str) -> Broken | None:
        """Return what keeps a search from taking the file at `place`, whatever is in it."""
        broken = self.file(place, MAX_CHAIN)
        return broken if broken and broken.is_own and broken.what != NO_FORMAT else None

    def _behind_env(self, words: list[str], depth: int) -> Broken | None:
        target, path = env_target(words, self._path)
        if not target:
            return Broken("env", "has nothing to start", is_own=False)
        if depth > 2 * MAX_CHAIN:
            return Broken(target[0], "starts itself in a loop", is_own=False)
        broken = self._called(target[0], path, depth + 1)
        return broken and Broken(broken.name, broken.what, is_own=False)
