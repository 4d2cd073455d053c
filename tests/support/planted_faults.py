"""Faults planted in the good image, by the rule that promises to catch them; evasive forms too.

A plant is a name, the rule that must catch it, what its finding names, and the image. What is
near to a fault but allowed is in HARMLESS.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
from dataclasses import dataclass
from typing import Any

from scripts.image.capabilities import LIBARCHIVE, STAR
from tests.support.fixture_images import Item, Made, elf, link, program, pyc
from tests.support.good_image import LIB, LOADER, MD5SUMS, RECORD, SITE, good

SETUID = (0x02000000).to_bytes(4, "little") + (1 << 7).to_bytes(4, "little") + bytes(12)
EMPTY = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0"
PYTHON = b"#!/usr/bin/python3\n"
BUSYBOX = b"BusyBox v1.37.0 (2025-01-01)"


@dataclass(frozen=True)
class Plant:
    """One fault: `finding` is the path of the finding, as an allowance would name it."""

    kind: str
    name: str
    rule: str
    finding: str
    image: Made


def prog(text: bytes = b"", *needed: str) -> Item:
    """A program of the image's own loader, with a text in it."""
    return program(elf([*needed, "libc.so.6"], LOADER, text=text))


def static(text: bytes) -> Item:
    return program(elf(text=text, kind=2))


def script(line: str, mode: int = 0o755, rest: str = "\n") -> Item:
    return Item(f"{line}{rest}".encode(), mode)


def hard(target: str) -> Item:
    return Item(kind="hardlink", link=target)


def folder(mode: int, uid: int = 0) -> Item:
    return Item(kind="folder", mode=mode, uid=uid)


def zipped(*names: str, before: bytes = b"", packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", packing) as archive:
        for name in names:
            archive.writestr(name, "x = 1\n" * 50)
    return before + packed.getvalue()


def tarred(*names: str) -> bytes:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return tar.getvalue()


def capable(key: str, value: str) -> Item:
    return Item(elf(), 0o755, headers={key: value})


def package(name: str) -> dict[str, Any]:
    return {
        f"var/lib/dpkg/status.d/{name}": f"Package: {name}\nVersion: 1\n",
        f"usr/share/doc/{name}/copyright": "x",
    }


def distribution(name: str, of: str = "") -> dict[str, Any]:
    at = f"{SITE}/{name}-1.0.dist-info"
    record = f"{name}-1.0.dist-info/METADATA,,\n{name}-1.0.dist-info/RECORD,,\n"
    about = f"Metadata-Version: 2.1\nName: {of or name}\nVersion: 1.0\nLicense: MIT\n"
    return {f"{at}/METADATA": about, f"{at}/RECORD": record}


def versions(wants: dict[str, list[str]], has: list[str]) -> bytes:
    """An ELF file with tables of symbol versions, made by hand since elf() cannot add them."""
    names, strings = {}, b"\0"
    for text in [*wants, *(v for wanted in wants.values() for v in wanted), *has, "self"]:
        if text not in names:
            names[text] = len(strings)
            strings += text.lstrip("~").encode() + b"\0"
    need = b""
    for at, (library, wanted) in enumerate(wants.items()):
        last = at == len(wants) - 1
        need += struct.pack(
            "<HHIII", 1, len(wanted), names[library], 16, 0 if last else 16 + 16 * len(wanted)
        )
        for n, version in enumerate(wanted):
            weak = 2 if version.startswith("~") else 0
            more = 16 if n < len(wanted) - 1 else 0
            need += struct.pack("<IHHII", 0, weak, 2, names[version], more)
    own = ["self", *has] if has else []
    defined = b""
    for n, version in enumerate(own):
        more = 28 if n < len(own) - 1 else 0
        defined += struct.pack("<HHHHIII", 1, 0 if n else 1, n + 1, 1, 0, 20, more)
        defined += struct.pack("<II", names[version], 0)
    start, base = 64 + 2 * 56, 1 << 20
    at_need, at_defined = start + len(strings), start + len(strings) + len(need)
    tags = [(1, names[library]) for library in wants]
    tags += [(5, base + start), (10, len(strings))]
    tags += [(0x6FFFFFFE, base + at_need), (0x6FFFFFFF, len(wants))] if need else []
    tags += [(0x6FFFFFFC, base + at_defined), (0x6FFFFFFD, len(own))] if own else []
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in [*tags, (0, 0)])
    at_dynamic = at_defined + len(defined)
    end = at_dynamic + len(dynamic)
    segments = struct.pack("<IIQQQQQQ", 1, 4, 0, base, base, end, end, 1)
    segments += struct.pack(
        "<IIQQQQQQ", 2, 4, at_dynamic, base + at_dynamic, 0, len(dynamic), len(dynamic), 8
    )
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    return head + segments + strings + need + defined + dynamic


OLD = versions({}, ["ONE_1.0"])
TWO = {"app/x": versions({"l.so": ["ONE_2.0"]}, []), "usr/lib/l.so": OLD}
OWNED = MD5SUMS + "0  usr/lib/l.so\n0  usr/bin/env\n0  usr/bin/busybox\n"
RECORDED = {"var/lib/dpkg/status.d/libc6.md5sums": OWNED}
ENV = {"usr/bin/env": prog(), **RECORDED}
FAR = "../" * 8


def _renamed() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Programs under other names: (rule, path, files)."""
    texts = {
        "busybox": ("shells", BUSYBOX),
        "busybox by its licence": ("shells", b"BusyBox is copyrighted"),
        "dash": ("shells", b"%s unexpected (expecting %s)"),
        "bash": ("shells", b"GNU bash, version"),
        "toybox": ("shells", b"Toybox %s multicall binary"),
        "zsh": ("shells", b"zsh/zutil"),
        "fish": ("shells", b"fish_emoji_width"),
        "node": ("shells", b"NODE_REPL_HISTORY"),
        "php": ("shells", b"PHP_INI_SCAN_DIR"),
        "ndisasm": ("toolchain", b"NDISASM version 2.16"),
        "eu-readelf": ("toolchain", b"Copyright (C) %s The elfutils developers <%s>."),
        "mksh": ("shells", b"@(#)MIRBSD KSH R59"),
        "ksh93": ("shells", b"a tracked alias for"),
        "yash": ("shells", b"undefine aliases"),
        "tcsh": ("shells", b"Too dangerous to alias that"),
        "posh": ("shells", b"POSH_VERSION"),
        "sash": ("shells", b"Stand-alone shell"),
        "elvish": ("shells", b"src.elv.sh/pkg/eval"),
        "perl": ("shells", b"This is perl 5"),
        "lua": ("shells", b"$LuaVersion: Lua 5.4"),
        "gawk": ("shells", b"AWKPATH"),
        "mawk": ("shells", b"MAWK_LONG_OPTIONS"),
        "gcc": ("toolchain", b"COLLECT_GCC_OPTIONS"),
        "as": ("toolchain", b"(GNU Binutils for Debian) 2.44"),
        "make": ("toolchain", b"No rule to make target"),
        "cmake": ("toolchain", b"CMAKE_ROOT"),
        "ninja": ("toolchain", b".ninja_log"),
        "nasm": ("toolchain", b"The Netwide Assembler"),
        "tcc": ("toolchain", b"Tiny C Compiler"),
        "gdb": ("toolchain", b"GNU gdb (Debian) 16"),
        "gdbserver": ("toolchain", b"GNU gdbserver"),
        "strace": ("toolchain", b"Usage: strace"),
        "ltrace": ("toolchain", b"Trace library calls of a given program"),
        "cargo": ("toolchain", b"CARGO_TARGET_DIR"),
        "go": ("toolchain", b"Go is a tool for managing Go source code"),
        "compile of go": ("toolchain", b"cmd/compile/internal"),
        "a packed program": (
            "toolchain",
            b"$Info: This file is packed with the UPX executable packer",
        ),
        "dpkg": ("package-managers", b"DPKG_ROOT"),
        "rpm": ("package-managers", b"RPM version %s"),
        "apk": ("package-managers", b"apk-tools 2.14"),
        "uv": ("installers", b"UV_PYTHON_INSTALL_DIR"),
    }
    faults: dict[str, tuple[str, str, dict[str, Any]]] = {
        name: (rule, "app/server", {"app/server": prog(text)})
        for name, (rule, text) in texts.items()
    }
    faults["a static busybox"] = ("shells", "app/x.bin", {"app/x.bin": static(BUSYBOX)})
    faults["a busybox that nobody may execute"] = (
        "shells",
        "app/data",
        {"app/data": Item(elf(text=BUSYBOX, kind=2))},
    )
    faults["a text where two blocks meet"] = (
        "shells",
        "app/big",
        {"app/big": static(bytes((1 << 20) - 400) + BUSYBOX * 20)},
    )
    faults["a second name of busybox"] = (
        "shells",
        "app/y",
        {"app/x": static(BUSYBOX), "app/y": hard("app/x")},
    )
    faults["apt by its library"] = (
        "package-managers",
        "app/x",
        {"app/x": prog(b"", "libapt-pkg.so.6.0"), "app/libapt-pkg.so.6.0": elf()},
    )
    faults["rustc by its library"] = (
        "toolchain",
        "app/x",
        {"app/x": prog(b"", "librustc_driver-1.so")},
    )
    return faults


def _named() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Programs by their names, as packages and evasions write them."""
    names = {
        "toolchain": (
            "x86_64-linux-gnu-gcc-14",
            "x86_64-alpine-linux-musl-g++",
            "aarch64-linux-gnu-ld.bfd",
            "x86_64-w64-mingw32-gcc",
            "gcc.real",
            "clang-19",
            "llvm-objcopy-19",
            "gfortran-14",
            "x86_64-linux-gnu-gcc-ar-14",
            "c++filt",
            "addr2line",
            "readelf",
            "nm",
            "strings",
            "gold",
            "valgrind.bin",
            "eu-readelf",
            "lldb-server-19",
            "samu",
            "gdb.orig",
            "f951",
            "go1.22",
            "rust-analyzer",
            "javac",
            "ghc-9.6",
            "perf",
            "bpftrace",
            "CC",
            "tcc-static",
        ),
        "shells": (
            "bash-static",
            "zsh5",
            "mksh-static",
            "rbash",
            "lksh",
            "ksh93",
            "fish",
            "tcsh",
            "posh",
            "sash",
            "gawk",
            "original-awk",
            "node",
            "ruby3.3",
            "php8.4",
            "tclsh8.6",
            "luajit",
            "guile-3.0",
            "busybox.static",
            "pwsh",
            "java",
            "toybox-x86_64",
            "dash.distrib",
        ),
        "package-managers": (
            "aptitude-curses",
            "dpkg-trigger",
            "apt-mark",
            "rpmbuild",
            "dnf5",
            "zypper",
            "snap",
            "flatpak",
            "nix-env",
            "xbps-install",
            "update-alternatives",
            "debootstrap",
            "pacman-key",
        ),
        "installers": (
            "pipx",
            "poetry",
            "virtualenv",
            "pdm",
            "hatch",
            "mamba",
            "yarn",
            "pnpm",
            "gem",
            "bundle3.3",
            "composer",
            "cpanm",
            "luarocks",
            "twine",
            "deno",
            "pip3.13.real",
            "uvx",
            "corepack",
        ),
    }
    faults: dict[str, tuple[str, str, dict[str, Any]]] = {
        f"{rule}: {name}": (rule, f"app/tools/{name}", {f"app/tools/{name}": prog()})
        for rule, all_names in names.items()
        for name in all_names
    }
    faults["a script called meson"] = (
        "toolchain",
        "app/meson",
        {"app/meson": script("#!/usr/bin/python3")},
    )
    faults["a script called npm"] = (
        "installers",
        "app/npm",
        {"app/npm": script("#!/usr/bin/python3")},
    )
    faults["a link called gcc"] = (
        "toolchain",
        "app/bin/gcc",
        {"app/bin/gcc": link(f"{FAR}usr/bin/python3")},
    )
    faults["a link called sh to busybox"] = (
        "shells",
        "usr/bin/sh",
        {"usr/bin/sh": link("busybox"), "usr/bin/busybox": prog(), **RECORDED},
    )
    for path in ("app/libapt-pkg.so.6.0",):
        faults[f"library {path}"] = ("package-managers", path, {path: elf()})
    for path in (
        "app/libbfd-2.44-system.so",
        "app/libLLVM.so.19.1",
        "app/libclang-cpp.so.19.1",
        "app/liblto_plugin.so",
        "app/libgccjit.so.0",
    ):
        faults[f"library {path}"] = ("toolchain", path, {path: elf()})
    for path in ("app/libperl.so.5.40", "app/libruby-3.3.so.3.3", "app/liblua5.4.so.0"):
        faults[f"library {path}"] = ("shells", path, {path: elf()})
    for name in (
        "gcc-14",
        "binutils-x86-64-linux-gnu",
        "g++",
        "gdb",
        "openjdk-21-jdk-headless",
        "golang-1.24-go",
        "build-essential",
    ):
        faults[f"package {name}"] = ("toolchain", f"package:{name}", package(name))
    faults["package perl-base"] = ("shells", "package:perl-base", package("perl-base"))
    faults["package bash"] = ("shells", "package:bash", package("bash"))
    faults["package apt"] = ("package-managers", "package:apt", package("apt"))
    faults["package python3-pip"] = ("installers", "package:python3-pip", package("python3-pip"))
    faults["package of Alpine"] = (
        "toolchain",
        "package:musl-dev",
        {"lib/apk/db/installed": "P:musl-dev\nV:1\nL:MIT\n"},
    )
    faults["package of a whole dpkg"] = (
        "toolchain",
        "package:tcc",
        {
            "var/lib/dpkg/status": "Package: tcc\nStatus: install ok installed\nVersion: 1\n",
            "usr/share/doc/tcc/copyright": "x",
        },
    )
    for name in ("poetry", "virtualenv", "uv", "pipx", "hatchling", "flit_core", "pdm", "twine"):
        faults[f"distribution {name}"] = (
            "installers",
            f"{SITE}/{name}-1.0.dist-info",
            distribution(name),
        )
    faults["distribution by its metadata"] = (
        "installers",
        f"{SITE}/helper-1.0.dist-info",
        distribution("helper", "Poetry.Core"),
    )
    faults["distribution Cython"] = (
        "toolchain",
        f"{SITE}/Cython-1.0.dist-info",
        distribution("Cython"),
    )
    return faults


def _packed() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Installers and packages in archives."""
    wheel = zipped("one/__init__.py", "one-1.0.dist-info/WHEEL", "one-1.0.dist-info/RECORD")
    sdist = tarred("one-1.0/PKG-INFO", "one-1.0/setup.py")
    files = {
        "pip in a zip": zipped("pip/__init__.py", "pip/_internal/cli.py"),
        "pip in a stored zip": zipped("pip/__init__.py", packing=zipfile.ZIP_STORED),
        "pip deep in a zip": zipped("a/b/_vendor/pip/__init__.pyc"),
        "pip in a zipapp": zipped("__main__.py", "pip/__init__.py", before=b"#!/usr/bin/python3\n"),
        "virtualenv in a zip": zipped("virtualenv/__init__.py"),
        "poetry in a zip": zipped("poetry/__init__.py"),
        "pip in a tar": tarred("pip/__init__.py"),
        "pip deep in a packed tar": gzip.compress(
            tarred("./usr/lib/site-packages/pip/__main__.py")
        ),
        "poetry's record in a packed tar": lzma.compress(tarred("poetry-2.1.dist-info/METADATA")),
        "setuptools' record in a zip": zipped("lib/setuptools-80.0.dist-info/METADATA"),
        "uv's program in a packed tar": bz2.compress(tarred("uv-x86_64/bin/uv")),
        "pip's program in a zip": zipped("bin/pip3.13"),
        "a wheel in a zip": zipped("bundled/one-1.0-py3-none-any.whl"),
        "a wheel under another name": wheel,
        "an egg under another name": zipped("one/x.py", "EGG-INFO/PKG-INFO"),
        "a long zip": zipped(*(f"data/{n}" for n in range(300)), "pip/__init__.py"),
        "an sdist, gzip": gzip.compress(sdist),
        "an sdist, bzip2": bz2.compress(sdist),
        "an sdist, xz": lzma.compress(sdist),
        "an sdist, not packed": sdist,
        "a package of Alpine": gzip.compress(tarred(".PKGINFO", "usr/bin/x")),
        "a package of npm": gzip.compress(tarred("package/package.json")),
        "a crate": gzip.compress(tarred("one-1.0/.cargo_vcs_info.json")),
        "a package of Debian": b"!<arch>\ndebian-binary   1 0 0 100644 4 `\n2.0\n",
        "a package of Red Hat": b"\xed\xab\xee\xdb\x03\x00" + bytes(100),
        "a script that starts pip": PYTHON + b"from pip._internal.cli.main import main\n",
        "a script that starts poetry": PYTHON
        + b"import sys\nfrom poetry.console.application import main\n",
        "get-pip.py under another name": PYTHON
        + b"#\n# Hi There!\n#\n# You may wonder what this giant blob of binary data is\n",
    }
    faults: dict[str, tuple[str, str, dict[str, Any]]] = {
        name: ("installers", "app/data.bin", {"app/data.bin": data}) for name, data in files.items()
    }
    for name in (
        "one-1.0-py3-none-any.whl",
        "numpy-2.0-cp313-cp313-manylinux_2_27_x86_64.whl",
        "one-1.0.egg",
        "serde-1.0.200.crate",
        "rake-13.0.gem",
    ):
        faults[name] = ("installers", f"opt/cache/{name}", {f"opt/cache/{name}": b""})
    return faults


def _left() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Plant leftovers of a build: libraries, objects, dumps, records that do not match."""
    archive = b"!<arch>\nx.o/            0           0     0     644     4         `\nabcd"
    files: dict[str, tuple[str, Any]] = {
        "an archive under another suffix": ("static-libraries", archive),
        "a thin archive": ("static-libraries", b"!<thin>\n"),
        "LLVM bitcode": ("static-libraries", b"BC\xc0\xde" + bytes(60)),
        "metadata of rustc": ("static-libraries", b"rust\0\0\0\x09" + bytes(60)),
        "an object file under another suffix": ("static-libraries", elf(kind=1)),
        "a core dump": ("caches", elf(kind=4)),
        "an executable stack": ("hardened", elf(stack=True)),
        "text relocations, DT_TEXTREL": ("hardened", elf(tags=[(22, 0)])),
        "text relocations, DT_FLAGS": ("hardened", elf(tags=[(30, 4)])),
        "RPATH to /tmp": ("hardened", elf(rpath="/tmp/build/lib")),
        "RUNPATH to /var/tmp": ("hardened", elf(runpath="/usr/lib:/var/tmp")),
        "RUNPATH that leads to /tmp": ("hardened", elf(runpath="/usr/../tmp/x")),
        "RPATH, relative": ("hardened", elf(rpath="lib")),
        "RUNPATH, relative to above": ("hardened", elf(runpath="../lib")),
        "RUNPATH with an empty part": ("hardened", elf(runpath="/usr/lib:")),
        "RUNPATH of $LIB alone": ("hardened", elf(runpath="$LIB/x")),
        "RUNPATH above $ORIGIN to /tmp": ("hardened", elf(runpath="$ORIGIN/../tmp")),
    }
    faults = {
        name: (rule, "app/x.dat", {"app/x.dat": data}) for name, (rule, data) in files.items()
    }
    faults["RUNPATH to a folder of the user"] = (
        "hardened",
        "app/x",
        {"app/x": elf(runpath="/opt/plugins"), "opt/plugins": folder(0o755, uid=10001)},
    )
    faults["RUNPATH below a folder of the user"] = (
        "hardened",
        "app/x",
        {"app/x": elf(runpath="/opt/plugins/a/b"), "opt/plugins": folder(0o755, uid=10001)},
    )
    faults["RUNPATH to a sticky folder"] = (
        "hardened",
        "app/x",
        {"app/x": elf(runpath="/opt/spool"), "opt/spool": folder(0o1777)},
    )
    faults["a module without bytecode"] = ("bytecode", "app/x.py", {"app/x.py": "x = 1\n"})
    faults["a package without bytecode"] = (
        "bytecode",
        "app/one/__init__.py",
        {"app/one/__init__.py": ""},
    )
    faults["bytecode of another Python alone"] = (
        "bytecode",
        "app/x.py",
        {"app/x.py": "", "app/__pycache__/x.cpython-312.pyc": pyc(3531, source=b"")},
    )
    faults["a module with a first line that nobody may execute"] = (
        "bytecode",
        "app/x.py",
        {"app/x.py": "#!/usr/bin/python3\n"},
    )
    for path in (
        "usr/lib/libx.la",
        "app/x.gcda",
        "app/x.gcno",
        "app/x.dwo",
        "app/x.py.orig",
        "app/config.yaml.rej",
        "app/config.yaml~",
        "app/.idea/workspace.xml",
        "app/.vscode/settings.json",
        "app/poetry.lock",
        "app/uv.lock",
        "app/pylock.prod.toml",
        "app/Pipfile.lock",
        "usr/lib/debug/.build-id/ab/cd.debug",
    ):
        faults[f"left: {path}"] = ("build-files", path, {path: "x"})
    row = f"one/data.json,{EMPTY}\n"
    changed = {f"{SITE}/one-1.0.dist-info/RECORD": RECORD + row}
    faults["a file that is not as recorded"] = (
        "records",
        f"{SITE}/one/data.json",
        {**changed, f"{SITE}/one/data.json": "{}"},
    )
    elsewhere = "opt/other/site-packages"
    faults["a file that is recorded and gone"] = (
        "records",
        f"{elsewhere}/two/x.so",
        {
            f"{elsewhere}/two-1.0.dist-info/METADATA": "Name: two\nLicense: MIT\n",
            f"{elsewhere}/two-1.0.dist-info/RECORD": f"two/x.so,{EMPTY}\n",
        },
    )
    for path in ("app/x.inl", "opt/x/include/vector", "app/x.h++", "app/stdc++.h.gch"):
        faults[f"header {path}"] = ("headers", path, {path: ""})
    for path in (
        "app/Tests/x.json",
        "app/unit_tests/x.json",
        "app/e2e-tests/x.json",
        "app/_test/x",
    ):
        faults[path] = ("tests", path, {path: ""})
    faults["a package of tests called test"] = (
        "tests",
        "app/one/test/__init__.pyc",
        {"app/one/test/__init__.pyc": pyc(), "app/one/test/more/test_x.pyc": pyc()},
    )
    for path in (
        "root/.bash_history",
        "app/.x.py.swp",
        "app/.tox/x",
        "var/backups/x",
        "app/.DS_Store",
    ):
        faults[path] = ("caches", path, {path: ""})
    for path in (
        "app/Makefile",
        "app/setup.py",
        "app/.dockerignore",
        "app/compose.yaml",
        "app/x.cu",
        "app/.hg/store",
        "app/.git",
        "app/x.c.orig",
    ):
        files_of: dict[str, Any] = (
            {path: "", "app/setup.pyc": pyc()} if path.endswith("setup.py") else {path: ""}
        )
        faults[path] = ("build-files", path, files_of)
    return faults


def _rights() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """File capabilities, and files that the image's user cannot read."""
    text = SETUID.decode("utf-8", "surrogateescape")
    faults: dict[str, tuple[str, str, dict[str, Any]]] = {
        "a capability": ("rights", "app/x", {"app/x": capable(STAR, text)}),
        "a capability of libarchive": (
            "rights",
            "app/x",
            {"app/x": capable(LIBARCHIVE, base64.b64encode(SETUID).decode())},
        ),
        "a capability that cannot be read": ("rights", "app/x", {"app/x": capable(STAR, "??")}),
        "a second name of it": (
            "rights",
            "app/y",
            {"app/x": capable(STAR, text), "app/y": hard("app/x")},
        ),
        "a second name of a device": (
            "rights",
            "app/y",
            {"app/x": Item(kind="device"), "app/y": hard("app/x")},
        ),
        "a folder of root alone": (
            "rights",
            "app/one",
            {"app/one": folder(0o700), "app/one/x.pyc": pyc()},
        ),
        "a folder that cannot be listed": ("rights", "app/one", {"app/one": folder(0o711)}),
        "a folder that can be listed alone": (
            "rights",
            "app/one",
            {"app/one": folder(0o744), "app/one/x.json": "{}"},
        ),
        "a folder of another group": (
            "rights",
            "app/one",
            {"app/one": Item(kind="folder", mode=0o750, gid=7)},
        ),
        "site-packages of root alone": ("rights", SITE, {SITE: folder(0o700)}),
        "a closed folder far above": ("rights", "opt", {"opt": folder(0o700)}),
        "a module of root alone": ("rights", "app/x.pyc", {"app/x.pyc": Item(pyc(), 0o600)}),
        "data of root alone": ("rights", "app/x.json", {"app/x.json": Item(b"{}", 0o640)}),
        "a file that its own user may not read": (
            "rights",
            "app/x.json",
            {"app/x.json": Item(b"{}", 0o044, uid=10001)},
        ),
        "certificates of root alone": ("rights", "etc/ssl/certs", {"etc/ssl/certs": folder(0o700)}),
        "passwd of root alone": (
            "rights",
            "etc/passwd",
            {"etc/passwd": Item(b"root:x:0:0::/:\nsutra:x:10001:10001::/app:\n", 0o600)},
        ),
        "a library of mode 600": ("libraries", "app/l.so", {"app/l.so": Item(elf(), 0o600)}),
        "a library that may only be executed": (
            "libraries",
            "app/l.so",
            {"app/l.so": Item(elf(), 0o711)},
        ),
        "a needed library of mode 600": (
            "libraries",
            "app/x",
            {"app/x": elf(["l.so"], runpath="$ORIGIN"), "app/l.so": Item(elf(), 0o600)},
        ),
        "a needed library in a closed folder": (
            "libraries",
            "app/x",
            {"app/x": elf(["l.so"], runpath="/opt/l"), "opt/l": folder(0o700), "opt/l/l.so": elf()},
        ),
        "an extension in a closed folder": (
            "libraries",
            "app/one/x.so",
            {"app/one": folder(0o700), "app/one/x.so": elf()},
        ),
        "the loader without x": (
            "libraries",
            "usr/bin/python3.13",
            {f"{LIB}/ld-linux-x86-64.so.2": Item(elf(soname="ld-linux-x86-64.so.2"), 0o644)},
        ),
    }
    faults["a library without the version"] = ("libraries", "app/x", {**TWO, **RECORDED})
    faults["a library without one of the versions"] = (
        "libraries",
        "app/x",
        {**RECORDED, "app/x": versions({"l.so": ["ONE_1.0", "ONE_1.1"]}, []), "usr/lib/l.so": OLD},
    )
    faults["a version that a library's library has not"] = (
        "libraries",
        "app/m.so",
        {
            **RECORDED,
            "app/x": elf(["m.so"], runpath="/app"),
            "usr/lib/l.so": OLD,
            "app/m.so": versions({"l.so": ["ONE_3"]}, ["M"]),
        },
    )
    return faults


def _scripts() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Scripts that cannot start, whoever calls them."""
    closed = {"opt/py": folder(0o700), "opt/py/run": prog()}
    lines: dict[str, tuple[str, dict[str, Any]]] = {
        "a carriage return": ("#!/usr/bin/python3\r", {}),
        "a carriage return behind an option": ("#!/usr/bin/python3 -u\r", {}),
        "env with a carriage return": ("#!/usr/bin/env python3\r", ENV),
        "carriage returns alone": ("#!/usr/bin/python3\rprint(1)\r", {}),
        "an interpreter that is not there": ("#!/usr/local/bin/python3", {}),
        "an interpreter that is relative": ("#!python3", {}),
        "an interpreter without x": ("#!/app/py", {"app/py": Item(elf(), 0o644)}),
        "an interpreter that the user may not execute": (
            "#!/app/py",
            {"app/py": Item(elf(), 0o744)},
        ),
        "an interpreter that is a folder": ("#!/app", {}),
        "an interpreter in a closed folder": ("#!/opt/py/run", closed),
        "an interpreter that is text": ("#!/app/py", {"app/py": Item(b"hello\n", 0o755)}),
        "a link to nothing": ("#!/usr/bin/py", {"usr/bin/py": link("python9")}),
        "a script that names a script that fails": (
            "#!/app/one",
            {"app/one": script("#!/app/two"), "app/two": script("#!/usr/bin/none")},
        ),
        "scripts in a ring": (
            "#!/app/one",
            {"app/one": script("#!/app/two"), "app/two": script("#!/app/one")},
        ),
        "six scripts": (
            "#!/app/1",
            {
                f"app/{n}": script(f"#!/app/{n + 1}" if n < 6 else "#!/usr/bin/python3")
                for n in range(1, 7)
            },
        ),
        "two options, which are one argument": ("#!/usr/bin/python3 -u -B", {}),
        "two options behind a tab": ("#!/usr/bin/python3.13\t-u\t-B", {}),
        "two options of a shell": ("#!/app/sh -e -u", {"app/sh": prog()}),
        "no env": ("#!/usr/bin/env python3", {}),
        "env for what is not there": ("#!/usr/bin/env python3.12", ENV),
        "env with an option for its program": ("#!/usr/bin/env python3 -u", ENV),
        "env -S for what is not there": ("#!/usr/bin/env -S bash -e", ENV),
        "env -iS for what PATH alone has": (
            "#!/usr/bin/env -iS run",
            {**ENV, "opt/bin/run": prog()},
        ),
        "env -S with a variable": ("#!/usr/bin/env -S A=b C=d ruby -w", ENV),
        "env -S with another PATH": ("#!/usr/bin/env -S PATH=/opt/none python3", ENV),
        "env with a variable and no -S": ("#!/usr/bin/env A=b python3", ENV),
        "env --split-string": ("#!/usr/bin/env --split-string=perl -w", ENV),
        "env -u": ("#!/usr/bin/env -S -u HOME zsh", ENV),
        "env and nothing": ("#!/usr/bin/env -S A=b", ENV),
        "env and an open quote": ("#!/usr/bin/env -S 'python3", ENV),
        "a name that is too long": ("#!/" + "x" * 300, {}),
    }
    faults: dict[str, tuple[str, str, dict[str, Any]]] = {
        name: ("scripts", "app/run", {"app/run": script(line), **files})
        for name, (line, files) in lines.items()
        if name != "a name that is too long"
    }
    faults["a name that is too long"] = (
        "scripts",
        "app/bin/run",
        {"app/bin/run": script(lines["a name that is too long"][0])},
    )
    bad = {
        "text without a first line": b"python3 -m app\n",
        "a byte order mark": b"\xef\xbb\xbf#!/usr/bin/python3\n",
        "an empty file": b"",
        "blanks before it": b" #!/usr/bin/python3\n",
        "UTF-16": "#!/usr/bin/python3\n".encode("utf-16"),
        "a first line without a name": b"#!\n",
    }
    for name, content in bad.items():
        faults[f"{name}, in bin"] = ("scripts", "app/bin/run", {"app/bin/run": program(content)})
    faults["text without a first line, .sh"] = (
        "scripts",
        "app/run.sh",
        {"app/run.sh": program(b"echo\n")},
    )
    return faults


def _starts() -> dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Commands that cannot start: (rule, path, files, configuration)."""
    run = {"Cmd": ["/app/run"]}
    closed = {"app/in": folder(0o700), "app/in/run": prog()}
    return {
        "text without a first line": (
            "command",
            "command",
            {"app/run": program(b"python3\n")},
            run,
        ),
        "a byte order mark": (
            "command",
            "command",
            {"app/run": program(b"\xef\xbb\xbf#!/usr/bin/python3\n")},
            run,
        ),
        "an empty file": ("command", "command", {"app/run": program(b"")}, run),
        "a carriage return": (
            "command",
            "command",
            {"app/run": script("#!/usr/bin/python3\r")},
            run,
        ),
        "a script that the user may not read": (
            "command",
            "command",
            {"app/run": script("#!/usr/bin/python3", 0o711)},
            run,
        ),
        "a program of root alone": ("command", "command", {"app/run": Item(elf(), 0o700)}, run),
        "a program under a closed folder": ("command", "command", closed, {"Cmd": ["/app/in/run"]}),
        "a link to a closed folder": (
            "command",
            "command",
            {**closed, "app/run": link("in/run")},
            run,
        ),
        "a folder": ("command", "command", {"app/run": folder(0o755)}, run),
        "a link to nothing": ("command", "command", {"app/run": link("none")}, run),
        "a relative program and no such folder": (
            "command",
            "command",
            {"app/run": prog()},
            {"Entrypoint": ["./run"]},
        ),
        "a relative program in another folder": (
            "command",
            "command",
            {"app/run": prog()},
            {"Cmd": ["./run"], "WorkingDir": "/opt"},
        ),
        "a program in the working folder alone": (
            "command",
            "command",
            {"app/run": prog()},
            {"Cmd": ["run"], "WorkingDir": "/app"},
        ),
        "a folder of PATH that is closed": (
            "command",
            "command",
            closed,
            {"Cmd": ["run"], "Env": ["PATH=/app/in:/usr/bin"]},
        ),
        "env for what is not there": (
            "command",
            "command",
            ENV,
            {"Cmd": ["env", "A=b", "python9"]},
        ),
        "env -S for what is not there": (
            "command",
            "command",
            ENV,
            {"Cmd": ["/usr/bin/env", "-S", "A=b python9 -u"]},
        ),
        "env with another PATH": (
            "command",
            "command",
            ENV,
            {"Cmd": ["env", "PATH=/opt", "python3"]},
        ),
        "a shell behind env": (
            "command",
            "command",
            ENV,
            {"Cmd": ["env", "A=b", "sh", "-c", "exec x"]},
        ),
        "the first of PATH cannot start": (
            "command",
            "command",
            {"app/bin/run": script("#!/none"), "app/b/run": prog()},
            {"Cmd": ["run"], "Env": ["PATH=/app/bin:/app/b"]},
        ),
        "an init for what is not there": (
            "command",
            "command",
            {"app/tini": prog()},
            {"Cmd": ["/app/tini", "-g", "-e", "143", "--", "/app/none"]},
        ),
        "an init, env, and what is not there": (
            "command",
            "command",
            {**ENV, "app/dumb-init": prog()},
            {"Cmd": ["/app/dumb-init", "env", "A=b", "python9"]},
        ),
        "a shell behind an init": (
            "command",
            "command",
            {"app/tini": prog()},
            {"Cmd": ["/app/tini", "--", "sh", "-c", "exec x"]},
        ),
        "a script of Python that is not there": (
            "command",
            "command",
            {},
            {"Cmd": ["python3", "-u", "-X", "dev", "main.py"], "WorkingDir": "/opt"},
        ),
        "a script of Python that the user may not read": (
            "command",
            "command",
            {"app/main.pyc": Item(pyc(), 0o600)},
            {"Cmd": ["python3", "/app/main.pyc"]},
        ),
        "a module that is not there": (
            "command",
            "command",
            {},
            {"Cmd": ["python3", "-Bm", "nine.x"]},
        ),
        "no such working folder": ("command", "workdir", {}, {"WorkingDir": "/srv/none"}),
        "a relative working folder": ("command", "workdir", {"app/x": ""}, {"WorkingDir": "app"}),
        "a closed working folder": (
            "command",
            "workdir",
            {"srv/a": folder(0o700)},
            {"WorkingDir": "/srv/a"},
        ),
        "a file as the working folder": (
            "command",
            "workdir",
            {"srv/a": ""},
            {"WorkingDir": "/srv/a"},
        ),
        "a working folder that is a link to nothing": (
            "command",
            "workdir",
            {"srv/a": link("/none")},
            {"WorkingDir": "/srv/a"},
        ),
        "a health check that is text": (
            "healthcheck",
            "healthcheck",
            {"app/h": program(b"curl\n")},
            {"Healthcheck": {"Test": ["CMD", "/app/h"]}},
        ),
        "a health check under a closed folder": (
            "healthcheck",
            "healthcheck",
            closed,
            {"Healthcheck": {"Test": ["CMD", "/app/in/run"]}},
        ),
        "a health check with a carriage return": (
            "healthcheck",
            "healthcheck",
            {"app/h": script("#!/usr/bin/python3\r")},
            {"Healthcheck": {"Test": ["CMD", "/app/h"]}},
        ),
        "LD_LIBRARY_PATH, relative": (
            "hardened",
            "env:LD_LIBRARY_PATH",
            {},
            {"Env": ["PATH=/usr/bin", "LD_LIBRARY_PATH=/usr/lib:"]},
        ),
        "LD_LIBRARY_PATH to /tmp": (
            "hardened",
            "env:LD_LIBRARY_PATH",
            {},
            {"Env": ["PATH=/usr/bin", "LD_LIBRARY_PATH=/tmp/lib"]},
        ),
        "LD_PRELOAD of /dev/shm": (
            "hardened",
            "env:LD_PRELOAD",
            {},
            {"Env": ["PATH=/usr/bin", "LD_PRELOAD=/dev/shm/x.so"]},
        ),
        "a user out of range": ("user", "user", {}, {"User": "4294967296:10001"}),
    }


def _harmless() -> dict[str, dict[str, Any]]:
    """Return images that almost have a fault; keys that begin with a capital are configuration."""
    docs = f"{SITE}/boto3/docs"
    django = f"{SITE}/django/test"
    more = [f"boto3/docs/{name}.py" for name in ("__init__", "client")]
    more += [f"django/test/{name}.py" for name in ("__init__", "client", "testcases")]
    listed = RECORD + "".join(f"{path},,\n" for path in more)
    modules = {
        f"{docs}/__init__.pyc": pyc(),
        f"{docs}/client.pyc": pyc(),
        f"{django}/__init__.pyc": pyc(),
        f"{django}/client.pyc": pyc(),
        f"{django}/testcases.pyc": pyc(),
        f"{SITE}/one-1.0.dist-info/RECORD": listed,
        "usr/share/sutra/cleanup.json": json.dumps(
            {"tree": "/opt/sutra", "compiled": {"sourceless": 6, "cached": 0, "source": 0}}
        ),
    }
    stripped = f"one/native.so,{EMPTY}\n"
    gone = f"one/gone.md,{EMPTY}\n"
    same = f"one/empty.json,{EMPTY}\n"
    record = f"{SITE}/one-1.0.dist-info/RECORD"
    return {
        "boto3's docs modules and django/test": modules,
        "data called layer.o, model.a, x.lib": {
            "app/layer.o": "weights",
            "app/model.a": b"\0" * 9,
            "app/x.lib": "{}",
        },
        "scripts called go, make, strip, size": {
            f"app/{name}": script("#!/usr/bin/python3") for name in ("go", "make", "strip", "size")
        },
        "a link called go to a script": {
            "app/bin/go": link("../run"),
            "app/run": script("#!/usr/bin/python3"),
        },
        "programs whose names only begin so": {
            f"app/{name}": prog()
            for name in ("makeup", "goat", "shell", "gccgate", "pipeline", "asset")
        },
        "a text about a shell in a library": {"app/x.so": elf(text=BUSYBOX)},
        "a text about a shell in no ELF file": {
            "app/notes.json": BUSYBOX,
            "app/x": script("#!/usr/bin/python3 -c 'GNU bash, version'"),
        },
        "a program of Rust": {"app/x": prog(b"library/core/src/"), "usr/share/licenses/x/y": ""},
        "packages that only sound so": {
            **package("gcc-14-base"),
            **package("libgcc-14-dev"),
            **package("libbinutils"),
            **package("bash-completion"),
        },
        "a package that was removed": {
            "var/lib/dpkg/status": "Package: gcc-14\nStatus: deinstall ok "
            "config-files\nVersion: 1\n",
            "usr/share/doc/gcc-14/copyright": "x",
        },
        "a distribution that only sounds so": distribution("pip-licenses-of-nobody"),
        "a zip of data": {"app/x.zip": zipped("pipeline/__init__.py", "data/pip.json")},
        "packed data": {
            "app/x-1.0.tar.gz": gzip.compress(tarred("x-1.0/data.json")),
            "app/x.gz": gzip.compress(b"12"),
            "app/x.xz": lzma.compress(b"12")[:20],
            "app/x.bz2": b"BZh9" + bytes(20),
        },
        "a script that imports what is called like an installer": {
            "app/x": script(
                "#!/usr/bin/python3", rest="\nimport pipeline\nfrom pip_audit_api import x\n"
            )
        },
        "modules with bytecode in both places": {
            "app/x.py": "",
            "app/x.pyc": pyc(source=b""),
            "app/y.py": "",
            "app/__pycache__/y.cpython-313.pyc": pyc(source=b""),
        },
        "a script without bytecode": {"app/x.py": script("#!/usr/bin/python3")},
        "a stripped library, a removed text, a recorded file": {
            record: RECORD + stripped + gone + same,
            f"{SITE}/one/empty.json": b"",
        },
        "a stack that may not be executed, a program of its own place": {
            "app/x": elf(stack=False, tags=[(0x6FFFFFFB, 0x08000000)])
        },
        "a program that may only be executed": {"app/x": Item(elf(kind=2), 0o711)},
        "RUNPATH to places of root": {
            "app/x": elf(runpath="$ORIGIN/../lib:${ORIGIN}:/usr/lib:/opt/none/lib")
        },
        "LD_LIBRARY_PATH of root, LD_PRELOAD by name": {
            "Env": ["PATH=/usr/bin", "LD_LIBRARY_PATH=/usr/lib:/opt/lib", "LD_PRELOAD=libx.so"]
        },
        "an attribute without capabilities": {
            "app/x": capable(STAR, "\x01\x00\x00\x02" + "\0" * 16),
            "app/y": capable("SCHILY.xattr.user.note", "x"),
        },
        "a folder for the user's own group": {
            "app/a": Item(kind="folder", mode=0o750, gid=10001),
            "app/a/x.json": Item(b"", 0o640, gid=10001),
        },
        "a group that the user is in": {
            "User": "10001",
            "etc/group": "root:x:0:\nsutra:x:10001:\nmore:x:7:sutra\n",
            "app/a": Item(kind="folder", mode=0o750, gid=7),
        },
        "what root alone reads": {
            "root": folder(0o700),
            "etc/shadow": Item(b"x", 0o600),
            "var/lib/private": folder(0o700),
            "lib/apk/db/lock": Item(b"", 0o600),
        },
        "versions that are there, or may be missing": {
            **RECORDED,
            "usr/lib/l.so": OLD,
            "app/x": versions({"l.so": ["ONE_1.0", "~ONE_2.0"]}, []),
        },
        "a version of a library without any": {
            **RECORDED,
            "usr/lib/l.so": elf(),
            "app/x": versions({"l.so": ["ONE_1.0"]}, []),
        },
        "five scripts, and a program": {
            **{f"app/{n}": script(f"#!/app/{n + 1}") for n in range(1, 5)},
            "app/5": script("#!/usr/bin/python3"),
            "Cmd": ["/app/1"],
        },
        "scripts behind env": {
            **ENV,
            "app/a": script("#!/usr/bin/env python3"),
            "app/b": script("#! /usr/bin/env -S python3 -u"),
            "app/c": script("#!/usr/bin/env -S A=b -- python3".replace(" -- ", " ")),
            "app/d": script("#!/usr/bin/env -S PATH=/opt/x:/usr/bin python3 -B"),
            "app/e": script("#!/usr/bin/env -iS python3"),
        },
        "a script without its own interpreter that nobody may execute": {
            "app/x": Item(b"#!/none\r\n", 0o644)
        },
        "text with the right to be executed, not in bin": {"app/x.json": Item(b"{}", 0o755)},
        "a program behind env": {
            **ENV,
            "Cmd": ["env", "-u", "HOME", "A=b", "python3", "-m", "one"],
        },
        "an argument with a long line": {"app/x": script("#!/usr/bin/python3 " + "x" * 300)},
        "a working folder that is there by a file alone": {
            "srv/a/x.json": "",
            "WorkingDir": "/srv/a",
        },
        "a working folder behind a link": {
            "srv/a/x.json": "",
            "srv/b": link("a"),
            "WorkingDir": "/srv/b",
        },
        "an init with its program": {
            "app/tini": prog(),
            "app/run": prog(),
            "Cmd": ["/app/tini", "-g", "-p", "KILL", "--", "/app/run"],
        },
        "a script, a folder and a module of Python": {
            "app/main.pyc": pyc(),
            "app/tool/__main__.pyc": pyc(),
            "WorkingDir": "/app",
            "Cmd": ["python3", "-X", "dev", "main.pyc"],
            "Healthcheck": {"Test": ["CMD", "python3", "-u", "/app/tool"]},
        },
        "options of Python with their values behind them": {
            "Cmd": ["python3", "-Xfrozen_modules=off", "-Wonce", "-uBm", "one"]
        },
        "a command in Python itself": {"Cmd": ["python3", "-c", "import nothing"]},
        "one option, and blanks": {"app/run": script("#!/usr/bin/python3 -u  ")},
        "options of an interpreter of our own": {
            "app/run": script("#!/app/own -a -b"),
            "app/own": prog(),
        },
        "an archive with a folder called uv": {"app/x.bin": gzip.compress(tarred("uv/map.json"))},
        "a program in the working folder": {
            "app/run": prog(),
            "WorkingDir": "/app",
            "Cmd": ["./run"],
        },
        "a link of busybox that is no shell": {
            "usr/bin/awk": link("busybox"),
            "usr/bin/ar": link("busybox"),
            "usr/bin/busybox": elf(),
            **RECORDED,
        },
    }


_KINDS = {
    "programs under another name": _renamed,
    "programs, packages and distributions by name": _named,
    "installers in archives": _packed,
    "what building leaves": _left,
    "rights and versions": _rights,
    "scripts": _scripts,
}
PLANTED = [
    *(
        Plant(kind, name, rule, path, good(files))
        for kind, of in _KINDS.items()
        for name, (rule, path, files) in of().items()
    ),
    *(
        Plant("commands", name, rule, path, good(files, **config))
        for name, (rule, path, files, config) in _starts().items()
    ),
]


def _image(parts: dict[str, Any]) -> Made:
    config = {key: value for key, value in parts.items() if key[:1].isupper()}
    return good({path: item for path, item in parts.items() if path not in config}, **config)


HARMLESS = {name: _image(parts) for name, parts in _harmless().items()}
