"""The licences that a Debian package's copyright file names, where a program can read it.

https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/ ("DEP-5"). The file is of the
whole source package, so that a package may have fewer. In a file of free text no name is sought.
"""

from __future__ import annotations

import re

from scripts.common.text import printable

_PATH = re.compile(r"usr/share/doc/[^/]+/copyright")
# the first field, also by the names that it had in drafts of the format
_FORMAT = re.compile(
    r"(?i)\s*Format(?:-Specification)?:\s*\S*(?:copyright-format|/dep5?\b|/Proposals/CopyrightFormat)"
)
_FIELD = re.compile(r"([A-Za-z-]+):[ \t]*(.*)")
# the most characters of a name, and names of a file
MAX_NAME, MAX_NAMES = 120, 500
# files with a licence whose text is there and whose name is not
UNNAMED = "(without a name)"


def has_name(path: str) -> bool:
    """Return whether a file of that path is a package's copyright file."""
    return path.endswith("/copyright") and _PATH.fullmatch(path) is not None


def licences(content: bytes) -> tuple[str, ...]:
    """Return the names in the fields "License" of files, sorted; () for a file of free text."""
    text = content.decode("utf-8", "replace")
    if not _FORMAT.match(text):
        return ()
    names = set()
    for paragraph in re.split(r"\n[ \t\r]*\n", text):
        # no other character ends a line: the GPL's own text has form feeds
        matches = map(_FIELD.match, paragraph.split("\n"))
        fields = {match[1].lower(): match[2].strip() for match in matches if match}
        if "files" in fields:
            names.add(printable(fields.get("license", ""))[:MAX_NAME] or UNNAMED)
    return tuple(sorted(names)[:MAX_NAMES])
