"""Runs inside a container beside the API: how many requests a second it answers.

Arguments are seconds, connections and concepts. It keeps its connections, and parses no more
of an answer than it must. Only the standard library.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import threading
import time
from contextlib import closing

ADDRESS = ("sutra-api", 8000)
STORED = (200, 201)
PART = 65536


def store(concepts: int) -> None:
    """Store what will be asked for. Exits where that is refused."""
    headers = {"Content-Type": "application/json"}
    with closing(http.client.HTTPConnection(*ADDRESS, timeout=30)) as api:
        for number in range(concepts):
            body = json.dumps({"text": f"fact {number}"})
            api.request("PUT", f"/concepts/bench-{number}", body, headers)
            answer = api.getresponse()
            answer.read()
            if answer.status not in STORED:
                sys.exit(f"PUT: {answer.status}")


class Caller(threading.Thread):
    """One connection, and how many answers it had; `refused` begins an answer that is not 200."""

    def __init__(self, first: int, seconds: int, concepts: int) -> None:
        super().__init__()
        self._number, self._seconds, self._concepts = first, seconds, concepts
        self.answers = 0
        self.refused = b""

    def run(self) -> None:
        """Ask for one concept after the other until the time is over."""
        with socket.create_connection(ADDRESS, timeout=30) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end = time.perf_counter() + self._seconds
            while time.perf_counter() < end:
                self._number = (self._number + 1) % self._concepts
                head = ask(connection, self._number)
                if not head.startswith(b"HTTP/1.1 200"):
                    self.refused = head.partition(b"\r\n")[0]
                    return
                self.answers += 1


def ask(connection: socket.socket, number: int) -> bytes:
    """Return the head of an answer that was read to its end."""
    path = f"/concepts/bench-{number}"
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(PART)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(PART)
    return head


def main(seconds: int, connections: int, concepts: int) -> None:
    """Print the requests a second of all connections together."""
    store(concepts)
    callers = [Caller(index, seconds, concepts) for index in range(connections)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    refused = [caller.refused for caller in callers if caller.refused]
    if refused:
        sys.exit(f"GET: {refused[0]!r}")
    print(sum(caller.answers for caller in callers) / seconds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
