from __future__ import annotations

from scripts.image.elf import Elf
from scripts.image.entry import Entry
from scripts.image.package_owners import OTHER, Owner, of

SITE = "opt/sutra/lib/python3.13/site-packages/"
LABELS = {
    "org.opencontainers.image.title": "sutra-api",
    "org.opencontainers.image.version": "1.2",
}


def owned(
    paths: list[str], texts: dict[str, str], labels: dict[str, str] | None = None
) -> dict[str, Owner]:
    files = {path: Entry(path, "file", 1, 0o644, 0, 0, 0) for path in [*paths, *texts]}
    return of(files, texts, labels if labels is not None else LABELS)


LIBC = Owner("debian", "libc6", "2.41-12")
SLICE = {
    "var/lib/dpkg/status.d/libc6": "Package: libc6\nVersion: 2.41-12\nDescription: x\n more\n",
    "var/lib/dpkg/status.d/libc6.md5sums": (
        f"{'0' * 32}  lib/x86_64-linux-gnu/libold.so\n{'1' * 32}  usr/lib/libc.so.6\n"
        f"{'2' * 32}  usr/lib/with  two spaces\n"
    ),
}


def test_a_slice_of_debian_owns_what_its_hashes_name() -> None:
    paths = [
        "usr/lib/libc.so.6",
        "usr/lib/x86_64-linux-gnu/libold.so",
        "usr/lib/with  two spaces",
        "usr/share/doc/libc6/copyright",
        "usr/share/doc/libc6-dev/copyright",
        "usr/lib/libc.so",
    ]
    assert owned(paths, SLICE) == {
        "usr/lib/libc.so.6": LIBC,
        "usr/lib/x86_64-linux-gnu/libold.so": LIBC,
        "usr/lib/with  two spaces": LIBC,
        "usr/share/doc/libc6/copyright": LIBC,
        "usr/share/doc/libc6-dev/copyright": OTHER,
        "usr/lib/libc.so": OTHER,
        "var/lib/dpkg/status.d/libc6": LIBC,
        "var/lib/dpkg/status.d/libc6.md5sums": LIBC,
    }


def test_a_whole_debian_owns_what_its_lists_name() -> None:
    texts = {
        "var/lib/dpkg/status": "Package: bash\nVersion: 5.2\n\nPackage: libc6\nVersion: 2.41-12\n",
        "var/lib/dpkg/info/bash.list": "/.\n/bin/bash\n/etc/bash.bashrc\n",
        "var/lib/dpkg/info/libc6:amd64.list": "/usr/lib/libc.so.6\n",
    }
    owners = owned(["usr/bin/bash", "etc/bash.bashrc", "usr/lib/libc.so.6", "usr/bin/sh"], texts)
    assert {path: owners[path] for path in owners if not path.startswith("var/")} == {
        "usr/bin/bash": Owner("debian", "bash", "5.2"),
        "etc/bash.bashrc": Owner("debian", "bash", "5.2"),
        "usr/lib/libc.so.6": LIBC,
        "usr/bin/sh": OTHER,
    }


def test_alpine_owns_what_its_database_names() -> None:
    text = (
        "C:Q1\nP:musl\nV:1.2.5-r1\nF:lib\nR:ld-musl.so.1\nZ:Q1\nF:usr/bin\nR:ldd\n\nP:zlib\nV:1\n"
    )
    for place in ("lib/apk/db/installed", "usr/lib/apk/db/installed"):
        owners = owned(["lib/ld-musl.so.1", "usr/bin/ldd", "usr/bin/cat"], {place: text})
        musl = Owner("alpine", "musl", "1.2.5-r1")
        assert [owners[path] for path in ("lib/ld-musl.so.1", "usr/bin/ldd", "usr/bin/cat")] == [
            musl,
            musl,
            OTHER,
        ]


NUMPY = Owner("python", "numpy", "2.5.5")
RECORD = {
    SITE + "numpy-2.5.5.dist-info/METADATA": "Metadata-Version: 2.4\nName: numpy\nVersion: 2.5.5\n",
    SITE + "numpy-2.5.5.dist-info/RECORD": (
        'numpy/__init__.py,sha256=x,10\n"numpy/with,comma.py",,\nnumpy.libs/libblas.so,,\n'
        "../../../bin/f2py,,\n../../../../../../../etc/passwd,,\n\n"
    ),
}


def test_a_distribution_owns_what_its_record_names() -> None:
    bin_, blas = "opt/sutra/bin/f2py", SITE + "numpy.libs/libblas.so"
    comma, licence = SITE + "numpy/with,comma.py", SITE + "numpy-2.5.5.dist-info/licenses/LICENSE"
    owners = owned([bin_, blas, comma, licence, SITE + "numpy/more.py", "etc/passwd"], RECORD)
    assert [owners[path] for path in (bin_, blas, comma, licence)] == [NUMPY] * 4
    assert owners[SITE + "numpy/more.py"] == Owner("ours", "sutra-api", "1.2")
    assert owners["etc/passwd"] == OTHER


def test_an_egg_info_is_a_distributions_record_too() -> None:
    egg = SITE + "old-1.0.egg-info/"
    texts = {
        egg + "PKG-INFO": "Metadata-Version: 1.1\nName: old\nVersion: 1.0\n",
        egg + "installed-files.txt": "../old/__init__.py\nPKG-INFO\n",
    }
    owners = owned([SITE + "old/__init__.pyc", SITE + "old/more.py", egg + "top_level.txt"], texts)
    old = Owner("python", "old", "1.0")
    assert owners[SITE + "old/__init__.pyc"] == owners[egg + "top_level.txt"] == old
    assert owners[SITE + "old/more.py"] == Owner("ours", "sutra-api", "1.2")


def test_compiled_modules_are_their_sources() -> None:
    sourceless, cached = "numpy/__init__.pyc", "numpy/__pycache__/__init__.cpython-313.pyc"
    owners = owned([SITE + sourceless, SITE + cached, SITE + "numpy/__pycache__/x.pyc"], RECORD)
    assert owners[SITE + sourceless] == owners[SITE + cached] == NUMPY
    assert owners[SITE + "numpy/__pycache__/x.pyc"] == Owner("ours", "sutra-api", "1.2")


def test_a_packages_compiled_module_is_the_packages() -> None:
    texts = {
        "var/lib/dpkg/status.d/py": "Package: py\nVersion: 3\n",
        "var/lib/dpkg/status.d/py.md5sums": f"{'0' * 32}  usr/lib/python3.13/os.py\n",
    }
    path = "usr/lib/python3.13/os.pyc"
    assert owned([path], texts)[path] == Owner("debian", "py", "3")


def test_a_binary_of_no_package_is_rusts_where_its_content_says_so() -> None:
    entries = {
        path: Entry(path, "file", 1, 0o755, 0, 0, 0, elf=Elf("x86_64", "DYN", language=language))
        for path, language in (("usr/local/bin/server", "rust"), ("usr/local/bin/tool", ""))
    }
    assert of(entries, {}, LABELS) == {
        "usr/local/bin/server": Owner("rust", "server", "1.2"),
        "usr/local/bin/tool": OTHER,
    }


def test_what_is_ours_has_the_images_own_name() -> None:
    paths = [
        "app/sutra_api/app.py",
        "usr/share/sutra/cleanup.json",
        "opt/sutra/pyvenv.cfg",
        "apps/x",
    ]
    ours = Owner("ours", "sutra-api", "1.2")
    assert list(owned(paths, {}).values()) == [ours, ours, ours, OTHER]
    assert owned(["app/x"], {}, {})["app/x"] == Owner("ours", "ours", "")


def test_records_that_cannot_be_read_own_nothing() -> None:
    texts = {
        "var/lib/dpkg/status.d/x": "\0\xff not a record",
        "var/lib/dpkg/status.d/x.md5sums": "\n\nnot hashes\n",
        SITE + "y.dist-info/METADATA": "",
        SITE + "y.dist-info/RECORD": '"never closed,\n',
        "lib/apk/db/installed": "R:\nnothing\n",
    }
    assert owned(["a"], texts)["a"] == OTHER
