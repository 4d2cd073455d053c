"""Program that scripts.bench.readers times: a warm `verify-sizes` of many images.

It prints the most memory that it or a child held, in KiB, as the last line of stderr.
"""

from __future__ import annotations

import resource
import sys

from scripts.__main__ import main as front_door
from scripts.common.errors import SutraError, run


def main() -> int:
    """Verify the sizes of this folder's catalogue, none of whose images may be read."""
    code = front_door(["verify-sizes", "--format", "json"])
    if "docker" in sys.modules:
        raise SutraError("bench: images are not as they were", "run `make bench` again")
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    print(max(resource.getrusage(process).ru_maxrss for process in processes), file=sys.stderr)
    return code


if __name__ == "__main__":
    run(main)
