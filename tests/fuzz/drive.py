"""One target in the hands of libFuzzer: `python -m tests.fuzz.drive TARGET [libFuzzer's words]`.

Runs in .venv-fuzz, where atheris is; tests/fuzz/__main__.py starts it.
"""

from __future__ import annotations

import sys

import atheris

# only modules that read input are instrumented, not the rest of the process
with atheris.instrument_imports(include=["scripts", "sutra_cleanup", "tarfile"]):
    from tests.fuzz import targets
from tests.fuzz import corpus, steps


def main() -> None:
    name, *words = sys.argv[1:]
    target = targets.TARGETS[name]
    for _, data in corpus.inputs(name):  # modules that load once must not count as an input's work
        target(data)

    def counted(data: bytes) -> None:
        steps.counted(lambda: target(data), steps.bound(len(data)))

    atheris.Setup([sys.argv[0], *words], counted)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
