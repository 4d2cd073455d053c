"""Images of another platform, which this machine starts only where it has an emulator.

An emulator runs them several times slower, and itself takes memory: what is promised of time and
memory holds for machines of the platform, and is shown here without a limit. That a service
becomes healthy, what it writes and how it ends are the same there.
"""

from __future__ import annotations

from dataclasses import replace

from scripts.catalog.catalog import Catalog, Image
from scripts.common import platforms
from scripts.common.check_result import CheckResult
from scripts.engine import client as engine
from scripts.engine import emulator
from scripts.engine.health import Probe

# factor for the time that an emulated program may take: to be healthy, to import, to answer
SLOWER = 10


def not_run(client: engine.Client, architecture: str) -> str:
    """Return why images of an architecture cannot be started here, "" where they can.

    What the machine of another engine runs cannot be asked from here: there it is tried.
    """
    if not architecture or engine.is_remote(client) or emulator.runs(architecture):
        return ""
    return f"this machine has no emulator for {platforms.name_of(architecture)}"


def result(promises: Catalog, image: Image, why: str) -> CheckResult:
    """Return the result that says that an image was not started."""
    file, key = str(promises.path), f"images.{image.key}"
    problem = f"not run: {why}"
    return CheckResult(image.name, "runtime", True, None, 0, problem, "findings", (), file, key)


def slowed(image: Image) -> Image:
    """Return the image with what an emulated start is held against; of this machine's as it is."""
    if not image.architecture or image.budget.ready is None:
        return image
    budget = replace(
        image.budget,
        ready=SLOWER * image.budget.ready,
        memory=None,
        start_cpu=None,
        ready_at_quarter=None,
    )
    return replace(image, budget=budget)


def patience(image: Image) -> int:
    """Return the factor for seconds that a program of the image may take here."""
    return SLOWER if image.architecture else 1


def slowed_probe(image: Image, probe: Probe) -> Probe:
    """Return the probe with the time that it may take here."""
    return replace(probe, seconds=patience(image) * probe.seconds)


def with_platform(image: Image, result: CheckResult) -> CheckResult:
    """Return the result with the platform in its problem: both platforms have one key path."""
    if not image.architecture or not result.problem:
        return result
    platform = platforms.name_of(image.architecture)
    return replace(result, problem=f"{result.problem}, under the emulator for {platform}")
