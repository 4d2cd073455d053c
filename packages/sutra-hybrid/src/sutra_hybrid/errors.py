"""What can go wrong here, apart from the libraries that build: they are loaded late."""


class BuildFailed(Exception):
    """There is no index of what the storage holds; the text says why."""


class NotReady(Exception):
    """There is no snapshot to ask yet."""
