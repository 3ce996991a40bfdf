"""A verifier like the others, by tables that are made as keys come: what a launch does beside pins of one's own."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from gatekeeper.trust.p256 import GX, GY, POINT_BYTES, on_curve, verify_by_tables
from gatekeeper.trust.tables import make_table

if TYPE_CHECKING:
    from gatekeeper.trust.chain import PublicKey
    from gatekeeper.trust.p256 import Table


@lru_cache(maxsize=64)
def table_of(x: bytes, y: bytes) -> bytes:
    """Return a point's table, made once."""
    return make_table(x, y)


def reader(table: bytes) -> Table:
    """Return what reads points from a table, as a launch does from a file."""
    return lambda places: [table[at : at + POINT_BYTES] for at in places]


def verify_es256(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Say what `p256_plain.verify_es256` says, by tables. They exist for points of the curve alone."""
    if not on_curve(key.x, key.y):
        return False
    of_g = table_of(GX.to_bytes(32, "big"), GY.to_bytes(32, "big"))
    of_key = table_of(key.x, key.y)
    return verify_by_tables(message, signature, of_g=reader(of_g), of_key=reader(of_key))
