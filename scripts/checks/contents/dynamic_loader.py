"""Find libraries as a dynamic loader would, on an image's files.

glibc: ld.so(8) and elf/dl-load.c. DT_RPATH of the object and of those that loaded
it (ignored where DT_RUNPATH is there), LD_LIBRARY_PATH, DT_RUNPATH of the object
alone, the cache that ldconfig made, the default folders. musl: ldso/dynlink.c.
LD_LIBRARY_PATH, then either tag of the object and of those that loaded it, then
/etc/ld-musl-<machine>.path or its default folders.
"""

from __future__ import annotations

import posixpath
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from scripts.image.elf import Elf

if TYPE_CHECKING:
    from scripts.image.inventory import Entry, Inventory

MUSL = re.compile(r"(?:usr/)?lib/ld-musl-([^/]+)\.so\.1")
CACHE = "etc/ld.so.cache"
# default search path of Debian's and Fedora's glibc; {} is Debian's multiarch folder
DEFAULTS = ("/lib/{}", "/usr/lib/{}", "/lib64", "/usr/lib64", "/lib", "/usr/lib")
MUSL_DEFAULTS = ("/lib", "/usr/local/lib", "/usr/lib")
MULTIARCH = {
    "x86_64": "x86_64-linux-gnu",
    "aarch64": "aarch64-linux-gnu",
    "i386": "i386-linux-gnu",
    "arm": "arm-linux-gnueabihf",
}
# libraries that musl's loader is itself; ldso/dynlink.c, "reserved"
MUSL_OWN = re.compile(r"lib(c|pthread|rt|m|dl|util|xnet)\..*")
_TOKEN = re.compile(r"\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_]))")
# libraries that a program loads by path before what needs them → their folder beside that:
# `java` its virtual machine (JDK, src/java.base/unix/native/libjli/java_md.c, "LoadJavaVM")
LOADED_BEFORE = {"libjvm.so": "server"}
# objects of one process: more is no real program
MAX_LOADED = 2000
# most folders searched for one library; further ones count as missing
MAX_PLACES = 1000


_NONE = Elf("", "")


@dataclass(frozen=True)
class Missing:
    """A library that `path` needs and that the loader does not take.

    It has not the symbols of `version`, where that is given; it is there and `closed` to the
    image's user; or else it is not found.
    """

    path: str
    library: str
    version: str = ""
    closed: bool = False


@dataclass(frozen=True)
class Object:
    """An object as it was loaded: under which path, and for whom."""

    path: str
    elf: Elf
    loaded_by: Object | None = None


class Loader:
    """The loader of one image. `library_path` is its LD_LIBRARY_PATH.

    `reads` returns whether the user can open a path: what it cannot, the loader passes over.
    """

    def __init__(
        self,
        image: Inventory,
        library_path: str = "",
        reads: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._image, self._reads = image, reads
        self._library_path = tuple(filter(None, re.split("[:;]", library_path)))
        self._resolved: dict[str, Entry | None] = {}

    @cached_property
    def musl(self) -> str:
        """The machine of musl's loader ("x86_64"), or "" where glibc's is to be used."""
        names = [match[1] for path in self._image.files if (match := MUSL.fullmatch(path))]
        return names[0] if names else ""

    def find(self, path: str) -> Entry | None:
        """Return the entry that `path` leads to inside the image."""
        if path not in self._resolved:
            self._resolved[path] = self._image.resolve(path)
        return self._resolved[path]

    def closure(self, objects: Mapping[str, Elf]) -> Iterable[Missing]:
        """Return what is missing when each object that no other one loads is loaded.

        `objects` are ELF files by path. An extension module is loaded by an
        interpreter whose own libraries it does not rely on.
        """
        loads = {path: self._load(path, elf) for path, elf in objects.items()}
        inner = {other for path, (others, _) in loads.items() for other in others - {path}}
        covered: set[str] = set()
        all_missing: dict[Missing, None] = {}
        # a ring of objects that load each other has no outermost one: the rest comes last
        for path in sorted(loads, key=inner.__contains__):
            if path not in covered:
                others, missing = loads[path]
                covered |= {path, *others}
                all_missing.update(dict.fromkeys(missing))
        return all_missing

    def _load(self, path: str, elf: Elf) -> tuple[set[str], list[Missing]]:
        """Load one object and all it needs, breadth first, as the loader does.

        Return the paths of the files that were loaded for it, and what is missing.
        """
        queue = deque([Object(path, elf)])
        by_name = {elf.soname: elf} if elf.soname else {}
        loaded: dict[str, Elf] = {}
        missing = []
        while queue and len(loaded) < MAX_LOADED:
            user = queue.popleft()
            for name in user.elf.needed:
                if name in by_name:
                    continue
                library = self._search(name, user)
                by_name[name] = library.elf if library else _NONE
                if library is None:
                    missing.append(Missing(user.path, name, closed=self._is_closed(name, user)))
                elif library.path not in loaded and (entry := self.find(library.path)):
                    loaded[entry.path] = library.elf
                    by_name.setdefault(library.elf.soname, library.elf)
                    queue.append(library)
        objects = {path: elf, **loaded}
        return set(loaded), [*missing, *self._versions(objects, by_name)]

    def _versions(
        self, objects: Mapping[str, Elf], by_name: Mapping[str, Elf]
    ) -> Iterator[Missing]:
        """Yield symbol versions that an object needs of a library that has others.

        glibc, elf/dl-version.c: one without any is taken with a warning. musl does not ask.
        """
        for path, elf in objects.items() if not self.musl else ():
            for library, versions in elf.wants:
                there = by_name.get(library, _NONE).versions
                for version in versions if there else ():
                    if version not in there:
                        yield Missing(path, library, version)

    def _search(self, name: str, user: Object) -> Object | None:
        if self.musl and MUSL_OWN.fullmatch(name):
            return Object(f"lib/ld-musl-{self.musl}.so.1", user.elf, user)
        for place in islice(self._places(name, user), MAX_PLACES):
            # the loader skips files of another machine and unreadable ones
            if (elf := _fits(self.find(place), user)) and self._reads(place):
                return Object(posixpath.normpath(place).lstrip("/"), elf, user)
        return None

    def _is_closed(self, name: str, user: Object) -> bool:
        """Return whether a library that was not taken is there after all."""
        places = islice(self._places(name, user), MAX_PLACES)
        return any(_fits(self.find(place), user) for place in places)

    def _places(self, name: str, user: Object) -> Iterator[str]:
        if "/" in name:
            yield from self.expanded(name, user)
            return
        yield from (f"{at}/{name}" for at in self._folders(user))
        if not self.musl:
            yield from (at for at in self._cached if at.rpartition("/")[2] == name)
            yield from (f"{at}/{name}" for at in self._defaults(user.elf.machine))
        if name in LOADED_BEFORE:
            yield posixpath.join(posixpath.dirname(user.path), LOADED_BEFORE[name], name)

    def _folders(self, user: Object) -> Iterator[str]:
        """Yield the folders that the object, its loaders and the image name, in order."""
        if self.musl:
            yield from self._library_path
            for loader in _chain(user):
                yield from self._all_expanded(loader.elf.runpath or loader.elf.rpath, loader)
            yield from self._musl_folders
            return
        if not user.elf.runpath:
            for loader in _chain(user):
                if not loader.elf.runpath:
                    yield from self._all_expanded(loader.elf.rpath, loader)
        yield from self._library_path
        yield from self._all_expanded(user.elf.runpath, user)

    def _all_expanded(self, folders: tuple[str, ...], of: Object) -> Iterator[str]:
        return (place for folder in folders for place in self.expanded(folder, of))

    @staticmethod
    def expanded(text: str, of: Object) -> list[str]:
        """Return `text` with $ORIGIN, $LIB and $PLATFORM filled in; $LIB has several forms.

        A path that is not absolute then depends on the working folder: none.
        """
        multiarch = MULTIARCH.get(of.elf.machine, "")
        forms = ("lib", "lib64", f"lib/{multiarch}") if "LIB" in text else ("",)
        origin = "/" + posixpath.dirname(of.path)
        filled = (
            _fill(text, {"ORIGIN": origin, "LIB": form, "PLATFORM": of.elf.machine})
            for form in forms
        )
        return [place for place in filled if place.startswith("/")]

    @cached_property
    def _cached(self) -> tuple[str, ...]:
        """The paths in ld.so.cache, whose strings end with NUL (elf/cache.c)."""
        text = self._image.text(CACHE) or ""
        return tuple(part for part in text.split("\0") if part.startswith("/"))

    @cached_property
    def _musl_folders(self) -> tuple[str, ...]:
        text = self._image.text(f"etc/ld-musl-{self.musl}.path")
        return MUSL_DEFAULTS if text is None else tuple(re.split("[:\n]", text.strip()))

    @staticmethod
    def _defaults(machine: str) -> Iterator[str]:
        multiarch = MULTIARCH.get(machine)
        return (at.format(multiarch) for at in DEFAULTS if multiarch or "{}" not in at)


def _fill(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with the value in place of each dynamic string token."""
    return _TOKEN.sub(lambda match: values[match[1] or match[2]], text)


def _fits(entry: Entry | None, user: Object) -> Elf | None:
    """Return what a file is, where it is of the machine of `user`."""
    elf = entry.elf if entry else None
    return elf if elf and elf.machine == user.elf.machine else None


def _chain(user: Object | None) -> Iterator[Object]:
    while user:
        yield user
        user = user.loaded_by
