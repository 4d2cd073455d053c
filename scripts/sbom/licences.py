"""What an image's records say of a component's licence, and why where they say nothing.

A licence is an SPDX expression, or else the names that its record has; it is never told from
a text, nor a name of Debian translated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from scripts.common.text import printable
from scripts.image.copyright_file import MAX_NAMES
from scripts.image.inventory import Inventory

# characters of a name; what is longer is a text
LONGEST = 120
NO_FILE, FREE_TEXT = "no copyright file", "copyright file of free text"
NO_FIELD, NO_METADATA = "apk's record names none", "METADATA names none"
NO_LIST, NO_BUILD_INFO = "in no list of crates", "a Go program's record has none"
NO_LICENCE, NO_RECORD = "package.json names none", "no record"
_LICENCES = "usr/share/licenses"
# the list that base-images/lib/crate-licences.sh puts beside a program, by `cargo tree`
_LIST = re.compile(rf"{_LICENCES}/[^/]+/crates")
_CRATE = re.compile(
    r"(?P<name>\S+) v(?P<version>\S+)(?: \((?:proc-macro|[a-z+]+://[^)]*)\))*"
    r" (?P<licence>\S.*?)(?: \(\*\))?"
)


@dataclass(frozen=True)
class Recorded:
    """A licence: an SPDX expression, or names that each cover a part, or `why` it is unknown."""

    expression: str = ""
    names: tuple[str, ...] = ()
    why: str = ""


def expression(text: str) -> str:
    """Return an SPDX expression in its canonical form, "" for any other text."""
    try:
        return str(canonicalize_license_expression(text)) if len(text) < 500 else ""
    except InvalidLicenseExpression:
        return ""


def of_text(text: str, why: str) -> Recorded:
    """Return what one field says; a licence's whole text names none."""
    text = text.strip()
    if licence := expression(text):
        return Recorded(licence)
    is_name = 0 < len(text) <= LONGEST and text.isprintable() and text.upper() != "UNKNOWN"
    return Recorded(names=(text,)) if is_name else Recorded(why=why)


def of_names(names: Sequence[str], why: str) -> Recorded:
    """Return what a field that may name several says; each covers a part of the package."""
    if len(names) == 1:
        return of_text(names[0], why)
    recorded = (of_text(name, why) for name in names)
    plain = sorted(
        {
            licence
            for record in recorded
            for licence in (record.expression, *record.names)
            if licence
        }
    )
    return Recorded(names=tuple(plain[:MAX_NAMES])) if plain else Recorded(why=why)


def of_debian(image: Inventory, package: str) -> Recorded:
    """Return what the copyright file of a package names: that of its whole source package."""
    file = image.resolve(f"usr/share/doc/{package}/copyright")
    if file is None or file.kind not in ("file", "hardlink"):
        return Recorded(why=NO_FILE)
    return Recorded(names=file.licences) if file.licences else Recorded(why=FREE_TEXT)


def of_distribution(fields: Message) -> Recorded:
    """Return what METADATA says: its expression, its field of old, else its classifiers."""
    for field in ("License-Expression", "License"):
        recorded = of_text(str(fields.get(field) or ""), NO_METADATA)
        if not recorded.why:
            return recorded
    parts = (str(classifier).split(" :: ") for classifier in fields.get_all("Classifier") or ())
    names = {words[-1].strip() for words in parts if words[0] == "License" and len(words) > 1}
    named = tuple(sorted(printable(name)[:LONGEST] for name in names - {"", "OSI Approved"}))
    return Recorded(names=named[:MAX_NAMES]) if named else Recorded(why=NO_METADATA)


def of_crates(image: Inventory) -> Mapping[tuple[str, str], Recorded]:
    """Return what the lists of crates in an image say, by name and version."""
    texts = (text for path, text in image.texts.items() if _LIST.fullmatch(path))
    return {
        crate: of_text(text, NO_LIST) for crate_list in texts for crate, text in _listed(crate_list)
    }


def _listed(text: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield crates and licences; "MIT/Apache-2.0", as Cargo once had it, means "or"."""
    for line in text.split("\n"):
        if match := _CRATE.fullmatch(line.strip()):
            licence = match["licence"]
            either = " OR ".join(map(str.strip, licence.split("/")))
            yield (match["name"], match["version"]), either if expression(either) else licence


def of_module(module: str, texts: Mapping[str, str]) -> Recorded:
    """Return why a module of a Go program has none, and where its text is."""
    place = texts.get(module)
    return Recorded(why=f"{NO_BUILD_INFO}; its text is in {place}" if place else NO_BUILD_INFO)


def texts_of_modules(image: Inventory) -> Mapping[str, str]:
    """Return where the texts of modules are, as base-images/lib/module-licences.sh puts them.

    Each name below a program's folder may be a module: "usr/share/licenses/greeter/a.org/b".
    """
    places: dict[str, str] = {}
    for path in image.files:
        if path.startswith(f"{_LICENCES}/"):
            program, *names = path.removeprefix(f"{_LICENCES}/").split("/")
            for end in range(1, len(names) + 1):
                module = "/".join(names[:end])
                places.setdefault(module, f"/{_LICENCES}/{program}/{module}")
    return places
