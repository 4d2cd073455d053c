from __future__ import annotations

import gc
import json
import os
import pty
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import docker
import pytest
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from hypothesis import given
from hypothesis import strategies as st
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ReadTimeout

from scripts.common.errors import SutraError
from scripts.engine import buildx, containers, context, images, process, registries
from scripts.engine import client as module
from scripts.engine.buildx import bake, bake_plan, find_client
from scripts.engine.client import connect, refuse_old
from scripts.engine.images import Stream
from scripts.engine.process import tee
from tests.unit.fakes import FakeEngine, FakeImage, program

TIP = "run `make engine`"

# ---- refuse_old ------------------------------------------------------------


@pytest.mark.parametrize(
    "version",
    [
        "20.10.5",
        "20.10.5+dfsg1",
        "22.06.0-beta.0",
        "19.03.13",
        "9.9",
        "22.99.99",
        # openSUSE's: https://github.com/beeware/briefcase/issues/1773
        "20.10.17-ce",
        "18.06.3-ce",
    ],
)
def test_an_old_engine_is_refused(version: str) -> None:
    with pytest.raises(SutraError) as caught:
        refuse_old(version)
    assert caught.value.message == (
        f'engine: server.version: too old "{version}", 23 or newer is needed'
    )
    assert caught.value.tip == "upgrade the engine, or point DOCKER_HOST at a newer one"


@pytest.mark.parametrize(
    "version",
    ["23", "23.0.0", "23.0.1", "26.1.5+dfsg1", "28.2.2", "100.0.0", "27.0.0-rc.1", "24.0.7-ce",
     "dev", "master", "", "library-import"],
)  # fmt: skip
def test_a_new_engine_or_a_development_build_is_accepted(version: str) -> None:
    assert refuse_old(version) is None


# ---- connect ---------------------------------------------------------------


class Versions(BaseHTTPRequestHandler):
    """Answers every question with the engine's version."""

    answer = b"{}"
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing: stderr belongs to the test."""


@pytest.fixture
def served() -> Iterator[str]:
    """The address of a socket where `Versions` answers; paths of sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="sutra-") as folder:
        socket = f"{folder}/docker.sock"
        with socketserver.ThreadingUnixStreamServer(socket, Versions) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield f"unix://{socket}"
            finally:
                gc.collect()
                server.shutdown()
                thread.join()


def answer(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    content = {"Version": version, "ApiVersion": "1.44", "MinAPIVersion": "1.24"}
    monkeypatch.setattr(Versions, "answer", json.dumps(content).encode())


# docker.DockerClient leaves its socket open when it is dropped
unclosed = pytest.mark.filterwarnings("ignore::ResourceWarning")


@unclosed
def test_an_engine_that_is_too_old_is_refused(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", served)
    answer(monkeypatch, "20.10.5")
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == (
        'engine: server.version: too old "20.10.5", 23 or newer is needed'
    )
    assert caught.value.tip == "upgrade the engine, or point DOCKER_HOST at a newer one"


@unclosed
def test_an_engine_that_is_new_enough_is_returned(
    served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", served)
    answer(monkeypatch, "28.2.2")
    client = connect(timeout=7)
    assert (client.version()["Version"], client.api.timeout) == ("28.2.2", 7)
    client.close()


@unclosed
def test_without_docker_host_the_context_of_the_client_holds(
    served: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(
        tmp_path, "docker",
        f'[ "$*" = "context inspect --format {{{{.Endpoints.docker.Host}}}}" ] && echo {served}\n',
    )  # fmt: skip
    monkeypatch.setenv("PATH", str(tmp_path))
    answer(monkeypatch, "20.10.5")
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == (
        'engine: server.version: too old "20.10.5", 23 or newer is needed'
    )


CONTEXTS = context.NO_CONTEXT


@pytest.mark.parametrize("name", ["", "default"])
def test_without_a_client_the_default_socket_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONTEXT", name)
    assert context.endpoint() == "unix:///var/run/docker.sock"


@pytest.mark.parametrize("place", ["environment", "file"])
def test_a_context_that_no_client_can_tell_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    if place == "environment":
        monkeypatch.setenv("DOCKER_CONTEXT", "farm")
    else:
        (tmp_path / "config.json").write_text('{"currentContext": "farm"}')
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == 'engine: no docker client that knows the context "farm"'
    assert caught.value.tip == CONTEXTS


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ('echo; echo "context x: not found" >&2; exit 1', ": context x: not found"),
        ('printf "\\n\\033[31mred\\n" >&2; exit 1', ": \N{REPLACEMENT CHARACTER}[31mred"),
        ("exit 3", ": exit code 3"),
        ("kill -9 $$", ": exit code -9"),
        ("echo", ": no address of an engine"),
        ("sleep 60 & sleep 60", ": no answer in 1 s"),
    ],
)
def test_a_context_that_is_not_there_is_no_other_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, problem: str
) -> None:
    program(tmp_path, "docker", script + "\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(process, "SECONDS", 1.0)
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == f"engine: docker context inspect{problem}"
    assert caught.value.tip == CONTEXTS


def test_a_client_that_cannot_be_run_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path, "docker", "").write_bytes(b"\x7fELF")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == "engine: docker context inspect: Exec format error"
    assert caught.value.tip == CONTEXTS


@unclosed
@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("unix:///nonexistent.sock", "[Errno 2] No such file or directory"),
        ("tcp://127.0.0.1:1", "[Errno 111] Connection refused"),
        ("foo://bar", "Invalid bind address protocol: foo://bar"),
    ],
)
def test_no_engine_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, host: str, reason: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == f"engine: no answer ({reason})"
    assert caught.value.tip == TIP
    gc.collect()


@unclosed
@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("tcp://host:port", "Port could not be cast to integer value as 'port'"),
        ("tcp://[::1", "Invalid IPv6 URL"),
    ],
)
def test_a_docker_host_that_is_no_address_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, host: str, reason: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == f"engine: no answer ({reason})"
    assert caught.value.tip == TIP


@unclosed
def test_an_engine_over_ssh_names_the_package_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("docker.api.client.SSHHTTPAdapter", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "ssh://build.example")
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == (
        "engine: no answer (Install paramiko package to enable ssh:// support)"
    )
    assert caught.value.tip == TIP


@unclosed
def test_docker_host_comes_with_its_certificates(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are looked for where DOCKER_CERT_PATH says: an address alone would be tried bare."""
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).touch()
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.message == (
        "engine: no answer (Invalid CA certificate provided for `ca_cert`.. TLS configurations "
        "should map the Docker CLI client configurations. "
        "See https://docs.docker.com/engine/articles/https/ for API details.)"
    )
    assert caught.value.tip == TIP


@unclosed
def test_docker_host_comes_before_the_context_of_the_client(
    served: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path, "docker", "echo unix:///nonexistent.sock\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", served)
    answer(monkeypatch, "28.2.2")
    client = connect()
    assert client.version()["Version"] == "28.2.2"
    client.close()


@unclosed
def test_an_empty_docker_host_is_none(
    served: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path, "docker", f"echo {served}\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "")
    answer(monkeypatch, "28.2.2")
    client = connect(timeout=7)
    assert (client.version()["Version"], client.api.timeout) == ("28.2.2", 7)
    client.close()


@unclosed
@pytest.mark.parametrize("content", [b"{}", b"no JSON", b"[]"])
def test_a_server_that_is_no_engine_is_one_clear_line(
    served: str, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setenv("DOCKER_HOST", served)
    monkeypatch.setattr(Versions, "answer", content)
    with pytest.raises(SutraError) as caught:
        connect()
    assert caught.value.tip == TIP


# ---- find_client -----------------------------------------------------------

WORKS = '[ "$1 $2" = "buildx version" ]\n'


def test_the_first_client_with_buildx_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = program(tmp_path / "one", "docker", "exit 1\n")
    with_plugin = program(tmp_path / "two", "docker", WORKS)
    third = program(tmp_path / "three", "docker", WORKS)
    monkeypatch.setenv("PATH", str(without.parent))
    monkeypatch.setattr(buildx, "CLIENTS", ("docker", str(with_plugin), str(third)))
    assert find_client() == str(with_plugin)


def test_a_client_on_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = program(tmp_path / "one", "docker", WORKS)
    other = program(tmp_path / "two", "docker", WORKS)
    monkeypatch.setenv("PATH", str(first.parent))
    monkeypatch.setattr(buildx, "CLIENTS", ("docker", str(other)))
    assert find_client() == str(first)


def test_a_client_that_the_caller_names_comes_before_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = program(tmp_path / "one", "docker", WORKS)
    named = program(tmp_path / "two", "mine", WORKS)
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setenv("DOCKER", str(named))
    assert find_client() == str(named)


@pytest.mark.parametrize("scripts", [[], ["exit 1\n"], ["exit 1\n", "exit 2\n"]])
def test_no_client_with_buildx_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripts: list[str]
) -> None:
    made = [program(tmp_path / str(at), "docker", text) for at, text in enumerate(scripts)]
    monkeypatch.setenv("PATH", str(tmp_path / "0"))
    monkeypatch.setattr(buildx, "CLIENTS", ("docker", *map(str, made[1:])))
    with pytest.raises(SutraError) as caught:
        find_client()
    assert caught.value.message == "engine: no docker client with a working buildx plugin"
    assert caught.value.tip == TIP


# ---- bake ------------------------------------------------------------------


@pytest.fixture
def buildx_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker client that writes down its words and knobs, and runs `script`."""
    client = program(
        tmp_path, "docker",
        '[ "$2" = version ] && exit 0\n'
        f"printf '%s\\n' \"$@\" > {tmp_path}/words\n"
        f"env > {tmp_path}/environment\n"
        f". {tmp_path}/script\n",
    )  # fmt: skip
    (tmp_path / "script").write_text("echo '{\"target\": {}}'")
    monkeypatch.setenv("DOCKER", str(client))
    return tmp_path


def test_a_plan_is_what_buildx_prints(buildx_program: Path) -> None:
    assert bake_plan(["prod", "dev"], {"CA_BUNDLE": "/ca.pem"}) == {"target": {}}
    assert (buildx_program / "words").read_text().splitlines() == [
        "buildx", "bake", "-f", "docker-bake.hcl", "--print", "prod", "dev",
    ]  # fmt: skip
    assert "CA_BUNDLE=/ca.pem" in (buildx_program / "environment").read_text().splitlines()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ('echo "#1 reading" >&2; echo "ERROR: failed to find target x" >&2; exit 1',
         "failed to find target x"),
        ('echo "docker-bake.hcl:3: unknown" >&2; exit 1', "docker-bake.hcl:3: unknown"),
    ],
)  # fmt: skip
def test_a_bake_file_that_buildx_refuses_is_one_clear_line(
    buildx_program: Path, script: str, reason: str
) -> None:
    (buildx_program / "script").write_text(script)
    with pytest.raises(SutraError) as caught:
        bake_plan(["x"], {})
    assert caught.value.message == f"docker-bake.hcl: {reason}"
    assert caught.value.tip == "fix it, then run `make build` again"


def test_a_build_passes_overrides_and_knobs(
    buildx_program: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (buildx_program / "script").write_text('echo "#1 DONE" >&2; echo "ERROR: boom" >&2; exit 3')
    assert bake(["prod"], ["a.tags=a:x", "b.tags=b:x"], {"VERSION": "1"}) == (
        3, ["#1 DONE", "ERROR: boom"]
    )  # fmt: skip
    assert capfd.readouterr() == ("", "#1 DONE\nERROR: boom\n")
    assert (buildx_program / "words").read_text().splitlines() == [
        "buildx", "bake", "-f", "docker-bake.hcl",
        "--set", "a.tags=a:x", "--set", "b.tags=b:x", "prod",
    ]  # fmt: skip
    environment = (buildx_program / "environment").read_text().splitlines()
    assert {
        "VERSION=1", "BUILDX_NO_DEFAULT_ATTESTATIONS=1", "BUILDX_BAKE_ENTITLEMENTS_FS=0"
    } <= set(environment)  # fmt: skip


# ---- tee -------------------------------------------------------------------


def sh(script: str) -> tuple[int, list[str]]:
    return tee(["/bin/sh", "-c", script], os.environ)


@pytest.mark.parametrize("code", [0, 1, 17])
def test_stderr_is_passed_on_and_returned(code: int, capfd: pytest.CaptureFixture[str]) -> None:
    script = f"echo one >&2; echo out; echo two >&2; printf three >&2; exit {code}"
    assert sh(script) == (code, ["one", "two", "three"])
    assert capfd.readouterr() == ("out\n", "one\ntwo\nthree")


def test_a_command_that_a_signal_ended_has_failed(capfd: pytest.CaptureFixture[str]) -> None:
    assert sh("kill -KILL $$") == (-9, [])
    assert capfd.readouterr() == ("", "")


def test_a_silent_command_returns_no_lines(capfd: pytest.CaptureFixture[str]) -> None:
    assert sh("exec 2>&-; exit 4") == (4, [])
    assert capfd.readouterr() == ("", "")


def test_only_the_tail_is_kept_and_all_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    script = "import sys\nfor n in range(30000): print(f'line {n:05}', file=sys.stderr)"
    code, lines = tee([sys.executable, "-c", script], os.environ)
    whole = "".join(f"line {n:05}\n" for n in range(30000))
    assert code == 0
    assert lines == whole[-process.TAIL_BYTES :].splitlines()
    assert lines[-1] == "line 29999"
    assert capfd.readouterr() == ("", whole)


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert sh(r"printf 'a\377b' >&2") == (0, ["a\ufffdb"])


def test_the_command_gets_the_environment_and_no_input() -> None:
    script = 'echo "$KNOB" >&2; read line || echo no input >&2'
    assert tee(["/bin/sh", "-c", script], {"KNOB": "on"}) == (0, ["on", "no input"])


def test_on_a_terminal_the_command_gets_one_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        result = sh("test -t 2 && echo terminal >&2; exit 5")
        monkeypatch.undo()
        shown = os.read(ours, 1000)
    os.close(ours)
    assert result == (5, ["terminal"])
    assert shown.replace(b"\r", b"") == b"terminal\n"


def test_an_interrupt_ends_the_command_and_its_children(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The command itself sends the interrupt, as Ctrl-C would, while it is being read."""
    script = "sleep 60 & echo $$ $! >&2; sleep 0.2; kill -INT $PPID; wait"
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        sh(script)
    assert time.monotonic() - start < 20
    processes = [int(word) for word in capfd.readouterr().err.split()]
    assert len(processes) == 2
    for _ in range(100):  # whoever adopts the child has to reap it
        if not any(map(_running, processes)):
            break
        time.sleep(0.05)
    assert [process for process in processes if _running(process)] == []


def test_an_interrupt_lets_the_command_say_its_last_words(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A pipe holds 64 KB: who waits without reading it waits for ever."""
    script = (
        "import os, signal, sys, time\n"
        "def end(number, frame):\n"
        "    sys.stderr.write('x' * 999_999 + '\\n')\n"
        "    sys.stderr.flush()\n"
        "    os._exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "sys.stderr.write(f'{os.getpid()}\\n')\n"
        "sys.stderr.flush()\n"
        "time.sleep(0.2)\n"
        "os.kill(os.getppid(), signal.SIGINT)\n"
        "time.sleep(60)\n"
    )

    def late(number: int, frame: object) -> None:
        raise AssertionError("still waiting after 20 seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 20)
    try:
        with pytest.raises(KeyboardInterrupt):
            tee([sys.executable, "-c", script], os.environ)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    process, words = capfd.readouterr().err.splitlines()
    assert words == "x" * 999_999
    assert not _running(int(process))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_reader_that_went_away_ends_the_command_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `make build 2>&1 | head -1`: staging tags are removed once nothing sets them."""
    script = (
        f"trap '' PIPE; trap 'echo last >&2; sleep 0.5; touch {tmp_path}/ended; exit' TERM\n"
        "echo one >&2\n"
        "while :; do sleep 0.05; done\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        monkeypatch.setattr(sys, "stderr", closed)
        with pytest.raises(BrokenPipeError):
            sh(script)
        monkeypatch.undo()
    assert (tmp_path / "ended").exists()


def _running(process: int) -> bool:
    """Tell whether a process runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_no_descriptor_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    sh("echo one >&2")
    assert len(os.listdir("/proc/self/fd")) == before


# ---- Stream ----------------------------------------------------------------


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=20), max_size=20),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=30),
)
def test_reads_of_any_size_give_the_bytes_of_chunks_of_any_size(
    chunks: list[bytes], sizes: list[int]
) -> None:
    whole, stream, at = b"".join(chunks), Stream(iter(chunks)), 0
    for size in sizes:
        assert stream.read(size) == whole[at : at + size]
        at += size
    assert stream.read(1000) == whole[at:]
    assert stream.read(1) == b""


def test_nothing_is_read_before_it_is_asked_for() -> None:
    asked: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(3):
            asked.append(number)
            yield b"ab"

    stream = Stream(chunks())
    assert (stream.read(0), asked) == (b"", [])
    assert (stream.read(2), asked) == (b"ab", [0])
    assert (stream.read(1), asked) == (b"a", [0, 1])


# ---- local_disk ------------------------------------------------------------


def test_the_disk_of_an_engine_behind_a_socket_is_here(tmp_path: Path) -> None:
    assert module.local_disk(FakeEngine(str(tmp_path))) == tmp_path


def test_a_disk_that_is_not_there_is_none(tmp_path: Path) -> None:
    """As in a virtual machine of its own, whose socket is passed on."""
    assert module.local_disk(FakeEngine(f"{tmp_path}/absent")) is None


@pytest.mark.parametrize("address", ["http://build.example:2375", "https://10.0.0.1:2376"])
def test_the_disk_of_an_engine_behind_an_address_is_none(tmp_path: Path, address: str) -> None:
    client = FakeEngine(str(tmp_path))
    client.base_url = address
    assert module.local_disk(client) is None


@unclosed
@pytest.mark.parametrize(("host", "local"), [("unix:///run/x.sock", True), ("tcp://a:1", False)])
def test_clients_of_sockets_have_the_address_that_is_looked_for(host: str, local: bool) -> None:
    client = docker.DockerClient(base_url=host, version="1.44")
    assert client.api.base_url.startswith("http+docker://") is local
    client.close()
    gc.collect()


def test_an_engine_that_does_not_describe_itself_is_one_clear_line() -> None:
    refusing = Refusing(APIError("500", explanation="shutting down"))
    with pytest.raises(SutraError) as caught:
        module.local_disk(refusing)
    assert caught.value.message == "engine: cannot describe itself: shutting down"
    assert caught.value.tip == TIP


# ---- registry_refusal ------------------------------------------------------

IMAGE = "debian:trixie-slim"


class Registry:
    """A client whose engine asks a registry; `answer` is raised, None is served."""

    def __init__(self) -> None:
        self.images = self
        self.answer: Exception | None = None
        self.asked: list[str] = []
        self.closed = False

    def get_registry_data(self, image: str) -> object:
        self.asked.append(image)
        if self.answer:
            raise self.answer
        return object()

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry()

    def connect(timeout: int = 60) -> Registry:
        assert timeout == 5
        return made

    monkeypatch.setattr(module, "connect", connect)
    return made


def answered(status: int, explanation: str | None, kind: type[APIError] = APIError) -> APIError:
    response = requests.Response()
    response.status_code = status
    return kind(f"{status} Error", response=response, explanation=explanation)


def test_a_registry_that_serves_refuses_nothing(registry: Registry) -> None:
    assert registries.registry_refusal(IMAGE, 5) == ""
    assert (registry.asked, registry.closed) == ([IMAGE], True)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answered(500, "Get: no such host\nmore"), "Get: no such host"),
        (answered(503, "unavailable"), "unavailable"),
        (answered(400, "bad"), "bad"),
        (APIError("500", explanation="Get: no such host\nmore"), "Get: no such host"),
        (APIError("500 Server Error"), "500 Server Error"),
        (APIError("500 Server Error", explanation="\n"), "500 Server Error"),
        (ReadTimeout("Read timed out."), "no answer in 5 s"),
        (DockerException("bad"), "bad"),
    ],
    ids=repr,
)
def test_why_no_registry_answered_is_one_line(
    registry: Registry, answer: Exception, reason: str
) -> None:
    registry.answer = answer
    assert registries.registry_refusal(IMAGE, 5) == reason
    assert (registry.asked, registry.closed) == ([IMAGE], True)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answered(401, "unauthorized: login\nmore"), "unauthorized: login"),
        (answered(403, "denied: requested access"), "denied: requested access"),
        (answered(404, "manifest unknown", ImageNotFound), "manifest unknown"),
        (answered(404, None, NotFound), "404 Error"),
        (answered(429, "slow down"), "slow down"),
        (answered(500, "toomanyrequests: rate limit"), "toomanyrequests: rate limit"),
        (APIError("x", explanation="toomanyrequests: limit"), "toomanyrequests: limit"),
    ],
    ids=repr,
)
def test_a_registry_that_refuses_is_one_clear_line(
    registry: Registry, answer: APIError, reason: str
) -> None:
    registry.answer = answer
    with pytest.raises(SutraError) as caught:
        registries.registry_refusal(IMAGE, 5)
    assert caught.value.message == f'roots: its registry refuses "{IMAGE}": {reason}'
    assert caught.value.tip == "check the name and the login"
    assert (registry.asked, registry.closed) == ([IMAGE], True)


# ---- images and tags -------------------------------------------------------


class Refusing:
    """An engine that answers every call with one error."""

    def __init__(self, error: Exception) -> None:
        self.images = self.api = self
        self.error = error

    def _refuse(self, *words: object, **options: object) -> object:
        raise self.error

    base_url = "http+docker://localunixsocket"
    get = tag = remove_image = get_image = info = _refuse


def saved(client: Refusing | FakeEngine, reference: str = "a:prod") -> bytes:
    with images.saved(client, reference) as stream:
        return bytes(stream.read(10**6))


CALLS = {
    "inspect": lambda client: images.inspect(client, "a:prod"),
    "save": saved,
    "tag": lambda client: images.tag(client, "sha256:1", "a:prod"),
    "remove the tag": lambda client: images.untag(client, "a:prod"),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_the_engine_refuses_is_one_clear_line(name: str) -> None:
    with pytest.raises(SutraError) as caught:
        CALLS[name](Refusing(APIError("500", explanation="layer is corrupt")))
    assert caught.value.message == f'engine: cannot {name} "a:prod": layer is corrupt'
    assert caught.value.tip == TIP


@pytest.mark.parametrize("name", CALLS)
def test_an_engine_that_went_away_is_one_clear_line(name: str) -> None:
    """The SDK passes the errors of `requests` on: they are no DockerException."""
    gone = RequestsConnectionError("[Errno 111] Connection refused")
    with pytest.raises(SutraError) as caught:
        CALLS[name](Refusing(gone))
    assert caught.value.tip == TIP


def test_an_image_that_is_not_there_is_none() -> None:
    assert images.inspect(FakeEngine(), "a:prod") is None


def test_an_image_that_is_there_is_inspected() -> None:
    client, image = FakeEngine(), FakeImage([b"x"])
    client.add(image, "a:prod")
    assert images.inspect(client, "a:prod") == image.attrs


def test_an_image_is_saved_as_one_stream() -> None:
    client, image = FakeEngine(), FakeImage([b"x" * 5000])
    client.add(image, "a:prod")
    assert saved(client) == image.archive


def test_saving_an_image_that_is_gone_is_refused() -> None:
    with pytest.raises(SutraError) as caught:
        saved(Refusing(ImageNotFound("no such image")))
    assert caught.value.message == 'engine: image no longer exists "a:prod"'
    assert caught.value.tip == "run `make build`"


def test_the_answer_is_closed_when_reading_stops() -> None:
    closed: list[bool] = []

    class Saving(FakeEngine):
        def get_image(self, reference: str) -> Iterator[bytes]:
            try:
                while True:  # more than is received ahead
                    yield b"1" * (1 << 20)
            finally:
                closed.append(True)

    with images.saved(Saving(), "a") as stream:
        assert stream.read(1) == b"1"
        assert closed == []
    assert closed == [True]


def test_removing_a_tag_that_is_not_there_is_no_failure() -> None:
    client = FakeEngine()
    client.tags["b:prod"] = "sha256:b"
    images.untag(client, "a:prod")
    assert client.tags == {"b:prod": "sha256:b"}


def test_a_tag_is_removed() -> None:
    client = FakeEngine()
    client.tags.update({"a:prod": "sha256:a", "a:latest": "sha256:a"})
    images.untag(client, "a:prod")
    assert client.tags == {"a:latest": "sha256:a"}


def test_importing_the_modules_needs_no_engine() -> None:
    done = subprocess.run(
        [
            sys.executable, "-W", "error", "-c",
            "import scripts.commands.prod, scripts.commands.roots",
        ],
        cwd=Path(module.__file__).parents[2],
        env={**os.environ, "DOCKER_HOST": "unix:///nonexistent.sock"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, 'exec: "serve": executable file not found in $PATH'),
        (409, "container abc is not running"),
        (500, "OCI runtime exec failed: no such file"),
        (500, "container abc init process is not running: failed precondition"),
    ],
)
def test_a_command_that_cannot_be_run_is_no_failure_of_the_engine(status: int, said: str) -> None:
    with pytest.raises(containers.CommandError) as caught, containers.running():
        raise refusal(status, said)
    assert str(caught.value) == said


def test_an_engine_that_fails_is_one() -> None:
    with pytest.raises(SutraError) as caught, containers.running():
        raise refusal(500, "disk is read-only")
    assert caught.value.message == "engine: cannot run a container: disk is read-only"


def refusal(status: int, said: str) -> APIError:
    response = requests.Response()
    response.status_code = status
    return APIError("refused", response=response, explanation=said)
