"""Parse the JSON of an answer, which a caller may be given in an answer of our own."""

import json
import re
from typing import Any

import httpx

# The escape of half a character: Python's parser takes one alone, and no UTF-8 can hold it.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def parsed(response: httpx.Response) -> Any:
    """Return the JSON of an answer; raise ValueError or RecursionError where it has none."""
    try:
        text = response.content.decode()
        body = json.loads(text)
        if _HALF.search(text):
            json.dumps(body, ensure_ascii=False).encode()
    except UnicodeError:
        # its own message holds the whole answer
        raise ValueError("not UTF-8") from None
    return body
