"""Ten kinds of image that others build, as small archives with the files that tell each kind."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.support.fixture_images import Files, Item, Made, buildinfo, elf, link, program, pyc

GLIBC = "/lib64/ld-linux-x86-64.so.2"
LIB = "usr/lib/x86_64-linux-gnu"
ACCOUNT = "root:x:0:0:root:/root:/bin/bash\n"
SYSTEM: Files = {
    "lib": link("usr/lib"),
    "lib64": link("usr/lib64"),
    "bin": link("usr/bin"),
    "tmp": Item(kind="folder", mode=0o1777),
    "etc/os-release": link("../usr/lib/os-release"),
    "usr/lib/os-release": "ID=debian\n",
    "etc/passwd": ACCOUNT,
    "etc/group": "root:x:0:\n",
    "usr/lib64/ld-linux-x86-64.so.2": link(f"../../{LIB}/ld-linux-x86-64.so.2"),
    f"{LIB}/ld-linux-x86-64.so.2": program(elf(soname="ld-linux-x86-64.so.2")),
    f"{LIB}/libc.so.6": program(elf(["ld-linux-x86-64.so.2"], soname="libc.so.6")),
    "usr/share/doc/libc6/copyright": "LGPL",
}
OWNED = {
    "base-files": ("usr/lib/os-release",),
    "libc6": (f"{LIB}/libc.so.6", f"{LIB}/ld-linux-x86-64.so.2"),
}
# chosen packages, without dpkg: each has its record in a separate file
SLIM: Files = {
    **SYSTEM,
    "usr/share/doc/base-files/copyright": "GPL",
    **{f"var/lib/dpkg/status.d/{name}": f"Package: {name}\nVersion: 1\n" for name in OWNED},
    **{
        f"var/lib/dpkg/status.d/{name}.md5sums": "".join(f"0  {path}\n" for path in paths)
        for name, paths in OWNED.items()
    },
}
PROGRAMS = {
    "apt": "usr/bin/apt-get",
    "bash": "usr/bin/bash",
    "coreutils": "usr/bin/env",
    "dpkg": "usr/bin/dpkg",
    "passwd": "usr/bin/passwd",
}
DEBIAN: Files = {
    **SYSTEM,
    **{path: program(elf(["libc.so.6"], GLIBC)) for path in PROGRAMS.values()},
    "usr/bin/sh": link("bash"),
    "usr/bin/passwd": Item(elf(["libc.so.6"], GLIBC), 0o4755),
    "usr/share/doc/bash/changelog.Debian.gz": "packed",
    **{f"usr/share/doc/{name}/copyright": "GPL" for name in (*PROGRAMS, "base-files")},
    "var/lib/dpkg/status": "\n".join(
        f"Package: {name}\nStatus: install ok installed\nVersion: 1\n"
        for name in (*PROGRAMS, *OWNED)
    ),
    **{f"var/lib/dpkg/info/{name}.list": f"/{path}\n" for name, path in PROGRAMS.items()},
    **{
        f"var/lib/dpkg/info/{name}.list": "".join(f"/{path}\n" for path in paths)
        for name, paths in OWNED.items()
    },
    "var/log/apt/history.log": "Start-Date: 2026-01-01\n",
}
PATH = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}


def busybox() -> Made:
    """One static program with a link for each applet."""
    applets = {f"bin/{name}": link("busybox") for name in ("sh", "wget", "vi")}
    files: Files = {
        "bin/busybox": program(elf(text=b"BusyBox v1.37.0 (2026-01-01 00:00:00 UTC)\0")),
        **applets,
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
        "etc/group": "root:x:0:\n",
        "tmp": Item(kind="folder", mode=0o1777),
    }
    return Made([files], {**PATH, "Cmd": ["sh"]})


def distroless() -> Made:
    """Files of a few packages, an account, and no program but the service."""
    files: Files = {
        "etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\n"
        "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
        "etc/group": "root:x:0:\nnonroot:x:65532:\n",
        "etc/os-release": "ID=debian\n",
        "tmp": Item(kind="folder", mode=0o1777),
        "usr/share/doc/tzdata/copyright": "public domain",
        "usr/share/zoneinfo/UTC": "TZif2",
        "var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 2026a\n",
        "var/lib/dpkg/status.d/tzdata.md5sums": "0  usr/share/zoneinfo/UTC\n",
    }
    service: Files = {"app/server": program(elf())}
    return Made([files, service], {**PATH, "User": "65532:65532", "Entrypoint": ["/app/server"]})


def go_static() -> Made:
    """One program from scratch."""
    modules = (
        "path\texample.com/web",
        "mod\texample.com/web\tv1.0.0",
        "dep\tgolang.org/x/net\tv0.30.0",
    )
    server = elf(buildinfo=buildinfo(*modules), kind=2)
    return Made([{"server": program(server)}], {"User": "65532", "Entrypoint": ["/server"]})


def about_npm(name: str, version: str, licence: str) -> str:
    """Return the package.json of an npm package."""
    return json.dumps({"name": name, "version": version, "license": licence})


def node() -> Made:
    """The official image's layout: node and npm below usr/local, on all of Debian."""
    npm = "usr/local/lib/node_modules/npm"
    runtime: Files = {
        "usr/local/bin/node": program(elf(["libc.so.6"], GLIBC, symbols=True)),
        "usr/local/bin/npm": link("../lib/node_modules/npm/bin/npm-cli.js"),
        f"{npm}/bin/npm-cli.js": program(b"#!/usr/bin/env node\n"),
        f"{npm}/package.json": about_npm("npm", "11.0.0", "Artistic-2.0"),
        f"{npm}/docs/content/index.md": "# npm",
        "usr/local/include/node/node.h": "#define NODE 1\n",
    }
    service: Files = {
        "app/server.js": "require('express')\n",
        "app/node_modules/express/package.json": about_npm("express", "5.1.0", "MIT"),
        "app/node_modules/express/index.js": "module.exports = 1\n",
        "app/node_modules/express/History.md": "# history",
        "app/node_modules/express/index.d.ts": "export = 1\n",
        "app/node_modules/.package-lock.json": "{}",
        "app/node_modules/express/test/app.js": "describe('app')\n",
    }
    config = {**PATH, "User": "node", "WorkingDir": "/app", "Cmd": ["node", "server.js"]}
    account: Files = {
        "etc/passwd": f"{ACCOUNT}node:x:1000:1000::/home/node:/bin/bash\n",
        "etc/group": "root:x:0:\nnode:x:1000:\n",
    }
    return Made([DEBIAN, {**runtime, **account}, service], config)


def jlink() -> Made:
    """A Java runtime of jlink, with its service as a jar."""
    java = "opt/java"
    runtime: Files = {
        f"{java}/bin/java": program(
            elf(["libjli.so", "libc.so.6"], GLIBC, runpath="$ORIGIN/../lib")
        ),
        f"{java}/bin/keytool": program(elf(["libc.so.6"], GLIBC)),
        f"{java}/lib/libjli.so": elf(["libc.so.6"], soname="libjli.so"),
        f"{java}/lib/server/libjvm.so": elf(["libc.so.6"], soname="libjvm.so", symbols=True),
        # its virtual machine is loaded by path before it
        f"{java}/lib/libjava.so": elf(
            ["libjvm.so", "libc.so.6"], soname="libjava.so", runpath="$ORIGIN"
        ),
        f"{java}/lib/modules": "jimage",
        f"{java}/legal/java.base/LICENSE": "GPL with classpath exception",
        f"{java}/release": 'JAVA_VERSION="25"\n',
        "app/web.jar": "PK",
    }
    account: Files = {
        "etc/passwd": f"{ACCOUNT}web:x:10001:10001::/app:/sbin/nologin\n",
        "etc/group": "root:x:0:\nweb:x:10001:\n",
    }
    command = ["/opt/java/bin/java", "-jar", "/app/web.jar"]
    return Made(
        [SLIM, {**runtime, **account}], {**PATH, "User": "10001:10001", "Entrypoint": command}
    )


def pip_install() -> Made:
    """`pip install` on Debian with all that python:slim has, as root."""
    site = "usr/local/lib/python3.13/site-packages"
    runtime: Files = {
        "usr/local/bin/python3.13": program(elf(["libc.so.6"], GLIBC)),
        "usr/local/bin/python3": link("python3.13"),
        "usr/local/bin/pip": program(b"#!/usr/local/bin/python3.13\nimport pip\n"),
        f"{site}/pip/__init__.py": "",
        f"{site}/pip-25.0.dist-info/METADATA": "Name: pip\nVersion: 25.0\n",
        f"{site}/pip-25.0.dist-info/RECORD": "pip/__init__.py,,\npip-25.0.dist-info/METADATA,,\n"
        "pip-25.0.dist-info/RECORD,,\n../../../bin/pip,,\n",
    }
    service: Files = {
        f"{site}/web/__init__.py": "x = 1\n",
        f"{site}/web/__pycache__/__init__.cpython-313.pyc": pyc(flags=0, mtime=0, size=6),
        f"{site}/web/tests/test_web.py": "def test(): pass\n",
        f"{site}/web-1.0.dist-info/METADATA": "Name: web\nVersion: 1.0\n",
        f"{site}/web-1.0.dist-info/RECORD": "web/__init__.py,,\nweb/tests/test_web.py,,\n"
        "web-1.0.dist-info/METADATA,,\nweb-1.0.dist-info/RECORD,,\n",
        "root/.cache/pip/http-v2/a": "cached",
    }
    return Made([DEBIAN, runtime, service], {**PATH, "Cmd": ["python3", "-m", "web"]})


def conda() -> Made:
    """An environment of conda below opt, with its package cache and headers."""
    top = "opt/conda"
    package, site = f"{top}/pkgs/zlib-1.3-h0_0", f"{top}/lib/python3.12/site-packages"
    files: Files = {
        f"{top}/bin/python3.12": program(elf(["libc.so.6"], GLIBC, rpath="$ORIGIN/../lib")),
        f"{top}/bin/python": link("python3.12"),
        f"{top}/bin/conda": program(b"#!/opt/conda/bin/python\n"),
        f"{top}/lib/libz.so.1": elf(["libc.so.6"], soname="libz.so.1", symbols=True),
        f"{top}/lib/python3.12/http/__init__.py": "",
        f"{top}/lib/python3.12/http/server.py": "",
        f"{top}/include/zlib.h": "#define ZLIB 1\n",
        f"{top}/lib/libz.a": "!<arch>\n",
        f"{top}/conda-meta/zlib-1.3.json": json.dumps({"name": "zlib", "files": ["lib/libz.so.1"]}),
        f"{top}/pkgs/zlib-1.3.conda": "PK",
        # micromamba and pixi keep a second, unpacked copy of the package
        f"{package}/lib/libz.so.1": elf(["libc.so.6"], soname="libz.so.1", symbols=True),
        f"{package}/info/index.json": json.dumps({"name": "zlib", "version": "1.3"}),
        f"{package}/info/paths.json": json.dumps({"paths": []}),
        f"{site}/pip/__init__.py": "",
        f"{site}/numpy/core/tests/test_api.py": "",
        f"{site}/numpy/random/_common.pxd": "",
    }
    return Made([DEBIAN, files], {**PATH, "Cmd": ["/opt/conda/bin/python", "-m", "http.server"]})


def s6() -> Made:
    """Supervised by s6-overlay: its init starts as root and drops rights by itself."""
    files: Files = {
        "init": program(b"#!/command/execlineb -S0\n/package/admin/s6-overlay/libexec/preinit\n"),
        "command/execlineb": program(elf()),
        "command/s6-svscan": program(elf()),
        "command/with-contenv": program(b"#!/command/execlineb -S0\ns6-envdir /run/env\n"),
        "etc/s6-overlay/s6-rc.d/web/run": program(b"#!/command/with-contenv sh\nexec /app/web\n"),
        "app/web": program(elf()),
    }
    return Made([DEBIAN, files], {**PATH, "Entrypoint": ["/init"]})


def two_users() -> Made:
    """A service and a helper, each with an account; USER is a name."""
    files: Files = {
        "etc/passwd": f"{ACCOUNT}web:x:10001:10001::/app:\nlogs:x:10002:10002::/logs:\n",
        "etc/group": "root:x:0:\nweb:x:10001:\nlogs:x:10002:\n",
        "app/web": Item(elf(), 0o755, uid=10001, gid=10001),
        "app/ship": Item(elf(), 0o755, uid=10002, gid=10002),
        "app/ship.conf": Item(b"to: collector\n", 0o600, uid=10002, gid=10002),
    }
    return Made([SLIM, files], {**PATH, "User": "web", "Cmd": ["/app/web"]})


def hundred_layers() -> Made:
    """One file per layer, as from a hundred lines of COPY; the last one replaces the first."""
    files: list[Files] = [{f"app/part-{number:02}": "x" * 1000} for number in range(98)]
    account: Files = {"etc/passwd": "web:x:10001:10001::/app:\n", "etc/group": "web:x:10001:\n"}
    last: Files = {"app/part-00": "y" * 1000, "app/web": program(elf())}
    return Made([account, *files, last], {"User": "10001:10001", "Cmd": ["/app/web"]})


KINDS: dict[str, Callable[[], Made]] = {
    "busybox": busybox,
    "distroless": distroless,
    "Go, static": go_static,
    "Node": node,
    "Java by jlink": jlink,
    "pip install on Debian": pip_install,
    "conda": conda,
    "s6": s6,
    "two users": two_users,
    "100 layers": hundred_layers,
}
