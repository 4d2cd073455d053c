"""The newest versions by the package indexes, and the advisories about locked ones.

PyPI's JSON API (https://docs.pypi.org/api/json/) and the sparse index of crates
(https://doc.rust-lang.org/cargo/reference/registry-index.html), at the mirrors of
PIP_INDEX_URL and CARGO_REGISTRY. A version that was yanked or is a pre-release is not taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from packaging.version import InvalidVersion, Version

from scripts.common import web
from scripts.common.deadline import within
from scripts.common.errors import SutraError
from scripts.sbom.locked import PYPI, Locked

PYPI_HOME, CRATES_HOME = "https://pypi.org", "https://index.crates.io"
KNOBS = {PYPI: "PIP_INDEX_URL", "cargo": "CARGO_REGISTRY"}
SECONDS, WHOLE_SECONDS = (10, 30), 60
# the most bytes of an answer; the largest project of PyPI has 40 MB
MOST = 64 << 20
THREADS = 8
NOT_FOUND = 404
# a version of a crate that is no pre-release; what follows + does not count
_RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:\+[\w.-]*)?", re.ASCII)
_ADVISORY = re.compile(r"[A-Za-z0-9-]{1,40}")


@dataclass(frozen=True)
class Newer:
    """A locked version, the newest one, and the advisories about the locked one.

    `advisories` is None where the index does not answer about single versions.
    """

    locked: Locked
    newest: str
    advisories: tuple[str, ...] | None


@dataclass(frozen=True)
class Indexes:
    """Where both indexes are asked, and the connections to them."""

    pypi: str
    crates: str
    session: requests.Session


def indexes(environment: Mapping[str, str]) -> Indexes:
    """Return the indexes of the knobs. Raises SutraError for anything but an address."""
    pypi = (environment.get(KNOBS[PYPI]) or PYPI_HOME).rstrip("/").removesuffix("/simple")
    crates = (environment.get(KNOBS["cargo"]) or CRATES_HOME).removeprefix("sparse+").rstrip("/")
    for knob, address in zip(KNOBS.values(), (pypi, crates), strict=True):
        if not web.is_address(address):
            raise SutraError(f"{knob}: not an address of http or https", f"{knob}=https://…")
    return Indexes(pypi, crates, web.session(environment))


def outdated(locked: Sequence[Locked], places: Indexes) -> list[Newer]:
    """Return what has a newer version or an advisory, in the order given.

    Raises SutraError where an index does not answer, or answers something else.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            answers = list(pool.map(lambda dependency: _ask(dependency, places), locked))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # a silent index is asked no more
            raise
    return [
        answer for answer in answers if answer.newest != answer.locked.version or answer.advisories
    ]


def _ask(dependency: Locked, places: Indexes) -> Newer:
    try:
        if dependency.kind == PYPI:
            return _of_pypi(dependency, places)
        path = _crate_path(dependency.name)
        lines = [json.loads(line) for line in _get(f"{places.crates}/{path}", places).splitlines()]
        return Newer(dependency, newest_crate(dependency.version, lines), ())
    except (requests.RequestException, OSError, ValueError, LookupError, TypeError,
            AttributeError, RecursionError) as error:  # fmt: skip # a list of words
        knob = KNOBS[dependency.kind]
        host = urlsplit(places.pypi if dependency.kind == PYPI else places.crates).hostname
        raise SutraError(
            f'outdated: {host}: no answer about "{dependency.name}": {_problem(error)}',
            f"check {knob} and CA_BUNDLE, or run it again",
        ) from error


def _problem(error: Exception) -> str:
    """Return a problem without the address: it may hold a login."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    return web.silence(error) or "odd form"


def _of_pypi(dependency: Locked, places: Indexes) -> Newer:
    name = quote(dependency.name, safe="")
    project = json.loads(_get(f"{places.pypi}/pypi/{name}/json", places))
    best = newest_distribution(dependency.version, project["releases"])
    return Newer(dependency, best, _advisories(dependency, name, project, places))


def _advisories(
    dependency: Locked, name: str, project: Mapping[str, Any], places: Indexes
) -> tuple[str, ...] | None:
    """Return those about the locked version; a project's own document has its latest one's."""
    if str(project["info"]["version"]) != dependency.version:
        version = quote(dependency.version, safe="+!")
        try:
            project = json.loads(_get(f"{places.pypi}/pypi/{name}/{version}/json", places))
        except requests.HTTPError as error:
            if error.response.status_code == NOT_FOUND:
                return None
            raise
    valid = (
        advisory
        for advisory in project.get("vulnerabilities") or ()
        if not advisory.get("withdrawn")
    )
    return tuple(sorted(map(_name, valid)))


def _name(advisory: Mapping[str, Any]) -> str:
    """Return the CVE of an advisory, else its own name."""
    names = [*map(str, advisory.get("aliases") or ()), str(advisory["id"])]
    name = next((alias for alias in names if alias.startswith("CVE-")), names[-1])
    if not _ADVISORY.fullmatch(name):
        raise ValueError(name)
    return name


def newest_distribution(locked: str, releases: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return the highest release that has a file and is not yanked, `locked` where none is."""
    best = Version(locked)
    for text, files in releases.items():
        try:
            version = Version(text)
        except InvalidVersion:
            continue
        if version > best and not version.is_prerelease and any(not f["yanked"] for f in files):
            best = version
    return locked if best == Version(locked) else str(best)


def newest_crate(locked: str, lines: Iterable[Mapping[str, Any]]) -> str:
    """Return the highest version that is not yanked, `locked` where none is higher."""
    core, is_early, _ = locked.partition("+")[0].partition("-")
    best, newest = _numbers(core), locked
    for line in lines:
        numbers = _numbers(str(line["vers"]))
        is_release_of = is_early and numbers == best  # 1.0.0 is above 1.0.0-rc.1
        if numbers and not line["yanked"] and (numbers > best or is_release_of):
            best, newest, is_early = numbers, str(line["vers"]), ""
    return newest


def _numbers(version: str) -> tuple[int, ...]:
    match = _RELEASE.fullmatch(version)
    return tuple(map(int, match.groups())) if match else ()


def _crate_path(name: str) -> str:
    """Return where the index keeps a crate: "se/rd/serde", "3/s/syn"."""
    low = name.lower()
    if len(low) < 4:
        return f"{len(low)}/{low}" if len(low) < 3 else f"3/{low[0]}/{low}"
    return f"{low[:2]}/{low[2:4]}/{low}"


def _get(address: str, places: Indexes) -> bytes:
    return within(WHOLE_SECONDS, lambda: _read(address, places))


def _read(address: str, places: Indexes) -> bytes:
    trusted = places.session.verify  # else REQUESTS_CA_BUNDLE would win
    with places.session.get(address, timeout=SECONDS, stream=True, verify=trusted) as answer:
        answer.raise_for_status()
        return web.body(answer, MOST)
