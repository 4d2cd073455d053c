"""Helpers behind the make targets, one verb a module."""
