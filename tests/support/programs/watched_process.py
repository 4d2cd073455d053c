"""Runs beside a test: what runc does with a profile that reports one call to a socket.

Words: the socket's path, and the number of the call. The filter reports that call alone; the
program then makes it, and prints what it returned.
"""

import ctypes
import os
import platform
import socket
import struct
import sys

NO_NEW_PRIVILEGES = 38
SECCOMP = {"x86_64": 317, "aarch64": 277}[platform.machine()]
SET_FILTER, NEW_LISTENER = 1, 8
NOTIFY, ALLOW = 0x7FC00000, 0x7FFF0000
# struct sock_filter: load the number of the call, jump where it is not that one, return
INSTRUCTION = struct.Struct("=HBBI")
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06


def main(path: str, number: int) -> None:
    steps = [(LOAD, 0, 0, 0), (EQUAL, 0, 1, number), (RETURN, 0, 0, NOTIFY), (RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(INSTRUCTION.pack(*step) for step in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    reports = libc.syscall(SECCOMP, SET_FILTER, NEW_LISTENER, program)
    assert reports >= 0, os.strerror(ctypes.get_errno())
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [b"{}"], [reports])
    os.close(reports)
    print(libc.syscall(number, 1), flush=True)


main(sys.argv[1], int(sys.argv[2]))
