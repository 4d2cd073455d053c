"""Fixtures of every test here: those that all services share."""

from storage_fixtures import anyio_backend, fake

__all__ = ["anyio_backend", "fake"]
