"""Runs inside a container of tools: which proposals the cleanup's proof accepts, all together.

Arguments are a marker for the line with the answer, the tree, seconds, and globs as JSON. One that
breaks a module is left out, and the others are tried again: the tree is then as it was.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sutra_cleanup import manifest, tree
from sutra_cleanup.__main__ import clean
from sutra_cleanup.errors import CleanupError

# the rule that an error blames, by its name or its key
BLAMED = re.compile(r'\brules?[. ]"?(p\d+)\b')
# the end of an error that names our rule and its file: the glob says both
RULE = re.compile(r': by rule "p\d+"(?: "[^"]*")?')


def answer(root: Path, seconds: float, globs: list[str]) -> dict[str, Any]:
    """Return globs that are `proven` together, those that break with the reason, and a `problem`.

    Globs in neither are not tried: time was over, or the proof itself failed.
    """
    untried = {f"p{number}": glob for number, glob in enumerate(globs)}
    broken: dict[str, str] = {}
    end = time.monotonic() + seconds
    while untried:
        if time.monotonic() >= end:
            return {"proven": [], "broken": broken, "problem": f"not proven in {seconds:.0f} s"}
        try:
            modules = _clean(root, untried)
        except CleanupError as error:
            blamed = BLAMED.search(error.message)
            if blamed is None or blamed[1] not in untried:
                return {"proven": [], "broken": broken, "problem": error.message}
            reason = error.message.removeprefix("cleanup: ")
            broken[untried.pop(blamed[1])] = RULE.sub("", reason)
        else:
            problem = "" if modules else "no module of the image loads"
            proven = [] if problem else list(untried.values())
            return {"proven": proven, "broken": broken, "problem": problem}
    return {"proven": [], "broken": broken, "problem": ""}


def _clean(root: Path, globs: dict[str, str]) -> int:
    """Remove what the globs name, and return how many modules load as before."""
    rules = {name: {"why": "it was not opened", "remove": [glob]} for name, glob in globs.items()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "proposals.yaml")
        file.write_text(json.dumps({"rules": rules}), encoding="utf-8")
        plan = tree.plan(root, manifest.load(file))
    done: Any = clean(plan, [f"{root}/bin/python"], os.fspath(root))
    return int(done["proven"])


def main(marker: str, root: str, seconds: str, globs: str) -> None:
    """Print the answer as JSON, behind the marker."""
    print(f"\n{marker}{json.dumps(answer(Path(root), float(seconds), json.loads(globs)))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
