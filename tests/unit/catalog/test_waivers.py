"""Exceptions from the rules: what images.yaml may allow, for whom, and with which reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from tests.support.fixture_images import Made
from tests.support.good_image import NAME, good
from tests.unit.checks.contents.judging import details, exe, key, promise, verify


def waived(folder: Path, image: Made, contents: str, rule: str) -> CheckResult:
    promises = promise(folder, f"    contents:\n      {rule}: {contents}\n")
    (result,) = (
        candidate
        for candidate in verify(folder, image, promises)
        if candidate.name == f"contents.{rule}"
    )
    return result


def said(result: CheckResult, folder: Path) -> str:
    return result.detail.replace(f"{folder}/", "")


def test_a_rule_that_is_off_passes_and_says_why(tmp_path: Path) -> None:
    result = waived(tmp_path, good(exe("app/sh")), "{skip: true, because: an old tool}", "shells")
    assert (result.ok, result.actual) == (True, 0)
    assert said(result, tmp_path) == key("shells") + "skipped: an old tool"


def test_an_allowed_path_passes_and_says_why(tmp_path: Path) -> None:
    contents = "{allow: [./app/sh], because: an old tool}"
    result = waived(tmp_path, good(exe("app/sh")), contents, "shells")
    assert (result.ok, result.actual) == (True, 0)
    assert said(result, tmp_path) == key("shells") + "1 allowed: an old tool"


def test_what_is_not_among_the_allowed_paths_still_fails(tmp_path: Path) -> None:
    image = good({**exe("app/sh"), **exe("app/dash")})
    result = waived(tmp_path, image, "{allow: [./app/sh], because: an old tool}", "shells")
    assert (result.ok, result.actual) == (False, 1)
    assert said(result, tmp_path) == key("shells") + 'forbidden "app/dash"'


def test_an_allowance_that_nothing_needs_fails(tmp_path: Path) -> None:
    contents = "{allow: [./app/sh, ./app/gone], because: an old tool}"
    result = waived(tmp_path, good(exe("app/sh")), contents, "shells")
    assert (result.ok, result.actual) == (False, 1)
    assert said(result, tmp_path) == key("shells") + 'allows what is not there "./app/gone"'


@pytest.mark.parametrize(("distribution", "ok"), [("debian", True), ("alpine", False)])
def test_an_exception_holds_for_its_distribution_alone(
    distribution: str, ok: bool, tmp_path: Path
) -> None:
    contents = f"{{allow: [./app/apk], distribution: {distribution}, because: its own tool}}"
    result = waived(tmp_path, good(exe("app/apk")), contents, "package-managers")
    assert result.ok == ok
    assert said(result, tmp_path) == key("package-managers") + (
        "1 allowed: its own tool" if ok else 'forbidden "app/apk"'
    )


def test_an_allowance_for_another_distribution_may_be_idle(tmp_path: Path) -> None:
    contents = "{allow: [./app/apk], distribution: alpine, because: its own tool}"
    result = waived(tmp_path, good(), contents, "package-managers")
    assert (result.ok, result.detail) == (True, "")


BASE = (
    "  sutra-base:\n    budget: {installed: 1 MB, download: 1 MB}\n    contents:\n"
    "      shells: {allow: [./app/sh], because: a base}\n"
    "      healthcheck: {skip: true, because: a base}\n"
)


ON_BASE = {"org.opencontainers.image.base.name": "sutra-base:prod"}


def test_what_a_base_allows_holds_for_what_is_built_on_it(tmp_path: Path) -> None:
    image = good(exe("app/sh"), Labels=ON_BASE)
    assert details(verify(tmp_path, image, promise(tmp_path, more=BASE)), tmp_path) == []
    assert details(verify(tmp_path, good(), promise(tmp_path, more=BASE)), tmp_path) == []


def test_what_a_base_switches_off_does_not(tmp_path: Path) -> None:
    image = good(Labels=ON_BASE, Healthcheck=None)
    assert details(verify(tmp_path, image, promise(tmp_path, more=BASE)), tmp_path) == [
        key("healthcheck") + "no HEALTHCHECK"
    ]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("shels: {skip: true, because: x}", 'unknown key "shels", did you mean "shells"?'),
        ("shells: {}", 'one of skip, allow and limit, not "none"'),
        (
            "shells: {skip: true, allow: [a], because: x}",
            'one of skip, allow and limit, not "skip and allow"',
        ),
        ("shells: {skip: false, because: x}", 'skip: not true "False"'),
        ("shells: {skip: true}", "because: missing"),
        ("shells: {skip: true, because: ''}", 'because: not a text ""'),
        ("shells: {skp: true, because: x}", 'unknown key "skp", did you mean "skip"?'),
        ("shells: {allow: [], because: x}", 'allow: not a list of paths "[]"'),
        ("shells: {allow: a, because: x}", 'allow: not a list of paths "a"'),
        ("shells: {allow: [1], because: x}", 'allow[0]: not a path "1"'),
        ("shells: {allow: [a, /x], because: x}", 'allow[1]: absolute: "/x"'),
        ("shells: {allow: ['**'], because: x}", 'allow[0]: matches everything: "**"'),
        (
            "shells: {limit: 1 MB, because: x}",
            'limit: only for a rule that counts bytes, which is not "shells"',
        ),
        ("wasted: {limit: 1, because: x}", 'limit: not a size such as "50 MB": "1"'),
        ("shells: {skip: true, because: x, distribution: 1}", 'distribution: not a text "1"'),
    ],
)
def test_a_wrong_exception_is_refused(contents: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SutraError) as caught:
        promise(tmp_path, f"    contents: {{{contents}}}\n")
    where = "" if "shels" in contents else "." + contents.partition(":")[0]
    separator = "." if re.match(r"[a-z]+(\[\d\])?: ", message) else ": "
    assert caught.value.message == (
        f"{tmp_path}/images.yaml: images.{NAME}.contents{where}{separator}{message}"
    )
    assert caught.value.tip == f"fix {tmp_path}/images.yaml, then run the same command again"
