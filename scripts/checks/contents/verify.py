"""Check what every image holds against the rules of scripts/contents, from its layers.

Each rule holds for every image. images.yaml switches one off, or names the paths
that it may find, with `because:`; what a base image allows holds for what is built
on it. A path that is allowed and not there is a finding itself: exceptions go when
their reason goes.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import certifi
from sutra_cleanup.globs import Glob

from scripts.catalog.catalog import Catalog, Image
from scripts.catalog.waivers import Waiver
from scripts.checks.contents.rule import Finding, Rule, Subject, quoted
from scripts.checks.contents.rules import RULES
from scripts.common import platforms, settings
from scripts.common.check_result import CheckResult
from scripts.common.labels import BASE_NAME
from scripts.common.reference import tagged
from scripts.engine import client as engine
from scripts.image import inventory, secret_scan
from scripts.image.inventory import Inventory
from scripts.image.size_cache import CACHE
from scripts.oci.sources import Source

# certificates that the distribution's own package installs on the builder
SHIPPED = Path("/usr/share/ca-certificates")
# most findings kept for one rule: so many files share one cause
MOST = 1000


def verify_one(
    client: engine.Client | None,
    promises: Catalog,
    image: Image,
    reference: str,
    cache: Path = CACHE,
    private: frozenset[str] | None = None,
    source: Source | None = None,
) -> list[CheckResult]:
    """Return a check result a rule for `reference`, judged as the catalogue's `image`.

    `private` are fingerprints of certificates that no image may hold; without it,
    those that only this machine trusts. `source` is what was found at `reference`, if
    somebody asked before. Raises SutraError when it is not there.
    """
    content = inventory.read(client, reference, cache, source)
    if content is None:
        raise promises.not_built(image, reference)
    return judge(promises, image, content, private_certificates() if private is None else private)


def judge(
    promises: Catalog,
    image: Image,
    content: Inventory,
    private: frozenset[str] = frozenset(),
    foreign: bool = False,
) -> list[CheckResult]:
    """Return a check result a rule, in the order of the rules.

    Of a `foreign` image no report of our cleanup is asked for.
    """
    subject = Subject(
        image.key, content, private, public_certificates(), foreign, image.architecture
    )
    inherited = _waivers(_base(promises, image, subject), subject)
    own = _waivers(image, subject)
    return [_result(promises, image, rule, subject, own, inherited) for rule in RULES]


def _waivers(image: Image | None, subject: Subject) -> dict[str, Waiver]:
    """Return the exceptions of a catalogue entry that hold for this distribution, by rule."""
    return {
        waiver.rule: waiver
        for waiver in (image.contents if image else ())
        if waiver.distribution in ("", subject.distribution)
    }


def _base(promises: Catalog, image: Image, subject: Subject) -> Image | None:
    """Return the catalogue's entry of the image that this one is built on, by its label."""
    base = tagged(subject.labels.get(BASE_NAME, ""))
    name = base.name if base else ""
    name = platforms.image_name(image.architecture, name)
    return next(
        (candidate for candidate in promises.images if candidate.name == name != image.name), None
    )


def _result(
    promises: Catalog,
    image: Image,
    rule: Rule,
    subject: Subject,
    own: dict[str, Waiver],
    inherited: dict[str, Waiver],
) -> CheckResult:
    """Return how an image keeps one rule."""
    name = f"contents.{rule.name}"
    file, key = str(promises.path), f"images.{image.key}.{name}"
    waiver = own.get(rule.name)
    if waiver and waiver.skip:
        skipped = f"skipped: {waiver.because}"
        return CheckResult(image.name, name, True, 0, 0, skipped, rule.unit, (), file, key)
    above = inherited[rule.name].allow if rule.name in inherited else ()
    findings, idle = _findings(rule, subject, waiver.allow if waiver else (), above)
    limit = waiver.limit if waiver else 0
    ok = findings.weight <= limit and not idle
    first, bad = (findings.first, findings.bad) if findings.weight > limit else ([], 0)
    count = bad + len(idle)
    problem = "" if ok else _summary([*first, *idle], count, rule, findings.weight, limit)
    lines = () if ok else _lines([*first, *idle], count)
    if ok and waiver:
        problem = f"{findings.allowed or rule.unit} allowed: {waiver.because}"
    return CheckResult(
        image.name,
        name,
        ok,
        findings.weight + len(idle),
        limit,
        problem,
        rule.unit,
        lines,
        file,
        key,
    )


def _findings(
    rule: Rule, subject: Subject, allowed: Sequence[Glob], above: Sequence[Glob]
) -> tuple[_Found, list[Finding]]:
    """Return what the rule finds, and a finding for each of `allowed` that allows nothing.

    What a base image allows, `above`, may be idle in an image that is built on it.
    """
    findings = _Found((*allowed, *above))
    for finding in rule.check(subject):
        findings.add(finding)
    idle = [
        Finding("", f"allows what is not there {quoted(glob.text)}", 0)
        for glob in allowed
        if glob not in findings.used
    ]
    return findings, idle


class _Found:
    """The findings of a rule, counted; the first MOST that nothing allows are kept.

    A rule may find something in each of a million files.
    """

    def __init__(self, globs: Sequence[Glob]) -> None:
        self._globs = globs
        self.used: set[Glob] = set()
        self.first: list[Finding] = []
        self.allowed = self.bad = self.weight = 0

    def add(self, finding: Finding) -> None:
        """Count one finding."""
        matching = [glob for glob in self._globs if glob.matches(finding.path)]
        self.used.update(matching)
        if matching:
            self.allowed += 1
            return
        self.bad += 1
        self.weight += finding.weight
        if len(self.first) < MOST:
            self.first.append(finding)


def _lines(problems: Sequence[Finding], count: int) -> tuple[str, ...]:
    """Return a line for each of the first MOST problems; a last line counts the rest."""
    lines = tuple(problem.text for problem in problems[:MOST])
    more = count - len(lines)
    return (*lines, f"{more} more, which are not kept") if more else lines


def _summary(problems: Sequence[Finding], count: int, rule: Rule, actual: int, limit: int) -> str:
    """Return the first problem, and how many more there are."""
    text = problems[0].text
    if rule.unit == "bytes" and actual > limit:
        text += f", {actual} bytes in all, {limit} allowed"
    return text + (f" (+{count - 1} more)" if count > 1 else "")


@functools.cache
def public_certificates() -> frozenset[str]:
    """Return the fingerprints of certifi's certificates: the same on every machine."""
    return frozenset(_fingerprints(Path(certifi.where())))


def private_certificates() -> frozenset[str]:
    """Return the fingerprints of certificates that this machine trusts and nobody ships.

    Public are those of certifi, and of the distribution's own package.
    """
    bundle = settings.ca_bundle(os.environ)
    if not bundle:
        return frozenset()
    public = [Path(certifi.where()), *SHIPPED.rglob("*.crt")]
    shipped = {mark for path in public for mark in _fingerprints(path)}
    return frozenset(set(_fingerprints(Path(bundle))) - shipped)


def _fingerprints(path: Path) -> Iterator[str]:
    return map(secret_scan.fingerprint, secret_scan.certificates(path.read_bytes()))
