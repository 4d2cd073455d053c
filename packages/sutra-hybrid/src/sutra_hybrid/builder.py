"""Builds an index: a large one in a process of its own.

scipy's qr and svd hold the interpreter's lock, at 100,000 texts for more than a second at a time
(measured with scipy 1.18), and a thread that does so holds up every answer.

    python -m sutra_hybrid.builder < pickled texts > pickled index
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import BinaryIO

from sutra_hybrid.errors import BuildFailed
from sutra_hybrid.index import Index

# Characters up to which a thread builds: the lock is held for some tens of milliseconds then, and
# starting a process and loading scikit-learn takes longer than the index.
SMALL = 300_000
COMMAND = ("-m", "sutra_hybrid.builder")
KILLED = (
    "the process that builds the index was killed: give this service more memory "
    "(SUTRA_HYBRID_MEMORY), or set SUTRA_MAX_CONCEPTS or SUTRA_MAX_TEXT_MB lower"
)


def build(texts: Sequence[str]) -> Index:
    """Return the index of `texts`. Raises BuildFailed."""
    if sum(map(len, texts)) <= SMALL:
        return Index(texts)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, *COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(texts, process.stdin, protocol=5)
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: its status says more
        content = process.stdout.read()
    if process.returncode == -signal.SIGKILL:  # by the kernel, as a rule: out of memory
        raise BuildFailed(KILLED)
    if process.returncode:
        raise BuildFailed(f"the process that builds the index ended with {process.returncode}")
    index: Index = pickle.loads(content)  # noqa: S301 # of our own process
    return index


def main(source: BinaryIO, result: BinaryIO) -> None:
    """Read texts, write their index; end at once when who asked has ended."""
    texts = pickle.load(source)  # noqa: S301 # of our own parent

    def watch() -> None:
        source.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    pickle.dump(Index(texts), result, protocol=5)
    result.flush()
    os._exit(0)  # nothing to clean up, and the watching thread is still reading


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
