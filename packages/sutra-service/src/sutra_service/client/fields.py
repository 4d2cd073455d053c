"""The strings that callers send: concept ids, kinds and texts, with the storage's own limits."""

import unicodedata
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import AfterValidator, WithJsonSchema

MAX_ID_BYTES = 512
MAX_KIND_BYTES = 64
MAX_TEXT_BYTES = 65_536


def check_id(value: str) -> str:
    """Return a concept id, or raise ValueError saying what is wrong with it."""
    return _short(value, MAX_ID_BYTES)


def check_kind(value: str) -> str:
    """Return the kind of an association, or raise ValueError saying what is wrong with it."""
    return _short(value, MAX_KIND_BYTES)


def check_text(value: str) -> str:
    """Return a text, or raise ValueError when it is too long."""
    size = len(value.encode())
    if size > MAX_TEXT_BYTES:
        raise ValueError(f"must be at most {MAX_TEXT_BYTES} bytes, is {size}")
    return value


def path_segment(concept_id: str) -> str:
    """Percent-encode an id as exactly one path segment.

    `quote` leaves dots alone, but URL clients resolve the segments `.` and `..` away
    (RFC 3986, 5.2.4), so these two are encoded by hand.
    """
    if concept_id in {".", ".."}:
        return concept_id.replace(".", "%2E")
    return quote(concept_id, safe="")


def is_shallow(value: dict[str, Any] | list[Any], most: int) -> bool:
    """Return whether parsed JSON has at most `most` levels.

    Look level by level, without recursion: the stack is what depth is refused for.
    """
    level: list[Any] = [value]
    for _ in range(most):
        inner = (item for outer in level for item in _inside(outer))
        level = [item for item in inner if isinstance(item, dict | list)]
        if not level:
            return True
    return False


def _inside(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _short(value: str, most: int) -> str:
    size = len(value.encode())
    if not 1 <= size <= most:
        raise ValueError(f"must be 1 to {most} bytes, is {size}")
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise ValueError("must not hold control characters")
    return value


def _schema(most: int, description: str) -> dict[str, Any]:
    """Return the JSON schema of a short string; it counts characters, so that is not the whole."""
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": most,
        "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$",
        "description": f"{description}: 1 to {most} bytes of UTF-8 without control characters",
    }


ID_SCHEMA = _schema(MAX_ID_BYTES, "a concept's id")
KIND_SCHEMA = _schema(MAX_KIND_BYTES, "the kind of an association")
TEXT_SCHEMA = {
    "type": "string",
    "maxLength": MAX_TEXT_BYTES,
    "description": f"at most {MAX_TEXT_BYTES} bytes of UTF-8",
}

# pydantic refuses half a surrogate pair before these run, so that `encode` cannot fail.
ConceptId = Annotated[str, AfterValidator(check_id), WithJsonSchema(ID_SCHEMA)]
Kind = Annotated[str, AfterValidator(check_kind), WithJsonSchema(KIND_SCHEMA)]
Text = Annotated[str, AfterValidator(check_text), WithJsonSchema(TEXT_SCHEMA)]
