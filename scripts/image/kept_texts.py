"""Choose the files to keep as text: package records, account files and the like."""

from __future__ import annotations

import re

# the most bytes of one such file
MAX_TEXT = 4 << 20
# the most bytes that a layer's texts of such names have; more is refused
MAX_TEXTS = 64 << 20
# the most bytes of what only looks like them, which is then no longer kept
MAX_ALIKE = 16 << 20
_NAMES = re.compile(
    r"etc/(os-release|ld\.so\.(conf|cache|conf\.d/[^/]+)|ld-musl-[^/]+\.path|passwd|group)"
    r"|usr/lib/(os-release|apk/db/installed)"
    r"|lib/apk/db/installed"
    r"|var/lib/dpkg/(status|status\.d/[^/]+|info/[^/]+\.(list|md5sums))"
    r"|usr/share/sutra/[^/]+\.json"
    r"|usr/share/licenses/[^/]+/crates"
    r"|(.*/)?[^/]+\.dist-info/(METADATA|RECORD)"
    r"|(.*/)?[^/]+\.egg-info/(PKG-INFO|installed-files\.txt)"
    r"|(.*/)?pyvenv\.cfg"
    r"|(.*/)?node_modules/(@[^/]+/)?[^/@.][^/]*/package\.json"
)
# first bytes of METADATA and PKG-INFO, RECORD, dpkg's lists and sums, account files, pyvenv.cfg
_BEGINNING = re.compile(
    rb"[A-Z][A-Za-z-]{0,40}: ?\S|[^\n,]{1,400},(?:sha\d{3}=[\w-]{1,100})?,\d*\r?\n"
    rb"|[0-9a-f]{32}  \S|/\.\n|[\w-]{1,32}:[^:\n]*:\d+:|home = /"
)


def has_name(path: str) -> bool:
    """Return whether a file of that path is kept as text."""
    return _NAMES.fullmatch(path) is not None


def looks_alike(head: bytes) -> bool:
    """Return whether a file may be one of them under another name.

    An installer such as uv makes hard links to its cache: the first name of a RECORD may
    be any, and only a later entry of the archive, or a later layer, has the second.
    """
    return _BEGINNING.match(head) is not None
