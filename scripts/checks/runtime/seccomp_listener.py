"""Learn of a container's system calls from the kernel: seccomp's user notification.

The container's profile names a socket. The runtime (runc, crun) hands over a descriptor there
for each process that it starts, from which the calls are read (seccomp_unotify(2)). Each is
let go on as it is: a recording changes nothing but its speed. It needs no privilege, only an
engine on this machine.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.checks.runtime.system_call_names import name_of
from scripts.common.errors import SutraError

# linux/seccomp.h: the requests of ioctl(2), for structures of 80 and 24 bytes
RECEIVE, SEND = 0xC0502100, 0xC0182101
# struct seccomp_notif up to the processor of the call: id, process, flags, number, architecture
CALL, CALL_SIZE = struct.Struct("=QIIiI"), 80
# struct seccomp_notif_resp: id, value, error, flags; the flag lets the call go on
ANSWER = struct.Struct("=QqiI")
CONTINUE = 1
# bytes of the runtime's description of the container, which is not read
DESCRIPTION = 1 << 16
# the process ended, or another signal came first
OVER = (errno.ENOENT, errno.EINTR, errno.EINPROGRESS)
AGAIN = "run it again"


class Listener:
    """The calls seen so far; `path` is the socket that a profile has to name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_connected = False
        self._names: set[str] = set()
        self._problem: SutraError | None = None
        self._wake, self._stop = os.pipe()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def names(self) -> frozenset[str]:
        """Return the names of the calls so far. Raises SutraError where they cannot be known."""
        if self._problem:
            raise self._problem
        return frozenset(self._names)

    def close(self) -> None:
        """End the thread. A process that still runs is refused all that is reported."""
        os.close(self._stop)
        self._thread.join()
        self._server.close()
        os.close(self._wake)

    def _listen(self) -> None:
        changes = select.poll()
        for descriptor in (self._wake, self._server.fileno()):
            changes.register(descriptor, select.POLLIN)
        reports: set[int] = set()
        try:
            while True:
                for descriptor, event in changes.poll():
                    if descriptor == self._wake:
                        return
                    if descriptor == self._server.fileno():
                        for report in self._accepted():
                            reports.add(report)
                            changes.register(report, select.POLLIN)
                    elif event & select.POLLIN:
                        self._answer(descriptor)
                    else:  # its last process has ended
                        changes.unregister(descriptor)
                        reports.remove(descriptor)
                        os.close(descriptor)
                    if self._problem:
                        return
        finally:
            for report in reports:
                os.close(report)

    def _accepted(self) -> list[int]:
        try:
            connection, _ = self._server.accept()
            with connection:
                descriptors = socket.recv_fds(connection, DESCRIPTION, 4)[1]
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            self._problem = SutraError(f"seccomp: no calls from the engine: {reason}", AGAIN)
            return []
        self.is_connected |= bool(descriptors)
        return descriptors

    def _answer(self, descriptor: int) -> None:
        """Read one call and let it go on; one whose process is gone needs no answer."""
        call = bytearray(CALL_SIZE)
        try:
            fcntl.ioctl(descriptor, RECEIVE, call)
            identity, _, _, number, architecture = CALL.unpack_from(call)
            self._note(number, architecture)
            fcntl.ioctl(descriptor, SEND, bytearray(ANSWER.pack(identity, 0, 0, CONTINUE)))
        except OSError as error:
            if error.errno not in OVER:
                self._problem = SutraError(
                    f"seccomp: the kernel reports no calls: {os.strerror(error.errno or 0)}",
                    "it takes Linux 5.5 or newer",
                )

    def _note(self, number: int, architecture: int) -> None:
        try:
            self._names.add(name_of(number, architecture))
        except SutraError as error:
            self._problem = error


@contextmanager
def listening() -> Iterator[Listener]:
    """Make a socket for the runtime to connect to, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="sutra-seccomp-") as folder:
        listener = Listener(Path(folder) / "listener")
        try:
            yield listener
        finally:
            listener.close()
