"""The tar of a bootstrapped root in one form: the same bytes for the same packages.

What mmdebstrap writes tells of the machine as well: its name and resolver, the mirror, where its
certificates are, and the form that its version gives a tar.
"""

from __future__ import annotations

import copy
import io
import posixpath
import re
import tarfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import IO

# The time of every file of a bootstrapped root. Not 0: ZIP files begin with 1980.
STAMP = datetime(1980, 1, 1, tzinfo=UTC)
# paths of the machine that made the root, or of the way to its packages; engines mount their own
# over the first ones, and apt-get and dpkg make the locks and folders that they need
DROPPED = re.compile(
    r"dev/.+"
    r"|etc/(?:hostname|hosts|resolv\.conf|machine-id|\.pwd\.lock)"
    r"|etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-"
    r"|etc/apt/apt\.conf\.d/99mmdebstrap"
    r"|etc/apt/sources\.list(?:\.d/.+)?"
    r"|run/(?!lock$).+"
    r"|tmp/.+"
    r"|var/cache/(?:apt|ldconfig)/.+"
    r"|var/cache/debconf/.+-old"
    r"|var/lib/apt/(?:lists|mirrors|periodic)/.+"
    r"|var/lib/dpkg/(?:[^/]+-old|lock|lock-frontend|triggers/Lock)"
    r"|var/log/.+"
)
SOURCES = "etc/apt/sources.list"
# extended attributes, such as the capabilities of a program, are in these headers
ATTRIBUTES = "SCHILY.xattr."


def write(source: IO[bytes], sink: IO[bytes], sources: Sequence[str]) -> None:
    """Write the root's tar `source` to `sink` in the one form, with `sources` as apt's list.

    Raises tarfile.TarError for what is no tar.
    """
    text = "".join(f"{line}\n" for line in sources).encode()
    with tarfile.open(fileobj=source) as root:
        members = {name: member for member in root if (name := _name(member)) is not None}
        members[SOURCES] = _plain(SOURCES, len(text))
        links = _links(members)
        with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name in sorted(members):
                content = io.BytesIO(text) if name == SOURCES else None
                _add(archive, root, name, members, links, content)


def _name(member: tarfile.TarInfo) -> str | None:
    """Return a member's path below the root, None for what is left out."""
    name = posixpath.normpath(member.name).lstrip("/")
    return None if name == "." or DROPPED.fullmatch(name) else name


def _links(members: Mapping[str, tarfile.TarInfo]) -> dict[str, str]:
    """Return for each name of a file with several the one that holds it: the first in order.

    Which it was in `members` is another in each version of tar.
    """
    groups: dict[str, set[str]] = {}
    for name, member in members.items():
        if member.islnk():
            first = posixpath.normpath(member.linkname).lstrip("/")
            groups.setdefault(first, {first}).add(name)
    return {name: min(names) for names in groups.values() for name in names}


def _add(
    archive: tarfile.TarFile,
    root: tarfile.TarFile,
    name: str,
    members: Mapping[str, tarfile.TarInfo],
    links: Mapping[str, str],
    content: IO[bytes] | None,
) -> None:
    """Add one path: a link to another name of the same file, or the file itself."""
    member = members[name]
    if links.get(name, name) != name:
        link = _plain(name, 0, member)
        link.type, link.linkname = tarfile.LNKTYPE, links[name]
        archive.addfile(link)
        return
    holder = member
    if member.islnk():  # the first name of a file that the source has under another
        holder = members[posixpath.normpath(member.linkname).lstrip("/")]
    written = _plain(name, holder.size if holder.isfile() else 0, holder)
    archive.addfile(written, content or (root.extractfile(holder) if holder.isfile() else None))


def _plain(name: str, size: int, like: tarfile.TarInfo | None = None) -> tarfile.TarInfo:
    """Return a header of what `like` is, a regular file without one, by numbers and one time."""
    member = copy.copy(like) if like else tarfile.TarInfo()
    member.name, member.size = name, size
    member.mtime, member.uname, member.gname = int(STAMP.timestamp()), "", ""
    member.mode &= 0o7777
    attributes = member.pax_headers.items()
    member.pax_headers = {
        key: value for key, value in sorted(attributes) if key.startswith(ATTRIBUTES)
    }
    return member
