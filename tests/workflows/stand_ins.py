"""What a workflow takes from GitHub and cannot here, and what is put in its place.

Each change is named in the table of a run: a step with a stand-in is no step of GitHub's.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

# No registry that serves moby/buildkit can be reached: the engine's own builder builds
# instead, without a cache of its own. Text in a workflow → what it is here.
CHANGED = {
    "    env:\n      BUILDX_BUILDER: sutra\n      CACHE: ./.cache/build\n": "",
    "    env:\n      BUILDX_BUILDER: sutra\n    steps:\n": "    steps:\n",
    # a registry on loopback, whose address is in the environment of the run
    "env:\n  REGISTRY_HOST: ghcr.io\n": "",
    "docker buildx create --name sutra --driver docker-container": "docker buildx ls",
    # tests/workflows is among the tests, and would run this workflow again: one quick test runs
    "- run: make test\n": "- run: make test PYTEST_ADDOPTS=-ktest_every_module_of_commands\n",
}
# text of a workflow that pushes to a registry
REGISTRY = "REGISTRY_HOST"
CLEAN = "not run here: GitHub's cache between runs"
# the actions that a workflow uses → what a folder of ours does instead
ACTIONS = {
    "actions/cache": f"echo {shlex.quote(CLEAN)}",
    "actions/upload-artifact": 'mkdir -p "$STAND_INS/$NAME" && cp -r "$WHAT/." "$STAND_INS/$NAME" '
    '|| cp "$WHAT" "$STAND_INS/$NAME"',
    "actions/download-artifact": 'mkdir -p "$WHAT" && cp -r "$STAND_INS/$NAME/." "$WHAT"',
}
# inputs of those actions
INPUTS = (
    *("name", "path", "key", "restore-keys", "include-hidden-files", "if-no-files-found"),
    *("run-id", "github-token"),
)
# programs of GitHub's machines, by name; the words are printed
PROGRAMS = {
    # what it would answer is nothing: no pull request is open
    "gh": 'echo "not run here: gh $*" >&2',
    "sudo": 'exec "$@"',
}
USED = re.compile(r"uses: *([\w.-]+/[\w.-]+)@([0-9a-f]{40})")


def changed(text: str) -> str:
    """Return a workflow as it is run here."""
    for before, now in CHANGED.items():
        text = text.replace(before, now)
    return text


def changes_in(text: str) -> Iterator[str]:
    """Yield a line for each change that a workflow needs here."""
    for before, now in CHANGED.items():
        if before in text:
            yield f"{' '.join(before.split())} → {' '.join(now.split()) or 'left out'}"


def actions(text: str) -> set[tuple[str, str]]:
    """Return name and commit of the actions that need a stand-in."""
    return {action for action in USED.findall(text) if action[0] in ACTIONS}


def write_action(folder: Path, name: str) -> None:
    """Write the stand-in of an action."""
    inputs = "".join(f"  {name}: {{default: ''}}\n" for name in INPUTS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "action.yml").write_text(
        f"name: stand-in of {name}\ndescription: runs without GitHub\ninputs:\n{inputs}"
        "runs:\n  using: composite\n  steps:\n    - shell: bash\n      env:\n"
        "        NAME: ${{ inputs.name }}\n        WHAT: ${{ inputs.path }}\n"
        f"      run: |\n        {ACTIONS[name]}\n"
    )


def write_programs(folder: Path, installed: frozenset[str]) -> list[str]:
    """Write the programs that are not `installed` on this machine; return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name in PROGRAMS if name not in installed]
    for name in names:
        (folder / name).write_text(f"#!/usr/bin/env bash\n{PROGRAMS[name]}\n")
        (folder / name).chmod(0o755)
    return names
