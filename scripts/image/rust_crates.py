"""The crates that a Rust program is made of, as cargo-auditable records them in it.

https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md: JSON, by zlib.
"""

from __future__ import annotations

import json
import zlib

SECTION = ".dep-v0"
# bytes of the list as it is unpacked; our storage has 8 kB
MAX_LIST = 8 << 20
Crate = tuple[str, str]  # name and version: ("serde", "1.0.219")


def crates(section: bytes) -> tuple[Crate, ...]:
    """Return the crates of a program, those for building alone left out.

    Raises ValueError for a section of another form.
    """
    try:
        unpacked = zlib.decompressobj().decompress(section, MAX_LIST)
        packages = json.loads(unpacked)["packages"]
        listed = {
            (package["name"], package["version"])
            for package in packages
            if package.get("kind", "runtime") == "runtime"
        }
    except (zlib.error, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("of another form") from error
    if not all(isinstance(text, str) for crate in listed for text in crate):
        raise ValueError("of another form")
    return tuple(sorted(listed))
