from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sutra_service.settings import SettingsError, api_key, number, port, storage_key, storage_url


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://sutra-storage:50051", "http://sutra-storage:50051"),
        ("http://[::1]:1/", "http://[::1]:1"),
        ("https://storage.internal", "https://storage.internal"),
    ],
)
def test_good_addresses(value: str, expected: str) -> None:
    assert storage_url({"SUTRA_STORAGE_URL": value}) == expected


def test_defaults() -> None:
    assert storage_url({}) == "http://sutra-storage:50051"
    assert port({}, 8000) == 8000
    assert number({}, "SUTRA_X", 5, 1, 9) == 5


@pytest.mark.parametrize(
    "value",
    [
        "",
        "xyz",
        "storage:50051",
        "ftp://a",
        "http://",
        "http://a:b",
        "http://a:70000",
        "http://a b",
        "http://u:p@a",
        "http://a?x",
        "http://a#x",
        "http://[::1",
    ],
)
def test_bad_addresses(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        storage_url({"SUTRA_STORAGE_URL": value})
    assert str(caught.value) == f'SUTRA_STORAGE_URL: not an http address "{value}"'
    assert caught.value.tip == (
        "set it to the form http://host:port, or unset it for http://sutra-storage:50051"
    )


@pytest.mark.parametrize("value", ["0.1", "5", "3600"])
def test_good_numbers(value: str) -> None:
    assert number({"SUTRA_X": value}, "SUTRA_X", 5, 0.1, 3600) == float(value)


@pytest.mark.parametrize("value", ["", "abc", "nan", "inf", "0.09", "3601"])
def test_bad_numbers(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        number({"SUTRA_X": value}, "SUTRA_X", 5, 0.1, 3600)
    assert str(caught.value) == f'SUTRA_X: not a number from 0.1 to 3600 "{value}"'
    assert caught.value.tip == "set it to such a number, or unset it for 5"


@pytest.mark.parametrize("value", ["1", "65535"])
def test_good_ports(value: str) -> None:
    assert port({"SUTRA_PORT": value}, 8000) == int(value)


@pytest.mark.parametrize("value", ["", "0", "65536", "-1", "8000 ", "²"])
def test_bad_ports(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        port({"SUTRA_PORT": value}, 8000)
    assert str(caught.value) == f'SUTRA_PORT: not a port from 1 to 65535 "{value}"'
    assert caught.value.tip == "set it to such a number, or unset it for 8000"


def test_the_message_is_one_line() -> None:
    with pytest.raises(SettingsError) as caught:
        storage_url({"SUTRA_STORAGE_URL": "http://a\n"})
    assert str(caught.value) == 'SUTRA_STORAGE_URL: not an http address "http://a\\n"'


@pytest.mark.parametrize("value", ["0123456789abcdef", "a" * 512, "AZaz09._~+/-abcd====", None])
def test_good_keys(value: str | None) -> None:
    assert api_key({} if value is None else {"SUTRA_API_KEY": value}) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", ""),
        ("0123456789abcde", "15 characters, not shown"),
        ("a" * 513, "513 characters, not shown"),
        ("0123456789abcdef\n", "17 characters, not shown"),
        ("0123456789 abcdef", "17 characters, not shown"),
        ("=" * 16, "16 characters, not shown"),
        ("é" * 16, "16 characters, not shown"),
    ],
)
def test_bad_keys(value: str, shown: str) -> None:
    with pytest.raises(SettingsError) as caught:
        api_key({"SUTRA_API_KEY": value})
    assert str(caught.value) == f'SUTRA_API_KEY: not 16 to 512 letters, digits or -._~+/ "{shown}"'
    assert caught.value.tip == (
        "set it to what `openssl rand -hex 32` prints, or unset it to let everybody in"
    )


KEY = "0123456789abcdef"
Read = Callable[[Mapping[str, str]], str | None]
READERS = [("SUTRA_API_KEY", api_key), ("SUTRA_STORAGE_KEY", storage_key)]


@pytest.mark.parametrize(("name", "read"), READERS)
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\r\n"])
def test_a_key_of_a_file(
    tmp_path: Path, name: str, read: Read, before: bytes, after: bytes
) -> None:
    path = tmp_path / "key"
    path.write_bytes(before + KEY.encode() + after)
    assert read({f"{name}_FILE": str(path)}) == KEY
    assert read({name: KEY}) == KEY
    assert read({}) is None


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"", ""),
        (b"\n", ""),
        (b"short\n", "5 characters, not shown"),
        (KEY.encode() + b"\n\n", "17 characters, not shown"),
        (b" " + KEY.encode(), "17 characters, not shown"),
        (b"a" * 1_000_000, "4096 characters, not shown"),
    ],
)
def test_a_bad_key_in_a_file(tmp_path: Path, content: bytes, shown: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        api_key({"SUTRA_API_KEY_FILE": str(path)})
    message = f'SUTRA_API_KEY_FILE: not 16 to 512 letters, digits or -._~+/ "{shown}"'
    assert str(caught.value) == message


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(KEY.encode("utf-16"))
    with pytest.raises(SettingsError) as caught:
        storage_key({"SUTRA_STORAGE_KEY_FILE": str(path)})
    assert str(caught.value) == f'SUTRA_STORAGE_KEY_FILE: not UTF-8 text "{path}"'
    assert caught.value.tip == "save the file as UTF-8"


@pytest.mark.parametrize(
    ("name", "why"), [("none", "no such file or directory"), (".", "is a directory")]
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, why: str) -> None:
    path = tmp_path / name
    with pytest.raises(SettingsError) as caught:
        api_key({"SUTRA_API_KEY_FILE": str(path)})
    assert str(caught.value) == f'SUTRA_API_KEY_FILE: cannot be read, {why} "{path}"'
    assert caught.value.tip == "let it name a file that the service's user (10001) may read"


@pytest.mark.parametrize(("name", "read"), READERS)
def test_a_key_and_a_file(name: str, read: Read) -> None:
    with pytest.raises(SettingsError) as caught:
        read({name: KEY, f"{name}_FILE": "/run/key"})
    assert str(caught.value) == f'{name}_FILE: set beside {name} "/run/key"'
    assert caught.value.tip == "unset one of the two"
