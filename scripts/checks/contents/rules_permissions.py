"""Rules about permissions: modes of files, devices, and the user of the image."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.checks.contents.access import READ, Access
from scripts.checks.contents.rule import Finding, Rule, Subject, quoted

# runc takes no higher number of a user or group
HIGHEST = (1 << 31) - 1
# files that programs read in every image: code, data of packages, accounts, certificates; not
# files that only apk reads, such as its lock of mode 600
READ_BY_PROGRAMS = re.compile(
    r"(?!(?:usr/)?lib/apk/)(?:app|opt|srv|usr|bin|sbin|lib\d*)(?:/.+)?"
    r"|(?:.*/)?(?:site|dist)-packages(?:/.+)?"
    r"|.+\.pyc?|etc/(?:passwd|group|nsswitch\.conf|localtime|ld\.so\.cache|os-release|ssl"
    r"|ssl/(?:certs(?:/.+)?|cert\.pem|openssl\.cnf))",
    re.DOTALL,
)


def rights(subject: Subject) -> Iterator[Finding]:
    """Find set-uid, set-gid and capabilities, what everybody may write to, and devices."""
    for path, entry in subject.files.items():
        if entry.kind == "symlink":
            continue
        if entry.kind in ("device", "fifo"):
            yield Finding(path, f"{entry.kind} {quoted(path)}")
        elif entry.mode & 0o6000:
            which = "set-uid" if entry.mode & 0o4000 else "set-gid"
            yield Finding(path, f"{which} {quoted(path)}")
        elif entry.capabilities:
            named = ", ".join(entry.capabilities)
            yield Finding(path, f"file capabilities ({named}) {quoted(path)}")
        elif entry.mode & 0o002 and not (entry.kind == "folder" and entry.mode & 0o1000):
            yield Finding(path, f"writable by everybody {quoted(path)}")
    yield from closed(subject)


def closed(subject: Subject) -> Iterator[Finding]:
    """Find what the image's user is to read and cannot: a COPY under umask 077, for one.

    A folder is found once, with all that is in it. Programs and libraries are found by the
    rule `libraries`.
    """
    access, places = Access(subject), set[str]()
    for path, entry in subject.files.items():
        if entry.elf or entry.kind not in ("file", "hardlink", "folder"):
            continue
        if not _is_read(subject, path):
            continue
        folder = access.closed(path)
        if folder or (entry.kind == "folder" and not access.may(entry, READ)):
            places.add(folder or path)
        elif not access.may(entry, READ):
            yield Finding(path, f"closed to the image's user {quoted(path)}")
    for path in sorted(places):
        yield Finding(path, f"folder closed to the image's user {quoted(path)}")


def _is_read(subject: Subject, path: str) -> bool:
    """Return whether programs that the user starts read `path`."""
    folders = (subject.folder, *subject.environment.get("PYTHONPATH", "").split(":"))
    ours = (f"{folder.strip('/')}/" for folder in folders if folder.strip("/"))
    return bool(READ_BY_PROGRAMS.fullmatch(path)) or f"{path}/".startswith(tuple(ours))


def user(subject: Subject) -> Iterator[Finding]:
    """Find a USER that is root, is no number, or is in no account file of the image."""
    user_and_group = subject.user
    uid, _, gid = user_and_group.partition(":")
    if not user_and_group:
        yield Finding("user", "no USER, so root")
    elif not re.fullmatch(r"[0-9]{1,10}(:[0-9]{1,10})?", user_and_group):
        yield Finding("user", f"USER is not a number {quoted(user_and_group)}")
    elif max(int(number or 0) for number in (uid, gid)) > HIGHEST:
        yield Finding("user", f"USER is out of range {quoted(user_and_group)}")
    elif int(uid) == 0:
        yield Finding("user", f"USER is root {quoted(user_and_group)}")
    else:
        for number, file in ((uid, "etc/passwd"), (gid, "etc/group")):
            if number and int(number) not in _numbers(subject, file):
                yield Finding("user", f"USER is not in {file} {quoted(user_and_group)}")


def _numbers(subject: Subject, file: str) -> set[int]:
    """Return the third fields of an account file: its numbers."""
    fields = (line.split(":") for line in (subject.image.text(file) or "").splitlines())
    numbers = (field[2] for field in fields if len(field) > 2)
    return {int(number) for number in numbers if re.fullmatch("[0-9]{1,10}", number)}


RULES = (
    Rule(
        "rights",
        "no set-uid or set-gid, no file capabilities, nothing that everybody may write to but "
        "sticky folders, no device, no code or data closed to the image's user",
        rights,
    ),
    Rule("user", "USER is a number, not root, and is listed in /etc/passwd and /etc/group", user),
)
