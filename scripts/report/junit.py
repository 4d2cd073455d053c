"""Check results as JUnit XML: a suite an image, a case a check.

The format has no standard; this is the part that Jenkins, GitLab and GitHub's
reporters agree on (testmoapp/junitxml describes it).
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from scripts.common.check_result import CheckResult
from scripts.report import tables

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def document(results: Sequence[CheckResult]) -> str:
    """Return the XML text. Details must be printable: XML 1.0 has no other characters."""
    top = ElementTree.Element("testsuites", {"name": "sutra", **_counts(results)})
    for image in dict.fromkeys(result.image for result in results):
        own = [result for result in results if result.image == image]
        suite = ElementTree.SubElement(top, "testsuite", {"name": image, **_counts(own)})
        for result in own:
            _case(suite, result)
    ElementTree.indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(
        top, encoding="unicode"
    )


def _counts(results: Sequence[CheckResult]) -> dict[str, str]:
    failed = sum(not result.ok for result in results)
    return {"tests": str(len(results)), "failures": str(failed), "errors": "0"}


def _case(suite: ElementTree.Element, result: CheckResult) -> None:
    seconds = (result.actual or 0) / 1000 if result.unit == "ms" else 0
    case = ElementTree.SubElement(
        suite, "testcase", classname=result.image, name=result.name, time=f"{seconds:.3f}"
    )
    measured = f"{tables.value(result)}, {tables.limit(result)} allowed"
    if result.ok:
        ElementTree.SubElement(case, "system-out").text = "\n".join(
            filter(None, (measured, result.detail))
        )
    else:
        failure = ElementTree.SubElement(case, "failure", message=result.detail, type=result.name)
        failure.text = "\n".join((measured, *result.findings))
