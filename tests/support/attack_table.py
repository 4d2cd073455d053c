"""What each attack on the deployed stack sent, what was answered, and the memory that it took.

`WRITE_ATTACKS=1 .venv/bin/python -m pytest tests/e2e/test_attacks.py` puts the table into
docs/deployment.md.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from docker.models.containers import Container

from scripts.common.units import format_size
from scripts.engine import client as engine
from scripts.engine import sandbox

# seconds between two looks at a container's memory
PAUSE = 0.05
HEADER = "one header of 124 MB"
HEADERS = "64 connections, 100 MB of one header each, 32 at a time"
HEADS = "2,000 connections, half a head each"
BODIES = "128 connections, the first byte of a body each"
HUB = "120 clients at once: 120 paths at a hub of 100,000 associations, and 120 pages of lists"
FULL = "concepts with the longest ids until one is refused"
NOT_SENT = ["not sent", "not measured"]
# file of what the same attacks did before the bounds; tests.support.older_attacks writes it
BEFORE = Path(__file__).with_name("older_attacks.json")


@dataclass
class Attack:
    """One attack: `peak` is the most bytes that the service held, None where nothing counts them.

    `limit` is what its container may hold, in bytes.
    """

    sent: str
    service: str
    limit: int
    answer: str = ""
    peak: int | None = None

    @property
    def memory(self) -> str:
        peak = "not measured" if self.peak is None else format_size(self.peak)
        return f"{peak} of {format_size(self.limit)}"

    @property
    def line(self) -> str:
        """Return the attack in one line, for the tests' output."""
        return f"{self.service}: {self.sent}: {self.answer}; memory: {self.memory}"


@contextmanager
def watched(container: Container, service: str, sent: str) -> Iterator[Attack]:
    """Record how much memory the container holds during an attack; the caller adds the answer."""
    container.reload()
    attack = Attack(sent, service, container.attrs["HostConfig"]["Memory"])
    ended = threading.Event()

    def look() -> None:
        client = engine.connect()
        try:
            box = client.containers.get(str(container.id))
            while True:
                held = sandbox.memory(client, box).held
                if held is not None:
                    attack.peak = max(held, attack.peak or 0)
                if ended.wait(PAUSE):
                    return
        finally:
            client.close()

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield attack
    finally:
        ended.set()
        watcher.join()


def render(attacks: Sequence[Attack]) -> str:
    """Return the attacks as a table in Markdown, beside what they did before."""
    before = json.loads(BEFORE.read_text())
    commit = before["commit"]
    head = f"| attack | on | answer | memory at most | answer of {commit} | its memory |\n"
    return f"{head}|---|---|---|--:|---|--:|\n" + "".join(
        f"| {row.sent} | {row.service.removeprefix('sutra-')} | {row.answer} | {row.memory} "
        f"| {' | '.join(before['attacks'].get(f'{row.service}: {row.sent}', NOT_SENT))} |\n"
        for row in attacks
    )
