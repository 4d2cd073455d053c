"""Write Swarm's stack file from `docker compose config` of our compose file.

It is written whole, with the digest of its text on top: one that was edited by hand is not
overwritten, and not deployed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.common import files
from scripts.common.errors import SutraError
from scripts.deploy import stack_service, written_file
from scripts.deploy.stack_service import COMPOSE, Options

FILE = Path(".build/swarm/stack.yml")
VERSION = "3.13"
# keys of compose's own answer that a network, a volume and a secret may have
NETWORK = ("name", "ipam", "internal", "labels")
VOLUME = ("name", "labels")
SECRET = ("name", "file")
TOP = ("name", "networks", "secrets", "services", "volumes")


@dataclass(frozen=True)
class Stack:
    """What Swarm gets, and the lines about what it cannot hold."""

    content: Mapping[str, Any]
    notes: Sequence[str]

    @property
    def text(self) -> str:
        """The file, with a line on top that says whether it still is as it was written."""
        body = yaml.safe_dump(dict(self.content), sort_keys=False, width=100)
        what = f"# Made of {COMPOSE} by ./sutra-deploy.sh, and written again by each `up`.\n"
        return written_file.marked(what + body)


def read(file: Path) -> dict[str, Any]:
    """Return what `docker compose config --format json` wrote. Raises SutraError."""
    try:
        config = json.loads(file.read_bytes())
        if not isinstance(config["services"], dict) or not isinstance(config["name"], str):
            raise ValueError("no services")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "not what compose writes"
        raise SutraError(f"{file}: {reason}", "run ./sutra-deploy.sh, which makes it") from error
    return dict(config)


def api_key(config: Mapping[str, Any]) -> str:
    """Return the callers' key, as compose found it in the environment or in `.env`, or ""."""
    for service in config["services"].values():
        if key := (service.get("environment") or {}).get(stack_service.API_KEY):
            return str(key)
    return ""


def make(config: Mapping[str, Any], options: Options) -> Stack:
    """Return the stack. Raises SutraError for a key that would be lost silently."""
    _only("", {key: 1 for key in config if not key.startswith("x-")}, TOP)
    services = [
        stack_service.convert(name, source, options) for name, source in config["services"].items()
    ]
    content: dict[str, Any] = {
        "version": VERSION,
        "services": {service.name: service.stack for service in services},
        "networks": {n: _network(n, v or {}) for n, v in config.get("networks", {}).items()},
        "volumes": {n: _volume(n, v or {}) for n, v in config.get("volumes", {}).items()},
        "secrets": {n: _secret(n, v, options) for n, v in config.get("secrets", {}).items()},
    }
    if options.api_key:
        content["secrets"]["api-key"] = {"external": True, "name": options.api_key}
    notes = dict.fromkeys(note for service in services for note in service.notes)
    return Stack(content, tuple(notes))


def _only(path: str, value: Mapping[str, Any], allowed: Sequence[str]) -> None:
    for key in value:
        if key not in allowed:
            raise SutraError(
                f"{COMPOSE}: {path}{key}: no counterpart in Swarm is known",
                "change it there or in docker-compose.override.yml; scripts/deploy/stack_file.py "
                "has what Swarm takes",
            )


def _network(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    _only(f"networks.{name}.", value, NETWORK)
    _only(f"networks.{name}.ipam.", value.get("ipam") or {}, ())
    network: dict[str, Any] = {"driver": "overlay", "labels": value.get("labels", {})}
    return {**network, "internal": True} if value.get("internal") else network


def _volume(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    _only(f"volumes.{name}.", value, VOLUME)
    return {"labels": value.get("labels", {})}


def _secret(name: str, value: Mapping[str, Any], options: Options) -> dict[str, Any]:
    _only(f"secrets.{name}.", value, SECRET)
    return {"external": True, "name": f"{options.project}-{name}"}


def write(stack: Stack, file: Path = FILE) -> None:
    """Write the file. Raises SutraError where the one that is there was edited by hand."""
    refuse_edited(file)
    files.write(file, stack.text, "swarm", f"`ls -ld {file.parent}` says more")


def refuse_edited(file: Path = FILE) -> None:
    """Raise SutraError for a file that is not as it was written."""
    tip = f"put the change into docker-compose.override.yml, then `rm {file}`"
    written_file.refuse_edited(file, tip)
