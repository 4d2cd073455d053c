"""Names that no service can have: a language, a format or the checkout's own parts have them.

They are reserved in every language, as a service may be rewritten in another one.
"""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.services import sample, service_parts, shared_files
from scripts.services.words import Words, line_of

# keywords, crates of the toolchain, primitive types, and folders in which cargo builds
RUST = {
    "abstract", "alloc", "as", "become", "box", "const", "core", "crate", "do", "dyn", "enum",
    "extern", "final", "fn", "gen", "impl", "let", "loop", "macro", "match", "mod", "move", "mut",
    "override", "priv", "proc-macro", "pub", "ref", "self", "static", "std", "struct", "super",
    "trait", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where",
    "bool", "char", "f16", "f32", "f64", "f128", "i8", "i16", "i32", "i64", "i128", "isize",
    "never", "str", "u8", "u16", "u32", "u64", "u128", "usize",
    "deps", "examples", "incremental",
}  # fmt: skip # a list of words
# packages of one word, as `go list std` prints them: a module of that name is ambiguous
GO = {
    "all", "arena", "bufio", "builtin", "bytes", "cgo", "cmp", "context", "crypto", "embed",
    "encoding", "errors", "expvar", "flag", "fmt", "hash", "html", "image", "io", "iter", "log",
    "maps", "math", "mime", "net", "os", "path", "plugin", "reflect", "regexp", "runtime", "simd",
    "slices", "sort", "strconv", "strings", "structs", "sync", "syscall", "testing", "time",
    "unicode", "unique", "weak",
}  # fmt: skip # a list of words
# words that readers of YAML 1.1, such as kubectl's, take for a truth value or for nothing
YAML = {"false", "n", "no", "null", "off", "on", "true", "y", "yes"}
# names of folders and images that a service's files are made of
OURS = {"app", "build", "go", "internal", "main", "src", "target", "tests", "vendor"}
# bake's own targets: of a development image, of tests, of what is built upon
TARGETS = re.compile(r".*-(dev|test|builder|runtime)|sutra-base-.*")
NAMED = re.compile(r'^(?:target|group) "([^"]+)"', re.MULTILINE)
OWNERS = {"Rust": RUST, "Go": GO, "YAML": YAML}
OBJECT = re.compile(r"^  name: (\S+)$", re.MULTILINE)
# folders of Python modules that a build has on its path beside the service's own
MODULES = ("base-images/lib/*/", f"{service_parts.PACKAGES}/*/src/*/")


def owner(name: str) -> str:
    """Return which part of the checkout that is no service has the name, "" where none has."""
    if name in NAMED.findall(shared_files.read(shared_files.BAKE)):
        return f"a target of {shared_files.BAKE} is called so"
    for service in service_parts.listed():
        if service.folder == name != service.name:
            return f'the folder of "{service.name}" is called so'
    return next((file for own_name, file in _in_kubernetes() if own_name == name), "")


def _in_kubernetes() -> Iterator[tuple[str, str]]:
    """Yield the names of files and objects that are no service's own, and who has each."""
    for form in shared_files.OWN_FILES:
        for file in sorted(Path(".").glob(form.format("*"))):
            names = OBJECT.findall(shared_files.read(str(file)))
            if file.stem not in names:
                yield file.stem, f"{file} is no service's"
                yield from ((name, f"an object of {file} is called so") for name in names)


def reason(words: Words) -> str:
    """Return for what a name is reserved, "" where it is free."""
    name, module = words.name, words.module
    if part := owner(name):
        return part
    if TARGETS.fullmatch(name):
        return f"a target of {shared_files.BAKE} is called so"
    for form in MODULES:
        for folder in Path(".").glob(form):
            if folder.name == module and any(folder.glob("*.py")):
                return f"{folder} is called so"
    if keyword.iskeyword(module) or module in sys.stdlib_module_names:
        return "Python's own"
    for language, names in OWNERS.items():
        if name in names:
            return f"{language}'s own"
    if name in OURS:
        return "a folder of a package is called so"
    for file in sample.files(sample.FOLDER):
        if line := line_of(shared_files.read(str(file)), words):
            return f"{file}:{line} uses it"
    return ""
