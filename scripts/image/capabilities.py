"""File capabilities: rights of root that a program has whoever starts it, as set-uid gives them.

They are an extended attribute, which tar archives keep in PAX headers: as it is under the
names of star (Docker, BuildKit, kaniko), or in base64 under those of libarchive.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping

STAR = "SCHILY.xattr.security.capability"
LIBARCHIVE = "LIBARCHIVE.xattr.security.capability"
UNREADABLE = ("unreadable",)
# include/uapi/linux/capability.h, by number
NAMES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
    "setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw",
    "ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct",
    "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod",
    "lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog",
    "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore",
)  # fmt: skip # a list of words, in the kernel's order
# struct vfs_cap_data and vfs_ns_cap_data: revision 1, 2 and 3 by their length in bytes, and
# size of the attribute in bytes → words of 32 capabilities
_WORDS = {12: 1, 20: 2, 24: 2}


def of(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of a file's capabilities ("setuid",), or UNREADABLE."""
    if STAR in headers:
        return _names(headers[STAR].encode("utf-8", "surrogateescape"))
    if LIBARCHIVE in headers:
        text = headers[LIBARCHIVE]
        try:
            return _names(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
        except (ValueError, binascii.Error):
            return UNREADABLE
    return ()


def _names(value: bytes) -> tuple[str, ...]:
    words = _WORDS.get(len(value))
    if words is None:
        return UNREADABLE
    pairs = struct.iter_unpack("<II", value[4 : 4 + 8 * words])
    held = sum((may | inherits) << 32 * at for at, (may, inherits) in enumerate(pairs))
    numbers = (at for at in range(64) if held >> at & 1)
    return tuple(NAMES[at] if at < len(NAMES) else str(at) for at in numbers)
