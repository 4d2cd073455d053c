"""Which tags a version sets: itself, and those floating tags on which it is the newest."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.version import InvalidVersion, Version

from scripts.common.errors import SutraError
from scripts.common.text import escaped


class VersionError(SutraError):
    """A text is no version that a tag can hold."""


LATEST = "latest"
# the longest tag that registries take (OCI distribution specification, "pulling manifests")
LONGEST = 128
EXAMPLE = "such as VERSION=1.4.2, or VERSION=1.4.2rc1 before it"


def parse(text: str, knob: str = "VERSION") -> Version:
    """Return the version that a person named: major.minor.patch and what PEP 440 adds.

    Raises SutraError for what is no version, what a tag cannot hold, and what PEP 440
    and semver read as two different things ("1.4.2-1": a post-release, or a pre-release).
    """
    too_long = VersionError(f"{knob}: longer than the {LONGEST} characters of a tag", EXAMPLE)
    if len(text) > LONGEST:  # Python refuses to read a number of more than 4300 digits
        raise too_long
    shown = f'"{escaped(text)}"'
    try:
        version = Version(text)
    except InvalidVersion as error:
        raise VersionError(f"{knob}: not a version {shown}", EXAMPLE) from error
    if version.epoch or len(version.release) != 3:
        raise VersionError(f"{knob}: not major.minor.patch {shown}", EXAMPLE)
    if version.local:
        raise VersionError(
            f'{knob}: a tag cannot hold "+" {shown}', f'leave "+{version.local}" out'
        )
    if "-" in text and not version.is_prerelease:
        raise VersionError(
            f"{knob}: a pre-release to semver, a post-release to PEP 440 {shown}",
            f'write "{version}", or a pre-release as "{version.base_version}rc1"',
        )
    if len(str(version)) > LONGEST:  # "1.0.0c" is "1.0.0rc0"
        raise too_long
    return version


def of_tags(tags: Iterable[str]) -> set[Version]:
    """Return those of `tags` that are versions as `parse` would set them, and no others.

    Other tools set "v1.4.2" for the same version: floating tags must not go back behind it.
    """
    versions = set()
    for tag in tags:
        try:
            version = parse(tag)
        except VersionError:
            continue
        if str(version) == tag.removeprefix("v"):
            versions.add(version)
    return versions


def tags_of(version: Version, others: Iterable[Version]) -> list[str]:
    """Return the tags that `version` sets where `others` were set already.

    1.4.2 sets "1.4.2", "1.4", "1" and "latest", each floating one only where none of
    `others` that it would cover is newer. A pre-release sets its own and no other.
    """
    if version.is_prerelease:
        return [str(version)]
    names = [str(version)]
    finals = [other.release for other in others if not other.is_prerelease and other > version]
    for length in (2, 1, 0):
        covered = version.release[:length]
        if not any(newer[:length] == covered for newer in finals):
            names.append(".".join(map(str, covered)) or LATEST)
    return names


def is_version(tag: str) -> bool:
    """Tell a tag that is set once and for ever from one that floats."""
    return bool(of_tags([tag]))
