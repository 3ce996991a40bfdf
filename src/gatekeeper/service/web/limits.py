"""How many calls one address may make: a bucket for each, refilled steadily, in the memory of each process.

It keeps one machine that loops from using up what all share. What must hold exactly (guesses of one-time codes) is
counted in the store instead. A whole office behind one address stays far below: a workstation renews every few
minutes. An IPv6 network of /64 counts as one address.
"""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PER_SECOND = 100.0
BURST = 1000.0
_MOST_ADDRESSES = 10_000


class Limiter:
    """The buckets of one process. `clock` gives seconds that only grow."""

    def __init__(
        self,
        *,
        per_second: float = PER_SECOND,
        burst: float = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # address → what was left, when

    def wait_for(self, address: str) -> int:
        """Count one call from `address`; return the seconds until another is welcome, 0 where this one is."""
        now = self._clock()
        name = _network_of(address)
        left, at = self._buckets.pop(name, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        if left < 1:
            self._buckets[name] = (left, now)
            return max(1, round((1 - left) / self._per_second))
        if len(self._buckets) >= _MOST_ADDRESSES:
            # The one that was heard of least lately goes: forgetting errs on the side of answering.
            self._buckets.pop(next(iter(self._buckets)))
        self._buckets[name] = (left - 1, now)
        return 0


def _network_of(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 6:
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
