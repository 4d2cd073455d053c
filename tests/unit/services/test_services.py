"""Services are added, renamed and removed; all faults of a call are reported together."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

from scripts.__main__ import main as front_door
from scripts.bench import startup
from scripts.catalog import catalog
from scripts.common.errors import DiskError, SutraError
from scripts.services import add, remove, rename, sample, service_parts, shared_files
from scripts.services.steps import Move, Step, Undo, Write, apply, in_order
from tests.conftest import ROOT
from tests.support import names, stack
from tests.unit.services.conftest import changes, commit, git

NAME = "sutra-test-greeter"
LANGUAGES = tuple(file.stem for file in sorted((ROOT / "samples").glob("*.yaml")))
TIP = (
    "eg: make new-service NAME=sutra-example LANGUAGE=python; where a service is half there, "
    "`make remove-service` takes the rest away; move away a folder that is no service"
)
TOOLS = Path(sys.executable).parent


def new(name: str = NAME, language: str = "python", *more: str) -> int:
    return front_door(["new-service", "--name", name, "--language", language, *more])


def refused(*words: str) -> tuple[list[str], str]:
    with pytest.raises(SutraError) as caught:
        front_door(list(words))
    return caught.value.message.splitlines(), caught.value.tip


# ---- there and back --------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [NAME, "parcels", "zz-9"])
def test_a_removed_service_leaves_every_byte_as_it_was(
    checkout: Path, language: str, name: str
) -> None:
    assert new(name, language) == 0
    assert service_parts.find(name).missing == ()
    assert front_door(["remove-service", "--name", name, "--yes"]) == 0
    assert changes() == ""
    assert not (checkout / "packages" / name).exists()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("to", ["parcels", "aa-first-of-all", f"{NAME}-2", "zz-9"])
def test_a_service_renamed_there_and_back_is_as_it_was(
    checkout: Path, language: str, to: str
) -> None:
    new(NAME, language)
    git("add", "-A")
    git("-c", "user.name=a", "-c", "user.email=a@example", "commit", "-qm", "added")
    assert front_door(["rename-service", "--name", NAME, "--to", to]) == 0
    assert (service_parts.find(NAME).there, service_parts.find(to).missing) == ((), ())
    assert front_door(["rename-service", "--name", to, "--to", NAME]) == 0
    assert changes() == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_renamed_service_is_the_one_that_is_new_under_that_name(
    checkout: Path, language: str
) -> None:
    def added() -> str:
        git("add", "-A")
        return git("diff", "--cached")

    new("parcels", language)
    wanted = added()
    git("reset", "-q", "--hard")
    new("sutra-test-greeter", language)
    front_door(["rename-service", "--name", "sutra-test-greeter", "--to", "parcels"])
    assert added() == wanted


def test_a_service_whose_name_begins_another_one_leaves_that_as_it_is(checkout: Path) -> None:
    new("parcels-inner")
    new("sutra-parcels-outer", LANGUAGES[0])
    commit("two services")
    assert new("parcels") == 0
    assert front_door(["remove-service", "--name", "parcels", "--yes"]) == 0
    assert changes() == ""


def test_a_name_whose_knobs_another_service_has_is_taken(checkout: Path) -> None:
    new("sutra-parcels")
    commit("a service")
    problems, _ = refused("new-service", "--name", "parcels", "--language", "python")
    assert [re.sub(r":\d+ ", ":0 ", problem) for problem in problems] == [
        f'NAME: taken "parcels": {file}:0 has it as a word'
        for file in ("docker-compose.yml", "docs/deployment.md")
    ]
    names = ", ".join(sorted(service.name for service in service_parts.listed()))
    assert refused("remove-service", "--name", "parcels", "--yes")[0] == [
        f'NAME: no such service "parcels", services: {names}'
    ]
    assert changes() == ""


def test_what_a_person_wrote_is_renamed_and_its_own_words_stay(checkout: Path) -> None:
    new("parcels")
    own = checkout / "packages/parcels/src/parcels/own.py"
    own.write_text("from parcels.app import x\n\nparcels_text = x  # packages/parcels\n")
    front_door(["rename-service", "--name", "parcels", "--to", "sutra-test-greeter"])
    renamed = checkout / "packages/sutra-test-greeter/src/sutra_test_greeter/own.py"
    assert renamed.read_text() == (
        "from sutra_test_greeter.app import x\n\nparcels_text = x  # packages/sutra-test-greeter\n"
    )


@pytest.mark.parametrize(
    ("language", "file", "text", "wanted"),
    [
        (
            "python",
            "src/parcels/own.py",
            'import parcels\nfrom parcels.app import x\nAPP = "parcels.app:create_app"\n'
            'RUN = ["-m", "parcels"], "-m parcels"  # see packages/parcels\n'
            'def parcels(parcels):\n    parcels.append({"parcels": 1})\n    raise E from parcels\n',
            "import acme_parcels\nfrom acme_parcels.app import x\n"
            'APP = "acme_parcels.app:create_app"\n'
            'RUN = ["-m", "acme_parcels"], "-m acme_parcels"  # see packages/acme-parcels\n'
            'def parcels(parcels):\n    parcels.append({"parcels": 1})\n    raise E from parcels\n',
        ),
        (
            "rust",
            "src/own.rs",
            'use parcels::PORT;\nuse crate::parcels::X;\nlet parcels = json!({"parcels": 1});\n',
            "use acme_parcels::PORT;\nuse crate::parcels::X;\n"
            'let parcels = json!({"parcels": 1});\n',
        ),
        (
            "go",
            "own.go",
            'import "parcels/internal/store"\nparcels := map[string]int{"parcels": 1}\n',
            'import "acme-parcels/internal/store"\nparcels := map[string]int{"parcels": 1}\n',
        ),
        (
            "go",
            "tables.sql",
            "CREATE TABLE parcels (parcels int); -- packages/parcels\n",
            "CREATE TABLE parcels (parcels int); -- packages/acme-parcels\n",
        ),
        ("node", "requests.txt", "GET /parcels/1\n", "GET /parcels/1\n"),
        ("node", "test/answer.json", '{"parcels": 1}\n', '{"parcels": 1}\n'),
        (
            "node",
            "src/own.ts",
            'import { a } from "parcels/a";\nconst parcels = "parcels";\n',
            'import { a } from "acme-parcels/a";\nconst parcels = "parcels";\n',
        ),
        (
            "node",
            "src/own.js",
            'import parcels from "./parcels.js";\nparcels.push({ parcels: "parcels" });\n',
            'import parcels from "./parcels.js";\nparcels.push({ parcels: "parcels" });\n',
        ),
    ],
)
def test_a_word_of_a_persons_code_is_left_where_it_may_be_anything(
    checkout: Path,
    capsys: pytest.CaptureFixture[str],
    language: str,
    file: str,
    text: str,
    wanted: str,
) -> None:
    new("parcels", language)
    (checkout / "packages/parcels" / file).write_text(text)
    commit("a service")
    front_door(["rename-service", "--name", "parcels", "--to", "acme-parcels"])
    place = f"packages/acme-parcels/{file.replace('src/parcels', 'src/acme_parcels')}"
    assert (checkout / place).read_text() == wanted
    # what is left is named, for a person to decide
    assert f"still names it: {place}:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("language", "file", "new_file"),
    [
        ("python", "src/parcels/parcels.py", "src/acme_parcels/parcels.py"),
        ("python", "src/parcels/deep/parcels/a.py", "src/acme_parcels/deep/parcels/a.py"),
        ("node", "src/parcels.js", "src/parcels.js"),
        ("rust", "src/parcels/mod.rs", "src/parcels/mod.rs"),
        ("go", "parcels/store.go", "parcels/store.go"),
    ],
)
def test_a_persons_file_keeps_its_name(
    checkout: Path, language: str, file: str, new_file: str
) -> None:
    new("parcels", language)
    place = checkout / "packages/parcels" / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("mine\n")
    commit("a service")
    front_door(["rename-service", "--name", "parcels", "--to", "acme-parcels"])
    assert (checkout / "packages/acme-parcels" / new_file).read_text() == "mine\n"
    front_door(["rename-service", "--name", "acme-parcels", "--to", "parcels"])
    assert changes() == ""


def test_a_line_about_the_service_that_a_person_wrote_is_renamed(checkout: Path) -> None:
    new("parcels")
    manifest = checkout / "packages/parcels/cleanup.yaml"
    manifest.write_text(f"{manifest.read_text()}    - parcels.store\n")
    dockerfile = checkout / "packages/parcels/Dockerfile.prod"
    dockerfile.write_text(f"{dockerfile.read_text()}ENV HOME=/var/lib/parcels\n")
    front_door(["rename-service", "--name", "parcels", "--to", "acme-parcels"])
    folder = checkout / "packages/acme-parcels"
    assert (folder / "cleanup.yaml").read_text().endswith("    - acme_parcels.store\n")
    assert (folder / "Dockerfile.prod").read_text().endswith("ENV HOME=/var/lib/acme-parcels\n")


def test_what_tools_left_moves_with_a_renamed_service(checkout: Path) -> None:
    new()
    cache = checkout / "packages" / NAME / "__pycache__"
    cache.mkdir()
    (cache / "x.pyc").write_bytes(b"\xff\x00")
    front_door(["rename-service", "--name", NAME, "--to", "parcels"])
    assert (checkout / "packages/parcels/__pycache__/x.pyc").read_bytes() == b"\xff\x00"
    assert not (checkout / "packages" / NAME).exists()


DOCUMENTED = re.compile(r"new-service NAME=([\w-]+) LANGUAGE=(\w+)")
TEXTS = (
    "README.md",
    "Makefile",
    "CONTRIBUTING.md",
    *(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")),
)


def test_every_documented_call_can_be_typed_as_it_is(checkout: Path) -> None:
    """A shared file that has the example's name as a word would take that name away."""
    calls = {
        call for text in TEXTS for call in DOCUMENTED.findall((ROOT / text).read_text("utf-8"))
    }
    assert ("sutra-example", "python") in calls
    for name, language in sorted(calls):
        assert new(name, language, "--dry-run") == 0, name
    assert changes() == ""


# ---- what a new one is -----------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["zz", "a" * 40])
def test_the_files_of_a_new_service_pass_the_linters(
    checkout: Path, language: str, name: str
) -> None:
    """This includes the longest name, and one that sorts after all others."""
    new(name, language)
    folder = f"packages/{name}"
    dockerfiles = [f"{folder}/Dockerfile", f"{folder}/Dockerfile.prod"]
    for command in (
        ["ruff", "check", folder],
        ["ruff", "format", "--check", folder],
        ["hadolint", "--config", ".hadolint.yaml", *dockerfiles],
        ["yamllint", "--strict", folder, "images.yaml", "docker-compose.yml", "deploy"],
    ):
        done = subprocess.run([TOOLS / command[0], *command[1:]], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_service_has_its_budget_and_the_release_what_it_adds(checkout: Path) -> None:
    before = catalog.load()
    new()
    after = catalog.load()
    own, base = after.find(NAME).budget, after.find("sutra-base-python").budget
    assert after.release.installed - before.release.installed == own.installed - base.installed
    assert after.release.download - before.release.download == own.download - base.download
    assert after.release.because == because(before, f"{NAME} was added")


def because(before: catalog.Catalog, *more: str) -> str:
    """Return the reason of the release's budget: the one that was there, and more."""
    return "; ".join(reason for reason in (before.release.because, *more) if reason)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_service_says_on_kubernetes_why_it_crashed(checkout: Path, language: str) -> None:
    assert new(NAME, language) == 0
    text = (checkout / f"deploy/kubernetes/base/{NAME}.yaml").read_text("utf-8")
    (workload,) = (
        document for document in yaml.safe_load_all(text) if document["kind"] == "Deployment"
    )
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_the_reason_of_a_second_one_follows_the_first(checkout: Path) -> None:
    before = catalog.load()
    new("aa-1")
    new("bb-2", LANGUAGES[-1])
    added = because(before, "aa-1 was added", "bb-2 was added")
    assert catalog.load().release.because == added
    front_door(["remove-service", "--name", "aa-1", "--yes"])
    front_door(["remove-service", "--name", "bb-2", "--yes"])
    assert changes() == ""


def test_ports_follow_one_another(checkout: Path) -> None:
    taken = service_parts.ports()
    first, second = [port for port in range(8000, 9000) if port not in taken][:2]
    new("aa-1")
    new("bb-2")
    assert [service_parts.ports()[port] for port in (first, second)] == ["docker-compose.yml"] * 2
    assert f"EXPOSE {second}\n" in (checkout / "packages/bb-2/Dockerfile.prod").read_text()


def test_a_port_that_was_asked_for_is_everywhere(checkout: Path) -> None:
    new(NAME, "python", "--port", "9123")
    files = sample.files(checkout / "packages" / NAME)
    texts = {file.name: file.read_text() for file in files if file.suffix != ".lock"}
    assert [name for name, text in texts.items() if "8100" in text] == []
    assert 'published: "${SUTRA_TEST_GREETER_PORT:-9123}"' in Path("docker-compose.yml").read_text()


def test_a_dry_run_shows_the_plan_and_writes_nothing(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new(NAME, "rust", "--dry-run") == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == [
        f"write packages/{NAME}/Cargo.lock",
        f"write packages/{NAME}/Cargo.toml",
    ]
    line = f'  +    {{ name = "{NAME}", language = "rust", folder = "{NAME}" }},'
    assert line in shown
    assert changes() == ""


def test_a_removal_shows_first_what_it_destroys(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new(NAME, "rust")
    git("add", "-A")
    (checkout / "packages" / NAME / "notes").write_text("mine")
    capsys.readouterr()
    assert front_door(["remove-service", "--name", NAME, "--dry-run"]) == 0
    shown = capsys.readouterr().out.splitlines()
    count = len(sample.files(Path("samples/rust"))) + 1
    assert shown[:3] == [
        f"remove packages/{NAME} ({count} files, 1 of them not in git as they are)",
        f"remove deploy/kubernetes/base/{NAME}.yaml (1 file, 0 of them not in git as they are)",
        "change docker-bake.hcl",
    ]
    assert (checkout / "packages" / NAME / "notes").exists()


def test_a_removal_asks(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new()
    with Path("/dev/null").open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        assert refused("remove-service", "--name", NAME) == (
            ["remove-service: confirmation needed, but stdin is not a terminal"],
            "add --yes; nothing was touched",
        )
    assert service_parts.find(NAME).missing == ()


def test_files_that_still_name_it_are_listed(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new()
    (checkout / "docs/own.md").write_text(f"first\n{NAME} is ours, {NAME} again\n")
    front_door(["remove-service", "--name", NAME, "--yes"])
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "still names it: docs/own.md:2",
        f"remove-service: {NAME} is gone; `make clean` removes its images",
    ]


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_document_that_named_it_before_it_was_there_is_not_listed(
    checkout: Path, capsys: pytest.CaptureFixture[str], is_committed: bool
) -> None:
    """Our documents have the name of a service that nobody added, as their example."""
    example = f"make new-service NAME={NAME}\n"
    (checkout / "docs/own.md").write_text(example)
    (checkout / "docs/other.md").write_text(example)
    commit("documents")
    new()
    (checkout / "docs/own.md").write_text(f"{example}\n{NAME} is deployed\n")
    if is_committed:
        commit("a service")
    front_door(["remove-service", "--name", NAME, "--yes"])
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "still names it: docs/own.md:3",
        f"remove-service: {NAME} is gone; `make clean` removes its images",
    ]


def test_a_service_of_the_first_commit_is_named_everywhere(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / "docs/own.md").write_text("sutra-hybrid\n")
    commit("documents")
    front_door(["remove-service", "--name", "sutra-hybrid", "--yes"])
    assert "still names it: docs/own.md:1" in capsys.readouterr().err.splitlines()


# ---- what is wrong, all at once --------------------------------------------


def test_all_faults_of_a_call_are_reported_together(checkout: Path) -> None:
    words = ("new-service", "--name", "sutra-api", "--language", "cobol", "--port", "8000")
    languages = ", ".join(LANGUAGES)
    assert refused(*words) == (
        [
            'NAME: taken "sutra-api": packages/sutra-api/Dockerfile.prod',
            f'LANGUAGE: unknown "cobol", choose one of {languages}',
            'PORT: taken "8000": docker-compose.yml',
        ],
        TIP,
    )
    assert refused("new-service")[0] == [
        "NAME: missing",
        f"LANGUAGE: missing, choose one of {languages}",
    ]
    assert changes() == ""


POLICIES = "deploy/kubernetes/base/network-policies.yaml"
FORM = "lower-case letters, digits and single hyphens, a letter first, 40 characters at most"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Sutra", f'not the name of an image "Sutra": {FORM}'),
        ("a--b", f'not the name of an image "a--b": {FORM}'),
        ("a-", f'not the name of an image "a-": {FORM}'),
        ("9a", f'not the name of an image "9a": {FORM}'),
        ("a_b", f'not the name of an image "a_b": {FORM}'),
        ("../a", f'not the name of an image "../a": {FORM}'),
        ("a\nb", f'not the name of an image "a\\nb": {FORM}'),
        ("a" * 41, f'not the name of an image "{"a" * 41}": {FORM}'),
        ("prod", 'reserved "prod": a target of docker-bake.hcl is called so'),
        ("my-dev", 'reserved "my-dev": a target of docker-bake.hcl is called so'),
        ("my-test", 'reserved "my-test": a target of docker-bake.hcl is called so'),
        (
            "sutra-storage",
            'reserved "sutra-storage": the folder of "sutra-storage-server" is called so',
        ),
        ("deny-all", f'reserved "deny-all": an object of {POLICIES} is called so'),
        ("sutra-services", f'reserved "sutra-services": an object of {POLICIES} is called so'),
        ("network-policies", f'reserved "network-policies": {POLICIES} is no service\'s'),
        ("sutra-base-x", 'reserved "sutra-base-x": a target of docker-bake.hcl is called so'),
        ("json", 'reserved "json": Python\'s own'),
        ("class", 'reserved "class": Python\'s own'),
        ("crate", 'reserved "crate": Rust\'s own'),
        ("u8", 'reserved "u8": Rust\'s own'),
        ("examples", 'reserved "examples": Rust\'s own'),
        ("strings", 'reserved "strings": Go\'s own'),
        ("errors", 'reserved "errors": Go\'s own'),
        ("null", 'reserved "null": YAML\'s own'),
        ("y", 'reserved "y": YAML\'s own'),
        ("tests", 'reserved "tests": a folder of a package is called so'),
        ("fastapi", 'reserved "fastapi": samples/python/pyproject.toml:14 uses it'),
        ("tokio", 'reserved "tokio": samples/rust/Cargo.lock:35 uses it'),
        ("sutra-hybrid", 'taken "sutra-hybrid": packages/sutra-hybrid/Dockerfile.prod'),
    ],
)
def test_a_name_that_cannot_be_is_refused(checkout: Path, name: str, problem: str) -> None:
    assert refused("new-service", "--name", name, "--language", "python")[0] == [f"NAME: {problem}"]
    assert changes() == ""


@pytest.mark.parametrize(
    ("name", "folder"),
    [("acme-cleaner", "base-images/lib/acme_cleaner"), ("acme-kit", "packages/kit/src/acme_kit")],
)
def test_a_name_whose_module_a_build_has_already_is_refused(
    checkout: Path, name: str, folder: str
) -> None:
    """A service's own folder comes first on Python's path: it would be taken for the other one."""
    (checkout / folder).mkdir(parents=True)
    (checkout / folder / "__init__.py").touch()
    assert refused("new-service", "--name", name, "--language", "python")[0] == [
        f'NAME: reserved "{name}": {folder} is called so'
    ]


def test_a_word_of_a_shared_file_is_taken(checkout: Path) -> None:
    (checkout / "README.md").write_text("first\nsecond parcels\n")
    assert refused("new-service", "--name", "parcels", "--language", "python")[0] == [
        'NAME: taken "parcels": README.md:2 has it as a word'
    ]


# files that tools leave in a folder after git took the service away
LEFT = (
    ".ruff_cache/0.15/1",
    ".mypy_cache/.gitignore",
    ".pytest_cache/v/cache/nodeids",
    ".hypothesis/examples/1",
    ".venv/bin/python",
    "__pycache__/app.cpython-313.pyc",
    "src/parcels/__pycache__/app.cpython-313.pyc",
    "src/parcels.egg-info/PKG-INFO",
    "node_modules/express/package.json",
    "target/release/parcels",
    "src/old.pyc",
    ".coverage",
    ".DS_Store",
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_tools_left_takes_no_name(checkout: Path, language: str) -> None:
    for name in LEFT:
        file = checkout / "packages" / NAME / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (checkout / "packages" / NAME / "src/empty").mkdir()
    assert new(NAME, language) == 0
    assert [name for name in LEFT if not (checkout / "packages" / NAME / name).is_file()] == []
    assert front_door(["remove-service", "--name", NAME, "--yes"]) == 0
    assert changes() == ""


def test_a_service_takes_the_name_of_a_folder_with_what_tools_left(checkout: Path) -> None:
    new()
    commit("added")
    left = checkout / "packages/parcels/.ruff_cache/old"
    left.parent.mkdir(parents=True)
    left.touch()
    assert front_door(["rename-service", "--name", NAME, "--to", "parcels"]) == 0
    assert service_parts.find("parcels").missing == ()
    assert not left.exists()


@pytest.mark.parametrize(
    ("file", "held"),
    [
        ("notes", "packages/lonely/ holds notes"),
        (".env", "packages/lonely/ holds .env"),
        ("src/deep/a", "packages/lonely/ holds src/deep/a"),
        ("targets/x", "packages/lonely/ holds targets/x"),
        (".ruff_cache", "packages/lonely/ holds .ruff_cache"),
        ("a\nb", "packages/lonely/ holds a\\nb"),
    ],
)
def test_a_folder_with_a_persons_files_is_taken(checkout: Path, file: str, held: str) -> None:
    for name in ("lonely/__pycache__/x.pyc", f"lonely/{file}"):
        place = checkout / "packages" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    assert refused("new-service", "--name", "lonely", "--language", "python") == (
        [f'NAME: taken "lonely": {held}'],
        TIP,
    )


def test_tests_of_another_image_take_a_name(checkout: Path) -> None:
    other = checkout / "tests/images/parcels/test_content.py"
    other.parent.mkdir(parents=True)
    other.write_text("# a person's\n")
    problem = 'taken "parcels": tests/images/parcels/ holds test_content.py'
    assert refused("new-service", "--name", "parcels", "--language", "go")[0] == [
        f"NAME: {problem}"
    ]
    new()
    own = checkout / "tests/images" / NAME / "test_content.py"
    own.parent.mkdir()
    own.touch()
    assert refused("rename-service", "--name", NAME, "--to", "parcels")[0] == [f"TO: {problem}"]
    assert other.read_text() == "# a person's\n"


@pytest.mark.parametrize("target", ["../samples", "nowhere"])
def test_a_link_where_the_folder_would_be_is_taken(checkout: Path, target: str) -> None:
    (checkout / "packages/lonely").symlink_to(target)
    assert refused("new-service", "--name", "lonely", "--language", "python")[0] == [
        'NAME: taken "lonely": packages/lonely is no folder'
    ]
    (checkout / "packages/lonely").unlink()
    (checkout / "packages/lonely").mkdir()
    (checkout / "packages/lonely/linked").symlink_to(target)
    assert refused("new-service", "--name", "lonely", "--language", "python")[0] == [
        'NAME: taken "lonely": packages/lonely/ holds linked'
    ]


@pytest.mark.parametrize(
    ("port", "problem"),
    [
        ("1023", 'PORT: below 1024 "1023": a service has no right to listen there'),
        ("65536", 'PORT: not a port "65536": a number from 1024 to 65535'),
        ("0", 'PORT: not a port "0": a number from 1024 to 65535'),
        ("08002", 'PORT: not a port "08002": a number from 1024 to 65535'),
        ("http", 'PORT: not a port "http": a number from 1024 to 65535'),
        ("50051", 'PORT: taken "50051": packages/sutra-storage/Dockerfile.prod'),
        ("8001", 'PORT: taken "8001": docker-compose.yml'),
    ],
)
def test_a_port_that_cannot_be_is_refused(checkout: Path, port: str, problem: str) -> None:
    words = ("new-service", "--name", NAME, "--language", "python", "--port", port)
    assert refused(*words) == ([problem], TIP)


@pytest.mark.parametrize("port", ["1024", "65535"])
def test_the_first_and_the_last_port_are_taken(checkout: Path, port: str) -> None:
    assert new(NAME, "python", "--port", port) == 0


def test_each_missing_piece_of_a_service_half_added_by_hand_is_named(checkout: Path) -> None:
    bake = checkout / "docker-bake.hcl"
    text = bake.read_text()
    line = f'    {{ name = "{NAME}", language = "python", folder = "{NAME}" }},\n'
    bake.write_text(shared_files.inserted(shared_files.FILES[0], text, line))
    assert refused("new-service", "--name", NAME, "--language", "python") == (
        [
            f'NAME: half there "{NAME}": docker-bake.hcl: line of SERVICES',
            *(
                f'NAME: missing of "{NAME}": {part}'
                for part in (
                    f"packages/{NAME}/Dockerfile.prod",
                    f"packages/{NAME}/Dockerfile",
                    f"deploy/kubernetes/base/{NAME}.yaml",
                    "images.yaml: budget",
                    "docker-compose.yml: service",
                    "docs/deployment.md: row",
                    "deploy/kubernetes/base/kustomization.yaml: resource",
                    "README.md: link to its README",
                )
            ),
        ],
        TIP,
    )
    assert len(refused("rename-service", "--name", NAME, "--to", "parcels")[0]) == 8
    assert front_door(["remove-service", "--name", NAME, "--yes"]) == 0
    assert changes() == ""


@pytest.mark.parametrize("command", ["remove-service", "rename-service"])
def test_a_missing_service_is_refused(checkout: Path, command: str) -> None:
    more = ("--to", "parcels") if command == "rename-service" else ()
    names = ", ".join(sorted(service.name for service in service_parts.listed()))
    assert refused(command, "--name", NAME, *more)[0] == [
        f'NAME: no such service "{NAME}", services: {names}'
    ]
    assert refused(command, *more)[0] == [f"NAME: missing, services: {names}"]


KUBERNETES = "deploy/kubernetes/base"


@pytest.mark.parametrize("command", ["remove-service", "rename-service"])
@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("sutra-base-python", "a target of docker-bake.hcl is called so"),
        ("sutra-base-rust-runtime", "a target of docker-bake.hcl is called so"),
        ("prod", "a target of docker-bake.hcl is called so"),
        ("sutra-storage", 'the folder of "sutra-storage-server" is called so'),
        ("namespace", f"{KUBERNETES}/namespace.yaml is no service's"),
        ("kustomization", f"{KUBERNETES}/kustomization.yaml is no service's"),
        ("network-policies", f"{KUBERNETES}/network-policies.yaml is no service's"),
        ("deny-all", f"an object of {KUBERNETES}/network-policies.yaml is called so"),
    ],
)
def test_what_is_no_service_is_neither_removed_nor_renamed(
    checkout: Path, command: str, name: str, part: str
) -> None:
    more = ("--to", "parcels") if command == "rename-service" else ("--yes",)
    assert refused(command, "--name", name, *more)[0] == [f'NAME: no service "{name}": {part}']
    assert changes() == ""


def test_a_service_that_others_need_stays(checkout: Path) -> None:
    assert refused("remove-service", "--name", "sutra-storage-server", "--yes") == (
        [
            f'images.yaml: images.{name}.runtime.needs: names "sutra-storage-server"'
            for name in ("sutra-api", "sutra-hybrid")
        ],
        "take the service out of their `needs` first",
    )


def test_a_new_name_that_the_service_uses_already_is_refused(checkout: Path) -> None:
    new()
    own = checkout / "packages" / NAME / "own.py"
    own.write_text("first = 1\nwelcome = 2\n")
    assert refused("rename-service", "--name", NAME, "--to", "welcome") == (
        [f'TO: taken "welcome": packages/{NAME}/own.py:2 has it as a word'],
        "choose another name",
    )


# ---- nothing half-done -----------------------------------------------------


@pytest.mark.parametrize("command", ["new-service", "remove-service", "rename-service"])
def test_a_step_that_fails_leaves_nothing_half_done(checkout: Path, command: str) -> None:
    words = {
        "new-service": ["--language", "python"],
        "remove-service": ["--yes"],
        "rename-service": ["--to", "parcels"],
    }[command]
    if command != "new-service":
        new()
        git("add", "-A")
        git("-c", "user.name=a", "-c", "user.email=a@example", "commit", "-qm", "added")
    # the last shared file cannot be replaced: a folder has the name of its new version
    blocked = checkout / f"README.md.{os.getpid()}"
    blocked.mkdir()
    with pytest.raises(DiskError) as caught:
        front_door([command, "--name", NAME, *words])
    assert caught.value.message == (
        f'{command}: cannot change "README.md.{os.getpid()}": Is a directory; nothing was changed'
    )
    blocked.rmdir()
    assert changes() == ""
    assert [path for path in (checkout / "packages").iterdir() if path.name[0] == "."] == []
    assert (checkout / "packages" / NAME).exists() == (command != "new-service")


@pytest.mark.parametrize("command", ["new-service", "remove-service", "rename-service"])
def test_what_another_run_wrote_meanwhile_is_kept(checkout: Path, command: str) -> None:
    """A person may take minutes to answer, and two runs may plan at once."""
    if command == "new-service":
        steps = add.steps(NAME, "go", "")
    else:
        new(NAME, "go")
        commit("added")
        steps = remove.steps(NAME) if command == "remove-service" else rename.steps(NAME, "parcels")
    readme = checkout / "README.md"
    written = readme.read_text() + "another's\n"
    readme.write_text(written)
    with pytest.raises(SutraError) as caught:
        apply(in_order(steps), command)
    assert caught.value.message == "README.md: changed meanwhile, nothing was done"
    assert caught.value.tip == "another run or an editor wrote it; run the same command again"
    assert readme.read_text() == written
    assert changes() == " M README.md\n"


@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_that_another_run_made_meanwhile_is_kept(checkout: Path, is_link: bool) -> None:
    steps = add.steps(NAME, "go", "")
    file = checkout / "packages" / NAME / "main.go"
    file.parent.mkdir()
    own = checkout / "own.go"
    own.write_text("another's\n")
    file.symlink_to(own) if is_link else file.write_text("another's\n")
    with pytest.raises(SutraError) as caught:
        apply(in_order(steps), "new-service")
    place = file.relative_to(checkout)
    assert caught.value.message == f"{place}: changed meanwhile, nothing was done"
    assert (file.read_text(), file.is_symlink()) == ("another's\n", is_link)
    assert changes() == f"?? own.go\n?? {place}\n"


def test_what_cannot_be_deleted_at_the_end_is_named(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new(NAME, "go")

    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", f"{folder}/main.go")

    monkeypatch.setattr("shutil.rmtree", refuse)
    aside = f"packages/.removed-{NAME}"
    with pytest.raises(DiskError) as caught:
        front_door(["remove-service", "--name", NAME, "--yes"])
    assert caught.value.message == (
        f'remove-service: cannot change "{aside}/main.go": Permission denied; '
        f'what was removed is left in "{aside}"'
    )
    assert caught.value.tip == f"all else is done: remove {aside} with the rights that it needs"
    assert service_parts.find(NAME).there == ()


class Spoiled(Move):
    """A step fails after another program has taken the place of an earlier step's file."""

    problem: ClassVar[BaseException] = OSError(errno.ENOSPC, "No space left on device", "full")

    def do(self) -> Undo:
        self.source.mkdir()
        (self.source / "another's").touch()
        raise self.problem


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (Spoiled.problem, 'cannot change "full": No space left on device'),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_what_cannot_be_taken_back_is_named_beside_the_first_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, problem: str
) -> None:
    monkeypatch.setattr(Spoiled, "problem", error)
    first, moved, other = (tmp_path / name for name in ("first", "moved", "other"))
    first.mkdir()
    steps: list[Step] = [Write(other, "new\n"), Move(first, moved), Spoiled(first, moved)]
    with pytest.raises(DiskError) as caught:
        apply(steps, "rename-service")
    assert caught.value.message == (
        f'rename-service: {problem}; not taken back: cannot change "{moved}": Directory not empty'
    )
    assert caught.value.tip == "`git status` shows what changed"
    assert not other.exists()  # what came before it is taken back all the same


def test_a_shared_file_of_another_form_is_one_line(checkout: Path) -> None:
    compose = checkout / "docker-compose.yml"
    compose.write_text(compose.read_text().replace("\nnetworks:\n", "\nnets:\n"))
    assert refused("new-service", "--name", NAME, "--language", "python") == (
        ["docker-compose.yml: no place for a new service's service"],
        "`git log -p docker-compose.yml` shows the form that is expected",
    )


def test_a_list_whose_last_line_has_no_comma_gets_one(checkout: Path) -> None:
    bake = checkout / "docker-bake.hcl"
    *_, last = shared_files.LISTED.finditer(bake.read_text())
    bare = last[0].replace("},", "}  # the last one")
    bake.write_text(bake.read_text().replace(last[0], bare))
    assert new() == 0
    line = f'    {{ name = "{NAME}", language = "python", folder = "{NAME}" }},\n'
    assert f"{bare.replace('}', '},')}{line}" in bake.read_text()
    assert front_door(["remove-service", "--name", NAME, "--yes"]) == 0
    assert bake.read_text().count("},  # the last one\n  ]\n") == 1


def test_a_sample_that_is_gone_or_damaged_is_one_line(checkout: Path) -> None:
    words = ("new-service", "--name", NAME, "--language", "go")
    damaged = checkout / "samples/go/main.go"
    damaged.write_bytes(b"\xff")
    assert refused(*words) == (
        [
            "samples/go/main.go: cannot be read: 'utf-8' codec can't decode byte 0xff in "
            "position 0: invalid start byte"
        ],
        "`git checkout samples/go/main.go`",
    )
    shutil.rmtree(damaged.parent)
    assert refused(*words) == (
        ["samples/go: no sample is there"],
        "`git checkout samples/go` restores it",
    )
    assert not (checkout / "packages" / NAME).exists()


def test_a_sample_that_lacks_a_piece_is_one_line(checkout: Path) -> None:
    file = checkout / "samples/go.yaml"
    text = file.read_text()
    words = ("new-service", "--name", NAME, "--language", "go")
    file.write_text(text.replace("  README.md: |", "  READ.md: |"))
    assert refused(*words) == (
        ["samples/go.yaml: pieces: missing: README.md"],
        "the other samples have an example",
    )
    file.write_text(text.replace("    ---\n    | `SUTRA_", "    | `SUTRA_"))
    assert refused(*words) == (
        ["docs/deployment.md: a new service has 2 places, and a sample 1"],
        'a line "---" parts the pieces of a sample',
    )
    assert not (checkout / "packages" / NAME).exists()


# ---- the product -----------------------------------------------------------


def test_every_service_of_the_product_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names = [service.name for service in service_parts.listed()]
    assert [part for name in names for part in service_parts.find(name).missing] == []
    assert service_parts.find("sutra-nothing").there == ()


def ports_of(name: str) -> tuple[int, ...]:
    """Return the ports that a service's image exposes."""
    text = (service_parts.find(name).folder / "Dockerfile.prod").read_text()
    return tuple(service_parts.exposed(text))


def test_ports_and_services_in_other_files_are_those_of_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of the product alone: a service that is added has benchmarks where its author wants."""
    monkeypatch.chdir(ROOT)
    benchmarks = {name: (port,) for name, port in startup.SERVICES.items()}
    deployed = {name: (int(port.partition("/")[0]),) for name, port in stack.PORTS.items()}
    assert benchmarks == deployed == {name: ports_of(name) for name in benchmarks}
    python = [service.name for service in service_parts.listed() if service.language == "python"]
    assert benchmarks.keys() <= set(python)
    assert list(names.PYTHON_IMAGES) == ["sutra-base-python", *python]
    assert list(names.SERVICES) == [service.name for service in service_parts.listed()]


# test files that know each service, or each file of one
CHECKS = (
    "tests/unit/test_mirror.py",
    "tests/unit/test_dockerfiles.py",
    "tests/unit/services/test_services.py",
)
OF_ALL = "own_test or dockerfile or ports or list or product or missing or reason or budget"


@pytest.mark.long
def test_a_service_of_each_language_fails_none_of_the_checkouts_own_tests(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    for language in LANGUAGES:
        words = ["--name", f"acme-{language}", "--language", language]
        command = [sys.executable, "-m", "scripts", "new-service", *words]
        subprocess.run(command, cwd=clone, check=True, capture_output=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CHECKS]
    chosen = f"({OF_ALL}) and not fails_none_of_the_checkouts"
    done = subprocess.run([*command, "-k", chosen], cwd=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
