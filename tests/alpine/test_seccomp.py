"""The API on a real Alpine under its profile: musl and BusyBox make other calls than Debian's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import docker
import pytest

from scripts.catalog import catalog
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.runtime import seccomp_profile, seccomp_recording, service
from scripts.checks.runtime.system_call_names import allowed
from scripts.checks.runtime.verify import verify_one
from scripts.engine import images, sandbox
from tests.e2e.test_deploy import OUTSIDE, REFUSED

pytestmark = pytest.mark.long
NAME = "sutra-api"


@pytest.fixture(scope="module")
def promises() -> Catalog:
    return catalog.load(environment={"BASE": "alpine"})


@pytest.fixture(scope="module")
def api(promises: Catalog) -> Image:
    image = promises.find(NAME)
    assert image.runtime.seccomp
    assert image.runtime.requests
    return image


@pytest.fixture(scope="module")
def inspected(client: docker.DockerClient, bases_and_api: Mapping[str, str]) -> Mapping[str, Any]:
    attributes = images.inspect(client, bases_and_api[NAME])
    assert attributes
    return attributes


def test_what_it_calls_there_is_in_its_profile(
    client: docker.DockerClient, promises: Catalog, api: Image, inspected: Mapping[str, Any]
) -> None:
    recorded = seccomp_recording.record(client, promises, api, inspected)
    assert recorded.names
    assert [answer.status for answer in recorded.answers if answer.status >= 500] == []
    assert allowed(recorded.names) - seccomp_profile.names_in(api) == set()


def test_it_is_held_to_its_profile_and_answers(
    client: docker.DockerClient, promises: Catalog, api: Image, inspected: Mapping[str, Any]
) -> None:
    identity = str(inspected["Id"])
    results = {result.name: result for result in verify_one(client, promises, api, identity, {})}
    assert [result for result in results.values() if not result.ok] == []
    # measured: one that could not be watched has no number
    assert (results["seccomp"].actual, results["ready"].ok) == (0, True)


def test_a_call_outside_of_it_is_refused(
    client: docker.DockerClient, api: Image, inspected: Mapping[str, Any]
) -> None:
    setup = service.setup_of(api, inspected, "none")
    code, output = sandbox.run(client, replace(setup, command=("python", "-c", OUTSIDE)), 60)
    assert (code, output.splitlines()) == (0, REFUSED)
