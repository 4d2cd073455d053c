"""`make rebase` on a real engine: a service of one file, on a base of another."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from scripts.commands import graph
from scripts.engine import images
from scripts.rebase import own_files
from tests.conftest import ROOT
from tests.support import cosign
from tests.support import project as projects
from tests.support.project import Project
from tests.support.registries import registry
from tests.unit.fakes import run_git

SERVICE = """FROM {base}:prod
COPY content /content
LABEL org.opencontainers.image.base.name={base}:prod
"""
DIGEST = "org.opencontainers.image.base.digest"


@dataclass
class Pair:
    """A project of a base and a service on it."""

    project: Project
    base: str
    client: docker.DockerClient

    def layers(self, name: str) -> list[str]:
        return list(self.client.images.get(name).attrs["RootFS"]["Layers"])

    def ids(self) -> dict[str, str]:
        return {
            tag: str(image["Id"])
            for name in (self.base, self.project.name)
            for image in images.every(self.client, name=name)
            for tag in image["RepoTags"] or ()
            if ":kept-" not in tag
        }

    def write_base(self, content: str, user: str = "7") -> None:
        self.project.write("of-the-base", content)
        self.project.write("Dockerfile.base", f"FROM scratch\nCOPY of-the-base /\nUSER {user}\n")

    def rebase(self, **knobs: str) -> tuple[int, str]:
        done = self.project.run("rebase", **knobs)
        return done.returncode, done.stderr


@pytest.fixture
def pair(project: Project, client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.chdir(project.folder)
    base = f"{project.name}-base"
    created = Pair(project, base, client)
    catalog = Path("images.yaml").read_text()
    entry = catalog[catalog.index(f"  {project.name}:") :]
    project.write("images.yaml", catalog + entry.replace(project.name, base))
    project.write("docker-bake.hcl", projects.ON_A_BASE.format(base=base, name=project.name))
    project.write("Dockerfile", SERVICE.format(base=base))
    created.write_base("one")
    done = project.run("prod")
    assert done.returncode == 0, done.stderr[-3000:]
    return created


def test_the_service_gets_the_new_base_and_keeps_its_own_layers(pair: Pair) -> None:
    name = pair.project.name
    before = pair.layers(f"{name}:prod")
    pair.write_base("two, of a security update")
    pair.project.write("content", "not built")
    code, said = pair.rebase()
    assert code == 0, said
    after, base = pair.layers(f"{name}:latest"), pair.layers(f"{pair.base}:prod")
    assert after == [*base, before[-1]]
    assert base[0] != before[0]
    built = pair.client.images.get(f"{name}:prod")
    assert built.attrs["Config"]["User"] == "7"
    base_id = str(pair.client.images.get(f"{pair.base}:prod").id)
    digests = {base_id, *images.digests_anywhere(pair.client, base_id)}
    assert built.labels[DIGEST] in digests
    assert pair.ids()[f"{name}:latest"] == built.id
    assert not [tag for tag in pair.ids() if ":rebasing-" in tag]
    code, said = pair.rebase(BUILT="1")
    assert (code, said) == (0, "rebase: every service is on the base that is here\n")


def test_a_base_that_breaks_it_is_refused_and_no_tag_moves(pair: Pair) -> None:
    before = pair.ids()
    pair.write_base("two", user="8")
    code, said = pair.rebase()
    assert said.splitlines()[-2:] == [
        f'{pair.project.name}: not on this {pair.base}: another user "8", '
        'the service\'s files are for "7"',
        "tip: `make prod` builds the services on this base; the old tags are where they were",
    ]
    assert code == 1
    assert pair.ids() == before


def test_a_base_that_is_here_with_the_same_layers_and_another_user_is_refused(pair: Pair) -> None:
    pair.write_base("one", user="8")
    done = pair.project.run("build", "bases")
    assert done.returncode == 0, done.stderr[-3000:]
    before = pair.ids()
    code, said = pair.rebase(BUILT="1")
    assert said.splitlines() == [
        f'{pair.project.name}: not on this {pair.base}: another user "8", '
        'the service\'s files are for "7"',
        "tip: `make prod` builds the services on this base; the old tags are where they were",
    ]
    assert code == 1
    assert pair.ids() == before


def test_a_base_that_does_not_pass_is_taken_back(pair: Pair) -> None:
    before = pair.ids()
    pair.write_base("x" * 1_000_001)
    code, said = pair.rebase()
    assert code == 1, said
    assert pair.ids() == before


def test_a_service_on_a_base_that_is_gone(pair: Pair) -> None:
    pair.write_base("two")
    assert pair.project.run("build", "bases").returncode == 0
    for tag in list(pair.ids()):
        if tag.startswith(f"{pair.base}:") and not tag.endswith(":prod"):
            images.untag(pair.client, tag)
    for tag in images.repository_tags(pair.client, pair.base):
        if tag.startswith("kept-"):
            images.untag(pair.client, f"{pair.base}:{tag}")
    assert pair.rebase(BUILT="1") == (
        2,
        f"rebase: {pair.project.name}: its {pair.base} is not here any more\n"
        "tip: `make prod` builds it on the base that is here\n",
    )


# ---- in a repository -----------------------------------------------------------

REVISION = "org.opencontainers.image.revision"
COMMITTED = "2024-05-06 05:08:09"  # time of every commit of tests.unit.fakes.run_git, in UTC


@pytest.fixture
def released(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """The pair, built from one commit, with cosign on PATH."""
    bake = Path("docker-bake.hcl").read_text()
    labelled = re.sub(r"(labels +=) {", rf'\1 {{ "{REVISION}" = REVISION,', bake)
    pair.project.write("docker-bake.hcl", f'variable "REVISION" {{}}\n{labelled}')
    pair.project.write("packages.lock", "libc6 1")
    # BuildKit's cache ignores time stamps: equal bytes of another test would bring theirs along
    pair.project.write("content", pair.project.name)
    pair.write_base(f"one {pair.project.name}")
    monkeypatch.setenv("PATH", cosign.on_path(tmp_path / "bin"))
    monkeypatch.setenv("COSIGN_PASSWORD", cosign.PASSWORD)
    run_git("init")
    Path(".git/info/exclude").write_text(".*\n")  # hides files of the scripts from git
    commit()
    done = pair.project.run("prod", ALLOW_DIRTY="")
    assert done.returncode == 0, done.stderr[-3000:]
    return pair


def commit() -> str:
    """Commit all files; they get the time that git writes into an archive of the commit."""
    run_git("add", "--all")
    files = run_git("ls-files").splitlines()
    subprocess.run(["touch", "-d", f"{COMMITTED} UTC", *files], check=True)
    subprocess.run(["chmod", "0644", *files], check=True)
    run_git("commit", "--quiet", "-m", "next")
    return run_git("rev-parse", "HEAD")


def provenance(reference: str, public: Path) -> dict[str, Any]:
    """Return the provenance of an image whose signature and provenance cosign verifies."""
    options = ["--key", str(public), "--allow-http-registry", "--insecure-ignore-tlog=true"]
    subprocess.run(["cosign", "verify", *options, reference], check=True, capture_output=True)
    command = ["cosign", "verify-attestation", *options, "--type", "slsaprovenance1", reference]
    done = subprocess.run(command, check=True, capture_output=True)
    statement = json.loads(base64.b64decode(json.loads(done.stdout)["payload"]))
    return dict(statement["predicate"]["buildDefinition"])


def test_a_security_update_s_commit_is_moved_and_signed_with_the_truth_about_both(
    released: Pair, tmp_path: Path
) -> None:
    first = run_git("rev-parse", "HEAD")
    key, public = cosign.key_pair(tmp_path / "keys")
    name = released.project.name
    released.write_base(f"two, of a security update of {name}")
    released.project.write("packages.lock", "libc6 2")
    second = commit()
    with registry(tmp_path / "registry") as address:
        knobs = {"ALLOW_DIRTY": "", "REGISTRY": address, "SIGN_KEY": str(key), "VERSION": "1.0.1"}
        code, said = released.rebase(**knobs)
        assert code == 0, said
        service = provenance(f"{address}/{name}:1.0.1", public)
        base = provenance(f"{address}/{released.base}:1.0.1", public)
    labels = released.client.images.get(f"{name}:1.0.1").labels
    assert (labels[REVISION], labels["org.sutra.base.revision"]) == (first, second)
    assert service["buildType"] == "urn:sutra:build:make-rebase:v1"
    assert service["externalParameters"]["base_digest"] == labels[DIGEST]
    parts = {"service": (first, "libc6 1"), "base": (second, "libc6 2")}
    assert [
        (material["annotations"]["layers"], *material["digest"].values())
        for material in service["resolvedDependencies"]
    ] == [
        (part, digest)
        for part, (revision, lock) in parts.items()
        for digest in (revision, hashlib.sha256(lock.encode()).hexdigest())
    ]
    assert base["buildType"] == "urn:sutra:build:make-prod:v1"
    assert [
        material["digest"].get("gitCommit", "lock") for material in base["resolvedDependencies"]
    ] == [second, "lock"]
    done = released.project.run("reproduce", name, ALLOW_DIRTY="")
    assert done.stdout.startswith(f"identical: {name} sha256:"), done.stderr[-3000:]


def test_a_commit_that_changes_a_service_too_is_refused_by_name_before_any_build(
    released: Pair,
) -> None:
    first = run_git("rev-parse", "HEAD")
    released.write_base("two, of a security update")
    released.project.write("content", "changed too")
    commit()
    before = released.ids()
    assert released.rebase(ALLOW_DIRTY="") == (
        1,
        f'{released.project.name}: is made of "content", changed since its commit "{first}"\n'
        "tip: `make prod` builds the services of this commit as well; "
        "the tags are where they were\n",
    )
    assert released.ids() == before


def test_this_project_s_own_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    nodes = graph.read()
    of_bases = [
        "base-images/packages.lock",
        "base-images/builders.lock",
        "base-images/python-prod.Dockerfile",
        "base-images/etc/nsswitch.conf",
        "base-images/lib/finish-root.sh",
        "base-images/lib/slice.sh",
    ]
    shared = [
        "base-images/cleanup/python.yaml",
        "base-images/lib/apt.sh",
        "base-images/lib/sutra_cleanup/rules.py",
        "docker-bake.hcl",
    ]
    for service, folder in (("sutra-api", "sutra-api"), ("sutra-hybrid", "sutra-hybrid")):
        locks = [f"packages/{folder}/requirements.lock", "packages/sutra-service/src/x.py"]
        files = [*of_bases, *shared, *locks, f"packages/{folder}/tests/x.py", "docs/x.md"]
        assert list(own_files.own(nodes, service, files)) == [*shared, *locks]
    locks = ["packages/sutra-storage/Cargo.lock"]
    assert list(own_files.own(nodes, "sutra-storage-server", [*of_bases, *locks])) == locks
