"""The platforms of images: PLATFORMS, read in one place, and how an image of another one is named.

An image of this machine's own platform is `sutra-api`, one of another platform
`arm64/sutra-api`: a repository of its own in the engine, because the classic image store keeps no
index. In a registry both are in one index, under one tag.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping

from scripts.common import settings
from scripts.common.errors import SutraError
from scripts.common.text import escaped

KNOB = "PLATFORMS"
# architectures that base-images/packages.lock has packages of, in the order of their names
ARCHITECTURES = ("amd64", "arm64")
KNOWN = tuple(f"linux/{name}" for name in ARCHITECTURES)
# architecture of this machine's own images; those of another platform name theirs
OWN = ""
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
EXAMPLE = f"such as {KNOB}={','.join(KNOWN)}"


def own_architecture() -> str:
    """Return this machine's architecture as Docker calls it: "amd64"."""
    machine = platform.machine()
    return _MACHINES.get(machine, machine)


def name_of(architecture: str) -> str:
    """Return the platform of an architecture: "linux/arm64"; OWN is this machine's."""
    return f"linux/{architecture or own_architecture()}"


def read(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the architectures of PLATFORMS, in their order; only OWN without it.

    This machine's own is OWN. Raises SutraError for a value that is not a list of platforms.
    """
    text = environment.get(KNOB, "")
    if not text:
        return (OWN,)
    names = [name.strip() for name in text.split(",")]
    for at, name in enumerate(names):
        if not name:
            raise SutraError(f'{KNOB}: an empty name in "{escaped(text)}"', EXAMPLE)
        if name not in KNOWN:
            raise SutraError(
                f'{KNOB}: unknown "{escaped(name)}"', f"choose from {', '.join(KNOWN)}; {EXAMPLE}"
            )
        if name in names[:at]:
            raise SutraError(f'{KNOB}: named twice "{name}"', EXAMPLE)
    own = name_of(OWN)
    architectures = tuple(OWN if name == own else name.partition("/")[2] for name in names)
    _refuse_alpine(environment, architectures)
    return architectures


def _refuse_alpine(environment: Mapping[str, str], architectures: Iterable[str]) -> None:
    """Raise SutraError for Alpine on another platform: none of its locks and budgets are there."""
    base = settings.base(environment)
    for architecture in architectures:
        if architecture and base != settings.BASES[0]:
            raise SutraError(
                f"{KNOB}: BASE={base} is built for this machine's {name_of(OWN)} alone, "
                f'not for "{name_of(architecture)}"',
                f"leave {KNOB} out, or build with BASE={settings.BASES[0]}",
            )


def refuse_others(environment: Mapping[str, str], command: str) -> None:
    """Raise SutraError where PLATFORMS names another platform, which a command does not take."""
    if others := [architecture for architecture in read(environment) if architecture]:
        raise SutraError(
            f"{KNOB}: `make {command}` takes this machine's {name_of(OWN)} alone, "
            f'not "{name_of(others[0])}"',
            f"leave {KNOB} out",
        )


def image_name(architecture: str, image: str) -> str:
    """Return the repository of an image in the engine: "sutra-api" or "arm64/sutra-api"."""
    return f"{architecture}/{image}" if architecture else image


def suffixed(architecture: str, name: str) -> str:
    """Return what is kept for an image of a platform: "sutra-api", or "sutra-api-arm64"."""
    return f"{name}-{architecture}" if architecture else name


def shown(architecture: str, image: str) -> str:
    """Return an image as messages call it: "debian:13", or "debian:13 (linux/arm64)"."""
    return f"{image} ({name_of(architecture)})" if architecture else image


def split(name: str) -> tuple[str, str]:
    """Return the architecture (OWN: this machine's) and the image of a name."""
    architecture, slash, image = name.partition("/")
    return (architecture, image) if slash and architecture in ARCHITECTURES else (OWN, name)


def image_of(name: str) -> str:
    """Return the image of a name, whatever its platform: "sutra-api" for "arm64/sutra-api"."""
    return split(name)[1]


def architectures_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the architectures in names of images, each once."""
    return tuple(dict.fromkeys(split(name)[0] for name in names))
