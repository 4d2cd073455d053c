import pytest

from sutra_client.settings import SettingsError, api_key, number, port, storage_url


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
