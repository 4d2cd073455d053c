"""A real control plane on loopback: etcd of Debian's package, kube-apiserver from Go's proxy.

There are no controllers and no node: what is asked for is judged and stored, and nothing runs.
`programs/go.mod` names the version; `go.sum` holds every module to its hash.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.conftest import ROOT
from tests.engines import cache
from tests.support import go_program
from tests.support.registries import free_port
from tests.support.running import running

MODULE = ROOT / "tests/kubernetes/programs"
VERSION = "v1.32.3"
READY_SECONDS = 90
SERVICE_NETWORK = "10.96.0.0/16"


def program(name: str) -> Path:
    """Return one of Kubernetes' programs, compiled once; minutes."""
    version = f"k8s.io/component-base/version.gitVersion={VERSION}"
    return go_program.kept(name, MODULE, f"k8s.io/kubernetes/cmd/{name}", version)


def etcd() -> Path:
    """Return etcd out of Debian's package, which is not installed: it would start a service."""
    return cache.kept("etcd", ["etcd-server"], _unpack)


def _unpack(file: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for command in (["apt-get", "download", "etcd-server"], ["sh", "-c", "dpkg -x *.deb root"]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        shutil.copy(Path(folder) / "root/usr/bin/etcd", file)


def etcd_command(folder: Path, client: int, peer: int) -> list[str]:
    """Return what etcd is started with, after its name."""
    store = f"http://127.0.0.1:{client}"
    return [
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls={store}",
        f"--advertise-client-urls={store}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
    ]


def apiserver_command(folder: Path, client: int, secure: int) -> list[str]:
    """Return what kube-apiserver is started with, after its name; `prepare` made its files."""
    return [
        f"--etcd-servers=http://127.0.0.1:{client}",
        f"--secure-port={secure}",
        f"--cert-dir={folder}/certs",
        f"--service-account-key-file={folder}/public.pem",
        f"--service-account-signing-key-file={folder}/key.pem",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--token-auth-file={folder}/tokens.csv",
        "--authorization-mode=RBAC",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
    ]


def prepare(folder: Path, secure: int) -> Path:
    """Write the files that kube-apiserver reads; return the kubeconfig of its administrator."""
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f"{token},admin,1,system:masters\n")
    key, public = folder / "key.pem", folder / "public.pem"
    for words in (["genrsa", "-out", key, "2048"], ["rsa", "-in", key, "-pubout", "-out", public]):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
    return kubeconfig_of(folder, secure, token)


@contextmanager
def control_plane(folder: Path) -> Iterator[Path]:
    """Run one; yield the kubeconfig of its administrator."""
    client, peer, secure = (free_port() for _ in range(3))
    config = prepare(folder, secure)
    # no controller runs that would remove the finalizer from a claim
    off = "--disable-admission-plugins=StorageObjectInUseProtection,ServiceAccount"
    api = [*apiserver_command(folder, client, secure), "--bind-address=127.0.0.1", off]
    with (
        running(folder / "etcd.log", str(etcd()), *etcd_command(folder, client, peer)),
        running(folder / "apiserver.log", str(program("kube-apiserver")), *api),
    ):
        wait_ready(config, folder / "apiserver.log")
        yield config


def kubeconfig_of(folder: Path, port: int, token: str) -> Path:
    """Write what kubectl needs. The certificate is this server's own."""
    cluster = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    file = folder / "kubeconfig"
    file.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [{"name": "test", "cluster": cluster}],
                "users": [{"name": "test", "user": {"token": token}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            }
        )
    )
    return file


def wait_ready(config: Path, log: Path, *enter: str) -> None:
    """Return when the server says that it is ready. `enter` is a command that reaches it."""
    end = time.monotonic() + READY_SECONDS
    ask = [*enter, "kubectl", f"--kubeconfig={config}", "get", "--raw", "/readyz"]
    while subprocess.run(ask, capture_output=True).returncode:
        assert time.monotonic() < end, log.read_text(errors="replace")[-3000:]
        time.sleep(0.5)
