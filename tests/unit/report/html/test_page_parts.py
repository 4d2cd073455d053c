from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.history import ledger
from scripts.image.inventory import Entry, Owner
from scripts.report.html import (
    about,
    breakdown,
    collect,
    screenshot,
    shorten,
    since_promoted,
    size_history,
    treemap,
)
from scripts.report.html.about import About
from scripts.report.html.breakdown import Part
from scripts.report.html.provenance import Fact
from scripts.report.html.render import SCRIPT, render, source_hash, write
from scripts.report.html.since_promoted import Because, Since
from scripts.report.html.size_history import Point
from scripts.report.html.treemap import Cell
from scripts.sbom import components
from tests.support.reports import HOSTILE, Earlier, Owned, inventory, packages, report
from tests.unit.fakes import FakeEngine, FakeImage, tar_of
from tests.unit.history.test_ledger import entry

# ---- shares -----------------------------------------------------------------


def test_bytes_are_reported_by_owner_folder_and_file() -> None:
    rows = breakdown.by_owner(
        inventory(
            {
                "usr/lib/numpy/core/a.so": 30,
                "usr/lib/numpy/core/deep/b.so": 5,
                "usr/lib/numpy/fft/c.so": 10,
                "etc/passwd": 7,
            }
        )
    )
    core = Part(
        "usr/lib/numpy/core",
        35,
        2,
        "",
        "",
        (
            Part("usr/lib/numpy/core/a.so", 30, 1),
            Part("usr/lib/numpy/core/deep/b.so", 5, 1),
        ),
    )
    fft = Part("usr/lib/numpy/fft", 10, 1, "", "", (Part("usr/lib/numpy/fft/c.so", 10, 1),))
    etc = Part("etc", 7, 1, "", "", (Part("etc/passwd", 7, 1),))
    assert rows == (
        Part("numpy", 45, 3, "python", "1.0", (core, fft)),
        Part("other", 7, 1, "other", "", (etc,)),
    )


def test_a_file_that_a_later_layer_replaces_counts_twice() -> None:
    image = inventory({"etc/passwd": 7})
    twice = replace(image, layers=image.layers * 2)
    (other,) = breakdown.by_owner(twice)
    assert (other.size, other.files) == (14, 2)


def test_only_files_have_a_share() -> None:
    image = inventory({"a": 1})
    kinds = ("folder", "symlink", "hardlink", "device", "whiteout")
    entries = [Entry(f"x{kind}", kind, 100, 0o644, 0, 0, 0) for kind in kinds]
    layer = replace(image.layers[0], entries=(*image.layers[0].entries, *entries))
    assert [part.size for part in breakdown.by_owner(replace(image, layers=(layer,)))] == [1]


def test_an_empty_image_has_no_shares() -> None:
    assert breakdown.by_owner(inventory({})) == ()


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 10**9), max_size=30))
def test_whatever_the_names_the_shares_add_up(files: dict[str, int]) -> None:
    owners = breakdown.by_owner(inventory(files))
    assert sum(owner.size for owner in owners) == sum(files.values())
    assert sum(owner.files for owner in owners) == len(files)
    assert sorted(file.size for file, _ in breakdown.files_of(owners)) == sorted(files.values())
    assert all(file.name.isprintable() for file, _ in breakdown.files_of(owners))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a/b", "a/b"),
        ("x" * 120, "x" * 120),
        ("a" * 60 + "b" * 61, "a" * 60 + "…" + "b" * 60),
        ("a\n\u202e\udcff", "a\ufffd\ufffd\ufffd"),
    ],
)
def test_a_name_is_one_short_line(name: str, shown: str) -> None:
    assert breakdown.shown(name) == shown


# ---- treemap ----------------------------------------------------------------


def test_areas_are_as_bytes_are() -> None:
    cells = treemap.lay_out([Part("a", 75, 1, "python"), Part("b", 25, 1, "debian")])
    assert [(cell.title, cell.kind, cell.index) for cell in cells] == [
        ("a: 0.0 MB, 75.0%", "python", 0),
        ("b: 0.0 MB, 25.0%", "debian", 1),
    ]
    areas = [cell.width * cell.height for cell in cells]
    assert areas[0] == pytest.approx(3 * areas[1])
    assert sum(areas) == pytest.approx(treemap.WIDTH * treemap.HEIGHT)


def test_a_picture_of_many_files_has_few_cells() -> None:
    owners = breakdown.by_owner(inventory(packages([f"p{n}" for n in range(40)], 100)))
    assert 100 < treemap.count(treemap.lay_out(owners)) <= 400
    assert treemap.count(treemap.lay_out(owners, 10**6)) > 2000


def test_what_nobody_could_see_is_drawn_together() -> None:
    owners = [Part("large", 10**9, 1, "ours"), *(Part(f"s{n}", 10, 1, "rust") for n in range(900))]
    cells = treemap.lay_out(owners)
    assert [(cell.kind, cell.index) for cell in cells] == [("ours", 0), ("several", -1)]
    assert cells[1].title == "900 smaller ones: 0.0 MB, 0.0%"


def test_a_cell_just_large_enough_is_drawn_by_itself() -> None:
    total = int(treemap.WIDTH * treemap.HEIGHT)
    least = int(treemap.SMALLEST)
    parts = [Part("large", total - least, 1), Part("small", least, 1)]
    assert [cell.index for cell in treemap.lay_out(parts)] == [0, 1]
    parts = [Part("large", total - least + 1, 1), Part("small", least - 1, 1)]
    assert [cell.index for cell in treemap.lay_out(parts)] == [0, -1]


@pytest.mark.parametrize("owners", [[], [Part("a", 0, 1)]])
def test_nothing_is_drawn_of_nothing(owners: list[Part]) -> None:
    assert treemap.lay_out(owners) == ()


@given(st.lists(st.integers(0, 10**9), max_size=60))
def test_cells_stay_in_the_picture_and_in_their_owner(sizes: list[int]) -> None:
    files = {f"usr/lib/p{at % 5}/d{at % 3}/f{at}": size for at, size in enumerate(sizes)}
    cells = treemap.lay_out(breakdown.by_owner(inventory(files)))
    outer = Cell(0, 0, treemap.WIDTH, treemap.HEIGHT, "")
    for owner in cells:
        assert holds(outer, owner)
        for folder in owner.cells:
            assert holds(owner, folder)
            assert all(holds(folder, file) for file in folder.cells)


def holds(outer: Cell, inner: Cell) -> bool:
    slack = 1e-6
    return (
        inner.x >= outer.x - slack
        and inner.y >= outer.y - slack
        and inner.x + inner.width <= outer.x + outer.width + slack
        and inner.y + inner.height <= outer.y + outer.height + slack
        and inner.width > 0
        and inner.height > 0
    )


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [("numpy", 100, "numpy"), ("numpy", 44, "numpy"), ("numpy", 43, "num…"), ("numpy", 30, "")],
)
def test_a_name_is_cut_to_its_cell(text: str, width: float, shown: str) -> None:
    assert treemap.fit(text, width) == shown


# ---- history ----------------------------------------------------------------


def test_the_ledger_is_read(folder: Path) -> None:
    file = folder / "history.jsonl"
    for number, version in (1, "1.2.0"), (2, ""):
        ledger.append(entry(number, version=version), file)
    assert size_history.read(file) == [
        Point("2026-01-02T03:04:05Z", "1.2.0", {"api": 3}),
        Point("2026-01-02T03:04:05Z", "", {"api": 3}),
    ]


def test_without_a_ledger_there_is_no_history(folder: Path) -> None:
    assert size_history.read(folder / "history.jsonl") == []


@pytest.mark.parametrize("line", ["", "[]", "{}", "7", '{"at": 1, "version": 1, "images": 5}', "{"])
def test_a_line_that_is_not_a_promotion_is_refused(folder: Path, line: str) -> None:
    file = folder / "history.jsonl"
    ledger.append(entry(1), file)
    with file.open("a") as opened:
        opened.write(line + "\n")
    with pytest.raises(SutraError) as caught:
        size_history.read(file)
    assert caught.value.message == f'{file}: line 2: not an entry "{line}"'
    assert caught.value.tip == (
        f"remove that line from {file}, or move the file away, then run the same command again"
    )


def test_growth_is_drawn_from_zero() -> None:
    points = [Point("", "", {"a": 50}), Point("", "", {"b": 9}), Point("", "", {"a": 100})]
    assert size_history.line(points, "a", 100, 30) == "0.0,16.5 100.0,3.0"
    assert size_history.line(points, "b", 100, 30) == ""
    assert size_history.line([Point("", "", {"a": 0})] * 2, "a", 100, 30) == "0.0,30.0 100.0,30.0"


# ---- the whole --------------------------------------------------------------


def test_only_what_has_a_limit_is_a_bar() -> None:
    results = [
        CheckResult("a", "installed", True, 25, 50),
        CheckResult("a", "memory", True, 25, 0),
        CheckResult("a", "modules", True, 0, 0, "", "findings"),
        CheckResult("a", "ready", False, 6000, 5000, "", "ms"),
        CheckResult("a", "start-cpu", True, None, 1500, "counts none", "ms"),
    ]
    assert [
        (bar.result.name, bar.value, bar.limit, bar.share) for bar in collect.bars(results)
    ] == [
        ("installed", "0.0 MB", "0.0 MB", 0.5),
        ("ready", "6.00 s", "5.00 s", 1.2),
        ("start-cpu", "not measured", "1.50 s", None),
    ]


def test_the_one_script_is_allowed_by_its_hash() -> None:
    # openssl dgst -sha256 -binary | base64, of the text of the element
    digest = base64.b64encode(hashlib.sha256(SCRIPT.read_bytes()).digest()).decode()
    policy = f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'"
    assert f'http-equiv="Content-Security-Policy" content="{policy}; ' in render(report({"a": 1}))
    assert source_hash("alert(1)") == "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI="


def test_the_script_cannot_end_its_element_nor_reach_the_network() -> None:
    script = SCRIPT.read_text()
    assert not [text for text in ("</", "<!--", "\r") if text in script]
    assert not [word for word in ("innerHTML", "eval", "fetch", "Request", "src") if word in script]


def test_time_and_processor_are_shown_with_their_limits() -> None:
    page = render(report({"a": 1}))
    for name, value, limit in (
        ("ready", "0.90 s", "5.00 s"),
        ("start-cpu", "not measured", "1.50 s"),
        ("ready-at-quarter", "3.20 s", "10.00 s"),
        ("fresh", "6.10 s", "7.00 s"),
    ):
        cells = f'<td class="n">{value}</td><td class="n">{limit}</td><td class="wide">'
        assert f'<tr><th scope="row">{name}</th>{cells}' in page


def test_what_a_section_says_of_an_image_is_on_the_page() -> None:
    image = inventory({"usr/lib/tiny/x/a": 2_000_000})
    names = {Owner("python", "tiny", "1.0"): "MIT"}
    because = Because("Ours", "+1.0 MB", ("tiny grew by <1> MB",))
    told = About(Since("Since x, it grew.", (because,)), (Fact("commit", "<c>"),), "None known.")
    section = collect.section("a", breakdown.by_owner(image, names), [], None, told)
    page = render(replace(report({}), sections=(section,)))
    for text in (
        "<p>Since x, it grew.</p>",
        "<li>Ours: +1.0 MB\n<ul>\n<li>tiny grew by &lt;1&gt; MB</li>",
        '<tr><th scope="row">commit</th><td><code>&lt;c&gt;</code></td></tr>',
        "<td>1.0</td><td>python</td><td>MIT</td>",
        "<p>None known. <code>make sbom IMAGE=a</code> writes every component",
    ):
        assert text in page


def test_all_of_an_image_is_collected(engine: FakeEngine, folder: Path, tmp_path: Path) -> None:
    base = Image("base", Budget(10**9, 10**9))
    service = Image("service", Budget(10**9, 10**9))
    promises = Catalog(Path("images.yaml"), (base, service), Budget(10**9, 10**9))
    low, high = tar_of({"usr/lib/a": b"1"}), tar_of({"app/b": b"1"})
    ids = {"base": engine.add(FakeImage([low]), "base:prod")}
    labels = {"org.opencontainers.image.base.name": "base:prod"}
    ids["service"] = engine.add(FakeImage([low, high], labels=labels), "service:prod")
    built = about.read(engine, promises, ids, tmp_path)
    told = about.of(engine, promises, service, built, components.of(built["service"]), tmp_path)
    assert told.since == Since(since_promoted.NEVER)
    assert Fact("base digest", f"{ids['base']}, by its layers") in told.provenance
    none = "No licence recorded (1 components). Not recorded: no record (1)."
    assert told.licences == none
    del engine.by_id[ids["service"]]
    with pytest.raises(SutraError) as caught:
        about.read(engine, promises, ids, tmp_path)
    assert caught.value.message == 'engine: image no longer exists "service:prod"'


@pytest.mark.parametrize("letter", ["n", '"', "\U0001f40d"])
def test_five_large_images_stay_under_a_megabyte(letter: str) -> None:
    """Also with names that take five times their length as HTML, or four as UTF-8."""
    files = packages([f"{letter * 90}{n}" for n in range(60)], 100)
    page = render(report(files, [f"image-{n}" for n in range(5)]))
    assert len(page.encode()) < 1_000_000
    assert page.count('<rect class="owner"') > 5
    assert page.count("<tr id=") == 5 * 60


def test_names_and_versions_of_the_most_bytes_stay_under_a_megabyte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no picture, and fewer rows, but every check and every change is there."""
    monkeypatch.setattr(Owned, "version", '"' * 120)
    monkeypatch.setattr(Earlier, "version", "'" * 120)
    files = packages([f"{'&' * 117}{n:03}" for n in range(61)], 2)
    built = report(files, [f"image-{n}" for n in range(5)])
    page = render(built)
    assert len(page.encode()) < 1_000_000
    assert page.count("<tr id=") == 5 * shorten.ROWS[0]
    assert page.count("<p>41 smaller owners are left out.</p>") == 5
    assert page.count("The 20 largest files of image-") == 5
    assert page.count(", 102 more are left out</summary>") == 5
    lines = [line for cause in built.sections[0].about.since.because for line in cause.lines]
    assert page.count("<li>") >= 5 * len(lines) > 100


def failed(count: int) -> CheckResult:
    lines = tuple(f'forbidden "{"&" * 150}{n}"' for n in range(count))
    return CheckResult("sutra-api", "contents.docs", False, count, 0, lines[0], "findings", lines)


def test_every_finding_is_shown() -> None:
    page = render(replace(report({"a": 1}), results=(failed(3),)))
    assert "<summary>3 lines</summary>" in page
    assert [n for n in range(3) if f"{'&amp;' * 150}{n}&#34;</code></li>" in page] == [0, 1, 2]
    assert "<summary>1 lines" not in render(replace(report({"a": 1}), results=(failed(1),)))


def test_too_many_findings_for_a_page_are_cut_and_counted() -> None:
    page = render(replace(report({"a": 1}), results=(failed(1000), failed(1000))))
    assert len(page.encode()) < 1_000_000
    assert page.count("<li><code>980 more: `verify_contents --all` prints them</code></li>") == 2
    assert page.count("<summary>21 lines</summary>") == 2


def test_findings_that_are_still_too_many_are_cut_to_one_and_counted() -> None:
    page = render(replace(report({"a": 1}), results=(failed(1000),) * 100))
    assert len(page.encode()) < 1_000_000
    assert page.count("<li><code>999 more: `verify_contents --all` prints them</code></li>") == 100


def test_a_long_table_says_what_it_leaves_out() -> None:
    files = packages([f"p{n:03}" for n in range(61)], 1)
    page = render(report(files))
    assert "<p>1 smaller owners are left out.</p>" in page
    assert "The 30 largest files of sutra-api, 31 more are left out" in page


@given(st.dictionaries(st.text(min_size=1), st.integers(1, 10**7), min_size=1, max_size=5))
def test_no_name_becomes_markup(files: dict[str, int]) -> None:
    hostile = {f"<script>{name}": size for name, size in files.items()}
    page = render(report({**hostile, **dict.fromkeys(HOSTILE, 10**6)}))
    assert page.count("<script") == 1
    assert f"<script>{SCRIPT.read_text()}</script>\n</body>" in page
    assert "<img" not in page
    page.encode()  # no lone surrogate


def test_an_empty_image_is_shown() -> None:
    page = render(report({}))
    assert '<svg class="map"' not in page
    assert "0.0 MB installed" in page


def test_a_page_that_cannot_be_written_leaves_nothing(folder: Path) -> None:
    (folder / "report.html").mkdir()
    with pytest.raises(SutraError) as caught:
        write(folder / "report.html", "x")
    place = folder / "report.html"
    assert caught.value.message == f'report: cannot write "{place}": Is a directory'
    assert list(folder.iterdir()) == [place]


def test_without_a_browser_there_is_no_picture(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(SutraError) as caught:
        screenshot.find_browser()
    assert (caught.value.message, caught.value.tip) == (
        "report: no Chromium to take a picture with",
        "scripts/install.sh chromium",
    )


def test_a_browser_that_takes_no_picture_is_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screenshot, "find_browser", lambda: "/bin/true")
    with pytest.raises(SutraError) as caught:
        screenshot.take(folder / "report.html", folder / "shot.png")
    assert caught.value.message.startswith(f'report: no picture "{folder}/shot.png": ')
    assert not (folder / "shot.png").exists()
