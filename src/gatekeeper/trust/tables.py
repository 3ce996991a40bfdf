"""Make the tables that `p256.verify_by_tables` reads: multiples of a point, computed once and kept.

Pure and slow (a tenth of a second a key, once): for renewal, never for a launch. Where tables are kept, and
whose count, is for `workstation.tables`.
"""

from __future__ import annotations

from gatekeeper.trust.p256 import TABLE_DIGITS, TABLE_WINDOWS, sums_of_pairs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.trust.p256 import Affine


def make_table(x: bytes, y: bytes) -> bytes:
    """Return the table of a point that is known to be on the curve.

    None of its points is infinity: no d · 2^(10i) is a multiple of the prime N.
    """
    points: list[Affine] = []
    base: Affine = (int.from_bytes(x, "big"), int.from_bytes(y, "big"))
    for _ in range(TABLE_WINDOWS):
        row = [base]
        while len(row) < TABLE_DIGITS:
            # From 1 to k times the base, and k times it added to each: from 1 to 2k times.
            row += reversed(sums_of_pairs([one for point in row for one in (point, row[-1])]))
        points += row
        # The last is 2^(w-1) times the base; the next window's base is 2^w times it.
        (base,) = sums_of_pairs([row[-1], row[-1]])
    return b"".join([px.to_bytes(32, "big") + py.to_bytes(32, "big") for px, py in points])
