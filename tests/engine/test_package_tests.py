"""The packages' own tests on the real engine: one that hangs, and one that a cleanup broke."""

from __future__ import annotations

import os
import time
from pathlib import Path

import docker
import pytest

from scripts.catalog import catalog
from scripts.checks import package_tests
from tests.support.project import Project

BAKE = """
group "test" {{ targets = ["{name}-test", "{name}-b-test"] }}
target "{name}-test" {{ dockerfile = "Dockerfile" }}
target "{name}-b-test" {{ dockerfile = "Dockerfile.b" }}
"""
STAGE = "FROM sutra-base-python:prod AS test\n"
# a service whose handler imports a part of its package when it is asked, and a cleanup of that part
CLEANED = """
group "prod" {{ targets = ["{name}"] }}
group "test" {{ targets = ["{name}-test"] }}
target "{name}" {{ tags = ["{name}:prod"] }}
target "{name}-test" {{ target = "test" }}
"""
HANDLER = "def answer():\n    from numbers_of_ours import fft\n    return fft.__name__\n"
SERVICE = """FROM sutra-base-python:prod AS test
COPY site /site/
ENV PYTHONPATH=/site
RUN ["python3", "-c", "import handler, numbers_of_ours"]
RUN ["python3", "-c", "import handler; handler.answer()  # {name}"]
FROM scratch
COPY content /content
"""
# a test that begins, writes a word without an end of line, and never returns
HANGS = "import time; print('test_a', flush=True); print('test_b ', end='', flush=True); "
HANGS += "time.sleep(600)"


def running(marker: str) -> list[str]:
    """Return the command lines of processes that have a word in theirs."""
    lines = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(place.read_bytes().decode(errors="replace"))
        except OSError:  # it has ended meanwhile
            continue
    return [line for line in lines if marker in line]


@pytest.mark.usefixtures("production")
def test_a_test_that_hangs_is_ended_and_the_other_service_has_passed(
    project: Project, client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = project.name
    other = Path("images.yaml")
    monkeypatch.chdir(project.folder)
    text = other.read_text()
    entry = text[text.index(f"  {name}:") :]
    project.write("images.yaml", text + entry.replace(f"{name}:", f"{name}-b:"))
    project.write("docker-bake.hcl", BAKE.format(name=name))
    project.write("Dockerfile", f'{STAGE}RUN ["python3", "-c", "{HANGS}  # {name}"]\n')
    project.write("Dockerfile.b", f'{STAGE}RUN ["python3", "-c", "print(1)  # {name}"]\n')
    for limit, seconds in {"QUIET": 4, "AGAIN": 4}.items():
        monkeypatch.setattr(package_tests, limit, seconds)
    todo = package_tests.plan(client, catalog.load(), os.environ)
    with package_tests.running(todo) as run:
        hung, passed = run.results()
    assert hung.detail == (
        f"docker-bake.hcl: target.{name}-test: tests failed "
        '"no output in 4 s, step 2/2: test_a | test_b"'
    )
    assert (hung.ok, passed.image, passed.ok, passed.detail) == (False, f"{name}-b", True, "")
    end = time.monotonic() + 10  # BuildKit ends a step after its client has gone
    while running(name) and time.monotonic() < end:
        time.sleep(0.1)
    assert running(name) == []


@pytest.mark.usefixtures("production")
def test_a_module_that_the_cleanup_removed_and_a_handler_needs_is_not_promoted(
    project: Project, client: docker.DockerClient
) -> None:
    """The image is built, is within its budget and loads: the handler alone would answer 500."""
    package = project.folder / "site" / "numbers_of_ours"
    package.mkdir(parents=True)
    for file, text in {"__init__.py": "", "../handler.py": HANDLER}.items():
        (package / file).write_text(text)
    project.write("docker-bake.hcl", CLEANED.format(name=project.name))
    project.write("Dockerfile", SERVICE.format(name=project.name))
    done = project.run("prod")
    assert (done.returncode, project.tags(client)) == (1, {"prod"}), done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "tests failed" in line]
    assert line.startswith(f"docker-bake.hcl: target.{project.name}-test: tests failed ")
    assert line.endswith(
        "ImportError: cannot import name 'fft' from 'numbers_of_ours' "
        '(/site/numbers_of_ours/__init__.py)"'
    )
    (package / "fft.py").touch()
    assert project.run("prod").returncode == 0
    assert project.tags(client) == {"prod", "latest"}


# a service of the bake file's list; what its builder and its tests run is its arguments
LISTED = """
variable "SERVICES" {{
  default = [
    {{ name = "{name}", language = "python", folder = "{name}" }},
  ]
}}
target "{name}-test" {{
  target = "test"
  args   = {{ BUILDS = "{builds}", TESTS = "{tests}" }}
  output = ["type=cacheonly"]
}}
"""
STAGES = """FROM sutra-base-python:prod AS builder
ARG BUILDS
RUN ["python3", "-c", "import os, sys; sys.exit(int(os.environ['BUILDS']))"]
FROM builder AS test
ARG TESTS
RUN ["python3", "-c", "import os, sys; sys.exit(int(os.environ['TESTS']))"]
"""


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize(
    ("builds", "tests", "code", "problem"),
    [
        (0, 0, 0, ""),
        (0, 1, 1, 'docker-bake.hcl: target.NAME-test: tests failed "test 1/1"'),
        (1, 0, 2, 'build: step failed "builder 2/2": process "'),
    ],
)
def test_a_test_that_fails_is_1_and_a_tree_that_is_not_built_is_2(
    project: Project, builds: int, tests: int, code: int, problem: str
) -> None:
    project.write("docker-bake.hcl", LISTED.format(name=project.name, builds=builds, tests=tests))
    project.write("Dockerfile", STAGES)
    done = project.run("test-package", project.name)
    assert done.returncode == code, done.stderr
    last = "".join(done.stderr.splitlines(keepends=True)[-2:-1])
    assert last.startswith(problem.replace("NAME", project.name))
