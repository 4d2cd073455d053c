"""h11, a little stricter.

h11 itself bounds the head, refuses HTTP/1.1 without exactly one Host, and keeps trailers apart from
the head.
"""

import h11

# Bytes of a request's line and headers.
MAX_HEAD_BYTES = 16 * 1024
# Chunks of a body beyond the first thousand hold so many bytes on average: each takes time.
FREE_CHUNKS = 1000
MIN_CHUNK_BYTES = 16


class Parser(h11.Connection):
    """One length of a body, and no more chunks than it needs."""

    chunks = 0
    chunk_bytes = 0

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return the next event; raise RemoteProtocolError."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self.chunks = self.chunk_bytes = 0
            return _checked(event)
        elif isinstance(event, h11.Data):
            self.chunks += event.chunk_end  # an event may hold a part of one
            self.chunk_bytes += len(event.data)
            if self.chunks > FREE_CHUNKS and self.chunk_bytes < self.chunks * MIN_CHUNK_BYTES:
                raise h11.RemoteProtocolError("chunks are too small")
        return event


def _checked(request: h11.Request) -> h11.Request:
    """Return a request whose target is a path (RFC 9112, 3.2.2); raise RemoteProtocolError.

    Two lengths are how a request is hidden in another one (RFC 9112, 11.2).
    """
    names = {name for name, _ in request.headers}
    wrong = b"content-length" in names or request.http_version < b"1.1"
    if b"transfer-encoding" in names and wrong:
        raise h11.RemoteProtocolError("two lengths, or chunks in HTTP/1.0")
    if request.target.startswith(b"http://"):
        slash, path = request.target[7:].partition(b"/")[1:]
        return h11.Request(
            method=request.method,
            target=(slash or b"/") + path,
            headers=request.headers,
            http_version=request.http_version,
        )
    return request
