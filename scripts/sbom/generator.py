"""BuildKit's generator of bills of materials: SPDX of a result's files, by the image's own records.

BuildKit runs it on the finished files of a build with `attest=type=sbom,generator=…`, and
attaches what it writes. Source:
https://github.com/moby/buildkit/blob/master/docs/attestations/sbom-protocol.md
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.common.errors import CHECK_FAILED, OK
from scripts.common.text import printable
from scripts.oci.tar_stream import DAMAGE
from scripts.sbom import components, scanned_folder, spdx
from scripts.sbom.made_at import UNKNOWN

SOURCE, DESTINATION = "BUILDKIT_SCAN_SOURCE", "BUILDKIT_SCAN_DESTINATION"
# BuildKit takes this version of the statement's form alone; it fills in the subject
STATEMENT = "https://in-toto.io/Statement/v0.1"
# errors of files that say of themselves what is not so, and of a build with too little memory
FAILURES = (
    *DAMAGE,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
TIP = "`docker buildx bake sutra-sbom-generator` builds the generator again"


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Write the statement, or one line for `scripts.build.failure` to find in the progress."""
    try:
        source, destination = _folder(environment, SOURCE), _folder(environment, DESTINATION)
        bill = components.of(scanned_folder.read(source, source.name))
        predicate = spdx.document(source.name, bill, UNKNOWN)
        statement = {
            "_type": STATEMENT,
            "predicateType": spdx.PREDICATE_TYPE,
            "predicate": predicate,
        }
        (destination / "sutra.spdx.json").write_text(json.dumps(statement))
    except FAILURES as error:
        reason = printable(f"{type(error).__name__}: {error}")[:300]
        print(f"sutra: sbom generator: {reason}\ntip: {TIP}", file=sys.stderr)
        return CHECK_FAILED
    print(f"{len(list(bill.all()))} components")
    return OK


def _folder(environment: Mapping[str, str], name: str) -> Path:
    """Return a folder of BuildKit's. Raises KeyError for none: "" would be the working folder."""
    if not environment.get(name):
        raise KeyError(name)
    return Path(environment[name])


if __name__ == "__main__":
    sys.exit(main())
