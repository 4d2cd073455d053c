from __future__ import annotations

import base64
import struct

import pytest

from scripts.image import capabilities
from scripts.image.capabilities import LIBARCHIVE, STAR


def attribute(revision: int, *pairs: tuple[int, int], more: bytes = b"") -> bytes:
    return (
        struct.pack("<I", revision << 24) + b"".join(struct.pack("<II", *p) for p in pairs) + more
    )


SETUID = attribute(2, (1 << 7, 0), (0, 0))
NAMED = {
    "one that is permitted": (SETUID, ("setuid",)),
    "one that is inherited": (attribute(2, (0, 1 << 7), (0, 0)), ("setuid",)),
    "several, past 32": (attribute(2, (1 << 10, 0), (1 << 6, 0)), ("net_bind_service", "perfmon")),
    "revision 1": (attribute(1, (1 << 21, 0)), ("sys_admin",)),
    "revision 3, of a user namespace": (
        attribute(3, (1, 0), (0, 0), more=struct.pack("<I", 1000)),
        ("chown",),
    ),
    "one without a name yet": (attribute(2, (0, 0), (0, 1 << 31)), ("63",)),
    "none": (attribute(2, (0, 0), (0, 0)), ()),
    "cut off": (SETUID[:-1], ("unreadable",)),
    "empty": (b"", ("unreadable",)),
}


@pytest.mark.parametrize("name", NAMED)
def test_the_capabilities_of_an_attribute(name: str) -> None:
    value, names = NAMED[name]
    text = value.decode("utf-8", "surrogateescape")
    assert capabilities.of({STAR: text, "mtime": "1.5"}) == names
    assert capabilities.of({LIBARCHIVE: base64.b64encode(value).decode().rstrip("=")}) == names


def test_what_has_no_such_attribute_has_none() -> None:
    assert capabilities.of({"path": "a", "SCHILY.xattr.user.x": "y"}) == ()
    assert capabilities.of({LIBARCHIVE: "not base64!"}) == ("unreadable",)


def test_every_name_is_at_its_number() -> None:
    """include/uapi/linux/capability.h: CAP_LAST_CAP is CAP_CHECKPOINT_RESTORE, 40."""
    assert len(capabilities.NAMES) == 41
    assert [capabilities.NAMES[at] for at in (7, 21, 40)] == [
        "setuid",
        "sys_admin",
        "checkpoint_restore",
    ]
