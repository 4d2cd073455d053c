"""The error of a build's step that ran a file which the kernel could not: "exec format error".

A platform without an emulator is one cause: then the first program of the step fails, such as its
shell. A script without `#!`, an empty file and a program of another platform are the others.
"""

from __future__ import annotations

import re

from scripts.common import platforms
from scripts.common.errors import SutraError
from scripts.engine import builder_nodes, emulator
from scripts.engine.builders import Builder

# the file in the forms of runc, shells and Go: `exec /x: exec format error`, `bash: line 1: /x:
# cannot execute binary file: Exec format error`; and in Python's: `Exec format error: '/x'`
FILES = re.compile(
    r"""(?:^|[\s'"‘])([^\s:'"‘’]+)['"’]?: (?:cannot execute binary file: )?exec format error\s*$"""
    r"|exec format error: '([^']+)'\s*$",
    re.IGNORECASE | re.MULTILINE,
)
# the first program of a step, in BuildKit's message
STARTED = re.compile(r'process "([^\s"]+)')
# shells of an image: where its own does not run, nothing of it does
SHELL = re.compile(r"/(?:usr/)?bin/(?:ba|da|a)?sh")
IMAGE_TIP = (
    "what its `FROM` names is of another platform: "
    "`docker image inspect --format '{{.Os}}/{{.Architecture}}' IMAGE` shows which"
)
FILE_TIP = (
    "a script needs `#!` and its interpreter in its first line; a program has to be built for the "
    "platform of the step: `file` shows which it is of"
)


def find(
    output: str, reason: str, step: str, builder: Builder, architecture: str
) -> SutraError | None:
    """Return the error of a step with this output, None where no file was refused.

    `reason` is BuildKit's, `architecture` the one that is built for; OWN is the builder's own.
    """
    if not (match := FILES.search(output)):
        return None
    file, started = match[1] or match[2], STARTED.search(reason)
    is_first = started is not None and started[1] == file
    if is_first and architecture and not _runs(builder, architecture):
        return SutraError(
            f'build: the builder "{builder.name}" has no emulator for '
            f'{platforms.name_of(architecture)}: step "{step}" runs "{file}"',
            emulator.TIP,
        )
    return SutraError(
        f'build: step "{step}" runs what is no program of its platform: "{file}"',
        IMAGE_TIP if is_first and SHELL.fullmatch(file) else FILE_TIP,
    )


def _runs(builder: Builder, architecture: str) -> bool:
    """Return whether the node that builds for an architecture says that it runs its programs."""
    node = builder_nodes.node_of(builder.nodes, architecture)
    return node is not None and platforms.name_of(architecture) in node.platforms
