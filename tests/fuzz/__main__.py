"""Fuzz the readers of hostile input, one target after the other; print what each run did.

eg: SECONDS=60 TARGET=tar .venv-fuzz/bin/python -m tests.fuzz

What reaches new code is kept in .cache/fuzz/TARGET, where the next run starts; what is found
ends the target's run, is shown, and kept there too. Exit 1: something was found.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.fuzz import corpus
from tests.fuzz.seeds import ROOT, SEEDS

CACHE = ROOT / ".cache" / "fuzz"
# most bytes of one input; longer ones reach no other code
MAX_LENGTH = 16 << 10
# limits for one input where Python counts no lines: seconds and MB
TIMEOUT, MEMORY_MB = 25, 1500
HEADINGS = ("target", "executions", "seconds", "a second", "coverage", "corpus", "finds")


@dataclass(frozen=True)
class Run:
    """libFuzzer's report of a run; `find` is the file of an input that a target fails on."""

    target: str
    executions: int
    seconds: int
    coverage: int
    inputs: int
    find: str
    log: str

    def row(self) -> tuple[str, ...]:
        rate = self.executions // max(1, self.seconds)
        figures = (self.executions, self.seconds, rate, self.coverage, self.inputs)
        return (self.target, *map(str, figures), self.find or "none")


def fuzz(target: str, seconds: int) -> Run:
    """Run one target for that long, from its corpus and from the inputs of earlier runs."""
    place = CACHE / target
    (place / "inputs").mkdir(parents=True, exist_ok=True)
    (place / "start").mkdir(exist_ok=True)
    for number, (_, data) in enumerate(corpus.inputs(target)):
        (place / "start" / str(number)).write_bytes(data)
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.drive",
        target,
        f"-max_total_time={seconds}",
        f"-max_len={MAX_LENGTH}",
        f"-timeout={TIMEOUT}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-artifact_prefix={place}/",
        "-print_final_stats=1",
        str(place / "inputs"),
        str(place / "start"),
    ]
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")
    (place / "log").write_text(done.stdout + done.stderr)
    return read(target, done.returncode, round(time.monotonic() - began), done.stdout + done.stderr)


def read(target: str, code: int, seconds: int, log: str) -> Run:
    """Return the run that libFuzzer's output and exit code describe."""

    def last(pattern: str) -> int:
        return int((re.findall(pattern, log) or ["0"])[-1])

    executions = last(r"stat::number_of_executed_units: *(\d+)") or last(r"#(\d+)\s")
    finds = re.findall(r"Test unit written to (\S+)", log)
    find = finds[-1] if finds else f"exit {code}" if code else ""
    return Run(
        target,
        executions,
        seconds,
        last(r"cov: (\d+)"),
        last(r"corp: (\d+)"),
        find or ("" if executions else "nothing ran"),
        log,
    )


def table(runs: list[Run]) -> str:
    """Return a line a run, in columns."""
    rows = [HEADINGS, *(run.row() for run in runs)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def main() -> int:
    chosen, seconds = os.environ.get("TARGET", ""), os.environ.get("SECONDS") or "60"
    if chosen and chosen not in SEEDS:
        print(f'TARGET: no such target "{chosen}"', file=sys.stderr)
        print(f"tip: one of: {', '.join(SEEDS)}", file=sys.stderr)
        return 2
    if not re.fullmatch(r"[1-9]\d{0,5}", seconds):
        print(f'SECONDS: not a number of seconds "{seconds}"', file=sys.stderr)
        print("tip: SECONDS=60 make fuzz, for each target", file=sys.stderr)
        return 2
    runs = []
    for target in [chosen] if chosen else list(SEEDS):
        print(f"fuzz: {target}, {seconds} s", file=sys.stderr)
        runs.append(fuzz(target, int(seconds)))
        if runs[-1].find:
            print("\n".join(runs[-1].log.splitlines()[-40:]), file=sys.stderr)
    print(table(runs))
    return int(any(run.find for run in runs))


if __name__ == "__main__":
    sys.exit(main())
