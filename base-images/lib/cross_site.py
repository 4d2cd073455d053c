"""Let pip choose packages for SUTRA_CROSS, whatever the architecture of the Python that runs it.

cross-python.sh makes it the builder's sitecustomize, which every Python there reads at its start.
"""

import os
import platform

# Debian's name of an architecture, and the kernel's
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}

if (machine := MACHINES.get(os.environ.get("SUTRA_CROSS", ""))) is not None:
    # tags of wheels come from sysconfig.get_platform, which reads this, and markers from the other
    os.environ["_PYTHON_HOST_PLATFORM"] = f"linux-{machine}"
    platform.machine = lambda: machine
