"""The errors of this service, in a module that does not load the libraries that build an index."""


class BuildFailed(Exception):
    """There is no index of what the storage holds; the text says why."""


class NotReady(Exception):
    """There is no snapshot to ask yet."""
