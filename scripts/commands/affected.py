"""Name the images that the changes since a commit rebuild, for a pipeline."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence

from scripts.build import graph
from scripts.catalog import catalog
from scripts.catalog.catalog import Catalog
from scripts.commands import graph as graph_command
from scripts.common import arguments, git
from scripts.common.errors import OK, SutraError
from scripts.engine import buildx

FORMATS = ("table", "names", "json")
GROUP = re.compile(rf'^group "{graph.ON_REQUEST}"', re.MULTILINE)
# the files that rebuild an image, by its name
Reasons = Mapping[str, Sequence[str]]
# paths that say how every image is checked: a change rebuilds nothing, and checks everything
CHECKS = ("images.yaml", "scripts", "base-images/lib/sutra_cleanup")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    arguments.value(parser, "since", "a commit or branch to compare with")
    arguments.value(parser, "format", "how to print", FORMATS)


def main(options: argparse.Namespace) -> int:
    """Print the production images that have to be built again, and the tests to run."""
    form = arguments.output_format(options, FORMATS)
    since = arguments.knobs(options).get("SINCE", "")
    if not since:
        raise SutraError("affected: SINCE names no commit", "such as `make affected SINCE=main`")
    files = git.changed_since(since)
    nodes = graph_command.read()
    reasons = graph.affected(nodes, files)
    images = {name: reasons[name] for name in reasons if is_production(nodes, name)}
    others = on_request(nodes, files)
    tests = [name for name in reasons if nodes[name].kind == "test"]
    checks = is_about_checks(files, catalog.load())
    if form == "json":
        answer = {"images": images, "on_request": others, "tests": tests, "check_all": checks}
        print(json.dumps({**answer, "files": len(files)}, indent=2))
    elif form == "names":
        print(" ".join(images))
    else:
        print(*lines(images, others, tests, checks, since), sep="\n")
    return OK


def on_request(nodes: Mapping[str, graph.Node], files: Iterable[str]) -> Reasons:
    """Return the images of no release that `files` rebuild, and by which; `nodes` has the others.

    None where the bake file has no such group. Raises SutraError.
    """
    if not GROUP.search(buildx.BAKE_FILE.read_text("utf-8")):
        return {}
    reasons = graph.affected(graph_command.read([graph.ON_REQUEST]), files)
    return {name: because for name, because in reasons.items() if name not in nodes}


def is_about_checks(files: Iterable[str], promises: Catalog) -> bool:
    """Return whether one of `files` says how images are checked: a rule, or what a check reads."""
    needs = [image.runtime for image in promises.images]
    read = {path for need in needs for path in (need.seccomp, need.requests) if path}
    return any(graph.matches(file, place) for file in files for place in (*CHECKS, *read))


def is_production(nodes: Mapping[str, graph.Node], name: str) -> bool:
    """Return whether a target is a production image: tagged ":prod"."""
    return any(tag.endswith(":prod") for tag in nodes[name].tags)


def lines(
    images: Reasons, others: Reasons, tests: Sequence[str], checks: bool, since: str
) -> list[str]:
    """Return the lines for a person; `others` are images that are built when asked for."""
    shown_lines = [f"{name}: {_first(because)}" for name, because in images.items()]
    shown_lines += [f"{name}, on request: {_first(because)}" for name, because in others.items()]
    if not images and not others:
        print(f"affected: no image is built from what changed since {since}", file=sys.stderr)
    if tests:
        shown_lines.append(f"tests: {', '.join(tests)}")
    if checks:
        shown_lines.append("checks: of every image, as how they are checked has changed")
    return shown_lines


def _first(because: Sequence[str]) -> str:
    return because[0] + (f" (+{len(because) - 1} more)" if because[1:] else "")
