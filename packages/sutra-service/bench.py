"""Which server bounds what: memory, start, requests a second, and three attacks on each.

Prints the table of README.md. The same small app is served by each; ours is
`sutra_service.web.serve`.

    uv pip install -r ../sutra-api/requirements.lock granian httptools hypercorn zttp
    python bench.py
"""

import asyncio
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import files
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "src"), str(HERE / "tests")]

from attacks import HEAD, connect, connections, exchange, is_closed, pour, send  # noqa: E402 # found on the path above
from processes import free_port  # noqa: E402 # as above

STARTS = 5
SECONDS = 4.0
CLIENTS = 4
HALF_HEADS = 1500
MB = 1_000_000
UVICORN = (
    "uvicorn tiny_app:create_app --factory --loop uvloop --no-access-log --port {port} --http "
)
H2 = ["hypercorn", "h2", "hpack", "hyperframe", "priority", "wsproto"]
# server → its command, and the packages it adds to uvicorn, uvloop and h11
SERVERS: dict[str, tuple[str, list[str]]] = {
    "uvicorn, httptools": (UVICORN + "httptools", ["httptools"]),
    "uvicorn, h11": (UVICORN + "h11", []),
    "uvicorn, zttp": (UVICORN + "zttp", ["zttp"]),
    "hypercorn": (
        "hypercorn tiny_app:create_app() --worker-class uvloop --workers 0 --bind 127.0.0.1:{port}"
        " --read-timeout 10",
        H2,
    ),
    "granian": (
        "granian tiny_app:create_app --factory --interface asgi --loop uvloop --http 1 --no-ws"
        " --http1-header-read-timeout 10000 --backpressure 1000 --no-access-log --port {port}",
        ["granian"],
    ),
    "ours: uvicorn, h11, bounds": ("sutra_service.web.serve tiny_app:create_app {port}", []),
}


def processes(pid: int) -> Iterator[Path]:
    """Yield the folder in /proc of a process and of its children."""
    yield Path(f"/proc/{pid}")
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from processes(int(child))


def resident(pid: int) -> float:
    """Return the megabytes that a process and its children hold."""
    pages = [int((process / "statm").read_text().split()[1]) for process in processes(pid)]
    return sum(pages) * resource.getpagesize() / MB


def cpu(pid: int) -> float:
    """Return the CPU seconds that a process and its children have taken."""
    times = [
        (process / "stat").read_text().rpartition(")")[2].split()[11:13]
        for process in processes(pid)
    ]
    return sum(int(ticks) for pair in times for ticks in pair) / os.sysconf("SC_CLK_TCK")


def answers(port: int) -> bool:
    """Return whether a new client gets an answer in time."""
    try:
        answer: bytes = exchange(port, HEAD + b"Connection: close\r\n\r\n")
    except OSError:
        return False
    return answer.split()[1:2] == [b"200"]


@contextmanager
def serving(command: str) -> Iterator[tuple[int, int]]:
    """Start a server; yield its port and process id once it answers."""
    port = free_port()
    words = command.format(port=port).split()
    if words[0] == "sutra_service.web.serve":
        code = f"from sutra_service.web.serve import main; main({words[1]!r}, {port})"
        call = [sys.executable, "-c", code]
    else:
        call = [sys.executable, "-m", *words]
    path = os.pathsep.join([str(HERE / "src"), str(HERE / "tests")])
    env = {**os.environ, "PYTHONPATH": path, "SUTRA_HOST": "127.0.0.1"}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(call, env=env, stdout=quiet, stderr=quiet) as process:
        try:
            end = time.monotonic() + 60
            while not answers(port):
                assert process.poll() is None, f"{command}: ended"
                assert time.monotonic() < end, f"{command}: never answers"
                time.sleep(0.02)
            yield port, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


async def load(port: int) -> int:
    """Return how many requests CLIENTS get answered in SECONDS."""
    end = time.monotonic() + SECONDS

    async def client() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        count = 0
        while time.monotonic() < end:
            writer.write(HEAD + b"\r\n")
            try:
                await reader.readuntil(b"}")
            except (asyncio.IncompleteReadError, ConnectionError):  # after so many requests
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            else:
                count += 1
        writer.close()
        return count

    return sum(await asyncio.gather(*(client() for _ in range(CLIENTS))))


def big_head(port: int, pid: int) -> str:
    """Return what one header of 124 MB takes."""
    with connect(port) as client:
        send(client, HEAD + b"X-A: ")
        took = pour(client, 124)
        return f"{took} MB taken, {resident(pid):.0f} MB held"


def half_heads(port: int) -> str:
    """Return how many of many half heads are open after 12 s of a byte a second."""
    with connections(port, HALF_HEADS) as clients:
        for client in clients:
            send(client, HEAD)
        at_once = "answers" if answers(port) else "no answer"
        for _ in range(12):
            for client in clients:
                if not is_closed(client):
                    send(client, b"X")
            time.sleep(1)
        left = sum(not is_closed(client) for client in clients)
        return f"{left} open after 12 s, {at_once} to others"


def without_host(port: int) -> str:
    """Return the statuses of no Host and of two."""
    rest = b"Connection: close\r\n\r\n"
    requests = [b"GET /live HTTP/1.1\r\n" + rest, HEAD + b"Host: b\r\n" + rest]
    return ", ".join(exchange(port, request).split()[1].decode() for request in requests)


def row(name: str) -> list[str]:
    """Return the cells of one server."""
    command, adds = SERVERS[name]
    starts = []
    for _ in range(STARTS):
        with serving(command) as (_, pid):
            starts.append(cpu(pid))
            idle = resident(pid)
    with serving(command) as (port, pid):
        before = cpu(pid)
        number = asyncio.run(load(port))
        cost = (cpu(pid) - before) / number
        hosts = without_host(port)
        half = half_heads(port)
        big = big_head(port, pid)
    files_of = (file for package in adds for file in files(package) or ())
    added = sum(file.locate().stat().st_size for file in files_of) / MB  # type: ignore[attr-defined] # the stub knows a protocol
    return [
        name,
        f"{added:.1f} MB",
        f"{statistics.median(starts):.2f} s",
        f"{idle:.0f} MB",
        f"{number / SECONDS:.0f}, {cost * 1e6:.0f} µs",
        big,
        half,
        hosts,
    ]


COLUMNS = [
    "server",
    "adds",
    "CPU to start",
    "memory",
    "requests a second, CPU of one",
    "a header of 124 MB",
    f"{HALF_HEADS} half heads",
    "no Host, two",
]


def main() -> None:
    """Print the table."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * HALF_HEADS)), hard))
    print(f"| {' | '.join(COLUMNS)} |\n|---|{'--:|' * 4}---|---|---|", flush=True)
    for name in sys.argv[1:] or SERVERS:
        print(f"| {' | '.join(row(name))} |", flush=True)


if __name__ == "__main__":
    main()
