"""Budgets of images.yaml: the most that an image may be, and that its start may take."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from scripts.catalog.catalog_node import Node
from scripts.common import platforms, settings

SIZES = ("installed", "download", "download.zstd", "because")
# keys of a budget that are about a service that runs
SERVICE = ("ready", "memory", "start-cpu", "ready-at-quarter")
# the one of them that depends on sizes, so that each root has its own
FRESH = "fresh"
# roots, and architectures on the default root, that a budget may have sizes of its own for
OTHERS = (*settings.BASES[1:], *platforms.ARCHITECTURES[1:])


@dataclass(frozen=True)
class Budget:
    """The most bytes that an image may be: unpacked, and compressed for a pull.

    A service has more: `ready`, the milliseconds from its start to its first healthy
    answer; `memory`, the bytes that it holds by then; `start_cpu`, the milliseconds of
    processor time that its start takes; `ready_at_quarter`, those until it is ready with a
    quarter of a processor; `fresh`, those on a node that has to pull and unpack it first.
    """

    installed: int
    download: int
    because: str = ""  # why it was raised
    ready: int | None = None
    memory: int | None = None
    start_cpu: int | None = None
    ready_at_quarter: int | None = None
    download_zstd: int | None = None  # the layers packed by zstd, for COMPRESSION=zstd
    fresh: int | None = None
    base: str = ""  # the root or architecture that it is for; "" for the default, or for any

    @property
    def key(self) -> str:
        """Its key path within its entry of the file: "budget", "budget.alpine", "budget.arm64"."""
        return f"budget.{self.base}" if self.base else "budget"


def variant(base: str, architecture: str) -> str:
    """Return which of OTHERS holds for a root and an architecture, "" for the default."""
    own = architecture or platforms.own_architecture()
    return next((choice for choice in (base, own) if choice in OTHERS), "")


def read_budgets(node: Node, keys: Collection[str], base: str) -> tuple[Budget, tuple[Budget, ...]]:
    """Return the budget that holds for `base`, one of OTHERS or "", and those that do not.

    A root or an architecture without sizes of its own has the default one's. Times and memory
    are the same promise for all.
    """
    outer = node.child("budget", (*keys, *OTHERS))
    is_service = "ready" in outer.value
    budgets = {"": _budget(outer, is_service=is_service)}
    for name in OTHERS:
        if name in outer.value:
            inner = outer.child(name, (*SIZES, *((FRESH,) if FRESH in keys else ())))
            own = _budget(inner, name, is_service=is_service)
            same = (key.replace("-", "_") for key in SERVICE)
            budgets[name] = replace(own, **{key: getattr(budgets[""], key) for key in same})
    holds = budgets.pop(base, None) or budgets.pop("")
    return holds, tuple(budgets.values())


def _budget(budget: Node, base: str = "", *, is_service: bool) -> Budget:
    for key in (*SERVICE[1:], FRESH):
        if key in budget.value and not is_service:
            raise budget.error(key, "of a service alone, and it has no ready:", budget.value[key])
    return Budget(
        budget.size("installed"),
        budget.size("download"),
        budget.text("because"),
        budget.time("ready") if "ready" in budget.value else None,
        budget.size("memory") if "memory" in budget.value else None,
        budget.time("start-cpu") if "start-cpu" in budget.value else None,
        budget.time("ready-at-quarter") if "ready-at-quarter" in budget.value else None,
        budget.size("download.zstd") if "download.zstd" in budget.value else None,
        budget.time(FRESH) if FRESH in budget.value else None,
        base,
    )
