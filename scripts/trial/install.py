"""Install a package into a scratch environment, as a service's builder would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

from scripts.common import settings
from scripts.common.errors import SutraError

# uv: quick, and it shares downloads and unpacked wheels between environments
UV = str(Path(sys.executable).with_name("uv"))
SECONDS = 900


def install(requirement: str, tree: Path) -> None:
    """Make `tree` an environment of this very Python that holds wheels of `requirement`.

    Raises SutraError where it cannot be installed.
    """
    base = os.path.realpath(sys.executable)
    _uv(requirement, "venv", "--python", base, str(tree))
    python = str(tree / "bin/python")
    arguments = ["--only-binary", ":all:", "--link-mode", "copy", requirement]
    _uv(requirement, "pip", "install", "--python", python, *arguments)


def _uv(requirement: str, *words: str) -> None:
    try:
        done = subprocess.run(
            [UV, "--quiet", *words],
            env=environment(os.environ),
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except FileNotFoundError as error:
        raise SutraError("try-package: uv is missing", "run `make venv-dev`") from error
    except subprocess.TimeoutExpired as error:
        raise SutraError(
            f'try-package: not installed in {SECONDS} s "{requirement}"',
            "check PIP_INDEX_URL and CA_BUNDLE",
        ) from error
    if done.returncode:
        lines = [line.strip(" ×╰─▶│") for line in done.stderr.splitlines() if line.strip()]
        raise SutraError(
            f'try-package: cannot install "{requirement}": {" ".join(lines)[:300]}',
            "check the name, PIP_INDEX_URL and CA_BUNDLE; rules are tried on wheels alone",
        )


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with the knobs by the names that uv has for them. Raises SutraError."""
    own = {}
    if index := variables.get("PIP_INDEX_URL"):
        own["UV_DEFAULT_INDEX"] = index
    if variables.get("CA_BUNDLE"):
        own["SSL_CERT_FILE"] = settings.ca_bundle(variables)
    return {**variables, **own}


def version_of(name: str, tree: Path) -> str:
    """Return the installed version of a distribution."""
    site = next(tree.glob("lib/python3*/site-packages"))
    key = name.replace("_", "-").lower()
    matching = (
        d for d in distributions(path=[str(site)]) if d.name.replace("_", "-").lower() == key
    )
    return next((match.version for match in matching), "")


def dumps(value: object) -> str:
    """Return JSON, which is YAML too: what a manifest is written in."""
    return json.dumps(value)
