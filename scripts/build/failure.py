"""Turn the progress of a build that failed into one clear line and a tip."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.build import unrunnable
from scripts.common import platforms
from scripts.common.errors import SutraError
from scripts.common.text import printable
from scripts.engine import builders
from scripts.engine.builders import Builder

# an image that no registry gave, by its familiar name, and the last reason why
UNRESOLVED = (
    r"failed to resolve source metadata for (?:docker\.io/(?:library/)?)?([^@\s]+?)(?:@\S+)?: "
    r".*?([^:\n]+)$"
)
# BuildKit merges equal steps of two targets, and at times forgets what one of them had read
# (moby/buildkit#3635)
FORGOTTEN = "failed to get state for index"
# the tip where the engine's disk is full
FULL = "`docker system df` shows what fills it, `make clean DRY_RUN=1` this project's part"
# BuildKit's reason where a step's own program said no
ENDED = re.compile(r"did not complete successfully: exit code: \d+$")


class StepError(SutraError):
    """A step's program ended with another code than 0, for no reason that is a builder's.

    `step` is as BuildKit names it: "sutra-api-test test 4/5".
    """

    def __init__(self, message: str, tip: str, step: str) -> None:
        super().__init__(message, tip)
        self.step = step


@dataclass(frozen=True)
class Progress:
    """The whole text of a build's progress, the step that failed, and buildx's own reason.

    `architecture` is the one that was built for.
    """

    text: str
    step: str
    reason: str
    builder: Builder
    architecture: str


def failure(
    lines: Sequence[str], builder: Builder = builders.OWN, architecture: str = platforms.OWN
) -> SutraError:
    """Return the one clear line for a build whose progress ended in `lines`."""
    progress = _read(lines, builder, architecture)
    for cause in (
        _gone,
        _lost,
        _forgotten,
        _full,
        _unresolved,
        _unrunnable,
        _own_message,
        _apt,
        _pip,
    ):
        if error := cause(progress):
            return error
    problem = progress.reason.rpartition("failed to solve: ")[2]
    message = f'build: step failed "{progress.step}": {problem}'
    tip = "the step's own output is above; fix it, then run `make build` again"
    if ENDED.search(problem):
        return StepError(message, tip, progress.step)
    return SutraError(message, tip)


def is_forgotten(lines: Sequence[str]) -> bool:
    """Return whether BuildKit forgot the state of a step: a second build has it again."""
    return any(FORGOTTEN in line for line in lines)


def _read(lines: Sequence[str], builder: Builder, architecture: str) -> Progress:
    text = "\n".join(lines)
    step = re.search(r"^ > \[([^\]]+)\]", text, re.M)
    # buildx writes its error behind a step's unfinished line; those with a number are steps'
    reason = re.search(r"(?<!\d )ERROR: (.*)", text)
    return Progress(
        text,
        step[1] if step else "the first step",
        reason[1] if reason else "no reason given",
        builder,
        architecture,
    )


def _gone(progress: Progress) -> SutraError | None:
    """Return the error of a builder that does not answer, before or during the build."""
    connecting = progress.text if progress.step == "internal" else ""
    if not re.search(builders.GONE, f"{progress.reason}\n{connecting}"):
        return None
    cause = re.split(r"desc = |failed to solve: ", progress.reason)[-1]
    return SutraError(
        f'build: the builder "{progress.builder.name}" went away: {cause}',
        f"`docker buildx inspect {progress.builder.name}` shows its state; once it runs, "
        "run `make build` again: finished steps are cached",
    )


def _lost(progress: Progress) -> SutraError | None:
    """Return the error of a builder that lost what its cache refers to."""
    if not re.search(r"lease \S+: not found", progress.reason):
        return None
    return SutraError(
        f'build: the builder "{progress.builder.name}" has lost its cache of '
        f'"{progress.step}": {progress.reason}',
        "a cache returned wrong bytes: restart it (buildkitd or the engine), "
        "then run `make build` again",
    )


def _forgotten(progress: Progress) -> SutraError | None:
    """Return the error of a builder that forgot the state of a step, twice in one run."""
    match = re.search(rf"{FORGOTTEN}.*", progress.reason)
    if not match:
        return None
    return SutraError(
        f'build: the builder "{progress.builder.name}" has forgotten a step, twice: {match[0]}',
        "a fault of BuildKit (moby/buildkit#3635): run `make build` again, "
        "finished steps are cached; a newer engine may not have it",
    )


def _full(progress: Progress) -> SutraError | None:
    if "no space left on device" not in progress.text:
        return None
    return SutraError(
        f'build: no space left on the engine\'s disk at step "{progress.step}"',
        FULL,
    )


def _unresolved(progress: Progress) -> SutraError | None:
    """Return the error of an image that no registry served."""
    match = re.search(UNRESOLVED, progress.text, re.M)
    if not match:
        return None
    return SutraError(
        f'build: no registry served "{match[1]}": {match[2].strip()}',
        "check the network, or `docker load` an archive of it, then run `make build` again",
    )


def _unrunnable(progress: Progress) -> SutraError | None:
    """Return the error of a step that ran what the kernel could not."""
    output = "\n".join(re.findall(r"^[\d.]+ (.+)", _unnumbered(progress.text), re.M))
    return unrunnable.find(
        output, progress.reason, progress.step, progress.builder, progress.architecture
    )


def _own_message(progress: Progress) -> SutraError | None:
    """Return the message of a builder's own script, such as base-images/lib/apk.sh."""
    text = _unnumbered(progress.text)
    match = re.search(r"^[\d.]+ sutra: (.+)(?:\n[\d.]+ tip: (.+))?$", text, re.M)
    if not match:
        return None
    return SutraError(f"build: {match[1]}", match[2] or "the step's own output is above")


def _apt(progress: Progress) -> SutraError | None:
    """Return apt's first reason: what a mirror did not serve, or not as it is signed."""
    match = re.search(r"^[\d.]+ E: (.+)$", _unnumbered(progress.text), re.M)
    if not match:
        return None
    reason = printable(re.sub(r"\s+", " ", match[1]).strip()[:300])
    return SutraError(
        f'build: step failed "{progress.step}": apt: {reason}',
        "check the network and APT_MIRROR; while a mirror is being updated, wait some minutes",
    )


def _unnumbered(text: str) -> str:
    """Return the progress with the output of failed steps without their number, "#12 ".

    BuildKit repeats the last output of a step that failed in that form, but not a generator's.
    """
    for number in re.findall(r"^(#\d+ )ERROR: ", text, re.M):
        text = re.sub(rf"^{number}", "", text, flags=re.M)
    return text


def _pip(progress: Progress) -> SutraError | None:
    """Return pip's reason where it had nothing to install: no wheel of the platform, no index."""
    text = _unnumbered(progress.text)
    match = re.search(r"^[\d.]+ ERROR: No matching distribution found for (\S+)", text, re.M)
    if not match:
        return None
    begun, name = f'build: step failed "{progress.step}": pip: ', printable(match[1][:200])
    if re.search(r"^[\d.]+ Could not fetch URL ", text, re.M):
        return SutraError(
            f'{begun}the index did not answer for "{name}"',
            "check the network, PIP_INDEX_URL and CA_BUNDLE, then run `make build` again",
        )
    return SutraError(
        f'{begun}no wheel of "{name}" for {platforms.name_of(progress.architecture)}',
        "`make lock PACKAGE=… UPGRADE=…` takes another version; docs/platforms.md",
    )
