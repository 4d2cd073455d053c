"""Query parameters that a route does not have are refused, as unknown fields of a body are."""

from fastapi import HTTPException, Request


# A coroutine, as every dependency here: FastAPI runs others in a thread, which takes longer than
# they do, and lets other requests in between parsing a body and checking it.
async def known_query(request: Request) -> None:
    """Raise HTTPException 400 for a query parameter that the route does not have, or twice."""
    names = [field.alias for field in request.scope["route"].dependant.query_params]
    sent = [name for name, _ in request.query_params.multi_items()]
    if not set(sent) <= set(names):
        raise HTTPException(400, f"query: unknown parameter, known: {', '.join(names) or 'none'}")
    if len(set(sent)) < len(sent):
        raise HTTPException(400, "query: the same parameter twice")
