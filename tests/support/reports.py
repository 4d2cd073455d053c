"""Reports made in memory: without an engine, with hostile names, with any number of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scripts.common.check_result import CheckResult
from scripts.image.inventory import Entry, Inventory, LayerFiles, Owner
from scripts.report.html import breakdown, collect
from scripts.report.html.collect import Report
from scripts.report.html.size_history import Point
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

    def owners(self) -> dict[str, Owner]:
        """Return an owner for what has three folders or more."""
        names = sorted(
            {e.path.split("/")[2] for e in self.layers[0].entries if e.path.count("/") > 2}
        )
        known = {n: Owner(KINDS[at % len(KINDS)], n, "1.0") for at, n in enumerate(names)}
        return {
            entry.path: known[entry.path.split("/")[2]]
            for entry in self.layers[0].entries
            if entry.path.count("/") > 2
        }


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
        CheckResult(name, "memory", True, 40_000_000, None),
    ]


def report(
    files: Mapping[str, int], names: Sequence[str] = ("sutra-api",), failed: bool = True
) -> Report:
    """Return a report of images that all hold `files`."""
    sections, checked = [], []
    for number, name in enumerate(names):
        own = results(name, failed)
        owners = breakdown.by_owner(inventory(files))
        sections.append(collect.section(name, owners, own, 500_000_000 if number == 0 else None))
        checked += own
    points = [
        Point(f"2026-11-{day:02}T06:00:00Z", f"v{day}", dict.fromkeys(names, 40_000_000 + day))
        for day in (1, 2, 3)
    ]
    release = collect.bars(results("release", False)[:2])
    return Report("0.1.0", tuple(checked), release, tuple(sections), tuple(points))
