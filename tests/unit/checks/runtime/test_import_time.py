"""Import times as CPython writes them, their owners, and the imports that could wait."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.checks.runtime import deferred_imports, import_time
from scripts.checks.runtime.deferred_imports import Deferrable
from scripts.checks.runtime.import_time import Import, Spent
from scripts.commands import why_slow
from scripts.common.errors import SutraError
from scripts.engine import sandbox
from scripts.image.inventory import Entry, Inventory, LayerFiles

LOG = """\
import time: self [us] | cumulative | imported package
import time:       100 |        100 |   zipimport
import time:        50 |        150 | site
{"message": "a log line of the service"}
import time:         7 |          7 |     c.deep
import time:        20 |         27 |   b
import time:         3 |          3 |   d
import time:        10 |         40 | a
import time: self [us] | cumulative | imported package
import time:      9999 |       9999 | of.another.process
"""
IMPORTS = [
    Import("zipimport", 100, 100, "site"),
    Import("site", 50, 150, ""),
    Import("c.deep", 7, 7, "b"),
    Import("b", 20, 27, "a"),
    Import("d", 3, 3, "a"),
    Import("a", 10, 40, ""),
]


def test_imports_have_their_importer_and_are_those_of_the_first_process() -> None:
    assert import_time.parse(LOG) == IMPORTS


def test_each_module_has_its_lowest_time_and_what_it_imports_in_its_whole() -> None:
    first = [Import("b", 9, 9, "a"), Import("gone", 1, 1, "a"), Import("a", 10, 20, "")]
    last = [Import("c", 5, 5, "b"), Import("b", 20, 25, "a"), Import("a", 12, 37, "")]
    assert import_time.lowest([first, last]) == [
        Import("c", 5, 5, "b"),
        Import("b", 9, 14, "a"),
        Import("a", 10, 24, ""),
    ]


def test_other_output_has_no_import_times() -> None:
    assert import_time.parse("listening\nimport time: soon\n") == []


def test_what_cpython_writes_is_read() -> None:
    command = [sys.executable, "-X", "importtime", "-S", "-c", "import json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    by_module = {row.module: row for row in import_time.parse(done.stderr)}
    assert by_module["json.decoder"].importer == "json"
    assert (
        by_module["json"].whole_us
        >= by_module["json.decoder"].whole_us
        >= by_module["json.decoder"].own_us
    )


def test_every_owner_has_its_share_the_most_first() -> None:
    whose = {"a": "api 1", "b": "fastapi 2", "c.deep": "fastapi 2", "site": "python3.13 3"}
    assert import_time.by_owner(IMPORTS, whose) == [
        Spent("CPython, built in", 2, 103),
        Spent("python3.13 3", 1, 50),
        Spent("fastapi 2", 2, 27),
        Spent("api 1", 1, 10),
    ]


def test_modules_are_found_by_their_place_in_a_tree_of_python() -> None:
    site = "opt/sutra/lib/python3.13/site-packages"
    files = [
        "usr/lib/python3.13/json/__init__.pyc",
        "usr/lib/python3.13/lib-dynload/_ssl.cpython-313-x86_64-linux-gnu.so",
        f"{site}/pydantic_core/_core.abi3.so",
        f"{site}/one.pyc",
        "app/sutra_api/app.py",
        "app/sutra_api/__pycache__/app.cpython-313.pyc",
        "app/sutra_api/data.json",
        "usr/bin/python3.13",
    ]
    entries = tuple(Entry(path, "file", 1, 0o644, 0, 0, 0) for path in files)
    layer = LayerFiles("sha256:0", 1, 1, entries)
    owners = import_time.owners(Inventory("a:b", "sha256:1", "amd64", {"config": {}}, (layer,)))
    assert sorted(owners) == ["_ssl", "json", "one", "pydantic_core._core", "sutra_api.app"]


# ---- what could wait --------------------------------------------------------

SOURCES = {
    "ours/__init__.py": "",
    "ours/helper.py": "",
    "ours/app.py": (
        "import decimal\n"  # used in a function alone
        "import fractions\n"  # used at once
        "import xml.dom.minidom\n"  # never used
        "import email.message as message, csv\n"  # the first by a class body, the second by none
        "from string import Template, Formatter\n"  # one of them is used
        "from . import helper\n"  # a module of the package, used in a function
        "from logging import config as kept\n"  # a lambda's own
        "half = fractions.Fraction(1, 2)\n"
        "class Thing:\n    kind = message.Message\n"
        "made = Template('x')\n"
        "def later(): return decimal.Decimal(1), csv, Formatter, helper\n"
        "names = [str(each) for each in (half, made)]\n"
        "soon = lambda: kept\n"
    ),
}


@pytest.fixture
def rows(tmp_path: Path) -> set[tuple[str, bool]]:
    for name, text in SOURCES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", deferred_imports.INSIDE.read_text(), "MARK ", "ours.app", "none"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = [candidate for candidate in done.stdout.splitlines() if candidate.startswith("MARK ")]
    document = json.loads(line.removeprefix("MARK "))
    assert {importer for importer, *_ in document} == {"ours.app"}
    return {(whole, is_used) for _, whole, _, is_used in document}


def test_what_an_import_is_used_for_is_read_from_bytecode(rows: set[tuple[str, bool]]) -> None:
    assert rows == {
        ("decimal", False),
        ("fractions", True),
        ("xml.dom.minidom", False),
        ("email.message", True),
        ("csv", False),
        ("string.Template", True),
        ("string.Formatter", False),
        ("ours.helper", False),
        ("logging.config", True),
    }


def test_only_what_nobody_else_imports_could_be_saved() -> None:
    seen = {
        row.module: row
        for row in [
            Import("app", 1, 100, ""),
            Import("slow", 20, 50, "app"),
            Import("slow.part", 30, 30, "slow"),
            Import("used", 5, 5, "app"),
            Import("shared", 7, 7, "other"),
        ]
    }
    rows = [
        ("app", "slow", "slow", False),
        ("app", "used.Name", "used", False),
        ("app", "used.Other", "used", True),
        ("app", "shared", "shared", False),
        ("app", "never.seen", "never", False),
    ]
    assert deferred_imports._joined(rows, seen) == [Deferrable("app", "slow", 50, 2)]


def test_bytecode_that_cannot_be_read_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "run", lambda *_: (1, "boom\nNo module named dis\n"))
    nothing: Any = None
    with pytest.raises(SutraError) as caught:
        deferred_imports.find(nothing, "x", [Import("app", 1, 1)], ["app"])
    assert caught.value.message == (
        'why-slow: bytecode cannot be read "boom | No module named dis"'
    )


def test_imports_that_could_wait_are_reported_or_that_there_are_none() -> None:
    assert why_slow.deferrable_lines([]) == [
        "no import of ours could wait: each is used when its module is imported"
    ]
    assert why_slow.deferrable_lines([Deferrable("a.b", "httpx", 31_240, 60)]) == [
        "could wait until a function needs it: a.b imports httpx: up to 31.2 ms, 60 modules"
    ]


# ---- bad input --------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "check"),
    [(Budget(1, 1), {"Test": ["CMD", "ask"]}), (Budget(1, 1, ready=5), None)],
)
def test_an_image_without_a_health_check_of_a_service_is_refused(
    budget: Budget, check: object
) -> None:
    image = Image("base", budget)
    nothing: Any = None
    with pytest.raises(SutraError) as caught:
        import_time.measure(
            nothing,
            Catalog(Path("images.yaml"), (image,), budget),
            image,
            {"Config": {"Healthcheck": check}},
            1,
        )
    assert (caught.value.message, caught.value.tip) == (
        'why-slow: not a service "base"',
        "services have `budget.ready` in images.yaml",
    )
