"""Several texts in one input, since a fuzzer makes only bytes."""

from __future__ import annotations

from scripts.oci.manifest import digest_of

MARK = b"\n%%\n"
# placeholder for the digest of the part of that number, so that documents can name each other
# whatever the fuzzer made of them
DIGEST = b"@%d@"


def split(data: bytes, most: int) -> list[bytes]:
    """Return at most `most` parts, and at least one."""
    return data.split(MARK, most - 1)


def joined(*parts: bytes) -> bytes:
    """Return the input that `split` takes apart."""
    return MARK.join(parts)


def linked(parts: list[bytes]) -> list[bytes]:
    """Put each part's digest where earlier parts name it, the last part's first."""
    done: list[bytes] = []
    for number, part in reversed(list(enumerate(parts))):
        for later, content in enumerate(reversed(done), number + 1):
            part = part.replace(DIGEST % later, digest_of(content).encode())
        done.append(part)
    return done[::-1]
