"""Errors of calls to the storage."""

from typing import Any


class StorageError(Exception):
    """The storage did not do what it was asked."""


class StorageUnavailable(StorageError):
    """The storage cannot be reached, is too slow, or answers outside its contract."""


class AnswerTooLarge(StorageUnavailable):
    """The storage's answer is larger than this process wants to hold; fewer rows may be asked."""


class StorageRefused(StorageError):
    """The storage answered with an error; `problem` is its problem+json body.

    `retry_after` is its header of that name. `sent_again`: this is the answer to a second try, so
    that the first one may have had its effect.
    """

    def __init__(
        self, problem: dict[str, Any], retry_after: str | None = None, sent_again: bool = False
    ) -> None:
        """Take the body with the keys type, title, status and detail."""
        super().__init__(f"{problem['status']} {problem['detail']}")
        self.problem = problem
        self.retry_after = retry_after
        self.sent_again = sent_again


class NotFound(StorageRefused):
    """The storage has nothing under this id."""
