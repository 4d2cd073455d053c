"""Runs inside a container: a service that behaves as its argument says (tests.support.services)."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any


def attempt(path: str) -> None:
    """Write a file; ignore the refusal of a read-only root."""
    with suppress(OSError):
        Path(path).touch()


def leave(*_: Any) -> None:
    sys.exit(0)


def fail(*_: Any) -> None:
    sys.exit(5)


def save(*_: Any) -> None:
    attempt("/srv/state")
    sys.exit(0)


def exits() -> None:
    print("reading settings", "no settings\x1b[31m", sep="\n", flush=True)
    sys.exit(3)


def tries() -> None:
    attempt("/tmp/cache")
    attempt("/srv/.lock")


def stores() -> None:
    Path("/data/kept").touch()


def changes_owner() -> None:
    os.chown("/dev/shm", 7, 7)


def gains() -> None:
    lines = Path("/proc/self/status").read_text().splitlines()
    words = dict(line.split(":\t") for line in lines if ":\t" in line)
    assert words["NoNewPrivs"].strip() == "1", "may gain privileges"
    assert not int(words["CapBnd"], 16), "has capabilities"
    assert os.statvfs("/").f_flag & os.ST_RDONLY, "root is writable"


def calls() -> None:
    socket.gethostbyname("store")
    routes = Path("/proc/net/route").read_text().splitlines()[1:]
    assert not [line for line in routes if line.split()[1] == "00000000"], "a way out"


def links() -> None:
    """Link a file, which nothing else here does; pass over a refusal."""
    with suppress(OSError):
        os.link("/dev/shm/none", "/dev/shm/other")


def listens() -> None:
    """Take half a second of processor time, then listen on port 9000."""
    while time.process_time() < 0.5:
        pass
    LISTENING.append(socket.create_server(("", 9000)))


LISTENING: list[socket.socket] = []  # for as long as the service runs
STOPS: dict[str, Any] = {"deaf": signal.SIG_IGN, "unclean": fail, "saves": save}
STARTS: dict[str, Callable[[], None]] = {
    "exits": exits,
    "tries": tries,
    "stores": stores,
    "changes-owner": changes_owner,
    "gains": gains,
    "calls": calls,
    "links": links,
    "listens": listens,
}


def main(mode: str) -> None:
    signal.signal(signal.SIGTERM, STOPS.get(mode, leave))
    if mode in STARTS:
        STARTS[mode]()
    if mode != "never":
        Path("/dev/shm/ready").touch()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1])
