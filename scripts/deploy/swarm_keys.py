"""The two tokens of a deployment as Swarm's secrets, which services mount as files.

A secret of Swarm never changes: another callers' key is another secret, and the one before
goes when no service has it. Which key a secret holds is known by a salted hash in its labels.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from scripts.deploy.cluster_keys import KNOB, require_key
from scripts.deploy.release import LABEL
from scripts.engine import client as engine
from scripts.engine import swarm

CHECK = "org.sutra.check"


def make_storage_key(client: engine.Client, project: str, name: str) -> None:
    """Make the token between the services, unless the swarm has one."""
    if name not in swarm.secrets(client, project, LABEL):
        content = secrets.token_hex(32).encode()
        swarm.create_secret(client, name, content, {LABEL: project})


def name_of_api_key(client: engine.Client, project: str, value: str) -> str:
    """Return the name of the secret with this callers' key: one that is there, or a new one."""
    require_key(KNOB, value)
    for name, labels in api_keys(client, project).items():
        if hmac.compare_digest(labels, _check(value, labels.partition("$")[0])):
            return name
    return f"{project}-api-key-{secrets.token_hex(4)}"


def api_keys(client: engine.Client, project: str) -> dict[str, str]:
    """Return the check of each callers' key that the swarm has, by the secret's name."""
    labels_of = swarm.secrets(client, project, LABEL)
    return {name: labels[CHECK] for name, labels in labels_of.items() if CHECK in labels}


def make_api_key(client: engine.Client, project: str, name: str, value: str) -> None:
    """Store the callers' key, unless it is there."""
    if name not in api_keys(client, project):
        labels = {LABEL: project, CHECK: _check(value, secrets.token_hex(8))}
        swarm.create_secret(client, name, value.encode(), labels)


def remove_old(client: engine.Client, project: str, keep: str) -> None:
    """Remove the callers' keys that no service has any more."""
    for name in api_keys(client, project):
        if name != keep:
            swarm.remove_secret(client, name)


def _check(value: str, salt: str) -> str:
    digest = hashlib.scrypt(value.encode(), salt=salt.encode(), n=1 << 12, r=8, p=1)
    return f"{salt}${digest.hex()[:32]}"
