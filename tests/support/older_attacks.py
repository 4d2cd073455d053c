"""Send the attacks of tests/e2e to the stack of an older commit, and write down what they did.

The images of that commit are there as PREFIX/sutra-api:COMMIT and so on; each attack has a stack of
its own, since the one before may have ended a service. A part of them is sent with ONLY=header,hub.

  eg: ONLY=api .venv/bin/python -m tests.support.older_attacks CHECKOUT PREFIX COMMIT
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from scripts.engine import client as engine
from scripts.engine.buildx import find_client
from tests.support import attack_table, sent_attacks
from tests.support.attacks import attacks, descriptors, ended
from tests.support.stack import API, HYBRID, STORAGE, Stack

# seconds after which connections with half a head are counted
LATER = 15
SMALL = "128m"

Send = Callable[[Stack, str], str]


def one_header(start: bytes, stack: Stack, service: str) -> str:
    """Return what one header of 124 MB did."""
    taken, beside = sent_attacks.one_header(stack, service, start)
    live = f"{beside.status} in {beside.seconds:.2f} s" if beside else "not answered"
    return f"{taken} MB taken; `/live` then {live}"


def many_headers(stack: Stack, service: str) -> str:
    """Return what 64 such headers did."""
    return f"up to {sent_attacks.many_headers(stack, service)} MB of each taken"


def half_heads(stack: Stack, service: str) -> str:
    """Return what 2,000 heads without an end did, and how many are open later."""
    answers = sent_attacks.half_heads(stack, service)
    port = sent_attacks.port(stack, service)
    with descriptors(5000), attacks.connections(port, 2000) as clients:
        for client in clients:
            attacks.send(client, attacks.HEAD + b"X-A: ")
        time.sleep(LATER)
        still_open = sum(not attacks.is_closed(client) for client in clients)
    return f"{sent_attacks.said(answers)}; {still_open:,} open after {LATER} s"


def slow_bodies(stack: Stack, service: str) -> str:
    """Return what 128 slow bodies did."""
    return sent_attacks.said(sent_attacks.slow_bodies(stack, service))


def hub(stack: Stack, _: str) -> str:
    """Return what paths through a hub did; the hub itself is put before."""
    return sent_attacks.shown(sent_attacks.ask_hub(stack))


def full(stack: Stack, _: str) -> str:
    """Return what filling the storage did."""
    try:
        number, refused = sent_attacks.fill(stack)
    except (AssertionError, OSError) as error:
        return f"no answer any more ({type(error).__name__})"
    titles = {str(result.get("title")) for result in refused}
    return f"{', '.join(sorted(titles)) or 'nothing refused'} at about {number:,}"


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


@contextmanager
def older_stack(root: Path, prefix: str, tag: str, service: str, memory: str) -> Iterator[Stack]:
    """The services of a checkout that an attack needs, in a project of their own."""
    knobs = {"REGISTRY": prefix, "SUTRA_TAG": tag}
    knobs |= {"SUTRA_STORAGE_MEMORY": memory} if memory else {}
    project = f"sutra-test-older-{uuid.uuid4().hex[:8]}"
    stack = Stack(engine.connect(), project, knobs, root=root)
    services = [STORAGE, API if service == STORAGE else service]
    try:
        compose(stack, "up", "--detach", *services)
        stack.wait_ready(services[1])
        yield stack
    finally:
        compose(stack, "down", "--volumes", "--timeout", "1")
        stack.client.close()


def compose(stack: Stack, *words: str) -> None:
    """Run compose on the older checkout's file, without its scripts."""
    command = [find_client(), "compose", "--project-name", stack.project, *words]
    subprocess.run(command, cwd=stack.root, env=stack.environment(), check=True)


def send(root: Path, prefix: str, tag: str, service: str, sent: str, attack: Send) -> list[str]:
    """Send one attack; return what it did, and the memory that it took."""
    memory = SMALL if sent == attack_table.FULL else ""
    with older_stack(root, prefix, tag, service, memory) as stack:
        if sent == attack_table.HUB:
            sent_attacks.make_hub(stack)
        container = stack.container(service)
        with attack_table.watched(container, service, sent) as row:
            answer = attack(stack, service)
        killed, restarts = ended(container)
        end = f"; ended for its memory, started again {restarts} ×" if killed or restarts else ""
        return [f"{answer}{end}", row.memory]


def main() -> int:
    """Send all attacks, or those named by ONLY, and write the file after each."""
    root, prefix, tag = Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3]
    kept = json.loads(attack_table.BEFORE.read_text()) if attack_table.BEFORE.exists() else {}
    rows: dict[str, list[str]] = kept.get("attacks", {}) if kept.get("commit") == tag else {}
    for service, sent, attack in ATTACKS:
        name = f"{service}: {sent}"
        if not any(word in name for word in os.environ.get("ONLY", "").split(",")):
            continue
        rows[name] = send(root, prefix, tag, service, sent, attack)
        print(name, *rows[name], sep=": ", flush=True)
        text = json.dumps({"commit": tag, "attacks": rows}, indent=1, ensure_ascii=False)
        attack_table.BEFORE.write_text(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
