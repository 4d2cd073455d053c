"""The two tokens of a deployment, as secrets of the cluster that pods mount as files.

No key is ever on a command line, in a file of this checkout or in the cluster's notes of what
was applied.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.common import settings
from scripts.common.errors import SutraError
from scripts.deploy.kubectl import Kubectl
from scripts.deploy.release import LABEL

STORAGE, API = "sutra-storage-key", "sutra-api-key"
KNOB = "SUTRA_API_KEY"
# keys that the services accept: packages/sutra-service and packages/sutra-storage
KEY = re.compile(r"[A-Za-z0-9._~+/-]{16,512}=*", re.ASCII)
MAX_BYTES = 4096


def api_key(environment: Mapping[str, str]) -> str:
    """Return SUTRA_API_KEY, of the environment or `.env`, or what SUTRA_API_KEY_FILE names, or "".

    Raises SutraError for what the services would refuse; a key is never shown.
    """
    file = environment.get(f"{KNOB}_FILE", "")
    value, where = settings.assigned(environment, KNOB), KNOB
    if file and value:
        raise SutraError(f"{KNOB}_FILE: set beside {KNOB}", "unset one of the two")
    if file:
        value, where = _content(Path(file)), f"{KNOB}_FILE"
    if value or file:
        require_key(where, value)
    return value


def require_key(where: str, value: str) -> None:
    """Raise SutraError for a key that the services would refuse; it is never shown."""
    if not KEY.fullmatch(value):
        raise SutraError(
            f"{where}: not 16 to 512 letters, digits or -._~+/ "
            f"({len(value)} characters, not shown)",
            "set it to what `openssl rand -hex 32` prints",
        )


def _content(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SutraError(
            f'{KNOB}_FILE: cannot be read, {reason.lower()} "{file}"', f"`ls -l {file}`"
        ) from error
    return text.removesuffix("\n").removesuffix("\r")


def make_storage_key(kubectl: Kubectl) -> None:
    """Make the token between the services, unless the cluster has one."""
    if not kubectl.find("secret", STORAGE):
        kubectl.create(_secret(kubectl, STORAGE, "storage-key", secrets.token_hex(32)))


def set_api_key(kubectl: Kubectl, value: str) -> bool:
    """Store the callers' token; return whether pods have an older one."""
    new_secret = _secret(kubectl, API, "api-key", value)
    secret = kubectl.find("secret", API)
    if not secret:
        kubectl.create(new_secret)
    elif secret.get("data") != new_secret["data"]:
        kubectl.create(new_secret, "replace")
        return True
    return False


def _secret(kubectl: Kubectl, name: str, key: str, value: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": kubectl.namespace,
            "labels": {LABEL: kubectl.namespace},
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode()},
    }
