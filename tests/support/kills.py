"""Promotions and rollbacks killed at chosen lines of Python, in processes forked for it.

A line is one of ours, of the docker SDK's or of http.client's, so that a kill also falls
between a request and its answer. Lines are counted, not timed: a seed gives the same kills.

    python -m tests.support.kills WORD FOLDER SEED COUNT

prints the figures as JSON; it raises AssertionError at the first state that is neither
all old nor all new.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import docker

from scripts.checks import gate
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine import context
from scripts.history import journal, ledger
from scripts.promotion import planned, promote, rollback, transaction
from scripts.promotion.options import Options
from tests.support import sizes_only
from tests.support.tiny import Group

TRACED = ("/scripts/", "/docker/", "/http/client.py")
KEEP = 3
# probability that the command that settles is killed too, and the one after it
RECOVERIES = 0.5
Act = Callable[[docker.DockerClient], int]


class Trace:
    """Counts lines, and kills the process at one."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        return self.line if any(word in name for word in TRACED) else None

    def line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.count += 1
            if self.count == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.line


def in_child(act: Callable[[], object], kill_at: int, within: str = "carry_out") -> int:
    """Run `act` in a fork and kill it at that line of a function and of what it calls.

    The function is one of promotion.transaction. Return the lines that there were, or -1 when it
    was killed; 0 as `kill_at` kills nothing.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        trace, function = Trace(kill_at), getattr(transaction, within)

        def traced(*words: Any) -> Any:
            sys.settrace(trace)
            try:
                return function(*words)
            finally:
                sys.settrace(None)

        setattr(transaction, within, traced)
        act()
        os.write(writer, str(trace.count).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        said = answer.read()
    _, status = os.waitpid(child, 0)
    assert said or os.WTERMSIG(status) == signal.SIGKILL, status
    return int(said) if said else -1


def check(group: Group, earlier: list[ledger.Entry]) -> bool:
    """Assert that the engine is what the ledger says; return whether it says something new."""
    entries = ledger.read()
    assert not journal.JOURNAL.exists()
    assert not journal.JOURNAL.with_suffix(".partial").exists()
    assert entries[: len(earlier)] == earlier
    expected = {
        f"{name}:{tag}": identity
        for tag, number in ledger.state(entries).items()
        for name, identity in entries[number - 1].ids.items()
        if (name, tag) != (group.base, "latest")
    }
    images = group.tags("prod", "stash")
    kept = {tag: image for tag, image in images.items() if ":kept-" in tag}
    assert {tag: image for tag, image in images.items() if tag not in kept} == expected
    held = {
        f"{name}:{planned.kept_tag(identity)}": identity
        for name, ids in ledger.kept(entries, KEEP).items()
        for identity in ids
    }
    assert held.items() <= kept.items()
    return len(entries) > len(earlier)


class Run:
    """One group of images with several contents, and a random sequence of commands on it.

    `knobs` are those of every command, `key` is that of promotions, "" without one.
    """

    knobs: Mapping[str, str] = {}
    key = ""

    def __init__(self, group: Group, seed: int) -> None:
        self.group, self.client = group, group.client
        self.random = random.Random(seed)  # noqa: S311 # a test's choice
        self.stashed = {}
        for content in "abcd":
            self.stashed[content] = group.build(content)
            for name, identity in self.stashed[content].items():
                self.client.api.tag(identity, name, f"stash-{content}")
        self.versions = 0

    def options(self, **knobs: str) -> Options:
        """Return the knobs of a promotion in this folder, which has no commit."""
        return Options.read({"ALLOW_DIRTY": "1", "KEEP": str(KEEP), **self.knobs, **knobs})

    def check(self, earlier: list[ledger.Entry]) -> bool:
        """Assert that everything is what the ledger says; return whether it says something new."""
        return check(self.group, earlier)

    def offer(self, contents: str) -> None:
        """Put `:prod` on one of the contents that is not current."""
        entries = ledger.read() if contents != "d" else []
        current = entries[entries[-1].of - 1].ids if entries else {}
        choice = self.random.choice([c for c in contents if self.stashed[c] != current])
        for name, identity in self.stashed[choice].items():
            self.client.api.tag(identity, name, "prod")

    def command(self) -> tuple[str, Act]:
        """Return a kind of command that has something to move, and the call that runs it."""
        self.offer("abc")
        kinds = ["promote", "version"]
        with suppress(SutraError):
            rollback.choose(ledger.read(), "")
            kinds += ["rollback"]
        kind = self.random.choice(kinds)
        if kind == "rollback":
            return kind, lambda client: rollback.rollback(client, self.options())
        self.versions += 1
        version = f"1.{self.versions}.0" if kind == "version" else ""
        return kind, lambda client: promote.verify_and_promote(
            client, self.options(SIGN_KEY=self.key, VERSION=version)
        )

    def follow(self) -> str:
        """Run one of the commands that settle; return which."""
        kind = self.random.choice(["settle", "promote", "rollback"])
        if kind == "settle":
            self.settle()
        elif kind == "promote":
            self.offer("d")
            assert promote.verify_and_promote(self.client, self.options(SIGN_KEY=self.key)) == 0
        else:
            with suppress(SutraError):  # nothing to go back to
                rollback.rollback(self.client, self.options())
        return kind

    def kill_recovery(self, lengths: dict[str, int]) -> int:
        """Let none, one or several commands settle what is unfinished, and kill them.

        Return how many were killed; a last one may have come to its end.
        """
        kills = 0
        while journal.JOURNAL.exists() and self.random.random() < RECOVERIES:
            at = self.random.randint(1, lengths.setdefault("settle", max(lengths.values())))
            lines = in_child(self.settle, at, within="settle")
            if lines == -1:
                kills += 1
            else:
                lengths["settle"] = lines
        return kills

    @staticmethod
    def settle() -> None:
        """Do what every command does first."""
        with transaction.exclusive(engine.connect()):
            pass

    def kill(self, lengths: dict[str, int], at: Callable[[int], int]) -> str:
        """Kill one command, let another follow, check; return what became of the killed one."""
        kind, act = self.command()
        if kind not in lengths:  # let one go to its end, for the number of its lines
            before = ledger.read()
            lengths[kind] = in_child(lambda: act(engine.connect()), 0)
            assert self.check(before)
            return self.kill(lengths, at)
        before = ledger.read()
        lines = in_child(lambda: act(engine.connect()), at(lengths[kind]))
        intent = journal.read()
        begun = intent is not None
        complete = not begun and len(ledger.read()) > len(before)
        recoveries = self.kill_recovery(lengths)
        next_one = self.follow()
        self.check(before)
        after = ledger.read()[len(before) :]
        if intent is not None:
            complete = after[:1] == [intent.entry]
        if lines != -1:  # it had fewer tags to move than the one that was counted
            lengths[kind] = lines
            return self.kill(lengths, at)
        if not begun:
            return "killed after the end" if complete else "killed before the intent"
        outcome = ("finished by " if complete else "taken back by ") + next_one
        return f"{outcome}, itself killed before" if recoveries else outcome


def main(
    word: str, folder: str, seed: str, count: str, kind: Callable[[Group, int], Run] = Run
) -> None:
    """Kill `count` commands at random lines; print the figures."""
    # each child connects without asking the docker command for the address
    os.environ.setdefault("DOCKER_HOST", context.endpoint())
    gate.everything = sizes_only.everything
    client = engine.connect()
    group = Group(client, Path(folder), word)
    os.chdir(folder)
    figures: Counter[str] = Counter()
    lengths: dict[str, int] = {}
    try:
        run = kind(group, int(seed))
        with silenced():
            for _ in range(int(count)):
                figures[run.kill(lengths, lambda length: run.random.randint(1, length))] += 1
    finally:
        group.remove()
    print(json.dumps({"lines": lengths, **dict(sorted(figures.items()))}))


@contextmanager
def silenced() -> Iterator[None]:
    """Send what the commands print to nowhere."""
    with (
        Path(os.devnull).open("w") as nothing,
        redirect_stdout(nothing),
        redirect_stderr(nothing),
    ):
        yield


if __name__ == "__main__":
    _, *words = sys.argv
    main(words[0], words[1], words[2], words[3])
