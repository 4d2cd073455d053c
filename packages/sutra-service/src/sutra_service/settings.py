"""Settings from environment variables, refused with one line and a tip."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

DEFAULT_STORAGE_URL = "http://sutra-storage:50051"


class SettingsError(Exception):
    """An environment variable is wrong; `tip` says what to do."""

    def __init__(self, name: str, problem: str, value: str, tip: str) -> None:
        """Make the message `NAME: problem "value"`."""
        shown = value if value.isprintable() else repr(value)[1:-1]  # one line, whatever it holds
        super().__init__(f'{name}: {problem} "{shown}"')
        self.tip = tip


def storage_url(env: Mapping[str, str]) -> str:
    """Return SUTRA_STORAGE_URL without a trailing slash, or its default."""
    name = "SUTRA_STORAGE_URL"
    value = env.get(name, DEFAULT_STORAGE_URL)
    if not _is_http_address(value):
        tip = f"set it to the form http://host:port, or unset it for {DEFAULT_STORAGE_URL}"
        raise SettingsError(name, "not an http address", value, tip)
    return value.rstrip("/")


def _is_http_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises ValueError when it is not a number from 0 to 65535
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    printable = value.isprintable() and " " not in value
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and plain and printable


def number(env: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    """Return the variable `name` as a number from `low` to `high`."""
    value = env.get(name)
    if value is None:
        return default
    try:
        result = float(value)
    except ValueError:
        result = float("nan")
    if not low <= result <= high:
        tip = f"set it to such a number, or unset it for {default:g}"
        raise SettingsError(name, f"not a number from {low:g} to {high:g}", value, tip)
    return result


def port(env: Mapping[str, str], default: int) -> int:
    """Return SUTRA_PORT, a whole number from 1 to 65535."""
    name = "SUTRA_PORT"
    value = env.get(name, str(default))
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
        tip = f"set it to such a number, or unset it for {default}"
        raise SettingsError(name, "not a port from 1 to 65535", value, tip)
    return int(value)


# RFC 6750's b64token. Whoever can guess 16 of these characters can read memory as well.
_KEY = re.compile(r"[A-Za-z0-9._~+/-]{16,512}=*", re.ASCII)
# The most bytes that are read of a key's file: more than any key, and never a whole disk.
MAX_KEY_FILE = 4096


def api_key(env: Mapping[str, str]) -> str | None:
    """Return the key that callers need: SUTRA_API_KEY, or what SUTRA_API_KEY_FILE holds.

    None where neither is set. Set and empty is an error: whoever meant to set it must not run open
    to all.
    """
    tip = "set it to what `openssl rand -hex 32` prints, or unset it to let everybody in"
    return _key(env, "SUTRA_API_KEY", tip)


def storage_key(env: Mapping[str, str]) -> str | None:
    """Return the key that the storage wants: SUTRA_STORAGE_KEY, or SUTRA_STORAGE_KEY_FILE's."""
    return _key(env, "SUTRA_STORAGE_KEY", "set it to the storage's own, or unset it on both sides")


def _key(env: Mapping[str, str], name: str, tip: str) -> str | None:
    value, path = env.get(name), env.get(f"{name}_FILE")
    if path is not None:
        if value is not None:
            raise SettingsError(f"{name}_FILE", f"set beside {name}", path, "unset one of the two")
        name, value = f"{name}_FILE", _content(f"{name}_FILE", path)
    if value is not None and not _KEY.fullmatch(value):
        shown = f"{len(value)} characters, not shown" if value else ""
        raise SettingsError(name, "not 16 to 512 letters, digits or -._~+/", shown, tip)
    return value


def _content(name: str, path: str) -> str:
    """Return the text of a key's file, without the byte order mark and the end of the line.

    Editors add both, and nobody sees them.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_KEY_FILE).decode("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        tip = "let it name a file that the service's user (10001) may read"
        raise SettingsError(name, f"cannot be read, {reason}", path, tip) from None
    except UnicodeDecodeError:
        raise SettingsError(name, "not UTF-8 text", path, "save the file as UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")
