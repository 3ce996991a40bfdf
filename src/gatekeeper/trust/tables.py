"""Make the tables that `p256.verify_by_tables` reads: multiples of a point, computed once and kept.

Pure and slow (some hundredths of a second a key): for renewal, never for a launch. Where tables are kept, and
whose count, is for `workstation.tables`.
"""

from __future__ import annotations

from gatekeeper.trust.p256 import TABLE_DIGITS, TABLE_WINDOWS, add, affine, double

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.trust.p256 import Affine, Point


def make_table(x: bytes, y: bytes) -> bytes:
    """Return the table of a point that is known to be on the curve.

    None of its points is infinity: no d · 2^(6i) is a multiple of the prime N.
    """
    points: list[Point] = []
    base: Affine = (int.from_bytes(x, "big"), int.from_bytes(y, "big"))
    for _ in range(TABLE_WINDOWS):
        multiple: Point = (*base, 1)
        points.append(multiple)
        for _ in range(TABLE_DIGITS - 1):
            multiple = add(multiple, base)
            points.append(multiple)
        # The last is 2^(w-1) times the base; the next window's base is 2^w times it.
        (base,) = affine([double(multiple)])
    return b"".join(px.to_bytes(32, "big") + py.to_bytes(32, "big") for px, py in affine(points))
