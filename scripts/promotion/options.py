"""The knobs of everything that moves tags, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scripts.checks import package_tests
from scripts.common import settings
from scripts.common.errors import SutraError
from scripts.oci import registry_tags
from scripts.promotion import versions
from scripts.signing import transparency_log

KEEP = 5


@dataclass(frozen=True)
class Options:
    """The knobs of everything that moves tags; `keep` is how many promotions stay."""

    version: str = ""
    registry: str = ""
    to: str = ""
    keep: int = KEEP
    allow_dirty: bool = False
    allow_uncompared: bool = False
    dry_run: bool = False
    skip_tests: bool = False
    sign_key: str = ""
    compression: str = settings.GZIP
    log: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Options:
        """Return the knobs as the environment has them. Raises SutraError for a wrong one."""
        keep = environment.get("KEEP") or str(KEEP)
        if not (keep.isascii() and keep.isdigit() and int(keep[:9]) > 0):
            raise SutraError(f'KEEP: not a whole number of 1 or more "{keep}"', "such as KEEP=5")
        version, address = environment.get("VERSION", ""), environment.get("REGISTRY", "")
        return cls(
            str(versions.parse(version)) if version else "",
            registry_tags.check(address) if address else "",
            environment.get("TO", ""),
            int(keep[:9]),
            settings.flag(environment, "ALLOW_DIRTY"),
            settings.flag(environment, "ALLOW_UNCOMPARED"),
            settings.flag(environment, "DRY_RUN"),
            package_tests.skips(environment),
            environment.get("SIGN_KEY", ""),
            settings.compression(environment),
            environment.get(transparency_log.KNOB, ""),
        )._checked()

    def _checked(self) -> Options:
        """Raise SutraError for knobs that do not go together."""
        if self.skip_tests and self.version:
            raise SutraError(
                f'VERSION: "{self.version}" needs the packages\' tests, and '
                f"{package_tests.SKIPPED} leaves them out",
                f"leave out {package_tests.SKIPPED}",
            )
        transparency_log.require_key(self.log, self.sign_key)
        if self.compression == settings.ZSTD and not self.registry:
            raise SutraError(
                "COMPRESSION: zstd is for a registry, and REGISTRY names none",
                "such as REGISTRY=localhost:5000/me; the engine's own images stay as they are",
            )
        return self
