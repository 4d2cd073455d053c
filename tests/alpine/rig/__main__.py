"""Run a command with the variables for a build on the test's Alpine; its mirror runs meanwhile.

eg: python -m tests.alpine.rig .venv/bin/python -m scripts.bench_bases
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from scripts import engine
from scripts.errors import run
from tests.alpine.rig import make, mirror


@contextmanager
def variables(client: engine.Client) -> Iterator[Mapping[str, str]]:
    """Yield what the bake file takes for this root and this mirror, which is served meanwhile.

    The project is one of its own: what cargo keeps for one standard library is of no use
    with another.
    """
    rig = make.make(client)
    with mirror.serving(rig.repository, bridge(client), rig.name) as address:
        yield {
            "ALPINE_MIRROR": address,
            "ROOT_CONTEXT": rig.root,
            "SUTRA_PROJECT": f"sutra-alpine-{rig.name}",
        }


def bridge(client: engine.Client) -> str:
    """Return the address of this machine that build containers reach."""
    (configuration,) = client.networks.get("bridge").attrs["IPAM"]["Config"]
    return str(configuration["Gateway"])


def main() -> int:
    """Run the command line; return its exit code."""
    with variables(engine.connect()) as found:
        return subprocess.run(sys.argv[1:], env={**os.environ, **found}).returncode


if __name__ == "__main__":
    run(main)
