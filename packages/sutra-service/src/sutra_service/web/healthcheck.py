"""Container health check: `python -m sutra_service.web.healthcheck PORT` asks the service itself.

It asks whether the process lives. What waits for the whole service asks for `/health`, which is
ill without its storage, too: `python -m sutra_service.web.healthcheck PORT /health`.
Only the standard library: it is started every few seconds.
"""

import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT = 2.5
PATHS = ("/live", "/health")
USAGE = "usage: python -m sutra_service.web.healthcheck PORT [/live | /health]"


def check(port: int, path: str) -> str | None:
    """Ask 127.0.0.1:`port` for `path`; return what is wrong, or None when it answers 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"127.0.0.1:{port}{path}: does not answer ({reason.lower()})"
    finally:
        connection.close()
    return None if status == 200 else f"127.0.0.1:{port}{path}: answered {status}"


def main(arguments: list[str]) -> int:
    """Return 0 when healthy, 1 when not, 2 when called wrongly."""
    value, path = (*arguments, PATHS[0])[:2] if arguments else ("", "")
    port_is_good = value.isascii() and value.isdigit() and 1 <= int(value) <= 65535
    if not port_is_good or path not in PATHS or len(arguments) > 2:
        print(USAGE, file=sys.stderr)
        return 2
    wrong = check(int(value), path)
    if wrong:
        print(wrong, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
