"""Names of programs and packages: their stripped forms, and the files that list them."""

from __future__ import annotations

import itertools
import re

import pytest

from scripts.checks.contents.known_programs import FOLDER, Names, package, program, sections_of

SECTIONS = {"any", "programs", "links", "libraries", "folders", "packages", "distributions"}
FILES = sorted(FOLDER.glob("*.txt"))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("usr/bin/x86_64-linux-gnu-gcc-14", "gcc"),
        ("x86_64-linux-gnu-gcc-ar-14", "gcc-ar"),
        ("x86_64-alpine-linux-musl-ld.bfd", "ld.bfd"),
        ("arm-linux-gnueabihf-g++", "g++"),
        ("x86_64-w64-mingw32-gcc", "gcc"),
        ("pip3.13", "pip"),
        ("pip3.13.real", "pip"),
        ("busybox.static", "busybox"),
        ("bash-static", "bash"),
        ("toybox-x86_64", "toybox"),
        ("perl5.40.1", "perl"),
        ("c++", "c++"),
        ("ld64.lld", "ld64.lld"),
        ("7", "7"),
    ],
)
def test_what_a_program_is_called_without_target_and_version(path: str, name: str) -> None:
    assert program(path) == name


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("gcc-14", "gcc"),
        ("g++-14-x86-64-linux-gnu", "g++"),
        ("binutils-x86-64-linux-gnu", "binutils"),
        ("openjdk-21-jdk-headless", "openjdk-jdk-headless"),
        ("gcc-14-base", "gcc-base"),
        ("golang-1.24-go", "golang-go"),
        ("lua5.4", "lua"),
    ],
)
def test_what_a_package_is_called_without_target_and_version(name: str, wanted: str) -> None:
    assert package(name) == wanted


def test_a_star_matches_any_ending() -> None:
    names = Names(frozenset({"llvm-*", "usr/lib/go-*/", "gcc"}))
    assert [name in names for name in ("gcc", "llvm-ar", "usr/lib/go-1.24/x")] == [True] * 3
    assert [name in names for name in ("gccx", "llvm", 7)] == [False] * 3
    assert names.has_program("a/LLVM-AR")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_name_has_a_source(file: object) -> None:
    """A comment above each group of names tells which packages they belong to."""
    lines = FOLDER.joinpath(str(file)).read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if line and not line.startswith(("#", "[")):
            assert re.match(r"[^\[]", before), line


def test_sections_are_known_to_the_rules_and_list_each_name_once() -> None:
    for file in FILES:
        assert set(sections_of(file.stem)) <= SECTIONS
        for section in re.split(r"(?m)^\[\w+\]$", file.read_text()):
            rows = [line for line in section.splitlines() if not line.startswith("#")]
            names = " ".join(rows).split()
            assert sorted(names) == sorted(set(names)), file.name


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (
            "toolchain",
            "avr-gcc arm-linux-gnueabihf-gcc-14 x86_64-redhat-linux-gcc musl-gcc gdb-multiarch"
            " radare2 dlv uftrace rust-lldb swiftc kotlinc mcs erlc valac nvcc emcc wasm-opt"
            " wat2wasm protoc bindgen rpcgen dtc python3-config python3.13-config upx-ucl bmake"
            " ant sbt bazel qmake6 flang-new-19",
        ),
        (
            "shells",
            "pypy3 micropython python2.7 octave-cli swipl gjs duk js128 rexx jimsh escript R",
        ),
        ("installers", "pyenv rbenv rustup ghcup pear pecl vcpkg jbang cargo-binstall"),
        ("package-managers", "paru rpm-ostree bootc pkcon pkgin apt-file checkinstall"),
    ],
)
def test_programs_of_other_packages_are_known(rule: str, names: str) -> None:
    listed = sections_of(rule)
    programs = Names(*(listed.get(section, frozenset()) for section in ("any", "programs")))
    assert [name for name in names.split() if not programs.has_program(f"usr/bin/{name}")] == []


@pytest.mark.parametrize(
    "name", ["ion", "stack", "cards", "mix", "pike", "swift", "crystal", "task"]
)
def test_a_common_word_is_no_tool(name: str) -> None:
    for file in FILES:
        listed = sections_of(file.stem)
        names = Names(*(listed.get(section, frozenset()) for section in ("any", "programs")))
        assert not names.has_program(f"app/bin/{name}")
