"""Container health check: `python -m sutra_client.healthcheck PORT` asks the service itself.

Only the standard library: it is started every few seconds.
"""

import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT = 2.5


def check(port: int) -> str | None:
    """Ask 127.0.0.1:`port`/health; return what is wrong, or None when it answers 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"127.0.0.1:{port}/health: does not answer ({reason.lower()})"
    finally:
        connection.close()
    return None if status == 200 else f"127.0.0.1:{port}/health: answered {status}"


def main(arguments: list[str]) -> int:
    """Return 0 when healthy, 1 when not, 2 when called wrongly."""
    value = arguments[0] if len(arguments) == 1 else ""
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
        print("usage: python -m sutra_client.healthcheck PORT", file=sys.stderr)
        return 2
    wrong = check(int(value))
    if wrong:
        print(wrong, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
