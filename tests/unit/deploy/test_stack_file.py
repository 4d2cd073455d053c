"""docker-compose.yml converted for Swarm: whole, and without losing any setting."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from scripts.common.errors import DiskError, SutraError
from scripts.deploy import stack_file, stack_service
from scripts.deploy.stack_service import Options

IMAGE = "sha256:" + "1" * 64
OPTIONS = Options("mine", {"api:latest": IMAGE, "store:latest": IMAGE})
STORE: dict[str, Any] = {
    "cap_drop": ["ALL"],
    "command": None,
    "image": "store:latest",
    "labels": {"org.sutra.project": "mine"},
    "mem_limit": "536870912",
    "memswap_limit": "536870912",
    "networks": {"storage": None},
    "pids_limit": 64,
    "pull_policy": "never",
    "read_only": True,
    "restart": "unless-stopped",
    "secrets": [{"source": "storage-key", "target": "/run/secrets/storage-key"}],
    "security_opt": ["no-new-privileges:true"],
    "stop_grace_period": "10s",
    "user": "10001:10001",
    "volumes": [{"type": "volume", "source": "data", "target": "/data", "volume": {}}],
}
API: dict[str, Any] = {
    "depends_on": {"store": {"condition": "service_healthy", "required": True}},
    "environment": {"SUTRA_API_KEY": None, "URL": "http://store"},
    "healthcheck": {"test": ["CMD", "check", "8000", "/health"]},
    "image": "api:latest",
    "networks": {"public": None, "storage": None},
    "ports": [
        {
            "mode": "ingress",
            "host_ip": "127.0.0.1",
            "target": 8000,
            "published": "80",
            "protocol": "tcp",
        }
    ],
    "tmpfs": ["/tmp:size=16m,mode=1777,noexec,nosuid,nodev"],
    "user": "10001:10001",
}
CONFIG: dict[str, Any] = {
    "name": "mine",
    "services": {"api": API, "store": STORE},
    "networks": {
        "public": {"name": "mine_public", "ipam": {}, "labels": {"a": "b"}},
        "storage": {"name": "mine_storage", "ipam": {}, "internal": True},
    },
    "volumes": {"data": {"name": "mine_data", "labels": {"a": "b"}}},
    "secrets": {"storage-key": {"name": "mine_storage-key", "file": "/x/key"}},
    "x-hardened": {"any": "thing"},
}
EXPECTED = f"""\
# Made of docker-compose.yml by ./sutra-deploy.sh, and written again by each `up`.
version: '3.13'
services:
  api:
    environment:
      URL: http://store
    healthcheck:
      test:
      - CMD
      - check
      - '8000'
      - /live
    image: {IMAGE}
    networks:
      public: null
      storage: null
    ports:
    - target: 8000
      published: 80
      protocol: tcp
      mode: ingress
    volumes:
    - type: tmpfs
      target: /tmp
      tmpfs:
        size: 16777216
    user: 10001:10001
    deploy:
      update_config:
        parallelism: 1
        order: start-first
        monitor: 15s
        failure_action: rollback
      rollback_config:
        parallelism: 1
        order: start-first
        monitor: 15s
  store:
    cap_drop:
    - ALL
    image: {IMAGE}
    labels:
      org.sutra.project: mine
    deploy:
      labels:
        org.sutra.project: mine
      resources:
        limits:
          memory: '536870912'
          pids: 64
      restart_policy:
        condition: any
      placement:
        constraints:
        - node.labels.org.sutra.data == mine
      update_config:
        parallelism: 1
        order: stop-first
        monitor: 15s
        failure_action: rollback
      rollback_config:
        parallelism: 1
        order: stop-first
        monitor: 15s
    networks:
      storage: null
    read_only: true
    secrets:
    - source: storage-key
      target: storage-key
      uid: '10001'
      gid: '10001'
      mode: 256
    stop_grace_period: 10s
    user: 10001:10001
    volumes:
    - type: volume
      source: data
      target: /data
networks:
  public:
    driver: overlay
    labels:
      a: b
  storage:
    driver: overlay
    labels: {{}}
    internal: true
volumes:
  data:
    labels:
      a: b
secrets:
  storage-key:
    external: true
    name: mine-storage-key
"""


def config() -> dict[str, Any]:
    return copy.deepcopy(CONFIG)


def refused(changed: dict[str, Any]) -> str:
    with pytest.raises(SutraError) as caught:
        stack_file.make(changed, OPTIONS)
    return caught.value.message


def converted(service: str, **changes: Any) -> stack_service.Service:
    source = {**CONFIG["services"][service], **changes}
    return stack_service.convert(service, source, OPTIONS)


def test_the_whole_of_it() -> None:
    stack = stack_file.make(config(), OPTIONS)
    mark, _, rest = stack.text.partition("\n")
    assert rest == EXPECTED
    assert mark.startswith("# sha256:")
    assert stack.notes == (
        stack_service.ANY_ORDER,
        stack_service.LIVE,
        "ports: Swarm publishes on every address of every node, not on 127.0.0.1 alone: "
        "callers need SUTRA_API_KEY",
        stack_service.SWAP,
        stack_service.NO_NEW_PRIVILEGES,
    )


def test_a_callers_key_is_a_file_and_in_no_variable() -> None:
    settings = config()
    settings["services"]["api"]["environment"]["SUTRA_API_KEY"] = "0123456789abcdef"
    assert stack_file.api_key(settings) == "0123456789abcdef"
    options = Options("mine", OPTIONS.images, api_key="mine-api-key-1")
    stack = stack_file.make(settings, options)
    assert "0123456789abcdef" not in stack.text
    api = stack.content["services"]["api"]
    assert api["environment"] == {
        "URL": "http://store",
        "SUTRA_API_KEY_FILE": "/run/secrets/api-key",
    }
    assert api["secrets"] == [
        {"source": "api-key", "target": "api-key", "uid": "10001", "gid": "10001", "mode": 0o400}
    ]
    store = stack.content["services"]["store"]
    assert [secret["source"] for secret in store["secrets"]] == ["storage-key"]
    assert stack.content["secrets"]["api-key"] == {"external": True, "name": "mine-api-key-1"}


def test_ports_of_nodes_free_themselves_before_the_next_replica() -> None:
    options = Options("mine", OPTIONS.images, publish="host")
    api = stack_file.make(config(), options).content["services"]["api"]
    assert [port["mode"] for port in api["ports"]] == ["host"]
    assert api["deploy"]["endpoint_mode"] == "dnsrr"
    assert api["deploy"]["update_config"]["order"] == "stop-first"


def test_every_volume_pins_its_service() -> None:
    volume = {"type": "volume", "source": "other", "target": "/x", "read_only": True}
    service = converted("api", volumes=[volume]).stack
    assert service["deploy"]["placement"] == {"constraints": ["node.labels.org.sutra.data == mine"]}
    assert service["deploy"]["update_config"]["order"] == "stop-first"
    assert {"type": "volume", "source": "other", "target": "/x", "read_only": True} in service[
        "volumes"
    ]


@pytest.mark.parametrize(
    ("value", "policy"),
    [
        ("always", {"condition": "any"}),
        ("no", {"condition": "none"}),
        ("on-failure", {"condition": "on-failure"}),
        ("on-failure:3", {"condition": "on-failure", "max_attempts": 3}),
    ],
)
def test_restarts(value: str, policy: dict[str, Any]) -> None:
    assert converted("api", restart=value).stack["deploy"]["restart_policy"] == policy


def test_replicas_are_an_overrides_to_say() -> None:
    assert converted("api", deploy={"replicas": 3}).stack["deploy"]["replicas"] == 3


@pytest.mark.parametrize("form", ["seccomp=packages/a/seccomp.json", "seccomp:/etc/a.json"])
def test_a_seccomp_profile_is_named_as_lost(form: str) -> None:
    notes = stack_service.convert(
        "store", {**STORE, "security_opt": [form]}, Options("mine", {"store:latest": IMAGE})
    ).notes
    assert notes == [stack_service.SWAP, stack_service.SECCOMP]


# ---- what would be lost silently is an error ---------------------------------


@pytest.mark.parametrize(
    ("service", "key", "value", "problem"),
    [
        ("api", "image", None, "image: missing, and Swarm builds none"),
        ("api", "build", {"context": "."}, "build: no counterpart in Swarm is known"),
        ("api", "cgroup_parent", "x", "cgroup_parent: no counterpart in Swarm is known"),
        ("api", "privileged", True, "privileged: no counterpart in Swarm is known"),
        ("api", "devices", ["/dev/x"], "devices: no counterpart in Swarm is known"),
        ("api", "userns_mode", "host", "userns_mode: no counterpart in Swarm is known"),
        (
            "api",
            "security_opt",
            ["seccomp:unconfined"],
            'security_opt: Swarm would drop it "seccomp:unconfined"',
        ),
        (
            "api",
            "security_opt",
            ["apparmor=x.json"],
            'security_opt: Swarm would drop it "apparmor=x.json"',
        ),
        (
            "api",
            "security_opt",
            ["no-new-privileges:false"],
            'security_opt: Swarm would drop it "no-new-privileges:false"',
        ),
        (
            "store",
            "memswap_limit",
            "1073741824",
            'memswap_limit: not mem_limit, and Swarm knows no other "1073741824"',
        ),
        ("api", "memswap_limit", "1", 'memswap_limit: not mem_limit, and Swarm knows no other "1"'),
        ("api", "restart", "sometimes", 'restart: unknown "sometimes"'),
        ("api", "restart", "on-failure:x", 'restart: unknown "on-failure:x"'),
        ("api", "tmpfs", ["/tmp:size=16m,exec"], 'tmpfs: Swarm cannot mount it so "exec"'),
        ("api", "tmpfs", ["/tmp:uid=1"], 'tmpfs: Swarm cannot mount it so "uid"'),
        ("api", "tmpfs", ["/tmp"], 'tmpfs: no size, or no mode, that can be read "/tmp"'),
        (
            "api",
            "tmpfs",
            ["/tmp:size=50%"],
            'tmpfs: no size, or no mode, that can be read "/tmp:size=50%"',
        ),
        (
            "api",
            "tmpfs",
            ["/tmp:size=1m,mode=9"],
            'tmpfs: no size, or no mode, that can be read "/tmp:size=1m,mode=9"',
        ),
        (
            "api",
            "tmpfs",
            ["/tmp:size=1m,mode=0700"],
            'tmpfs: Swarm mounts with mode 1777, not "0700"',
        ),
        (
            "store",
            "volumes",
            [{"type": "bind", "source": "/x", "target": "/y"}],
            'volumes: only a named volume can be pinned to its node "/x"',
        ),
        (
            "store",
            "volumes",
            [{"type": "volume", "target": "/y"}],
            'volumes: only a named volume can be pinned to its node "/y"',
        ),
        (
            "store",
            "volumes",
            [{"type": "volume", "source": "a", "target": "/y", "tmpfs": {}}],
            "volumes.tmpfs: no counterpart in Swarm is known",
        ),
        ("store", "deploy", {"replicas": 2}, 'deploy.replicas: a volume has one writer, not "2"'),
        ("api", "deploy", {"mode": "global"}, "deploy.mode: no counterpart in Swarm is known"),
        (
            "api",
            "ports",
            [{"target": 80, "published": "80-81"}],
            'ports.published: not one port "80-81"',
        ),
        ("api", "ports", [{"target": 80}], 'ports.published: not one port ""'),
        (
            "api",
            "ports",
            [{"target": 80, "name": "x"}],
            "ports.name: no counterpart in Swarm is known",
        ),
        (
            "api",
            "secrets",
            [{"source": "a", "mode": "0444"}],
            "secrets.mode: no counterpart in Swarm is known",
        ),
        ("api", "healthcheck", {"other": 1}, "healthcheck.other: no counterpart in Swarm is known"),
        (
            "api",
            "networks",
            {"storage": {"ipv4_address": "10.0.0.2"}},
            "networks.storage.ipv4_address: no counterpart in Swarm is known",
        ),
    ],
)
def test_a_key_that_swarm_cannot_hold_is_refused(
    service: str, key: str, value: Any, problem: str
) -> None:
    changed = config()
    changed["services"][service][key] = value
    assert refused(changed) == f"docker-compose.yml: services.{service}.{problem}"


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("configs",), {}, "configs"),
        (("networks", "storage", "driver_opts"), {}, "networks.storage.driver_opts"),
        (("networks", "public", "external"), True, "networks.public.external"),
        (("networks", "public", "ipam"), {"config": []}, "networks.public.ipam.config"),
        (("volumes", "data", "driver"), "nfs", "volumes.data.driver"),
        (("secrets", "storage-key", "environment"), "X", "secrets.storage-key.environment"),
    ],
)
def test_a_key_elsewhere_is_refused(path: tuple[str, ...], value: Any, problem: str) -> None:
    changed: Any = config()
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert refused(changed) == f"docker-compose.yml: {problem}: no counterpart in Swarm is known"


# ---- the file ---------------------------------------------------------------


def test_a_file_as_it_was_written_is_written_anew(folder: Path) -> None:
    stack_file.write(stack_file.make(config(), OPTIONS))
    other = stack_file.make(config(), Options("mine", OPTIONS.images, publish="host"))
    stack_file.write(other)
    assert stack_file.FILE.read_text() == other.text


@pytest.mark.parametrize("edit", ["read_only: true\n", "", None])
def test_a_file_that_was_edited_is_neither_overwritten_nor_deployed(
    folder: Path, edit: str | None
) -> None:
    stack = stack_file.make(config(), OPTIONS)
    stack_file.write(stack)
    edited = "" if edit is None else stack.text.replace("    read_only: true\n", f"  {edit}")
    stack_file.FILE.write_text(edited)
    with pytest.raises(SutraError) as caught:
        stack_file.write(stack)
    assert (caught.value.message, caught.value.tip) == (
        ".build/swarm/stack.yml: edited by hand, nothing was deployed",
        "put the change into docker-compose.override.yml, then `rm .build/swarm/stack.yml`",
    )
    assert stack_file.FILE.read_text() == edited


def test_a_file_that_cannot_be_written_is_one_line(folder: Path) -> None:
    Path(".build/swarm").parent.mkdir()
    Path(".build/swarm").mkdir()
    stack_file.FILE.mkdir()
    with pytest.raises(SutraError) as caught:
        stack_file.write(stack_file.make(config(), OPTIONS))
    assert caught.value.message == ".build/swarm/stack.yml: cannot be read: Is a directory"
    stack_file.FILE.rmdir()
    Path(".build/swarm").rmdir()
    Path(".build/swarm").touch()
    with pytest.raises((DiskError, SutraError)) as caught:
        stack_file.write(stack_file.make(config(), OPTIONS))
    assert caught.value.message.startswith(".build/swarm/stack.yml: cannot be read: Not a")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "No such file or directory"),
        ("", "not what compose writes"),
        ("[]", "not what compose writes"),
        ("{}", "not what compose writes"),
        ('{"name": 1, "services": {}}', "not what compose writes"),
        ('{"name": "a", "services": []}', "not what compose writes"),
        ("[" * 100_000, "not what compose writes"),
    ],
)
def test_what_compose_did_not_write_is_refused(
    folder: Path, text: str | None, problem: str
) -> None:
    if text is not None:
        Path("c").write_text(text)
    with pytest.raises(SutraError) as caught:
        stack_file.read(Path("c"))
    assert caught.value.message == f"c: {problem}"


def test_what_compose_writes_is_read(folder: Path) -> None:
    Path("c").write_text(json.dumps(CONFIG))
    assert stack_file.read(Path("c")) == CONFIG
