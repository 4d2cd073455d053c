"""Collect manifest entries, trial by trial, until a package works."""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml
from sutra_cleanup.errors import Fix

# policies of a manifest that says nothing of them, by the kind of fix
OFF: dict[str, object] = {"strip": "off", "dedupe": False, "descriptions": "keep"}


@dataclass
class Entries:
    """The entries that one package needs beside the shared rules."""

    keep: list[str] = field(default_factory=list)
    cached: list[str] = field(default_factory=list)
    docstrings: list[str] = field(default_factory=list)
    policies: dict[str, object] = field(default_factory=dict)

    def take(self, fix: Fix) -> bool:
        """Add a fix; return whether anything is new.

        The second file of a package makes it the whole package: one file after the other
        would take a trial each.
        """
        if fix.kind in OFF:
            new = fix.kind not in self.policies
            self.policies[fix.kind] = OFF[fix.kind]
            return new
        places = {"keep": self.keep, "cached": self.cached, "docstrings": self.docstrings}
        if fix.kind not in places or not fix.place:
            return False
        globs = places[fix.kind]
        top = fix.place.partition("/")[0] + "/"
        beside = any(glob.startswith(top) for glob in globs)
        glob = top if beside and fix.kind != "keep" else fix.place
        if glob in globs:
            return False
        globs[:] = [
            kept_glob for kept_glob in globs if glob != top or not kept_glob.startswith(top)
        ]
        globs.append(glob)
        return True

    def manifest(self) -> dict[str, object]:
        """Return them as the keys of a manifest, only those that hold anything."""
        content = dict(self.policies)
        if self.docstrings:
            content["docstrings"] = {"keep": self.docstrings}
        if self.cached:
            content["bytecode"] = {"cached": self.cached}
        if self.keep:
            rule = {"why": "the package needs it", "keep": self.keep}
            content["rules"] = {"needed": rule}
        return content

    def text(self) -> str:
        """Return them in one line of YAML, "" for none."""
        text = yaml.safe_dump(self.manifest(), default_flow_style=True, width=10_000).strip()
        return text[1:-1]
