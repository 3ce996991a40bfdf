"""Long-polls: who waits for an answer, and that nobody waits while the service stops.

Waiting looks at the store again and again, because the answer may come through another process (the
operator's command, another replica). The number of those who wait is bounded; one too many is answered
at once with what stands, which is what a long-poll may always do.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

State = TypeVar("State")

LONGEST = 30
LOOK_EVERY = 0.5
MOST_WAITING = 500


class Waiting:
    """The long-polls of one process."""

    def __init__(self) -> None:
        self.stopping = False
        self._waiting = 0

    def stop(self) -> None:
        """End every long-poll within `LOOK_EVERY`, with what stands. Safe to call from a signal handler."""
        self.stopping = True

    async def until(
        self, look: Callable[[], State], done: Callable[[State], bool], *, seconds: int, request: Request
    ) -> State:
        """Return what `look` sees: as soon as it is `done`, and after `seconds` (30 at most) in any case.

        The caller's connection is watched: nobody looks for somebody who has gone.
        """
        state = look()
        if self._waiting >= MOST_WAITING:
            return state
        deadline = time.monotonic() + min(seconds, LONGEST)
        self._waiting += 1
        try:
            while not done(state) and not self.stopping:
                left = deadline - time.monotonic()
                if left <= 0 or await request.is_disconnected():
                    break
                await asyncio.sleep(min(LOOK_EVERY, left))
                state = look()
        finally:
            self._waiting -= 1
        return state
