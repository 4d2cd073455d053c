"""The rules' names, in the order of reports.

They are apart from the rules: images.yaml names them, and whoever reads it need not load
what reads images, which takes longer than a check of sizes.
"""

from __future__ import annotations

NAMES = (
    "toolchain",
    "installers",
    "package-managers",
    "shells",
    "headers",
    "static-libraries",
    "tests",
    "docs",
    "caches",
    "build-files",
    "architecture",
    "stripped",
    "libraries",
    "hardened",
    "bytecode",
    "rights",
    "user",
    "secrets",
    "certificates",
    "wasted",
    "command",
    "healthcheck",
    "scripts",
    "labels",
    "records",
    "licences",
)
# rules that count bytes: an exception may give them a limit
IN_BYTES = ("wasted",)
