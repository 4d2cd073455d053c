"""A whole cluster of one node in its own namespaces: what it runs, it really runs.

etcd, containerd, runc and the CNI plugins are Debian 13's; kube-apiserver, kube-controller-manager,
kube-scheduler, kubelet and kube-proxy are compiled from Go's module proxy. Pods have a network that
ends in the machine. Their cgroups are below one that is this machine's alone. The cluster's DNS is
dnsmasq, which has each service's address from the API. Nothing enforces network policies.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.kubernetes import control_plane
from tests.support import debian_machine, oci, relay
from tests.support.debian_machine import Kind, Machine
from tests.support.stack import Services, wait_for

KIND = Kind(
    "node",
    (
        "catatonit",
        "conntrack",
        "containerd",
        "containernetworking-plugins",
        "dnsmasq-base",
        "etcd-server",
        "iproute2",
        "iptables",
        "procps",
        "runc",
        "util-linux",
    ),
    "/data",
)
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
DATA = Path(KIND.disk)
KUBELET = f"{DATA}/kubelet"
NAME = "one"
ADDRESS = "10.78.0.1"
POD_NETWORK = "10.244.0.0/24"
CLIENT, PEER, SECURE = 2379, 2380, 6443
DOMAIN = "svc.cluster.local"
# file that the cluster's DNS reads
NAMES = "/run/names"
SOCKET = "/run/containerd/containerd.sock"
PAUSE = "localhost/pause:1"
CLASSES = f"""
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {{name: local, annotations: {{storageclass.kubernetes.io/is-default-class: "true"}}}}
provisioner: kubernetes.io/no-provisioner
---
apiVersion: v1
kind: PersistentVolume
metadata: {{name: one}}
spec:
  capacity: {{storage: 10Gi}}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: local
  hostPath: {{path: {DATA}/volume}}
"""
CONTAINERD = f"""
version = 2
root = "{DATA}/containerd"
[plugins."io.containerd.grpc.v1.cri"]
  # lowering a score takes CAP_SYS_RESOURCE
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
"""
# ptp, not bridge: packets between pods are routed, so that the answers of services come back
NETWORK = {
    "cniVersion": "0.4.0",
    "name": "one",
    "plugins": [
        {
            "type": "ptp",
            "ipMasq": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": POD_NETWORK}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}
LINK = f"""
ip link add eth0 type veth peer name end
ip addr add {ADDRESS}/24 dev eth0
ip link set eth0 up && ip link set end up
ip route add default dev eth0
echo 1 >/proc/sys/net/ipv4/ip_forward
mkdir -p {DATA}/volume /etc/cni/net.d
chown 10001:10001 {DATA}/volume
"""


@dataclass
class Cluster(Services):
    """The cluster: its machine, its folder on this machine, and addresses that reach services."""

    machine: Machine
    folder: Path
    namespace: str = "sutra"
    addresses: dict[str, tuple[str, int]] = field(default_factory=dict)
    relays: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def inside(self, *command: str, **knobs: str) -> subprocess.CompletedProcess[str]:
        """Run a command of this machine in the cluster's network, with its kubeconfig."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SUTRA_", "KUBE"))}
        return subprocess.run(
            [*self._enter(), *command],
            cwd=ROOT,
            env={**inherited, "KUBECONFIG": str(self.folder / "data/kubeconfig"), **knobs},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def deploy(
        self, *words: str, overlay: str = "one-node", **knobs: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ./sutra-deploy.sh in the cluster's network."""
        self.forget_addresses()
        words = ("./sutra-deploy.sh", *words, "TARGET=kubernetes", f"OVERLAY={overlay}")
        return self.inside(*words, **knobs)

    def forget_addresses(self) -> None:
        """End what leads to services: those of another `up` have other addresses."""
        self.addresses.clear()
        while self.relays:
            process = self.relays.pop()
            process.kill()
            process.wait()

    def kubectl(self, *words: str, stdin: str = "", check: bool = True) -> str:
        """Return what kubectl prints, both streams."""
        config = f"--kubeconfig={self.folder}/data/kubeconfig"
        done = subprocess.run(
            [*self._enter(), "kubectl", config, f"--namespace={self.namespace}", *words],
            input=stdin,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert not check or done.returncode == 0, done.stdout
        return done.stdout.strip()

    def get(self, *words: str) -> dict[str, Any]:
        """Return objects as the cluster has them."""
        return dict(json.loads(self.kubectl("get", *words, "--output=json")))

    def address(self, service: str) -> tuple[str, int]:
        """Return where a service of the cluster is reached from this machine."""
        if service not in self.addresses:
            spec = self.get("service", service)["spec"]
            target = spec["clusterIP"], spec["ports"][0]["port"]
            process, port = relay.start(f"/proc/{self.machine.pid}/ns/net", target)
            self.relays.append(process)
            self.addresses[service] = "127.0.0.1", port
        return self.addresses[service]

    def pods(self, service: str) -> dict[str, dict[str, Any]]:
        """Return the pods of a service that are not about to end, by name."""
        listed = self.get("pods", f"--selector=app.kubernetes.io/name={service}")["items"]
        by_name = {pod["metadata"]["name"]: pod for pod in listed}
        return {k: v for k, v in by_name.items() if "deletionTimestamp" not in v["metadata"]}

    def _enter(self) -> list[str]:
        return ["nsenter", f"--net=/proc/{self.machine.pid}/ns/net"]


@contextmanager
def cluster(folder: Path, images: list[str]) -> Iterator[Cluster]:
    """Run a cluster that has these images of this machine's engine, and remove it afterwards."""
    group = f"sutra-test-node-{os.getpid()}"
    with cgroups(group), emptied(folder / "data"), debian_machine.machine(KIND, folder) as host:
        host.run("bash", "-euc", LINK)
        host.write("/etc/containerd/config.toml", CONTAINERD)
        host.write("/etc/cni/net.d/10-one.conflist", json.dumps(NETWORK))
        host.write("/etc/resolv.conf", f"nameserver {ADDRESS}\n")
        host.write(f"{DATA}/kubelet.yaml", yaml.safe_dump(kubelet_settings(group)))
        for name in PROGRAMS:
            host.install(control_plane.program(name), name)
        created, stop = Cluster(host, folder), threading.Event()
        start(created)
        load(created, images)
        created.kubectl("apply", "--filename=-", stdin=CLASSES)
        names = threading.Thread(target=publish_names, args=(created, stop))
        names.start()
        try:
            yield created
        finally:
            stop.set()
            names.join()
            created.forget_addresses()


@contextmanager
def emptied(folder: Path) -> Iterator[None]:
    """Remove a folder afterwards: hundreds of megabytes that pytest would keep."""
    try:
        yield
    finally:
        shutil.rmtree(folder)


def kubelet_settings(group: str) -> dict[str, Any]:
    """Return the kubelet's configuration: pods below a cgroup, and no swap or disk to watch."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        # nobody but this machine reaches it
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{group}",
        "clusterDNS": [ADDRESS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "10Mi", "nodefs.available": "1%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        # as docs/kubernetes.md asks of a node
        "podPidsLimit": 128,
    }


@contextmanager
def cgroups(name: str) -> Iterator[None]:
    """Make a cgroup in every hierarchy, and remove it with what is below it."""
    root = Path("/sys/fs/cgroup")
    places = [root] if (root / "cgroup.controllers").exists() else sorted(root.iterdir())
    groups = [place / name for place in places if place.is_dir() and not place.is_symlink()]
    for place in groups:
        place.mkdir()
        if "cpuset" in place.parent.name:  # cgroups of version 1 begin without any
            for file in ("cpuset.cpus", "cpuset.mems"):
                (place / file).write_text((place.parent / file).read_text())
    try:
        yield
    finally:
        for place in groups:
            for below, _, _ in os.walk(place, topdown=False):
                wait_for(partial(_removed, Path(below)), f"still in use: {below}")


def _removed(place: Path) -> bool:
    with contextlib.suppress(OSError):  # its processes are still ending
        place.rmdir()
    return not place.exists()


def start(running: Cluster) -> None:
    """Start every program; return when the node is ready."""
    host, logs = running.machine, running.folder
    config = control_plane.prepare(running.folder / "data", SECURE)
    kubeconfig = f"--kubeconfig={DATA}/kubeconfig"
    host.serve(logs / "etcd.log", "etcd", *control_plane.etcd_command(DATA, CLIENT, PEER))
    api = control_plane.apiserver_command(DATA, CLIENT, SECURE)
    # `kubectl exec` and `logs`: no name of a node is known to any DNS here
    reached = (f"--advertise-address={ADDRESS}", "--kubelet-preferred-address-types=InternalIP")
    host.serve(logs / "apiserver.log", "kube-apiserver", *api, *reached)
    host.serve(logs / "containerd.log", "containerd")
    control_plane.wait_ready(config, logs / "apiserver.log", *running._enter())
    host.serve(
        logs / "controllers.log",
        "kube-controller-manager",
        kubeconfig,
        f"--service-account-private-key-file={DATA}/key.pem",
        "--leader-elect=false",
    )
    host.serve(logs / "scheduler.log", "kube-scheduler", kubeconfig, "--leader-elect=false")
    node = (f"--hostname-override={NAME}", f"--config={DATA}/kubelet.yaml", f"--node-ip={ADDRESS}")
    host.serve(logs / "kubelet.log", "kubelet", kubeconfig, *node, f"--root-dir={KUBELET}")
    proxy = (
        "--proxy-mode=iptables",
        f"--hostname-override={NAME}",
        f"--cluster-cidr={POD_NETWORK}",
    )
    host.serve(logs / "proxy.log", "kube-proxy", kubeconfig, *proxy, "--conntrack-max-per-core=0")
    host.write(NAMES, "")
    served = (
        f"--addn-hosts={NAMES}",
        f"--listen-address={ADDRESS}",
        "--pid-file=/run/names.pid",
        "--user=root",
        "--local=/cluster.local/",
    )
    host.serve(
        logs / "names.log", "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", *served
    )
    wait_for(lambda: is_ready(running), "the node is not ready")


def is_ready(running: Cluster) -> bool:
    """Return whether the node takes pods."""
    words = running.kubectl("get", "nodes", "--no-headers", check=False).split()
    return words[1:2] == ["Ready"]


def load(running: Cluster, images: list[str]) -> None:
    """Give the node the images, as :latest, and the process that holds a pod's namespaces."""
    binary = Path(f"/proc/{running.machine.pid}/root/usr/bin/catatonit").read_bytes()
    pause = oci.saved(
        [oci.layer(oci.entry("pause", binary, mode=0o755))], tag=PAUSE, entrypoint=["/pause", "-P"]
    )
    saved = subprocess.run(["docker", "save", *images], check=True, capture_output=True).stdout
    ctr = ("ctr", "--namespace=k8s.io", "images")
    for archive in (pause, saved):
        running.machine.run(*ctr, "import", "-", stdin=archive)
    for image in images:
        name = image.partition(":")[0]
        if not image.endswith(":latest"):
            running.machine.run(
                *ctr, "tag", f"docker.io/library/{image}", f"docker.io/library/{name}:latest"
            )


def publish_names(running: Cluster, stop: threading.Event) -> None:
    """Tell the cluster's DNS the address of every service, again and again."""
    written = ""
    while not stop.wait(1):
        answer = running.kubectl("get", "services", "--output=json", check=False)
        if not answer.startswith("{"):
            continue
        text = "".join(
            f"{item['spec']['clusterIP']} {item['metadata']['name']}.{running.namespace}.{DOMAIN}\n"
            for item in json.loads(answer)["items"]
        )
        if text != written:
            running.machine.write(NAMES, text)
            # dnsmasq then reads the file again
            running.machine.run("sh", "-c", "kill -HUP $(cat /run/names.pid)")
            written = text


def last_lines(folder: Path) -> str:
    """Return the end of every program's log."""
    return "\n".join(
        f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}"
        for log in sorted(folder.glob("*.log"))
    )
