"""Programs that production does not need: what each rule fails, and what passes."""

from __future__ import annotations

from scripts.checks.contents.rules_programs import RULES
from tests.support.fixture_images import link, pyc
from tests.support.good_image import RECORD, SITE
from tests.unit.checks.contents.judging import (
    Forbids,
    Passes,
    case,
    exe,
    passing,
)

FAILING = [
    case("toolchain", 'forbidden "app/gcc-14"', exe("app/gcc-14")),
    case(
        "toolchain", 'forbidden "app/x86_64-linux-gnu-ld.bfd"', exe("app/x86_64-linux-gnu-ld.bfd")
    ),
    case(
        "toolchain",
        'forbidden "app/g++" (+2 more)',
        {**exe("app/g++"), **exe("app/make"), **exe("app/rustc")},
    ),
    case("toolchain", 'forbidden "opt/bin/cc"', {"opt/bin/cc": link("../../usr/bin/python3")}),
    *(
        case("toolchain", f'forbidden "app/{name}"', exe(f"app/{name}"))
        for name in (
            "mold",
            "ld.mold",
            "rust-lld",
            "lld",
            "lld-link",
            "clang-format-19",
            "clang++",
            "llvm-ar",
        )
    ),
    *(
        case("installers", f'forbidden "app/{name}"', {f"app/{name}": ""})
        for name in ("pip.pyz", "pip-25.1-py3-none-any.whl")
    ),
    *(
        case("installers", f'forbidden "app/{name}"', {f"app/{name}": pyc()})
        for name in ("pip/main.pyc", "vendor/setuptools/x/y.pyc", "get-pip.pyc")
    ),
    case("installers", 'forbidden "app/bin/pip3.13"', exe("app/bin/pip3.13")),
    case(
        "installers",
        f'forbidden "{SITE}/setuptools/x.txt"',
        {
            f"{SITE}/setuptools/x.txt": "",
            f"{SITE}/one-1.0.dist-info/RECORD": RECORD + "setuptools/x.txt,,\n",
        },
    ),
    case("package-managers", 'forbidden "app/apt-get"', exe("app/apt-get")),
    case("package-managers", 'forbidden "app/apk"', exe("app/apk")),
    case(
        "shells",
        'forbidden "app/sh" (+2 more)',
        {**exe("app/sh"), **exe("app/busybox"), **exe("app/perl5.40.1")},
    ),
]


PASSING = [
    passing("a tool's name without the right to execute it", {"app/make": "", "app/sh": ""}),
    passing("a link of such a name outside of bin", {"app/make": link("x")}),
    passing(
        "a name that a tool's only resembles",
        {
            **exe("app/molder"),
            **exe("app/libclang"),
            **exe("app/wlld"),
            **exe("app/ld.so"),
            "app/clang": "",
        },
    ),
    passing(
        "what pip reads and what is called after it",
        {
            "etc/pip/pip.conf": "",
            "app/pipeline.pyz": "",
            "app/pip.whl": "",
            "app/my_pip/x.pyc": pyc(),
        },
    ),
]


class TestPrograms(Forbids, Passes):
    rules, failing = RULES, FAILING
    passing = PASSING
