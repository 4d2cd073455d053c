"""Secrets in the bytes of one file, or in one line of an image's configuration.

By formats that their makers document (secret_formats), by where a file is (secret_files) and by
what a value is called (secret_lines); never by how random a text looks, which finds hashes and
misses passwords. A general scanner such as detect-secrets reads text line by line: an image is
mostly binaries.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import IO

from scripts.common.multi_search import Searcher
from scripts.image import (
    secret_encoded,
    secret_files,
    secret_formats,
    secret_lines,
    secret_packed,
)
from scripts.image.certificates import DER
from scripts.image.certificates import certificates as certificates
from scripts.image.certificates import fingerprint as fingerprint
from scripts.image.secret_packed import Budget as Budget

CERTIFICATE = "certificate "
# which text, and where it begins
Positions = list[tuple[int, int]]
# bytes of the previous block that are kept: longer than a key's headers in practice
OVERLAP = 1 << 13
# text of a package that shows how it is used
_SHOWN = re.compile(r"(?:.*/)?[^/]+\.(?:dist-info/METADATA|egg-info/PKG-INFO|egg-info)", re.DOTALL)
# RFC 5958, 8017 and 5915 in DER, also encrypted, and PKCS #12: whole files whatever their name
_DER_KEY = re.compile(
    rb"(?s)0(?:\x82..|\x81.|[\x00-\x7f])\x02(?:\x01\x00(?:0[\x05-\x20]\x06|\x02\x82)"
    rb"|\x01\x01(?:\x04[\x10-\x7f]|0[\x05-\x20]\x06)|\x01\x030\x82..\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07)"
    rb"|(?s:0\x82..0.\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d)"
)


def find(path: str, head: bytes, budget: Budget | None = None) -> tuple[str, ...]:
    """Return the kinds of secret in a file: ("cloud key", "private key"), sorted.

    `path` has no leading slash, `head` is the file's beginning: what follows it is
    what Watch sees. Each X.509 certificate, no secret in itself, is named as
    "certificate <md5>", where the hash is that of its PEM text as Debian's
    ca-certificates ships it: so dpkg's own md5sums tell a private one from a public
    one. `budget` is what may be unpacked; the file's own if its layer has no budget.
    """
    searched = _searched(head)
    kinds = _kinds(path, head, budget or Budget(), 0, searched=searched)
    if head.startswith(DER) or any(which == _pem() for which, _ in searched[1]):
        kinds.update(CERTIFICATE + fingerprint(certificate) for certificate in certificates(head))
    return tuple(sorted(kinds))


@cache
def prepare() -> threading.Thread:
    """Begin to compile what is searched for in every file, in a thread beside Python's own."""
    thread = threading.Thread(target=_compile)
    thread.start()
    return thread


def finish_preparing() -> None:
    """Compile all that files are searched for, so that no process forked later does it again."""
    compiling = prepare()
    secret_files.prepare()
    secret_formats.prepare()
    secret_lines.prepare()
    compiling.join()


def _compile() -> None:
    with suppress(Exception):  # raised again where files are searched
        _searcher()


def _searched(data: bytes) -> tuple[bytes, Positions]:
    """Return what is searched of a file's bytes, and where something was found in it."""
    plain = secret_encoded.narrowed(data) if secret_encoded.is_wide(data) else data
    return plain, _searcher().positions(plain)


def _kinds(
    path: str,
    data: bytes,
    budget: Budget,
    depth: int,
    is_packaged: bool = False,
    searched: tuple[bytes, Positions] | None = None,
) -> set[str]:
    """Return the kinds of secret in a file, and in what it holds in other forms.

    `is_packaged`: it is of a wheel among a package's files. `searched` are its plain bytes, and
    where the searcher found something in them, if it was asked before.
    """
    plain, positions = searched or _searched(data)
    kinds = secret_files.by_place(path, plain)
    if _DER_KEY.match(data):
        kinds.add("private key")
    kinds |= _at(positions, path, plain, budget, depth, b"\0" in plain[:4096])
    if data.startswith(b"b0VIM"):  # Vim's swap file: the lines of the edited file, with NUL between
        path, plain = path.removesuffix(".swp").removesuffix(".swo"), plain.replace(b"\0", b"\n")
    which = "" if is_packaged else secret_files.own(path, plain)
    if which and budget.text > 0:
        budget.text -= min(len(plain), secret_lines.MAX_TEXT)
        kinds |= _in_own(which, plain, budget, bool(kinds))
    if depth < secret_packed.MAX_DEPTH:
        for name, content in secret_packed.members(path, data, budget):
            is_inner = is_packaged or secret_files.is_distribution(path)
            kinds |= _kinds(name, content, budget, depth + 1, is_inner)
    return kinds


def _in_bytes(path: str, data: bytes, budget: Budget, depth: int, in_program: bool) -> set[str]:
    """Return the kinds whose format is in `data`, as they are and decoded."""
    return _at(_searcher().positions(data), path, data, budget, depth, in_program)


def _at(
    positions: Positions, path: str, data: bytes, budget: Budget, depth: int, in_program: bool
) -> set[str]:
    """Return the kinds at the positions that the searcher gives."""
    if not positions:
        return set()
    first = len(secret_formats.searched())
    shown = "-info" in path and bool(_SHOWN.fullmatch(path))
    tokens = [position for position in positions if position[0] < first]
    kinds = secret_formats.kinds(data, tokens, in_program, shown)
    if depth < secret_packed.MAX_DEPTH and len(tokens) < len(positions):
        forms = [(which - first, at) for which, at in positions if which >= first]
        for content in secret_encoded.decoded(data, forms, budget):
            kinds |= _kinds("", content, budget, depth + 1)
    return kinds


@cache
def _pem() -> int:
    """Return which of the searched texts begins a block of PEM."""
    return secret_formats.searched().index((b"-----BEGIN ", False))


@cache
def _searcher() -> Searcher:
    """Return what finds all beginnings of tokens and of keys in other forms in one pass."""
    texts = [*secret_formats.searched(), *secret_encoded.searched()]
    return Searcher([text for text, _ in texts], [caseless for _, caseless in texts])


def _in_own(which: str, text: bytes, budget: Budget, is_known: bool) -> set[str]:
    """Return the kinds in a text of ours; of a kind that holds some by nature, formats alone."""
    head = text[: secret_lines.MAX_TEXT]
    kinds = secret_formats.kinds_of_ours(head)
    for content in secret_encoded.decoded_texts(head, budget):
        kinds |= _in_bytes("", content, budget, secret_packed.MAX_DEPTH, False)
    if which == secret_files.PROGRAM and (joined := secret_lines.joined(head)) != head:
        kinds |= _in_bytes("", joined, budget, secret_packed.MAX_DEPTH, False)
    return kinds if is_known or kinds else set(secret_files.in_text(which, head))


def _in_content(head: bytes) -> Iterator[str]:
    return secret_formats.kinds_slowly(head)


class Watch:
    """A file that is read on, block by block, and searched for secrets meanwhile.

    `before` is what was read of it so far; OVERLAP bytes of that are searched again. One
    block more than the reader's is held in memory, of an archive up to MAX_PACKED.
    """

    def __init__(
        self, file: IO[bytes], before: bytes, path: str = "", budget: Budget | None = None
    ) -> None:
        self._file, self._head, self._path = file, before, path
        self._budget = budget or Budget()
        self._before = b""
        self._wide = self._in_program = False
        self._kinds: set[str] = set()
        self._packed: list[bytes] = []
        self._held = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""
        block = self._file.read(size)
        if block:
            self._begin()
            window = self._before + block
            plain = window.replace(b"\0", b"") if self._wide else window
            self._kinds |= _in_bytes(self._path, plain, self._budget, 0, self._in_program)
            self._before = window[-OVERLAP:]
            self._hold(block)
        return block

    def _begin(self) -> None:
        """Learn from the head what the file is, when anything follows it: most are read by then."""
        if self._held:
            return
        head = self._head
        self._before, self._held = head[-OVERLAP:], max(1, len(head))
        self._wide = secret_encoded.is_wide(head)
        self._in_program = not self._wide and b"\0" in head[:4096]
        self._packed = [head] if secret_packed.is_packed(head) else []

    def kinds(self, head_kinds: tuple[str, ...]) -> tuple[str, ...]:
        """Return the kinds of secret of the head and those found since, sorted."""
        if len(self._packed) > 1:  # the head alone was unpacked with it
            data = b"".join(self._packed)
            for name, content in secret_packed.members(self._path, data, self._budget):
                is_packaged = secret_files.is_distribution(self._path)
                self._kinds |= _kinds(name, content, self._budget, 1, is_packaged)
            self._packed = []
        return tuple(sorted({*head_kinds, *self._kinds}))

    def _hold(self, block: bytes) -> None:
        """Keep what an archive's parts are read from, unless it is too long."""
        self._held += len(block)
        if self._packed:
            self._packed = [] if self._held > secret_packed.MAX_PACKED else [*self._packed, block]


def find_text(text: str) -> tuple[str, ...]:
    """Return the kinds of secret in one line: `NAME=value`, a label, a step of the history.

    What scripts.image.secret_names takes for a path or a variable only says where a secret is.
    """
    content, budget = text.encode(errors="surrogateescape"), Budget()
    kinds = secret_formats.kinds_of_ours(content) | _in_bytes("", content, budget, 0, False)
    for plain in secret_encoded.decoded_texts(content, budget):
        kinds |= _in_bytes("", plain, budget, secret_packed.MAX_DEPTH, False)
    return tuple(sorted(kinds | set(secret_lines.find_text(text[: secret_lines.MAX_TEXT]))))
