"""Test how loaders search libraries: glibc's and musl's rules, on images made in memory."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.checks.contents.dynamic_loader import Loader, Missing
from scripts.image.inventory import Elf, Entry, Inventory, LayerFiles

Files = Mapping[str, Elf | str | None]


def lib(*needed: str, soname: str = "", rpath: str = "", runpath: str = "", **more: str) -> Elf:
    by_needer, by_itself = (tuple(filter(None, text.split(":"))) for text in (rpath, runpath))
    machine, interpreter = more.get("machine", "x86_64"), more.get("interpreter", "")
    return Elf(machine, "DYN", interpreter, needed, soname, by_needer, by_itself)


def image(files: Files, texts: Mapping[str, str] | None = None) -> Inventory:
    """Return an image of ELF files, of symlinks (as text), and of other files (None)."""
    texts = texts or {}
    kinds = {path: "symlink" if isinstance(file, str) else "file" for path, file in files.items()}
    entries = [
        Entry(
            path,
            kinds.get(path, "file"),
            0,
            0o755,
            0,
            0,
            0,
            link=file if isinstance(file := files.get(path), str) else "",
            elf=file if isinstance(file, Elf) else None,
        )
        for path in {**files, **dict.fromkeys(texts)}
    ]
    return Inventory("x", "x", "amd64", {}, (LayerFiles("x", 0, 0, tuple(entries), texts),))


def missing(
    files: Files, texts: Mapping[str, str] | None = None, library_path: str = ""
) -> list[tuple[str, str]]:
    """Return what is missing, as (who needs it, what)."""
    objects = {path: file for path, file in files.items() if isinstance(file, Elf)}
    unmet = Loader(image(files, texts), library_path).closure(objects)
    return sorted((need.path, need.library) for need in unmet)


L = lib(soname="l.so")


@pytest.mark.parametrize(
    "files",
    [
        {"a": lib("l.so"), "lib/l.so": L},
        {"a": lib("l.so"), "usr/lib/x86_64-linux-gnu/l.so": L},
        {"a": lib("l.so"), "usr/lib64/l.so": L},
        {"a": lib("l.so"), "lib": "usr/lib", "usr/lib/l.so": "l.so.1", "usr/lib/l.so.1": L},
        {"a": lib("/opt/l.so"), "opt/l.so": L},
        {"x/a": lib("l.so", rpath="$ORIGIN"), "x/l.so": L},
        {"x/a": lib("l.so", runpath="${ORIGIN}/../y:/z"), "y/l.so": L},
        {"x/a": lib("l.so", runpath="/z:/y"), "y/l.so": L},
        {"x/a": lib("l.so", rpath="/y/$LIB"), "y/lib64/l.so": L},
        {"x/a": lib("l.so", rpath="/y/$LIB"), "y/lib/x86_64-linux-gnu/l.so": L},
        {"x/a": lib("l.so", rpath="/y/$PLATFORM"), "y/x86_64/l.so": L},
        {"x/a": lib("$ORIGIN/l.so"), "x/l.so": L},
        # a library of another machine is skipped
        {"x/a": lib("l.so", rpath="/y"), "y/l.so": lib(machine="aarch64"), "lib/l.so": L},
        # $ORIGIN is where the object was found, not where a link to it leads
        {
            "x/a": lib("m.so", rpath="/y"),
            "y/m.so": "../z/m.so",
            "y/l.so": L,
            "z/m.so": lib("l.so", rpath="$ORIGIN"),
        },
        # the RPATH of every loading object counts, through any number of them
        {"x/a": lib("m.so", rpath="/y"), "y/m.so": lib("n.so"), "y/n.so": lib("l.so"), "y/l.so": L},
        # a library that was loaded by its soname is not searched again
        {"x/a": lib("l.so.1", "m.so", runpath="/y"), "y/l.so.1": L, "y/m.so": lib("l.so")},
        # two libraries that need each other
        {
            "x/a": lib("m.so", rpath="/y"),
            "y/m.so": lib("n.so", soname="m.so"),
            "y/n.so": lib("m.so", soname="n.so"),
        },
        {"y/m.so": lib("n.so", rpath="/y"), "y/n.so": lib("m.so", rpath="/y")},
    ],
)
def test_glibc_finds_it(files: Files) -> None:
    assert missing(files) == []


@pytest.mark.parametrize(
    ("files", "library"),
    [
        ({"a": lib("l.so")}, ("a", "l.so")),
        ({"a": lib("l.so"), "opt/l.so": L}, ("a", "l.so")),
        ({"a": lib("l.so"), "lib/l.so": None}, ("a", "l.so")),
        ({"a": lib("l.so"), "lib/l.so": lib(machine="aarch64")}, ("a", "l.so")),
        ({"a": lib("l.so"), "lib/l.so": "nowhere"}, ("a", "l.so")),
        ({"a": lib("opt/l.so"), "opt/l.so": L}, ("a", "opt/l.so")),
        ({"a": lib("l.so", rpath="opt"), "opt/l.so": L}, ("a", "l.so")),
        ({"x/a": lib("l.so", rpath="$ORIGINAL"), "xAL/l.so": L}, ("x/a", "l.so")),
        # /usr/local/lib is in ld.so.conf, and so in the cache, or nowhere
        ({"a": lib("l.so"), "usr/local/lib/l.so": L}, ("a", "l.so")),
        # RPATH is void beside RUNPATH
        ({"x/a": lib("l.so", rpath="/y", runpath="/z"), "y/l.so": L}, ("x/a", "l.so")),
        # RUNPATH is for the object's own libraries alone
        (
            {"x/a": lib("m.so", runpath="/y"), "y/m.so": lib("l.so"), "y/l.so": L},
            ("y/m.so", "l.so"),
        ),
        # an object with RUNPATH looks at nobody's RPATH
        (
            {"x/a": lib("m.so", rpath="/y"), "y/m.so": lib("l.so", runpath="/z"), "y/l.so": L},
            ("y/m.so", "l.so"),
        ),
        # one program's RPATH is not another's
        (
            {
                "x/a": lib("m.so", rpath="/y"),
                "x/b": lib("m.so", runpath="/y"),
                "y/m.so": lib("l.so"),
                "y/l.so": L,
            },
            ("y/m.so", "l.so"),
        ),
        (
            {"y/m.so": lib("n.so", "l.so", rpath="/y"), "y/n.so": lib("m.so", rpath="/y")},
            ("y/m.so", "l.so"),
        ),
    ],
)
def test_glibc_does_not_find_it(files: Files, library: tuple[str, str]) -> None:
    assert missing(files) == [library]


def test_the_cache_of_ldconfig_counts_by_the_paths_in_it() -> None:
    files = {"a": lib("l.so", "m.so"), "usr/local/lib/l.so": L, "usr/local/lib/m.so": L}
    cache = "glibc-ld.so.cache1.1\x1e\0\0/usr/local/lib/l.so\0/usr/local/lib/gone.so\0"
    assert missing(files, {"etc/ld.so.cache": cache}) == [("a", "m.so")]


def test_the_images_library_path_counts() -> None:
    files = {"a": lib("l.so"), "opt/l.so": L}
    assert missing(files, library_path="/x:/opt") == []
    assert missing(files, library_path="/x") == [("a", "l.so")]


MUSL: Files = {"lib/ld-musl-x86_64.so.1": lib(), "lib/libc.musl-x86_64.so.1": "ld-musl-x86_64.so.1"}


@pytest.mark.parametrize(
    "files",
    [
        {"a": lib("libc.musl-x86_64.so.1")},
        {"a": lib("libc.so", "libpthread.so.0")},
        {"a": lib("l.so"), "usr/local/lib/l.so": L},
        # either tag counts for loaded libraries
        {"x/a": lib("m.so", runpath="/y"), "y/m.so": lib("l.so"), "y/l.so": L},
    ],
)
def test_musl_finds_it(files: Files) -> None:
    assert missing({**MUSL, **files}) == []


def test_musl_knows_no_multiarch_folder() -> None:
    files = {**MUSL, "a": lib("l.so"), "usr/lib/x86_64-linux-gnu/l.so": L}
    assert missing(files) == [("a", "l.so")]


@pytest.mark.parametrize("separator", [":", "\n"])
def test_musls_path_file_replaces_its_folders(separator: str) -> None:
    texts = {"etc/ld-musl-x86_64.path": f"/x{separator}/opt\n"}
    files = {**MUSL, "a": lib("l.so"), "opt/l.so": L}
    assert missing(files, texts) == []
    assert missing({**MUSL, "a": lib("l.so"), "usr/lib/l.so": L}, texts) == [("a", "l.so")]


TEXT = st.text(st.sampled_from("ab/.$:{}ORIGINLIB\0"), max_size=12)
NAMES = st.sampled_from(["a", "b", "lib/a", "lib/b", "x/a"])


@given(
    st.dictionaries(
        NAMES,
        st.builds(
            lambda needed, rpath, runpath: lib(*needed, rpath=rpath, runpath=runpath),
            st.lists(st.one_of(TEXT, NAMES), max_size=3),
            TEXT,
            TEXT,
        ),
    ),
    st.sampled_from([{}, MUSL]),
)
def test_no_search_path_makes_it_fail_or_leave_the_image(files: Files, libc: Files) -> None:
    everything = {**libc, **files}
    objects = {path: file for path, file in everything.items() if isinstance(file, Elf)}
    needed = {name for file in objects.values() for name in file.needed}
    for need in Loader(image(everything)).closure(objects):
        assert isinstance(need, Missing)
        assert need.library in needed


@given(st.permutations(["x/a", "y/m.so", "y/n.so", "y/l.so"]))
def test_the_order_of_files_changes_nothing(order: list[str]) -> None:
    files = {"x/a": lib("m.so", runpath="/y"), "y/m.so": lib("n.so"), "y/n.so": lib(), "y/l.so": L}
    assert missing({path: files[path] for path in order}) == [("y/m.so", "n.so")]


@pytest.mark.parametrize(
    ("place", "is_found"),
    [("opt/java/lib/server", True), ("opt/java/lib/client", False), ("opt/java/bin", False)],
)
def test_java_has_loaded_its_virtual_machine_before_what_needs_it(
    place: str, is_found: bool
) -> None:
    files = {
        "opt/java/lib/libjava.so": lib("libjvm.so", runpath="$ORIGIN"),
        f"{place}/libjvm.so": lib(soname="libjvm.so"),
    }
    assert (missing(files) == []) is is_found
