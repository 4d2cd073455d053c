"""Send the attacks of tests/e2e to the services of an older commit, and write down what they did.

The services run from a checkout of that commit, each in a memory group with its limit of the
compose file (control groups of version 1, as root), with the interpreters and the program named:

  python3.13 -m venv API && API/bin/pip install -r CHECKOUT/packages/sutra-api/requirements.lock
  (cd CHECKOUT/packages/sutra-storage && cargo build --release)
  ONLY=api,hub .venv/bin/python -m tests.support.older_attacks CHECKOUT COMMIT API HYBRID STORAGE

Each attack has services of its own, since the one before may have ended one.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from scripts.common.units import format_size
from tests.support import attack_table, sent_attacks
from tests.support.attacks import attacks, descriptors
from tests.support.stack import API, HYBRID, STORAGE, Services

GROUPS = Path("/sys/fs/cgroup/memory")
LIMITS = {STORAGE: 512 << 20, API: 256 << 20, HYBRID: 2 << 30}
SMALL = 128 << 20  # memory limit of the storage that is filled, in bytes
LIVE = "/health"  # an older service has no /live
# seconds after which connections with half a head are counted
LATER = 15

Send = Callable[["Older", str], str]


@dataclass
class Older(Services):
    """Services of a checkout as processes on loopback: their ports, and their memory groups."""

    ports: dict[str, int] = field(default_factory=dict)
    groups: dict[str, Path] = field(default_factory=dict)

    def address(self, service: str) -> tuple[str, int]:
        """Return where a service answers."""
        return "127.0.0.1", self.ports[service]

    def held(self, service: str) -> int:
        """Return the bytes that a service holds, counted as for containers."""
        group = self.groups[service]
        rows = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        used = int((group / "memory.usage_in_bytes").read_text())
        return used - int(rows["total_inactive_file"])

    def kills(self, service: str) -> int:
        """Return how many processes of a service were ended for their memory."""
        text = (self.groups[service] / "memory.oom_control").read_text()
        return int(dict(line.split() for line in text.splitlines())["oom_kill"])


@dataclass(frozen=True)
class Checkout:
    """An older checkout, and what runs its services."""

    root: Path
    pythons: dict[str, Path]
    storage: Path

    def command(self, service: str, ports: dict[str, int]) -> tuple[list[str], dict[str, str]]:
        """Return the command of a service, and the environment that it adds."""
        if service == STORAGE:
            return [str(self.storage)], {"SUTRA_STORAGE_ADDR": f"127.0.0.1:{ports[STORAGE]}"}
        sources = [self.root / "packages" / name / "src" for name in ("sutra-client", service)]
        return [str(self.pythons[service]), "-m", service.replace("-", "_")], {
            "PYTHONPATH": os.pathsep.join(map(str, sources)),
            "SUTRA_HOST": "127.0.0.1",
            "SUTRA_PORT": str(ports[service]),
            "SUTRA_STORAGE_URL": f"http://127.0.0.1:{ports[STORAGE]}",
        }


@contextmanager
def memory_group(limit: int) -> Iterator[Path]:
    """A memory group, removed in the end when its processes are gone."""
    group = GROUPS / f"sutra-older-{secrets.token_hex(4)}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(limit))
        yield group
    finally:
        group.rmdir()


@contextmanager
def process(command: list[str], environment: dict[str, str], group: Path) -> Iterator[None]:
    """A service in its memory group; all of its processes end with the block."""
    joined = ["sh", "-c", 'echo $$ >"$0/tasks" && exec "$@"', str(group), *command]
    started = subprocess.Popen(
        joined, env=os.environ | environment, start_new_session=True, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        while process_ids := (group / "tasks").read_text().split():
            for process_id in process_ids:
                with suppress(ProcessLookupError):  # one may end meanwhile
                    os.kill(int(process_id), signal.SIGKILL)
            started.wait()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running(checkout: Checkout, services: list[str], storage_limit: int) -> Iterator[Older]:
    """Services of the checkout, ready; the storage's data goes with them."""
    older = Older({service: free_port() for service in services})
    with ExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory())
        for service in services:
            limit = storage_limit if service == STORAGE else LIMITS[service]
            older.groups[service] = stack.enter_context(memory_group(limit))
            command, environment = checkout.command(service, older.ports)
            environment |= {"SUTRA_STORAGE_DATA": data}
            stack.enter_context(process(command, environment, older.groups[service]))
        older.wait_ready(services[-1])
        yield older


@contextmanager
def watched(older: Older, service: str) -> Iterator[list[int]]:
    """The most bytes that a service held, looked at twenty times a second: one number."""
    most, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(attack_table.PAUSE):
            most[0] = max(most[0], older.held(service))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        ended.set()
        watcher.join()


def one_header(start: bytes, older: Older, service: str) -> str:
    """Return what one header of 124 MB did."""
    taken, beside = sent_attacks.one_header(older, service, start, LIVE)
    live = f"{beside.status} in {beside.seconds:.2f} s" if beside else "not answered"
    return f"{taken} MB taken; `{LIVE}` then {live}"


def many_headers(older: Older, service: str) -> str:
    """Return what 64 such headers did."""
    return f"up to {sent_attacks.many_headers(older, service)} MB of each taken"


def half_heads(older: Older, service: str) -> str:
    """Return what 2,000 heads without an end did, and how many are open later."""
    answers = sent_attacks.half_heads(older, service, LIVE)
    port = sent_attacks.port(older, service)
    with descriptors(5000), attacks.connections(port, 2000) as clients:
        for client in clients:
            attacks.send(client, attacks.HEAD + b"X-A: ")
        time.sleep(LATER)
        still_open = sum(not attacks.is_closed(client) for client in clients)
    return f"{sent_attacks.shown_answers(answers)}; {still_open:,} open after {LATER} s"


def slow_bodies(older: Older, service: str) -> str:
    """Return what 128 slow bodies did."""
    return sent_attacks.shown_answers(sent_attacks.slow_bodies(older, service, LIVE))


def hub(older: Older, _: str) -> str:
    """Return what paths through a hub did; the hub itself is put before."""
    return sent_attacks.shown(sent_attacks.ask_hub(older))


def full(older: Older, _: str) -> str:
    """Return what filling the storage did."""
    counted = [0]
    try:
        number, refused = sent_attacks.fill(older, counted.append)
    except (AssertionError, OSError):
        return f"no answer any more from about {counted[-1]:,} on"
    statuses = sorted({str(result["status"]) for result in refused})
    return f"{', '.join(statuses) or 'nothing'} refused from about {number:,} on"


ATTACKS: tuple[tuple[str, str, Send], ...] = (
    *(
        (service, f"{attack_table.HEADER} ({part})", partial(one_header, start))
        for part, start in (("its value", b"X-A: "), ("its name", b"X-"))
        for service in (API, HYBRID)
    ),
    *((service, attack_table.HEADERS, many_headers) for service in (API, HYBRID)),
    *((service, attack_table.HEADS, half_heads) for service in (API, HYBRID)),
    *((service, attack_table.BODIES, slow_bodies) for service in (API, HYBRID)),
    (STORAGE, attack_table.HUB, hub),
    (STORAGE, attack_table.FULL, full),
)


def send(checkout: Checkout, service: str, sent: str, attack: Send) -> list[str]:
    """Send one attack; return what it did, and the memory that it took."""
    limit = SMALL if sent == attack_table.FULL else LIMITS[STORAGE]
    services = [STORAGE, API if service == STORAGE else service]
    with running(checkout, services, limit) as older:
        if sent == attack_table.HUB:
            sent_attacks.make_hub(older)
        with watched(older, service) as most:
            answer = attack(older, service)
        killed = "; ended for its memory" if older.kills(service) else ""
        own = limit if service == STORAGE else LIMITS[service]
        return [f"{answer}{killed}", f"{format_size(most[0])} of {format_size(own)}"]


def main() -> int:
    """Send all attacks, or those with a word of ONLY, and write the file after each."""
    root, commit, api, hybrid, storage = sys.argv[1:]
    pythons = {API: Path(api) / "bin/python", HYBRID: Path(hybrid) / "bin/python"}
    checkout = Checkout(Path(root).resolve(), pythons, Path(storage).resolve())
    assert shutil.which(checkout.storage), checkout.storage
    rows = json.loads(attack_table.BEFORE.read_text())["attacks"]
    for service, sent, attack in ATTACKS:
        name = f"{service}: {sent}"
        if not any(word in name for word in os.environ.get("ONLY", "").split(",")):
            continue
        rows[name] = send(checkout, service, sent, attack)
        print(name, *rows[name], sep=": ", flush=True)
        text = json.dumps({"commit": commit, "attacks": rows}, indent=1, ensure_ascii=False)
        attack_table.BEFORE.write_text(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
