"""The wheel of packages/sutra-images, installed where nothing of this repository is."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tests.support.fixture_images import Made
from tests.support.good_image import NAME, good
from tests.unit.checks.contents.judging import exe
from tests.unit.fakes import program

PROJECT = ROOT / "packages/sutra-images"
MODULES = "sutra_images/root/"
CATALOG = f"""\
images:
  {NAME}:
    tag: archive:./image.tar
    budget: {{installed: 1 MB, download: 1 MB}}
"""


@dataclass(frozen=True)
class Installed:
    """A wheel, and the folder with the environment that it is installed in."""

    wheel: Path
    environment: Path

    def run(self, folder: Path, *command: str, **environment: str) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr of a program of the environment."""
        done = subprocess.run(
            [self.environment / "bin" / command[0], *command[1:]],
            cwd=folder,
            env=clean(folder, **environment),
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr


def clean(folder: Path, **more: str) -> dict[str, str]:
    """Return an environment in which nothing leads to this repository."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    return {**kept, "HOME": str(folder / "home"), **more}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build and install without a network: what it depends on comes from this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin/python"
    install = ("install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    pip = [sys.executable, "-m", "pip", "--python", str(python), *install, str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(wheel, environment)


@pytest.fixture
def repository(folder: Path) -> Path:
    """A new repository with an image and five lines."""
    subprocess.run(["git", "init", "--quiet", "."], check=True)
    (folder / "images.yaml").write_text(CATALOG)
    good().save(folder / "image.tar")
    return folder


FOUND = f"{NAME}: archive:./image.tar\n"


def test_an_image_that_keeps_its_promises(installed: Installed, repository: Path) -> None:
    code, out, err = installed.run(repository, "sutra-images", "verify", "--format", "markdown")
    assert (code, err) == (0, FOUND)
    assert out.startswith("| image | installed | budget | download | budget | ok |\n")
    names = {"images.yaml", "image.tar", "home", ".git"}
    assert {path.name for path in repository.iterdir()} == names
    assert (repository / "home/.cache/sutra-images").is_dir()


def test_a_tag_of_a_service_as_the_issue_calls_it(installed: Installed, repository: Path) -> None:
    words = ("verify", "archive:./image.tar", "--like", f"images.yaml#{NAME}")
    assert installed.run(repository, "sutra-images", *words)[::2] == (0, FOUND)
    assert installed.run(repository, "python", "-m", "sutra_images", *words)[::2] == (0, FOUND)


def test_over_budget(installed: Installed, repository: Path) -> None:
    good({"app/model": b"x" * 2_000_000}).save(repository / "image.tar")
    code, out, err = installed.run(repository, "sutra-images", "verify")
    assert code == 1
    assert "OVER" in out
    assert f'images.yaml: images.{NAME}.budget.installed: over budget "2.0 MB"' in err
    assert err.endswith(
        f"tip: sutra-images verify archive:./image.tar --like 'images.yaml#{NAME}' --all\n"
    )


def test_forbidden_files(installed: Installed, repository: Path) -> None:
    good(exe("app/sh")).save(repository / "image.tar")
    code, _, err = installed.run(repository, "sutra-images", "verify", "--all")
    assert (code, err) == (
        1,
        f'{FOUND}images.yaml: images.{NAME}.contents.shells: forbidden "app/sh"\n'
        "tip: fix the image, or allow it in the catalogue with a reason: "
        "contents: {RULE: {allow: [PATH], because: …}}\n",
    )


def test_an_unknown_key_of_the_catalogue(installed: Installed, repository: Path) -> None:
    (repository / "images.yaml").write_text(CATALOG.replace("budget", "budgets"))
    assert installed.run(repository, "sutra-images", "verify") == (
        2,
        "",
        f'images.yaml: images.{NAME}: unknown key "budgets", did you mean "budget"?\n'
        "tip: fix images.yaml, then run the same command again\n",
    )


def test_an_image_without_files(installed: Installed, repository: Path) -> None:
    Made([{}]).save(repository / "image.tar")
    assert installed.run(repository, "sutra-images", "verify") == (
        2,
        "",
        f'{FOUND}archive:./image.tar: image without files, layers: "1"\n'
        "tip: every rule would pass; save or build the image again\n",
    )


def test_without_an_engine_a_tag_ends_in_one_line(installed: Installed, repository: Path) -> None:
    host = f"unix://{repository}/none.sock"
    code, out, err = installed.run(
        repository, "sutra-images", "verify", "web:prod", DOCKER_HOST=host
    )
    assert (code, out) == (2, "")
    first, line, tip = err.splitlines()
    assert first == f"{NAME}: web:prod"
    assert line.startswith("engine: no answer")
    assert tip == (
        "tip: start the engine; an image in a file is archive:FILE or oci:FOLDER, "
        "one in a registry registry:HOST/NAME"
    )


def test_a_call_without_a_command_and_the_version(installed: Installed, repository: Path) -> None:
    code, out, err = installed.run(repository, "sutra-images", "--version")
    assert (code, out, err) == (0, "sutra-images 0.1.0\n", "")
    assert installed.run(repository, "sutra-images")[0] == 2


def test_the_modules_of_a_repository_are_never_taken_for_ours(
    installed: Installed, repository: Path
) -> None:
    for name in ("scripts", "sutra_cleanup"):
        (repository / name).mkdir()
        (repository / name / "__init__.py").write_text("raise SystemExit('theirs')\n")
    assert installed.run(repository, "python", "-m", "sutra_images", "verify")[0] == 0


def test_nothing_called_scripts_is_installed(installed: Installed, repository: Path) -> None:
    code, _, err = installed.run(repository, "python", "-c", "import sutra_images, scripts")
    assert code == 1
    assert err.endswith("ModuleNotFoundError: No module named 'scripts'\n")


# ---- what is in it -----------------------------------------------------------


def imported(source: str, package: str) -> Iterator[str]:
    """Yield every name that a module imports, also inside of functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            within = package if node.level else ""
            yield ".".join(part for part in (within, node.module) if part)


def modules(wheel: Path) -> dict[str, str]:
    """Return the source of each of our modules in a wheel, by its dotted name."""
    sources = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            path = name.removeprefix(MODULES).removeprefix("base-images/lib/")
            if name.startswith(MODULES) and name.endswith(".py"):
                dotted = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                sources[dotted] = archive.read(name).decode()
    return sources


def test_what_the_modules_import_is_in_the_wheel_or_declared(installed: Installed) -> None:
    sources = modules(installed.wheel)
    with zipfile.ZipFile(installed.wheel) as archive:
        (place,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        lines = archive.read(place).decode().splitlines()
    declared = {
        canonicalize_name(Requirement(line.partition(": ")[2]).name)
        for line in lines
        if line.startswith("Requires-Dist")
    }
    # from Python 3.14 on the standard library has it, as compression.zstd
    missing, used = set[str](), {"backports-zstd"}
    distributions = metadata.packages_distributions()
    for module, source in sources.items():
        for name in imported(source, module.rpartition(".")[0]):
            top = name.partition(".")[0]
            if top in ("scripts", "sutra_cleanup"):
                missing |= {name} - sources.keys()
            elif top not in {*sys.stdlib_module_names, "compression", "backports"}:
                used |= {canonicalize_name(distribution) for distribution in distributions[top]}
    assert missing == set()
    assert used == declared


def test_the_data_of_the_rules_is_in_the_wheel(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = set(archive.namelist())
    folders = ("scripts/checks/contents", "scripts/image", "base-images/cleanup")
    data = {
        f"{MODULES}{file.relative_to(ROOT)}"
        for folder in folders
        for file in (ROOT / folder).rglob("*")
        if file.suffix in (".txt", ".toml", ".yaml")
    }
    assert len(data) > 10
    assert data <= names
    assert not [name for name in names if name.endswith((".pyc", ".lock"))]


# ---- the action --------------------------------------------------------------

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())


@pytest.fixture
def action(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as GitHub checks it out for the action; its environment is there already."""
    checkout = tmp_path_factory.mktemp("action")
    for name in ("packages/sutra-images", "base-images"):
        shutil.copytree(ROOT / name, checkout / name)
    own = shutil.ignore_patterns("*.sh", "__pycache__")
    shutil.copytree(ROOT / "scripts", checkout / "scripts", ignore=own)
    program(checkout / "scripts", "venv.sh", f"echo ready >'{checkout}/called'\n")
    (checkout / ".venv").symlink_to(installed.environment)
    return checkout


def stepped(action: Path, folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the step of the action as GitHub does, with its inputs and their defaults."""
    (step,) = ACTION["runs"]["steps"]
    values = {name: field["default"] for name, field in ACTION["inputs"].items()} | inputs
    variables = {
        name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda match: values[match[1]], text)
        for name, text in step["env"].items()
    }
    environment = clean(folder, GITHUB_ACTION_PATH=str(action), **variables)
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    "inputs",
    [{}, {"image": "archive:./image.tar", "like": f"images.yaml#{NAME}", "format": "table"}],
)
def test_the_action_checks_an_image(action: Path, repository: Path, inputs: dict[str, str]) -> None:
    (repository / "yaml.py").write_text("raise SystemExit('theirs')\n")
    done = stepped(action, repository, **inputs)
    assert (done.returncode, done.stderr) == (0, FOUND)
    assert (action / "called").read_text() == "ready\n"
    assert ("## Sutra: All " in done.stdout) == (not inputs)


def test_the_action_fails_with_the_check(action: Path, repository: Path) -> None:
    good(exe("app/sh")).save(repository / "image.tar")
    done = stepped(action, repository)
    assert done.returncode == 1
    assert f"::error file=images.yaml,line=2,title={NAME}%3A contents.shells::" in done.stdout


@pytest.mark.parametrize("image", ["$(touch x)", "`touch x`", '"; touch x; "', "--all", "-h"])
def test_an_input_is_never_a_command(action: Path, repository: Path, image: str) -> None:
    done = stepped(action, repository, image=image)
    assert done.returncode == 2
    assert not (repository / "x").exists()
    assert done.stdout == ""


# ---- the image of the checker ------------------------------------------------


def test_the_image_has_the_modules_of_the_wheel(installed: Installed, tmp_path: Path) -> None:
    command = [sys.executable, str(PROJECT / "copy_modules.py"), str(ROOT), str(tmp_path)]
    subprocess.run(command, check=True)
    copied = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    with zipfile.ZipFile(installed.wheel) as wheel:
        assert copied == {name for name in wheel.namelist() if name.startswith(MODULES)}


def test_the_image_installs_what_the_wheel_depends_on() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    lines = (PROJECT / "requirements.in").read_text().splitlines()
    listed = [line.replace('"', "'") for line in lines if not line.startswith("#")]
    assert listed == project["dependencies"]


def test_the_image_is_held_to_every_rule_with_three_exceptions() -> None:
    text = (PROJECT / "images.yaml").read_text()
    content = yaml.safe_load(text)["images"]["sutra-images"]
    assert set(content["contents"]) == {"healthcheck", "installers", "secrets"}
    assert set(content["budget"]) == {"installed", "download"}
