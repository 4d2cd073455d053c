"""Three pull requests of a small project whose images are really built: what the job shows."""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support import project as projects
from tests.support.project import Project
from tests.unit.fakes import run_git

LABELLED = """ARG REVISION
LABEL org.opencontainers.image.revision="${REVISION}"
"""
SERVICE = """FROM {base}:prod
LABEL org.opencontainers.image.base.name="{base}:prod"
COPY content /app/content
"""
# targets that are given the commit, which a record of sizes is of
ARGUMENTS = """
variable "REVISION" {{ default = "" }}
target "{base}" {{ args = {{ REVISION = REVISION }} }}
target "{name}" {{ args = {{ REVISION = REVISION }} }}
"""
LIBRARY, RECORD = "usr/lib/zlib.so", "var/lib/dpkg/status.d/zlib"
# the catalogue's budget of an image is 1 MB
FITS, TOO_LARGE = 300_000, 1_000_000


@dataclass(frozen=True)
class Repository:
    """The project as a clone, and the base of its image."""

    project: Project
    base: str

    def package(self, version: str, size: int) -> None:
        """Give the base this version of a package of Debian."""
        data = b"x" * size
        files = {
            LIBRARY: data,
            RECORD: f"Package: zlib\nVersion: {version}\n".encode(),
            f"{RECORD}.md5sums": f"{_md5(data)}  {LIBRARY}\n".encode(),
        }
        for path, content in files.items():
            file = self.project.folder / "base" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def commit(self, branch: str) -> None:
        """Commit all of it on a new branch, which begins where the one before is."""
        run_git("-C", str(self.project.folder), "checkout", "--quiet", "-b", branch)
        run_git("-C", str(self.project.folder), "add", "--all")
        run_git("-C", str(self.project.folder), "commit", "--quiet", "--message", branch)

    def verified(self, branch: str) -> tuple[int, str, str]:
        """Commit, build and verify as a pull request's job; return code, summary and output."""
        self.commit(branch)
        self.run("build")
        summary = self.project.folder.parent / f"{branch}.md"
        github = {"GITHUB_BASE_REF": "main", "GITHUB_STEP_SUMMARY": str(summary)}
        done = self.project.run("verify-sizes", "--format", "github", **github)
        return done.returncode, summary.read_text(), done.stdout + done.stderr

    def run(self, command: str) -> None:
        """Run one of the scripts, which succeeds."""
        done = self.project.run(command)
        assert done.returncode == 0, done.stderr[-3000:]


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.fixture
def repository(project: Project, tmp_path: Path) -> Repository:
    """A clone whose main is built, and whose sizes are on the branch that pull requests read."""
    base = f"{project.name}-base"
    text = (project.folder / "images.yaml").read_text()
    entry = text[text.index(f"  {project.name}:") :]
    project.write(
        "images.yaml",
        text.replace("{installed: 1 MB", "{installed: 2 MB", 1) + entry.replace(project.name, base),
    )
    bake_file = (projects.ON_A_BASE + ARGUMENTS).format(base=base, name=project.name)
    project.write("docker-bake.hcl", bake_file)
    project.write("Dockerfile", SERVICE.format(base=base) + LABELLED)
    project.write("Dockerfile.base", f"FROM scratch\nCOPY base /\n{LABELLED}")
    project.write(".gitignore", ".build/\n.cache/\n")
    project.write("content", "x" * FITS)
    cloned = Repository(project, base)
    cloned.package("1.0", FITS)
    origin = tmp_path / "origin.git"
    run_git("-C", str(tmp_path), "init", "--quiet", "--bare", str(origin))
    run_git("-C", str(project.folder), "init", "--quiet", "--initial-branch=start")
    run_git("-C", str(project.folder), "remote", "add", "origin", str(origin))
    cloned.commit("main")
    record(cloned)
    return cloned


def record(cloned: Repository) -> None:
    """Build main, and push it with its sizes."""
    folder = cloned.project.folder
    cloned.run("build")
    cloned.run("record-sizes")
    run_git("-C", str(folder), "push", "--quiet", "origin", "main")
    subprocess.run([ROOT / "scripts/push_sizes.sh"], cwd=folder, check=True)
    run_git("-C", str(folder), "fetch", "--quiet", "origin")


def rows(summary: str) -> dict[tuple[str, str], str]:
    """Return the table of what changed: what it says last, by image and size."""
    table = summary.partition("### Sizes since main")[2].splitlines()
    cells = [line.strip("| ").split(" | ") for line in table if line.startswith("| ")][1:]
    return {(row[0], row[1]): row[-1] for row in cells}


def test_a_change_of_no_size_is_not_mentioned(repository: Repository) -> None:
    repository.project.write("notes", "in no image")
    code, summary, output = repository.verified("none")
    assert (code, rows(summary)) == (0, {}), output
    assert "Sizes" not in summary


def test_what_the_author_added_fails(repository: Repository) -> None:
    repository.project.write("content", "x" * TOO_LARGE)
    code, summary, output = repository.verified("ours")
    name = repository.project.name
    assert code == 1, output
    assert rows(summary) == {
        (name, "installed"): "ours: +0.7 MB",
        (name, "download"): "unpacked: ours: +0.7 MB",
        ("release", "installed"): "ours: +0.7 MB",
        ("release", "download"): "unpacked: ours: +0.7 MB",
    }
    (problem,) = (line for line in output.splitlines() if line.startswith("::error"))
    assert re.search(
        rf"::images.yaml: images.{name}.budget.installed: over budget "
        r'"1\.3 MB", 1\.0 MB allowed \(\+0\.3 MB\): since main \([0-9a-f]{7}\) \+0\.7 MB, '
        r"\+0\.7 MB by this change: ours \+0\.7 MB; by cause: ours: \+0\.7 MB$",
        problem,
    ), problem


def test_what_the_distribution_added_is_allowed(repository: Repository) -> None:
    repository.package("1.1", TOO_LARGE)
    code, summary, output = repository.verified("upstream")
    assert code == 0, output
    cause, base = "the base's, its digest has changed: +0.7 MB", repository.base
    packages = "the distribution's, a package has changed: +0.7 MB"
    changed = rows(summary)
    assert changed[repository.project.name, "installed"] == cause
    assert changed[base, "installed"] == changed["release", "installed"] == packages
    assert summary.count(" | allowed |") == 2
    assert summary.count("not by this change: zlib 1.0 → 1.1 +0.7 MB") == 2
    assert "::error" not in output
