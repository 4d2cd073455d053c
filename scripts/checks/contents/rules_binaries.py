"""Programs and libraries: of the image's architecture, stripped, and able to load."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.checks.contents.dynamic_loader import Loader
from scripts.checks.contents.rule import Finding, Rule, Subject, quoted

# what the OCI image configuration calls an architecture → what ELF headers say
MACHINES = {
    "amd64": "x86_64", "arm64": "aarch64", "386": "i386", "arm": "arm",
    "ppc64le": "ppc64", "riscv64": "riscv", "s390x": "s390",
}  # fmt: skip
# objects that no loader sees: relocatable ones, and memory images
NOT_LOADED = ("REL", "CORE")


def architecture(subject: Subject) -> Iterator[Finding]:
    """Find ELF files of another machine, and damaged ones."""
    wanted = MACHINES.get(subject.image.architecture, subject.image.architecture)
    for entry in subject.contents():
        if entry.elf and entry.elf.machine != wanted:
            what = f"of {entry.elf.machine}" if entry.elf.machine else "damaged ELF file"
            yield Finding(entry.path, f"{what} {quoted(entry.path)}")


def stripped(subject: Subject) -> Iterator[Finding]:
    """Find ELF files with a symbol table or debugging sections."""
    for entry in subject.contents():
        if entry.elf and not entry.elf.stripped:
            yield Finding(entry.path, f"not stripped {quoted(entry.path)}")


def libraries(subject: Subject) -> Iterator[Finding]:
    """Find interpreters and libraries that a program needs and the image does not have."""
    loader = Loader(subject.image, subject.environment.get("LD_LIBRARY_PATH", ""))
    objects = {
        entry.path: entry.elf
        for entry in subject.contents()
        if entry.elf and entry.elf.kind not in NOT_LOADED and entry.kind == "file"
    }
    for path, elf in objects.items():
        found = loader.find(elf.interpreter) if elf.interpreter else None
        if elf.interpreter and not (found and found.elf and found.elf.machine == elf.machine):
            named = quoted(elf.interpreter)
            yield Finding(path, f"interpreter not found {named}, of {quoted(path)}")
    for missing in loader.closure(objects):
        text = f"library not found {quoted(missing.library)}, needed by {quoted(missing.path)}"
        yield Finding(missing.path, text)


RULES = (
    Rule("architecture", "every ELF file is of the image's architecture", architecture),
    Rule("stripped", "no ELF file has a symbol table or debugging sections", stripped),
    Rule(
        "libraries",
        "the interpreter and every needed library of every ELF file are in the image, where its "
        "loader finds them",
        libraries,
    ),
)
