"""Scripts of base-images/lib that builders run, with a separate home and module cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from tests.conftest import ROOT
from tests.unit.fakes import program

LIB = ROOT / "base-images/lib"
BUILT = """program: go1.24.4
\tpath\tmine
\tmod\tmine\t(devel)\t
\tdep\tgithub.com/BurntSushi/toml\tv1.5.0\th1:x=
\tdep\texample.com/old\tv1.0.0
\t=>\texample.com/new\tv1.1.0\th1:y=
\tdep\tgolang.org/x/sync\tv0.17.0\th1:z=
\tbuild\t-trimpath=true
"""


def run(script: str, folder: Path, *words: str, **knobs: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(folder), **knobs}
    command = [str(LIB / script), *words]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A Go whose program has three modules, one replaced, and their licences."""
    cache, root = tmp_path / "cache", tmp_path / "goroot"
    for place in (
        cache / "github.com/!burnt!sushi/toml@v1.5.0/COPYING",
        cache / "example.com/new@v1.1.0/LICENSE.md",
        cache / "golang.org/x/sync@v0.17.0/LICENSE",
        cache / "golang.org/x/sync@v0.17.0/README.md",
        root / "LICENSE",
    ):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(place.name)
    (tmp_path / "built").write_text(BUILT)
    answers = f"'env GOMODCACHE') echo {cache} ;; 'env GOROOT') echo {root} ;;"
    program(tmp_path / "bin", "go", f'case "$*" in {answers} *) cat {tmp_path}/built ;; esac')
    return tmp_path


def test_every_module_of_a_program_has_its_licence_by_its_own_name(modules: Path) -> None:
    out = modules / "out"
    assert run("module-licences.sh", modules, "program", str(out)).returncode == 0
    assert sorted(str(file.relative_to(out)) for file in out.rglob("*") if file.is_file()) == [
        "example.com/old/LICENSE.md",
        "github.com/BurntSushi/toml/COPYING",
        "go",
        "golang.org/x/sync/LICENSE",
        "modules",
    ]


def test_a_licence_that_is_missing_ends_the_build(modules: Path) -> None:
    (modules / "cache/golang.org/x/sync@v0.17.0/LICENSE").unlink()
    done = run("module-licences.sh", modules, "program", str(modules / "out"))
    assert (done.returncode, done.stderr) == (
        1,
        'module-licences: no licence of the module "golang.org/x/sync" v0.17.0\n',
    )


@pytest.fixture
def crate(tmp_path: Path) -> Path:
    """A folder to fetch in, and a cargo that says what it was called with, and fails for "gone"."""
    (tmp_path / "src").mkdir()
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "x"\n')
    (tmp_path / "Cargo.lock").write_text("version = 4\n")
    settings = '"$(cat "$HOME/.cargo/config.toml" 2>/dev/null)"'
    body = f'echo "cargo $*"; case {settings} in *gone*) exit 101 ;; esac'
    program(tmp_path / "bin", "cargo", body)
    return tmp_path


def test_crates_are_fetched_from_the_default_registry(crate: Path) -> None:
    done = run("cargo-mirror.sh", crate)
    assert (done.returncode, done.stdout) == (
        0,
        "cargo fetch --locked --manifest-path src/Cargo.toml\n",
    )
    assert not (crate / ".cargo").exists()
    assert (crate / "src/src/lib.rs").read_text() == ""
    assert (crate / "src/Cargo.lock").read_text() == "version = 4\n"


def test_crates_are_fetched_whatever_sources_the_manifest_names(crate: Path) -> None:
    (crate / "Cargo.toml").write_text(
        '[package]\nname = "x"\ndefault-run = "x"\nautobenches = false\n'
        '[lib]\npath = "src/x.rs"\n[[bin]]\nname = "x"\npath = "src/bin/x.rs"\n# its tests\n'
        '[[test]]\nname = "t"\n[[ bench ]]\nname = "b"\n\t[[example]]\nname = "e"\n'
        '[dependencies]\nserde = "1"\n[lib-like]\nx = 1\n[profile.test]\ndebug = 0\n'
    )
    assert run("cargo-mirror.sh", crate).returncode == 0
    assert tomllib.loads((crate / "src/Cargo.toml").read_text()) == {
        "package": {"name": "x", "autobenches": False},
        "dependencies": {"serde": "1"},
        "lib-like": {"x": 1},
        "profile": {"test": {"debug": 0}},
        # else cargo would read the manifest above it, which names sources that are not there
        "workspace": {},
    }


def test_a_mirror_replaces_the_default_registry(crate: Path) -> None:
    done = run("cargo-mirror.sh", crate, CARGO_REGISTRY="sparse+https://mirror.example/")
    assert done.returncode == 0
    assert tomllib.loads((crate / ".cargo/config.toml").read_text()) == {
        "source": {
            "crates-io": {"replace-with": "mirror"},
            "mirror": {"registry": "sparse+https://mirror.example/"},
        }
    }


def test_a_mirror_that_fails_ends_the_build(crate: Path) -> None:
    assert (
        run("cargo-mirror.sh", crate, CARGO_REGISTRY="sparse+https://gone.example/").returncode
        == 101
    )


FETCH = (
    "tip: this script is for a build without sources; in a checkout run `cargo fetch --locked`\n"
)


@pytest.mark.parametrize("source", ["main.rs", "lib.rs", ".hidden", None])
def test_no_source_of_a_checkout_is_overwritten(crate: Path, source: str | None) -> None:
    if source:
        (crate / "src" / source).write_text("pub fn work() {}\n")
    else:
        (crate / "src").rmdir()
    done = run("cargo-mirror.sh", crate, CARGO_REGISTRY="sparse+https://mirror.example/")
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        f'cargo-mirror: src: not an empty folder "{crate}/src"\n' + FETCH,
    )
    left = ["pub fn work() {}\n"] if source else []
    assert [file.read_text() for file in crate.glob("src/*")] == left
    assert not (crate / ".cargo").exists()


@pytest.mark.parametrize("file", ["config.toml", "config"])
def test_no_settings_of_cargo_are_overwritten(crate: Path, file: str) -> None:
    settings = crate / "home of cargo" / file
    settings.parent.mkdir()
    settings.write_text("[net]\noffline = true\n")
    knobs = {"CARGO_HOME": str(settings.parent), "CARGO_REGISTRY": "https://mirror.example/"}
    done = run("cargo-mirror.sh", crate, **knobs)
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        f'cargo-mirror: CARGO_REGISTRY: cargo has other settings already "{settings}"\n'
        "tip: name the mirror in that file and leave CARGO_REGISTRY empty\n",
    )
    assert settings.read_text() == "[net]\noffline = true\n"
    assert [*crate.glob("src/*")] == []
    assert run("cargo-mirror.sh", crate, **knobs | {"CARGO_REGISTRY": ""}).returncode == 0


def test_a_command_in_place_of_the_fetch_needs_no_empty_folder(crate: Path) -> None:
    """The second run finds the settings that the first one wrote."""
    (crate / "src/main.rs").write_text("fn main() { work() }\n")
    for _ in range(2):
        done = run("cargo-mirror.sh", crate, "cargo", "build", CARGO_REGISTRY="https://a.example/")
        assert (done.returncode, done.stdout) == (0, "cargo build\n"), done.stderr
    assert (crate / "src/main.rs").read_text() == "fn main() { work() }\n"
    assert "https://a.example/" in (crate / ".cargo/config.toml").read_text()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (
            'https://a.example/"\n[net]\noffline = true\n#',
            'https://a.example/"?[net]?offline = true?#',
        ),
        ('https://a.example/"', 'https://a.example/"'),
        ("https://a.example\\b", "https://a.example\\b"),
        ("https://a.example/ b", "https://a.example/ b"),
        ("https://a.example/\x1b[31m", "https://a.example/?[31m"),
        ("https://ä.example/", "https://??.example/"),
        ('https://me:secret@a.example/"', 'https://…@a.example/"'),
        ("a.example", "a.example"),
        ("https://", "https://"),
        ("://a.example", "://a.example"),
    ],
)
def test_a_mirror_that_is_no_url_is_refused(crate: Path, value: str, shown: str) -> None:
    done = run("cargo-mirror.sh", crate, CARGO_REGISTRY=value)
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        f'cargo-mirror: CARGO_REGISTRY: not a URL "{shown}"\n'
        "tip: name a registry as cargo does: "
        "`CARGO_REGISTRY=sparse+https://mirror.example/`\n",
    )
    assert not (crate / ".cargo").exists()
    assert [*crate.glob("src/*")] == []


@pytest.mark.parametrize(
    "value",
    [
        "sparse+http://[::1]:8080/index/",
        "https://me:it's%20$`x`@a.example/?a=b&c#d",
        "file:///srv/index",
        "ssh://git@a.example/index.git",
    ],
)
def test_every_url_reaches_cargo_as_it_is(crate: Path, value: str) -> None:
    assert run("cargo-mirror.sh", crate, CARGO_REGISTRY=value).returncode == 0
    settings = tomllib.loads((crate / ".cargo/config.toml").read_text())
    assert settings["source"]["mirror"] == {"registry": value}


# ---- static programs -------------------------------------------------------

PROGRAM = "int work(void); int _start(void) { return work(); }\n"
LIBRARY = "int work(void) { return 0; }\n"
LINKED = {
    "static": ("-static",),
    "static, at any address": ("-static-pie",),
    "needs libraries": ("-pie", "-Wl,--no-dynamic-linker", "libone.so", "libtwo.so"),
    "with a loader": ("-pie", "libone.so"),
}


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of this machine's linker, which need no C library."""
    folder = tmp_path_factory.mktemp("linked")
    compiler = shutil.which("cc")
    assert compiler, "a C compiler is needed, see CONTRIBUTING.md"

    def cc(*words: str) -> None:
        subprocess.run([compiler, "-nostdlib", *words], cwd=folder, check=True)

    (folder / "program.c").write_text(PROGRAM)
    (folder / "one.c").write_text(LIBRARY)
    (folder / "two.c").write_text("int more;\n")
    cc("-c", "-fPIE", "program.c", "one.c")
    for name in ("one", "two"):
        cc("-shared", "-fPIC", f"-Wl,-soname,lib{name}.so", "-o", f"lib{name}.so", f"{name}.c")
    for name, words in LINKED.items():
        own = [] if "libone.so" in words else ["one.o"]
        cc("program.o", *own, "-Wl,--no-as-needed", *words, "-o", name)
    (folder / "cut").write_bytes((folder / "static").read_bytes()[:20])
    (folder / "text").write_text("#!/bin/sh\n")
    return folder


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("static", ""),
        ("static, at any address", ""),
        ("with a loader", " asks for a dynamic loader, and its image has none"),
        ("needs libraries", " needs libraries, and its image has none: libone.so libtwo.so"),
        ("program.o", " is not a program: nothing of it is loaded"),
    ],
)
def test_a_program_must_be_static(linked: Path, name: str, problem: str) -> None:
    done = run("require-static.sh", linked, name)
    wanted = f"require-static: {name}{problem}\n" if problem else ""
    assert (done.returncode, done.stderr) == (1 if problem else 0, wanted)


@pytest.mark.parametrize("name", ["cut", "text", "nothing"])
def test_what_cannot_be_read_is_not_static(linked: Path, name: str) -> None:
    assert run("require-static.sh", linked, name).returncode == 1


# ---- cargo-binary.sh -------------------------------------------------------

HOST = "x86_64-unknown-linux-gnu"
OTHER = "aarch64-unknown-linux-gnu"
GNU_STRIP = "aarch64-linux-gnu-strip"


@pytest.fixture
def toolchain(tmp_path: Path, linked: Path) -> Path:
    """A cargo that builds where the real one does, and a strip of each target."""
    folder = tmp_path / "bin"
    program(folder, "rustc", f"echo {HOST}")
    built = '"${CARGO_TARGET_DIR:-target}/$6/release"'
    program(
        folder,
        "cargo",
        f'echo "$*" >>{tmp_path}/calls; [ "$1" = auditable ] || exit 0\n'
        f'mkdir -p {built}; cp "{linked}/static" {built}/server',
    )
    for name in ("strip", GNU_STRIP, "own-strip"):
        program(folder, name, f'echo "{name} $3" >>{tmp_path}/calls; cp "$3" "$2"')
    return tmp_path


@pytest.mark.parametrize(
    ("words", "knobs", "triple", "strip", "target"),
    [
        ((), {}, HOST, "strip", "target"),
        (("--target", HOST), {}, HOST, "strip", "target"),
        ((), {"CARGO_BUILD_TARGET": OTHER}, OTHER, GNU_STRIP, "target"),
        (("--target", OTHER), {}, OTHER, GNU_STRIP, "target"),
        ((), {"TARGETARCH": "amd64"}, HOST, "strip", "target"),
        ((), {"TARGETARCH": "arm64"}, OTHER, GNU_STRIP, "target"),
        ((), {"TARGETARCH": "arm64", "CARGO_BUILD_TARGET": HOST}, HOST, "strip", "target"),
        ((), {"TARGETARCH": "riscv64"}, HOST, "strip", "target"),
        (("--target", OTHER), {"CARGO_BUILD_TARGET": HOST}, OTHER, GNU_STRIP, "target"),
        (("--target", OTHER), {"STRIP": "own-strip"}, OTHER, "own-strip", "target"),
        ((), {"CARGO_TARGET_DIR": "elsewhere"}, HOST, "strip", "elsewhere"),
    ],
)
def test_a_program_is_built_for_a_target(
    toolchain: Path,
    words: tuple[str, ...],
    knobs: dict[str, str],
    triple: str,
    strip: str,
    target: str,
) -> None:
    done = run("cargo-binary.sh", toolchain, "server", "out", *words, FEATURES="a,b", **knobs)
    assert (done.returncode, done.stderr) == (0, "")
    assert (toolchain / "calls").read_text().splitlines() == [
        f"auditable build --release --locked --target {triple} --features a,b",
        f"{strip} {target}/{triple}/release/server",
        f"tree --locked --offline --target {triple} --edges normal --features a,b "
        "--prefix none --format {p} {l}",
    ]
    assert (toolchain / "out/bin/server").is_file()
    assert (toolchain / "out/licenses/crates").is_file()


@pytest.mark.parametrize("words", ["server", "server out --target", "server out --targt x", ""])
def test_another_call_is_refused(toolchain: Path, words: str) -> None:
    done = run("cargo-binary.sh", toolchain, *words.split())
    assert (done.returncode, done.stderr) == (
        2,
        f'cargo-binary: not two words and a target "{words}"\n'
        "tip: cargo-binary.sh NAME FOLDER [--target TRIPLE]\n",
    )
    assert not (toolchain / "calls").exists()


# ---- crate-licences.sh -----------------------------------------------------

TEXTS = {
    "axum-0.8.9/LICENSE": "MIT, of axum",
    "hyper-1.0.0/LICENSE": "MIT, of all",
    "itoa-1.0.0/LICENSE-APACHE": "Apache, which is longer",
    "itoa-1.0.0/LICENSE-MIT": "MIT, of all",
    "itoa-1.0.0/README.md": "MIT, of all",
    "prometheus-0.14.0/LICENSE-APACHE": "Apache alone",
    "ryu-1.0.0/LICENSE-APACHE": "Apache, which is longer",
    "ryu-1.0.0/LICENSE-BOOST": "Boost",
    "tower-0.5.0/LICENSE": "MIT, of all",
    "tower-0.5.0/NOTICE": "MIT, of axum",
    "unused-1.0.0/LICENSE": "of none of its crates",
}


def test_each_crate_has_its_shorter_licence_and_equal_texts_are_there_once(toolchain: Path) -> None:
    for name, text in TEXTS.items():
        place = toolchain / ".cargo/registry/src/index" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    crates = [name.partition("/")[0].rpartition("-") for name in TEXTS]
    lines = [f"'{name} v{version} MIT'" for name, _, version in crates if name != "unused"]
    program(toolchain / "bin", "cargo", f"printf '%s\\n' {' '.join(lines)}")
    done = run("crate-licences.sh", toolchain, "out")
    assert (done.returncode, done.stderr) == (0, "")
    out = toolchain / "out"
    licences = {str(file.relative_to(out)): file for file in out.rglob("*/*") if not file.is_dir()}
    assert {name: file.read_text() for name, file in sorted(licences.items())} == {
        "axum/LICENSE": "MIT, of axum",
        "hyper/LICENSE": "MIT, of all",
        "itoa/LICENSE-MIT": "MIT, of all",
        "prometheus/LICENSE-APACHE": "Apache alone",
        "ryu/LICENSE-BOOST": "Boost",
        "tower/LICENSE": "MIT, of all",
        "tower/NOTICE": "MIT, of axum",
    }
    assert {name: os.readlink(file) for name, file in licences.items() if file.is_symlink()} == {
        "itoa/LICENSE-MIT": "../hyper/LICENSE",
        "tower/LICENSE": "../hyper/LICENSE",
        "tower/NOTICE": "../axum/LICENSE",
    }


# ---- clean.sh --------------------------------------------------------------


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """A manifest, and a python3 that says where it would import the cleanup from."""
    program(
        tmp_path / "bin",
        "python3",
        f'case "$*" in *compileall*) exit ;; esac; shift 3; echo "$*"; exec {sys.executable} -c '
        "'import sutra_cleanup; print(sutra_cleanup.__file__)'",
    )
    program(tmp_path / "bin", "chmod", 'echo "chmod $*"')
    (tmp_path / "cleanup.yaml").touch()
    return tmp_path


@pytest.mark.parametrize("way", ["path", "sh in its folder", "relative", "link", "on PATH"])
def test_the_cleanup_is_found_however_it_is_called(service: Path, way: str) -> None:
    folder, script = service, [str(LIB / "clean.sh")]
    path = f"{service}/bin:{os.environ['PATH']}"
    if way == "sh in its folder":
        folder, script = LIB, ["sh", "clean.sh"]
    elif way == "relative":
        folder, script = LIB.parent, ["lib/clean.sh"]
    elif way == "link":
        (service / "link").symlink_to(LIB / "clean.sh")
        script = ["./link"]
    elif way == "on PATH":
        script, path = ["clean.sh"], f"{service}/bin:{LIB}:{os.environ['PATH']}"
    command = [*script, str(service / "cleanup.yaml")]
    done = subprocess.run(
        command, cwd=folder, env={"PATH": path, "BYTECODE": "kept"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "chmod -R u=rwX,go=rX /app",
        f"--tree /opt/sutra --python /opt/sutra/bin/python --manifest {service}/cleanup.yaml "
        "--report /out/usr/share/sutra/cleanup.json --bytecode kept",
        str(LIB / "sutra_cleanup/__init__.py"),
    ]


@pytest.mark.parametrize("words", [(), ("nothing.yaml",)])
def test_without_a_manifest_nothing_is_touched(service: Path, words: tuple[str, ...]) -> None:
    done = run("clean.sh", service, *words)
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        f'clean: not a manifest "{"".join(words)}"\n'
        "tip: clean.sh /mnt/packages/sutra-api/cleanup.yaml\n",
    )


def test_what_a_builder_of_another_architecture_installed_runs_by_its_own_python(
    service: Path,
) -> None:
    """/opt/sutra is then as a builder of that architecture makes it."""
    venv = service / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python3").symlink_to("/usr/local/bin/python3")
    by = "home = {0}\nexecutable = {0}/python3.13\ncommand = {0}/python3 -m venv /opt\n"
    (venv / "pyvenv.cfg").write_text(by.format("/usr/local/bin"))
    text = (LIB / "clean.sh").read_text().replace("/opt/sutra", str(venv))
    program(service, "clean.sh", text.partition("\n")[2])
    shutil.copy(LIB / "system-certificates.sh", service)
    done = run(str(service / "clean.sh"), service, "cleanup.yaml", SUTRA_CROSS="arm64")
    assert (done.returncode, done.stderr) == (0, "")
    assert os.readlink(venv / "bin/python3") == "/usr/bin/python3"
    assert (venv / "pyvenv.cfg").read_text() == by.format("/usr/bin")


LINKER = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER"


@pytest.mark.parametrize(
    ("installed", "knobs", "linker"),
    [
        (True, {}, "aarch64-linux-gnu-gcc"),
        (True, {LINKER: "my-linker"}, "my-linker"),
        (False, {}, ""),
    ],
)
def test_another_architecture_is_linked_by_its_own_linker(
    toolchain: Path, installed: bool, knobs: dict[str, str], linker: str
) -> None:
    cargo = toolchain / "bin/cargo"
    told = f'echo "${{{LINKER}:-}}" >{toolchain}/linker\n'
    cargo.write_text(cargo.read_text().replace("\n", f"\n{told}", 1))
    if installed:
        program(toolchain / "bin", "aarch64-linux-gnu-gcc", ":")
    done = run("cargo-binary.sh", toolchain, "server", "out", TARGETARCH="arm64", **knobs)
    assert (done.returncode, done.stderr) == (0, "")
    assert (toolchain / "linker").read_text() == f"{linker}\n"


# ---- another architecture --------------------------------------------------


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    """A machine of amd64 whose dpkg and apt-get only say what they were called with."""
    answers = '[ "$1" != --print-architecture ] || { echo amd64; exit; }'
    program(tmp_path / "bin", "dpkg", f'{answers}; echo "dpkg $*" >>{tmp_path}/calls')
    program(tmp_path / "bin", "apt-get", f'echo "apt-get $*" >>{tmp_path}/calls')
    (tmp_path / "etc/apt.conf.d").mkdir(parents=True)
    (tmp_path / "calls").touch()
    return tmp_path


def run_moved(script: str, apt: Path, *words: str, **knobs: str) -> None:
    """Run a script that writes below `apt` instead of /etc/apt and /var; it must succeed."""
    for name in ("cross.sh", "cross-tools.sh", "cross-python.sh", "apt.sh"):
        text = (LIB / name).read_text().replace("/etc/apt", f"{apt}/etc")
        text = text.replace("/var/", f"{apt}/var/")
        if name == "cross-python.sh":
            text = text.replace("/usr/", f"{apt}/usr/").replace("$root" + f"{apt}", "$root")
        program(apt, name, text.partition("\n")[2])
    done = run(str(apt / script), apt, *words, **knobs)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("architecture", "calls"),
    [
        (
            "arm64",
            [
                "dpkg --add-architecture arm64",
                "apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 install "
                "gcc-aarch64-linux-gnu libc6-dev-arm64-cross libstd-rust-dev:arm64",
            ],
        ),
        ("amd64", []),
    ],
)
def test_a_toolchain_for_another_architecture_is_installed(
    apt: Path, architecture: str, calls: list[str]
) -> None:
    run_moved("cross.sh", apt, architecture)
    lines = (apt / "calls").read_text().splitlines()
    assert [line for line in lines if not line.endswith((" update", " clean"))] == calls


def test_an_unknown_architecture_is_one_clear_line(apt: Path) -> None:
    done = run("cross.sh", apt, "riscv64")
    assert (done.returncode, done.stderr) == (
        1,
        'sutra: cross.sh: unknown architecture "riscv64"\ntip: amd64 or arm64\n',
    )


@pytest.mark.parametrize(
    ("words", "packages"),
    [
        (("arm64", "binutils"), "binutils-aarch64-linux-gnu"),
        (("arm64", "gcc"), "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"),
        (("amd64", "gcc"), ""),
    ],
)
def test_tools_of_another_architecture_have_the_plain_names(
    apt: Path, words: tuple[str, str], packages: str
) -> None:
    program(apt / "bin", "aarch64-linux-gnu-gcc", '[ "$1" = -dumpversion ] && echo 14 || echo "$@"')
    (apt / "own").mkdir()
    run_moved("cross-tools.sh", apt, *words, BIN=str(apt / "own"))
    assert installed(apt) == ([packages] if packages else [])
    links = {file.name: os.readlink(file) for file in (apt / "own").iterdir() if file.is_symlink()}
    assert links == {
        name: f"/usr/bin/aarch64-linux-gnu-{name}"
        for name in ("nm", "objcopy", "strip")
        if packages
    }
    gcc = apt / "own/gcc"
    assert gcc.exists() == packages.startswith("gcc")
    if gcc.exists():
        done = run(str(gcc), apt, "-c", "a b.c")
        assert done.stdout == "-B/usr/lib/gcc/aarch64-linux-gnu/14/ -c a b.c\n"


@pytest.mark.parametrize("script", ["cross.sh", "cross-tools.sh"])
def test_no_tool_is_known_for_an_architecture(apt: Path, script: str) -> None:
    done = run(script, apt, "riscv64", "gcc")
    assert (done.returncode, done.stderr) == (
        1,
        f'sutra: {script}: unknown architecture "riscv64"\ntip: amd64 or arm64\n',
    )


def test_a_python_of_another_architecture_is_beside_the_builders_own(apt: Path) -> None:
    """`/usr/bin/python3` loads libraries of that architecture, `python3` is quick."""
    usr = apt / "usr"
    for folder in ("bin", "local/bin", "lib/python3.13"):
        (usr / folder).mkdir(parents=True)
    (usr / "bin/python3.13").write_text("own")
    (usr / "lib/python3.13/sitecustomize.py").symlink_to("/etc/python3.13/sitecustomize.py")
    program(apt / "bin", "python3", "echo python3.13")
    unpacked = 'mkdir -p "$1/usr/bin"; echo "$2 of $TARGETARCH" >"$1/usr/bin/python3.13"'
    program(apt, "slice.sh", unpacked)
    shutil.copy(LIB / "cross_site.py", apt)
    run_moved("cross-python.sh", apt, SUTRA_CROSS="arm64")
    assert "dpkg --add-architecture arm64" in (apt / "calls").read_text()
    packages = ("libexpat1", "libpython3.13-stdlib", "libstdc++6", "zlib1g")
    assert installed(apt) == [" ".join(f"{name}:arm64" for name in packages)]
    assert (usr / "bin/python3.13").read_text() == "python3.13-minimal of arm64\n"
    assert (usr / "local/bin/python3.13").read_text() == "own"
    assert os.readlink(usr / "local/bin/python3") == "python3.13"
    hook = usr / "lib/python3.13/sitecustomize.py"
    assert not hook.is_symlink()
    assert hook.read_text() == (LIB / "cross_site.py").read_text()


def test_later_packages_of_such_a_builder_are_of_that_architecture(apt: Path) -> None:
    run_moved("apt.sh", apt, "install", "liba", "libb", SUTRA_CROSS="arm64")
    assert installed(apt) == ["liba:arm64 libb:arm64"]


def test_the_lock_holds_for_what_is_installed_whatever_is_built_for(apt: Path) -> None:
    """TARGETARCH is of what is downloaded; a builder's own packages are of its own."""
    (apt / "builders.lock").touch()
    seen = f'echo "$1 ${{TARGETARCH-none}} ${{SUTRA_CROSS-none}}" >>{apt}/held'
    program(apt, "packages-lock.sh", seen)
    lock = str(apt / "builders.lock")
    (apt / "etc/preferences.d").mkdir()
    (apt / "cache/apt/archives").mkdir(parents=True)
    (apt / "cache/apt/archives/a.deb").touch()
    program(apt / "bin", "find", 'shift 4; "$1" "$2" "$3"')
    for knobs in ({"TARGETARCH": "arm64"}, {"SUTRA_CROSS": "arm64"}):
        run_moved("apt.sh", apt, "install", "liba", BUILDERS_LOCK=lock, **knobs)
    verbs = ("applies", "pins", "hold")
    assert (apt / "held").read_text().splitlines() == [
        *(f"{verb} none none" for verb in verbs),
        *(f"{verb} none arm64" for verb in verbs),
    ]


@pytest.mark.parametrize(
    ("cross", "machine"), [("arm64", "aarch64"), ("amd64", "x86_64"), ("", ""), ("riscv64", "")]
)
def test_pip_chooses_for_the_architecture_of_the_service(
    tmp_path: Path, cross: str, machine: str
) -> None:
    shutil.copy(LIB / "cross_site.py", tmp_path / "sitecustomize.py")
    ask = (
        "import platform, sysconfig; from packaging import markers, tags; "
        "print(platform.machine(), sysconfig.get_platform(), "
        "markers.default_environment()['platform_machine'], "
        "next(tag.platform.endswith(platform.machine()) for tag in tags.sys_tags()))"
    )

    def answer(**knobs: str) -> str:
        command = [sys.executable, "-c", ask]
        return subprocess.run(
            command, env=knobs, capture_output=True, text=True, check=True
        ).stdout.strip()

    own = answer()
    wanted = f"{machine} linux-{machine} {machine} True" if machine else own
    assert answer(PYTHONPATH=str(tmp_path), SUTRA_CROSS=cross) == wanted


def installed(apt: Path) -> list[str]:
    """Return what apt-get was told to install, call by call."""
    calls = (apt / "calls").read_text().splitlines()
    return [line.partition(" install ")[2] for line in calls if " install " in line]


# ---- runtime-libs.sh -------------------------------------------------------

OWNERS = """libstdc++6-arm64-cross: /usr/aarch64-linux-gnu/lib/libstdc++.so.6
libstdc++6:amd64: /usr/lib/x86_64-linux-gnu/libstdc++.so.6
libstdc++6:arm64: /usr/lib/aarch64-linux-gnu/libstdc++.so.6
"""
PLAIN = "diversion by a from: /lib/libx.so\nlibx: /usr/lib/libx.so.1\n"


@pytest.mark.parametrize(
    ("cross", "owners", "package"),
    [
        ("", OWNERS, "libstdc++6:amd64"),
        ("arm64", OWNERS, "libstdc++6:arm64"),
        ("", PLAIN, "libx"),
        ("arm64", PLAIN, "libx"),
    ],
)
def test_a_library_is_of_the_architecture_of_the_service(
    tmp_path: Path, cross: str, owners: str, package: str
) -> None:
    done = copy_library(tmp_path, owners, cross)
    assert (tmp_path / "asked").read_text().splitlines() == [
        f"-L {package}",
        f"-s {package}",
        f"--control-show {package} md5sums",
    ]
    # a record has the plain name
    assert (done.returncode, done.stderr) == (0, "")
    records = {file.name for file in (tmp_path / "root/var/lib/dpkg/status.d").iterdir()}
    name = package.partition(":")[0]
    assert records == {name, f"{name}.md5sums"}


def test_a_library_that_no_package_has_is_one_line(tmp_path: Path) -> None:
    done = copy_library(tmp_path, "", "")
    assert (done.returncode, done.stderr) == (1, 'runtime-libs: no such library "libx.so.1"\n')


def copy_library(tmp_path: Path, owners: str, cross: str) -> subprocess.CompletedProcess[str]:
    """Run runtime-libs.sh where dpkg says `owners` of every library."""
    (tmp_path / "owners").write_text(owners)
    answer = f'[ "$1" != --print-architecture ] || {{ echo amd64; exit; }}; cat {tmp_path}/owners'
    program(tmp_path / "bin", "dpkg", answer)
    program(tmp_path / "bin", "dpkg-query", f'echo "$*" >>{tmp_path}/asked')
    # licences are not copied: the paths are those of this machine
    for name in ("cp", "readlink"):
        program(tmp_path / "bin", name, "")
    return run("runtime-libs.sh", tmp_path, "root", "libx.so.1", SUTRA_CROSS=cross)


ARM64 = 'APT::Architecture "arm64";\n#clear APT::Architectures;\nAPT::Architectures "arm64";\n'


@pytest.mark.parametrize(("verb", "seen"), [("download", ARM64), ("install", "")])
def test_packages_of_another_architecture_are_only_downloaded(
    apt: Path, verb: str, seen: str
) -> None:
    """The settings are there while apt-get runs, and gone afterwards."""
    settings = apt / "etc/apt.conf.d/99sutra-architecture"
    assert run_apt(apt, settings, verb) == seen
    assert not settings.exists()


def run_apt(apt: Path, settings: Path, verb: str) -> str:
    """Run apt.sh for arm64; return what a file of settings held while apt-get did as it asked."""
    script = f'case "$*" in *"{verb} libc6") cat {settings} >{apt}/seen 2>/dev/null || : ;; esac'
    program(apt / "bin", "apt-get", script)
    run_moved("apt.sh", apt, verb, "libc6", TARGETARCH="arm64")
    return (apt / "seen").read_text()


def test_a_layer_gets_no_descriptions_waits_for_no_disk_and_reads_lists_once(apt: Path) -> None:
    settings = apt / "etc/apt.conf.d/99sutra-builder"
    wanted = (
        'Acquire::Languages "none";\nDpkg::Options { "--force-unsafe-io"; };\n'
        'Acquire::GzipIndexes "false";\nDir::Cache::pkgcache "pkgcache.bin";\n'
        'Dir::Cache::srcpkgcache "srcpkgcache.bin";\n'
    )
    assert run_apt(apt, settings, "download") == wanted
    assert not settings.exists()


# ---- the storage's linker scripts ------------------------------------------

LINK = ROOT / "packages/sutra-storage/link"


@pytest.mark.parametrize(
    ("script", "kept"),
    [("no-unwind-tables.ld", ()), ("no-unwind-tables-arm64.ld", ("crt",))],
)
def test_unwind_tables_leave_a_program_but_for_those_of_cs_start_files(
    tmp_path: Path, script: str, kept: tuple[str, ...]
) -> None:
    """On arm64 these name their section, and do not link without it."""
    compiler = shutil.which("cc")
    assert compiler, "a C compiler is needed, see CONTRIBUTING.md"
    (tmp_path / "main.c").write_text("void _start(void) { for (;;) { } }\n")
    (tmp_path / "crt.c").write_text("int started(void) { return 1; }\n")
    words = ["-c", "-fasynchronous-unwind-tables", "main.c", "crt.c"]
    subprocess.run([compiler, *words], cwd=tmp_path, check=True)
    words = [
        "-nostdlib",
        "-static",
        "-Wl,--no-eh-frame-hdr",
        f"-Wl,-T,{LINK / script}",
        "-o",
        "out",
    ]
    subprocess.run([compiler, *words, "main.o", "crt.o"], cwd=tmp_path, check=True)
    sizes = {name: tables(tmp_path / name) for name in ("out", "main.o", "crt.o")}
    assert min(sizes["main.o"], sizes["crt.o"]) > 0
    assert sizes["out"] == sum(sizes[f"{name}.o"] for name in kept)


def tables(file: Path) -> int:
    """Return the bytes of a file's unwind tables."""
    with file.open("rb") as opened:
        section = ELFFile(opened).get_section_by_name(".eh_frame")
        return int(section.data_size) if section else 0


# ---- system-certificates.sh ------------------------------------------------


def test_certifi_names_the_certificates_of_the_system(tmp_path: Path) -> None:
    info = tmp_path / "certifi-2026.10.18.dist-info"
    for folder in (info, tmp_path / "certifi"):
        folder.mkdir()
    (tmp_path / "certifi/cacert.pem").write_text("a copy")
    record = "certifi/__init__.py,sha256=ab,3\ncertifi/cacert.pem,sha256=cd,6\n"
    (info / "RECORD").write_text(record)
    for _ in range(2):  # a layer that is built again
        subprocess.run([LIB / "system-certificates.sh", tmp_path], check=True)
    system = "/etc/ssl/certs/ca-certificates.crt"
    assert os.readlink(tmp_path / "certifi/cacert.pem") == system
    assert (info / "RECORD").read_text() == record.replace("sha256=cd,6", ",")


def test_without_certifi_nothing_happens(tmp_path: Path) -> None:
    done = run("system-certificates.sh", tmp_path, str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
