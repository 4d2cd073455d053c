"""Import all of the standard library that the image holds: a missing library shows here.

Runs inside the image's own root. Exits 1 with a line for each module that does
not load.
"""

import importlib
import importlib.util
import sys

# What services lean on must be there, whatever the trimming rules say.
REQUIRED = {
    "asyncio",
    "bz2",
    "ctypes",
    "decimal",
    "email",
    "hashlib",
    "json",
    "logging",
    "lzma",
    "multiprocessing",
    "ssl",
    "unittest",
    "urllib",
    "uuid",
    "zlib",
    "zoneinfo",
}


def failure(name: str) -> str | None:
    """Return why `name` does not load, or None."""
    if name not in REQUIRED and importlib.util.find_spec(name) is None:
        return None
    try:
        importlib.import_module(name)
    except ImportError as error:
        return f"{name}: {error}"
    return None


failures = [line for name in sorted(sys.stdlib_module_names) if (line := failure(name))]
print(*failures, sep="\n", file=sys.stderr)
sys.exit(bool(failures))
