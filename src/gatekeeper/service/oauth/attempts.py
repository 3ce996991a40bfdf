"""Counting wrong guesses in the store, so that all replicas count together.

A bucket (what is limited, for whom) has a window of ten minutes and a count. Whoever never guesses wrong is
never counted. Two limits: after a few wrong codes further wrong ones are told to wait, while a right code from
the same address is still taken, so that one clumsy colleague locks nobody out; after a flood nothing is looked
up at all, so that nobody can try many codes, however much of one is known.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, text

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.store.tables.oauth import attempts

if TYPE_CHECKING:
    from sqlalchemy import Connection

WINDOW_SECONDS = 600
PER_ADDRESS = 10
IN_ALL = 500
FLOOD = 10  # times either limit
_ALL = "invite:all"

_count = text(
    "INSERT INTO attempts (bucket, window_at, count) VALUES (:bucket, :now, 1) "
    "ON CONFLICT (bucket) DO UPDATE SET "
    "count = CASE WHEN attempts.window_at <= :over THEN 1 ELSE attempts.count + 1 END, "
    "window_at = CASE WHEN attempts.window_at <= :over THEN :now ELSE attempts.window_at END"
)


def check_flood(tx: Connection, *, address: str, now: int) -> None:
    """Refuse any code where a flood of wrong ones came from here, or from everywhere. Errors as `check_attempts`."""
    _check(tx, address, now, times=FLOOD)


def check_attempts(tx: Connection, *, address: str, now: int) -> None:
    """Refuse one more wrong code where too many came from here, or from everywhere.

    Raises:
        GatekeeperError: GK206, with the fact `retry_after` in seconds.
    """
    _check(tx, address, now, times=1)


def _check(tx: Connection, address: str, now: int, *, times: int) -> None:
    for bucket, limit in ((_bucket_of(address), PER_ADDRESS * times), (_ALL, IN_ALL * times)):
        row = tx.execute(
            select(attempts.c.window_at, attempts.c.count).where(attempts.c.bucket == bucket)
        ).one_or_none()
        if row is None:
            continue
        window_at, count = row
        if window_at + WINDOW_SECONDS > now and count >= limit:
            wait_for = window_at + WINDOW_SECONDS - now
            minutes = -(-wait_for // 60)
            raise GatekeeperError(
                "GK206",
                f"Too many wrong one-time codes. Wait {minutes} minute{'s'[: minutes > 1]} before the next guess.",
                facts={"retry_after": wait_for},
            )


def count_attempt(tx: Connection, *, address: str, now: int) -> None:
    """Count one wrong code. The window begins with its first one, so waiting always ends."""
    for bucket in (_bucket_of(address), _ALL):
        tx.execute(_count, {"bucket": bucket, "now": now, "over": now - WINDOW_SECONDS})


def sweep_attempts(tx: Connection, now: int) -> int:
    """Forget windows that are over; return how many."""
    return tx.execute(delete(attempts).where(attempts.c.window_at <= now - WINDOW_SECONDS)).rowcount


def _bucket_of(address: str) -> str:
    """Name the bucket of an address; an IPv6 network of /64 counts as one, because one subscriber has it whole."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "invite:unknown"
    if parsed.version == 6:
        if parsed.ipv4_mapped is not None:
            return f"invite:{parsed.ipv4_mapped}"
        return f"invite:{ipaddress.ip_network((parsed, 64), strict=False)}"
    return f"invite:{parsed}"
