"""The Python runtime, in the base image and in the services that are built on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.images.conftest import Files
from tests.support.names import PYTHON_IMAGES

MODULES = "bz2, ctypes, decimal, hashlib, lzma, multiprocessing, ssl, uuid, zlib, zoneinfo"
ABSENT = ("ensurepip", "idlelib", "pdb", "sqlite3", "test", "tkinter", "turtledemo")


@pytest.mark.parametrize("image", PYTHON_IMAGES)
def test_the_standard_library_loads(python: Callable[[str, str], str], image: str) -> None:
    assert python(image, f"import {MODULES}; print('loaded')") == "loaded"


@pytest.mark.parametrize("image", PYTHON_IMAGES)
def test_what_no_server_uses_of_the_standard_library_is_absent(
    python: Callable[[str, str], str], image: str
) -> None:
    code = (
        f"import importlib.util as util;print([name for name in {ABSENT} if util.find_spec(name)])"
    )
    assert python(image, code) == "[]"


@pytest.mark.parametrize(
    ("image", "report"),
    [("sutra-base-python", "cleanup-base"), ("sutra-api", "cleanup"), ("sutra-hybrid", "cleanup")],
)
def test_the_cleanups_report_is_a_few_kilobytes_of_json(
    python: Callable[[str, str], str], image: str, report: str
) -> None:
    code = (
        f"import json; text = open('/usr/share/sutra/{report}.json').read();"
        "print(len(text.encode()), json.loads(text)['proven'])"
    )
    size, proven = map(int, python(image, code).split())
    assert size < 10_000
    assert proven > 0


@pytest.mark.parametrize("image", PYTHON_IMAGES)
def test_it_runs_as_the_user_sutra(python: Callable[[str, str], str], image: str) -> None:
    code = "import os, pwd; print(os.getuid(), pwd.getpwuid(os.getuid()).pw_name)"
    assert python(image, code) == "10001 sutra"


@pytest.mark.parametrize("image", PYTHON_IMAGES)
def test_public_certificates_are_trusted(python: Callable[[str, str], str], image: str) -> None:
    code = "import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 100)"
    assert python(image, code) == "True"


@pytest.mark.parametrize("image", PYTHON_IMAGES)
def test_modules_are_bytecode_that_nothing_makes_stale(
    python: Callable[[str, str], str], image: str
) -> None:
    """Flag 0b01: hash-based and unchecked, so that a changed time stamp means nothing (PEP 552)."""
    code = "import json; print(json.__file__, open(json.__file__, 'rb').read(8)[4:].hex())"
    assert python(image, code) == "/usr/lib/python3.13/json/__init__.pyc 01000000"


@pytest.mark.parametrize("image", PYTHON_IMAGES)
def test_scanners_find_every_package(files: Callable[[str], Files], image: str) -> None:
    listing = files(image)
    records = {path.rpartition("/")[2] for path in listing if "/dpkg/status.d/" in path}
    assert {"libc6", "libssl3t64", "python3.13-minimal", "zlib1g"} <= records


@pytest.mark.parametrize("image", PYTHON_IMAGES[1:])
def test_builder_and_runtime_are_the_same_python(
    python: Callable[[str, str], str], image: str
) -> None:
    code = (
        "import sys; built = dict(line.split(' = ', 1) for line in open('/opt/sutra/pyvenv.cfg'));"
        "print(built['version'].strip() == '.'.join(map(str, sys.version_info[:3])),"
        " built['executable'].strip() == sys._base_executable)"
    )
    assert python(image, code) == "True True"


@pytest.mark.parametrize("image", PYTHON_IMAGES[1:])
def test_distributions_are_listed(python: Callable[[str, str], str], image: str) -> None:
    code = "from importlib.metadata import distributions as d; print(*sorted(x.name for x in d()))"
    assert {"fastapi", "httpx", "pydantic", "uvicorn"} <= set(python(image, code).split())


COLUMNS = """
from importlib import import_module
def columns(code):
    own = {each[2:] for each in code.co_positions()} - {(None, None)}
    return own.union(*(columns(each) for each in code.co_consts if hasattr(each, "co_code")))
def lines(code):
    return {line for _, _, line in code.co_lines()} - {None}
for name in NAMES:
    spec = import_module(name).__spec__
    code = spec.loader.get_code(name)
    print(name, spec.cached == spec.origin, bool(columns(code)), len(lines(code)) > 5)
"""


@pytest.mark.parametrize(
    ("image", "dependency", "ours"),
    [
        ("sutra-base-python", "json.decoder", ""),
        ("sutra-api", "pydantic.main", "sutra_api.app"),
        ("sutra-hybrid", "numpy.linalg._linalg", "sutra_hybrid.app"),
    ],
)
def test_columns_are_there_for_our_sources_alone(
    python: Callable[[str, str], str], image: str, dependency: str, ours: str
) -> None:
    """Return for each module whether it is sourceless, has columns and has lines."""
    names = ["json.decoder", dependency, *([ours] if ours else [])]
    expected = [f"{name} True False True" for name in names[:2]]
    expected += [f"{ours} False True True"] if ours else []
    assert python(image, f"NAMES = {names}{COLUMNS}").splitlines() == expected
