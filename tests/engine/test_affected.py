"""What a change of this checkout rebuilds, by its own bake file as buildx reads it."""

from __future__ import annotations

import json
import re

import pytest

from scripts.__main__ import main as front_door
from scripts.build import graph
from scripts.common import git
from scripts.engine import buildx
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("running_engine")


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("scripts/checks/gate.py", {"sutra-images", "sutra-sbom-generator"}),
        ("packages/sutra-images/src/sutra_images/__main__.py", {"sutra-images"}),
        ("packages/sutra-storage/src/main.rs", {"sutra-storage-postgres"}),
        ("packages/sutra-api/src/sutra_api/routes.py", set()),
        ("README.md", set()),
    ],
)
def test_a_change_names_images_of_no_release_too(
    file: str, names: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(git, "changed_since", lambda since: [file])
    assert front_door(["affected", "--since", "main", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["on_request"].keys() == names


def test_every_image_of_the_bake_file_is_in_a_group_that_is_read() -> None:
    text = (ROOT / "docker-bake.hcl").read_text()
    targets = re.findall(r'^target "([^_"][^"]*)" {\n(.*?)^}$', text, re.MULTILINE | re.DOTALL)
    tagged = {name for name, body in targets if re.search(r"^  tags +=", body, re.MULTILINE)}
    plan = buildx.bake_plan([*graph.GROUPS, graph.ON_REQUEST], {})
    nodes = graph.read(plan, ROOT)
    assert tagged - {name for name, node in nodes.items() if node.tags} == {
        # built where a service is written in that language
        "sutra-base-go-dev",
        "sutra-base-node-dev",
    }
