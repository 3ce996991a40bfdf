"""HTTP connections that are patient, but not forever: whoever sends headers byte by byte is let go.

Uvicorn limits how long an idle connection is kept, not how long the headers of a call may take.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from typing import Any

HEADER_SECONDS = 10.0


class PatientProtocol(H11Protocol):
    """Uvicorn's h11 protocol with a time limit from a call's first byte (or the connection) to its last header."""

    header_seconds = HEADER_SECONDS

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock with the connection."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Stop the clock when a call is whole, and start it with the next."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._rest()
        elif self.timeout_keep_alive_task is None:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._rest()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Start the clock, unless it runs already: more bytes don't buy more time."""
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.header_seconds, self._let_go)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _let_go(self) -> None:
        self._deadline = None
        self.timeout_keep_alive_handler()
