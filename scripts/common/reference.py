"""How images are named: the parts of a reference, as patterns."""

from __future__ import annotations

import re

# source of all three: the OCI distribution specification, "Pulling manifests"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NAME = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*")
TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
# host of a registry: unlike a name, it has a dot or a port
HOST = re.compile(r"(?:localhost|[\w-]+(?:\.[\w-]+)+|(?:[\w.-]+|\[[0-9a-f:]+\])(?=:))(?::\d{1,5})?")
