"""What a service has in the files that all services share: where it is, where a new one goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import SutraError
from scripts.services.words import Words

BAKE, IMAGES, COMPOSE = "docker-bake.hcl", "images.yaml", "docker-compose.yml"
DEPLOYMENT, README = "docs/deployment.md", "README.md"
KUSTOMIZATION = "deploy/kubernetes/base/kustomization.yaml"
# files of one service outside of its folder
OWN_FILES = ("deploy/kubernetes/base/{}.yaml",)
Span = tuple[int, int]


@dataclass(frozen=True)
class Listed:
    """A line of the bake file's list."""

    name: str
    language: str
    folder: str


@dataclass(frozen=True)
class SharedFile:
    """One file: a service's part of it, and after which text a new one's part goes.

    `what` names the part for people. The last match of `after` counts.
    """

    name: str
    what: str
    find: Callable[[str, Words], Iterator[Span]]
    after: tuple[str, ...]


# a line of the list, whose keys are in any order, and one of its keys
LISTED = re.compile(
    r"^[ \t]*\{(?=[^{}\n]*\bname[ \t]*=)(?=[^{}\n]*\blanguage[ \t]*=)(?=[^{}\n]*\bfolder[ \t]*=)"
    r"([^{}\n]*)\},?[ \t]*(?:(?:#|//).*)?\r?\n",
    re.MULTILINE,
)
KEY = re.compile(r'(\w+)[ \t]*=[ \t]*"([^"\n]*)"')
# a row of docs/deployment.md: a compose service and its image
ROW = re.compile(r"^\| `([a-z][a-z0-9-]*)` \| `([a-z][a-z0-9-]*)` \|", re.MULTILINE)


def listed(text: str) -> list[Listed]:
    """Return the services of the bake file's list."""
    return [service for service, _ in _listed(text)]


def _listed(text: str) -> Iterator[tuple[Listed, Span]]:
    """Yield each service of the list with its line's span."""
    for match in LISTED.finditer(text):
        keys = dict(KEY.findall(match[1]))
        if keys.keys() == {"name", "language", "folder"}:  # its values may be no text
            yield Listed(**keys), match.span()


def _line(text: str, words: Words) -> Iterator[Span]:
    for service, span in _listed(text):
        if service.name == words.name:
            yield span


def _entry(text: str, words: Words) -> Iterator[Span]:
    """Yield the image's key with all that is indented below it."""
    yield from _spans(rf"^  {re.escape(words.name)}:.*\n(?:\n*   .*\n)*", text)


def _block(text: str, words: Words) -> Iterator[Span]:
    """Yield the compose service that runs the image, with the empty line before it."""
    for start, end in _spans(r"^\n?  [\w-]+:\n(?:\n*    .*\n)+", text):
        if re.search(rf"^    image: \S*\}}{re.escape(words.name)}:", text[start:end], re.MULTILINE):
            yield start, end


def _rows(text: str, words: Words) -> Iterator[Span]:
    """Yield the rows of the service and of its knobs, but for those that others share.

    SUTRA_API_V_PORT is a knob of `sutra-api-v` where there is such a service, not of `sutra-api`.
    """
    yield from _spans(rf"^\| `[\w-]+` \| `{re.escape(words.name)}` \|.*\n", text)
    names = {name for match in ROW.finditer(text) for name in match.groups()} - {words.name}
    variables = {Words(name).variable for name in names}
    others = tuple(
        f"| `{variable}_" for variable in variables if variable.startswith(words.variable)
    )
    knob = rf"`{words.variable}_[A-Z_]+`"
    for start, end in _spans(rf"^\| {knob}(?:, {knob})* \|.*\n", text):
        if not text.startswith(others, start):
            yield start, end


def _link(text: str, words: Words) -> Iterator[Span]:
    """Yield the link to the service's README."""
    yield from _spans(rf"^- \[{re.escape(words.name)}\]\(packages/.*\n", text)


def _resource(text: str, words: Words) -> Iterator[Span]:
    """Yield the line that makes the service a part of the Kubernetes stack."""
    yield from _spans(rf"^  - {re.escape(words.name)}\.yaml\n", text)


def _figures(text: str, words: Words) -> Iterator[Span]:
    """Yield the rows of the README's tables of sizes."""
    yield from _spans(rf"^\| {re.escape(words.name)} \|.*\n", text)


def _spans(expression: str, text: str) -> Iterator[Span]:
    for match in re.finditer(expression, text, re.MULTILINE):
        yield match.span()


def _readme(text: str, words: Words) -> Iterator[Span]:
    yield from _figures(text, words)
    yield from _link(text, words)


FILES = (
    SharedFile(BAKE, "line of SERVICES", _line, (LISTED.pattern,)),
    SharedFile(IMAGES, "budget", _entry, (r"^  .*\n\Z",)),
    SharedFile(COMPOSE, "service", _block, (r"^    .*\n(?=\nnetworks:\n)",)),
    SharedFile(
        DEPLOYMENT,
        "row",
        _rows,
        (r"^\| `[\w-]+` \| `[\w-]+` \|.*\n", r"^\| `SUTRA_\w+_PORT`.*\n"),
    ),
    SharedFile(KUSTOMIZATION, "resource", _resource, (r"^  - [\w-]+\.yaml\n",)),
    SharedFile(README, "link to its README", _link, (r"^- \[[\w-]+\]\(packages/.*\n",)),
)


def spans(file: SharedFile, text: str, words: Words) -> list[Span]:
    """Return the spans of a service in a file's text, the README's figures included."""
    find = _readme if file.name == README else file.find
    return sorted(find(text, words))


def without(file: SharedFile, text: str, words: Words) -> str:
    """Return the text without a service's part."""
    for start, end in reversed(spans(file, text, words)):
        text = text[:start] + text[end:]
    return text


def inserted(file: SharedFile, text: str, piece: str) -> str:
    """Return the text with a new service's part in its place. Raises SutraError without one.

    A piece for several places has a line "---" between them.
    """
    parts = piece.split("---\n")
    if len(parts) != len(file.after):
        raise SutraError(
            f"{file.name}: a new service has {len(file.after)} places, and a sample {len(parts)}",
            'a line "---" parts the pieces of a sample',
        )
    for after, part in zip(file.after, parts, strict=True):
        matches = list(re.finditer(after, text, re.MULTILINE))
        if not matches:
            raise SutraError(
                f"{file.name}: no place for a new service's {file.what}",
                f"`git log -p {file.name}` shows the form that is expected",
            )
        start, place = matches[-1].span()
        earlier = text[start:place]
        if file.name == BAKE and "}," not in earlier:  # HCL's last item may have no comma
            earlier = earlier.replace("}", "},", 1)
        text = text[:start] + earlier + part + text[place:]
    return text


def read(name: str) -> str:
    """Return a shared file's text, with its line ends as they are. Raises SutraError."""
    try:
        with Path(name).open(encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SutraError(f"{name}: cannot be read: {error}", f"`git checkout {name}`") from error
