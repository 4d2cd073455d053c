"""Check what every image holds against the rules of scripts/contents, from its layers.

Each rule holds for every image. images.yaml switches one off, or names the paths
that it may find, with `because:`; what a base image allows holds for what is built
on it. A path that is allowed and not there is a finding itself: exceptions go when
their reason goes.
"""

from __future__ import annotations

import argparse
import functools
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import certifi
from sutra_cleanup.globs import Glob

from scripts import catalog, engine, inventory, knobs, layers, report, secrets
from scripts.catalog import Catalog, Image
from scripts.checks import CheckResult
from scripts.contents.labels import PREFIX
from scripts.contents.rule import Finding, Rule, Subject, quoted
from scripts.contents.rules import RULES
from scripts.contents.waiver import Waiver
from scripts.errors import CHECK_FAILED, OK, run
from scripts.inventory import Inventory
from scripts.sizes.figures import CACHE

# what a distribution's own package of certificates puts on the builder
SHIPPED = Path("/usr/share/ca-certificates")
# findings that are kept of one rule: what is wrong with so many files is one thing
MOST = 1000


def verify_one(
    client: engine.Client | None,
    promises: Catalog,
    image: Image,
    reference: str,
    cache: Path = CACHE,
    private: frozenset[str] | None = None,
) -> list[CheckResult]:
    """Return a check result a rule for `reference`, judged as the catalogue's `image`.

    `private` are fingerprints of certificates that no image may hold; without it,
    those that only this machine trusts. Raises SutraError when it is not there.
    """
    found = inventory.read(client, reference, cache)
    if found is None:
        raise promises.not_built(image, reference)
    return judge(promises, image, found, private_certificates() if private is None else private)


def judge(
    promises: Catalog, image: Image, found: Inventory, private: frozenset[str] = frozenset()
) -> list[CheckResult]:
    """Return a check result a rule, in the order of the rules."""
    subject = Subject(image.name, found, private, public_certificates())
    inherited = _waivers(_base(promises, subject), subject)
    own = _waivers(image, subject)
    return [_result(promises, image, rule, subject, own, inherited) for rule in RULES]


def _waivers(image: Image | None, subject: Subject) -> dict[str, Waiver]:
    """Return the exceptions of a catalogue entry that hold for this distribution, by rule."""
    return {
        waiver.rule: waiver
        for waiver in (image.contents if image else ())
        if waiver.distribution in ("", subject.distribution)
    }


def _base(promises: Catalog, subject: Subject) -> Image | None:
    """Return the catalogue's entry of the image that this one is built on, by its label."""
    name = subject.labels.get(PREFIX + "base.name", "").rpartition(":")[0]
    return next((one for one in promises.images if one.name == name != subject.name), None)


def _result(
    promises: Catalog,
    image: Image,
    rule: Rule,
    subject: Subject,
    own: dict[str, Waiver],
    inherited: dict[str, Waiver],
) -> CheckResult:
    name = f"contents.{rule.name}"
    key = f"{promises.path}: images.{image.name}.{name}"
    waiver = own.get(rule.name)
    if waiver and waiver.skip:
        return CheckResult(
            image.name, name, True, 0, 0, f"{key}: skipped: {waiver.because}", rule.unit
        )
    allowed = waiver.allow if waiver else ()
    above = inherited[rule.name].allow if rule.name in inherited else ()
    findings = list(rule.check(subject))
    bad = [one for one in findings if not _matches((*allowed, *above), one)]
    actual, limit = sum(one.weight for one in bad), waiver.limit if waiver else 0
    idle = [Finding("", f"allows what is not there {quoted(glob.text)}", 0)
            for glob in allowed if not any(_matches([glob], one) for one in findings)]  # fmt: skip
    ok = actual <= limit and not idle
    problems = [*(bad if actual > limit else ()), *idle]
    detail = "" if ok else f"{key}: {_summary(problems, rule, actual, limit)}"
    lines = () if ok else _lines(problems)
    if ok and waiver:
        detail = f"{key}: {len(findings) - len(bad) or rule.unit} allowed: {waiver.because}"
    return CheckResult(image.name, name, ok, actual + len(idle), limit, detail, rule.unit, lines)


def _lines(problems: Sequence[Finding]) -> tuple[str, ...]:
    """Return a line a problem, of the first MOST; what is left out is said in the last."""
    lines = tuple(problem.text for problem in problems[:MOST])
    left = len(problems) - len(lines)
    return (*lines, f"{left} more, which are not kept") if left else lines


def _matches(globs: Sequence[Glob], finding: Finding) -> bool:
    return any(glob.matches(finding.path) for glob in globs)


def _summary(problems: Sequence[Finding], rule: Rule, actual: int, limit: int) -> str:
    """Return the first problem, and how many more there are."""
    text = problems[0].text
    if rule.unit == "bytes" and actual > limit:
        text += f", {actual} bytes in all, {limit} allowed"
    return text + (f" (+{len(problems) - 1} more)" if len(problems) > 1 else "")


@functools.cache
def public_certificates() -> frozenset[str]:
    """Return the fingerprints of certifi's certificates: the same on every machine."""
    return frozenset(_fingerprints(Path(certifi.where())))


def private_certificates() -> frozenset[str]:
    """Return the fingerprints of certificates that this machine trusts and nobody ships.

    Public are those of certifi, and of the distribution's own package.
    """
    bundle = knobs.ca_bundle(os.environ)
    if not bundle:
        return frozenset()
    public = [Path(certifi.where()), *SHIPPED.rglob("*.crt")]
    shipped = {mark for path in public for mark in _fingerprints(path)}
    return frozenset(set(_fingerprints(Path(bundle))) - shipped)


def _fingerprints(path: Path) -> Iterator[str]:
    return map(secrets.fingerprint, secrets.certificates(path.read_bytes()))


def main() -> int:
    """Verify all images, or one reference by the rules of one entry; print the table."""
    parser = argparse.ArgumentParser(prog="python -m scripts.verify_contents", description=__doc__)
    parser.add_argument("reference", nargs="?", help="any image; all of the catalogue without it")
    parser.add_argument("--as", dest="name", help="the catalogue entry whose rules hold")
    parser.add_argument("--all", action="store_true", help="print every finding, a line each")
    parser.add_argument("--format", choices=report.FORMATS, default=report.FORMATS[0])
    given = parser.parse_args()
    if bool(given.reference) != bool(given.name):
        parser.error("a reference and --as NAME go together")
    promises = catalog.load()
    if given.reference:  # may be a file, for which no engine has to be there
        client, wanted = None, [(promises.find(given.name), given.reference)]
    else:
        client = engine.connect()
        wanted = [(image, image.reference) for image in promises.images]
        layers.read_together(client, [reference for _, reference in wanted])
    private = private_certificates()
    results = []
    for image, reference in wanted:
        print(f"contents: {reference}", file=sys.stderr)
        results += verify_one(client, promises, image, reference, private=private)
    report.show(results, given.format, given.all)
    failed = next((result.image for result in results if not result.ok), "")
    if failed:
        print(tip(failed, next(ref for image, ref in wanted if image.name == failed), given.all),
              file=sys.stderr)  # fmt: skip
    return CHECK_FAILED if failed else OK


def tip(name: str, reference: str, shown: bool = False) -> str:
    """Return what to do after a check of an image failed, all findings `shown` or not yet."""
    if shown:
        return "tip: mend the image, or allow it in images.yaml with a reason: docs/verification.md"
    words = shlex.join([reference, "--as", name])
    return f"tip: .venv/bin/python -m scripts.verify_contents {words} --all"


if __name__ == "__main__":
    run(main)
