"""Secrets in other forms: packed, encoded, in UTF-16; and the bounds of the search."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import tarfile
import time
import zipfile
import zlib
from pathlib import Path

import pytest

from scripts.image import entry_cache, secret_formats, secret_packed, secret_scan
from scripts.image.secret_scan import Budget
from scripts.oci.compression import zstd
from tests.unit.image.secret_corpus import PEM, TOKENS

KEY, TOKEN = PEM.encode(), TOKENS["GitHub classic"].encode()


def zip_of(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def tar_of(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def ar_of(name: str, content: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(content):<10}`\n"
    return b"!<arch>\n" + header.encode() + content


def shown(row: bytes) -> bytes:
    """What a dump has beside the digits: a dot for what cannot be printed."""
    return bytes(byte if 32 <= byte < 127 else 46 for byte in row)


def in_lines(content: bytes) -> bytes:
    return base64.encodebytes(content)


FORMS = {
    "gzip": gzip.compress(KEY),
    "bzip2": bz2.compress(KEY),
    "xz": lzma.compress(KEY),
    "zstd": zstd.compress(KEY),
    "zip": zip_of("k.pem", KEY),
    "wheel": zip_of("pkg/k.pem", KEY),
    "tar": tar_of("k.pem", KEY),
    "tar.gz": gzip.compress(tar_of("k.pem", KEY)),
    "zip in tar.gz": gzip.compress(tar_of("a.zip", zip_of("k.pem", KEY))),
    "script with a zip": b"#!/usr/bin/env python3\n" + zip_of("__main__.py", KEY),
    "base64": b"key: " + base64.b64encode(KEY),
    "base64, one byte on": base64.b64encode(b"x" + KEY),
    "base64, two bytes on": base64.b64encode(b"xy" + KEY),
    "base64 in lines": in_lines(KEY),
    "base64 in a program's literal": b'"' + in_lines(KEY).replace(b"\n", b'\\n"\n"') + b'"',
    "base64 twice": base64.b64encode(base64.b64encode(KEY)),
    "base64 without padding, of URLs": base64.urlsafe_b64encode(KEY).rstrip(b"="),
    "gzip in base64": base64.b64encode(gzip.compress(KEY, mtime=0)),
    "hex": KEY.hex().encode(),
    "hex, in capitals": KEY.hex().upper().encode(),
    "UTF-16": KEY.decode().encode("utf-16"),
    "UTF-16, big end first": KEY.decode().encode("utf-16-be"),
    "UTF-16 in bytes": b"\1\2\3" * 999 + KEY.decode().encode("utf-16-le"),
    "URL": KEY.replace(b" ", b"%20").replace(b"\n", b"%0A").replace(b"+", b"%2B"),
    "JSON": KEY.replace(b"\n", b"\\n"),
    "JSON in JSON": KEY.replace(b"\n", b"\\\\n"),
    "Windows": KEY.replace(b"\n", b"\r\n"),
    "one line": KEY.replace(b"\n", b" "),
    "strings that are joined": b" +\n".join(b'"%b\\n"' % line for line in KEY.splitlines()),
    "strings side by side": b"\n".join(b"'%b\\n'" % line for line in KEY.splitlines()),
    "a list of strings": b",".join(b'"%b"' % line for line in KEY.splitlines()),
    "indented": b"\n    ".join(KEY.splitlines()),
    "commented": b"\n".join(b"# " + line for line in KEY.splitlines()),
    "quoted": b"\n".join(b"> " + line for line in KEY.splitlines()),
    "zlib": zlib.compress(KEY),
    "package of Debian's": ar_of("data.tar.xz", lzma.compress(tar_of("k.pem", KEY))),
    "base32": base64.b32encode(KEY),
    "UTF-32": KEY.decode().encode("utf-32"),
    "UTF-32, big end first": KEY.decode().encode("utf-32-be"),
    "bytes in hex": b"[]byte{" + b", ".join(b"0x%02x" % byte for byte in KEY) + b"}",
    "bytes in hex, in capitals": b"{" + b",".join(b"0x%02X" % byte for byte in KEY) + b"}",
    "bytes as numbers": b"{" + b", ".join(b"%d" % byte for byte in KEY) + b"}",
    "bytes as numbers, close": b"[" + b",".join(b"%d" % byte for byte in KEY) + b"]",
    "hex with colons": KEY.hex(":").encode(),
    "escapes in hex": b'"' + b"".join(b"\\x%02x" % byte for byte in KEY) + b'"',
    "escapes in octal": b'"' + b"".join(b"\\%03o" % byte for byte in KEY) + b'"',
    "escapes in Unicode": b'"' + b"".join(b"\\u%04x" % byte for byte in KEY) + b'"',
    "escapes of Rust": b'"' + b"".join(b"\\u{%02x}" % byte for byte in KEY) + b'"',
    "entities": b"".join(b"&#%d;" % byte for byte in KEY),
    "entities in hex": b"".join(b"&#x%02x;" % byte for byte in KEY),
    "xxd -i": b",\n".join(
        b"  " + b", ".join(b"0x%02x" % byte for byte in KEY[at : at + 12])
        for at in range(0, len(KEY), 12)
    ),
    "xxd": b"\n".join(
        b"%08x: %-39s  %s" % (at, KEY[at : at + 16].hex(" ", 2).encode(), shown(KEY[at : at + 16]))
        for at in range(0, len(KEY), 16)
    ),
    "hexdump -C": b"\n".join(
        b"%08x  %-48s  |%s|" % (at, KEY[at : at + 16].hex(" ").encode(), shown(KEY[at : at + 16]))
        for at in range(0, len(KEY), 16)
    ),
}


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_a_key_is_found_in_every_form(content: bytes) -> None:
    assert secret_scan.find("app/x", content) == ("private key",)


def test_a_token_is_found_in_archives_by_its_place_and_by_its_form() -> None:
    assert secret_scan.find("app/x.whl", zip_of("pkg/a.txt", TOKEN)) == ("access token",)
    assert secret_scan.find("app/x.zip", zip_of("root/.netrc", b"machine x")) == (
        "credentials file",
    )
    assert secret_scan.find("app/.env.gz", gzip.compress(b"A=b")) == ("environment file",)
    assert secret_scan.find("app/x.yaml", b"t: " + base64.b64encode(TOKEN)) == ("access token",)
    assert secret_scan.find("app/x.txt", TOKEN.decode().encode("utf-16")) == ("access token",)


@pytest.mark.parametrize(
    "content",
    [
        zip_of("a.txt", b"nothing"),
        zip_of("k.pem", KEY)[:-30],
        b"PK\x03\x04" + b"\xff" * 100,
        b"\x1f\x8b\x08" + b"\xff" * 100,
        b"BZh" + b"\0" * 100,
        b"\xfd7zXZ\0" + b"\0" * 100,
        b"\x28\xb5\x2f\xfd" + b"\0" * 100,
        b"\0" * 257 + b"ustar" + b"\xff" * 500,
        base64.b64encode(b"-----BEGIN nothing"),
        b"2d2d2d2d2d424547494e" + b"zz",
    ],
)
def test_damaged_or_harmless_files_are_neither_findings_nor_errors(content: bytes) -> None:
    assert secret_scan.find("app/x", content) == ()


def test_an_archive_is_opened_as_deep_as_promised_and_no_deeper() -> None:
    content = KEY
    for _ in range(secret_packed.MAX_DEPTH):
        content = gzip.compress(content)
    assert secret_scan.find("app/x", content) == ("private key",)
    assert secret_scan.find("app/x", gzip.compress(content)) == ()


def test_a_layer_is_unpacked_as_far_as_its_budget_goes() -> None:
    bomb = gzip.compress(b"\0" * (1 << 20))
    budget = Budget(bytes=(1 << 20) + len(KEY))
    assert secret_scan.find("app/x", bomb, budget) == ()
    assert budget.bytes == len(KEY)
    assert secret_scan.find("app/x", gzip.compress(KEY), budget) == ("private key",)
    assert budget.bytes == 0
    assert secret_scan.find("app/x", gzip.compress(KEY), budget) == ()


def test_a_wheel_of_a_package_is_as_what_it_installs() -> None:
    setting, key = zip_of("pkg/a.ini", b"password = hunter2\n"), zip_of("pkg/a.txt", TOKEN)
    place = "usr/lib/python3/ensurepip/_bundled"
    for path in (f"{place}/pip.whl", "opt/sutra/lib/python3.13/site-packages/pip.whl"):
        assert secret_scan.find(path, setting) == ()
        assert secret_scan.find(path, key) == ("access token",)
        watch = secret_scan.Watch(io.BytesIO(setting[40:]), setting[:40], path, Budget())
        while watch.read(64):
            pass
        assert watch.kinds(()) == ()
    for path in ("app/pip.whl", f"{place}/pip.zip", "usr/share/java/app.jar"):
        assert secret_scan.find(path, setting) == ('value of "password"',)
    nested = zip_of("a.zip", setting)
    assert secret_scan.find(f"{place}/pip.whl", nested) == ()


PASSWORD = b"password = hunter2\n"


@pytest.mark.parametrize("folder", ["lib", "lib64", "bin", "sbin", "sys"])
def test_a_folder_of_an_archive_is_not_the_systems(folder: str) -> None:
    """A program that is packed with its own `lib` is no package of the distribution."""
    name, kinds = f"{folder}/a.ini", ('value of "password"',)
    assert secret_scan.find("app/a.zip", zip_of(name, PASSWORD)) == kinds
    assert secret_scan.find("app/a.tar.gz", gzip.compress(tar_of(name, PASSWORD))) == kinds
    assert secret_scan.find("app/b.zip", zip_of("a.zip", zip_of(name, PASSWORD))) == kinds
    assert secret_scan.find(name, PASSWORD) == ()
    assert secret_scan.find(f"{name}.gz", gzip.compress(PASSWORD)) == ()


@pytest.mark.parametrize("name", ["usr/share/a.ini", "usr/lib/a.ini", "etc/ssl/a.cnf"])
def test_a_root_file_system_in_an_archive_is_a_distributions(name: str) -> None:
    assert secret_scan.find("app/root.tar", tar_of(name, PASSWORD)) == ()


def test_members_are_counted_for_a_layer() -> None:
    budget = Budget(members=2)
    archive = zip_of("k.pem", KEY)
    kinds = [secret_scan.find("app/x", archive, budget) for _ in range(3)]
    assert kinds == [("private key",), ("private key",), ()]


def test_a_bomb_gives_no_more_than_one_member_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_packed, "MAX_MEMBER", 1 << 16)
    budget = Budget()
    secret_scan.find("app/x", gzip.compress(b"\0" * (1 << 22)), budget)
    secret_scan.find("app/x", bz2.compress(b"\0" * (1 << 22)), budget)
    secret_scan.find("app/x", lzma.compress(b"\0" * (1 << 22)), budget)
    secret_scan.find("app/x", zip_of("a", b"\0" * (1 << 22)), budget)
    secret_scan.find("app/x", tar_of("a", b"\0" * (1 << 18)), budget)
    assert Budget().bytes - budget.bytes == 5 << 16


def test_a_token_is_found_wherever_blocks_end() -> None:
    for at in (4096 - len(TOKEN) - 1, 4096 - 10, 4096, 3 * 4096 - 20):
        whole = b"\0" * at + TOKEN + b"\0" * 5000
        watch = secret_scan.Watch(io.BytesIO(whole[4096:]), whole[:4096])
        while watch.read(4096):
            pass
        kinds = secret_scan.find("app/x", whole[:4096])
        assert watch.kinds(kinds) == ("access token",)


def test_an_archive_longer_than_its_head_is_unpacked_whole() -> None:
    noise = b"".join(bytes([at % 251, at % 241]) for at in range(50_000))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.bin", noise)
        archive.writestr("k.pem.gz", gzip.compress(KEY))
    whole = out.getvalue()
    watch = secret_scan.Watch(io.BytesIO(whole[4096:]), whole[:4096], "app/x.zip", Budget())
    while watch.read(4096):
        pass
    assert watch.kinds(secret_scan.find("app/x.zip", whole[:4096])) == ("private key",)


def test_texts_of_ours_are_read_as_far_as_the_layers_budget_goes() -> None:
    budget = Budget(text=30)
    line = b"db_password = hunter2hunter2hunter2\n"
    assert secret_scan.find("app/x.ini", line, budget) == ('value of "db_password"',)
    assert secret_scan.find("app/x.ini", line, budget) == ()


def test_a_token_among_more_beginnings_than_are_looked_at_one_by_one_is_found() -> None:
    decoys = b"ghp_" * (secret_formats.FEW + 1)
    assert secret_scan.find("app/x", b"\0" + decoys) == ()
    assert secret_scan.find("app/x", b"\0" + decoys + b"\n" + TOKEN) == ("access token",)


@pytest.mark.parametrize("text", ["<!--", "<!-- -", "curl -u ", "a-", "password=", "a://u:"])
def test_settings_written_to_be_slow_take_a_time_that_grows_with_their_length(text: str) -> None:
    """A quadratic search of this megabyte would take minutes."""
    started = time.process_time()
    secret_scan.find("app/x.ini", (text * (8000 // len(text)) + "\n").encode() * 131)
    assert time.process_time() - started < 30


def test_comments_in_xml_are_not_settings_but_the_text_around_them_is() -> None:
    comment = b"<!--\n<password>hunter2</password>\n-->"
    assert secret_scan.find("app/x.xml", b"<a>\n" + comment + b"\n</a>") == ()
    after = comment + b"\n<password>hunter2</password>\n<!-- open"
    assert secret_scan.find("app/x.xml", after) == ('value of "password"',)


def test_a_change_of_any_module_or_data_voids_what_was_found() -> None:
    folder = Path(secret_scan.__file__).parent
    files = {f"image/{path.name}" for path in folder.glob("secret_*.*")}
    assert len(files) >= 10
    assert files <= set(entry_cache._FINDERS)


def test_every_format_names_its_source() -> None:
    for form in secret_formats.formats():
        assert form.source.startswith("https://"), form.name
    names = [form.name for form in secret_formats.formats()]
    assert len(set(names)) == len(names)


def test_every_format_is_a_pattern() -> None:
    """They are compiled when they are met, so that a wrong one would be no error until then."""
    for form in secret_formats.formats():
        assert form.strict.groups >= 0
        assert form.loose.groups >= 0
        assert form.back is None or form.back.groups >= 0


@pytest.mark.parametrize(("before", "is_taken"), [("\\w", True), ("\\w-", True), ("-", False)])
def test_a_format_without_a_start_begins_where_a_word_does(before: str, is_taken: bool) -> None:
    """What looks for all of these at once would miss others."""
    row = {"name": "x", "kind": "y", "starts": [], "rest": "a{9}", "before": before, "source": "z"}
    if is_taken:
        assert secret_formats._format(row).anywhere(b"k=aaaaaaaaa")
    else:
        with pytest.raises(ValueError, match="without a start it must begin with"):
            secret_formats._format(row)


def test_formats_without_a_start_are_looked_for_at_once_as_one_by_one() -> None:
    texts = [token.encode() for token in TOKENS.values()]
    without = [form for form in secret_formats.formats() if not form.starts]
    assert len(without) >= 8
    for text in (before + text for text in texts for before in (b"", b"k = '", b"x", b"-", b":")):
        alone = {form.kind for form in without if form.anywhere(text)}
        assert alone <= secret_formats.kinds_of_ours(text), text


TOKEN_FORMS = {
    "base64 in a program": ("app/x.py", b'k = "' + base64.b64encode(TOKEN) + b'"'),
    "hex in settings": ("app/x.yaml", b"k: " + TOKEN.hex().encode()),
    "literals side by side": ("app/x.py", b'k = "' + TOKEN[:20] + b'" "' + TOKEN[20:] + b'"'),
    "literals that are added": (
        "app/x.js",
        b"k = '" + TOKEN[:20] + b"' +\n  '" + TOKEN[20:] + b"'",
    ),
    "UTF-16 in a program": (
        "app/x.dll",
        b"MZ" + bytes(64) + TOKEN.decode().encode("utf-16-le") + bytes(9),
    ),
    "UTF-16 in ELF": (
        "app/x",
        b"\x7fELF" + bytes(61) + ("a" + TOKEN.decode()).encode("utf-16-le") + bytes(9),
    ),
    "a command of PowerShell": ("app/x.ps1", base64.b64encode(TOKEN.decode().encode("utf-16-le"))),
}


@pytest.mark.parametrize(("path", "content"), TOKEN_FORMS.values(), ids=list(TOKEN_FORMS))
def test_a_token_is_found_in_other_forms(path: str, content: bytes) -> None:
    assert secret_scan.find(path, content) == ("access token",)


def test_settings_in_utf16_are_read() -> None:
    text = "DB_PASSWORD=hunter2\n"
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"):
        secrets = secret_scan.find("app/x.ini", text.encode(encoding))
        assert secrets == ('value of "DB_PASSWORD"',), encoding


def test_a_damaged_ar_archive_ends() -> None:
    whole = ar_of("k", KEY)
    for content in (
        whole[:50],
        whole[:-99],
        whole.replace(b"0 ", b"-9", 1),
        b"!<arch>\n" + b"x" * 99,
    ):
        secret_scan.find("app/x.a", content)
    assert secret_scan.find("app/x.a", b"!<arch>\n" + b"x" * 99) == ()
