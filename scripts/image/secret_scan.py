"""Secrets in the bytes of one file, or in one line of an image's configuration.

By what a file is called and by formats that their makers document; never by how
random a text looks, which finds hashes and misses passwords. A general scanner
such as detect-secrets reads text line by line: an image is mostly binaries.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import IO

from scripts.common.multi_search import any_of
from scripts.image.secret_names import is_secret

CERTIFICATE = "certificate "

# (kind, how it begins: one or several, what follows, which may look back)
_LOOKS = (
    # RFC 7468, RFC 4880 and OpenSSH; in JSON the line ends are escaped
    ("private key", b"-----BEGIN ",
     rb"(?:[A-Z0-9]{1,9} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr])++"
     rb"(?:[A-Za-z-]{1,40}: [^\n]{0,200}+\n)*+\s*+[A-Za-z0-9+/]{40}"),
    # AWS' own documentation uses …EXAMPLE
    ("cloud key", b"AKIA|ASIA", rb"(?<![A-Za-z0-9+/].{4})(?![A-Z2-7]{9}EXAMPLE)[A-Z2-7]{16}\b"),
    ("cloud key", b"secret_access_key|SECRET_ACCESS_KEY",
     rb"[\"']?\s{0,9}[=:]\s{0,9}[\"']?(?!\S{33}EXAMPLE)[\w/+]{40}(?![\w/+])"),
    ("cloud key", b"AIza", rb"(?<![\w-].{4})[\w-]{35}(?![\w-])"),
    ("cloud key", b"AccountKey=", rb"[A-Za-z0-9+/]{86}=="),
    ("access token", b"ghp_|gho_|ghu_|ghs_|ghr_", rb"(?<!\w.{4})[A-Za-z0-9]{36}"),
    ("access token", b"github_pat_", rb"\w{22}_\w{59}"),
    ("access token", b"glpat-", rb"(?<!\w.{6})[\w-]{20}"),
    ("access token", b"pypi-AgE", rb"[\w-]{50}"),
    ("access token", b"npm_", rb"(?<!\w.{4})[A-Za-z0-9]{36}\b"),
    ("access token", b"dckr_pat_", rb"[\w-]{27}"),
    ("access token", b"xoxb-|xoxp-|xoxa-", rb"\d{9,}-[\w-]{20}"),
    ("access token", b"sk_live_", rb"(?<!\w.{8})[0-9A-Za-z]{24}"),
)  # fmt: skip
# each begins with plain text, for which `re` has a quick search
_CONTENT: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (kind, re.compile(re.escape(start) + rest))
    for kind, starts, rest in _LOOKS
    for start in starts.split(b"|")
)
_PRIVATE_KEY = _CONTENT[0]
# All beginnings are searched for first, at once: in 150 MB of binaries that takes a
# hundredth of the time that one search for each pattern takes.
_any_start = any_of([start for _, starts, _ in _LOOKS for start in starts.split(b"|")])
_key_start = any_of([_LOOKS[0][1]])
# of the block before, kept beside the next one: longer than a key's headers in practice
OVERLAP = 1 << 13
# a variable, or several, stand for a password; a "$" alone is a part of one
_VARIABLES = r"(?!(?:\$\w+|\$\{[^}\s]*\})+@|\{)"
_PASSWORD = rf"[a-z]://[^/\s:@\"']*:{_VARIABLES}[^/\s:@\"']+@"
# an index takes a token for the user; these names stand for one that a keyring holds
_TOKEN = rf"https?://{_VARIABLES}(?!(?:__token__|oauth2accesstoken|VssSessionToken)@)[^/\s:@\"']+@"
# (kind, how its path ends, what then must be in it)
_NAMES: tuple[tuple[str, re.Pattern[str], re.Pattern[bytes]], ...] = tuple(
    (kind, re.compile(rf"(?:.*/)?(?:{name})", re.DOTALL), re.compile(content))
    for kind, name, content in (
        ("environment file", r"\.env(?!\.(?:example|sample|template|dist)$)(?:\.[^/]+)?",
         rb"(?m)^\s*(?:export\s+)?\w+\s*=\s*\S"),
        ("credentials file",
         r"[._]netrc|\.pypirc|\.git-credentials|\.pgpass|\.vault-token|\.htpasswd|\.s3cfg|\.boto"
         r"|\.aws/credentials|\.dockercfg|\.kube/config|\.cargo/credentials(?:\.toml)?"
         r"|application_default_credentials\.json|etc/apt/auth\.conf(?:\.d/[^/]+)?", rb"\S"),
        ("credentials file", r"\.docker/config\.json", rb'"(?:auth|identitytoken)"\s*:\s*"\S'),
        ("credentials file", r"\.?npmrc", rb"_(?:auth|authToken|password)\s*=\s*[^\s$]"),
        ("credentials in a URL",
         r"\.?pip\.(?:conf|ini)|pip/pip\.conf|uv\.toml|\.condarc|\.git/config"
         r"|\.cargo/config(?:\.toml)?|etc/apt/sources\.list(?:\.d/[^/]+)?|etc/apk/repositories",
         _PASSWORD.encode()),
        ("credentials in a URL", r"\.?pip\.(?:conf|ini)|pip/pip\.conf|uv\.toml|\.condarc",
         _TOKEN.encode()),
        ("key store", r"[^/]+\.(?:p12|pfx|jks|keystore|kdbx)|secring\.gpg"
         r"|private-keys-v1\.d/[^/]+\.key", rb"(?s)."),
        # RFC 5958 in DER: a sequence that begins with a version
        ("private key", r"[^/]+\.(?:key|der|pk8)",
         rb"(?s)\A0(?:\x82..|\x81.|[\x00-\x7f])\x02\x01[\x00\x01]"),
    )
)  # fmt: skip
_ANY_NAME = re.compile("|".join(name.pattern for _, name, _ in _NAMES), re.DOTALL)
# how a certificate begins that is longer than 255 bytes (X.690)
DER = b"\x30\x82"
# the body holds no "-": each search ends at the next one, so all of them are linear
_PEM = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]++)"
    rb"-----END (?:TRUSTED |X509 )?CERTIFICATE-----"
)
_URL = re.compile(rf"{_PASSWORD}|\b(?:PIP|UV)_\w*INDEX\w*=[\"']?{_TOKEN}")
# the value is only looked at: it may hold the next assignment, as in "A=b;TOKEN=c"
_ASSIGNED = re.compile(r"(?<![\w.-])(?P<name>\w++)=[\"']?(?=(?P<value>[^\s\"']{1,200}))")


def find(path: str, head: bytes) -> tuple[str, ...]:
    """Return the kinds of secret in a file: ("cloud key", "private key"), sorted.

    `path` has no leading slash, `head` is the file's beginning: what follows it is
    what Watch sees. Each X.509 certificate, no secret in itself, is named as
    "certificate <md5>", where the hash is that of its PEM text as Debian's
    ca-certificates ships it: so dpkg's own md5sums tell a private one from a public
    one.
    """
    kinds = set[str]()
    if _ANY_NAME.fullmatch(path):
        kinds.update(
            kind for kind, name, content in _NAMES if name.fullmatch(path) and content.search(head)
        )
    if head.startswith(DER) or _any_start(head):
        kinds.update(_in_content(head))
        kinds.update(CERTIFICATE + fingerprint(found) for found in certificates(head))
    return tuple(sorted(kinds))


def _in_content(head: bytes) -> Iterator[str]:
    return (kind for kind, pattern in _CONTENT if pattern.search(head))


class Watch:
    """A file that is read on, block by block, and searched for private keys meanwhile.

    `before` is what was read of it so far; OVERLAP bytes of that are searched again. One
    block more than the reader's is held in memory.
    """

    def __init__(self, file: IO[bytes], before: bytes) -> None:
        self._file, self._before = file, before[-OVERLAP:]
        self._found = False

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""
        block = self._file.read(size)
        if block and not self._found:
            window = self._before + block
            self._found = _key_start(window) and bool(_PRIVATE_KEY[1].search(window))
            self._before = window[-OVERLAP:]
        return block

    def kinds(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """Return the kinds of secret that are `known` and those found since, sorted."""
        return tuple(sorted({*known, _PRIVATE_KEY[0]})) if self._found else known


def certificates(head: bytes) -> Iterator[bytes]:
    """Yield each X.509 certificate, as DER, of PEM text or of a file that is one."""
    if head.startswith(DER) and len(head) == 4 + int.from_bytes(head[2:4], "big"):
        yield head
    if b"-----BEGIN" not in head:
        return
    for found in _PEM.finditer(head):
        try:
            decoded = base64.b64decode(b"".join(found[1].split()), validate=True)
        except binascii.Error:
            continue
        if decoded.startswith(DER):  # no certificate is under 256 bytes
            yield decoded


def fingerprint(certificate: bytes) -> str:
    """Return the MD5 of a certificate's PEM text; not for security, dpkg writes no other."""
    lines = base64.b64encode(certificate).decode()
    body = "\n".join(lines[start : start + 64] for start in range(0, len(lines), 64))
    text = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def find_text(text: str) -> tuple[str, ...]:
    """Return the kinds of secret in one line: `NAME=value`, a label, a step of the history.

    What scripts.image.secret_names takes for a path or a variable only says where a secret is.
    """
    kinds = set(_in_content(text.encode(errors="surrogateescape")))
    if _URL.search(text):
        kinds.add("credentials in a URL")
    kinds.update(
        f'value of "{found["name"]}"'
        for found in _ASSIGNED.finditer(text)
        if is_secret(found["name"], found["value"])
    )
    return tuple(sorted(kinds))
