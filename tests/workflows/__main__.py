"""Run the workflows of .github/workflows on this machine, and print how each step ended.

eg: python -m tests.workflows                     all of RUNS (20 minutes with a warm build cache)
    python -m tests.workflows pull_request        those of one event
    python -m tests.workflows push tests          one job of it, with those that it needs
"""

from __future__ import annotations

import argparse
import sys

from scripts.common.errors import CHECK_FAILED, OK, run
from tests.workflows import local_run
from tests.workflows.local_run import Run

# workflow, event and job: what GitHub runs for a pull request, a push to main, after the build of
# a pull request, for a tag, and on Mondays
RUNS = (
    ("build.yml", "pull_request", "images"),
    ("build.yml", "pull_request", "tests"),
    ("build.yml", "push", "record"),
    ("comment.yml", "workflow_run", "sizes"),
    ("release.yml", "push", "promote"),
    ("updates.yml", "schedule", "rebuild"),
    ("updates.yml", "schedule", "locks"),
)
LAST_LINES = 40


def show(ran: Run) -> None:
    """Print a row a step, what was changed, and the end of the log where a step failed."""
    for step in ran.steps:
        print(f"{ran.event:13} {step.job:7} {step.result:8} {step.seconds:7.1f} s  {step.name}")
    if ran.pushed:
        print(f"{ran.event:13} pushed: {', '.join(ran.pushed)}")
    for change in ran.changes:
        print(f"{ran.event:13} changed here: {change}")
    if ran.code:
        print(*list(local_run.printed(ran.log))[-LAST_LINES:], sep="\n", file=sys.stderr)
    sys.stdout.flush()


def main() -> int:
    """Run what was asked for; exit code 1 when a step failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.workflows", description=__doc__)
    parser.add_argument("event", nargs="?", help="of RUNS; all without it")
    parser.add_argument("job", nargs="?", help="of that event; all without it")
    arguments = parser.parse_args()
    wanted = [
        row for row in RUNS if arguments.event in (None, row[1]) and arguments.job in (None, row[2])
    ]
    if not wanted:
        parser.error(f"there are: {', '.join(' '.join(row[1:]) for row in RUNS)}")
    codes = []
    for workflow, event, job in wanted:
        with local_run.clone() as checkout:
            ran = local_run.run(checkout, workflow, event, job)
        show(ran)
        codes.append(ran.code)
    return CHECK_FAILED if any(codes) else OK


if __name__ == "__main__":
    run(main)
