"""A port of this machine that leads into another network namespace.

The socket that listens belongs to the caller's network, and is handed to a process in the other
one, which connects from there.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import suppress


def start(namespace: str, target: tuple[str, int]) -> tuple[subprocess.Popen[bytes], int]:
    """Start a process in a network namespace (a file of /proc); return it and the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        words = [sys.executable, __file__, str(number), target[0], str(target[1])]
        process = subprocess.Popen(["nsenter", f"--net={namespace}", *words], pass_fds=[number])
        return process, int(listening.getsockname()[1])


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    for end, how in ((source, socket.SHUT_RD), (sink, socket.SHUT_WR)):
        with suppress(OSError):
            end.shutdown(how)


def _serve(caller: socket.socket, target: tuple[str, int]) -> None:
    with caller, suppress(OSError), socket.create_connection(target, 30) as callee:
        callee.settimeout(None)
        back = threading.Thread(target=_copy, args=(callee, caller))
        back.start()
        _copy(caller, callee)
        back.join()


def main(number: str, host: str, port: str) -> None:
    """Serve until killed."""
    with socket.socket(fileno=int(number)) as listening:
        while True:
            caller, _ = listening.accept()
            words = (caller, (host, int(port)))
            threading.Thread(target=_serve, args=words, daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
