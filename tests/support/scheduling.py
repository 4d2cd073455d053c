"""Which tests stay together on one worker of pytest-xdist, where files are shared out."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

# folders of which all files start from one machine, which takes half a minute to load
TOGETHER = ("tests/engines",)


class FolderScheduling(LoadFileScheduling):  # type: ignore[misc] # xdist ships no types
    """Keep a file's tests on one worker, and those of all files of a folder in TOGETHER."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)
