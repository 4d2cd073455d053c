"""What holds for every production image."""

from __future__ import annotations

import re
from collections.abc import Callable

import docker
import pytest

from tests.images.conftest import Files
from tests.support import rules
from tests.support.names import IMAGES, SERVICES

LABELS = ("title", "description", "version", "revision", "created", "base.name")
Listing = Callable[[str], Files]


@pytest.mark.parametrize("image", IMAGES)
def test_no_shell_package_manager_or_compiler(files: Listing, image: str) -> None:
    assert rules.tools(files(image)) == []


@pytest.mark.parametrize("image", IMAGES)
def test_no_headers_tests_documentation_or_caches(files: Listing, image: str) -> None:
    assert rules.leftovers(files(image)) == []


@pytest.mark.parametrize("image", IMAGES)
def test_no_file_with_unsafe_rights(files: Listing, image: str) -> None:
    assert rules.unsafe(files(image)) == []


@pytest.mark.parametrize("image", IMAGES)
def test_runs_as_the_same_numeric_user(
    client: docker.DockerClient, production: object, image: str
) -> None:
    assert client.images.get(f"{image}:prod").attrs["Config"]["User"] == "10001:10001"


@pytest.mark.parametrize("image", IMAGES)
def test_the_accounts_name_that_user(files: Listing, image: str) -> None:
    assert files(image)["etc/passwd"].isreg()


@pytest.mark.parametrize("image", IMAGES)
def test_carries_the_oci_labels_of_the_commit(
    client: docker.DockerClient, production: object, image: str
) -> None:
    labels = client.images.get(f"{image}:prod").labels
    found = {name: labels.get(f"org.opencontainers.image.{name}", "") for name in LABELS}
    assert all(found.values()), found
    assert found["title"] == image
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", found["revision"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", found["created"])


@pytest.mark.parametrize("image", SERVICES)
def test_a_service_starts_without_a_shell(
    client: docker.DockerClient, production: object, image: str
) -> None:
    config = client.images.get(f"{image}:prod").attrs["Config"]
    assert config["Cmd"]
    assert config["Cmd"][0] not in ("/bin/sh", "sh")
    assert config["Healthcheck"]["Test"][0] == "CMD"
