"""Runs inside a service's container: how long its start takes, and all its imports.

Arguments are the module, the port and what to import. Only the standard library.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import time

# prefix of lines with times: the service writes into the same log
MARKER = "bench-seconds "
START_SECONDS = 60
PAUSE_SECONDS = 0.002


def seconds_until_healthy(module: str, port: int) -> float:
    """Start the service, and end it once it is healthy. Exits where it never is."""
    start = time.perf_counter()
    service = subprocess.Popen([sys.executable, "-m", module], stdout=subprocess.DEVNULL)
    try:
        while not is_healthy(port):
            if service.poll() is not None or time.perf_counter() - start > START_SECONDS:
                sys.exit("not healthy")
            time.sleep(PAUSE_SECONDS)
        return time.perf_counter() - start
    finally:
        service.terminate()
        service.wait()


def is_healthy(port: int) -> bool:
    """Return whether the service answers 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def seconds_of_imports(modules: str) -> float:
    """Import modules ("json, csv") in a process of their own."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)
    return time.perf_counter() - start


def main(module: str, port: str, imports: str) -> None:
    """Print both times, each behind MARKER."""
    print(f"\n{MARKER}{seconds_until_healthy(module, int(port))}", flush=True)
    print(f"\n{MARKER}{seconds_of_imports(imports)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
