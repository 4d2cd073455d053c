"""What belongs to one request, wherever the code is that needs it."""

from contextvars import ContextVar

# The id of the request that is being answered, or "" outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="")
