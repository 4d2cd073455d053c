"""Kinds of secret, by name and by content; no bytes make the search fail."""

from __future__ import annotations

import base64
import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.image import secret_scan

BODY = "MIIEowIBAAKCAQEA" * 8
DER = b"\x30\x82\x01\x00" + bytes(range(256))
# in two halves, so that no scanner takes this file for a leak
TOKENS = {
    "cloud key": [
        "AKIA" + "ABCDEFGH23456722",
        "ASIA" + "ABCDEFGH23456722",
        "aws_secret_" + "access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzzz",
        "AWS_SECRET_" + 'ACCESS_KEY="' + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzzz" + '"',
        "AIza" + "SyA-1234567890_abcdefghijklmnopqrst",
        "AccountKey=" + "a" * 86 + "==",
    ],
    "access token": [
        "ghp_" + "a1" * 18,
        "github_pat_" + "a" * 22 + "_" + "b" * 59,
        "glpat-" + "a" * 20,
        "pypi-" + "AgEIcHlwaS5vcmc" + "a" * 60,
        "npm_" + "a1" * 18,
        "dckr_pat_" + "a" * 27,
        "xoxb-" + "123456789012-" + "a" * 24,
        "sk_live_" + "a1" * 12,
    ],
    "private key": [
        f"-----BEGIN PRIVATE KEY-----\n{BODY}\n",
        f"-----BEGIN EC PRIVATE KEY-----\r\n{BODY}",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{BODY}",
        f'{{"private_key": "-----BEGIN PRIVATE KEY-----\\n{BODY}"}}',
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n"
        + BODY,
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n{BODY}",
    ],
}


@pytest.mark.parametrize(
    ("kind", "token"), [(kind, token) for kind, tokens in TOKENS.items() for token in tokens]
)
def test_a_secret_is_found_in_the_midst_of_other_bytes(kind: str, token: str) -> None:
    for before, after in ((b"", b""), (b"\0\xff", b"\0\xff"), (b'x = "', b'"\n')):
        assert secret_scan.find("app/x", before + token.encode() + after) == (kind,)


@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    token[:cut]
                    for tokens in TOKENS.values()
                    for token in tokens
                    for cut in (4, 12, 999)
                ),
                "A",
                "AK",
                "AKIASIA",
                "gh",
                "xox",
                " ",
                "\n",
                "=",
                '"',
                "----",
                "-----BEGIN ",
            ]
        ),
        max_size=6,
    ).map(lambda parts: "".join(parts).encode())
)
def test_the_quick_search_before_the_patterns_misses_nothing(content: bytes) -> None:
    assert set(secret_scan.find("app/x", content)) == set(secret_scan._in_content(content))


@pytest.mark.parametrize(
    "content",
    [
        "AKIAIOSFODNN7" + "EXAMPLE",
        "aAKIA" + "ABCDEFGH23456722",
        "AKIA" + "ABCDEFGH23456722abc",
        "secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "ZZZEXAMPLE",
        "highs_" + "a" * 40,
        "-----BEGIN PRIVATE KEY-----",
        'PEM = "-----BEGIN PRIVATE KEY-----\\n" + body',
        "-----BEGIN PUBLIC KEY-----\n" + BODY,
        "https://user:password@example.org/",
    ],
)
def test_what_only_looks_like_one_is_not(content: str) -> None:
    assert secret_scan.find("app/x", content.encode()) == ()


@pytest.mark.parametrize(
    ("kind", "path", "content"),
    [
        ("environment file", ".env", "A=b"),
        ("environment file", "app/.env.production", "# x\nexport A=b\n"),
        ("credentials file", "root/.netrc", "machine x"),
        ("credentials file", "root/.pypirc", "[pypi]"),
        ("credentials file", "root/.git-credentials", "https://x"),
        ("credentials file", "root/.aws/credentials", "[default]"),
        ("credentials file", "root/.docker/config.json", '{"auths": {"x": {"auth": "abc"}}}'),
        ("credentials file", "root/.npmrc", "//x/:_authToken=abc"),
        ("credentials file", "root/.cargo/credentials.toml", "[registry]"),
        ("credentials file", "etc/apt/auth.conf.d/x.conf", "machine x"),
        ("credentials in a URL", "root/.config/pip/pip.conf", "index-url = https://u:p@x/"),
        ("credentials in a URL", "etc/pip.conf", "index-url = https://:p@x/"),
        ("credentials in a URL", "etc/pip.conf", "index-url = https://abc@x/"),
        ("credentials in a URL", "etc/pip.conf", "index-url = https://u:a$b@x/"),
        ("credentials in a URL", "root/.config/uv/uv.toml", 'url = "https://abc@x/"'),
        ("credentials in a URL", "app/.git/config", "url = https://u:p@x/y"),
        ("credentials in a URL", "etc/apt/sources.list.d/x.list", "deb http://u:p@x/ a main"),
        ("key store", "app/x.p12", "x"),
        ("private key", "app/x.key", "0\x10\x02\x01\x00abc"),
    ],
)
def test_a_file_is_known_by_its_name(kind: str, path: str, content: str) -> None:
    assert secret_scan.find(path, content.encode()) == (kind,)
    assert secret_scan.find(path, b"") == ()
    assert secret_scan.find(path + "x/other", content.encode()) == ()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("app/.env.example", "A=b"),
        ("app/.env", "# nothing\n"),
        ("app/x.env", "A=b"),
        ("etc/pip.conf", "index-url = https://example.org/simple"),
        ("etc/pip.conf", "index-url = https://u:${PASSWORD}@example.org/simple"),
        ("etc/pip.conf", "index-url = https://${TOKEN}@example.org/simple"),
        ("etc/pip.conf", "index-url = https://oauth2accesstoken@example.org/simple"),
        ("app/.git/config", "url = https://user@example.org/x"),
        ("root/.npmrc", "_authToken=${NPM_TOKEN}"),
        ("root/.docker/config.json", "{}"),
        ("app/x.key", "text"),
    ],
)
def test_a_file_with_a_secrets_name_but_no_secret_is_not_a_finding(path: str, content: str) -> None:
    assert secret_scan.find(path, content.encode()) == ()


def test_each_certificate_is_named_by_its_fingerprint() -> None:
    other = DER[:-1] + b"\0"
    bundle = b"".join(
        b"# a name\n-----BEGIN CERTIFICATE-----\n%b-----END CERTIFICATE-----\n"
        % base64.encodebytes(certificate)
        for certificate in (DER, other)
    )
    marks = sorted(
        f"certificate {secret_scan.fingerprint(certificate)}" for certificate in (DER, other)
    )
    assert secret_scan.find("app/x.pem", bundle) == tuple(marks)
    assert secret_scan.find("app/x.der", DER) == (f"certificate {secret_scan.fingerprint(DER)}",)


def test_a_fingerprint_is_the_md5_of_the_text_that_debian_ships() -> None:
    # mozilla/ACCVRAIZ1.crt has this form: 64 characters a line, a last line end
    text = base64.encodebytes(DER).replace(b"\n", b"")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    pem = b"-----BEGIN CERTIFICATE-----\n%b\n-----END CERTIFICATE-----\n" % b"\n".join(lines)
    assert secret_scan.fingerprint(DER) == hashlib.md5(pem, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("API_TOKEN=abc", ('value of "API_TOKEN"',)),
        ("RUN |1 npm_token='abc' true", ('value of "npm_token"',)),
        ("DB_PASSWORD=$X", ()),
        ("DB_PASSWORD=${X}${Y:-}", ()),
        ("RUN TOKEN=$X; true", ()),
        ("RUN TOKEN=$(cat /run/secrets/x) true", ()),
        ("DB_PASSWORD=$3cret!", ('value of "DB_PASSWORD"',)),
        ("DB_PASSWORD=a$b", ('value of "DB_PASSWORD"',)),
        ("DB_PASSWORD=/9j/4AAQSkZ", ('value of "DB_PASSWORD"',)),
        ("DB_PASSWORD=/etc", ('value of "DB_PASSWORD"',)),
        ("DB_PASSWORD=/run/secrets/db", ()),
        ("POSTGRES_PASSWORD_FILE=/run/secrets/x", ()),
        ("SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", ()),
        ("RUN A=b;TOKEN=c&&true", ('value of "TOKEN"',)),
        ("X=https://example.org/?api_key=abc", ('value of "api_key"',)),
        ("SECRET_KEY=abc", ('value of "SECRET_KEY"',)),
        ("DJANGO_SECRET_KEY=abc", ('value of "DJANGO_SECRET_KEY"',)),
        ("DB_PASS=abc", ('value of "DB_PASS"',)),
        ("DB_PWD=abc", ('value of "DB_PWD"',)),
        ("PGPASSWORD=abc", ('value of "PGPASSWORD"',)),
        ("API_TOKEN_PROD=abc", ('value of "API_TOKEN_PROD"',)),
        ("ENCRYPTION_KEY=abc", ('value of "ENCRYPTION_KEY"',)),
        ("apiKey=abc", ('value of "apiKey"',)),
        ("PWD=/", ()),
        ("COMPASS=abc", ()),
        ("BYPASS_CACHE=abc", ()),
        ("TOKENIZERS_PARALLELISM=false", ()),
        ("MAX_TOKENS=4096", ()),
        ("TOKEN_TTL=1h", ()),
        ("PASSWORD_MIN_LENGTH=8", ()),
        ("USE_TOKEN=true", ()),
        ("PUBLIC_KEY=abc", ()),
        ("PIP_INDEX_URL=https://abc@example.org/simple", ("credentials in a URL",)),
        ("RUN UV_DEFAULT_INDEX='https://abc@example.org/simple' x", ("credentials in a URL",)),
        ("PIP_INDEX_URL=https://${T}@example.org/simple", ()),
        ("RUN git clone https://git@example.org/x", ()),
        ("X=https://u:a$b@example.org", ("credentials in a URL",)),
        ("X=https://u:$P@example.org", ()),
        ("DB_PASSWORD_FILE=/run/x", ()),
        ("DB_PASSWORD=", ()),
        ("--mount=type=secret,id=token", ()),
        ("GPG_KEY=ABC", ()),
        ("X=https://u:p@example.org", ("credentials in a URL",)),
        ("X=https://u:${P}@example.org", ()),
    ],
)
def test_a_line_of_the_configuration(text: str, kinds: tuple[str, ...]) -> None:
    assert secret_scan.find_text(text) == kinds


KEY = f"-----BEGIN PRIVATE KEY-----\n{BODY}".encode()


@pytest.mark.parametrize("at", [4096 - len(KEY) - 1, 4096 - 100, 4096 - 1, 4096, 3 * 4096 - 20])
def test_a_key_is_found_wherever_blocks_end(at: int) -> None:
    head, rest = (b"\0" * at + KEY)[:4096], (b"\0" * at + KEY)[4096:]
    watch = secret_scan.Watch(io.BytesIO(rest), head)
    read = b"".join(iter(lambda: watch.read(4096), b""))
    kinds = secret_scan.find("app/x", head)
    assert read == rest
    assert watch.kinds(kinds) == ("private key",)
    assert watch.kinds(("cloud key", *kinds)) == ("cloud key", "private key")


def test_a_key_that_ends_too_early_after_a_block_is_not_a_finding() -> None:
    watch = secret_scan.Watch(io.BytesIO(KEY[20:60]), b"\0" * 4096 + KEY[:20])
    assert watch.read(4096) == KEY[20:60]
    assert watch.kinds(()) == ()


PIECES = st.sampled_from(
    [
        b"-----BEGIN ",
        b"CERTIFICATE-----",
        b"-----END ",
        b"RSA PRIVATE KEY-----",
        b"\n",
        b"AAAA",
        b"A" * 40,
        b"AKIA",
        b"ghp_",
        b"=",
        b"0\x82",
        b"\xff",
        b"K: v\n",
    ]
)


@given(st.text(), st.one_of(st.binary(), st.lists(PIECES).map(b"".join)))
def test_no_path_and_no_bytes_make_it_fail(path: str, head: bytes) -> None:
    kinds = secret_scan.find(path, head)
    assert list(kinds) == sorted(set(kinds))


@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    kinds = secret_scan.find_text(text)
    assert list(kinds) == sorted(set(kinds))
