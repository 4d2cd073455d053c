"""A file that the kernel cannot run: progress of BuildKit of Docker 26, as it was printed.

Each step ran a file without `#!`, an empty one, or an ELF file of RISC-V.
"""

from __future__ import annotations

import pytest

from scripts.build import unrunnable
from scripts.build.failure import failure
from scripts.build.unrunnable import FILE_TIP, IMAGE_TIP
from scripts.common import platforms
from scripts.engine import builders, emulator
from scripts.engine.builder_nodes import RUNNING, Node
from scripts.engine.builders import Builder

PROGRESS = """\
#5 [other 1/1] RUN true
#5 0.102 of a step that went well: /x/well: exec format error
#5 DONE 0.2s

#7 [{step}] RUN {command}
#7 {output}
#7 ERROR: process "{process}" did not complete successfully: exit code: {code}
------
 > [{step}] RUN {command}:
{output}
------
Dockerfile:4
--------------------
ERROR: failed to solve: process "{process}" did not complete successfully: exit code: {code}
"""
OWN = f"linux/{platforms.own_architecture()}"
FOREIGN = next(name for name in platforms.ARCHITECTURES if f"linux/{name}" != OWN)


def builder(*names: str) -> Builder:
    return Builder("farm", "docker-container", (Node("farm0", "here", RUNNING, names),))


def progress(
    output: str, command: str = "true", process: str = "/bin/sh -c true", code: int = 1
) -> list[str]:
    text = PROGRESS.format(
        step="one 1/1", command=command, output=output, process=process, code=code
    )
    return text.splitlines()


SHELL = progress("0.562 exec /bin/sh: exec format error")
FILE = progress("0.539 exec /x/other: exec format error", '["/x/other"]', "/x/other word")


@pytest.mark.parametrize(
    ("lines", "file"),
    [
        (
            progress(
                "0.859 exec /x/noshebang: exec format error", '["/x/noshebang"]', "/x/noshebang"
            ),
            "/x/noshebang",
        ),
        (
            progress("0.680 exec /x/empty: exec format error", '["/x/empty"]', "/x/empty"),
            "/x/empty",
        ),
        (FILE, "/x/other"),
        (
            progress(
                "0.864 /bin/sh: 1: /x/other: Exec format error",
                "/x/other",
                "/bin/sh -c /x/other",
                126,
            ),
            "/x/other",
        ),
        (
            progress(
                "0.864 /bin/sh: 1: other: Exec format error", "other", "/bin/sh -c other", 126
            ),
            "other",
        ),
        (
            progress(
                "0.579 bash: line 1: /x/other: cannot execute binary file: Exec format error",
                "bash -c '/x/other --version'",
                "/bin/sh -c bash -c '/x/other --version'",
                126,
            ),
            "/x/other",
        ),
        (
            progress("0.892 OSError: [Errno 8] Exec format error: '/x/noshebang'"),
            "/x/noshebang",
        ),
        (progress("0.2 main: fork/exec /x/other: exec format error"), "/x/other"),
        (progress("0.2 exec: '/x/other': exec format error"), "/x/other"),
    ],
    ids=["no #!", "empty", "runc", "sh", "PATH", "bash", "Python", "Go", "quoted"],
)
@pytest.mark.parametrize("architecture", [platforms.OWN, FOREIGN])
def test_a_file_that_is_no_program_is_named(lines: list[str], file: str, architecture: str) -> None:
    error = failure(lines, builder(OWN, f"linux/{FOREIGN}"), architecture)
    assert (error.message, error.tip) == (
        f'build: step "one 1/1" runs what is no program of its platform: "{file}"',
        FILE_TIP,
    )


def test_an_image_of_another_platform_is_what_from_names() -> None:
    for named in (builders.OWN, builder(OWN)):
        error = failure(SHELL, named)
        assert (error.message, error.tip) == (
            'build: step "one 1/1" runs what is no program of its platform: "/bin/sh"',
            IMAGE_TIP,
        )


@pytest.mark.parametrize(("lines", "file"), [(SHELL, "/bin/sh"), (FILE, "/x/other")])
def test_a_platform_that_the_builder_cannot_run_needs_an_emulator(
    lines: list[str], file: str
) -> None:
    error = failure(lines, builder(OWN, f"{OWN}/v2"), FOREIGN)
    assert (error.message, error.tip) == (
        f'build: the builder "farm" has no emulator for linux/{FOREIGN}: '
        f'step "one 1/1" runs "{file}"',
        emulator.TIP,
    )


def test_a_stage_whose_shell_runs_lacks_no_emulator() -> None:
    """It compiles on the builder's own platform, for another one."""
    lines = progress(
        "0.864 /bin/sh: 1: /x/tool: Exec format error", "/x/tool", "/bin/sh -c /x/tool", 126
    )
    error = failure(lines, builder(OWN), FOREIGN)
    assert error.message == (
        'build: step "one 1/1" runs what is no program of its platform: "/x/tool"'
    )
    assert error.tip == FILE_TIP


@pytest.mark.parametrize(
    "output",
    [
        "0.507 cat: exec format error is only what this step prints",
        "0.507 error: no such file",
        "0.507 exec /x/other: permission denied",
    ],
)
def test_a_step_that_only_prints_the_words_failed_as_any_other(output: str) -> None:
    error = failure(progress(output), builder(OWN), FOREIGN)
    assert error.message == (
        'build: step failed "one 1/1": process "/bin/sh -c true" did not complete successfully: '
        "exit code: 1"
    )


def test_the_forms_of_a_shell() -> None:
    shells = ["/bin/sh", "/bin/bash", "/usr/bin/dash", "/bin/ash"]
    assert all(map(unrunnable.SHELL.fullmatch, shells))
    assert not any(map(unrunnable.SHELL.fullmatch, ["/x/sh", "/bin/fish", "/bin/sh.real"]))
