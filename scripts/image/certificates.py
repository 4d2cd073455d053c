"""X.509 certificates in bytes: in PEM, or a file that is one in DER."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

# first bytes of a certificate longer than 255 bytes (X.690)
DER = b"\x30\x82"
# the body holds no "-": each search ends at the next one, so all of them are linear
_PEM = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]++)"
    rb"-----END (?:TRUSTED |X509 )?CERTIFICATE-----"
)


def certificates(head: bytes) -> Iterator[bytes]:
    """Yield each X.509 certificate, as DER, of PEM text or of a file that is one."""
    if head.startswith(DER) and len(head) == 4 + int.from_bytes(head[2:4], "big"):
        yield head
    if b"-----BEGIN" not in head:
        return
    for match in _PEM.finditer(head):
        try:
            decoded = base64.b64decode(b"".join(match[1].split()), validate=True)
        except binascii.Error:
            continue
        if decoded.startswith(DER):  # no certificate is under 256 bytes
            yield decoded


def fingerprint(certificate: bytes) -> str:
    """Return the MD5 of a certificate's PEM text; not for security, dpkg writes no other."""
    lines = base64.b64encode(certificate).decode()
    body = "\n".join(lines[start : start + 64] for start in range(0, len(lines), 64))
    text = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
