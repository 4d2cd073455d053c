"""A service's seccomp profile, `packages/X/seccomp.json`: the system calls that it may make.

In the format of OCI's runtime, which Docker, Podman, containerd and CRI-O read. What is not in
it is refused as if the kernel had no such call: libraries then take an older one.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.checks.runtime.system_call_names import REFUSED, all_names, allowed
from scripts.common import files
from scripts.common.errors import SutraError

if TYPE_CHECKING:
    from scripts.catalog.catalog import Image

ALLOW, NOTIFY, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_NOTIFY", "SCMP_ACT_ERRNO"
# a thread or a process, and no new namespace: the flags that Docker refuses as well
NAMESPACES = 0x7E020000
# sys/socket.h: unix, inet, inet6, netlink (by which the C library learns its own addresses)
FAMILIES = (1, 2, 10, 16)
FILTERED = ("clone", "socket")
KEYS = {"defaultAction", "defaultErrnoRet", "syscalls"}


def rules(names: Iterable[str]) -> list[dict[str, Any]]:
    """Return the rules that allow these calls, and of `clone` and `socket` what is harmless."""
    calls = set(names)
    plain = sorted(calls.difference(FILTERED))
    allowed_rules: list[dict[str, Any]] = [{"names": plain, "action": ALLOW}] if plain else []
    if "clone" in calls:
        allowed_rules.append(_when("clone", "SCMP_CMP_MASKED_EQ", NAMESPACES))
    if "socket" in calls:
        allowed_rules += [_when("socket", "SCMP_CMP_EQ", family) for family in FAMILIES]
    return allowed_rules


def _when(name: str, test: str, value: int) -> dict[str, Any]:
    """Return the rule that allows a call where its first argument passes a test."""
    first = {"index": 0, "value": value, "op": test}
    if test == "SCMP_CMP_MASKED_EQ":
        first["valueTwo"] = 0
    return {"names": [name], "action": ALLOW, "args": [first]}


def profile(names: Iterable[str]) -> dict[str, Any]:
    """Return the profile that allows these calls and refuses all others."""
    return {"defaultAction": ERRNO, "defaultErrnoRet": errno.ENOSYS, "syscalls": rules(names)}


def text(names: Iterable[str]) -> str:
    """Return the profile as its file has it: the same bytes for the same calls, a name a line."""
    return json.dumps(profile(names), indent=2) + "\n"


def watching(names: Iterable[str], socket: Path) -> str:
    """Return the profile that allows these calls, and reports all others to `socket`.

    What no service may call is refused without a report. What all services need is allowed:
    threads of the runtime itself need it between the loading of the filter and the moment in which
    the descriptor is handed over, and would wait for ever.
    """
    allowed_names = allowed(()).union(names)
    others = all_names() - allowed_names - REFUSED
    watched = profile(allowed_names)
    watched["syscalls"].append({"names": sorted(others), "action": NOTIFY})
    return json.dumps({**watched, "listenerPath": str(socket)})


def file_of(image: Image) -> Path:
    """Return where an image's profile is. Raises SutraError where images.yaml does not say it."""
    if not image.runtime.seccomp:
        raise SutraError(
            f"images.yaml: images.{image.name}.runtime.seccomp: missing",
            "name the file that gets the profile, such as "
            f'"runtime: {{seccomp: packages/{image.name}/seccomp.json}}"',
        )
    return Path(image.runtime.seccomp)


def names_in(image: Image) -> frozenset[str]:
    """Return the calls that an image's profile allows.

    Raises SutraError for a profile that is not there, or is not as `text` writes it.
    """
    file = file_of(image)
    again = f"`make seccomp IMAGE={image.name}` writes it"
    try:
        content = file.read_text("utf-8")
        document = json.loads(content)
    except FileNotFoundError as error:
        raise SutraError(f"{file}: no such file", again) from error
    except OSError as error:
        raise SutraError(f"{file}: cannot be read: {error.strerror}", f"`ls -l {file}`") from error
    except (ValueError, RecursionError) as error:
        raise SutraError(f"{file}: not JSON: {error}", _restored(file)) from error
    names = _names(document)
    if refused := sorted(names & REFUSED):
        raise SutraError(f'{file}: no service may call "{", ".join(refused)}"', "remove it there")
    if unknown := sorted(names - all_names()):
        raise SutraError(f'{file}: no such system call "{", ".join(unknown)}"', "remove it there")
    if document != profile(names):
        raise SutraError(f"{file}: not a profile as `make seccomp` writes it", _restored(file))
    return names


def _restored(file: Path) -> str:
    return f"`git checkout {file}` restores it"


def _names(document: object) -> frozenset[str]:
    """Return all names in a profile's rules, whatever its form; none of what is no profile."""
    listed = document.get("syscalls") if isinstance(document, dict) else None
    rows = listed if isinstance(listed, list) else []
    named = [row.get("names") for row in rows if isinstance(row, dict)]
    texts = [name for names in named if isinstance(names, list) for name in names]
    return frozenset(name for name in texts if isinstance(name, str))


def write(file: Path, names: Iterable[str]) -> None:
    """Write the profile, whole or not at all. Raises SutraError."""
    files.write(file, text(names), "seccomp", f"`ls -ld {file.parent}` says more")
