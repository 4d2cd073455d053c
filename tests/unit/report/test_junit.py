from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from scripts.common.check_result import CheckResult
from scripts.common.text import printable
from scripts.report import junit

DETAIL = 'images.yaml: images.sutra-api.budget.ready: not healthy: ended with 1, last words "<&>"'
RESULTS = [
    CheckResult("sutra-api", "installed", True, 49_800_000, 50_000_000),
    CheckResult("release", "installed", True, 60_000_000, 60_000_000),
    CheckResult("sutra-api", "ready", False, 312, 5000, DETAIL, "ms"),
]
DOCUMENT = """\
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="sutra" tests="3" failures="1" errors="0">
  <testsuite name="sutra-api" tests="2" failures="1" errors="0">
    <testcase classname="sutra-api" name="installed" time="0.000">
      <system-out>49.8 MB, 50.0 MB allowed</system-out>
    </testcase>
    <testcase classname="sutra-api" name="ready" time="0.312">
      <failure message="images.yaml: images.sutra-api.budget.ready: not healthy: ended with 1, \
last words &quot;&lt;&amp;&gt;&quot;" type="ready">0.31 s, 5.00 s allowed</failure>
    </testcase>
  </testsuite>
  <testsuite name="release" tests="1" failures="0" errors="0">
    <testcase classname="release" name="installed" time="0.000">
      <system-out>60.0 MB, 60.0 MB allowed</system-out>
    </testcase>
  </testsuite>
</testsuites>"""


def test_a_suite_an_image_and_a_case_a_check() -> None:
    assert junit.document(RESULTS) == DOCUMENT


def test_nothing_checked_is_an_empty_document() -> None:
    assert junit.document([]) == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<testsuites name="sutra" tests="0" failures="0" errors="0" />'
    )


def test_every_finding_is_a_line_of_the_failure() -> None:
    result = CheckResult("a", "b", False, 2, 0, "x: first (+1 more)", "findings", ("first", "<2>"))
    assert (
        '<failure message="x: first (+1 more)" type="b">2, 0 allowed\nfirst\n&lt;2&gt;</failure>'
        in junit.document([result])
    )


@given(st.text())
def test_whatever_a_detail_holds_it_is_xml_that_reads_back(detail: str) -> None:
    shown = printable(detail)
    text = junit.document([CheckResult("a", "b", False, 1, 0, shown, "findings")])
    failure = ElementTree.fromstring(text).find(".//failure")  # noqa: S314 # our own text
    assert failure is not None
    assert failure.get("message") == shown
