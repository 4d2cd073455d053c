"""Proofs run here: they let modules write below /dev, so folders are not in /dev/shm."""

from tests.support.on_disk import tmp_path

__all__ = ["tmp_path"]
