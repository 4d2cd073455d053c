"""The logins of registries, as `docker login` and credential helpers keep them.

Docker's SDK reads them; what is not of the form that it expects, and a helper that does not
answer, is one clear line here.
"""

from __future__ import annotations

import os
import subprocess
import warnings
from typing import Any

import docker.auth
import docker.credentials
from docker.credentials.errors import StoreError, process_store_error
from docker.errors import DockerException
from docker.utils.config import find_config_file

from scripts.common.errors import EngineError
from scripts.common.text import printable
from scripts.engine import process

# user name that Docker's helpers give an identity token
TOKEN_USER = "<token>"  # noqa: S105 - a name, no secret
# exceptions of code that takes apart text of another form than it expects
UNEXPECTED = (AttributeError, LookupError, TypeError, ValueError, RecursionError)
SHOWN = 200  # characters of a helper's complaint


def credentials(registry: str) -> tuple[str, str] | None:
    """Return user and password for a registry; an identity token is TOKEN_USER's password.

    Raises SutraError for logins that cannot be read.
    """
    logins = load()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a missing helper, which raises as well
            held = logins.resolve_authconfig(registry)
        return _pair(held) if held else None
    except DockerException as error:
        problem = printable(str(error))[:SHOWN]
        raise EngineError(f'login of "{registry}": {problem}', "run `docker login`") from error
    except UNEXPECTED as error:
        raise EngineError(
            f'login of "{registry}": not a user and a password, nor a token',
            f"run `docker login {registry}`, or look at {_file()} and its credential helper",
        ) from error


def load() -> docker.auth.AuthConfig:
    """Return all logins. Raises SutraError for a file that is not what `docker login` writes.

    The SDK reads the same file for every client that it makes.
    """
    try:
        return Logins.load_config(None, None)
    except (DockerException, *UNEXPECTED) as error:
        raise EngineError(
            "logins cannot be read: not what `docker login` writes",
            "correct its `auths`, or move the file away and run `docker login` again",
            where=_file(),
        ) from error


def _pair(held: dict[str, Any]) -> tuple[str, str]:
    lower = {key.lower(): value for key, value in held.items()}
    if token := lower.get("identitytoken"):
        pair = (TOKEN_USER, token)
    else:
        pair = (lower["username"], lower["password"])
    if not all(isinstance(value, str) for value in pair):
        raise TypeError("a login is two texts")
    return pair


def _file() -> str:
    return str(find_config_file() or "~/.docker/config.json")


class Logins(docker.auth.AuthConfig):
    """Docker's logins, with helpers that have to answer in time."""

    def _get_store_instance(self, name: str) -> docker.credentials.Store:
        return Helper(name)


class Helper(docker.credentials.Store):
    """A credential helper that is ended, with what it started, when it does not answer."""

    def _execute(self, subcmd: str, data_input: bytes | None) -> bytes:
        if self.exe is None:
            raise StoreError(f"{self.program} not installed or not available in PATH")
        try:
            done = process.run([str(self.exe), subcmd], data_input or b"", os.environ)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StoreError(f"{self.program}: {process.reason(error)}") from error
        if done.returncode:
            failed = subprocess.CalledProcessError(done.returncode, self.program, done.stdout)
            raise process_store_error(failed, self.program)
        return done.stdout
