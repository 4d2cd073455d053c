"""Values of the current request, for any code that needs them."""

from contextvars import ContextVar

# The id of the request that is being answered, or "" outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="")
