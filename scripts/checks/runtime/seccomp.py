"""Hold a service to its seccomp profile: what it calls outside of it, while it is used.

The service is started, sent the requests of images.yaml, and stopped; each call that the profile
does not allow is reported to us, and goes on. All other starts of its runtime checks have the
profile itself, which refuses the same calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.catalog.catalog import Image
from scripts.checks.runtime import requests_file, seccomp_profile
from scripts.checks.runtime.seccomp_listener import Listener, listening
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.engine import client as engine
from scripts.engine.sandbox import Setup

ELSEWHERE = "the engine is on another machine"
# Docker Desktop's is in a virtual machine, and a runtime may know no notification
NOT_CONNECTED = "the engine did not connect to a socket of this machine"
SHOWN = 8


@dataclass
class Watch:
    """One start of a service that is watched: its setup, and what is wrong with what it did."""

    client: engine.Client
    image: Image
    setup: Setup
    listener: Listener | None = None
    problem: str = ""

    @property
    def why(self) -> str:
        """Why nothing was recorded, "" where it was."""
        if self.listener is None:
            return ELSEWHERE
        return "" if self.listener.is_connected else NOT_CONNECTED

    def use(self) -> None:
        """Send the requests of images.yaml; one that fails is a problem of the result."""
        if self.why or not self.image.runtime.requests:
            return
        try:
            answers = send(self.client, self.image, self.setup)
        except SutraError as error:
            self.problem = error.message
            return
        failed = [answer for answer in answers if answer.status >= 500]
        if failed:
            self.problem = f"answered {failed[0].status} to {failed[0].request.shown}"

    def result(self, file: str) -> CheckResult:
        """Return the calls outside of the profile; ok where nothing could record them."""
        name, key = self.image.name, f"images.{self.image.name}.runtime.seccomp"
        if self.why:
            problem = f"not measured: {self.why}"
            return CheckResult(name, "seccomp", True, None, 0, problem, "findings", (), file, key)
        names = sorted(self.listener.names() if self.listener else ())
        problem = self.problem
        if names:
            more = f" (+{len(names) - SHOWN} more)" if names[SHOWN:] else ""
            calls = ", ".join(names[:SHOWN])
            problem = f'not in {self.image.runtime.seccomp} "{calls}"{more}, which '
            problem += f"`make seccomp IMAGE={name}` adds"
        count = max(len(names), bool(self.problem))
        findings = tuple(f'calls "{name}"' for name in names)
        return CheckResult(
            name, "seccomp", not count, count, 0, problem, "findings", findings, file, key
        )


def send(client: engine.Client, image: Image, setup: Setup) -> list[requests_file.Answer]:
    """Send a service the requests of images.yaml. Raises SutraError as requests_file does."""
    requests = requests_file.read(Path(image.runtime.requests))
    places = requests_file.addresses(client, setup.network)
    return requests_file.send(places, setup.alias, requests)


@contextmanager
def watch(client: engine.Client, image: Image, setup: Setup) -> Iterator[Watch]:
    """Yield the watch over one start, whose `setup` it is to be made with."""
    if engine.is_remote(client):
        yield Watch(client, image, setup)
        return
    names = seccomp_profile.names_in(image)
    with listening() as listener:
        profile = seccomp_profile.watching(names, listener.path)
        yield Watch(client, image, replace(setup, seccomp=profile), listener)
