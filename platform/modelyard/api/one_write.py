"""Answers in one write to the connection, past uvicorn's `send`.

That looks at every header of ours by two regular expressions, and writes the head and the body apart: together they
cost what the prediction of a small model does.
"""

from __future__ import annotations

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from modelyard.api.endpoints import Answer

__all__ = ["OneWrite"]

# what `write` reads and sets; another version of uvicorn may keep its state elsewhere
STATE = frozenset(
    {
        "access_log",
        "chunked_encoding",
        "default_headers",
        "disconnected",
        "expected_content_length",
        "flow",
        "keep_alive",
        "message_event",
        "on_response",
        "response_complete",
        "response_started",
        "scope",
        "transport",
    }
)


class OneWrite:
    """Writes the answers of one lane.

    Attributes:
        possible: Whether uvicorn keeps its state where it is expected.
    """

    def __init__(self) -> None:
        self.possible = STATE.issubset(RequestResponseCycle.__init__.__code__.co_names)
        self._defaults: list[tuple[bytes, bytes]] = []
        self._default_lines = b""

    def write(self, send: Send, answer: Answer, request_id: bytes) -> bool:
        """Writes an answer, unless there is anything about it or its connection that uvicorn has to look after.

        Args:
            send: What the server gave for this request.
            answer: The whole of it.
            request_id: Visible ASCII.

        Returns:
            Whether it was written; where not, nothing was sent.
        """
        cycle = getattr(send, "__self__", None)
        if (
            type(cycle) is not RequestResponseCycle
            or not self.possible
            or answer.status != 200
            or answer.headers
            or not cycle.keep_alive
            or cycle.access_log
            or cycle.disconnected
            or cycle.flow.write_paused
            or cycle.scope["method"] == "HEAD"
        ):
            return False
        if cycle.default_headers is not self._defaults:  # uvicorn makes the list anew when the date changes
            self._defaults = cycle.default_headers
            self._default_lines = b"".join(b"%s: %s\r\n" % header for header in self._defaults)
        body = answer.body
        cycle.transport.write(
            b"HTTP/1.1 200 OK\r\n%scontent-type: %s\r\ncontent-length: %d\r\nx-request-id: %s\r\n"
            b"x-content-type-options: nosniff\r\n\r\n%s"
            % (self._default_lines, answer.media_type, len(body), request_id, body)
        )
        # the state that `send` would have left
        cycle.response_started = cycle.response_complete = True
        cycle.chunked_encoding, cycle.expected_content_length = False, 0
        cycle.message_event.set()
        cycle.on_response()
        return True
