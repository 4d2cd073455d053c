"""Name the images that the changes since a commit rebuild, for a pipeline."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence

from scripts.build import graph
from scripts.catalog import catalog
from scripts.catalog.catalog import Catalog
from scripts.commands import graph as graph_command
from scripts.common import arguments, git
from scripts.common.errors import OK, SutraError

FORMATS = ("table", "names", "json")
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
    tests = [name for name in reasons if nodes[name].kind == "test"]
    checks = is_about_checks(files, catalog.load())
    if form == "json":
        answer = {"images": images, "tests": tests, "check_all": checks, "files": len(files)}
        print(json.dumps(answer, indent=2))
    elif form == "names":
        print(" ".join(images))
    else:
        print(*lines(images, tests, checks, since), sep="\n")
    return OK


def is_about_checks(files: Iterable[str], promises: Catalog) -> bool:
    """Return whether one of `files` says how images are checked: a rule, or what a check reads."""
    needs = [image.runtime for image in promises.images]
    read = {path for need in needs for path in (need.seccomp, need.requests) if path}
    return any(graph.matches(file, place) for file in files for place in (*CHECKS, *read))


def is_production(nodes: Mapping[str, graph.Node], name: str) -> bool:
    """Return whether a target is a production image: tagged ":prod"."""
    return any(tag.endswith(":prod") for tag in nodes[name].tags)


def lines(
    images: Mapping[str, Sequence[str]], tests: Sequence[str], checks: bool, since: str
) -> list[str]:
    """Return the lines for a person."""
    shown_lines = [
        f"{name}: {because[0]}" + (f" (+{len(because) - 1} more)" if because[1:] else "")
        for name, because in images.items()
    ]
    if not images:
        print(f"affected: no image is built from what changed since {since}", file=sys.stderr)
    if tests:
        shown_lines.append(f"tests: {', '.join(tests)}")
    if checks:
        shown_lines.append("checks: of every image, as how they are checked has changed")
    return shown_lines
