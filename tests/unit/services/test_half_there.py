"""A service that was added by hand: what it lacks is named at once, before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.__main__ import main as front_door
from scripts.catalog import catalog
from scripts.common.errors import SutraError
from scripts.services import half_there, shared_files
from scripts.services.shared_files import FILES
from scripts.services.words import Words
from tests.conftest import ROOT
from tests.unit.services.conftest import changes

NAME = "sutra-test-greeter"
LANGUAGES = "go, node, python, rust"
ALL = (
    f"packages/{NAME}/Dockerfile.prod",
    f"packages/{NAME}/Dockerfile",
    f"deploy/kubernetes/base/{NAME}.yaml",
    *(f"{file.name}: {file.what}" for file in FILES),
)


def lines(*there: str) -> list[str]:
    """Return the lines for all pieces but for those that are there."""
    return [f'services: missing of "{NAME}": {part}' for part in ALL if part not in there]


@pytest.fixture
def added(checkout: Path) -> Path:
    """A service that is whole."""
    front_door(["new-service", "--name", NAME, "--language", "go"])
    return checkout


def without(name: str) -> None:
    """Take a service's part out of a shared file."""
    file = next(shared for shared in FILES if shared.name == name)
    Path(name).write_text(shared_files.without(file, Path(name).read_text(), Words(NAME)))


def refused() -> list[str]:
    with pytest.raises(SutraError) as caught:
        half_there.refuse_half_there()
    assert caught.value.tip == (
        "add what is missing; `make remove-service NAME=…` takes away one that is not wanted"
    )
    return caught.value.message.splitlines()


def test_the_product_and_a_new_service_are_whole(
    added: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert half_there.refuse_half_there() == []
    monkeypatch.chdir(ROOT)
    assert half_there.refuse_half_there() == []


@pytest.mark.parametrize("kept", ["docker-bake.hcl", "images.yaml", "docker-compose.yml"])
def test_one_line_alone_names_every_other_piece(checkout: Path, kept: str) -> None:
    front_door(["new-service", "--name", NAME, "--language", "go"])
    text = Path(kept).read_text()
    front_door(["remove-service", "--name", NAME, "--yes"])
    Path(kept).write_text(text)
    (part,) = (part for part in ALL if part.startswith(kept))
    assert refused() == lines(part)
    before = changes()
    with pytest.raises(SutraError) as caught:
        front_door(["build"])  # it ends before an engine is asked
    assert caught.value.message.splitlines() == lines(part)
    assert changes() == before


def test_a_folder_that_no_list_has_is_named(checkout: Path) -> None:
    folder = checkout / "packages" / NAME
    folder.mkdir()
    (folder / "Dockerfile.prod").write_text("FROM scratch\n")
    assert refused() == lines(f"packages/{NAME}/Dockerfile.prod")


@pytest.mark.parametrize(
    "kept", [f"packages/{NAME}/Dockerfile", f"deploy/kubernetes/base/{NAME}.yaml"]
)
def test_one_file_alone_names_every_other_piece(checkout: Path, kept: str) -> None:
    front_door(["new-service", "--name", NAME, "--language", "go"])
    text = Path(kept).read_text()
    front_door(["remove-service", "--name", NAME, "--yes"])
    Path(kept).parent.mkdir(exist_ok=True)
    Path(kept).write_text(text)
    assert refused() == lines(kept)


def test_others_that_run_beside_ours_are_no_services(checkout: Path) -> None:
    (checkout / "deploy/kubernetes/base/cache.yaml").write_text("      image: valkey:8\n")
    compose = checkout / "docker-compose.yml"
    other = "\n  cache:\n    image: ${REGISTRY:+${REGISTRY-}/}valkey:8\n"
    compose.write_text(compose.read_text().replace("\nnetworks:\n", f"{other}\nnetworks:\n"))
    (checkout / "packages/library").mkdir()
    assert half_there.refuse_half_there() == []


@pytest.mark.parametrize(
    ("old", "new", "problems"),
    [
        ('"go"', '"cobol"', [f'{NAME}: unknown language "cobol", choose one of {LANGUAGES}']),
        (f'name = "{NAME}"', 'name = "Greeter"', ['not the name of an image "Greeter"']),
        (
            'language = "go"',
            'language = ""',
            [f'{NAME}: unknown language "", choose one of {LANGUAGES}'],
        ),
    ],
)
def test_a_wrong_line_of_the_list_is_named(
    added: Path, old: str, new: str, problems: list[str]
) -> None:
    file = added / "docker-bake.hcl"
    (line,) = [text for text in file.read_text().splitlines() if f'name = "{NAME}"' in text]
    file.write_text(file.read_text().replace(line, line.replace(old, new)))
    shown = [line for line in refused() if line.startswith("docker-bake.hcl: SERVICES: ")]
    assert shown == [f"docker-bake.hcl: SERVICES: {problem}" for problem in problems]


def test_a_service_that_is_listed_twice_is_named(added: Path) -> None:
    file = added / "docker-bake.hcl"
    (line,) = [text for text in file.read_text().splitlines(True) if f'name = "{NAME}"' in text]
    file.write_text(file.read_text().replace(line, line * 2))
    assert refused() == [f'docker-bake.hcl: SERVICES: listed 2 times "{NAME}"']


def test_a_port_of_another_service_is_a_line(added: Path) -> None:
    file = added / "docker-compose.yml"
    file.write_text(file.read_text().replace("_GREETER_PORT:-8002", "_GREETER_PORT:-8001"))
    assert half_there.refuse_half_there() == [
        f'docker-compose.yml: services.{NAME}.ports: 8001 is that of "sutra-hybrid"'
    ]


@pytest.mark.parametrize("name", ["docker-bake.hcl", "images.yaml"])
def test_what_an_image_needs_is_refused(added: Path, name: str) -> None:
    without(name)
    assert refused() == [f'services: missing of "{NAME}": {part}' for part in ALL if name in part]


def test_what_only_a_deployment_needs_is_a_line(added: Path) -> None:
    without("docker-compose.yml")
    Path(f"packages/{NAME}/Dockerfile").unlink()
    assert half_there.refuse_half_there() == [
        f'services: missing of "{NAME}": packages/{NAME}/Dockerfile',
        f'services: missing of "{NAME}": docker-compose.yml: service',
    ]


def test_a_slip_in_the_catalogue_is_left_to_the_build(added: Path) -> None:
    text = Path("images.yaml").read_text()
    Path("images.yaml").write_text(text.replace(f"  {NAME}:", f"  {NAME}s:"))
    assert half_there.refuse_half_there() == []


@pytest.mark.parametrize("name", [file.name for file in FILES])
def test_a_part_of_a_checkout_deploys_nothing(added: Path, name: str) -> None:
    Path(f"packages/{NAME}/Dockerfile").unlink()
    assert half_there.refuse_half_there() != []
    Path(name).unlink()
    assert half_there.refuse_half_there() == []


def test_a_checkout_without_a_list_has_no_services(checkout: Path) -> None:
    Path("docker-bake.hcl").write_text(
        "".join(f'target "{image.key}" {{}}\n' for image in catalog.load().images)
    )
    assert half_there.refuse_half_there() == []


@pytest.mark.parametrize(
    "line",
    [
        '{ folder = "NAME", language = "python", name = "NAME" },',
        '{name="NAME",language="python",folder="NAME"},',
        '\t{ name = "NAME", language = "python",  folder = "NAME", },  # ours',
        '{ name = "NAME", language = "python", folder = "NAME" }, // ours',
    ],
)
def test_a_line_that_a_person_wrote_in_another_form_is_one_of_the_list(
    added: Path, line: str
) -> None:
    file = added / "docker-bake.hcl"
    before = file.read_text()
    (ours,) = [text for text in before.splitlines(True) if f'name = "{NAME}"' in text]
    file.write_text(before.replace(ours, f"    {line.replace('NAME', NAME)}\n"))
    assert half_there.refuse_half_there() == []
    assert front_door(["remove-service", "--name", NAME, "--yes"]) == 0
    assert file.read_text() == before.replace(ours, "")


def test_a_line_without_one_of_its_keys_is_none_of_the_list(added: Path) -> None:
    file = added / "docker-bake.hcl"
    file.write_text(file.read_text().replace(f', folder = "{NAME}"', ""))
    assert refused() == [f'services: missing of "{NAME}": docker-bake.hcl: line of SERVICES']
