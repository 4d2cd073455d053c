"""A remote builder over mutual TLS, and its failures: part of `make test-engines`.

Not of `make test`, whence the name that pytest does not look for: buildkitd is compiled first.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest

from scripts.common import platforms
from tests.engines import buildkit, matrix
from tests.engines.machine import SOURCE, Done, Machine, commit

TARGET = "sutra-base-rust-runtime"
OWN = platforms.own_architecture()
(OTHER,) = {"amd64", "arm64"} - {OWN}
# address of a farm's node by its platform
NODES = {OWN: buildkit.ADDRESS, OTHER: buildkit.OTHER_ADDRESS}
PATH = f"{SOURCE}:{SOURCE}/base-images/lib"
TWO_PLATFORMS = {
    ".gitignore": ".cache\n.build\n",
    "Dockerfile": "FROM scratch\nCOPY content /\n",
    "content": "of any platform",
    "docker-bake.hcl": """
variable "PLATFORM" { default = "" }
group "prod" { targets = ["two"] }
target "two" {
  platforms = PLATFORM == "" ? [] : [PLATFORM]
  tags      = ["two:prod"]
  output    = ["type=docker"]
}
""",
    "images.yaml": """
release: {budget: {installed: 1 MB, download: 1 MB}}
images: {two: {budget: {installed: 1 MB, download: 1 MB}}}
""",
}
# folder of buildkitd's running steps: its runc is started there
EXECUTOR = f"{buildkit.DATA}/runc-overlayfs/executor/"
# address that nothing listens on
NOWHERE = "tcp://127.0.0.1:7779"
IDS = ("docker", "image", "inspect", "--format={{.Id}}", f"{TARGET}:prod")


@pytest.fixture(scope="module", params=[True, False], ids=["containerd", "classic"])
def farm(newest: Machine, request: pytest.FixtureRequest) -> Iterator[Machine]:
    with newest.engine(containerd_store=request.param):
        buildkit.start(newest)
        yield newest
        buildkit.stop(newest)


def build(machine: Machine, *words: str, builder: str = buildkit.BUILDER, cache: str = "") -> Done:
    command = (*matrix.PYTHON, "build", *(words or (TARGET,)))
    return machine.run(*command, BUILDER=builder, CACHE=cache)


def forget(machine: Machine) -> None:
    """Remove everything that the builder has built."""
    done = machine.run("docker", "buildx", "prune", "-af", "--builder", buildkit.BUILDER)
    assert done.code == 0, done.text


def test_images_come_back_into_the_engine(farm: Machine) -> None:
    done = build(farm)
    assert done.code == 0, done.text[-3000:]
    assert farm.run(*IDS).text.startswith("sha256:")
    used = farm.run("docker", "buildx", "du", "--builder", buildkit.BUILDER).text
    assert re.search(r"^Total:\s+\d[\d.]+MB$", used, re.MULTILINE), used


def test_what_is_verified_is_what_came_back(farm: Machine) -> None:
    done = farm.run(*matrix.PYTHON, "verify-contents", f"{TARGET}:prod", "--as", TARGET)
    assert done.code == 0, done.text[-3000:]


def test_an_empty_builder_begins_where_the_cache_ends(farm: Machine) -> None:
    farm.run("rm", "-rf", "/tmp/cache")  # of the engine's other store
    forget(farm)
    first = build(farm, cache="/tmp/cache")
    assert first.code == 0, first.text[-3000:]
    assert "Get:1 " in first.text  # apt's word for a package that it fetches
    forget(farm)
    again = build(farm, cache="/tmp/cache")
    assert again.code == 0, again.text[-3000:]
    assert "Get:1 " not in again.text
    assert "CACHED" in again.text


def test_a_cache_with_other_bytes_is_left_out_and_written_anew(farm: Machine) -> None:
    spoil = "echo x | tee -a $(find /tmp/cache -type f -size +1M)"
    assert farm.run("sh", "-c", spoil).code == 0
    forget(farm)
    done = build(farm, cache="/tmp/cache")
    assert done.code == 0, done.text[-3000:]
    assert (
        f'CACHE: "/tmp/cache/{TARGET}" does not match its digests: '
        "building without it and writing it again"
    ) in done.text.splitlines()
    assert "Get:1 " in done.text
    assert "does not match its digests" not in build(farm, cache="/tmp/cache").text


def test_a_certificate_of_another_authority_is_refused(farm: Machine) -> None:
    buildkit.create(farm, "stranger", "stranger")
    assert_refused(build(farm, builder="stranger"), "stranger", buildkit.ADDRESS)


def test_a_builder_that_does_not_run(farm: Machine) -> None:
    buildkit.create(farm, "nobody", "client", NOWHERE)
    assert_refused(build(farm, builder="nobody"), "nobody", NOWHERE)


def assert_refused(
    done: Done, name: str, address: str, otherwise: str = "build without BUILDER"
) -> None:
    assert done.code == 2
    assert done.text.splitlines()[-2:] == [
        f'builder: no answer from "{name}" at {address}',
        "tip: check that buildkitd runs there and takes this certificate "
        f"(`docker buildx inspect {name}`), or {otherwise}",
    ]


def test_a_node_that_nothing_is_built_on_may_be_away(farm: Machine) -> None:
    buildkit.create(farm, "pair", "client", buildkit.ADDRESS, NOWHERE)
    done = build(farm, builder="pair")
    assert done.code == 0, done.text[-3000:]


def test_a_first_node_that_is_away_is_taken_out(farm: Machine) -> None:
    buildkit.create(farm, "pair", "client", NOWHERE, buildkit.ADDRESS)
    take_out = "docker buildx create --name pair --leave --node pair0"
    refused = build(farm, builder="pair")
    assert_refused(refused, "pair", NOWHERE, f"take it out: `{take_out}`")
    assert farm.run(*take_out.split()).code == 0
    done = build(farm, builder="pair")
    assert done.code == 0, done.text[-3000:]


@pytest.mark.parametrize("first", [OWN, OTHER])
def test_a_farm_of_two_platforms_builds_each_on_its_node(farm: Machine, first: str) -> None:
    """Nothing is emulated: the small image of the other platform runs no program."""
    content = TWO_PLATFORMS | {"content": f"the first node is of {first}"}
    farm.put("/two", {name: text.encode() for name, text in content.items()})
    commit(farm, "/two")
    forget(farm)
    environment = {"BUILDER": "pair", "PLATFORMS": f"linux/{OWN},linux/{OTHER}"}
    with buildkit.other(farm, f"linux/{OTHER}") as alone:
        pair(farm, first)
        program = (f"{SOURCE}/{matrix.PYTHON[0]}", *matrix.PYTHON[1:])
        done = farm.run(*program, "build", folder="/two", PYTHONPATH=PATH, **environment)
        assert done.code == 0, done.text[-3000:]
        assert not is_empty(farm, alone)
    assert not is_empty(farm, buildkit.BUILDER)
    for name, architecture in (("two", OWN), (f"{OTHER}/two", OTHER)):
        assert architecture_of(farm, f"{name}:prod") == architecture


def test_a_first_node_of_another_platform_is_sent_nothing_for_this_machine(farm: Machine) -> None:
    alone_done = build(farm)
    assert alone_done.code == 0, alone_done.text[-3000:]
    before = farm.run(*IDS).text
    with buildkit.other(farm, f"linux/{OTHER}") as alone:
        pair(farm, OTHER)
        done = build(farm, builder="pair")
        assert done.code == 0, done.text[-3000:]
        assert is_empty(farm, alone)
    assert architecture_of(farm, f"{TARGET}:prod") == OWN
    assert farm.run(*IDS).text == before


def pair(machine: Machine, first: str) -> None:
    """Register a farm with a node for each platform. An emulating node reports both."""
    order = sorted(NODES, key=lambda architecture: architecture != first)
    addresses = [NODES[architecture] for architecture in order]
    named = [f"linux/{architecture}" for architecture in order]
    buildkit.create(machine, "pair", "client", *addresses, platforms=named)


def architecture_of(machine: Machine, reference: str) -> str:
    words = ("docker", "image", "inspect", "--format={{.Architecture}}", reference)
    return machine.run(*words).text.strip()


def is_empty(machine: Machine, builder: str) -> bool:
    """Return whether a builder has built nothing."""
    used = machine.run("docker", "buildx", "du", "--builder", builder)
    assert used.code == 0, used.text
    return bool(re.search(r"^Total:\s+0B$", used.text, re.MULTILINE))


def test_a_builder_that_nobody_made(farm: Machine) -> None:
    done = build(farm, builder="nothing")
    assert done.code == 2
    assert done.text.splitlines()[-2:] == [
        'builder: cannot use "nothing": no builder "nothing" found',
        "tip: `docker buildx ls` lists the builders; docs/build-farm.md shows how to make one",
    ]


def test_a_builder_that_is_killed_in_the_middle_moves_no_tag(farm: Machine) -> None:
    before = farm.run(*IDS).text
    kill = threading.Thread(target=kill_when_busy, args=(farm,))
    kill.start()
    done = build(farm, "dev-bases")
    kill.join()
    assert done.code == 2
    lines = done.text.splitlines()
    assert lines[-2].startswith('build: the builder "farm" went away: '), done.text[-2000:]
    assert lines[-1].startswith("tip: `docker buildx inspect farm` ")
    assert farm.run(*IDS).text == before
    assert "building-" not in farm.run("docker", "images").text
    buildkit.start(farm)
    again = build(farm)
    assert again.code == 0, again.text[-3000:]


def kill_when_busy(machine: Machine) -> None:
    """Kill buildkitd as soon as it runs a step."""
    end = time.monotonic() + 120
    while machine.run("pgrep", "-f", EXECUTOR, folder="/").code:
        assert time.monotonic() < end
        time.sleep(0.2)
    machine.run("pkill", "-9", "-x", "buildkitd", folder="/")
