"""Refuse a Python for which the services' locks were not made.

Their oldest is Alpine 3.23's (scripts/lock.sh). Exits 1 with what is wrong.
"""

import platform
import sys

OLDEST = (3, 12)

if sys.version_info < OLDEST:
    system = platform.freedesktop_os_release()
    running = ".".join(map(str, sys.version_info[:2]))
    oldest = ".".join(map(str, OLDEST))
    print(
        f'sutra: ALPINE_VERSION: Python {running} in "{system["PRETTY_NAME"]}", '
        f"{oldest} or newer is needed\ntip: choose a newer one, such as ALPINE_VERSION=3.23",
        file=sys.stderr,
    )
    sys.exit(1)
