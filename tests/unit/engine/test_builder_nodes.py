"""Choose the node of a platform as buildx 0.13 and 0.29 do: found by building on two nodes."""

from __future__ import annotations

import pytest

from scripts.common import platforms
from scripts.engine import builder_nodes
from scripts.engine.builder_nodes import Node

AMD, ARM = "linux/amd64", "linux/arm64"
PRINTED = """\
Name:          pair
Driver:        remote
Last Activity: 2026-11-26 15:39:17 +0000 UTC

Nodes:
Name:             pair0
Endpoint:         tcp://127.0.0.1:7770
Driver Options:   cacert="/etc/buildkit/ca.pem" cert="/etc/buildkit/client.pem"
Status:           running
BuildKit version: v0.34.2
Platforms:        linux/amd64, linux/amd64/v2, linux/arm64, linux/386
Labels:
 org.mobyproject.buildkit.worker.hostname:         vm
GC Policy rule#0:
 All:           false

Name:      pair1
Endpoint:  tcp://127.0.0.1:7771
Status:    inactive
Platforms: linux/arm64*

Name:     pair2
Endpoint: tcp://127.0.0.1:7772
Error:    context deadline exceeded
"""
FIRST = Node("one", "tcp://one:1", "running", (AMD, "linux/386"))
EMULATES = Node("one", "tcp://one:1", "running", (AMD, ARM))
REPORTS = Node("two", "tcp://two:1", "running", (ARM,))
ASSIGNED = Node("two", "tcp://two:1", "running", (ARM, AMD), (ARM,))
# a builder in a container that the first build starts
STARTS = Node("starts", "unix:///var/run/docker.sock", "inactive")
AWAY = Node("away", "tcp://away:1", "inactive")
AWAY_ASSIGNED = Node("away", "tcp://away:1", "inactive", (ARM,), (ARM,))
BROKEN = Node("broken", "tcp://broken:1", "", (ARM,), (ARM,))


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platforms, "own_architecture", lambda: "amd64")


def test_nodes_are_read_with_what_they_have_and_what_they_are_for() -> None:
    assert list(builder_nodes.parse(PRINTED)) == [
        Node("pair0", "tcp://127.0.0.1:7770", "running", (AMD, "linux/amd64/v2", ARM, "linux/386")),
        Node("pair1", "tcp://127.0.0.1:7771", "inactive", (ARM,), (ARM,)),
        Node("pair2", "tcp://127.0.0.1:7772", ""),
    ]


@pytest.mark.parametrize(
    ("nodes", "architecture", "chosen", "native"),
    [
        ([], "arm64", None, False),
        ([FIRST, REPORTS], "", FIRST, False),
        # a first node of another platform builds what names none, and that for its own
        ([REPORTS, FIRST], "", FIRST, True),
        ([REPORTS, FIRST], "arm64", REPORTS, True),
        ([ASSIGNED, FIRST], "", ASSIGNED, False),  # it reports this machine's too
        ([REPORTS], "", REPORTS, False),
        ([STARTS, FIRST], "", STARTS, False),
        ([FIRST], "arm64", FIRST, False),
        ([FIRST, REPORTS], "arm64", REPORTS, True),
        ([EMULATES, REPORTS], "arm64", EMULATES, False),
        ([EMULATES, ASSIGNED], "arm64", ASSIGNED, True),
        ([FIRST, BROKEN], "arm64", FIRST, False),
        ([BROKEN, FIRST], "", FIRST, False),
    ],
)
def test_the_node_of_a_platform(
    nodes: list[Node], architecture: str, chosen: Node | None, native: bool
) -> None:
    assert builder_nodes.node_of(nodes, architecture) == chosen
    assert builder_nodes.is_native(nodes, architecture) is native


@pytest.mark.parametrize(
    ("nodes", "architecture", "silent"),
    [
        ([], "", []),
        ([FIRST, AWAY], "", []),
        ([AWAY, FIRST], "", [AWAY]),
        ([FIRST, AWAY_ASSIGNED], "", []),
        ([FIRST, AWAY_ASSIGNED], "arm64", [AWAY_ASSIGNED]),
        ([AWAY, ASSIGNED], "arm64", []),
        # buildx asks every node what it has
        ([EMULATES, AWAY], "arm64", [AWAY]),
        ([FIRST, BROKEN], "arm64", []),
        ([REPORTS, AWAY, FIRST], "", [AWAY]),
        ([REPORTS, AWAY_ASSIGNED, FIRST], "arm64", [AWAY_ASSIGNED]),
    ],
)
def test_the_nodes_that_are_waited_for_in_vain(
    nodes: list[Node], architecture: str, silent: list[Node]
) -> None:
    assert builder_nodes.silent(nodes, architecture) == silent


@pytest.mark.parametrize(
    ("nodes", "architecture", "named"),
    [
        ([], "", ""),
        ([FIRST], "", ""),
        ([EMULATES, REPORTS], "", ""),
        ([STARTS, REPORTS], "", ""),
        ([BROKEN, FIRST], "", ""),
        ([REPORTS, FIRST], "", "amd64"),
        ([REPORTS], "", "amd64"),
        ([REPORTS, FIRST], "arm64", "arm64"),
        ([FIRST, REPORTS], "arm64", "arm64"),
    ],
)
def test_a_platform_is_named_where_the_first_node_is_of_another(
    nodes: list[Node], architecture: str, named: str
) -> None:
    assert builder_nodes.named(nodes, architecture) == named
