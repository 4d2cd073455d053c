"""`cosign` as a signer of bytes: no registry, nothing from the network.

A transparency log gets what is signed from `scripts.signing.transparency_log`, if one is wanted.
What cosign signs is put where cosign looks for it by `scripts.signing.attached`, with the logins
and the trust of everything else that speaks to registries here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import SutraError
from scripts.common.text import printable
from scripts.engine import process
from scripts.signing.transparency_log import Log

PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 - the variable's name
KNOB = "SIGN_KEY"
# address of a key in the environment, for cosign
VARIABLE = "env://"
INSTALL = "install it: Debian 13's package `cosign` (its one binary runs on 12 as well)"
OFFLINE = "--tlog-upload=false"
# prefix of cosign's reason, and words in it that only name its own steps
STEPS = ("Error: ", "signing blob: ", "reading key: ", "signing -: ")


@dataclass(frozen=True)
class Signer:
    """A private key that its password opens. `public` is the key that verifies, as PEM.

    `log` gets what is signed, None without one.
    """

    program: str
    key: str
    public: bytes
    log: Log | None = None

    def sign(self, data: bytes) -> str:
        """Return the signature of `data`, in base64. Raises SutraError unless it verifies."""
        command = [self.program, "sign-blob", "--yes", "--key", self.key, OFFLINE, "-"]
        signature = _answer(command, data, self.key).decode(errors="replace").strip()
        if not self.verifies(data, signature):
            raise SutraError(
                f'{KNOB}: "{self.key}": cosign gave a signature that does not verify',
                f"`{self.program} version` should be one of Debian's, then run it again",
            )
        return signature

    def verifies(self, data: bytes, signature: str) -> bool:
        """Return whether a signature in base64 is this key's, of these bytes."""
        with tempfile.TemporaryDirectory(prefix="sutra-sign-") as folder:
            public, signed = Path(folder) / "key.pub", Path(folder) / "signature"
            public.write_bytes(self.public)
            signed.write_text(signature)
            command = [self.program, "verify-blob", "--key", str(public), "--signature"]
            command += [str(signed), "--insecure-ignore-tlog=true", "-"]
            return _run(command, data).returncode == 0


def open_key(
    key: str, environment: Mapping[str, str] = os.environ, log: Log | None = None
) -> Signer:
    """Return the signer of a key: a file, or what cosign takes as an address of a KMS.

    Raises SutraError where there is no cosign, no such key, or the password does not open it.
    """
    program = find()
    if "://" not in key and not Path(key).is_file():
        raise SutraError(f'{KNOB}: no such file "{key}"', "`cosign generate-key-pair` makes one")
    _refuse_empty_variable(key, environment)
    refuse_password_argument(environment)
    if PASSWORD not in environment and "://" not in key:
        raise SutraError(
            f'{PASSWORD}: not set, and "{key}" is opened by it',
            f"`read -rs {PASSWORD}; export {PASSWORD}`, then run the same command again",
        )
    return Signer(program, key, _answer([program, "public-key", "--key", key], b"", key), log)


def _refuse_empty_variable(key: str, environment: Mapping[str, str]) -> None:
    """Raise SutraError for "env://NAME" where no variable has a key: cosign calls it damaged."""
    name = key.removeprefix(VARIABLE)
    if key.startswith(VARIABLE) and not environment.get(name):
        raise SutraError(
            f'{KNOB}: "{key}": the variable is not set, or empty',
            f"`export {name}`; on GitHub, a secret of that name that the job may read",
        )


def find() -> str:
    """Return where cosign is. Raises SutraError where it is not on PATH."""
    program = shutil.which("cosign")
    if not program:
        raise SutraError(f"{KNOB}: needs cosign, which is not on PATH", INSTALL)
    return program


def refuse_password_argument(environment: Mapping[str, str]) -> None:
    """Raise SutraError for a password in make's arguments, which every process can read."""
    if f"{PASSWORD}=" in environment.get("MAKEFLAGS", ""):
        raise SutraError(
            f"{PASSWORD}: given as an argument, which every process of this machine can read",
            f"change the key's password, and give the new one by `export {PASSWORD}`",
        )


def _answer(command: Sequence[str], input_bytes: bytes, key: str) -> bytes:
    """Return what cosign prints. Raises SutraError with cosign's own reason."""
    done = _run(command, input_bytes)
    if done.returncode < 0:
        raise SutraError(
            f'{KNOB}: "{key}": cosign was ended by signal {-done.returncode}, nothing is signed',
            "run the same command again",
        )
    if done.returncode:
        reason = _reason(done.stderr.decode(errors="replace"))
        raise SutraError(
            f'{KNOB}: "{key}": cosign cannot use it: {reason}',
            f"check that file, and that {PASSWORD} is its password",
        )
    return done.stdout


def _run(command: Sequence[str], input_bytes: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return process.run(command, input_bytes, os.environ)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SutraError(
            f"{KNOB}: cosign: {process.reason(error)}", "run the same command again"
        ) from error


def _reason(output: str) -> str:
    """Return cosign's reason, in one line."""
    lines = [line for line in output.splitlines() if line.startswith(STEPS[0])]
    reason = (lines or output.splitlines() or ["no reason given"])[0]
    for step in STEPS:
        reason = reason.removeprefix(step)
    return printable(reason[:200])
