"""Reports made in memory: without an engine, with hostile names, with any number of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from scripts.common.check_result import CheckResult
from scripts.common.labels import BASE_NAME, REVISION, VERSION
from scripts.image.inventory import Entry, Inventory, LayerFiles, Owner
from scripts.report.html import breakdown, collect, licences, provenance, since_promoted
from scripts.report.html.about import About
from scripts.report.html.breakdown import OTHER
from scripts.report.html.collect import Report
from scripts.report.html.size_history import Point
from scripts.sbom.components import Bill, Component
from tests.support.results import placed

HOSTILE = (
    "opt/<script>window.pwned = 1</script>.py",
    'opt/"><img src=x onerror="window.pwned = 2">',
    "opt/</title></svg></a><iframe srcdoc='<script>parent.pwned = 3</script>'>",
    "opt/' onfocus=window.pwned=4 autofocus tabindex=0 x='",
    "opt/{{ 7 * 7 }}{% for x in [] %}",
    "opt/\x1b[31m\u202egnp.exe\x00\udcff\n",
    "opt/&lt;b&gt;&#x27;",
)

KINDS = ("python", "debian", "alpine", "rust", "ours")


class Owned(Inventory):
    """An image whose owners are the third folder of a path, of each kind in turn."""

    version = "1.0"

    def owners(self) -> dict[str, Owner]:
        """Return an owner for what has three folders or more, "other" for the rest."""
        names = sorted(
            {e.path.split("/")[2] for e in self.layers[0].entries if e.path.count("/") > 2}
        )
        owners = {n: Owner(KINDS[at % len(KINDS)], n, self.version) for at, n in enumerate(names)}
        return {
            entry.path: owners[entry.path.split("/")[2]] if entry.path.count("/") > 2 else OTHER
            for entry in self.layers[0].entries
        }


class Earlier(Owned):
    """The same with another version of everything."""

    version = HOSTILE[1]


def inventory(files: Mapping[str, int]) -> Inventory:
    """Return an image of one layer with regular files of these sizes."""
    entries = tuple(Entry(path, "file", size, 0o644, 0, 0, 0) for path, size in files.items())
    layer = LayerFiles("sha256:0", sum(files.values()), 0, entries)
    return Owned("a:b", "sha256:1", "amd64", {"config": {}}, (layer,))


def packages(names: Sequence[str], files: int) -> dict[str, int]:
    """Return files of Python-like folders, each a little larger than the last."""
    return {
        f"usr/lib/{name}/part{number % 7}/file_number_{number}.so": 5_000 + 4_000 * number
        for name in names
        for number in range(files)
    }


def results(name: str, failed: bool) -> list[CheckResult]:
    """Return checks of each kind for one image."""
    detail = f'images.yaml: images.{name}.contents.shells: forbidden file "{HOSTILE[1]}"'
    return [
        CheckResult(name, "installed", True, 49_000_000, 50_000_000),
        CheckResult(name, "download", not failed, 21_000_000, 20_000_000, f"{HOSTILE[0]} over"),
        placed(
            CheckResult(name, "contents.shells", not failed, int(failed), 0, detail, "findings")
        ),
        CheckResult(name, "ready", True, 900, 5000, "", "ms"),
        CheckResult(name, "start-cpu", True, None, 1500, "the engine counts none", "ms"),
        CheckResult(name, "ready-at-quarter", True, 3200, 10_000, "", "ms"),
        CheckResult(name, "fresh", True, 6100, 7000, "", "ms"),
        CheckResult(name, "memory", True, 40_000_000, None),
    ]


def told(name: str, image: Inventory) -> About:
    """Return what changed since an earlier image, with hostile versions and licences."""
    before = earlier(name, image)
    labels = {REVISION: "4fd198c" * 5, VERSION: HOSTILE[1], BASE_NAME: HOSTILE[0]}
    labelled = replace(image, config={"created": HOSTILE[5], "config": {"Labels": labels}})
    bill = Bill(image, (component("MIT"), component(HOSTILE[2]), component("")), ())
    return About(
        since_promoted.compare(before, image),
        provenance.of(labelled),
        licences.summary(bill),
    )


def earlier(name: str, image: Inventory) -> Inventory:
    """Return what was promoted: half of the files, each larger or smaller, and one that went."""
    kept = [
        replace(entry, size=entry.size // 2 if at % 3 else entry.size + 7)
        for at, entry in enumerate(image.layers[0].entries[::2])
    ]
    gone = Entry(HOSTILE[2], "file", 900_000, 0o644, 0, 0, 0)
    layer = LayerFiles("sha256:9", 1_000_000, 400_000, (*kept, gone))
    return Earlier(f"{name}:latest", "sha256:8", "amd64", {"config": {}}, (layer,))


def component(licence: str) -> Component:
    """Return a part of an image with that licence."""
    return Component("pypi", f"of {licence}", "1", "pkg:pypi/a@1", licence)


def report(
    files: Mapping[str, int], names: Sequence[str] = ("sutra-api",), failed: bool = True
) -> Report:
    """Return a report of images that all hold `files`."""
    sections, checked = [], []
    for number, name in enumerate(names):
        own = results(name, failed)
        image = inventory(files)
        licensed = dict.fromkeys(set(image.owners().values()) - {OTHER}, HOSTILE[6])
        owners = breakdown.by_owner(image, licensed)
        before = 500_000_000 if number == 0 else None
        sections.append(collect.section(name, owners, own, before, told(name, image)))
        checked += own
    points = [
        Point(f"2026-11-{day:02}T06:00:00Z", f"v{day}", dict.fromkeys(names, 40_000_000 + day))
        for day in (1, 2, 3)
    ]
    release = collect.bars(results("release", False)[:2])
    return Report("0.1.0", tuple(checked), release, tuple(sections), tuple(points))
