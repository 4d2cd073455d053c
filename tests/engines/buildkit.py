"""A separate BuildKit: the newest release, from Go's module proxy, on loopback over mutual TLS.

`buildkitd/go.mod` names the version and carries BuildKit's own `exclude` lines, which
`go install MODULE@VERSION` refuses; `buildkitd/go.sum` holds every module to its hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT
from tests.engines import cache
from tests.engines.machine import Machine

MODULE = Path("tests/engines/buildkitd")
ADDRESS = "tcp://127.0.0.1:7770"
BUILDER = "farm"
DATA = "/var/lib/docker/buildkitd"
KEYS = "/etc/buildkit"
# a second one, which says that it is of another platform; it runs no program of it
OTHER_ADDRESS = "tcp://127.0.0.1:7771"
OTHER_DATA = f"{DATA}-other"
OTHER = "buildkitd-other"
SERVER = {"cacert": "ca", "cert": "server", "key": "server-key"}
# openssl signs what the next lines use; the keys go with the machine
MAKE_KEYS = f"""
umask 077 && mkdir -p {KEYS} && cd {KEYS}
new() {{ openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 2 \\
  -keyout "$1-key.pem" -out "$1.pem" -subj "/CN=$1" "${{@:2}}"; }}
new ca
for name in server client stranger; do
  [[ $name != stranger ]] || new ca2
  ca=$([[ $name == stranger ]] && echo ca2 || echo ca)
  new "$name" -CA "$ca.pem" -CAkey "$ca-key.pem" -addext subjectAltName=IP:127.0.0.1
done
"""


def version() -> str:
    """Return the version that go.mod names: "v0.34.2"."""
    text = (ROOT / MODULE / "go.mod").read_text()
    match = re.search(r"github\.com/moby/buildkit (v[\d.]+)", text)
    assert match
    return match[1]


def program(machine: Machine) -> Path:
    """Return buildkitd, compiled once by the machine's own Go; minutes."""
    recipe = [(ROOT / MODULE / name).read_text() for name in ("go.mod", "go.sum")]
    return cache.kept("buildkitd", recipe, lambda file: compile_in(machine, file))


def compile_in(machine: Machine, file: Path) -> None:
    """Compile buildkitd in the machine, and copy it to `file`."""
    flags = f"-s -w -X github.com/moby/buildkit/version.Version={version()}"
    script = f"""
export GOFLAGS=-mod=readonly GOTOOLCHAIN=local CGO_ENABLED=0
apt-get -q update
apt-get -q -y --no-install-recommends install golang-go
cd {MODULE}
go build -trimpath -ldflags '{flags}' -o /tmp/buildkitd github.com/moby/buildkit/cmd/buildkitd
"""
    done = machine.run("nice", "bash", "-ec", script)
    assert done.code == 0, done.text[-3000:]
    file.write_bytes(machine.read("/tmp/buildkitd"))
    file.chmod(0o755)


def start(machine: Machine) -> None:
    """Run buildkitd in the machine, and register it with buildx as BUILDER."""
    if machine.run("test", "-e", f"{KEYS}/ca.pem", folder="/").code:
        machine.put("/usr/local/bin", {"buildkitd": program(machine)})
        done = machine.run("bash", "-ec", MAKE_KEYS)
        assert done.code == 0, done.text
        create(machine, BUILDER, "client")
    machine.start("buildkitd", *listen(ADDRESS, DATA))
    machine.wait("buildkitd", "docker", "buildx", "inspect", "--bootstrap", BUILDER)


def listen(address: str, data: str) -> list[str]:
    """Return the options of a buildkitd at an address, with a folder of its own."""
    trust = [f"--tls{kind}={KEYS}/{file}.pem" for kind, file in SERVER.items()]
    return [f"--addr={address}", *trust, f"--root={data}"]


@contextmanager
def other(machine: Machine, platform: str) -> Iterator[str]:
    """Run a second buildkitd, of `platform` by its own word; yield the builder of it alone."""
    machine.run("ln", "-sf", "buildkitd", f"/usr/local/bin/{OTHER}", folder="/")
    words = [f"--oci-worker-platform={platform}", "--otel-socket-path=/run/other.sock"]
    machine.start(OTHER, *listen(OTHER_ADDRESS, OTHER_DATA), *words)
    try:
        create(machine, "other", "client", OTHER_ADDRESS)
        machine.wait(OTHER, "docker", "buildx", "inspect", "--bootstrap", "other")
        yield "other"
    finally:
        machine.stop(OTHER)
        machine.run("rm", "-rf", OTHER_DATA, folder="/")


def stop(machine: Machine) -> None:
    """End buildkitd and remove its cache, so that the next one starts empty."""
    machine.stop("buildkitd")
    machine.run("rm", "-rf", DATA, folder="/")


def create(
    machine: Machine, builder: str, who: str, *addresses: str, platforms: Sequence[str] = ()
) -> None:
    """Register a builder with the machine's buildx, which connects to each node as `who`.

    `platforms` has the one that each node is for.
    """
    files = {"cacert": "ca", "cert": who, "key": f"{who}-key"}
    options = ",".join(f"{key}={KEYS}/{file}.pem" for key, file in files.items())
    machine.run("docker", "buildx", "rm", builder)  # one of an earlier test
    command = ["docker", "buildx", "create", "--driver=remote", f"--name={builder}"]
    for append, address in enumerate(addresses or (ADDRESS,)):
        words = [f"--driver-opt={options}", *(["--append"] if append else []), address]
        words += [f"--platform={platforms[append]}"] if platforms else []
        done = machine.run(*command, *words)
        assert done.code == 0, done.text
