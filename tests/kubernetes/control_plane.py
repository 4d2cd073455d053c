"""A real control plane on loopback: etcd of Debian's package, kube-apiserver from Go's proxy.

There are no controllers and no node: what is asked for is judged and stored, and nothing runs.
`apiserver/go.mod` names the version; `go.sum` holds every module to its hash.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from tests.conftest import ROOT
from tests.engines import cache
from tests.support.registries import free_port
from tests.support.running import running

MODULE = ROOT / "tests/kubernetes/apiserver"
VERSION = "v1.32.3"
READY_SECONDS = 90


def apiserver() -> Path:
    """Return kube-apiserver, compiled once; minutes."""
    recipe = [(MODULE / name).read_text() for name in ("go.mod", "go.sum")]
    return cache.kept("kube-apiserver", recipe, _compile)


def _compile(file: Path) -> None:
    flags = f"-s -w -X k8s.io/component-base/version.gitVersion={VERSION}"
    done = subprocess.run(
        [
            "nice",
            "go",
            "build",
            "-trimpath",
            "-ldflags",
            flags,
            "-o",
            str(file),
            "k8s.io/kubernetes/cmd/kube-apiserver",
        ],
        cwd=MODULE,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def etcd() -> Path:
    """Return etcd out of Debian's package, which is not installed: it would start a service."""
    return cache.kept("etcd", ["etcd-server"], _unpack)


def _unpack(file: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for command in (["apt-get", "download", "etcd-server"], ["sh", "-c", "dpkg -x *.deb root"]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        shutil.copy(Path(folder) / "root/usr/bin/etcd", file)


@contextmanager
def control_plane(folder: Path) -> Iterator[Path]:
    """Run one; yield the kubeconfig of its administrator."""
    client, peer, secure = (free_port() for _ in range(3))
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f"{token},admin,1,system:masters\n")
    key, public = folder / "key.pem", folder / "public.pem"
    for words in (["genrsa", "-out", key, "2048"], ["rsa", "-in", key, "-pubout", "-out", public]):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
    store = f"http://127.0.0.1:{client}"
    with ExitStack() as stack:
        stack.enter_context(
            running(
                folder / "etcd.log",
                str(etcd()),
                f"--data-dir={folder}/etcd",
                f"--listen-client-urls={store}",
                f"--advertise-client-urls={store}",
                f"--listen-peer-urls=http://127.0.0.1:{peer}",
            )
        )
        stack.enter_context(
            running(
                folder / "apiserver.log",
                str(apiserver()),
                f"--etcd-servers={store}",
                "--bind-address=127.0.0.1",
                f"--secure-port={secure}",
                f"--cert-dir={folder}/certs",
                f"--service-account-key-file={public}",
                f"--service-account-signing-key-file={key}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--token-auth-file={folder}/tokens.csv",
                "--authorization-mode=RBAC",
                "--service-cluster-ip-range=10.96.0.0/16",
                # no controller runs that would remove the finalizer from a claim
                "--disable-admission-plugins=StorageObjectInUseProtection,ServiceAccount",
            )
        )
        config = kubeconfig_of(folder, secure, token)
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


def wait_ready(config: Path, log: Path) -> None:
    """Return when the server says that it is ready."""
    end = time.monotonic() + READY_SECONDS
    ask = ["kubectl", f"--kubeconfig={config}", "get", "--raw", "/readyz"]
    while subprocess.run(ask, capture_output=True).returncode:
        assert time.monotonic() < end, log.read_text(errors="replace")[-3000:]
        time.sleep(0.5)
