"""Python's bytecode: what each rule fails, and what passes."""

from __future__ import annotations

import json

from scripts.checks.contents.rules_bytecode import RULES
from tests.support.fixture_images import Item, pyc
from tests.support.good_image import REPORT, SITE
from tests.unit.checks.contents.judging import (
    CACHED,
    Forbids,
    Passes,
    case,
    passing,
)

FAILING = [
    case("bytecode", 'bytecode without a header "app/x.pyc"', {"app/x.pyc": b"short"}),
    case("bytecode", 'bytecode of another Python "app/x.pyc"', {"app/x.pyc": pyc(3531)}),
    case(
        "bytecode",
        'stale bytecode "app/x.pyc"',
        {"app/x.py": Item(b"1", mtime=7), "app/x.pyc": pyc(flags=0, mtime=8, size=1)},
    ),
    case(
        "bytecode",
        'stale bytecode "app/__pycache__/x.cpython-313.pyc"',
        {
            "app/x.py": Item(b"12", mtime=7),
            "app/__pycache__/x.cpython-313.pyc": pyc(flags=0, mtime=7, size=1),
        },
    ),
    case(
        "bytecode",
        'stale bytecode "app/__pycache__/x.cpython-313.pyc"',
        {"app/x.py": "2", "app/__pycache__/x.cpython-313.pyc": pyc(flags=1, source=b"1")},
    ),
    case(
        "bytecode",
        'stale bytecode "app/x.pyc"',
        {"app/x.py": "2", "app/x.pyc": pyc(flags=3, source=b"1")},
    ),
    case(
        "bytecode",
        'bytecode that cannot be compared with its source "app/x.pyc"',
        {"app/x.py": bytes((16 << 20) + 1), "app/x.pyc": pyc(source=b"1")},
    ),
    case(
        "bytecode",
        'bytecode without its source "app/__pycache__/x.cpython-313.pyc"',
        {"app/__pycache__/x.cpython-313.pyc": pyc()},
    ),
    case(
        "bytecode",
        '1 modules source in "opt/sutra", the cleanup left 0',
        {"opt/sutra/lib/x.py": ""},
    ),
    case(
        "bytecode",
        '1 modules cached in "opt/sutra", the cleanup left 0',
        {"opt/sutra/lib/x.py": "", CACHED: pyc(source=b"")},
    ),
    case(
        "bytecode",
        '2 modules sourceless in "opt/sutra", the cleanup left 1',
        {"opt/sutra/lib/x.pyc": pyc()},
    ),
    case(
        "bytecode",
        'report of a cleanup cannot be read "usr/share/sutra/cleanup.json" (+1 more)',
        {"usr/share/sutra/cleanup.json": "{}"},
    ),
    case(
        "bytecode",
        'Python tree without the report of a cleanup "usr/lib/python3.13"',
        {
            "usr/lib/python3.13/os.pyc": pyc(),
            "var/lib/dpkg/status.d/p": "Package: p\n",
            "var/lib/dpkg/status.d/p.md5sums": "0  usr/lib/python3.13/os.py\n",
            "usr/share/doc/p/copyright": "",
        },
    ),
    case(
        "bytecode",
        f'Python tree without the report of a cleanup "{SITE}"',
        without="usr/share/sutra",
    ),
    case(
        "bytecode",
        'Python tree without the report of a cleanup "opt/sutra2/lib"',
        {
            "opt/sutra2/lib/two-1.0.dist-info/METADATA": "Name: two\nLicense: MIT\n",
            "opt/sutra2/lib/two-1.0.dist-info/RECORD": "",
        },
    ),
    case(
        "bytecode",
        'report of a cleanup cannot be read "usr/share/sutra/x.json"',
        {"usr/share/sutra/x.json": json.dumps({**REPORT, "tree": "/"})},
    ),
]


PASSING = [
    passing(
        "bytecode with the time and size of its source",
        {"app/x.py": Item(b"1", mtime=7), "app/x.pyc": pyc(flags=0, mtime=7, size=1)},
    ),
    passing(
        "bytecode with the hash of its source",
        {
            "app/x.py": "1",
            "app/x.pyc": pyc(flags=3, source=b"1"),
            "app/__pycache__/x.cpython-313.pyc": pyc(source=b"1"),
        },
    ),
    passing(
        "modules as their cleanup left them",
        {
            "opt/sutra/lib/x.py": "",
            "opt/sutra/lib/y.py": "",
            CACHED: pyc(source=b""),
            "usr/share/sutra/cleanup.json": json.dumps(
                {**REPORT, "compiled": {"sourceless": 1, "cached": 1, "source": 1}}
            ),
        },
    ),
    passing(
        "a standard library that a cleanup reports",
        {
            "opt/py/lib/python3.13/os.pyc": pyc(),
            "usr/share/sutra/cleanup-base.json": json.dumps(
                {**REPORT, "tree": "/opt/py/lib/python3.13"}
            ),
        },
    ),
    passing(
        "a module called os without a standard library",
        {"app/os.pyc": pyc(), "app/python/os.pyc": pyc()},
    ),
]


class TestBytecode(Forbids, Passes):
    rules, failing = RULES, FAILING
    passing = PASSING
