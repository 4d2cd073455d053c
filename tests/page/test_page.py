"""The report in a browser: inert, named, readable in both themes, walked by keyboard."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from scripts.common.errors import SutraError
from scripts.report.html import screenshot
from scripts.report.html.render import SCRIPT, render, write
from tests.page.conftest import Open
from tests.support.reports import HOSTILE, packages, report

OWNERS = ["numpy", "scipy", "libc6", "<b>bold</b>", "uvloop", "ca-certificates", "tiny"]
FILES = {**packages(OWNERS, 40), **dict.fromkeys(HOSTILE, 900_000)}
KINDS = ("python", "debian", "alpine", "rust", "go", "ours", "other", "several")
NAMES = ("sutra-api", "sutra-hybrid")

# least contrast by WCAG 2.2: of text (1.4.3) and of drawings (1.4.11)
READABLE, VISIBLE = 4.5, 3.0
CONTRAST = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const part = v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
  const light = c => .2126 * part(c[0]) + .7152 * part(c[1]) + .0722 * part(c[2]);
  const ratio = (a, b) => {
    const [x, y] = [light(a), light(b)].sort((m, n) => n - m);
    return (x + .05) / (y + .05);
  };
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || e.closest('title, style, script')) continue;
    const style = getComputedStyle(e), svg = e.closest('.map');
    const back = svg
      ? parse(getComputedStyle(e.parentElement.querySelector('.owner')).fill) : behind(e);
    found.push([walker.currentNode.data.trim().slice(0, 40),
      ratio(parse(svg ? style.fill : style.color), back)]);
  }
  const fill = selector => parse(getComputedStyle(document.querySelector(selector)).fill);
  const bars = ['.fill', '.over'].map(bar => [bar, ratio(fill('.bar ' + bar), fill('.track'))]);
  const box = document.querySelector('input'), style = getComputedStyle(box);
  const edge = ratio(parse(style.borderTopColor), behind(box.parentElement));
  return {texts: found, bars, field: [edge, ratio(parse(style.color), behind(box))]};
}"""


@pytest.fixture
def page(open_report: Open) -> Page:
    return open_report(report(FILES, NAMES))


def names(page: Page, script: str) -> Any:
    return page.evaluate(script)


def test_hostile_names_are_text(page: Page) -> None:
    assert page.evaluate("window.pwned") is None
    assert page.locator("img, iframe, object, embed, link, form").count() == 0
    assert page.locator("script").all_text_contents() == [SCRIPT.read_text()]
    assert page.locator("[onfocus], [onerror], [onload], [srcdoc], [autofocus]").count() == 0
    assert page.evaluate("[...document.links].every(a => a.getAttribute('href')[0] === '#')")
    page.locator("summary").first.click()
    for name in HOSTILE[:5]:
        assert page.get_by_role("rowheader", name=f"/{name}", exact=True).first.is_visible()


def test_the_policy_allows_the_one_script_alone(page: Page) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.evaluate("""() => {
      window.refused = 0;
      document.addEventListener('securitypolicyviolation', () => window.refused++);
      const script = document.createElement('script');
      script.textContent = 'window.pwned = 5';
      document.body.append(script);
      document.body.insertAdjacentHTML('beforeend', '<svg onload="window.pwned = 6"></svg>');
    }""")
    page.wait_for_function("() => window.refused === 2")
    assert page.evaluate("window.pwned") is None
    assert len(said) == 2
    assert all("script-src 'sha256-" in policy for policy in said)


def test_control_characters_do_not_reach_the_page(page: Page) -> None:
    text = page.content()
    assert not [
        character for character in ("\x1b", "\u202e", "\x00", "\udcff") if character in text
    ]
    assert "opt/\ufffd[31m\ufffdgnp.exe\ufffd\ufffd\ufffd" in text


def test_nothing_is_asked_of_the_network(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write(file, render(report(FILES, NAMES)))
    addresses: list[str] = []
    said: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    page.on("request", lambda request: addresses.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(file.as_uri())
    page.wait_for_load_state("networkidle")
    context.close()
    assert addresses == [file.as_uri()]
    assert said == []


def test_every_picture_has_a_name(page: Page) -> None:
    unnamed = """() => [...document.querySelectorAll('svg')]
      .filter(svg => !svg.getAttribute('aria-label') && svg.getAttribute('aria-hidden') !== 'true')
      .map(svg => svg.outerHTML.slice(0, 80))"""
    assert names(page, unnamed) == []
    assert page.get_by_role("group", name="What fills sutra-api").count() == 1
    bar = page.get_by_role("img", name="installed: 49.0 MB of 50.0 MB", exact=True)
    assert bar.count() == 3


def test_landmarks_and_headings(page: Page) -> None:
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1, role
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => h.tagName)")
    image = ["H2", *["H3"] * 3]
    assert levels == ["H1", *["H2"] * 2, *image * len(NAMES), *["H2"] * 2]
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title() == "Sutra images 0.1.0: 4 of 16 checks failed"


def test_links_lead_somewhere_and_ids_are_there_once(page: Page) -> None:
    wrong = """() => [...document.querySelectorAll('a')].map(a => a.getAttribute('href').slice(1))
      .filter(id => document.querySelectorAll(`[id="${id}"]`).length !== 1)"""
    assert names(page, wrong) == []
    assert page.locator("a").count() > 20


def test_tables_are_tables(page: Page) -> None:
    wrong = """() => [...document.querySelectorAll('table')].filter(table => !table.caption
      || !table.querySelector('thead th[scope=col]')
      || [...table.tBodies[0].rows].some(row => row.cells[0].scope !== 'row'))
      .map(table => table.innerText.slice(0, 40))"""
    assert names(page, wrong) == []


def test_every_picture_has_its_figures_in_a_table(page: Page) -> None:
    owners = {"other", *OWNERS}
    for owner in owners:
        assert page.locator(".map a").filter(has_text=owner).count() >= 2, owner
    shown = page.locator(".map a").count()
    figures = page.evaluate("""() => [...document.querySelectorAll('.map a')].filter(a => {
      const row = document.getElementById(a.getAttribute('href').slice(1));
      return row && a.getAttribute('aria-label').startsWith(row.cells[0].innerText);
    }).length""")
    assert figures == shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_bars_stand_out_in_both_themes(open_report: Open, scheme: str) -> None:
    page = open_report(report(FILES, NAMES), scheme=scheme)
    for summary in page.locator("summary").all():
        summary.click()
    figures = page.evaluate(CONTRAST)
    assert len(figures["texts"]) > 300
    assert [text for text in figures["texts"] if text[1] < READABLE] == []
    assert {"Since the last promotion", "Where it comes from"} <= {
        content for content, _ in figures["texts"]
    }
    assert figures["field"][0] >= VISIBLE
    assert figures["field"][1] >= READABLE
    assert [bar for bar in figures["bars"] if bar[1] < VISIBLE] == []


def test_text_that_does_not_stand_out_is_noticed(page: Page) -> None:
    page.add_style_tag(content=":root { --ink: #999; --bar: #ccc }")
    figures = page.evaluate(CONTRAST)
    assert [
        text
        for text, ratio in figures["texts"]
        if ratio < READABLE and text in ("Release", "sutra-api")
    ][:2] == ["Release", "sutra-api"]
    assert figures["bars"][0][1] < VISIBLE


def test_the_themes_differ(open_report: Open) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light = open_report(report(FILES)).evaluate(colour)
    dark = open_report(report(FILES), scheme="dark").evaluate(colour)
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(20, 24, 29)")


@pytest.mark.parametrize(
    "kind", ["python", "debian", "alpine", "rust", "go", "ours", "other", "several"]
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_are_readable_on_every_kind_of_owner(
    open_report: Open, kind: str, scheme: str
) -> None:
    page = open_report(report(FILES), scheme=scheme)
    assert f".k-{kind} .owner {{ fill: var(--{kind}); }}" in page.content()
    page.evaluate(f"""document.querySelectorAll('.map > *').forEach(
      cell => cell.setAttribute('class', 'k-{kind}'))""")
    texts = page.evaluate(CONTRAST)["texts"]
    assert [text for text in texts if text[1] < READABLE] == []


def test_the_keyboard_reaches_everything_in_order(page: Page) -> None:
    reachable = page.locator("a, summary, input, .scroll").evaluate_all(
        "all => all.filter(e => e.checkVisibility()).length"
    )
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the report"
    walked = 1
    page.evaluate("window.walked = new Set([document.activeElement])")
    while walked < reachable:
        page.keyboard.press("Tab")
        step = page.evaluate("""() => {
          const e = document.activeElement, before = window.walked.size;
          window.walked.add(e);
          const drawn = e.closest('.map') ? e.querySelector('.owner') : e;
          const style = getComputedStyle(drawn);
          return {fresh: window.walked.size > before, tag: e.tagName,
            seen: parseFloat(style.outlineWidth) >= 2 || parseFloat(style.strokeWidth) >= 4};
        }""")
        assert step["fresh"], f"trapped after {walked} of {reachable}: {step}"
        assert step["seen"], f"focus cannot be seen: {step}"
        walked += 1


def test_a_cell_leads_to_its_row(page: Page) -> None:
    cell = page.locator(".map a").first
    cell.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == cell.get_attribute("href")
    row = page.locator(":target")
    assert row.evaluate("row => row.tagName") == "TR"
    assert row.evaluate("row => getComputedStyle(row).outlineStyle") == "solid"


def test_skipping_leads_to_the_report(page: Page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("width", [320, 360])
def test_a_narrow_screen_scrolls_in_one_direction_only(open_report: Open, width: int) -> None:
    long = {f"usr/lib/{'x' * 200}/part/a": 10**7}
    page = open_report(report({**FILES, **long}, NAMES), width=width)
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_has_the_light_theme_and_every_row(open_report: Open) -> None:
    page = open_report(report(FILES, NAMES), width=720, scheme="dark")
    search(page, "numpy")
    hidden = page.locator("tr.out")
    assert not hidden.first.is_visible()
    page.emulate_media(media="print")
    assert hidden.first.is_visible()
    assert not page.get_by_role("search").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    figures = page.evaluate(CONTRAST)
    assert [text for text in figures["texts"] if text[1] < READABLE] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 720


# ---- the search ---------------------------------------------------------------


SAYS = re.compile("^Found: ")


def search(page: Page, words: str, status: str | re.Pattern[str] = SAYS) -> None:
    """Type words as a person does, and wait for what a screen reader says of them."""
    page.get_by_role("searchbox", name="Show only owners, files and checks with").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type(words)
    expect(page.get_by_role("status")).to_have_text(status)


def shown(page: Page, kind: str) -> list[str]:
    rows = page.locator(f"[data-rows={kind}] > tr")
    return [row.locator("th").inner_text() for row in rows.all() if row.is_visible()]


def test_a_search_shows_the_rows_with_every_word_and_counts_them(page: Page) -> None:
    search(page, "NUMPY rust", "Found: 2 owners, 0 files, 0 checks.")
    assert shown(page, "owner") == ["numpy"] * 2
    search(page, "file_number_39 numpy", "Found: 0 owners, 2 files, 0 checks.")
    assert shown(page, "file") == ["/usr/lib/numpy/part4/file_number_39.so"] * 2
    search(page, "sutra-hybrid scipy 1.0", "Found: 1 owner, 0 files, 0 checks.")
    assert shown(page, "owner") == ["scipy"]
    search(page, "scipy1.0", "Found: 0 owners, 0 files, 0 checks.")
    search(page, "sutra-api start-cpu", "Found: 0 owners, 0 files, 1 check.")
    assert shown(page, "check") == ["sutra-api"]
    search(page, "<script> there is none", "Found: 0 owners, 0 files, 0 checks.")


def test_the_end_of_a_search_leaves_the_page_as_it_was(page: Page) -> None:
    page.locator("[data-rows=file]").first.locator("xpath=ancestor::details").locator(
        "summary"
    ).click()
    before = page.locator("main").inner_text()
    search(page, "file_number_39")
    assert page.locator("details[open]").count() == 2
    page.keyboard.press("Escape")  # what browsers give a search field
    expect(page.get_by_role("status")).to_have_text("")
    assert page.locator("main").inner_text() == before
    assert page.locator("details[open]").count() == 1


def test_a_cell_leads_to_its_row_out_of_a_search(page: Page) -> None:
    cell = page.get_by_role("link", name="scipy 1.0").first
    cell.click()
    for _ in range(2):  # the second time the address is the same
        search(page, "numpy")
        assert not page.locator(":target").is_visible()
        cell.focus()
        page.keyboard.press("Enter")
        assert page.locator(":target").is_visible()
        assert page.locator(":target").locator("th").inner_text() == "scipy"
        assert page.get_by_role("searchbox").input_value() == ""


def test_without_scripts_nothing_is_missing_but_the_search(
    browser: Browser, tmp_path: Path, page: Page
) -> None:
    file = tmp_path / "plain.html"
    write(file, render(report(FILES, NAMES)))
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(file.as_uri())
    assert not plain.get_by_role("search").is_visible()
    assert not plain.get_by_label("Show only owners").is_visible()
    for text in ("Since the last promotion", "Where it comes from", "Checks"):
        assert plain.get_by_role("heading", name=text, exact=True).first.is_visible()
    plain.locator("summary").last.click()
    assert plain.locator("[data-rows=file]").last.is_visible()
    assert plain.locator("[data-rows] > tr:visible").count() > 40
    context.close()
    assert page.get_by_role("search").is_visible()


def test_a_first_report_says_that_there_is_nothing_to_compare(open_report: Open) -> None:
    page = open_report(replace(report(FILES, failed=False), points=()))
    assert page.get_by_text("Nothing was promoted yet").is_visible()
    assert page.locator("#failed").count() == 0
    assert page.get_by_text("All 8 checks passed.").is_visible()


def test_growth_is_drawn_and_listed(page: Page) -> None:
    assert page.get_by_role("img", name="sutra-api over 3 promotions").count() == 1
    assert page.get_by_role("rowheader", name="2026-11-03T06:00:00Z").is_visible()


def test_a_picture_is_taken(chromium: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write(file, render(report(packages(OWNERS, 2), NAMES, failed=False)))
    screenshot.take(file, tmp_path / "docs/report.png")
    data = (tmp_path / "docs/report.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    assert (width, height) == (screenshot.WIDTH, screenshot.HEIGHTS[0])
    assert 10_000 < len(data) <= screenshot.LARGEST


def test_a_picture_that_would_be_large_shows_less(
    chromium: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, shot = tmp_path / "report.html", tmp_path / "report.png"
    write(file, render(report(packages(OWNERS, 2), NAMES)))
    screenshot.take(file, shot)
    whole = shot.stat().st_size
    monkeypatch.setattr(screenshot, "LARGEST", whole - 1)
    screenshot.take(file, shot)
    height = int.from_bytes(shot.read_bytes()[20:24], "big")
    assert height in screenshot.HEIGHTS[1:]
    assert shot.stat().st_size < whole
    monkeypatch.setattr(screenshot, "LARGEST", 100)
    with pytest.raises(SutraError) as caught:
        screenshot.take(file, shot)
    assert caught.value.message == f'report: no picture "{shot}": larger than 100 bytes'
    assert shot.stat().st_size < whole
